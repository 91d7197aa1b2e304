"""Times of a series: read from the cells of a column, and how regularly they follow on one another."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from throughtime.data.rows import Cell
from throughtime.errors import ArgumentError, DataError

Times = NDArray[Any]  # datetime64[us], in UTC where a zone was told, or float64
ISO = re.compile(r"(\d{4})[-/](\d\d)(?:[-/](\d\d))?(.*)")
LATEST = np.datetime64("9999-12-31T23:59:59.999999", "us")  # what datetime can tell
EXACT = 1e-6  # of a step, by which a distance may be off and still be a whole number of steps


@dataclass(frozen=True)
class Pace:
    """How regularly times follow on one another.

    step           the most frequent distance
    unit           what it is counted in; numbers are of whatever the column counts
    gaps           places at which several steps pass at once
    missing_steps  times that are not there, in all gaps
    uneven         distances that are no whole number of steps
    """

    step: float
    unit: Literal["seconds", "months", "numbers"]
    gaps: int
    missing_steps: int
    uneven: int

    @property
    def is_regular(self) -> bool:
        """Whether every distance is one step."""
        return not self.gaps and not self.uneven


def is_date(cell: Cell) -> bool:
    """Whether a cell is a date, a month, or a date and a time: as ISO 8601 writes them, or with strokes.

    >>> is_date("2016-07-01 13:00:00"), is_date("2016/07"), is_date("3.5"), is_date("20160701")
    (True, True, False, False)
    """
    return isinstance(cell, date) or (isinstance(cell, str) and _parsed(cell) is not None)


def parse_times(cells: Sequence[Cell], where: Callable[[int], str]) -> Times:
    """The times in cells: numbers, or dates as ISO 8601 writes them; `where` tells the place of a cell.

    >>> parse_times(["2016-07-01"], str), parse_times(["1", "2.5"], str)
    (array(['2016-07-01T00:00:00.000000'], dtype='datetime64[us]'), array([1. , 2.5]))

    Raises `DataError` for what is neither, for numbers among dates, and for dates of which some tell their zone.
    """
    if cells and is_date(cells[0]):
        zoned = _date(cells[0], where(0)).tzinfo is not None
        dates = list[datetime]()
        for i, cell in enumerate(cells):
            moment = _date(cell, where(i))
            if (moment.tzinfo is not None) != zoned:
                raise DataError(f"{where(i)}: time {cell!a:.40} {'lacks' if zoned else 'has'} a zone, unlike the first")
            dates.append(_in_utc(moment, where(i)) if zoned else moment)
        return np.array(dates, "datetime64[us]")
    numbers = np.empty(len(cells), np.float64)
    for i, cell in enumerate(cells):
        try:
            numbers[i] = float(cell)
        except (TypeError, ValueError, OverflowError):
            numbers[i] = np.nan
        if not np.isfinite(numbers[i]):
            raise DataError(
                f"{where(i)}: time {cell!a:.40} is neither a number nor a date such as 2016-07-01 or 2016-07-01 13:00"
            )
    return numbers


def _date(cell: Cell, where: str) -> datetime:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)
    if (moment := _parsed(str(cell))) is None:
        raise DataError(f"{where}: time {cell!a:.40} is no date such as 2016-07-01 or 2016-07-01 13:00:00")
    return moment


def _in_utc(moment: datetime, where: str) -> datetime:
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise DataError(f"{where}: time {moment.isoformat()!r} is outside of the years 1 to 9999 in UTC") from None


def _parsed(cell: str) -> datetime | None:
    found = ISO.fullmatch(cell.strip())
    if found is None or (found[3] is None and found[4]):
        return None
    try:
        return datetime.fromisoformat(f"{found[1]}-{found[2]}-{found[3] or '01'}{found[4]}")
    except ValueError:
        return None


def first_out_of_order(times: Times) -> int | None:
    """The first place whose time is not after the one before it, if there is one."""
    wrong = np.flatnonzero(times[1:] <= times[:-1])
    return int(wrong[0]) + 1 if len(wrong) else None


def pace_of(times: Times) -> Pace | None:
    """How regularly times, which go up, follow on one another; None of fewer than two.

    Dates that are all at the same place in their months are counted in months.

    >>> pace_of(np.array([0.0, 1.0, 2.0, 5.0, 6.0]))
    Pace(step=1.0, unit='numbers', gaps=1, missing_steps=2, uneven=0)
    """
    if len(times) < 2:
        return None
    if times.dtype.kind != "M":
        return _pace(np.diff(times), "numbers")
    months = times.astype("datetime64[M]")
    inside = times - months
    if (inside == inside[0]).all() and (np.diff(months).astype(np.int64) > 0).all():
        return _pace(np.diff(months).astype(np.float64), "months")
    return _pace(np.diff(times) / np.timedelta64(1, "s"), "seconds")


def following(last: Any, pace: Pace, count: int) -> Times:
    """The times that come next after one, at a pace.

    Raises `ArgumentError` for dates after the year 9999.

    >>> times = np.array(["2024-01-01", "2024-02-01"], "datetime64[us]")
    >>> following(times[-1], pace_of(times), 2).astype("datetime64[D]").astype(str).tolist()
    ['2024-03-01', '2024-04-01']
    """
    steps = pace.step * np.arange(1, count + 1)
    if pace.unit == "numbers":
        return np.asarray(last + steps)
    unit = "M" if pace.unit == "months" else "us"
    begun, latest = (np.asarray(time).astype(f"datetime64[{unit}]") for time in (last, LATEST))
    steps = np.round(steps if pace.unit == "months" else steps * 1e6)
    if (steps > (latest - begun).astype(np.int64)).any():
        raise ArgumentError(f"{count} steps after {last} the year is beyond 9999; give earlier times, or none")
    inside = last - begun.astype("datetime64[us]")
    return np.asarray((begun + steps.astype(f"timedelta64[{unit}]")).astype("datetime64[us]") + inside)


def _pace(distances: NDArray[np.float64], unit: Literal["seconds", "months", "numbers"]) -> Pace:
    rounded = np.round(distances / distances.min(), 6)  # so that what differs by rounding counts as the same
    values, counts = np.unique(rounded, return_counts=True)
    step = float(np.median(distances[rounded == values[counts.argmax()]]))
    steps = distances / step
    whole = np.abs(steps - np.round(steps)) <= EXACT * np.maximum(1.0, steps)
    whole &= np.round(steps) >= 1
    several = whole & (np.round(steps) > 1)
    missing = int((np.round(steps[several]) - 1).sum())
    return Pace(step, unit, int(several.sum()), missing, int((~whole).sum()))
