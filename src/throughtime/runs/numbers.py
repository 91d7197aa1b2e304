"""Numbers in a line of text, for models that are given numbers as they come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.data.precision import MISSING
from throughtime.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = float(np.finfo(np.float32).max)


def numbers_in(line: str) -> NDArray[np.float64]:
    """The numbers in a line: with commas or white space between, with brackets around all of them or none, or JSON.

    >>> numbers_in("0.5, -1").tolist(), numbers_in("[0.5 -1]").tolist(), numbers_in("[[1, 2], [3, 4]]").tolist()
    ([0.5, -1.0], [0.5, -1.0], [[1.0, 2.0], [3.0, 4.0]])

    Raises `DataError` for anything else, and for a number that is missing or not finite in single precision.
    """
    shown = f"{line.strip()!a:.60}"
    try:
        found = np.array(_cells(line.strip()), np.float64)
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise DataError(f"{shown} does not read as numbers; give such as 0.5, -1, or JSON [0.5, -1]") from None
    if not (np.abs(found) <= LARGEST).all():  # nan is not, either
        raise DataError(
            f"{shown} has what is not finite in single precision (3.4e38); fill it in, or leave the line out"
        )
    return found


def _cells(line: str) -> list[Any]:
    """What stands in a line. Raises `ValueError` where it has no form."""
    if "_" in line:  # which float() would take
        raise ValueError(line)
    inner = line[1:-1] if line.startswith("[") and line.endswith("]") else line
    if "[" in inner:
        values: list[Any] = json.loads(line)
        return values
    words = [word.strip() for word in inner.split(",")] if "," in inner else inner.split()
    return [float("nan") if word.lower() in MISSING else float(word) for word in words]


def check_answer(values: Any, wants: str) -> None:
    """Raises `DataError` when what a model says has a number that is not finite: it was given what is too far off."""
    if not np.isfinite(values).all():
        raise DataError(
            f"the answer is no number, for this is too far from what was learned; give {wants}, such as were learned"
        )
