"""Pairs of lines, a source and its target: from two parallel files, or from two columns of a table."""

import hashlib
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Literal

from throughtime.data import splits
from throughtime.data.lines import InvalidBytes, Lines, kind_of
from throughtime.data.pair_columns import NAMED, by_name, find_pair, open_pairs
from throughtime.data.read import opened
from throughtime.data.rows import Cell
from throughtime.data.splits import Indices
from throughtime.data.tables import json_kind
from throughtime.errors import DataError, printable

Missing = Literal["refuse", "skip"]

PAIRS_LIMIT = 2**24  # that we are willing to hold
CHARACTERS_LIMIT = 2**31  # of all of them


@dataclass(frozen=True)
class Pairs:
    """Sources and their targets, without white space around and otherwise as they are in the files.

    Nothing else is changed in a line; where a cell of a table holds several, they are joined by spaces, and counted.
    """

    paths: tuple[Path, ...]  # the file, or that of the sources and that of the targets
    sources: list[str]
    targets: list[str]
    lines: list[int]  # where each pair stands, from 1
    origin: str  # what errors call a line of it, before its number
    sha256: tuple[str, ...]  # of each file as it lies on the disk
    bytes: int  # of the files as they lie on the disk
    chosen: str  # how it was read, for people
    both_empty: int = 0  # pairs without a source and without a target, which are left out
    one_empty: int = 0  # pairs without a source or without a target, which were left out as was asked
    joined: int = 0  # cells whose lines were joined
    skipped_bytes: int = 0  # that were not UTF-8 and were left out, as was asked

    def __len__(self) -> int:
        return len(self.sources)

    def where(self, row: int) -> str:
        """The place of a pair, as errors say it."""
        return f"{self.origin} {self.lines[row]}"

    def take(self, rows: Indices) -> "Pairs":
        """Some of the pairs; the counts stay those of the files."""
        sources, targets = ([column[row] for row in rows] for column in (self.sources, self.targets))
        return replace(self, sources=sources, targets=targets, lines=[self.lines[row] for row in rows])

    @property
    def left_out(self) -> dict[str, int]:
        """What was met and is not there as it was, by name."""
        counts = {"both_empty": self.both_empty, "one_empty": self.one_empty}
        return counts | {"joined": self.joined, "skipped_bytes": self.skipped_bytes}


def read_parallel(
    source: Path, target: Path, *, missing: Missing = "refuse", invalid_bytes: InvalidBytes = "refuse"
) -> Pairs:
    """The pairs of two files, of which the first line of one belongs to the first line of the other, and so on.

    Either may be compressed (`.gz`). A line that is empty in both is left out, and counted; with missing="skip", so
    is one that is empty in one of them.

    Raises `DataError` for files that are unreadable, binary or not UTF-8, with the line; whose numbers of lines
    differ, with both and the first line that is left alone; for a line that is empty in one file only; for no pairs.
    """
    lines = Lines(source, invalid_bytes=invalid_bytes), Lines(target, invalid_bytes=invalid_bytes)
    gathered = _Gathered(f"{source} and {target}, line", missing)
    both = zip_longest(*lines)
    for number, (of_source, of_target) in enumerate(both, 1):
        if of_source is None or of_target is None:
            rest = 1 + sum(1 for _ in both)
            raise _alone(source, target, number, rest, of_source, of_target)
        gathered.take(number, of_source, of_target)
    return gathered.pairs(
        (source, target),
        tuple(side.sha256 for side in lines),
        sum(side.bytes for side in lines),
        "sources and targets are the lines of two files",
        skipped_bytes=sum(side.skipped_bytes for side in lines),
    )


def is_table(path: Path) -> bool:
    """Whether a file is read as a table of pairs, by its name.

    >>> is_table(Path("pairs.tsv.gz")), is_table(Path("train.en"))
    (True, False)
    """
    return kind_of(path) in (".tsv", ".csv", *NAMED)


def read_pairs(
    path: Path,
    source_column: str | int | None = None,
    target_column: str | int | None = None,
    *,
    header: bool | None = None,
    missing: Missing = "refuse",
    invalid_bytes: InvalidBytes = "refuse",
) -> Pairs:
    """The pairs in two columns of a table: `.tsv`, `.csv`, `.jsonl`, `.ndjson` (`.gz` too) or `.parquet`.

    Columns go by their names, or their numbers from 0. Those that are not given are the ones called source and target
    (src and tgt, input and output), else the first two, of objects and Parquet the only two of strings. Unless
    `header` tells, the first line of a `.tsv` or `.csv` file is names if a column was given by its name, or if two of
    its cells are words such as source, english or de; `chosen` says so, and the way out. In a `.tsv` file quotes are
    letters.

    Empty cells are treated as the lines of parallel files are.

    Raises `DataError` for what does not read or fit, with its line, and for columns that are not there.
    """
    given = source_column, target_column
    table = open_pairs(path, given, header=header, invalid_bytes=invalid_bytes)
    columns = find_pair(table, path, given)
    gathered = _Gathered(table.origin, missing)
    for number, (of_source, of_target) in table.rows([columns.source, columns.target]):
        gathered.take(number, of_source, of_target)
    if table.lines is None:
        with opened(path) as file:
            digest, size, skipped = hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size, 0
    else:
        digest, size, skipped = table.lines.sha256, table.lines.bytes, table.lines.skipped_bytes
    chosen = columns.chosen
    if header is None and kind_of(path) not in NAMED and not by_name(given):
        chosen += "; the first line is names (if not, --no-header)" if table.header else " (else give --header)"
    return gathered.pairs((path,), (digest,), size, chosen, skipped_bytes=skipped)


