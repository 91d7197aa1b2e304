"""Numbers from files in single precision: what is missing or not finite is found, what does not fit is counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from throughtime.data.rows import Cell
from throughtime.errors import DataError

MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-nan"}  # how files write that there is no value
PLACES = 20  # of missing values that are told
DIGITS = 18  # of a whole number, which 64 bits hold
Values = NDArray[np.float32]
Gaps = Literal["refuse", "keep"]


@dataclass(frozen=True)
class Checks:
    """What was met while values were made single precision.

    missing      values that are not there, and the first places of them
    non_finite   values that are infinite, and the first places of them
    rounded      whole numbers that single precision does not hold
    merged       values that differ from the one before them, and not in single precision
    """

    missing: int = 0
    missing_places: tuple[str, ...] = ()
    non_finite: int = 0
    non_finite_places: tuple[str, ...] = ()
    rounded: int = 0
    merged: int = 0


def checked(values: NDArray[np.float64], where: Callable[[int, int], str], missing: Gaps) -> tuple[Values, Checks]:
    """Values N D, which follow on one another down the rows, in single precision; `where` tells the place of one.

    Raises `DataError` when one is too large for it, and (missing="refuse") when one is missing or infinite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32)
        rounded = int(((single != values) & (values == np.trunc(values)) & np.isfinite(values)).sum())
        merged = int(((values[1:] != values[:-1]) & (single[1:] == single[:-1])).sum())
    absent, infinite = np.isnan(values), np.isinf(values)
    for wrong, what in ((absent, "missing"), (infinite, "infinite")):
        if missing == "refuse" and (count := int(wrong.sum())):
            more = f", and so are {count - 1:,} more" if count > 1 else ""
            raise DataError(
                f"{_places(wrong, where)[0]}: the value is {what}{more}; fill in what is, or leave it out with "
                "--missing skip"
            )
    if (large := np.isinf(single) & ~infinite).any():
        row, column = (int(i) for i in np.argwhere(large)[0])
        raise DataError(f"{where(row, column)}: {values[row, column]:g} is beyond single precision (3.4e38); scale it")
    counts = int(absent.sum()), _places(absent, where), int(infinite.sum()), _places(infinite, where)
    return single, Checks(*counts, rounded, merged)


def _places(wrong: NDArray[np.bool_], where: Callable[[int, int], str]) -> tuple[str, ...]:
    """The first places of what is wrong."""
    flat = np.flatnonzero(wrong)[:PLACES]
    return tuple(where(int(i) // wrong.shape[1], int(i) % wrong.shape[1]) for i in flat)


def whole(text: str) -> int | None:
    """The whole number that a text is; None where it is none, or has more than 18 digits.

    >>> whole("042"), whole("-1"), whole("9" * 5000)
    (42, None, None)
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None


def numbers(cells: Sequence[Cell], where: str, names: Sequence[str | int]) -> list[float]:
    """The numbers in cells, nan where one is missing; `where` and a name tell the place of a cell.

    >>> numbers(["1.5", None, " NA ", "1e3"], "x.csv, line 2, column ", "abcd")
    [1.5, nan, nan, 1000.0]

    Raises `DataError` for what is no number.
    """
    try:
        if not any(isinstance(cell, str) and "_" in cell for cell in cells):  # which float() would take
            return [float(cell) for cell in cells]
    except (TypeError, ValueError, OverflowError):
        pass
    values = []
    for i, cell in enumerate(cells):
        word = "" if cell is None else str(cell).strip()
        try:
            values.append(float("nan") if word.lower() in MISSING else float(word.replace("_", "no")))
        except ValueError:
            raise DataError(
                f"{where}{names[i]!r}: {word!a:.40} is no number; correct it, or leave the column out"
            ) from None
    return values
