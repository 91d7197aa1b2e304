"""Errors summed up batch by batch: those of all at once, as the functions for whole arrays give them."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from throughtime.errors import ArgumentError
from throughtime.metrics import by_horizon, coverage, quantile_loss
from throughtime.metrics.ahead import ErrorSums, ExplainedSums

LEVELS = (0.1, 0.5, 0.9)


def made(windows=7, steps=4, targets=3):
    chance = np.random.default_rng(0)
    truth, said = chance.normal(size=(2, windows, steps, targets))
    quantiles = said[..., None] + np.array([-1.0, 0.0, 1.0])
    return truth, said, quantiles, chance.uniform(0.5, 2, (windows, targets))


def test_batches_give_what_all_at_once_gives():
    truth, said, quantiles, scale = made()
    sums = ErrorSums(4, LEVELS)
    for first, last in ((0, 3), (3, 4), (4, 7)):
        part = slice(first, last)
        sums.add(truth[part], said[part], scale=scale[part], quantiles=quantiles[part])
    found, rows = sums.scores(), by_horizon(truth.swapaxes(1, 2), said.swapaxes(1, 2))
    assert found.by_step == pytest.approx([row.mean_absolute_error for row in rows])
    assert found.mean_squared_error == pytest.approx(np.mean([row.root_mean_squared_error**2 for row in rows]))
    assert found.mean_absolute_scaled_error == pytest.approx((abs(truth - said) / scale[:, None]).mean())
    losses = [quantile_loss(truth, quantiles[..., q], level) for q, level in enumerate(LEVELS)]
    assert found.quantile_losses == pytest.approx(losses)
    assert found.quantile_loss == pytest.approx(np.mean(losses))
    assert found.coverage == pytest.approx(coverage(truth, quantiles[..., 0], quantiles[..., -1]))
    assert found.to_json()["coverage"] == found.coverage


def test_what_cannot_be_scaled_is_none_and_nothing_is_told():
    truth, said, _, scale = made()
    sums = ErrorSums(4)
    with pytest.raises(ArgumentError, match="no forecasts to judge"):
        sums.scores()
    scale[0, 0] = 0
    sums.add(truth, said, scale=scale)
    assert sums.scores().mean_absolute_scaled_error is None
    assert sums.scores().quantile_loss is None
    with pytest.raises(ArgumentError, match=r"B H K, B H K and B K, with H = 4"):
        sums.add(truth[:, :2], said[:, :2], scale=scale)
    with pytest.raises(ArgumentError, match=r"B H K, B H K and B K"):
        sums.add(truth, said, scale=scale[:3])
    with pytest.raises(ArgumentError, match="given with every batch or with none; these have 0"):
        sums.add(truth, said, scale=scale, quantiles=said[..., None])


@pytest.mark.parametrize("constant", [0.5, 1e6])
@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_what_is_explained_is_what_scikit_learn_says_of_all_at_once(constant, wrong):
    chance = np.random.default_rng(1)
    truth = chance.normal(size=(20, 3)) * [1, 1e-3, 0] + [0, 1e4, constant]
    said = truth + chance.normal(size=(20, 3)) * [0.5, 1e-4, wrong]
    sums = ExplainedSums()
    for first in range(0, 20, 6):
        sums.add(truth[first : first + 6], said[first : first + 6])
    assert sums.share() == pytest.approx(r2_score(truth, said), rel=1e-6)
    with pytest.raises(ArgumentError, match="no forecasts to judge; give one at least"):
        ExplainedSums().share()
