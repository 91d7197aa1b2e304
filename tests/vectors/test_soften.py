import sys

import numpy as np
import pytest
import scipy.optimize

from throughtime.errors import ArgumentError, MissingExtraError
from throughtime.vectors.debias import direct_bias, direction, units
from throughtime.vectors.soften import gram, objective, soft, solve
from throughtime.vectors.table import Table

NEUTRAL = [f"n{i}" for i in range(20)]
PAIRS = [("he", "she"), ("man", "woman")]


def made(width, flat=0):
    """A table whose last axes are empty; neutral words lean along the first."""
    chance = np.random.default_rng(8)
    vectors = chance.normal(size=(24, width)) * np.linspace(1, 0.2, width)
    vectors[:4, 0] = [2, -2, 2, -2]
    vectors[:, width - flat :] = 0
    return Table(["he", "she", "man", "woman", *NEUTRAL], vectors.astype("f4"), facts={"method": "made"})


def whole(map_, table, neutral, axes, strength):
    """The paper's objective, with matrices of V x V."""
    words, part = units(table.vectors).T, units(table.vectors[neutral]).T
    change = (map_ @ words).T @ (map_ @ words) - words.T @ words
    return (change**2).sum() + strength * (((map_ @ part).T @ (map_ @ axes.T)) ** 2).sum()


def test_the_gradient_is_that_of_finite_differences():
    chance = np.random.default_rng(0)
    root, spread = chance.normal(size=(4, 4)), chance.random(4) + 0.5
    neutral, bias = (half @ half.T for half in chance.normal(size=(2, 4, 4)))
    _, slope = objective(root, spread, neutral, bias, 0.7)
    numeric = scipy.optimize.approx_fprime(
        root.reshape(-1), lambda flat: objective(flat.reshape(4, 4), spread, neutral, bias, 0.7)[0], 1e-7
    )
    assert slope.reshape(-1) == pytest.approx(numeric, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("flat", [0, 2])
@pytest.mark.parametrize("strength", [0.2, 50.0])
def test_the_map_is_the_best_for_the_paper_s_objective(flat, strength):
    table = made(6, flat)
    axes = direction(table, PAIRS).axes
    neutral = np.arange(4, 24)
    map_, told = solve(gram(table), gram(table, neutral), axes.T @ axes, strength)
    before, after = (whole(each, table, neutral, axes, strength) for each in (np.eye(6), map_))
    assert (told["objective_before"], told["objective_after"]) == pytest.approx((before, after), rel=1e-6)
    assert told["change_of_products"] == pytest.approx(whole(map_, table, neutral, axes, 0.0), rel=1e-5)
    assert map_ == pytest.approx(map_.T)
    assert map_[6 - flat :] == pytest.approx(np.eye(6)[6 - flat :])  # where no word lies
    assert told["settled"]
    start = np.eye(6) + 0.1 * np.random.default_rng(1).normal(size=(6, 6))
    peer = scipy.optimize.minimize(
        lambda m: whole(m.reshape(6, 6), table, neutral, axes, strength), start.reshape(-1), method="BFGS"
    )
    assert after < before
    assert after == pytest.approx(peer.fun, rel=1e-4)
    mine, theirs = (table.vectors @ each.T for each in (map_, peer.x.reshape(6, 6)))
    assert mine @ mine.T == pytest.approx(theirs @ theirs.T, abs=2e-2)


def test_soft_debiasing_trades_bias_for_products():
    table = made(6)
    found = direction(table, PAIRS)
    crossed, changed = list[float](), list[float]()
    for strength in (0.2, 5.0, 500.0):
        softened = soft(table, found, [*NEUTRAL, "away"], strength)
        done = softened.facts["debias"]
        changed.append(done["change_of_products"])
        crossed.append((done["objective_after"] - changed[-1]) / strength)
        assert (done["neutral"], done["neutral_missing"], done["strength"]) == (20, ["away"], strength)
        assert done["objective_after"] < done["objective_before"]
        assert np.linalg.norm(softened.vectors, axis=1) == pytest.approx(1, abs=1e-6)
        assert softened.facts["method"] == "made"
    assert crossed == sorted(crossed, reverse=True)
    assert changed == sorted(changed)
    assert direct_bias(softened, NEUTRAL, found) < 0.5 * direct_bias(table, NEUTRAL, found)


def test_no_strength_changes_nothing():
    table = made(6)
    told = list[int]()
    softened = soft(table, direction(table, PAIRS), NEUTRAL, 0.0, tell=lambda done, _: told.append(done))
    assert softened.vectors == pytest.approx(units(table.vectors), abs=1e-6)
    soft(table, direction(table, PAIRS), NEUTRAL, 1.0, tell=lambda done, _: told.append(done))
    assert told[-1] == len(told) > 2


@pytest.mark.parametrize(
    ("neutral", "strength", "says"),
    [
        (["away"], 0.2, "none of 1 neutral words is in the table"),
        (NEUTRAL, -1.0, "strength must be at least 0; got -1.0"),
        (NEUTRAL, float("nan"), "strength must be at least 0; got nan"),
        (NEUTRAL, float("inf"), "strength must be at least 0; got inf"),
    ],
)
def test_what_soft_debiasing_refuses(neutral, strength, says):
    table = made(6)
    with pytest.raises(ArgumentError, match=says):
        soft(table, direction(table, PAIRS), neutral, strength)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(MissingExtraError, match=r"throughtime\[vectors\]"):
        solve(np.eye(2), np.eye(2), np.eye(2), 1.0)
