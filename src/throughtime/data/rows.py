"""The rows of a table, some columns of them: CSV with names in its first line or without, JSON lines, Parquet."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, starmap
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from throughtime.data.lines import Encoding, InvalidBytes, Lines, kind_of
from throughtime.data.read import opened
from throughtime.data.tables import csv_rows, is_number, json_objects, parquet_parts, reading_parquet
from throughtime.errors import ArgumentError, DataError, nearest, printable

SAMPLE = 1000  # rows at the beginning that tell what a column holds
SHOWN = 12  # columns that an error lists

Cell = Any  # a string, a number, a truth value, a list or None, as the format has them


class Row(NamedTuple):
    """Cells and where they stand."""

    number: int  # from 1: the line that a row of text ends on, the row of Parquet
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Writing:
    """How a text file writes a table down.

    `header` says whether the first line of a CSV file has names; None has it found out. Without, and anywhere, a column
    goes by its number, from 0. `delimiter` stands between cells: a tab in `.tsv`, else a comma, unless it is given.
    `quotes` says whether cells may stand in "quotes", as CSV has it.
    """

    header: bool | None = None
    delimiter: str | None = None
    quotes: bool = True
    encoding: Encoding = "utf-8"
    invalid_bytes: InvalidBytes = "refuse"

    def __post_init__(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ArgumentError(f"delimiter is one character, such as ',' or a tab; got {self.delimiter!r}")


@dataclass
class Table:
    """A table that is being read: the names of its columns, its first rows, and, once, all rows.

    names     of the columns, without white space around; their numbers where the file has no names
    header    whether the file has names
    sample    the first rows, of all columns
    lines     what is read, with its counts; None of Parquet
    """

    origin: str  # the file and what its rows are counted in
    names: list[str]
    header: bool
    sample: list[Row]
    lines: Lines | None
    _read: Callable[[Sequence[int]], Iterator[Row]]

    def rows(self, columns: Sequence[int]) -> Iterator[Row]:
        """Those columns of every row."""
        return self._read(columns)

    def place(self, column: str | int) -> int:
        """The number of a column that is given by its name, or by its number.

        Raises `DataError` with the columns there are.
        """
        name = str(column).strip()
        if self.names.count(name) > 1:
            raise DataError(
                f"{self.file} has {self.names.count(name)} columns {name!r}; give one of them by its number"
            )
        if name in self.names:
            return self.names.index(name)
        if name.isdecimal() and int(name) < len(self.names):
            return int(name)
        known = map(printable, self.names)
        hint = nearest(name, known) if self.header and not name.isdecimal() else f"its columns are {self.shown()}"
        raise DataError(f"{self.file} has no column {name!a:.80}; {hint}")

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.origin.rsplit(",", 1)[0]

    def shown(self) -> str:
        """The columns with a cell of each, on one line."""
        cells = [[row.cells[i] for row in self.sample if row.cells[i] is not None] for i in range(len(self.names))]
        parts = []
        for i, name in enumerate(self.names[:SHOWN]):
            title = f"{i} {printable(name)[:40]!r}" if self.header else str(i)
            parts.append(f"{title} (such as {str(cells[i][0]).strip()[:24]!a})" if cells[i] else f"{title} (empty)")
        return ", ".join(parts) + (f", ... {len(self.names)} in all" if len(self.names) > SHOWN else "")


def open_table(path: Path, writing: Writing | None = None, *, numbered: bool = False) -> Table:
    """The table in a file.

    Its name tells the format: `.jsonl`, `.ndjson` and `.parquet`; the lines of `.txt` are one column, unless a
    delimiter is given; anything else is CSV. Where the writing leaves open whether a CSV file has names in its first
    line, it has none if columns are given by number (`numbered`), or if a cell of its first line is a number or stands
    in the same column further down.

    Raises `DataError` when nothing is in the file, or a row does not fit, with its line.
    """
    writing = writing or Writing()
    kind = kind_of(path)
    if kind == ".parquet":
        return _parquet(path)
    lines = Lines(path, encoding=writing.encoding, invalid_bytes=writing.invalid_bytes)
    if kind in (".jsonl", ".ndjson"):
        return _json(path, lines)
    if kind == ".txt" and writing.delimiter is None:
        return _plain(lines)
    delimiter = writing.delimiter or ("\t" if kind == ".tsv" else ",")
    rows = csv_rows(lines.whole(), delimiter, str(path), quotes=writing.quotes)
    full = filter(itemgetter(1), rows)  # without blank lines
    sample = list(starmap(Row, islice(full, SAMPLE + 1)))
    header = not numbered and _has_names(sample) if writing.header is None else writing.header
    if not sample[header:]:
        raise DataError(f"{path} has no rows" + (" but its names of columns" if sample else "") + "; give some")
    width = len(sample[0].cells)
    names = [str(cell).strip() for cell in sample[0].cells] if header else [str(i) for i in range(width)]

    def read(columns: Sequence[int]) -> Iterator[Row]:
        return _picked(chain(sample[header:], full), columns)

    return Table(f"{path}, line", names, header, [_none_for_empty(row) for row in sample[header:]], lines, read)


def _picked(rows: Iterable[tuple[int, Sequence[Cell]]], columns: Sequence[int]) -> Iterator[Row]:
    for number, cells in rows:
        yield Row(number, [cells[i] or None for i in columns])


def _none_for_empty(row: Row) -> Row:
    return Row(row.number, [cell or None for cell in row.cells])


def _has_names(sample: list[Row]) -> bool:
    """Whether the first row is names: no cell of it is a number, or what rows below have in its column."""
    for i, cell in enumerate(sample[0].cells if sample else []):
        if cell.strip() and (is_number(cell) or any(row.cells[i] == cell for row in sample[1:])):
            return False
    return True


def _plain(lines: Lines) -> Table:
    """A file that is no table, as one column: its lines."""
    numbered = enumerate(lines, 1)
    sample = [Row(number, [line or None]) for number, line in islice(numbered, SAMPLE)]
    if not sample:
        raise DataError(f"{lines.path} has no rows; give some")

    def read(columns: Sequence[int]) -> Iterator[Row]:
        for number, cells in chain(sample, ((number, [line or None]) for number, line in numbered)):
            yield Row(number, [cells[i] for i in columns])

    return Table(lines.origin, ["0"], False, sample, lines, read)


def _json(path: Path, lines: Lines) -> Table:
    objects = json_objects(lines.whole(), str(path))
    sample = list(islice(objects, SAMPLE))
    if not sample:
        raise DataError(f"{path} has no rows; give some")
    names = list(dict.fromkeys(name for _, row in sample for name in row))
    if not names:
        raise DataError(f"{path}: its first {len(sample):,} objects are empty; give some with a text in them")

    def read(columns: Sequence[int]) -> Iterator[Row]:
        wanted = [names[i] for i in columns]
        for number, row in chain(sample, objects):
            yield Row(number, [row.get(name) for name in wanted])

    rows = [Row(number, [row.get(name) for name in names]) for number, row in sample]
    return Table(f"{path}, line", names, True, rows, lines, read)


def _parquet(path: Path) -> Table:
    with opened(path):  # which refuses what is no file, in our words
        pass
    with reading_parquet(path) as polars:
        table = polars.scan_parquet(path, glob=False, hive_partitioning=False)
        names = list(table.collect_schema())
        sample = [Row(i, list(row)) for i, row in enumerate(table.head(SAMPLE).collect().iter_rows(), 1)]
    if not sample:
        raise DataError(f"{path} has no rows; give some")

    def read(columns: Sequence[int]) -> Iterator[Row]:
        number, wanted = 0, list(dict.fromkeys(columns))
        with reading_parquet(path) as polars:
            chosen = table.select(polars.col(names[i]) for i in wanted)
            for part in parquet_parts(chosen):
                for row in part.iter_rows():
                    number += 1
                    yield Row(number, [row[wanted.index(i)] for i in columns])

    return Table(f"{path}, row", names, True, sample, None, read)
