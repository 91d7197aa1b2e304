"""Labelled texts, record by record, from a table.

Records stream, so that files of any number of rows are read in little memory; `read_records` holds them all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from throughtime.data.columns import find_columns
from throughtime.data.rows import Cell, Table, Writing, open_table
from throughtime.data.tables import json_kind
from throughtime.errors import ArgumentError, DataError, printable

E_co = TypeVar("E_co", covariant=True)
Missing = Literal["refuse", "skip", "keep"]
ORDINAL_LIMIT = 2**31  # of a label that is a whole number


class Record(NamedTuple):
    """A text and its labels."""

    origin: str  # the file and the word "line" or "row"
    row: int  # from 1: the line or row of it
    text: str  # without white space around
    labels: tuple[str, ...]  # none where there is none, or none was asked for
    name: str = ""  # of a sequence that has one
    group: str = ""  # that is not to be torn apart, in a table where one column tells

    @property
    def item(self) -> str:
        """What is classified: the text."""
        return self.text

    @property
    def where(self) -> str:
        """Where it stands, as errors say it.

        >>> Record("reviews.csv, line", 7, "good", ("4",)).where
        'reviews.csv, line 7'
        """
        return f"{self.origin} {self.row}"


@runtime_checkable
class Example(Protocol):
    """An item and its labels: a record of a text, or of a series."""

    @property
    def item(self) -> Any:
        """A text, or a series T D."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """None where there is none, or none was asked for."""
        ...

    @property
    def group(self) -> str:
        """What it belongs to that is not to be torn apart."""
        ...

    @property
    def where(self) -> str:
        """Where it stands, as errors say it."""
        ...


@dataclass
class Counts:
    """What was met while reading, so far."""

    rows: int = 0  # that hold anything
    empty_texts: int = 0
    missing_labels: int = 0
    skipped: int = 0  # rows that were left out, as a text was empty or a label missing
    bytes: int = 0  # of the files as they lie on the disk
    skipped_bytes: int = 0  # that were not UTF-8


@dataclass(frozen=True)
class Layout:
    """Which cells of a table are read.

    text, label   a column's name, or its number from 0; None has it found out
    group         the column of what belongs together when rows are split; None: there is none
    separator     between the several labels of one cell; None: a cell is one label
    labelled      False where no labels are looked for, unless `label` is given
    empty_set     whether a row without labels has none of them; else its label is missing
    missing       what becomes of empty texts and missing labels: refuse, skip (counted), or keep (counted)
    """

    text: str | int | None = None
    label: str | int | None = None
    group: str | int | None = None
    separator: str | None = None
    labelled: bool = True
    empty_set: bool = False
    missing: Missing = "refuse"

    def __post_init__(self) -> None:
        if self.separator == "":
            raise ArgumentError("separator is what stands between labels, such as ';'; got an empty one")

    @property
    def numbered(self) -> bool:
        """Whether columns are given, and all by number."""
        given = [str(column) for column in (self.text, self.label, self.group) if column is not None]
        return bool(given) and all(column.isdecimal() for column in given)


@runtime_checkable
class Source(Protocol[E_co]):
    """Records from somewhere, which can be read again."""

    origin: str  # where they are from

    @property
    def chosen(self) -> str:
        """How they are read, for people; of a table once reading began."""
        ...

    @property
    def counts(self) -> Counts:
        """What was read so far."""
        ...

    def __iter__(self) -> Iterator[E_co]:
        """The records in their order."""
        ...


class Records:
    """The records of a table, in the order of its rows; what is read is counted in `counts`.

    `chosen` says, once reading began, which columns are read and why.

    Raises `DataError`, when read, for what is unreadable or malformed, for columns that are not there, and
    (missing="refuse") for a text that is empty or a label that is missing, with its line.
    """

    def __init__(self, path: Path, layout: Layout | None = None, writing: Writing | None = None) -> None:
        self.path, self.layout, self.writing = path, layout or Layout(), writing or Writing()
        self.counts: Counts = Counts()
        self.origin, self.chosen = str(path), ""

    def __iter__(self) -> Iterator[Record]:
        self.counts = Counts()
        layout = self.layout
        table = open_table(self.path, self.writing, numbered=layout.numbered)
        group = None if layout.group is None else table.place(layout.group)
        columns = find_columns(table, layout.text, layout.label, labelled=layout.labelled, other=group)
        self.chosen = columns.chosen + (f"; {_unnamed(table)}" if not table.header else "")
        labelled = columns.label is not None
        places = [columns.text, columns.text if columns.label is None else columns.label]
        for number, cells in table.rows(places if group is None else [*places, group]):
            text = _text(cells[0], table.origin, number)
            labels = labels_of(cells[1], layout.separator, table.origin, number) if labelled else ()
            together = "" if group is None or cells[2] is None else str(cells[2]).strip()
            record = Record(table.origin, number, text, labels, "", together)
            if taken(record, self.counts, layout.missing, labelled=labelled and not layout.empty_set):
                yield record
        if table.lines is None:
            self.counts.bytes = self.path.stat().st_size
        else:
            self.counts.bytes, self.counts.skipped_bytes = table.lines.bytes, table.lines.skipped_bytes


@dataclass(frozen=True)
class Labelled:
    """All records of a source, and what was met while reading them."""

    records: Sequence[Example]
    counts: Counts
    chosen: str
    classes: dict[str, int] = field(init=False)  # rows that have a label, by label, in the order of their names

    def __post_init__(self) -> None:
        counted = dict[str, int]()
        for record in self.records:
            for label in record.labels:
                counted[label] = counted.get(label, 0) + 1
        object.__setattr__(self, "classes", dict(sorted(counted.items())))

    def ordinal(self) -> NDArray[np.int64]:
        """The labels as whole numbers, one a record.

        Raises `DataError` when one is none, or a record has none or several, with its line.
        """
        return np.array([ordinal_of(record) for record in self.records], np.int64)


def read_records(source: Source[Any]) -> Labelled:
    """All records of a source. Raises `DataError` as the source does, and when there are none."""
    records = list(source)
    if not records:
        raise DataError(f"{source.origin}: no records of {source.counts.rows:,} rows; give some with labels")
    return Labelled(records, source.counts, source.chosen)


def ordinal_of(record: Example) -> int:
    """The label of a record as a whole number. Raises `DataError` when it is none, with its line.

    >>> ordinal_of(Record("reviews.csv, line", 7, "good", ("4",)))
    4
    """
    if len(record.labels) != 1:
        raise DataError(f"{record.where} has {len(record.labels)} labels; an ordinal one stands alone")
    label = record.labels[0]
    try:
        value = float(label)
    except ValueError:
        value = 0.5
    if not value.is_integer() or abs(value) >= ORDINAL_LIMIT:
        raise DataError(f"{record.where}: label {label!a:.80} is no whole number; ordinal labels are, such as 1 to 5")
    return int(value)


def labels_of(cell: Cell, separator: str | None, origin: str, row: int) -> tuple[str, ...]:
    """The labels in a cell, each once: of a string, a number, a truth value, or a list of such.

    >>> labels_of(" drama; war;drama", ";", "films.csv, line", 2), labels_of(4.0, None, "", 1)
    (('drama', 'war'), ('4',))

    Raises `DataError` for anything else.
    """
    if isinstance(cell, str):
        if separator is None:
            label = cell.strip()
            return (label,) if label else ()
        parts = (part.strip() for part in cell.split(separator))
        return tuple(dict.fromkeys(part for part in parts if part))
    if cell is None:
        return ()
    if isinstance(cell, bool):
        return (str(cell).lower(),)
    if isinstance(cell, float):
        return () if cell != cell else (f"{cell:.0f}" if cell.is_integer() else str(cell),)  # nan is no label
    if isinstance(cell, int) and abs(cell) < 2**64:
        return (str(cell),)
    if isinstance(cell, list) and not any(isinstance(part, list | dict) for part in cell):
        return tuple(dict.fromkeys(label for part in cell for label in labels_of(part, None, origin, row)))
    raise DataError(
        f"{origin} {row}: its label is {json_kind(cell)}; give a string, a number below 2^64 or a list of them"
    )


def taken(record: Record, counts: Counts, missing: Missing, *, labelled: bool = True) -> bool:
    """Whether a record is kept; counts it, and what it lacks.

    Raises `DataError` (missing="refuse") when it lacks anything.
    """
    counts.rows += 1
    no_text, no_label = not record.text, labelled and not record.labels
    if not no_text and not no_label:
        return True
    counts.empty_texts += no_text
    counts.missing_labels += no_label
    if missing == "refuse":
        what = "its text is empty" if no_text else "its label is missing"
        raise DataError(f"{record.where}: {what}; fill it in, or leave such rows out with --missing skip")
    counts.skipped += missing == "skip"
    return missing == "keep"


def _text(cell: Cell, origin: str, number: int) -> str:
    if cell is None:
        return ""
    if not isinstance(cell, str):
        raise DataError(f"{origin} {number}: its text is {json_kind(cell)}, not a string")
    return cell.strip()


def _unnamed(table: Table) -> str:
    cells = ", ".join(f"{printable(str(cell).strip())[:24]!r}" for cell in table.sample[0].cells[:6])
    return f"the first line is data, not names: {cells}"
