import math

import pytest
import torch

from throughtime.errors import ArgumentError
from throughtime.search import Ranking

LOG_P, LENGTHS = torch.tensor([-3.0, -4.5, -7.0]), torch.tensor([1, 4, 9])


def test_scores_are_as_the_formulas_have_them():
    for alpha in (0.0, 0.7, 1.0, 2.5):
        by_power = [p / t**alpha for p, t in zip(LOG_P.tolist(), LENGTHS.tolist(), strict=True)]
        assert Ranking(alpha).scores(LOG_P, LENGTHS).tolist() == pytest.approx(by_power)
        as_wu = [p / ((5 + t) / 6) ** alpha for p, t in zip(LOG_P.tolist(), LENGTHS.tolist(), strict=True)]
        assert Ranking(alpha, "wu").scores(LOG_P, LENGTHS).tolist() == pytest.approx(as_wu)


def test_what_was_looked_at_too_little_counts_against_a_hypothesis():
    covered = torch.tensor([[0.5, 1.0, 3.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    scores = Ranking(0.0, coverage=0.2).scores(LOG_P, LENGTHS, covered)
    assert scores.tolist() == pytest.approx([-3 + 0.2 * math.log(0.5), -4.5, -7 + 0.2 * math.log(1e-6)])


@pytest.mark.parametrize("ranking", [Ranking(0.0), Ranking(0.7), Ranking(1.3, "wu"), Ranking(0.5, coverage=1.0)])
def test_the_bound_is_over_all_that_can_come(ranking):
    longest = torch.tensor([12, 4, 10])
    bound = ranking.bound(LOG_P, longest)
    for row in range(3):
        for length in range(1, int(longest[row]) + 2):
            for lost in (0.0, 0.5, 9.0):
                covered = torch.rand(1, 4)
                score = ranking.scores(LOG_P[row : row + 1] - lost, length, covered)
                assert float(score) <= float(bound[row]) + 1e-12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": -0.1}, "alpha must be at least 0 and finite; got -0.1"),
        ({"alpha": math.inf}, "alpha must be at least 0 and finite; got inf"),
        ({"alpha": math.nan}, "alpha must be at least 0 and finite; got nan"),
        ({"coverage": -1.0}, "coverage must be at least 0 and finite; got -1.0"),
    ],
)
def test_settings_that_have_no_bound_are_refused(settings, message):
    with pytest.raises(ArgumentError, match=message):
        Ranking(**settings)
