"""The bounds of a beam search, whichever command is asked for one."""

import math
from collections.abc import Sequence

from throughtime.errors import ArgumentError

WIDEST = 1000  # hypotheses of a beam


def check_search(
    beam: int | None, alpha: float | None, *, widths: Sequence[int] = (), alphas: Sequence[float] = ()
) -> None:
    """Raises `ArgumentError`, by the option that says it, for a width or an alpha out of bounds; None is none given."""
    for option, width in [("beam", beam), *(("widths", one) for one in widths)]:
        if width is not None and not 1 <= width <= WIDEST:
            raise ArgumentError(f"--{option} must be in 1..{WIDEST:,}; got {width}")
    for option, power in [("alpha", alpha), *(("alphas", one) for one in alphas)]:
        if power is not None and not (math.isfinite(power) and power >= 0):
            raise ArgumentError(f"--{option} must be at least 0 and finite; got {power}")
