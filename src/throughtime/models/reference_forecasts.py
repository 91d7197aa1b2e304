"""Forecasts that a model is measured against, on the same windows: the last values, the last season, linear maps."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from throughtime.data.tracks import Stretch
from throughtime.data.windows import Windows
from throughtime.metrics.baselines import LinearForecast, fit_linear, naive, seasonal_naive
from throughtime.metrics.forecasts import seasonal_scale

Numbers = NDArray[np.float64]
Reference = Callable[[Numbers], Numbers]  # histories B L K to forecasts B H K
MOST = 2**24  # numbers of windows that a linear map is fitted to


def simple_references(windows: Windows, season: int) -> dict[str, Reference]:
    """What takes no fitting: the last value again and again and, if there is a season, the last season."""
    horizon = windows.horizon
    found = {"naive": _along_time(lambda past: naive(past, horizon))}
    if 1 < season <= windows.context:
        found["seasonal naive"] = _along_time(lambda past: seasonal_naive(past, horizon, season))
    return found


def linear_references(windows: Windows) -> dict[str, Reference]:
    """Linear maps from context to horizon, one for each target, fitted to windows that are learnt from.

    Formula: least squares (with a ridge of 1, on standardised values); "normalised", of windows less their last value.
    Source: Toner and Darlow (2024), who show that DLinear, NLinear and their like are such maps in the end.

    Where there are more than 16 million numbers in all windows, it is windows in even distances.
    """
    step = -(-len(windows) * (windows.context + windows.horizon) // MOST)
    every = range(0, len(windows), step)
    plain, normalised = list[LinearForecast](), list[LinearForecast]()
    for channel in range(windows.targets):
        cut = np.stack([windows.raw(index)[:, channel] for index in every]).astype(np.float64)
        cut = (cut - windows.scale.mean[channel]) / windows.scale.deviation[channel]
        plain.append(fit_linear(cut, lags=windows.context, horizon=windows.horizon))
        cut -= cut[:, windows.context - 1 : windows.context]
        normalised.append(fit_linear(cut, lags=windows.context, horizon=windows.horizon))

    def relative(past: Numbers) -> Numbers:
        last = past[..., -1:]
        return _each(normalised, past - last) + last

    return {
        "linear": _along_time(lambda past: _each(plain, past)),
        "linear, normalised": _along_time(relative),
    }


def _each(maps: list[LinearForecast], past: Numbers) -> Numbers:
    """B K L to B K H, each channel by its own map."""
    return np.stack([found.forecast(past[:, channel]) for channel, found in enumerate(maps)], 1)


def _along_time(forecast: Reference) -> Reference:
    return lambda history: forecast(history.swapaxes(1, 2)).swapaxes(1, 2)


def seasonal_scales(windows: Windows, stretches: list[Stretch], season: int) -> Numbers:
    """(series K) how far standardised targets are from those a season before, on average over the rows learnt from.

    A series with too few rows of these has the mean of the others.
    """
    found = np.full((len(windows.tracks), windows.targets), np.nan)
    for row, (track, (first, last)) in enumerate(zip(windows.tracks, stretches, strict=True)):
        if last - first > season:
            scale = seasonal_scale(track.values[first:last, : windows.targets].T, season)
            found[row] = scale / windows.scale.deviation[: windows.targets]
    there = ~np.isnan(found)
    counts = there.sum(0)
    usual = np.where(there, found, 0.0).sum(0) / np.maximum(counts, 1)
    return np.where(there, found, usual)
