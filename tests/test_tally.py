import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from throughtime import Tally

NUMBERS = st.lists(st.integers(-1000, 1000).map(float), max_size=20)


@given(NUMBERS, st.lists(st.integers(0, 20), max_size=4))
def test_the_sum_of_the_parts_is_the_whole(numbers, cuts):
    edges = [0, *sorted(min(cut, len(numbers)) for cut in cuts), len(numbers)]
    parts = [numbers[a:b] for a, b in pairwise(edges)]
    added = sum((Tally(math.fsum(part), len(part)) for part in parts), Tally(0.0, 0))
    assert added == Tally(math.fsum(numbers), len(numbers))


def test_the_mean_is_of_things_and_not_of_parts():
    assert (Tally(6.0, 2) + Tally(1.0, 8)).mean == pytest.approx(0.7)


def test_the_mean_of_nothing_is_no_number():
    assert math.isnan(Tally(0.0, 0).mean)


def test_a_total_keeps_its_gradient_until_detached():
    weight = torch.tensor(3.0, requires_grad=True)
    tally = Tally(weight * 2, 1) + Tally(weight, 1)
    torch.autograd.backward(tally.total)
    assert float(weight.grad) == 3
    assert tally.mean == 4.5
    plain = tally.detach()
    assert (plain.total, type(plain.total), plain.count) == (9.0, float, 2)
