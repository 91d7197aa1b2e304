"""Series to forecast: what is forecast, what is seen of the past besides, and what is known of the future."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.data.calendar import calendar_features
from throughtime.data.clock import Times
from throughtime.data.precision import Values
from throughtime.data.series import Series, SeriesLayout, SeriesSet, read_series
from throughtime.data.series_files import read_npy, read_ts
from throughtime.errors import ArgumentError, DataError, nearest, printable

Filling = Literal["refuse", "fill"]


class Stretch(NamedTuple):
    """Rows of a series, from the first to before the last."""

    first: int
    last: int


@dataclass(frozen=True)
class Roles:
    """Which columns are what, each by its name or its number.

    targets    what is forecast; none: all that are nothing else
    inputs     what is seen of the past besides
    future     what is known ahead, such as holidays or prices
    calendar   whether the times tell more: hour, day of the week, month
    """

    time: str | None = None
    id: str | None = None
    targets: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    calendar: bool = False

    def __post_init__(self) -> None:
        named = [*self.targets, *self.inputs, *self.future]
        if len(set(named)) < len(named):
            twice = next(name for name in named if named.count(name) > 1)
            raise ArgumentError(f"column {twice!r} is named twice; a column is a target, an input, or known ahead")


@dataclass(frozen=True)
class Track:
    """A series in the units of its file.

    values    T D     the targets, then the inputs
    known     T+A F   what is known ahead, A rows of which come after the values
    calendar  T+A C   what the calendar says, if it is asked
    times     T+A     None where the file has none
    """

    name: str
    values: Values
    known: Values
    calendar: Values
    times: Times | None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Tracks:
    """The series of a file, and what was met while reading them."""

    tracks: list[Track]
    targets: tuple[str, ...]
    inputs: tuple[str, ...]
    future: tuple[str, ...]
    chosen: str  # how the file was read, for people
    filled: int  # values that were missing

    @property
    def rows(self) -> int:
        """How many there are in all series."""
        return sum(map(len, self.tracks))


def read_tracks(path: Path, roles: Roles, missing: Filling = "refuse") -> Tracks:
    """The series in a file: `.npy` and `.ts`, or a table whose rows are points in time.

    Where columns are known ahead, rows at the end of a series that have nothing else are the future: they are no
    values. missing="fill" gives a value that is missing the one before it; at a beginning there is none.

    Raises `DataError` as the readers do, for a column that is not there, for a value that is infinite, or missing
    (missing="refuse", or at a beginning) with its place, and for a calendar without dates.
    """
    read, places = _read(path, roles)
    names = [read.channels[place] for place in places.every()]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path} has two columns {printable(twice)[:80]!r}; rename one of them")
    if roles.calendar and any(series.times is None for series in read.series):
        raise DataError(f"{path} has no times for a calendar; give --time-column, or leave --calendar out")
    tracks, filled = [], 0
    if len({None if series.times is None else series.times.dtype.kind for series in read.series}) > 1:
        raise DataError(f"{path}: the times of some series are dates, of others numbers; give all alike")
    for series in read.series:
        track = _track(series, places, roles.calendar, path)
        _refuse(track, path, names, read, missing)
        whole, lacking = _filled(track, f"{path}, series {printable(series.name)[:40]!r}", names)
        tracks.append(whole)
        filled += lacking
    targets, inputs, future = (tuple(read.channels[place] for place in part) for part in places.parts)
    return Tracks(tracks, targets, inputs, future, read.chosen, filled)


class _Places:
    """Numbers of channels: targets, inputs, known ahead."""

    def __init__(self, *parts: Sequence[int]) -> None:
        self.parts = tuple(tuple(part) for part in parts)

    def every(self) -> list[int]:
        return [place for part in self.parts for place in part]


def _read(path: Path, roles: Roles) -> tuple[SeriesSet, _Places]:
    if path.suffix in (".npy", ".ts"):
        if roles.time is not None or roles.id is not None:
            raise ArgumentError(f"{path} has no columns of times or ids: --time-column and --id-column are for tables")
        read = read_npy(path, missing="keep") if path.suffix == ".npy" else read_ts(path, missing="keep")
        return read, _found(path, read.channels, roles)
    if not roles.targets:
        read = read_series(path, SeriesLayout(roles.time, roles.id, missing="keep"))
        return read, _found(path, read.channels, roles)
    named = (*roles.targets, *roles.inputs, *roles.future)
    read = read_series(path, SeriesLayout(roles.time, roles.id, values=named, missing="keep"))
    first, second = len(roles.targets), len(roles.targets) + len(roles.inputs)
    return read, _Places(range(first), range(first, second), range(second, len(named)))


def _found(path: Path, channels: Sequence[str], roles: Roles) -> _Places:
    inputs, future = ([_place(path, channels, name) for name in some] for some in (roles.inputs, roles.future))
    targets = [_place(path, channels, name) for name in roles.targets]
    targets = targets or [i for i in range(len(channels)) if i not in (*inputs, *future)]
    if not targets:
        raise DataError(f"{path}: no column is left to forecast; it has {', '.join(map(printable, channels)):.300}")
    return _Places(targets, inputs, future)


def _place(path: Path, channels: Sequence[str], name: str) -> int:
    if name in channels:
        return list(channels).index(name)
    if f"channel {name}" in channels:
        return list(channels).index(f"channel {name}")
    raise DataError(f"{path} has no column {name!a:.80} of values; {nearest(name, map(printable, channels))}")


def _track(series: Series, places: _Places, calendar: bool, path: Path) -> Track:
    seen, future = [*places.parts[0], *places.parts[1]], list(places.parts[2])
    values, known = series.values, series.values[:, future]
    if seen != list(range(values.shape[1])):  # else they are what was read, without a copy
        values = values[:, seen]
    ahead = 0
    if future:  # rows in which nothing else is known are those to come
        there = np.flatnonzero(~np.isnan(values).all(1))
        ahead = len(values) - (int(there[-1]) + 1 if len(there) else 0)
    told = np.zeros((len(known), 0), np.float32)
    if calendar and series.times is not None:
        if series.times.dtype.kind != "M":
            raise DataError(f"{path}: its times are numbers, of which no calendar is known; leave --calendar out")
        told = calendar_features(series.times)
    return Track(series.name, values[: len(values) - ahead], known, told, series.times)


def _refuse(track: Track, path: Path, names: Sequence[str], read: SeriesSet, missing: Filling) -> None:
    """Refuses values that are infinite, or missing where none may be."""
    for wrong, what, way in (
        (np.isinf, "infinite", "correct it"),
        (np.isnan, "missing", "put it in, or give --missing fill for the value before it"),
    ):
        if what == "missing" and missing == "fill":
            continue
        offset = track.values.shape[1]
        for block, shift in ((track.values, 0), (track.known, offset)):
            places = np.argwhere(wrong(block))
            if not len(places):
                continue
            row, column = (int(i) for i in places[0])
            told = read.checks.missing_places if what == "missing" else read.checks.non_finite_places
            where = _where(track, path, row, names[column + shift])
            place = where if track.known.size or not told else told[0]
            more = f", as are {len(places) - 1:,} more of its series" if len(places) > 1 else ""
            raise DataError(f"{place}: the value is {what}{more}; {way}")


def _where(track: Track, path: Path, row: int, name: str) -> str:
    time = f", {track.times[row]}" if track.times is not None else ""
    series = f", series {printable(track.name)[:40]!r}" if track.name else ""
    return f"{path}{series}, row {row + 1}{time}, column {printable(name)[:40]!r}"


def _filled(track: Track, where: str, names: Sequence[str]) -> tuple[Track, int]:
    """The series with every value that is missing filled in, and how many these were."""
    lacking = int(np.isnan(track.values).sum() + np.isnan(track.known).sum())
    if not lacking:
        return track, 0
    width = track.values.shape[1]
    blocks = (_forward(track.values, where, names[:width]), _forward(track.known, where, names[width:]))
    return replace(track, values=blocks[0], known=blocks[1]), lacking


def _forward(values: Values, where: str, names: Sequence[str]) -> Values:
    there = ~np.isnan(values)
    late = np.flatnonzero(~there[:1].all(0))
    if len(late):  # what comes later would be put before it, and with it what a split keeps apart
        column, starts = int(late[0]), np.flatnonzero(there[:, late[0]])
        told = f"{where}: column {printable(names[column])[:40]!r}"
        if not len(starts):
            raise DataError(f"{told} has no value at all; leave it out")
        raise DataError(f"{told} starts at row {starts[0] + 1}; cut the rows before it, or leave the column out")
    rows = np.where(there, np.arange(len(values))[:, None], 0)
    last: NDArray[Any] = np.maximum.accumulate(rows, 0)
    return np.take_along_axis(values, last, 0)
