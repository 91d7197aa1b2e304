"""Precision, recall and F1 of what was sought: of a class, a label, a type of entity."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.metrics.bootstrap import number


@dataclass(frozen=True)
class Score:
    """How many were found right, of how many that were predicted and how many that there are.

    Formula: precision = right / predicted, recall = right / support, F1 = 2 right / (predicted + support), the
    harmonic mean of the two. A ratio of nothing is None.

    >>> score = Score(right=3, predicted=4, support=6)
    >>> score.precision, score.recall, score.f1
    (0.75, 0.5, 0.6)
    """

    right: float
    predicted: float
    support: float

    def __add__(self, other: "Score") -> "Score":
        return Score(self.right + other.right, self.predicted + other.predicted, self.support + other.support)

    @property
    def precision(self) -> float | None:
        """Of those predicted, the share that is right; None where none was."""
        return self.right / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Of those that there are, the share that was found; None where there are none."""
        return self.right / self.support if self.support else None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall; None where none was predicted and there are none."""
        both = self.predicted + self.support
        return 2 * self.right / both if both else None

    def to_json(self) -> dict[str, Any]:
        """The counts and the ratios."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "support": self.support,
            "predicted": self.predicted,
            "right": self.right,
        }


def named(names: Sequence[str], scores: Sequence[Score]) -> dict[str, Any]:
    """Scores for JSON, by their names. Raises `ArgumentError` where there are not as many, or a name comes twice."""
    if len(names) != len(scores) or len(set(names)) != len(names):
        raise ArgumentError(f"{len(scores)} scores need as many names, each its own; got {len(set(names))} of them")
    return {name: score.to_json() for name, score in zip(names, scores, strict=True)}


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Part over whole; NaN where the whole is nothing.

    >>> ratio(np.array([1, 0]), np.array([4, 0])).tolist()
    [0.25, nan]
    """
    some = whole != 0
    return np.where(some, part / np.where(some, whole, 1), np.nan)


def f1s(right: NDArray[Any], predicted: NDArray[Any], support: NDArray[Any]) -> NDArray[np.float64]:
    """F1 of arrays of counts; NaN where there is none."""
    return ratio(2 * right, predicted + support)


def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the last axis of those values that are numbers; NaN where none is."""
    here = np.isfinite(values)
    return ratio(np.where(here, values, 0).sum(axis=-1), here.sum(axis=-1))


def weighted_mean(values: NDArray[np.float64], weights: NDArray[Any]) -> NDArray[np.float64]:
    """The mean over the last axis, each value as often as its weight says; what is no number must weigh nothing."""
    return ratio((np.where(weights > 0, values, 0) * weights).sum(axis=-1), weights.sum(axis=-1))


def macro_f1(scores: Iterable[Score]) -> float | None:
    """The plain mean of F1 over those that have one."""
    found = [score.f1 for score in scores if score.f1 is not None]
    return float(np.mean(found)) if found else None


def weighted_f1(scores: Iterable[Score]) -> float | None:
    """The mean of F1, weighted by how many there are of each."""
    scores = list(scores)
    values = np.array([np.nan if score.f1 is None else score.f1 for score in scores])
    return number(float(weighted_mean(values, np.array([score.support for score in scores]))))
