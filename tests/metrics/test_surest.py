"""Which mistakes are the surest."""

import numpy as np
import pytest

from throughtime.metrics.mistakes import surest


@pytest.mark.parametrize("seed", range(3))
def test_the_surest_mistakes_are_those_of_a_plain_search(seed):
    chance = np.random.default_rng(seed)
    shares = chance.dirichlet(np.ones(4), 60)
    truth = chance.integers(0, 4, 60)
    wanted = sorted(
        (
            (-row.max(), place)
            for place, (row, true) in enumerate(zip(shares, truth, strict=True))
            if row.argmax() != true
        )
    )
    found, wrong = surest(np.log(shares), truth, 7)
    assert [one.place for one in found] == [place for _, place in wanted[:7]]
    assert wrong == len(wanted)
    for one in found:
        assert one.label == shares[one.place].argmax() != truth[one.place] == one.rival
        assert one.probability == pytest.approx(shares[one.place].max())
        assert not one.denied


def test_of_several_labels_it_is_the_one_that_is_said_or_denied_with_most_certainty():
    shares = np.array([[0.9, 0.2, 0.6], [0.4, 0.97, 0.1], [0.2, 0.6, 0.05]])
    truth = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 1]])
    found, wrong = surest(np.log(shares), truth, 9)
    assert wrong == 2
    assert [(one.place, one.label, one.denied, one.rival) for one in found] == [(2, 2, True, None), (0, 1, True, None)]
    assert [one.probability for one in found] == pytest.approx([0.95, 0.8])
    assert found[0].said(["a", "b", "c"]) == "no c"
    said = surest(np.log(np.array([[0.8]])), np.array([[0]]), 1)[0][0]
    assert (said.denied, said.probability) == (False, pytest.approx(0.8))


def test_where_nothing_is_wrong_nothing_is_found():
    assert surest(np.log([[0.9, 0.1]]), np.array([0]), 5) == ([], 0)
    assert surest(np.log([[0.9, 0.1]]), np.array([[1, 0]]), 5) == ([], 0)
