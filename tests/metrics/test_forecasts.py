"""Forecasts: scores by hand and by scikit-learn, baselines by hand, ridge by scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_pinball_loss

from throughtime.errors import ArgumentError
from throughtime.metrics import (
    baselines,
    by_horizon,
    coverage,
    drift,
    fit_linear,
    mean_absolute_error,
    mean_absolute_scaled_error,
    naive,
    quantile_loss,
    root_mean_squared_error,
    seasonal_naive,
    symmetric_mean_absolute_percentage_error,
    weighted_quantile_loss,
)

TARGETS, FORECASTS = np.random.default_rng(0).normal(size=(2, 3, 5, 4))  # three series, five starts, four steps
HISTORY = np.random.default_rng(1).normal(size=(3, 5, 24))


def test_errors_are_those_by_hand():
    gaps = [y - z for y, z in zip(TARGETS.flat, FORECASTS.flat, strict=True)]
    assert mean_absolute_error(TARGETS, FORECASTS) == pytest.approx(sum(map(abs, gaps)) / 60)
    assert root_mean_squared_error(TARGETS, FORECASTS) == pytest.approx((sum(gap**2 for gap in gaps) / 60) ** 0.5)
    shares = [abs(y - z) / (abs(y) + abs(z)) for y, z in zip(TARGETS.flat, FORECASTS.flat, strict=True)]
    assert symmetric_mean_absolute_percentage_error(TARGETS, FORECASTS) == pytest.approx(200 * sum(shares) / 60)
    assert symmetric_mean_absolute_percentage_error([0, 1, -1], [0, 0, 1]) == pytest.approx(400 / 3)


@pytest.mark.parametrize("season", [1, 6])
def test_scaled_errors_know_their_series(season):
    scaled = mean_absolute_scaled_error(TARGETS, FORECASTS, HISTORY, season=season)
    by_hand = []
    for series in np.ndindex(3, 5):
        past = HISTORY[series]
        scale = np.mean([abs(past[t] - past[t - season]) for t in range(season, 24)])
        by_hand.append(np.mean(abs(TARGETS[series] - FORECASTS[series])) / scale)
    assert scaled == pytest.approx(np.mean(by_hand))
    units = np.array([1.0, 60.0, 1e6])[:, None, None]
    assert mean_absolute_scaled_error(TARGETS * units, FORECASTS * units, HISTORY * units, season=season) == (
        pytest.approx(scaled)
    )
    inside = HISTORY[0, 0]
    assert mean_absolute_scaled_error(inside[season:], inside[:-season], inside, season=season) == pytest.approx(1)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_quantile_loss_is_that_of_sklearn(level):
    found = quantile_loss(TARGETS, FORECASTS, level)
    assert found == pytest.approx(mean_pinball_loss(TARGETS.ravel(), FORECASTS.ravel(), alpha=level))
    sample = np.random.default_rng(2).normal(size=2001)
    best = np.quantile(sample, level)
    for other in (best - 0.05, best + 0.05):
        assert quantile_loss(sample, np.full(2001, best), level) < quantile_loss(sample, np.full(2001, other), level)


def test_weighted_quantile_loss_is_a_share_of_the_series():
    levels = [0.1, 0.5, 0.9]
    quantiles = np.stack([FORECASTS - 1, FORECASTS, FORECASTS + 1], -1)
    losses = [quantile_loss(TARGETS, quantiles[..., i], level) for i, level in enumerate(levels)]
    found = weighted_quantile_loss(TARGETS, quantiles, levels)
    assert found == pytest.approx(2 * np.mean(losses) / np.mean(abs(TARGETS)))
    assert weighted_quantile_loss(TARGETS * 60, quantiles * 60, levels) == pytest.approx(found)
    assert weighted_quantile_loss(TARGETS, FORECASTS[..., None], [0.5]) == pytest.approx(
        mean_absolute_error(TARGETS, FORECASTS) / np.mean(abs(TARGETS))
    )


def test_coverage_counts_the_ends():
    assert coverage([0, 1, 2, 3], [1] * 4, [2] * 4) == 0.5
    assert coverage(TARGETS, TARGETS, TARGETS) == 1
    assert coverage(TARGETS, TARGETS + 1, TARGETS + 2) == 0


def test_each_step_ahead_has_its_errors():
    rows = by_horizon(TARGETS, FORECASTS)
    assert [row.ahead for row in rows] == [1, 2, 3, 4]
    for row in rows:
        at = (..., row.ahead - 1)
        assert row.mean_absolute_error == pytest.approx(mean_absolute_error(TARGETS[at], FORECASTS[at]))
        assert row.root_mean_squared_error == pytest.approx(root_mean_squared_error(TARGETS[at], FORECASTS[at]))
        assert row.bias == pytest.approx((FORECASTS[at] - TARGETS[at]).mean())
    mean = np.mean([row.mean_absolute_error for row in rows])
    assert mean == pytest.approx(mean_absolute_error(TARGETS, FORECASTS))
    assert by_horizon(TARGETS[::-1], FORECASTS[::-1])[0].bias == pytest.approx(rows[0].bias)


def test_what_is_right_has_no_error_and_what_is_nothing_has_none():
    scores = (mean_absolute_error, root_mean_squared_error, symmetric_mean_absolute_percentage_error)
    assert [score(TARGETS, TARGETS) for score in scores] == [0, 0, 0]
    assert mean_absolute_scaled_error(TARGETS, TARGETS, HISTORY) == quantile_loss(TARGETS, TARGETS, 0.3) == 0
    assert [score([], []) for score in scores] == [None, None, None]
    assert mean_absolute_scaled_error([1.0], [2.0], [3.0, 3.0, 3.0]) is None  # a history that never changes
    assert weighted_quantile_loss([0.0], [[1.0]], [0.5]) is None
    assert (quantile_loss([], [], 0.5), coverage([], [], []), by_horizon([], [])) == (None, None, [])


def test_baselines_are_those_by_hand():
    past = np.array([[1.0, 2.0, 4.0, 8.0, 16.0], [0.0, 0.0, 0.0, 0.0, -4.0]])
    assert naive(past, 3).tolist() == [[16, 16, 16], [-4, -4, -4]]
    assert seasonal_naive(past, 7, 3).tolist() == [[4, 8, 16, 4, 8, 16, 4], [0, 0, -4, 0, 0, -4, 0]]
    assert drift(past, 2).tolist() == [[19.75, 23.5], [-5, -6]]
    assert naive(HISTORY, 4).shape == seasonal_naive(HISTORY, 4, 6).shape == drift(HISTORY, 4).shape == (3, 5, 4)
    season = np.tile([1.0, 5.0, 2.0], 4)
    assert mean_absolute_error(season[:6], seasonal_naive(season, 6, 3)) == 0


@pytest.mark.parametrize("block", [1, 10, 10**6])
def test_linear_forecasts_are_those_of_ridge(monkeypatch, block):
    monkeypatch.setattr(baselines, "BLOCK", block)
    series = np.random.default_rng(3).normal(size=(2, 30)).cumsum(axis=1) + 1e3
    line = fit_linear(series, lags=5, horizon=3, penalty=0.7)
    windows = np.concatenate([[row[t : t + 8] for t in range(23)] for row in series])
    peer = Ridge(alpha=0.7).fit(windows[:, :5], windows[:, 5:])
    assert line.windows == len(windows)
    assert line.weights == pytest.approx(peer.coef_.T, abs=1e-8)
    assert line.forecast(series) == pytest.approx(peer.predict(series[:, -5:]), rel=1e-9)


def test_linear_forecasts_find_what_is_linear():
    times = np.arange(200)
    waves = np.stack([np.sin(0.3 * times), 5 + np.cos(0.3 * times)])
    line = fit_linear(waves[:, :150], lags=6, horizon=10, penalty=1e-9)
    assert line.forecast(waves[:, :190]) == pytest.approx(waves[:, 190:], abs=1e-3)
    flat = fit_linear(np.full(20, 7.0), lags=3, horizon=2)
    assert flat.forecast(np.full(3, 7.0)).tolist() == [7, 7]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mean_absolute_error([1, np.nan, np.inf], [1, 2, 3]), r"targets\[1\] is nan \(2 such\); numbers must"),
        (lambda: mean_absolute_error([[1]], [[np.nan]]), r"forecasts\[0, 0\] is nan"),
        (lambda: mean_absolute_error([1, 2], [1]), r"targets have the shape \(2,\) and forecasts \(1,\)"),
        (lambda: mean_absolute_error(["x"], [1]), "targets must be an array of numbers"),
        (lambda: mean_absolute_error([[1], [1, 2]], [1]), "targets must be an array of numbers"),
        (lambda: mean_absolute_scaled_error([1], [1], [1]), "history has 1 steps; a season of 1 needs 2"),
        (lambda: mean_absolute_scaled_error([1], [1], 1.0), "history has 0 steps"),
        (lambda: mean_absolute_scaled_error([1], [1], [1, 2], season=0), "season must be at least 1 step; got 0"),
        (lambda: mean_absolute_scaled_error([1], [1], [[1, 2]]), r"history is of series \(1,\) and targets of \(\)"),
        (lambda: quantile_loss([1], [1], 1.0), r"levels of quantiles lie between 0 and 1.* got \[1.0\]"),
        (lambda: weighted_quantile_loss([1], [[1]], []), "levels of quantiles"),
        (lambda: weighted_quantile_loss([1], [[1]], [0.5, np.nan]), "levels of quantiles"),
        (lambda: weighted_quantile_loss([1], [1], [0.5]), r"shape \(1,\); targets and levels need \(1, 1\)"),
        (lambda: coverage([1, 1], [0, 3], [2, 2]), r"low is above high at \[1\]: 3 > 2"),
        (lambda: coverage([1], [0], [2, 2]), r"targets have the shape \(1,\) and high \(2,\)"),
        (lambda: naive([], 1), "history has 0 steps"),
        (lambda: naive([1, np.nan], 1), r"history\[1\] is nan"),
        (lambda: naive([1], 0), "horizon must be at least 1 step; got 0"),
        (lambda: drift([1], 1), "this needs 2 at least"),
        (lambda: seasonal_naive([1, 2], 1, 3), "history has 2 steps .* this needs 3 at least"),
        (lambda: seasonal_naive([1, 2], 1, 0), "season must be at least 1"),
        (lambda: fit_linear([1, 2, 3], lags=3, horizon=1), "this needs 4 at least"),
        (lambda: fit_linear([1, 2, 3], lags=0, horizon=1), "lags must be at least 1; got 0"),
        (lambda: fit_linear([1, 2, 3], lags=1, horizon=1, penalty=0), "penalty must be a number above 0; got 0"),
        (lambda: fit_linear(np.arange(9.0), lags=4, horizon=1).forecast([1, 2]), "this needs 4 at least"),
    ],
)
def test_what_cannot_be_forecast_is_named(call, says):
    with pytest.raises(ArgumentError, match=says) as error:
        call()
    assert "\n" not in str(error.value)
