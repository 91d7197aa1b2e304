import numpy as np
import pytest

from throughtime.data.scale import Scale
from throughtime.errors import ArgumentError

CHANCE = np.random.default_rng(0)


def test_parts_are_one_whole_and_what_is_scaled_has_mean_0_and_deviation_1():
    rows = CHANCE.normal(3, 5, (40, 3)).astype(np.float32)
    scale, cut = Scale.learn([rows]), Scale.learn([rows[:7], rows[:0], rows[7:8], rows[8:]])
    assert np.allclose(scale.mean, rows.mean(0, dtype=np.float64), rtol=1e-12)
    assert np.allclose(scale.deviation, rows.std(0, dtype=np.float64), rtol=1e-12)
    assert np.allclose(cut.mean, scale.mean, rtol=1e-12)
    assert np.allclose(cut.deviation, scale.deviation, rtol=1e-12)
    scaled = scale.apply(rows)
    assert scaled.dtype == np.float32
    assert np.allclose(scaled.mean(0), 0, atol=1e-6)
    assert np.allclose(scaled.std(0), 1, atol=1e-6)
    assert np.allclose(scale.undo(scaled), rows, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("level", [0.0, 1.0, 0.1, 1e9, -1e-30])
def test_a_column_that_does_not_change_has_deviation_1(level):
    assert Scale.learn([np.full((5, 1), level)] * 2).deviation.tolist() == [1.0]


def test_small_changes_far_from_0_are_not_lost():
    rows = 1e6 + np.array([[0.0], [1.0], [2.0]])
    assert Scale.learn([rows]).deviation[0] == pytest.approx(np.sqrt(2 / 3), rel=1e-9)


def test_small_changes_near_0_are_not_lost():
    assert Scale.learn([np.array([[0.0], [1e-10]])]).deviation[0] == pytest.approx(5e-11, rel=1e-9)


@pytest.mark.parametrize("value", [3e38, -1e300, np.nan])
def test_what_is_no_number_in_single_precision_is_refused(value):
    scale = Scale(np.array([0.0, 5.0]), np.array([1.0, 1e-3]))
    with pytest.raises(ArgumentError, match=r"is too far from what was learned, 5 ± 0.001; correct it"):
        scale.apply([[1.0, 5.0], [1.0, value]])


def test_what_single_precision_leaves_is_no_change():
    assert Scale.learn([np.array([[1.0], [1.0 + 2**-25]])]).deviation.tolist() == [1.0]


@pytest.mark.parametrize("parts", [[], [np.zeros((0, 2))]])
def test_nothing_is_no_scale(parts):
    with pytest.raises(ArgumentError, match="there are no rows to learn means and deviations from"):
        Scale.learn(parts)
