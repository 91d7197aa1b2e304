"""Bootstrap intervals: those of drawing again by hand, however the draws are made."""

import numpy as np
import pytest

from throughtime.errors import ArgumentError
from throughtime.metrics import (
    bootstrap,
    cell_interval,
    class_scores,
    confusion_matrix,
    difference_interval,
    intervals,
    label_scores,
    sum_interval,
)
from throughtime.metrics.classes import accuracies, macro_f1s, quadratic_kappas, weighted_f1s
from throughtime.metrics.multilabel import label_counts, micro_f1s


def share(sums):
    return sums[:, 0] / sums[:, 1]


def test_sums_are_drawn_again_as_by_hand(monkeypatch):
    chance = np.random.default_rng(0)
    rows = np.stack([chance.normal(size=40), chance.uniform(1, 2, 40)], 1)
    drawn = np.random.default_rng(5).integers(0, 40, (1000, 40))
    by_hand = np.percentile([rows[places, 0].sum() / rows[places, 1].sum() for places in drawn], [2.5, 97.5])
    assert sum_interval(share, rows, seed=5) == pytest.approx(by_hand)
    monkeypatch.setattr(bootstrap, "BLOCK", 40 * 7)
    assert sum_interval(share, rows, seed=5) == pytest.approx(by_hand)  # in blocks of seven


def test_items_alike_are_drawn_as_kinds_to_the_same_end(monkeypatch):
    chance = np.random.default_rng(1)
    rows = np.stack([chance.integers(0, 2, 400), np.ones(400)], 1)
    kinds = sum_interval(share, rows)
    monkeypatch.setattr(intervals, "ALIKE", 10**9)
    one_by_one = sum_interval(share, rows)
    assert kinds == pytest.approx(one_by_one, abs=0.012)
    assert kinds != one_by_one


def test_a_matrix_is_drawn_again_like_its_items():
    chance = np.random.default_rng(2)
    labels = chance.integers(0, 3, 300)
    predicted = np.where(chance.random(300) < 0.7, labels, chance.integers(0, 3, 300))
    matrix = confusion_matrix(labels, predicted, 3)
    places = np.random.default_rng(3).integers(0, 300, (400, 300))
    again = [class_scores(confusion_matrix(labels[i], predicted[i], 3)).macro_f1 for i in places]
    by_hand = np.percentile(again, [2.5, 97.5])
    assert cell_interval(macro_f1s, matrix) == pytest.approx(by_hand, abs=0.012)
    for statistic in (accuracies, weighted_f1s, quadratic_kappas):
        low, high = cell_interval(statistic, matrix)
        assert low < statistic(matrix) < high
    low, high = cell_interval(accuracies, matrix)
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(0.8 * 0.2 / 300), rel=0.15)


def test_statistics_of_a_stack_are_those_of_its_matrices():
    stack = np.random.default_rng(4).integers(0, 4, (2, 5, 3, 3))
    for statistic in (accuracies, macro_f1s, weighted_f1s, quadratic_kappas):
        assert statistic(stack).shape == (2, 5)
        assert statistic(stack)[1, 2] == statistic(stack[1, 2])


def test_labels_of_items_are_drawn_together():
    marks = np.random.default_rng(6).random((2, 80, 3)) < 0.5
    low, high = sum_interval(micro_f1s, label_counts(*marks))
    assert low < label_scores(*marks).micro_f1 < high


def test_seeds_matter_and_repeat():
    rows = np.random.default_rng(7).uniform(1, 2, (30, 2))
    assert sum_interval(share, rows, seed=1) == sum_interval(share, rows, seed=1) != sum_interval(share, rows, seed=2)


def test_of_nothing_there_is_no_interval():
    assert sum_interval(share, np.zeros((0, 2))) is None
    assert cell_interval(accuracies, np.zeros((2, 2))) is None
    assert cell_interval(quadratic_kappas, np.diag([4, 0])) is None  # undefined in every sample


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: sum_interval(share, [1.0, 2.0]), r"counts must have a row for each item .* \(2,\)"),
        (lambda: sum_interval(share, [[np.nan, 1.0]]), r"counts\[0, 0\] is nan"),
        (lambda: cell_interval(accuracies, [[0.5]]), "cells must count items: whole numbers.* sum_interval"),
        (lambda: cell_interval(accuracies, [[-1]]), "cells must count items"),
    ],
)
def test_counts_that_are_none(call, says):
    with pytest.raises(ArgumentError, match=says):
        call()


def runs_of(chance, items, *shares):
    """Runs (S N 2), each of which gets its share of the same items right; hard items are hard for all."""
    hard = chance.random(items)
    return np.stack([np.stack([hard + 0.1 * chance.random(items) < share, np.ones(items)], 1) for share in shares])


def test_a_difference_is_drawn_again_as_by_hand():
    one, other = runs_of(np.random.default_rng(8), 50, 0.7), runs_of(np.random.default_rng(8), 50, 0.8)
    places = np.random.default_rng(3).integers(0, 50, (1000, 50))
    by_hand = [(one[0, i, 0] - other[0, i, 0]).mean() for i in places]
    assert difference_interval(share, one, other, seed=3) == pytest.approx(np.percentile(by_hand, [2.5, 97.5]))


def test_what_is_hard_for_both_cancels():
    chance = np.random.default_rng(9)
    pair = runs_of(chance, 400, 0.7, 0.75)
    apart = runs_of(chance, 400, 0.75)
    low, high = difference_interval(share, pair[:1], pair[1:])
    wide = difference_interval(share, pair[:1], apart)
    assert high - low < 0.6 * (wide[1] - wide[0])
    backwards = difference_interval(share, pair[1:], pair[:1])
    assert (low, high) == pytest.approx((-backwards[1], -backwards[0]))


def test_runs_that_differ_widen_a_difference():
    items = np.random.default_rng(10)
    steady, wild = runs_of(items, 300, 0.7, 0.7, 0.7), runs_of(items, 300, 0.5, 0.7, 0.9)
    low, high = difference_interval(share, steady, steady[:1])
    least, most = difference_interval(share, wild, steady[:1])
    assert most - least > 2 * (high - low)


@pytest.mark.parametrize("wrong", [np.zeros((2, 3)), np.zeros((0, 2, 2))])
def test_runs_of_another_shape_are_refused(wrong):
    with pytest.raises(ArgumentError, match=r"one must have counts for each run and item \(S N C\); got"):
        difference_interval(share, wrong, np.zeros((1, 3, 2)))


def test_a_difference_is_of_the_same_items():
    with pytest.raises(ArgumentError, match="one have 2 items and other 3"):
        difference_interval(share, np.ones((1, 2, 2)), np.ones((1, 3, 2)))
    assert difference_interval(share, np.ones((1, 0, 2)), np.ones((1, 0, 2))) is None
    with np.errstate(invalid="ignore"):
        assert difference_interval(share, np.zeros((1, 4, 2)), np.zeros((1, 4, 2))) is None
