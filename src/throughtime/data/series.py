"""Numeric series: several variables over time, one series or many, each with a name, times and labels if it has some.

Values are checked before anything learns from them: what is missing or not finite is found with its place, and what
single precision does not hold is counted.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from throughtime.data.clock import Pace, Times, first_out_of_order, is_date, pace_of, parse_times
from throughtime.data.precision import Checks, Gaps, Values, checked, numbers
from throughtime.data.records import labels_of
from throughtime.data.rows import Cell, Table, Writing, open_table
from throughtime.errors import ArgumentError, DataError, printable


@dataclass(frozen=True)
class Series:
    """Values over time.

    values    T D      single precision; nan where one is missing and that was allowed
    times     T        datetime64[us] or float64, going up; None where the file has none
    group              of what is not to be torn apart, in a table where one column tells
    """

    name: str
    values: Values
    times: Times | None = None
    labels: tuple[str, ...] = ()
    group: str = ""

    @property
    def pace(self) -> Pace | None:
        """How regularly its times follow on one another; None without times."""
        return None if self.times is None else pace_of(self.times)


@dataclass(frozen=True)
class SeriesSet:
    """Series that have the same variables, and what was met while reading them.

    channels   D names
    chosen     how the file was read, for people
    checks     what is missing, infinite or inexact in the values
    """

    series: list[Series]
    channels: tuple[str, ...]
    chosen: str
    checks: Checks


@dataclass(frozen=True)
class SeriesLayout:
    """Which columns of a table are what, each by its name or its number from 0.

    time      of times; None has it found: the one column of dates, if there is one
    id        that tells rows of one series from those of another; None: all rows are one
    label     of the series' labels, the same in all rows of one
    group     of what belongs together when series are split, the same in all rows of one
    values    of variables; none: all other columns
    missing   what becomes of missing and infinite values: refuse, or keep (as nan, or infinite; counted)
    """

    time: str | int | None = None
    id: str | int | None = None
    label: str | int | None = None
    group: str | int | None = None
    values: tuple[str | int, ...] = ()
    missing: Gaps = "refuse"

    @property
    def given(self) -> list[str | int]:
        """The columns that are given."""
        named = (self.time, self.id, self.label, self.group, *self.values)
        return [column for column in named if column is not None]

    @property
    def numbered(self) -> bool:
        """Whether columns are given, and all by number."""
        return bool(self.given) and all(str(column).isdecimal() for column in self.given)


def read_series(path: Path, layout: SeriesLayout | None = None, writing: Writing | None = None) -> SeriesSet:
    """The series in a table whose rows are points in time and whose columns are variables.

    Raises `DataError` when a column is not there or holds anything but numbers, when times do not go up within a
    series, when its labels differ, and (missing="refuse") when values are missing or infinite, with the first place.
    """
    layout = layout or SeriesLayout()
    table = open_table(path, writing, numbered=layout.numbered)
    time = _time(table, layout)
    others = [None if column is None else table.place(column) for column in (layout.id, layout.label, layout.group)]
    roles = [place for place in (time, *others) if place is not None]
    places = [table.place(column) for column in layout.values]
    places = places or [i for i in range(len(table.names)) if i not in roles]
    if len({*places, *roles}) < len(places) + len(roles) or not places:
        raise DataError(f"{table.file}: a column is used twice, or none is left for values; it has {table.shown()}")
    rows = _read(table, places, [time, *others])
    indices = rows.indices()
    order = np.concatenate(indices)
    values, checks = checked(
        np.frombuffer(rows.values).reshape(-1, len(places))[order],
        lambda row, column: f"{rows.where(int(order[row]))}, {_column(table, places[column])}",
        layout.missing,
    )
    parts = np.split(values, np.cumsum([len(index) for index in indices])[:-1])
    series = [_one(rows, part, index) for part, index in zip(parts, indices, strict=True)]
    channels = tuple(table.names[i] for i in places)
    told = "no column is times" if time is None else f"times are column {printable(table.names[time])[:80]!r}"
    return SeriesSet(series, channels, f"{told}; {len(channels):,} of values, {len(series):,} series", checks)


@dataclass(frozen=True)
class _Rows:
    """All rows of a table."""

    origin: str
    numbers: "array[int]"
    values: "array[float]"
    times: list[Cell]
    ids: list[Cell]
    labels: list[Cell]
    groups: list[Cell]

    def where(self, row: int) -> str:
        return f"{self.origin} {self.numbers[row]}"

    def indices(self) -> list[NDArray[np.int64]]:
        """The rows of each series, in the order in which series begin."""
        if not self.ids:
            return [np.arange(len(self.numbers))]
        codes = dict[str, int]()
        code = np.array([codes.setdefault(str(cell).strip(), len(codes)) for cell in self.ids])
        order = np.argsort(code, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(code[order])) + 1)


def _read(table: Table, places: Sequence[int], roles: Sequence[int | None]) -> _Rows:
    rows = _Rows(table.origin, array("q"), array("d"), [], [], [], [])
    kinds = (rows.times, rows.ids, rows.labels, rows.groups)
    lists = [kept for kept, place in zip(kinds, roles, strict=True) if place is not None]
    width, names = len(places), [printable(table.names[place])[:40] for place in places]
    for number, cells in table.rows([*places, *(place for place in roles if place is not None)]):
        rows.numbers.append(number)
        rows.values.extend(numbers(cells[:width], f"{table.origin} {number}, column ", names))
        for kept, cell in zip(lists, cells[width:], strict=True):
            kept.append(cell)
    return rows


def _one(rows: _Rows, values: Values, index: NDArray[np.int64]) -> Series:
    """The series of some rows."""
    first = int(index[0])
    name = str(rows.ids[first]).strip() if rows.ids else ""
    if rows.ids and rows.ids[first] is None:
        raise DataError(f"{rows.where(first)}: nothing tells which series the row is of")
    times = None
    if rows.times:
        times = parse_times([rows.times[i] for i in index], lambda i: rows.where(int(index[i])))
        if (wrong := first_out_of_order(times)) is not None:
            row = int(index[wrong])
            raise DataError(
                f"{rows.where(row)}: time {str(rows.times[row])!a:.40} is not after the one before it"
                f"{f' in series {name!a:.40}' if name else ''}; sort the rows, or tell series apart by a column of ids"
            )
    labels = labels_of(rows.labels[first], None, rows.origin, rows.numbers[first]) if rows.labels else ()
    for what, cells in (("label", rows.labels), ("group", rows.groups)):
        for i in index if cells else ():
            if cells[i] != cells[first]:
                raise DataError(
                    f"{rows.where(int(i))}: series {name!a:.40} has {what} {cells[i]!a:.40} here and "
                    f"{cells[first]!a:.40} before; a series has the same in all rows"
                )
    return Series(name, values, times, labels, _group(rows, first))


def _group(rows: _Rows, row: int) -> str:
    return "" if not rows.groups or rows.groups[row] is None else str(rows.groups[row]).strip()


def _time(table: Table, layout: SeriesLayout) -> int | None:
    """The column of times: the one that is given, or the only one of dates."""
    if layout.time is not None:
        return table.place(layout.time)
    given = {table.place(column) for column in layout.given}
    dates = [
        i for i in range(len(table.names)) if i not in given and all(is_date(row.cells[i]) for row in table.sample)
    ]
    if len(dates) > 1:
        raise DataError(f"{table.file}: {len(dates)} columns are dates; give --time-column, one of {table.shown()}")
    return dates[0] if dates else None


def read_windows(
    path: Path,
    layout: SeriesLayout | None = None,
    *,
    channels: int = 1,
    by: Literal["time", "channel"] = "time",
    writing: Writing | None = None,
) -> SeriesSet:
    """The series of a table in which each row is one, all equally long: T D numbers and, if there is one, a label.

    by="time": the values of all channels at the first time come first; by="channel": all times of the first channel.
    Values are the columns that the layout gives, or all but those of its label, group and id, which names the series.

    Raises `DataError` when the columns cannot be shared by so many channels, and as `read_series` does.
    """
    layout = layout or SeriesLayout()
    if channels < 1:
        raise ArgumentError(f"channels is at least 1; got {channels}")
    if layout.time is not None:
        raise ArgumentError(f"a row has no time of its own where it is a series; got column {layout.time!a:.40}")
    table = open_table(path, writing, numbered=layout.numbered)
    places, roles = _shared(table, layout, channels)
    steps, rows = len(places) // channels, _read(table, places, [None, *roles])
    raw = np.frombuffer(rows.values)
    raw = raw.reshape(-1, steps, channels) if by == "time" else raw.reshape(-1, channels, steps).swapaxes(1, 2)

    def where(row: int, channel: int) -> str:
        index, step = divmod(row, steps)
        column = step * channels + channel if by == "time" else channel * steps + step
        return f"{rows.where(index)}, {_column(table, places[column])}"

    flat, checks = checked(raw.reshape(-1, channels), where, layout.missing)
    values = flat.reshape(raw.shape)
    series = [_row(rows, values[i], i) for i in range(len(values))]
    names = tuple(f"channel {i}" for i in range(channels))
    return SeriesSet(series, names, f"a row is a series of {steps:,} times and {channels:,} channels, by {by}", checks)


def _shared(table: Table, layout: SeriesLayout, channels: int) -> tuple[list[int], list[int | None]]:
    """The columns of values, which so many channels share, and those of an id, a label and a group."""
    roles = [None if column is None else table.place(column) for column in (layout.id, layout.label, layout.group)]
    places = [table.place(column) for column in layout.values]
    places = places or [i for i in range(len(table.names)) if i not in roles]
    if not places or len(places) % channels:
        raise DataError(f"{table.file} has {len(places)} columns of values, which {channels} channels cannot share")
    return places, roles


def _row(rows: _Rows, values: Values, row: int) -> Series:
    """The series that a row is, which goes by its id, or by its line."""
    name = str(rows.ids[row]).strip() if rows.ids else str(rows.numbers[row])
    labels = labels_of(rows.labels[row], None, rows.origin, rows.numbers[row]) if rows.labels else ()
    return Series(name, values, None, labels, _group(rows, row))


def _column(table: Table, place: int) -> str:
    return f"column {printable(table.names[place])[:40]!r}"
