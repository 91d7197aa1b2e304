"""Which columns of a table are the sources and the targets of pairs, and whether its first line is names."""

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from throughtime.data.lines import InvalidBytes, kind_of
from throughtime.data.rows import Cell, Table, Writing, open_table
from throughtime.errors import DataError, printable

Column = str | int | None  # by name, or number from 0; None: it is found

NAMED = (".jsonl", ".ndjson", ".parquet")  # whose columns always have names
ROLES = (("source", "src", "input"), ("target", "tgt", "trg", "output"))  # what the two are called
NAMES = re.compile(  # and languages or their codes, such as en or pt-BR
    "source|src|input|target|tgt|trg|output|id|from|to|text|translation|word|pronunciation|spelling|document|article|"
    "abstract|summary|title|commands?|actions?|question|answer|sentence|parse|tree|english|german|french|spanish|"
    "italian|russian|arabic|chinese|hindi|japanese|(ar|bg|bn|ca|cs|da|de|el|en|es|et|fa|fi|fr|he|hi|hr|hu|id|it|ja|ko|"
    "lt|lv|nl|pl|pt|ro|ru|sk|sl|sr|sv|sw|ta|th|tr|uk|ur|vi|zh)([-_][a-z]{2,4})?"
)


class PairColumns(NamedTuple):
    """The columns that are read, by number, and why these."""

    source: int
    target: int
    chosen: str  # one line for people


def open_pairs(
    path: Path, columns: tuple[Column, Column], *, header: bool | None, invalid_bytes: InvalidBytes
) -> Table:
    """The table in a file. In a `.tsv` file quotes are letters, as in a text.

    Unless `header` tells, the first line of a `.tsv` or `.csv` file is names if a column was given by its name, or if
    two of its cells are words such as source, english or de: two columns of texts tell by nothing else.

    Raises `DataError` as `open_table` does, and when the table has one column only.
    """
    kind = kind_of(path)
    writing = Writing(header=header, quotes=kind != ".tsv", invalid_bytes=invalid_bytes)
    if kind not in NAMED and header is None:
        first = open_table(path, replace(writing, header=False)).sample[0]
        writing = replace(writing, header=by_name(columns) or sum(map(_is_name, first.cells)) >= 2)
    table = open_table(path, writing)
    if len(table.names) < 2:
        parted = "" if kind in NAMED else "; call the file .tsv if a tab parts them, .csv if a comma"
        raise DataError(f"{path} has one column, and pairs are two{parted}")
    return table


def find_pair(table: Table, path: Path, columns: tuple[Column, Column]) -> PairColumns:
    """The columns of sources and of targets.

    One that is not given is the only one that is called so (source, src, input; target, tgt, trg, output), else the
    first or the second; of objects and Parquet the only ones of strings.

    Raises `DataError` with the columns there are, when one is not there or there is no choice or more than one.
    """
    places = [None if column is None else table.place(column) for column in columns]
    for role, names in enumerate(ROLES):
        called = [i for i, name in enumerate(table.names) if name.lower() in names and i not in places]
        if places[role] is None and len(called) == 1:
            places[role] = called[0]
    rest = [i for i in (_strings(table) if kind_of(path) in NAMED else range(2)) if i not in places]
    wanted = places.count(None)
    if wanted and kind_of(path) in NAMED and len(rest) != wanted:
        raise DataError(
            f"{table.file}: which columns are pairs is not plain; give --source-column and --target-column, of "
            f"{table.shown()}"
        )
    source, target = (rest.pop(0) if place is None else place for place in places)
    if source == target:
        raise DataError(
            f"{table.file}: source and target are both column {table.names[source]!a:.80}; give two of {table.shown()}"
        )
    return PairColumns(source, target, _told(table, (source, target), found=None in columns))


def by_name(columns: tuple[Column, Column]) -> bool:
    """Whether a column is given by its name, and not by its number.

    >>> by_name((None, "1")), by_name(("de", None))
    (False, True)
    """
    return any(column is not None and not str(column).isdecimal() for column in columns)


def _is_name(cell: Cell) -> bool:
    return NAMES.fullmatch(str(cell or "").strip().lower()) is not None


def _strings(table: Table) -> list[int]:
    """The columns that hold strings and nothing else, in the first rows."""
    cells = [[row.cells[i] for row in table.sample if row.cells[i] is not None] for i in range(len(table.names))]
    return [i for i, some in enumerate(cells) if some and all(isinstance(cell, str) for cell in some)]


def _told(table: Table, places: tuple[int, int], *, found: bool) -> str:
    itself = ", found by itself" if found else ""
    if table.header:
        source, target = (repr(printable(table.names[place])[:80]) for place in places)
        return f"sources are column {source}, targets column {target}{itself}"
    cells = " and ".join(repr(printable(str(table.sample[0].cells[place] or "").strip())[:40]) for place in places)
    columns = f"sources are column {places[0]}, targets column {places[1]} (from 0){itself}"
    return f"{columns}; the first line is data, not names: {cells}"
