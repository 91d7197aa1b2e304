import math

import pytest
import torch

from throughtime.errors import ArgumentError
from throughtime.layers.positions import Learnt, Sinusoidal, make_positions, turned, turns


@pytest.mark.parametrize("width", [1, 4, 5])
def test_sines_are_those_of_the_formula(width):
    x = torch.randn(2, 3, width, dtype=torch.float64)
    places = torch.tensor([[0, 1, 7], [2, 100, 1_000_000]])
    y = Sinusoidal(width)(x, places)
    for row in range(2):
        for t in range(3):
            for i in range(width):
                angle = int(places[row, t]) / 10_000 ** (2 * (i // 2) / width)
                wave = math.cos(angle) if i % 2 else math.sin(angle)
                assert float(y[row, t, i] - x[row, t, i]) == pytest.approx(wave, abs=1e-8)


def test_far_places_stay_apart_in_single_precision():
    places = torch.tensor([[1_000_000_000, 1_000_000_001]])
    first, second = Sinusoidal(8)(torch.zeros(1, 2, 8), places)[0]
    near, after = Sinusoidal(8)(torch.zeros(1, 2, 8), torch.tensor([[0, 1]]))[0]
    assert float((first - second).norm()) == pytest.approx(float((near - after).norm()), rel=1e-3)


def test_learnt_positions_are_rows_of_a_table_the_last_one_for_all_beyond():
    learnt = Learnt(3, 2)
    y = learnt(torch.zeros(1, 4, 2), torch.tensor([[0, 2, 3, 99]]))
    assert torch.equal(y[0], learnt.weight[[0, 2, 2, 2]])
    with pytest.raises(ArgumentError, match="places must be at least 1; got 0"):
        Learnt(0, 2)


def test_products_of_what_is_turned_depend_on_distances_alone():
    q, k = torch.randn(2, 1, 6, dtype=torch.float64)
    tables = turns(9, 6, q)
    products = turned(q.expand(9, 6), tables) @ turned(k.expand(9, 6), tables).T
    for distance in range(-8, 9):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert not torch.allclose(products[0, 0], products[0, 1])


def test_a_turn_is_a_rotation_of_pairs_by_the_angle_of_the_formula():
    x = torch.randn(5, 4, dtype=torch.float64)
    y = turned(x, turns(5, 4, x))
    for t in range(5):
        for i in range(2):
            angle = t / 10_000 ** (2 * i / 4)
            turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
            torch.testing.assert_close(y[t, [i, i + 2]], turn.double() @ x[t, [i, i + 2]], rtol=0, atol=1e-7)


def test_positions_that_are_not_known_are_refused():
    assert make_positions("rotary", 4, 8) is None
    assert make_positions("none", 4, 8) is None
    unchecked = getattr(make_positions, "__wrapped__", make_positions)  # as in production: no type checker
    with pytest.raises(ArgumentError, match="'sinusoidal', 'learnt', 'rotary' or 'none'; got 'relative'"):
        unchecked("relative", 4, 8)
