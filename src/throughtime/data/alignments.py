"""Alignments: how much each unit of a target looked at each unit of its source."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError

SPACE = "\u2581"  # with which the name of a subword begins where white space stands before it


@dataclass(frozen=True)
class Alignment:
    """The weights of attention of one pair, with the names of its units.

    Shapes: weights N T S: heads, units of the target, units of the source.

    Raises `ArgumentError` for weights of another shape, that are no numbers, or below zero.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]  # the last is the end symbol
    weights: NDArray[np.float32]

    def __post_init__(self) -> None:
        shape = (len(self.target), len(self.source))
        if self.weights.ndim != 3 or self.weights.shape[1:] != shape or not self.target:
            raise ArgumentError(
                f"weights of {shape[0]} units over {shape[1]} are heads x {shape[0]} x {shape[1]}, and a target has at "
                f"least its end symbol; got {' x '.join(map(str, self.weights.shape))}"
            )
        if not (np.isfinite(self.weights).all() and self.weights.min(initial=0.0) >= 0):
            raise ArgumentError("weights of attention are numbers from 0 on; got some that are not")

    @property
    def mean(self) -> NDArray[np.float32]:
        """(T S) The mean over the heads."""
        if not len(self.weights):
            return np.zeros(self.weights.shape[1:], np.float32)
        mean: NDArray[np.float32] = self.weights.mean(0)
        return mean

    def words(self, *, source: bool = True, target: bool = True) -> "Alignment":
        """The same between words, where units are subwords: of the source, of the target, or of both.

        Weights are summed over the subwords of a word that is looked at, and are the mean over those of a word that
        looks, so that what a word gives away is still one in all. The end symbol stays as it is.

        Source: Clark et al. (2019), section 4.1.

        >>> weights = np.array([[[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]], np.float32)
        >>> found = Alignment(("\u2581un", "told", "\u2581joy"), ("Freude", "<eos>"), weights).words()
        >>> found.source, found.weights.tolist()
        (('untold', 'joy'), [[[0.75, 0.25], [0.0, 1.0]]])
        """
        names, weights = self.source, self.weights
        if source and names:
            names, starts = _words(names)
            weights = np.add.reduceat(weights, starts, axis=2)
        looking, end = self.target[:-1], self.target[-1:]
        if target and looking:
            looking, starts = _words(looking)
            counts = np.diff([*starts, len(self.target) - 1])
            means = np.add.reduceat(weights[:, :-1], starts, axis=1) / counts[:, None]
            weights = np.concatenate([means, weights[:, -1:]], axis=1)
        return Alignment(names, looking + end, weights.astype(np.float32))

    def links(self, threshold: float | None = None) -> list[tuple[int, int]]:
        """Which unit of the source belongs to which of the target, by their places from 0 on, in the target's order.

        Each unit of the target but the end symbol belongs to the one that it looked at most, by the mean over heads
        (to the first of several); with a `threshold` to all that have that weight at least, which may be none.

        Raises `ArgumentError` for a threshold outside of (0, 1].

        >>> Alignment(("a", "b"), ("x", "<eos>"), np.array([[[0.4, 0.6], [1, 0]]], np.float32)).links()
        [(1, 0)]
        """
        if threshold is not None and not 0 < threshold <= 1:
            raise ArgumentError(f"a threshold of weights is in (0, 1]; got {threshold}")
        looked = self.mean[:-1]
        if threshold is not None:
            return [(int(s), int(t)) for t, s in np.argwhere(looked >= threshold)]
        if not self.source:
            return []
        return [(int(row.argmax()), place) for place, row in enumerate(looked) if row.max() > 0]


def pharaoh(links: Sequence[tuple[int, int]]) -> str:
    """Links as a line of the Pharaoh format: pairs of source and target.

    >>> pharaoh([(0, 0), (2, 1)])
    '0-0 2-1'
    """
    return " ".join(f"{source}-{target}" for source, target in links)


def _words(names: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
    """Subwords put together, and the places at which words begin.

    White space alone is no word: it belongs to the word before it, or at the beginning to the first.
    """
    words, starts, fresh = list[str](), list[int](), True
    for place, name in enumerate(names):
        letters = name.replace(SPACE, "")
        fresh = fresh or name.startswith(SPACE)
        if not starts or (letters and fresh and words[-1]):
            words.append(letters)
            starts.append(place)
        else:
            words[-1] += letters
        fresh = fresh and not letters
    return tuple(words), starts
