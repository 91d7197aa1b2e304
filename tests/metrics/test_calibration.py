"""Calibration: against numbers by hand, scikit-learn and scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import brier_score_loss, log_loss

from throughtime.errors import ArgumentError
from throughtime.metrics import (
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
    temperature,
    top_label,
)

chances = np.random.default_rng(0)
LOGITS = chances.normal(size=(200, 4)) * 3
LABELS = np.array([chances.choice(4, p=softmax(row / 2.5)) for row in LOGITS])


@pytest.mark.parametrize("bins", [1, 7, 15])
@pytest.mark.parametrize("binning", ["width", "mass"])
def test_expected_error_is_that_of_bins_by_hand(bins, binning):
    confidence, right = top_label(softmax(LOGITS, 1), LABELS)
    table = reliability(confidence, right, bins=bins, binning=binning)
    found = 0.0
    for i, row in enumerate(table.bins):
        inside = (confidence > row.low) & (confidence <= row.high)
        assert row.items == inside.sum()
        if row.items:
            assert row.confidence == pytest.approx(confidence[inside].mean())
            assert row.accuracy == pytest.approx(right[inside].mean())
            found += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
        else:
            assert (row.confidence, row.accuracy, row.gap) == (None, None, 0)
        assert row.low == (table.bins[i - 1].high if i else 0)
    assert (table.items, table.bins[-1].high) == (200, 1)
    assert table.expected_error == pytest.approx(found)
    assert table.maximum_error == max(row.gap for row in table.bins) >= table.expected_error
    assert expected_calibration_error(softmax(LOGITS, 1), LABELS, bins=bins, binning=binning) == table.expected_error
    if binning == "width":
        assert [row.high for row in table.bins] == pytest.approx(np.arange(1, bins + 1) / bins)
    else:
        assert max(row.items for row in table.bins) - min(row.items for row in table.bins) <= 1


def test_bins_hold_their_upper_ends_and_the_first_its_lower():
    table = reliability([0.0, 0.5, 1.0], [0, 1, 1], bins=2)
    assert [row.items for row in table.bins] == [2, 1]
    apart = reliability([0.2] * 5 + [0.4] * 5, [1, 0] * 5, bins=5, binning="mass")
    assert [row.items for row in apart.bins if row.items] == [5, 5]  # those of one confidence stay together


@settings(max_examples=20)
@given(some.permutations(range(12)))
def test_order_changes_nothing(order):
    confidence, right = np.repeat([0.3, 0.6, 0.9], 4), np.array([0, 1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 0])
    for binning in ("width", "mass"):
        one = reliability(confidence, right, bins=5, binning=binning)
        other = reliability(confidence[list(order)], right[list(order)], bins=5, binning=binning)
        assert other.expected_error == pytest.approx(one.expected_error)


def test_scores_are_those_of_sklearn():
    shares = softmax(LOGITS, 1)
    assert brier_score(shares, LABELS) == pytest.approx(brier_score_loss(LABELS, shares, scale_by_half=False))
    assert negative_log_likelihood(LOGITS, LABELS) == pytest.approx(log_loss(LABELS, shares))
    assert negative_log_likelihood(LOGITS + 1e4, LABELS) == pytest.approx(log_loss(LABELS, shares))
    assert negative_log_likelihood(log_softmax(LOGITS, 1), LABELS) == pytest.approx(log_loss(LABELS, shares))
    assert (brier_score(np.eye(4), range(4)), brier_score(np.eye(2), [1, 0])) == (0, 2)
    assert negative_log_likelihood([[0.0, -np.inf]], [0]) == 0
    assert negative_log_likelihood([[0.0, -np.inf]], [1]) == np.inf


@settings(max_examples=20)
@given(some.integers(0, 10**6), some.sampled_from([1e-6, 0.01, 1.0, 30.0, 1e9]), some.integers(2, 5))
def test_the_temperature_has_no_slope(seed, scale, classes):
    chance = np.random.default_rng(seed)
    logits = chance.normal(size=(40, classes)) * scale
    labels = np.where(chance.random(40) < 0.5, logits.argmax(1), chance.integers(0, classes, 40))
    found = temperature(logits, labels)
    if found is None:
        return
    beta = 1 / found
    own = logits[np.arange(40), labels]

    def slope(beta):
        return (np.einsum("nk,nk->n", softmax(beta * logits, 1), logits) - own).mean()

    assert slope(beta * (1 - 1e-6)) < 0 < slope(beta * (1 + 1e-6))


def test_the_temperature_is_where_scipy_finds_the_least_loss():
    found = temperature(LOGITS, LABELS)
    best = minimize_scalar(lambda log: negative_log_likelihood(LOGITS / np.exp(log), LABELS), tol=1e-10)
    assert found == pytest.approx(np.exp(best.x), rel=1e-6)
    assert 1.8 < found < 3.5  # they were drawn at 2.5
    assert temperature(LOGITS / found, LABELS) == pytest.approx(1)
    assert temperature(LOGITS + np.arange(200)[:, None], LABELS) == pytest.approx(found)
    order = np.random.default_rng(1).permutation(200)
    assert temperature(LOGITS[order], LABELS[order]) == pytest.approx(found)
    impossible = np.concatenate([LOGITS, np.full((200, 1), -np.inf)], axis=1)
    assert temperature(impossible, LABELS) == pytest.approx(found)


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (np.zeros((0, 2)), []),
        ([[2.0, 1.0], [0.0, 5.0]], [0, 1]),  # all right: the colder the better
        ([[2.0, 1.0], [0.0, 5.0]], [1, 0]),  # all wrong: the hotter the better
        ([[1.0, 1.0]], [0]),  # nothing said
        ([[1.0, -np.inf]], [0]),
    ],
)
def test_where_no_temperature_is_best_there_is_none(logits, labels):
    assert temperature(logits, labels) is None


def test_of_nothing_there_is_no_score():
    nothing = np.zeros((0, 3))
    assert [score(nothing, []) for score in (brier_score, negative_log_likelihood, expected_calibration_error)] == [
        None,
        None,
        None,
    ]
    assert reliability([], [], binning="mass").maximum_error is None


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: brier_score([[0.5, 0.4]], [0]), r"probabilities\[0\] sum to 0.9, not 1; take the softmax"),
        (lambda: brier_score([[1.5, -0.5]], [0]), r"probabilities\[0, 0\] is 1.5 \(2 such\)"),
        (lambda: brier_score([[np.nan, 1]], [0]), r"probabilities\[0, 0\] is nan; numbers must be finite"),
        (lambda: brier_score([1.0], [0]), r"table of items by classes \(N K\)"),
        (lambda: brier_score([[0.5, 0.5]], [2]), r"labels\[0\] is 2"),
        (lambda: brier_score([[0.5, 0.5]], [1, 1]), "probabilities have 1 items and labels 2"),
        (lambda: temperature([[np.nan, 1]], [0]), r"logits\[0, 0\] is nan; a logit is a number"),
        (lambda: temperature([[np.inf, 1]], [0]), "a logit is a number, or −inf"),
        (lambda: temperature([[0, 0], [-np.inf, -np.inf]], [0, 1]), r"all of logits\[1\] is −inf"),
        (lambda: temperature([[0, -np.inf]], [1]), r"logits\[0\] make its label 1 impossible"),
        (lambda: temperature([[0, 1]], [0, 1]), "logits have 1 items and labels 2"),
        (lambda: temperature([0, 1], [0, 1]), "logits must be a table"),
        (lambda: reliability([0.5], [1], binning="equal"), "binning is 'equal'; choose width or mass"),
        (lambda: reliability([0.5], [1], bins=0), "bins must be from 1 to 10,000; got 0"),
        (lambda: reliability([1.5], [1]), "confidences lie between 0 and 1; got 1.5 to 1.5"),
        (lambda: reliability([0.5], [2]), "right says whether each prediction is: 0 or 1; got 2 to 2"),
        (lambda: reliability([0.5], [1, 0]), "confidences have 1 items and right 2"),
        (lambda: reliability([[0.5]], [[1]]), "confidence and right must be rows"),
    ],
)
def test_what_cannot_be_judged_is_named(call, says):
    with pytest.raises(ArgumentError, match=says):
        call()
