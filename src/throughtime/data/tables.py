"""One column of a table, cell by cell: CSV and TSV, JSON lines, Parquet.

CSV and JSON lines are read line by line, so that they may come compressed and an error can name its line; what is
missing in a cell is None.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from throughtime.data.lines import LINE_LIMIT
from throughtime.errors import DataError, MissingExtraError, nearest, printable

SAMPLE = 100  # rows at the beginning that tell which columns are strings
PART = 2**26  # bytes of Parquet cells held at a time, about


def csv_cells(lines: Iterable[str], separator: str, column: str | None, origin: str) -> Iterator[str | None]:
    """The cells of a column, named in the first line; an empty cell is None. Cells may hold lines within quotes.

    >>> list(csv_cells(["id,text", '1,"a ""b"" c"', "2,"], ",", "text", "x.csv"))
    ['a "b" c', None]

    Raises `DataError` when there is no such column, or a row does not fit, with its line.
    """
    rows = (row for _, row in csv_rows(lines, separator, origin))
    names = next(rows, [])
    if not names:
        raise DataError(f"{origin} has no names of columns in its first line")
    sample = list(islice(rows, SAMPLE))
    strings = [name for i, name in enumerate(names) if not all(is_number(row[i]) for row in sample if row)]
    place = names.index(_chosen(names, strings if sample else names, column, origin))
    for row in chain(sample, rows):
        yield row[place] or None if row else None


def json_cells(lines: Iterable[str], column: str | None, origin: str) -> Iterator[str | None]:
    """The values of a key in objects that stand one a line.

    >>> list(json_cells(['{"text": "a b"}', '{"text": null}', "{}"], None, "x.jsonl"))
    ['a b', None, None]

    Raises `DataError` when there is no such key, or a line does not fit, with its number.
    """
    rows = json_objects(lines, origin)
    sample = list(islice(rows, SAMPLE))
    names = list(dict.fromkeys(name for _, row in sample for name in row))
    strings = [name for name in names if any(isinstance(row.get(name), str) for _, row in sample)]
    chosen = _chosen(names, strings, column, origin)
    for number, row in chain(sample, rows):
        cell = row.get(chosen)
        if cell is not None and not isinstance(cell, str):
            raise DataError(f"{origin}, line {number}: {chosen!a:.80} is {json_kind(cell)}, not a string")
        yield cell


def parquet_cells(path: Path, column: str | None) -> Iterator[str | None]:
    """The cells of a column of a Parquet file, some at a time.

    Raises `MissingExtraError` without polars, `DataError` when there is no such column or the file does not read.
    """
    with reading_parquet(path) as polars:
        words = (polars.String, polars.Categorical, polars.Enum)
        table = polars.scan_parquet(path, glob=False, hive_partitioning=False)
        kinds = table.collect_schema()
        strings = [name for name, kind in kinds.items() if kind in words]
        chosen = _chosen(list(kinds), strings, column, str(path))
        if kinds[chosen] not in words:
            raise DataError(f"{path}: column {chosen!a:.80} holds {kinds[chosen]}, not strings; {_listed(strings)}")
        for part in parquet_parts(table.select(polars.col(chosen).cast(polars.String))):
            yield from part.to_series()


@contextmanager
def reading_parquet(path: Path) -> Iterator[Any]:
    """Polars, whose errors are ours while it reads a file.

    Raises `MissingExtraError` without polars, `DataError` when the file does not read.
    """
    try:
        import polars
    except ImportError:
        raise MissingExtraError("polars", "tables") from None
    try:
        yield polars
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError) as error:
        raise DataError(f"{path} does not read as Parquet: {printable(str(error)):.200}") from None


def parquet_parts(cells: Any) -> Iterator[Any]:
    """The rows of a lazy frame, in frames of about PART bytes."""
    start, rows = 0, 1024
    while not (part := cells.slice(start, rows).collect()).is_empty():
        start += rows
        size = part.estimated_size() / part.height
        yield part
        rows = int(min(max(PART / (size + 1), 1024), 8 * rows))


def _chosen(names: Sequence[str], strings: Sequence[str], column: str | None, origin: str) -> str:
    """The column that was named, or else the only one of strings."""
    if column is not None:
        if column not in names:
            raise DataError(f"{origin} has no column {column!r}; {nearest(column, map(printable, names))}")
        if names.count(column) > 1:
            raise DataError(f"{origin} has {names.count(column)} columns {column!r}; rename all but one")
        return column
    if len(strings) != 1:
        raise DataError(f"{origin}: {_listed(strings)}; choose one of its {len(names)} columns with --column")
    return strings[0]


def _listed(strings: Sequence[str]) -> str:
    names = ", ".join(printable(name)[:80] for name in strings[:12]) + (", ..." if len(strings) > 12 else "")
    return f"its columns of strings are {names}" if strings else "it has no column of strings"


def csv_rows(
    lines: Iterable[str], separator: str, origin: str, *, quotes: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file, all as long as the first, each with the line it ends on; a blank line is an empty row.

    Raises `DataError` when a row does not fit, with its line.
    """
    csv.field_size_limit(LINE_LIMIT)
    reader = csv.reader(
        lines, delimiter=separator, strict=True, quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    )
    width = 0
    try:
        for row in reader:
            width = width or len(row)
            if row and len(row) != width:
                raise DataError(
                    f"{origin}, line {reader.line_num}: {len(row)} cells where the first line has {width}; "
                    'cells with separators in them stand in "quotes"'
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(
            f'{origin}, line {reader.line_num}: {error}; cells with quotes in them stand in "quotes", theirs doubled'
        ) from None


def json_objects(lines: Iterable[str], origin: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects that stand one a line, each with its line. Raises `DataError` with the line of what is none."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = from_json(line)
        except ValueError as error:
            raise DataError(f"{origin}, line {number} does not read as JSON: {error}") from None
        if not isinstance(row, dict):
            raise DataError(f"{origin}, line {number} holds {json_kind(row)}, not an object with a text in it")
        yield number, row


def json_kind(value: object) -> str:
    """What a value that was read from JSON is, in words."""
    kinds = {str: "a string", list: "a list", dict: "an object", bool: "a truth value", type(None): "null"}
    return kinds.get(type(value), "a number")


def is_number(cell: str) -> bool:
    """Whether a cell is a number, a truth value, or nothing."""
    try:
        float(cell or "0")
    except ValueError:
        return cell.lower() in ("true", "false")
    return True
