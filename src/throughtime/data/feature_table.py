"""Tables of feature vectors: rows of numbers, and a label for each if there is one.

Rows stream in blocks, so that files of any number of rows are read in little memory; `read_features` holds them all.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.data.lines import kind_of
from throughtime.data.precision import MISSING, Values, checked, numbers
from throughtime.data.records import labels_of
from throughtime.data.rows import SAMPLE, Cell, Row, Table, open_table
from throughtime.data.series_files import read_array
from throughtime.data.tables import is_number
from throughtime.errors import DataError, nearest, printable

BLOCK = 4096  # rows held at a time
SHOWN = 12  # features that an error lists


@dataclass(frozen=True)
class FeatureLayout:
    """Which columns of a table are features and which one is the label, each by its name or its number from 0.

    features   none: all columns but the label
    label      None has it found: the one called `label`, or the only one that does not hold numbers
    labelled   False where no label is read
    missing    what becomes of rows that lack a number or a label, or have an infinite one: refuse, or skip (counted)
    """

    features: tuple[str | int, ...] = ()
    label: str | int | None = None
    labelled: bool = True
    missing: Literal["refuse", "skip"] = "refuse"


@dataclass
class RowCounts:
    """What was met while reading, so far."""

    rows: int = 0
    skipped: int = 0  # as a number or the label was missing, or a number infinite
    rounded: int = 0  # whole numbers that single precision does not hold


class FeatureBlock(NamedTuple):
    """Some rows of a table."""

    numbers: NDArray[np.int64]  # N, from 1: the line a row of text ends on, the row of other files
    values: Values  # N D
    labels: list[str]  # N, or none where none is read


class FeatureRows:
    """The rows of a table as vectors, a block after the other.

    names    of the features, D
    label    the name of the label's column; None where none is read
    chosen   which columns these are, for people

    Raises `DataError` for columns that are not there, or where no one column is the label; when read, for cells that
    are no numbers and (missing="refuse") numbers and labels that are missing or infinite, with the place of the first.
    """

    def __init__(self, path: Path, layout: FeatureLayout | None = None) -> None:
        self.path, self.layout = path, layout or FeatureLayout()
        self.table = _open(path)
        label = _label(self.table, self.layout) if self.layout.labelled else None
        self.places = _features(self.table, self.layout, label)
        self.names = tuple(self.table.names[place] for place in self.places)
        self.label = None if label is None else self.table.names[label]
        self.chosen = _told(self.table, self.names, self.label, self.layout)
        self.counts: RowCounts = RowCounts()
        self._columns = self.places if label is None else [*self.places, label]

    def __iter__(self) -> Iterator[FeatureBlock]:
        self.counts = RowCounts()
        shown = [printable(name)[:40] for name in self.names]
        rows, cells, labels = list[int](), array("d"), list[Cell]()
        for number, row in self.table.rows(self._columns):
            rows.append(number)
            cells.extend(numbers(row[: len(shown)], f"{self.table.origin} {number}, column ", shown))
            labels.extend(row[len(shown) :])
            if len(rows) == BLOCK:
                yield self._block(rows, cells, labels)
                rows, cells, labels = [], array("d"), []
        if rows:
            yield self._block(rows, cells, labels)

    def _block(self, rows: list[int], cells: "array[float]", labels: list[Cell]) -> FeatureBlock:
        origin = self.table.origin

        def where(row: int, column: int) -> str:
            return f"{origin} {rows[row]}, column {printable(self.names[column])[:40]!r}"

        raw = np.frombuffer(cells).reshape(len(rows), len(self.names))
        values, checks = checked(raw, where, "keep")
        words = [labels_of(cell, None, origin, row) for cell, row in zip(labels, rows, strict=bool(labels))]
        if self.layout.missing == "refuse" and not np.isfinite(values).all():
            place = (checks.missing_places + checks.non_finite_places)[0]
            what = "missing" if checks.missing else "infinite"
            raise DataError(f"{place}: the value is {what}; fill it in, or leave such rows out with --missing skip")
        for row, found in zip(rows, words, strict=bool(words)):
            if len(found) > 1 or (not found and self.layout.missing == "refuse"):
                what = f"{len(found)} labels, and one is wanted" if found else "no label"
                raise DataError(f"{origin} {row}: there is {what}; correct it, or leave such rows out")
        kept = np.asarray(np.isfinite(values).all(1))
        if words:
            kept &= np.array([bool(found) for found in words])
        self.counts.rows += len(rows)
        self.counts.skipped += int((~kept).sum())
        self.counts.rounded += checks.rounded
        left = [found[0] for found, keep in zip(words, kept.tolist(), strict=bool(words)) if keep]
        return FeatureBlock(np.array(rows)[kept], values[kept], left)


@dataclass(frozen=True)
class FeatureTable:
    """All rows of a table, and what was met while reading them."""

    rows: FeatureBlock
    names: tuple[str, ...]  # of the features, D
    label: str | None  # the name of its column
    origin: str  # what stands before the number of a row, where it is told
    chosen: str
    counts: RowCounts
    bytes: int  # of the file


def read_features(path: Path, layout: FeatureLayout | None = None) -> FeatureTable:
    """All rows of a table as vectors. Raises `DataError` as `FeatureRows` does, and when no row is left."""
    source = FeatureRows(path, layout)
    blocks = list(source)
    if not sum(len(block.numbers) for block in blocks):
        raise DataError(f"{path}: each of its {source.counts.rows:,} rows lacks a number or a label; fill some in")
    rows = FeatureBlock(
        np.concatenate([block.numbers for block in blocks]),
        np.concatenate([block.values for block in blocks]),
        [label for block in blocks for label in block.labels],
    )
    return FeatureTable(
        rows, source.names, source.label, source.table.origin, source.chosen, source.counts, path.stat().st_size
    )


def _open(path: Path) -> Table:
    """The table in a file of any kind; columns of an array of NumPy go by their numbers."""
    if kind_of(path) != ".npy":
        return open_table(path)
    found = read_array(path)
    if found.dtype.kind not in "fiub" or found.ndim != 2 or not found.size:
        raise DataError(f"{path} holds {found.dtype} of shape {found.shape}; give numbers, rows × columns")

    def read(columns: Sequence[int]) -> Iterator[Row]:
        for begin in range(0, len(found), BLOCK):
            for number, cells in enumerate(found[begin : begin + BLOCK, list(columns)].tolist(), begin + 1):
                yield Row(number, cells)

    sample = [Row(number, cells) for number, cells in enumerate(found[:SAMPLE].tolist(), 1)]
    return Table(f"{path}, row", [str(i) for i in range(found.shape[1])], False, sample, None, read)


def _label(table: Table, layout: FeatureLayout) -> int:
    """The column of labels: as it is given, or the only one that it can be."""
    if layout.label is not None:
        return table.place(layout.label)
    others = set(range(len(table.names)))
    if layout.features:
        others -= {table.place(column) for column in layout.features}
    called = [i for i in others if table.names[i].lower() == "label"]
    words = [i for i in others if not all(_is_number(row.cells[i]) for row in table.sample)]
    for some in (called, words, sorted(others) if layout.features else []):
        if len(some) == 1:
            return some[0]
    raise DataError(
        f"{table.file}: {len(words) or 'all'} columns hold {'words' if words else 'numbers'}, so that no one of them "
        f"must be the label; give --label-column, one of {table.shown()}"
    )


def _is_number(cell: Cell) -> bool:
    return not isinstance(cell, str) or cell.strip().lower() in MISSING or is_number(cell.strip())


def _features(table: Table, layout: FeatureLayout, label: int | None) -> list[int]:
    """The columns of features, in the order in which they are given."""
    names = [str(column).strip() for column in layout.features]
    others = [i for i in range(len(table.names)) if i != label]
    numbered = {str(i) for i in range(len(table.names))}
    lacking = [name for name in names if name not in table.names and name not in numbered]
    if not lacking:
        places = [table.place(name) for name in names] or others
    elif table.header:
        hint = nearest(lacking[0], map(printable, table.names))
        raise DataError(f"{table.file} lacks {len(lacking)} of {len(names)} features ({_listed(lacking)}); {hint}")
    elif len(others) == len(names):
        places = others
    else:
        raise DataError(
            f"{table.file} has {len(others)} columns of numbers, and {len(names)} features are wanted "
            f"({_listed(names)}); give as many, or names in a first line"
        )
    twice, count = max(Counter(table.names[place] for place in places).items(), key=itemgetter(1), default=("", 0))
    if count > 1:
        raise DataError(f"{table.file} has {count} features {twice!a:.80}; rename all but one")
    if label in places or not places:
        raise DataError(f"{table.file}: a column is used twice, or none is left for features; it has {table.shown()}")
    return places


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name)[:40] for name in names[:SHOWN])
    return shown + (f", ... {len(names):,} in all" if len(names) > SHOWN else "")


def _told(table: Table, names: Sequence[str], label: str | None, layout: FeatureLayout) -> str:
    told = f"{len(names):,} features: {_listed(names)}"
    if label is not None:
        found = "" if layout.label is not None else ", found by itself"
        told += f"; the label is column {printable(label)[:80]!r}{found}"
    return told if table.header else f"{told}; columns go by their numbers from 0"
