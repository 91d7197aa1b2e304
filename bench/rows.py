"""Rows of a benchmark: one for each thing that was measured, kept in a CSV as they come."""

import csv
import sys
from pathlib import Path
from typing import NamedTuple

from peer import machine
from rich.console import Console


class Row(NamedTuple):
    """What one contender took at one point."""

    part: str  # grid, lengths, short, loop, memory, start
    cell: str
    contender: str
    mode: str  # inference, training
    hidden: int
    batch: int
    steps: int
    value: float
    unit: str  # s, MiB
    turns: int  # whose median it is
    gflops: float = 0.0  # a second, of the matrix products
    share_of_mm: float = 0.0  # of what torch.mm does at the same point

    @property
    def point(self) -> str:
        return f"H {self.hidden} B {self.batch} T {self.steps}"


class Sheet:
    """A CSV that is whole after every row; without a path nothing is written."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: list[Row] = []
        if path:
            with path.open("w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow([*Row._fields, *machine()])

    def add(self, row: Row) -> None:
        self.rows.append(row)
        if self.path:
            with self.path.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow([*row, *machine().values()])


def read(path: Path) -> list[Row]:
    """The rows of a CSV that a sheet has written."""
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    kinds = Row.__annotations__
    return [Row(**{name: kinds[name](line[name]) for name in Row._fields}) for line in lines]


def terminal() -> Console:
    """Where tables are printed: as wide as the terminal, or wide enough for a file."""
    return Console(width=None if sys.stdout.isatty() else 150)
