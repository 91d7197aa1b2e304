"""Bootstrap intervals: between which 95 % of a score lies when the things judged are drawn again.

Source: Efron (1979); the percentile interval.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import MissingExtraError

Interval = tuple[float, float]

RESAMPLES = 1000
BLOCK = 2_000_000  # resampled numbers held at once


def accuracy_interval(right: int, asked: int, chance: np.random.Generator) -> Interval | None:
    """The interval of `right / asked`; None when nothing was asked.

    The right ones among n answers drawn with replacement are binomial, so none need be drawn one by one.

    >>> accuracy_interval(32, 64, np.random.default_rng(0))
    (0.375, 0.625)
    """
    if asked == 0:
        return None
    return percentiles(chance.binomial(asked, right / asked, RESAMPLES) / asked)


def correlation_intervals(
    one: NDArray[np.float64], other: NDArray[np.float64], chance: np.random.Generator
) -> tuple[Interval | None, Interval | None]:
    """The intervals of Spearman's and Pearson's correlation of two rows of numbers; None where none varies."""
    if len(one) < 2:
        return None, None
    found = [correlations(one[places], other[places]) for places in drawn(len(one), chance)]
    spearman, pearson = (np.concatenate(kind) for kind in zip(*found, strict=True))
    return percentiles(spearman), percentiles(pearson)


def correlations(one: NDArray[Any], other: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(R) Spearman's and Pearson's correlation of each row (R N) of one with that of the other.

    NaN where a row does not vary. Raises `MissingExtraError` without scipy.
    """
    try:
        from scipy.stats import rankdata
    except ImportError:
        raise MissingExtraError("scipy", "vectors") from None
    if one.shape[1] < 2:
        return np.full(len(one), np.nan), np.full(len(one), np.nan)
    return _pearson(rankdata(one, axis=1), rankdata(other, axis=1)), _pearson(one, other)


def percentiles(values: NDArray[np.float64]) -> Interval | None:
    """Between which the middle 95 % of the values lie; of those that are numbers."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def number(value: float) -> float | None:
    """The value, or None where there is none, as JSON has it.

    >>> number(0.5), number(np.nan)
    (0.5, None)
    """
    return float(value) if np.isfinite(value) else None


def drawn(size: int, chance: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Places drawn with replacement (R size), in blocks of bounded memory."""
    for count in blocks(size):
        yield chance.integers(0, size, (count, size))


def blocks(size: int) -> Iterator[int]:
    """How many resamples of so many numbers are held at a time; together, all of them."""
    step = max(1, BLOCK // size)
    for start in range(0, RESAMPLES, step):
        yield min(step, RESAMPLES - start)


def _pearson(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    varies = (np.ptp(one, axis=1) > 0) & (np.ptp(other, axis=1) > 0)
    one, other = one - one.mean(axis=1, keepdims=True), other - other.mean(axis=1, keepdims=True)
    spread = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
    varies &= spread > 0
    return np.where(varies, (one * other).sum(axis=1) / np.where(varies, spread, 1), np.nan)
