"""Judging one class an item: accuracy, F1 by class and averaged, and stars, whose distance counts.

All is counted from the confusion matrix (K K), rows the true classes and columns the predicted ones. The functions
that take `matrices` take any stack of them (... K K) and give an array (...) with NaN for what is undefined: they
are what `intervals.cell_interval` draws again. What people read has None there.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from throughtime.errors import ArgumentError
from throughtime.metrics.bootstrap import number
from throughtime.metrics.given import labels_of, numbers_of, same_length, weights_of
from throughtime.metrics.scores import Score, f1s, mean, named, ratio, weighted_mean

LARGEST = 2**28  # cells of a confusion matrix: 2 GiB of them


def confusion_matrix(
    labels: ArrayLike, predicted: ArrayLike, classes: int, *, weights: ArrayLike | None = None
) -> NDArray[np.int64] | NDArray[np.float64]:
    """(K K) how many items of each class (rows) were taken for each class (columns), or what they weigh.

    Raises `ArgumentError` for a class outside 0 to classes − 1 and for lengths that differ.

    >>> confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], 2).tolist()
    [[1, 1], [0, 2]]
    """
    if not 1 <= classes <= LARGEST**0.5:
        raise ArgumentError(f"classes must be from 1 to {int(LARGEST**0.5)}; got {classes}")
    true, taken = labels_of(labels, classes, "labels"), labels_of(predicted, classes, "predicted")
    same_length(true, taken, ("labels", "predicted"))
    return np.bincount(true * classes + taken, weights_of(weights, len(true)), classes**2).reshape(classes, classes)


@dataclass(frozen=True)
class ClassScores:
    """How well classes were told apart.

    The averages of F1 are over the classes that occur, as true ones or predicted ones; others have no F1.
    Of one class an item, micro F1 is the accuracy.
    """

    items: float  # judged, or their weight
    classes: list[Score]
    accuracy: float | None
    macro_f1: float | None
    weighted_f1: float | None  # by support

    @property
    def micro_f1(self) -> float | None:
        """F1 of the counts of all classes together."""
        return self.accuracy

    def to_json(self, names: list[str]) -> dict[str, Any]:
        """Everything, by the names of the classes."""
        return {
            "items": self.items,
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "micro_f1": self.micro_f1,
            "weighted_f1": self.weighted_f1,
            "classes": named(names, self.classes),
        }


def class_scores(matrix: ArrayLike) -> ClassScores:
    """What a confusion matrix says of each class and of all.

    >>> scores = class_scores([[3, 1], [2, 4]])
    >>> scores.accuracy, scores.classes[0].precision, scores.classes[1].recall
    (0.7, 0.6, 0.6666666666666666)
    """
    cells = cells_of(matrix)
    right, predicted, support = _counts(cells)
    return ClassScores(
        cells.sum().item(),
        [Score(*counts) for counts in zip(right.tolist(), predicted.tolist(), support.tolist(), strict=True)],
        number(float(accuracies(cells))),
        number(float(macro_f1s(cells))),
        number(float(weighted_f1s(cells))),
    )


@dataclass(frozen=True)
class StarScores:
    """How far predicted stars are from the true ones. Classes are numbered in their order, one star apart."""

    items: float
    accuracy: float | None
    mean_absolute_error: float | None  # in stars
    quadratic_kappa: float | None  # 1 where all is right, 0 as by chance; None where chance cannot be wrong

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return asdict(self)


def star_scores(matrix: ArrayLike) -> StarScores:
    """What a confusion matrix of ordered classes says.

    >>> star_scores([[2, 0, 0], [0, 2, 0], [1, 0, 1]]).mean_absolute_error
    0.3333333333333333
    """
    cells = cells_of(matrix)
    found = (accuracies(cells), mean_absolute_errors(cells), quadratic_kappas(cells))
    return StarScores(cells.sum().item(), *(number(float(value)) for value in found))


def cells_of(matrix: ArrayLike) -> NDArray[Any]:
    """A confusion matrix (K K). Raises `ArgumentError` for what is none."""
    cells = numbers_of(matrix, "matrix")
    if cells.ndim != 2 or cells.shape[0] != cells.shape[1] or cells.size == 0:
        raise ArgumentError(f"a confusion matrix has as many rows as columns (K K); got the shape {cells.shape}")
    if (cells < 0).any():
        raise ArgumentError(f"a confusion matrix counts items, 0 or more of a kind; got {cells.min():g}")
    given = np.asarray(matrix)
    return given if np.issubdtype(given.dtype, np.integer) else cells


def accuracies(matrices: NDArray[Any]) -> NDArray[np.float64]:
    """(...) the share of items whose class was found."""
    return ratio(np.trace(matrices, axis1=-2, axis2=-1), matrices.sum(axis=(-2, -1)))


def macro_f1s(matrices: NDArray[Any]) -> NDArray[np.float64]:
    """(...) the plain mean of F1 over the classes that occur."""
    return mean(f1s(*_counts(matrices)))


def weighted_f1s(matrices: NDArray[Any]) -> NDArray[np.float64]:
    """(...) the mean of F1, weighted by how many items are of each class."""
    counts = _counts(matrices)
    return weighted_mean(f1s(*counts), counts[2])


def mean_absolute_errors(matrices: NDArray[Any]) -> NDArray[np.float64]:
    """(...) the mean distance of classes that are numbered in their order."""
    return ratio((matrices * _distances(matrices)).sum(axis=(-2, -1)), matrices.sum(axis=(-2, -1)))


def quadratic_kappas(matrices: NDArray[Any]) -> NDArray[np.float64]:
    """(...) agreement beyond chance, a disagreement weighing the square of its distance.

    Formula: κ = 1 − Σ d² n / Σ d² e, e the counts to be expected of the same rows' and columns' sums.
    Source: Cohen (1968), "Weighted kappa".
    """
    squares = _distances(matrices) ** 2
    rows, columns = matrices.sum(axis=-1, dtype=np.float64), matrices.sum(axis=-2, dtype=np.float64)
    expected = (rows[..., :, None] * columns[..., None, :] * squares).sum(axis=(-2, -1))
    return 1 - ratio((matrices * squares).sum(axis=(-2, -1)) * rows.sum(axis=-1), expected)


def _counts(matrices: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """(... K) items of each class that were found, that were predicted, and that there are."""
    return np.diagonal(matrices, axis1=-2, axis2=-1), matrices.sum(axis=-2), matrices.sum(axis=-1)


def _distances(matrices: NDArray[Any]) -> NDArray[np.int64]:
    places = np.arange(matrices.shape[-1])
    distances: NDArray[np.int64] = np.abs(places[:, None] - places)
    return distances