def divide(train: Pairs, valid: Pairs | None, *, held_out: float, seed: int) -> tuple[Pairs, Pairs]:
    """Pairs to learn from, and those to validate on: of another file, or some by chance, those of one source together.

    Raises `DataError` when there are too few to hold some out.
    """
    if valid is not None:
        return train, valid
    fold = splits.held_out(train.sources, held_out, seed, what="pairs")
    return train.take(fold.train), train.take(fold.test)


def overlap(train: Pairs, other: Pairs) -> int:
    """How many pairs of the other have a source that is learned from as well.

    >>> import numpy as np
    >>> pairs = Pairs((), ["a", "b", "a"], ["x", "y", "z"], [1, 2, 3], "f.tsv, line", (), 9, "")
    >>> overlap(pairs.take(np.array([0, 1])), pairs.take(np.array([2])))
    1
    """
    known = set(train.sources)
    return sum(source in known for source in other.sources)


@dataclass
class _Gathered:
    """Pairs that are being read."""

    origin: str
    missing: Missing
    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    both_empty: int = 0
    one_empty: int = 0
    joined: int = 0
    characters: int = 0

    def take(self, number: int, source: Cell, target: Cell) -> None:
        """A pair, unless it is left out."""
        source, target = self._line(source, "source", number), self._line(target, "target", number)
        if not source and not target:
            self.both_empty += 1
            return
        if not source or not target:
            self._one_empty(number, source, target)
            return
        self.characters += len(source) + len(target)
        if len(self.lines) == PAIRS_LIMIT or self.characters > CHARACTERS_LIMIT:
            raise DataError(
                f"{self.origin} {number}: over {PAIRS_LIMIT:,} pairs or {CHARACTERS_LIMIT:,} characters of them, "
                "more than are held; give fewer"
            )
        self.sources.append(source)
        self.targets.append(target)
        self.lines.append(number)

    def pairs(
        self, paths: tuple[Path, ...], sha256: tuple[str, ...], size: int, chosen: str, *, skipped_bytes: int
    ) -> Pairs:
        """All of them. Raises `DataError` when there are none."""
        if not self.lines:
            raise DataError(
                f"{' and '.join(map(str, paths))}: no pairs, only {self.both_empty + self.one_empty:,} empty"
            )
        return Pairs(
            paths,
            self.sources,
            self.targets,
            self.lines,
            self.origin,
            sha256,
            size,
            chosen,
            both_empty=self.both_empty,
            one_empty=self.one_empty,
            joined=self.joined,
            skipped_bytes=skipped_bytes,
        )

    def _line(self, cell: Cell, role: str, number: int) -> str:
        """A cell as one line."""
        if cell is None:
            return ""
        if not isinstance(cell, str):
            raise DataError(f"{self.origin} {number}: its {role} is {json_kind(cell)}, not a string")
        line = cell.strip()
        if "\n" in line:
            self.joined += 1
            line = " ".join(part.strip() for part in line.split("\n"))
        return line

    def _one_empty(self, number: int, source: str, target: str) -> None:
        if self.missing == "refuse":
            empty, other, text = ("target", "source", source) if source else ("source", "target", target)
            raise DataError(
                f"{self.origin} {number}: the {empty} is empty where the {other} is {printable(text)[:40]!r}; "
                "fill it in, or leave such pairs out with --missing skip"
            )
        self.one_empty += 1


def _alone(
    source: Path, target: Path, number: int, rest: int, of_source: str | None, of_target: str | None
) -> DataError:
    """What to raise when one file has lines that the other has not, from a number on."""
    more, text = (source, of_source) if of_target is None else (target, of_target)
    counts = [number - 1 + rest * (more == path) for path in (source, target)]
    return DataError(
        f"{source} has {counts[0]:,} lines and {target} {counts[1]:,}: line {number} of {more} is left alone, "
        f"{printable(text or '').strip()[:40]!r}; give files of which each line belongs to the same line of the other"
    )
