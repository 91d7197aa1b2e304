"""Classes, stars and labels: equal to scikit-learn's, and what scikit-learn has no number for is None."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn import metrics as peer

from throughtime.errors import ArgumentError
from throughtime.metrics import class_scores, confusion_matrix, label_scores, star_scores

CLASSES = 4
pairs = some.lists(some.tuples(some.integers(0, CLASSES - 1), some.integers(0, CLASSES - 1)), min_size=1, max_size=30)


@settings(max_examples=15)
@given(pairs, some.booleans(), some.randoms(use_true_random=False))
def test_classes_are_judged_as_by_sklearn(drawn, weighted, chance):
    labels, predicted = np.array(drawn).T
    weights = np.array([chance.randint(1, 5) for _ in drawn]) if weighted else None
    matrix = confusion_matrix(labels, predicted, CLASSES, weights=weights)
    names = range(CLASSES)
    same = {"sample_weight": weights}
    assert np.array_equal(matrix, peer.confusion_matrix(labels, predicted, labels=names, **same))
    scores = class_scores(matrix)
    assert scores.accuracy == pytest.approx(peer.accuracy_score(labels, predicted, **same))
    for ours, average in [(scores.macro_f1, "macro"), (scores.micro_f1, "micro"), (scores.weighted_f1, "weighted")]:
        assert ours == pytest.approx(peer.f1_score(labels, predicted, average=average, **same))
    table = peer.precision_recall_fscore_support(labels, predicted, labels=names, zero_division=np.nan, **same)
    for score, *theirs in zip(scores.classes, *table, strict=True):
        ours = [score.precision, score.recall, score.f1, score.support]
        assert [np.nan if value is None else value for value in ours] == pytest.approx(theirs, nan_ok=True)


@settings(max_examples=15)
@given(pairs)
def test_stars_are_judged_as_by_sklearn(drawn):
    labels, predicted = np.array(drawn).T
    scores = star_scores(confusion_matrix(labels, predicted, CLASSES))
    assert scores.mean_absolute_error == pytest.approx(peer.mean_absolute_error(labels, predicted))
    if len(set(labels) | set(predicted)) == 1:
        assert scores.quadratic_kappa is None
    else:
        theirs = peer.cohen_kappa_score(labels, predicted, labels=range(CLASSES), weights="quadratic")
        assert scores.quadratic_kappa == pytest.approx(theirs)


@settings(max_examples=15)
@given(some.integers(1, 9), some.integers(1, 4), some.randoms(use_true_random=False))
def test_labels_are_judged_as_by_sklearn(items, kinds, chance):
    labels, predicted = (np.array([[chance.random() < 0.4 for _ in range(kinds)] for _ in range(items)]) for _ in "ab")
    scores = label_scores(labels, predicted)
    columns = ([labels.astype(int), predicted.astype(int)]) if kinds > 1 else [labels[:, 0], predicted[:, 0]]
    assert scores.subset_accuracy == pytest.approx(peer.accuracy_score(*columns))
    assert scores.hamming_loss == pytest.approx(peer.hamming_loss(*columns))
    counts = peer.multilabel_confusion_matrix(labels, predicted) if kinds > 1 else None
    if counts is not None:
        assert [score.right for score in scores.labels] == counts[:, 1, 1].tolist()
        averages = [("micro", scores.micro_f1), ("macro", scores.macro_f1), ("weighted", scores.weighted_f1)]
        for average, ours in averages:
            # A label that is neither had nor predicted has no F1, and a mean of none is none.
            theirs = peer.f1_score(labels, predicted, average=average, zero_division=np.nan)
            assert (np.nan if ours is None else ours) == pytest.approx(theirs, nan_ok=True)


@settings(max_examples=15)
@given(pairs)
def test_order_and_names_of_classes_change_nothing(drawn):
    labels, predicted = np.array(drawn).T
    scores = class_scores(confusion_matrix(labels, predicted, CLASSES))
    turned = class_scores(confusion_matrix(labels[::-1], predicted[::-1], CLASSES))
    assert turned == scores
    renamed = class_scores(confusion_matrix(CLASSES - 1 - labels, CLASSES - 1 - predicted, CLASSES))
    assert renamed.classes == scores.classes[::-1]
    assert renamed.macro_f1 == pytest.approx(scores.macro_f1)
    twice = confusion_matrix(np.tile(labels, 2), np.tile(predicted, 2), CLASSES)
    assert np.array_equal(twice, confusion_matrix(labels, predicted, CLASSES, weights=np.full(len(labels), 2)))


def test_what_is_right_is_1_and_what_is_undefined_is_none():
    perfect = class_scores(np.diag([3, 0, 2]))
    assert (perfect.accuracy, perfect.macro_f1, perfect.micro_f1, perfect.weighted_f1) == (1, 1, 1, 1)
    never = perfect.classes[1]
    assert (never.precision, never.recall, never.f1) == (None, None, None)
    assert (star_scores(np.diag([3, 0, 2])).quadratic_kappa, star_scores([[5]]).quadratic_kappa) == (1, None)
    nothing = class_scores(confusion_matrix([], [], 2))
    assert (nothing.items, nothing.accuracy, nothing.macro_f1, nothing.weighted_f1) == (0, None, None, None)
    assert star_scores(np.zeros((2, 2))).mean_absolute_error is None
    empty = label_scores(np.zeros((0, 3)), np.zeros((0, 3)))
    assert (empty.subset_accuracy, empty.hamming_loss, empty.micro_f1, empty.macro_f1) == (None, None, None, None)
    missed = class_scores([[0, 2], [0, 2]]).classes[0]
    assert (missed.precision, missed.recall, missed.f1) == (None, 0, 0)


def test_json_has_names_and_numbers():
    told = class_scores([[3, 1], [0, 0]]).to_json(["a", "b"])
    assert told["classes"]["b"] == {
        "precision": 0.0,
        "recall": None,
        "f1": 0.0,
        "support": 0,
        "predicted": 1,
        "right": 0,
    }
    assert (told["items"], told["accuracy"]) == (4, 0.75)
    assert label_scores([[1, 0]], [[1, 0]]).to_json(["a", "b"])["labels"]["b"]["f1"] is None


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: confusion_matrix([0, 1], [0], 2), "labels have 2 items and predicted 1"),
        (lambda: confusion_matrix([0, 2], [0, 0], 2), r"labels\[1\] is 2; classes are numbered 0 to 1"),
        (lambda: confusion_matrix([0, 1], [-1, -1], 2), r"predicted\[0\] is -1 \(2 such\)"),
        (lambda: confusion_matrix([0.0, np.nan], [0, 0], 2), "labels must be whole numbers of classes; got float64"),
        (lambda: confusion_matrix(["a"], [0], 2), "whole numbers of classes"),
        (lambda: confusion_matrix([[0]], [[0]], 2), r"labels must be a row .* shape \(1, 1\)"),
        (lambda: confusion_matrix([0], [0], 10**6), "classes must be from 1 to 16384; got 1000000"),
        (lambda: confusion_matrix([0], [0], 2, weights=[-1]), r"weights\[0\] is -1.0; a weight is 0 or more"),
        (lambda: confusion_matrix([0], [0], 2, weights=[np.nan]), r"weights\[0\] is nan; numbers must be finite"),
        (lambda: confusion_matrix([0], [0], 2, weights=[1, 2]), r"weights have the shape \(2,\); 1 items need"),
        (lambda: confusion_matrix([0], [0], 2, weights=["x"]), "weights must be an array of numbers"),
        (lambda: class_scores([[1, 2]]), r"as many rows as columns .* \(1, 2\)"),
        (lambda: class_scores([[-1]]), "counts items, 0 or more of a kind; got -1"),
        (lambda: class_scores([[np.nan, 0], [0, np.inf]]), r"matrix\[0, 0\] is nan \(2 such\)"),
        (lambda: class_scores([[1]]).to_json([]), "1 scores need as many names, each its own; got 0 of them"),
        (lambda: label_scores([[1, 0]], [[1, 0]]).to_json(["a", "a"]), "2 scores need .* got 1 of them"),
        (lambda: label_scores([[1, 2]], [[1, 0]]), r"labels\[0, 1\] is 2; a label is had \(1\) or not \(0\)"),
        (lambda: label_scores([1], [1]), "labels must be a table of items by labels"),
        (lambda: label_scores([[1]], [[1, 0]]), r"labels have the shape \(1, 1\) and predicted \(1, 2\)"),
    ],
)
def test_what_does_not_fit_is_named(call, says):
    with pytest.raises(ArgumentError, match=says) as error:
        call()
    assert "\n" not in str(error.value)
