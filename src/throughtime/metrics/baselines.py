"""Forecasts that cost nothing to make: what a model has to be better than.

Time is the last axis: histories (... T) of any number of series give forecasts (... H).
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from throughtime.errors import ArgumentError
from throughtime.metrics.given import numbers_of

BLOCK = 2_000_000  # numbers of windows that are copied at once


def naive(history: ArrayLike, horizon: int) -> NDArray[np.float64]:
    """The last value, again and again.

    >>> naive([1.0, 5.0], 2).tolist()
    [5.0, 5.0]
    """
    return seasonal_naive(history, horizon, 1)


def seasonal_naive(history: ArrayLike, horizon: int, season: int) -> NDArray[np.float64]:
    """The last season, again and again.

    >>> seasonal_naive([1.0, 2.0, 3.0], 3, 2).tolist()
    [2.0, 3.0, 2.0]
    """
    if season < 1:
        raise ArgumentError(f"season must be at least 1 step; got {season}")
    past = _history(history, season, horizon)
    return past[..., past.shape[-1] - season + np.arange(horizon) % season]


def drift(history: ArrayLike, horizon: int) -> NDArray[np.float64]:
    """The line through the first and the last value, gone on with.

    >>> drift([0.0, 5.0, 2.0], 2).tolist()
    [3.0, 4.0]
    """
    past = _history(history, 2, horizon)
    slope = (past[..., -1] - past[..., 0]) / (past.shape[-1] - 1)
    forecast: NDArray[np.float64] = past[..., -1:] + slope[..., None] * np.arange(1, horizon + 1)
    return forecast


@dataclass(frozen=True)
class LinearForecast:
    """A linear map from the last values to the next ones, one for each step ahead.

    Formula: ŷ_h = Σ_l w_lh x_(T − L + l) + b_h, l from 0 to L − 1, the oldest first.
    """

    weights: NDArray[np.float64]  # (L H)
    bias: NDArray[np.float64]  # (H)
    windows: int  # that it was fitted to

    def forecast(self, history: ArrayLike) -> NDArray[np.float64]:
        """(... H) what comes after histories (... T) of at least L values."""
        lags, horizon = self.weights.shape
        result: NDArray[np.float64] = _history(history, lags, horizon)[..., -lags:] @ self.weights + self.bias
        return result


def fit_linear(series: ArrayLike, *, lags: int, horizon: int, penalty: float = 1.0) -> LinearForecast:
    """The linear map from L lags to H steps ahead that fits every window of the series (... T) best, by ridge.

    Formula: w = (X'X + λ I)⁻¹ X'Y of windows less their means; the bias, b = ȳ − w'x̄, is not penalised.
    Source: Hoerl and Kennard (1970). Sums are taken in blocks of windows, so memory is bounded.

    Raises `ArgumentError` for series shorter than L + H, and for a penalty that is not above 0.

    >>> line = fit_linear(np.arange(20.0), lags=3, horizon=2, penalty=1e-6)
    >>> line.forecast([7.0, 8.0, 9.0]).round(3).tolist()
    [10.0, 11.0]
    """
    if lags < 1:
        raise ArgumentError(f"lags must be at least 1; got {lags}")
    if not 0 < penalty < np.inf:
        raise ArgumentError(f"penalty must be a number above 0; got {penalty}")
    whole = _history(series, lags + horizon, horizon).reshape(-1, np.shape(series)[-1])
    middle = whole.mean()  # near to which products of windows lose least to rounding
    windows = sliding_window_view(whole, lags + horizon, axis=-1)
    count, width = windows.shape[0] * windows.shape[1], lags + horizon
    total, products = np.zeros(width), np.zeros((width, width))
    step = max(1, BLOCK // width)
    rows = max(1, step // windows.shape[1])  # at once, where series are short
    for first, start in product(range(0, len(windows), rows), range(0, windows.shape[1], step)):
        block = windows[first : first + rows, start : start + step].reshape(-1, width) - middle
        total += block.sum(axis=0)
        products += block.T @ block
    means = total / count
    products -= count * np.outer(means, means)
    inner = products[:lags, :lags] + penalty * np.eye(lags)
    weights = np.asarray(np.linalg.solve(inner, products[:lags, lags:]), dtype=np.float64)
    bias: NDArray[np.float64] = means[lags:] - means[:lags] @ weights + middle * (1 - weights.sum(axis=0))
    return LinearForecast(weights, bias, count)


def _history(history: ArrayLike, steps: int, horizon: int) -> NDArray[np.float64]:
    past = numbers_of(history, "history")
    if horizon < 1:
        raise ArgumentError(f"horizon must be at least 1 step; got {horizon}")
    if past.ndim == 0 or past.size == 0 or past.shape[-1] < steps:
        there = past.shape[-1] if past.ndim else 0
        raise ArgumentError(f"history has {there} steps in the shape {past.shape}; this needs {steps} at least")
    return past
