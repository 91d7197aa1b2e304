
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from throughtime.search import Beam, Ranking, Rules, beam, exhaustive, greedy

EVERYTHING = 4**6  # hypotheses of a vocabulary of 5, of which one is the end, in 6 symbols
RANKINGS = [Ranking(0.0), Ranking(0.7), Ranking(1.0, "wu"), Ranking(2.0), Ranking(0.6, "wu", coverage=0.4)]
RULES = {
    "nothing": Rules(end=0),
    "shortest": Rules(end=0, shortest=3),
    "forbidden": Rules(end=0, forbidden=[2, (1, 1), (3, 4, 3)]),
    "required": Rules(end=0, required=[2, (1, 4)]),
    "overlapping": Rules(end=0, required=[(1, 4, 1), (4, 1, 3), (1, 4)]),
    "tight": Rules(end=0, required=[(1, 2, 1), (2, 1, 2, 3)], forbidden=[(3, 3)]),
    "all": Rules(end=0, shortest=2, forbidden=[(2, 2), (3, 3)], required=[(3, 2)]),
}


def close(found, expected):
    assert [[one.tokens for one in several] for several in found] == [[o.tokens for o in s] for s in expected]
    for several, others in zip(found, expected, strict=True):
        assert [one.log_probability for one in several] == pytest.approx([o.log_probability for o in others], abs=1e-9)
        assert [one.score for one in several] == pytest.approx([one.score for one in others], abs=1e-9)


@pytest.mark.parametrize("name", RULES)
def test_a_beam_of_everything_is_exhaustive(chances, name):
    stepper, source = chances(seed=len(name)), torch.tensor([0, 1])
    asked = {"rules": RULES[name], "longest": [5, 5 if name == "tight" else 4]}
    for ranking in RANKINGS[::2] if name != "nothing" else RANKINGS:
        expected = exhaustive(stepper, source, **asked, keep=4, ranking=ranking)
        close(beam(stepper, source, **asked, settings=Beam(1300, 4, ranking)), expected)


@given(st.integers(0, 10**6), st.floats(0.1, 4.0), st.integers(0, 7), st.integers(0, 2))
def test_a_beam_of_one_is_greedy(chances, seed, spread, limit, shortest):
    stepper, source = chances(seed=seed, spread=spread, vocab=7), torch.arange(8)
    rules = Rules(end=3, shortest=min(shortest, limit), forbidden=[0, (1, 2)])
    longest = [limit] * 7 + [limit + 3]
    by_beam = beam(stepper, source, rules=rules, longest=longest, settings=Beam(width=1))
    close(by_beam, [[one] for one in greedy(stepper, source, rules=rules, longest=longest)])
