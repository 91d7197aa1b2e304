"""Judging any number of labels an item.

All is counted by item and label: (N K 3), whether it is right, predicted, true. The functions that take `sums` take
sums of such counts over items (... K 3): they are what `intervals.sum_interval` draws again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from throughtime.metrics.bootstrap import number
from throughtime.metrics.given import marks_of, same_shape
from throughtime.metrics.scores import Score, f1s, mean, named, ratio, weighted_mean


@dataclass(frozen=True)
class LabelScores:
    """How well sets of labels were found. The averages of F1 are over the labels that occur."""

    items: int
    labels: list[Score]
    subset_accuracy: float | None  # items all of whose labels were found, and no other
    hamming_loss: float | None  # of all marks, items times labels, those that are wrong
    micro_f1: float | None  # of the counts of all labels together
    macro_f1: float | None
    weighted_f1: float | None  # by support

    def to_json(self, names: list[str]) -> dict[str, Any]:
        """Everything, by the names of the labels."""
        return {
            "items": self.items,
            "subset_accuracy": self.subset_accuracy,
            "hamming_loss": self.hamming_loss,
            "micro_f1": self.micro_f1,
            "macro_f1": self.macro_f1,
            "weighted_f1": self.weighted_f1,
            "labels": named(names, self.labels),
        }


def label_scores(labels: ArrayLike, predicted: ArrayLike) -> LabelScores:
    """How well the labels of items (N K) were found.

    Raises `ArgumentError` for shapes that differ and for marks that are neither 0 nor 1.

    >>> scores = label_scores([[1, 0], [1, 1]], [[1, 0], [0, 1]])
    >>> scores.subset_accuracy, scores.hamming_loss, scores.micro_f1
    (0.5, 0.25, 0.8)
    """
    counts = label_counts(labels, predicted)
    items, sums = len(counts), counts.sum(axis=0)
    wrong = counts[..., 1] + counts[..., 2] - 2 * counts[..., 0]
    exact, wrongs = np.array((wrong == 0).all(axis=1).sum()), np.array(wrong.sum())
    return LabelScores(
        items,
        [Score(*row) for row in sums.tolist()],
        number(float(ratio(exact, np.array(items)))),
        number(float(ratio(wrongs, np.array(wrong.size)))),
        number(float(micro_f1s(sums))),
        number(float(macro_f1s(sums))),
        number(float(weighted_f1s(sums))),
    )


def label_counts(labels: ArrayLike, predicted: ArrayLike) -> NDArray[np.int64]:
    """(N K 3) for each item and label 1 where it is found right, where it is predicted, where it is true."""
    true, taken = marks_of(labels, "labels"), marks_of(predicted, "predicted")
    same_shape(true, taken, ("labels", "predicted"))
    return np.stack([true & taken, taken, true], axis=-1).astype(np.int64)


def micro_f1s(sums: NDArray[Any]) -> NDArray[np.float64]:
    """(...) F1 of the counts (... K 3) of all kinds together."""
    return f1s(*np.moveaxis(sums.sum(axis=-2), -1, 0))


def macro_f1s(sums: NDArray[Any]) -> NDArray[np.float64]:
    """(...) the plain mean of F1 over the kinds that occur in the counts (... K 3)."""
    return mean(f1s(*np.moveaxis(sums, -1, 0)))


def weighted_f1s(sums: NDArray[Any]) -> NDArray[np.float64]:
    """(...) the mean of F1 of the counts (... K 3), weighted by how many there are of each kind."""
    return weighted_mean(f1s(*np.moveaxis(sums, -1, 0)), sums[..., 2])
