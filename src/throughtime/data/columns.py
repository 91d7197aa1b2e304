"""Which columns of a table are the texts and the labels: as they are given, or found where there is only one choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from throughtime.data.rows import Cell, Table
from throughtime.data.tables import is_number
from throughtime.errors import DataError, printable

CLASSES = 100  # different values of a column that may still be labels
LONG = 20  # characters of a cell, on average, from which on it looks like a text


@dataclass(frozen=True)
class Columns:
    """The columns that are read, by number, and why these.

    text      of the texts
    label     of the labels; None where there are none
    chosen    one line for people: which ones, and how they were found
    """

    text: int
    label: int | None
    chosen: str


@dataclass(frozen=True)
class _Seen:
    """What the first rows hold in a column."""

    number: int
    name: str
    cells: Sequence[Cell]  # that are not empty

    @cached_property
    def values(self) -> set[str]:
        return {str(cell).strip() for cell in self.cells}

    @cached_property
    def is_string(self) -> bool:
        """Whether it holds strings that are not all numbers."""
        return all(isinstance(cell, str) for cell in self.cells) and not all(is_number(cell) for cell in self.cells)

    @cached_property
    def is_long(self) -> bool:
        return self.is_string and sum(len(cell.strip()) for cell in self.cells) >= LONG * len(self.cells)

    @cached_property
    def is_class(self) -> bool:
        """Whether few values come again and again, none of them a fraction or a long text."""
        if not self.cells or any(isinstance(cell, dict) for cell in self.cells):
            return False
        if any(isinstance(cell, list) for cell in self.cells):
            return True
        fraction = any(_is_fraction(value) for value in self.values)
        return len(self.values) <= min(CLASSES, max(2, len(self.cells) // 2)) and not self.is_long and not fraction


def find_columns(
    table: Table,
    text: str | int | None,
    label: str | int | None,
    *,
    labelled: bool = True,
    other: int | None = None,
) -> Columns:
    """The columns of texts and, if there are to be labels, of labels.

    A column that is not given must be the only one that it can be, judged by the first rows: the text is the one
    column of strings, or of those the one that is not of few values, or the one of long strings (20 characters on
    average); the label is the one column with few values (at most 100, each twice on average). Among several, one that
    is called `text` or `label` is meant. `other` is a column that is neither.

    Raises `DataError` with the columns there are, when one is not there or there is no choice or more than one.
    """
    columns = [
        _Seen(i, name, [row.cells[i] for row in table.sample if row.cells[i] is not None])
        for i, name in enumerate(table.names)
    ]
    texts, labels = _given(table, columns, text), _given(table, columns, label)
    if texts and texts == labels:
        raise DataError(
            f"{table.file}: text and label are both column {texts[0].name!a:.80}; give two of {table.shown()}"
        )
    texts = texts or _texts([column for column in columns if column not in labels and column.number != other])
    chosen = _one(table, texts, "text", "long strings")
    if not labelled and label is None:
        return Columns(chosen.number, None, f"the text is {_told(table, chosen, text)}")
    others = [column for column in columns if column is not chosen and column.number != other]
    classes = [column for column in others if column.is_class]
    labels = labels or _preferred(classes, "label", otherwise=classes)
    labels = labels or (others if len(others) == 1 else [])
    second = _one(table, labels, "label", "few values")
    told = f"the text is {_told(table, chosen, text)}; the label is {_told(table, second, label)}"
    many = f"{len(second.values):,} in the first {len(table.sample):,} rows"
    return Columns(chosen.number, second.number, f"{told} (different values: {many})")


def _given(table: Table, columns: list[_Seen], column: str | int | None) -> list[_Seen]:
    return [] if column is None else [columns[table.place(column)]]


def _texts(columns: list[_Seen]) -> list[_Seen]:
    """The columns that may be the texts; fewer, as more is asked of them."""
    strings = [column for column in columns if column.is_string]
    varied = [column for column in strings if not column.is_class]
    for some in (strings, varied, [column for column in varied if column.is_long]):
        if len(some) == 1:
            return some
    return _preferred(strings, "text", otherwise=varied or strings)


def _preferred(columns: list[_Seen], name: str, *, otherwise: list[_Seen]) -> list[_Seen]:
    """The one that has the very name, if there is one."""
    return [column for column in columns if column.name.lower() == name] or otherwise


def _one(table: Table, columns: list[_Seen], role: str, what: str) -> _Seen:
    if len(columns) != 1:
        which = ", ".join(printable(column.name)[:40] for column in columns[:12])
        found = f"{len(columns)} columns may be the {role} ({which})" if columns else f"no one column is of {what}"
        raise DataError(f"{table.file}: {found}; give --{role}-column, one of {table.shown()}")
    return columns[0]


def _told(table: Table, column: _Seen, given: str | int | None) -> str:
    name = f"column {printable(column.name)[:80]!r}" if table.header else f"column {column.number} (from 0, no names)"
    return name if given is not None else f"{name}, found by itself"


def _is_fraction(value: str) -> bool:
    try:
        return not float(value).is_integer()
    except ValueError:
        return False
