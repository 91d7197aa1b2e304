import numpy as np
import pytest

from throughtime.kernels.best import add_cosines, keep_best, multiply_cosines


def kept(scores, scale, offset, room, width):
    queries, columns = scores.shape
    values, rows = np.full((queries, room), -np.inf, np.float32), np.full((queries, room), -1, np.int64)
    sizes = np.zeros(queries, np.int64)
    for first in range(0, columns, width):
        part = slice(first, first + width)
        keep_best(np.ascontiguousarray(scores[:, part]), scale[part], offset[part], first, values, rows, sizes)
    return values, rows, sizes


@pytest.mark.parametrize("width", [1, 63, 64, 200, 1000])
@pytest.mark.parametrize("room", [1, 7, 300])
def test_heaps_hold_what_sorting_would_choose_whatever_the_blocks(width, room):
    chance = np.random.default_rng(0)
    scores = chance.integers(-20, 20, (3, 260)).astype(np.float32)  # many are equal
    scale, offset = chance.integers(0, 3, (2, 260)).astype(np.float32)
    values, rows, sizes = kept(scores, scale, offset, room, width)
    worth = scores * scale + offset
    expected = np.argsort(-worth, axis=1, kind="stable")[:, :room]
    assert sizes.tolist() == [min(room, 260)] * 3
    for query in range(3):
        held = rows[query, : sizes[query]]
        assert sorted(held) == sorted(expected[query])
        assert np.array_equal(values[query, : sizes[query]], worth[query, held])
        assert values[query, 0] == values[query, : sizes[query]].min()  # the root is the worst


def test_not_a_number_is_not_taken_into_a_full_heap():
    scores = np.ones((1, 256), np.float32)
    scores[0, 128:] = np.nan
    scores[0, 200] = 5
    values, rows, _ = kept(scores, np.ones(256, np.float32), np.zeros(256, np.float32), 3, 64)
    assert sorted(rows[0]) == [0, 1, 200]
    assert sorted(values[0]) == [1, 1, 5]


@pytest.mark.parametrize("width", [1, 16, 37])
def test_analogies_are_scored_by_their_formulas(width):
    chance = np.random.default_rng(1)
    cosines = chance.uniform(-1, 1, (5, width)).astype(np.float32)
    questions = chance.integers(0, 5, (8, 3))
    scores = np.empty((8, width), np.float32)
    a, b, c = (cosines[questions[:, i]].astype(float) for i in range(3))
    add_cosines(cosines, questions, scores)
    assert np.allclose(scores, b - a + c, atol=1e-6)
    multiply_cosines(cosines, questions, scores, np.float32(0.001))
    assert np.allclose(scores, (1 + b) * (1 + c) / 4 / ((1 + a) / 2 + 0.001), rtol=1e-5)
