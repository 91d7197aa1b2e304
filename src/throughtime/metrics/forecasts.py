"""Judging forecasts: how far numbers in time were from what came.

Time is the last axis. Targets and forecasts are (... H): H steps ahead, of as many series and starts as there are. A
mean is over all of them; `by_horizon` has one for each step.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from throughtime.errors import ArgumentError
from throughtime.metrics.bootstrap import number
from throughtime.metrics.given import numbers_of, same_shape
from throughtime.metrics.scores import ratio


def mean_absolute_error(targets: ArrayLike, forecasts: ArrayLike) -> float | None:
    """The mean distance, in the units of the series; None of nothing.

    >>> mean_absolute_error([1.0, 2.0], [2.0, 4.0])
    1.5
    """
    return _mean(abs(np.subtract(*_both(targets, forecasts))))


def root_mean_squared_error(targets: ArrayLike, forecasts: ArrayLike) -> float | None:
    """The root of the mean squared distance, in the units of the series; None of nothing.

    >>> root_mean_squared_error([0.0, 0.0], [6.0, 8.0])
    7.0710678118654755
    """
    squares = _mean(np.subtract(*_both(targets, forecasts)) ** 2)
    return None if squares is None else squares**0.5


def symmetric_mean_absolute_percentage_error(targets: ArrayLike, forecasts: ArrayLike) -> float | None:
    """sMAPE in percent, from 0 to 200; None of nothing.

    Formula: 200 · mean(|y − ŷ| / (|y| + |ŷ|)), where both are 0 the term is 0.
    Source: the definition of the M4 competition, Makridakis et al. (2020).

    >>> symmetric_mean_absolute_percentage_error([1.0, 0.0], [3.0, 0.0])
    50.0
    """
    true, said = _both(targets, forecasts)
    return _mean(200 * np.nan_to_num(ratio(abs(true - said), abs(true) + abs(said))))


def mean_absolute_scaled_error(
    targets: ArrayLike, forecasts: ArrayLike, history: ArrayLike, *, season: int = 1
) -> float | None:
    """The mean distance, as a multiple of what the seasonal naive forecast errs by on the history (... T).

    Each series is scaled by its own history; None of nothing, and where a history repeats itself every season.

    Source: Hyndman and Koehler (2006), "Another look at measures of forecast accuracy".
    Raises `ArgumentError` for a history no longer than a season, or of other series than the targets.

    >>> mean_absolute_scaled_error([5.0], [7.0], [1.0, 2.0, 3.0, 4.0])
    2.0
    """
    true, said = _both(targets, forecasts)
    scale = seasonal_scale(history, season)
    if scale.shape != true.shape[:-1]:
        raise ArgumentError(f"history is of series {scale.shape} and targets of {true.shape[:-1]}; they must be alike")
    if (scale == 0).any():
        return None
    return _mean(abs(true - said) / scale[..., None])


def seasonal_scale(history: ArrayLike, season: int = 1) -> NDArray[np.float64]:
    """(...) how far values of a history (... T) are from those a season before, on average."""
    past = numbers_of(history, "history")
    if season < 1:
        raise ArgumentError(f"season must be at least 1 step; got {season}")
    if past.ndim == 0 or past.shape[-1] <= season:
        steps = past.shape[-1] if past.ndim else 0
        raise ArgumentError(f"history has {steps} steps; a season of {season} needs {season + 1} at least")
    scale: NDArray[np.float64] = abs(past[..., season:] - past[..., :-season]).mean(axis=-1)
    return scale


def quantile_loss(targets: ArrayLike, forecasts: ArrayLike, level: float) -> float | None:
    """The mean pinball loss of forecasts of a quantile; at the level 0.5 half the mean distance. None of nothing.

    Formula: mean(max(q (y − ŷ), (q − 1) (y − ŷ))).
    Source: Koenker and Bassett (1978), "Regression quantiles".

    >>> quantile_loss([1.0, 1.0], [0.0, 2.0], 0.9)
    0.5
    """
    return _mean(pinball(*_both(targets, forecasts), _levels([level])[0]))


def weighted_quantile_loss(targets: ArrayLike, forecasts: ArrayLike, levels: Sequence[float]) -> float | None:
    """Twice the pinball losses' sum over the sum of |y|, averaged over the levels Q; None where all targets are 0.

    Shapes: targets ... H, forecasts ... H Q.
    Source: Salinas et al. (2020), "DeepAR", the ρ-risk, without summing over spans.

    >>> weighted_quantile_loss([[2.0, 2.0]], [[[1.0, 2.0], [1.0, 2.0]]], [0.5, 0.9])
    0.25
    """
    true, said = numbers_of(targets, "targets"), numbers_of(forecasts, "forecasts")
    shares = _levels(levels)
    if said.shape != (*true.shape, len(shares)):
        raise ArgumentError(
            f"forecasts have the shape {said.shape}; targets and levels need {(*true.shape, len(shares))}"
        )
    return number(float(ratio(2 * pinball(true[..., None], said, shares).sum() / len(shares), abs(true).sum())))


def coverage(targets: ArrayLike, low: ArrayLike, high: ArrayLike) -> float | None:
    """The share of targets that lie between two forecasts, ends included; None of nothing.

    >>> coverage([1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0], [3.0, 3.0, 3.0, 3.0])
    0.75
    """
    true, under = _both(targets, low)
    over = numbers_of(high, "high")
    same_shape(true, over, ("targets", "high"))
    if (under > over).any():
        place = np.argwhere(under > over)[0].tolist()
        raise ArgumentError(f"low is above high at {place}: {under[tuple(place)]:g} > {over[tuple(place)]:g}")
    return _mean((under <= true) & (true <= over))


class Step(NamedTuple):
    """How far forecasts of one step ahead were from what came."""

    ahead: int  # from 1
    mean_absolute_error: float
    root_mean_squared_error: float
    bias: float  # the mean of forecast less target


def by_horizon(targets: ArrayLike, forecasts: ArrayLike) -> list[Step]:
    """The errors of each step ahead, over all series and starts (... H); of nothing, no steps.

    >>> [step.mean_absolute_error for step in by_horizon([[1.0, 2.0], [3.0, 4.0]], [[1.0, 3.0], [3.0, 7.0]])]
    [0.0, 2.0]
    """
    true, said = _both(targets, forecasts)
    if true.ndim == 0 or true.size == 0:
        return []
    errors = (said - true).reshape(-1, true.shape[-1])
    absolute, squared, bias = abs(errors).mean(axis=0), np.sqrt((errors**2).mean(axis=0)), errors.mean(axis=0)
    columns = zip(absolute.tolist(), squared.tolist(), bias.tolist(), strict=True)
    return [Step(ahead, *row) for ahead, row in enumerate(columns, 1)]


def _both(targets: ArrayLike, forecasts: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    true, said = numbers_of(targets, "targets"), numbers_of(forecasts, "forecasts")
    same_shape(true, said, ("targets", "forecasts"))
    return true, said


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if values.size else None


def _levels(levels: Sequence[float]) -> NDArray[np.float64]:
    shares = np.asarray(levels, dtype=np.float64)
    wrong = ~((shares > 0) & (shares < 1))
    if shares.size == 0 or wrong.any():
        raise ArgumentError(f"levels of quantiles lie between 0 and 1, as 0.1 0.5 0.9; got {list(levels)}")
    return shares


def pinball(
    true: NDArray[np.float64], said: NDArray[np.float64], level: NDArray[np.float64] | np.float64
) -> NDArray[np.float64]:
    """max(q (y − ŷ), (q − 1) (y − ŷ)) of each."""
    over = true - said
    return np.maximum(level * over, (level - 1) * over)
