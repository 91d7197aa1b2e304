from itertools import pairwise

import pytest

from throughtime.train import Waiting, multiplier


def test_warm_up_rises_in_equal_steps_to_the_full_rate():
    rates = [multiplier("constant", step=s, warmup_steps=4, done=0.0) for s in range(6)]
    assert rates == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_falls_from_one_to_a_hundredth_and_never_rises():
    rates = [multiplier("cosine", step=10, warmup_steps=0, done=d / 20) for d in range(21)]
    assert (rates[0], rates[-1]) == (1.0, pytest.approx(0.01))
    assert all(b < a for a, b in pairwise(rates))


def test_plateau_quarters_with_every_cut():
    assert [multiplier("plateau", step=9, warmup_steps=0, done=0.5, cuts=c) for c in range(3)] == [1, 0.25, 0.0625]


def test_waiting_counts_evaluations_since_the_best():
    waiting = Waiting()
    seen = []
    for loss in (3.0, 2.0, 2.5, 2.1, 1.0, 1.0):
        waiting = waiting.after(loss)
        seen.append((waiting.best, waiting.stale, waiting.cuts))
    assert seen == [(3.0, 0, 0), (2.0, 0, 0), (2.0, 1, 1), (2.0, 2, 2), (1.0, 0, 2), (1.0, 1, 3)]
