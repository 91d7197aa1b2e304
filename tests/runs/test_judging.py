"""How sure one may be of a classifier, against the numbers by hand and the metrics that they are of."""

import numpy as np
import pytest

from throughtime.errors import ArgumentError
from throughtime.metrics import expected_calibration_error, temperature
from throughtime.runs.judging import sureness


def answers(items=400, heat=1.0, seed=0):
    """Log-probabilities that are what they say, made surer by dividing them by a heat; and the truth."""
    chance = np.random.default_rng(seed)
    shares = chance.dirichlet(np.ones(3), items)
    truth = np.array([chance.choice(3, p=row) for row in shares])
    logs = np.log(shares) / heat
    return logs - np.log(np.exp(logs).sum(1, keepdims=True)), truth


@pytest.mark.parametrize(("heat", "says"), [(0.4, "too sure"), (1.0, "as sure as they are right"), (2.0, "too unsure")])
def test_the_numbers_are_those_of_the_metrics(heat, says):
    logs, truth = answers(4000, heat)
    found = sureness(logs, truth, ["a", "b", "c"])
    accuracy = (logs.argmax(1) == truth).mean()
    low, high = found.facts["accuracy_interval"]
    spread = (accuracy * (1 - accuracy) / 4000) ** 0.5  # of a binomial share
    assert (low, high) == pytest.approx((accuracy - 1.96 * spread, accuracy + 1.96 * spread), abs=0.004)
    assert found.facts["expected_calibration_error"] == pytest.approx(expected_calibration_error(np.exp(logs), truth))
    assert found.facts["temperature"] == pytest.approx(temperature(logs, truth))
    assert found.facts["temperature"] == pytest.approx(1 / heat, rel=0.1)
    assert found.rows["accuracy, 95 %"] == f"{low:.4f} to {high:.4f}"
    assert says in found.rows["temperature"]


@pytest.mark.parametrize("case", ["all right", "impossible", "one"])
def test_what_is_no_number_is_none(case):
    logs, truth = answers(1 if case == "one" else 30)
    if case == "impossible":
        logs[0, truth[0]] = -np.inf
    else:
        truth = logs.argmax(1)
    found = sureness(logs, truth, ["a", "b", "c"])
    assert found.facts["temperature"] is None
    assert found.rows["temperature"] == "—"
    assert 0 <= found.facts["expected_calibration_error"] <= 1
    with pytest.raises(ArgumentError, match="no items to judge a classifier by"):
        sureness(logs[:0], truth[:0], ["a", "b", "c"])


def test_pictures_are_drawn_when_they_are_wanted(tmp_path):
    logs, truth = answers()
    found = sureness(logs, truth, ["a\x1b", "b", "c"], title="run")
    assert set(found.pictures) == {"confusion", "reliability"}
    for name, draw in found.pictures.items():
        draw(tmp_path / f"{name}.svg")
        assert (tmp_path / f"{name}.svg").stat().st_size > 1000
    with pytest.raises(ArgumentError, match="drawings go into"):
        found.pictures["confusion"](tmp_path / "x.txt")
