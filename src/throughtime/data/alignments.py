"""Alignments: how much each unit of a target looked at each unit of its source."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.data.line_units import SPACE
from throughtime.data.units import END
from throughtime.errors import ArgumentError

BYTES = re.compile("0x((?:[0-9a-f]{2})+)")  # what a unit is called that is no whole character
PIECES = 8  # of bytes that are put together, at most


@dataclass(frozen=True)
class Alignment:
    """The weights of attention of one pair, with the names of its units.

    Shapes: weights N T S: heads, units of the target, units of the source.

    Raises `ArgumentError` for weights of another shape, that are no numbers, or below zero.
    """

    source: tuple[str, ...]  # with its end symbol, where the model reads one
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
    def ends(self) -> bool:
        """Whether the last unit of the source is its end symbol."""
        return self.source[-1:] == (END,)

    @property
    def mean(self) -> NDArray[np.float32]:
        """(T S) The mean over the heads."""
        if not len(self.weights):
            return np.zeros(self.weights.shape[1:], np.float32)
        mean: NDArray[np.float32] = self.weights.mean(0)
        return mean

    def words(self, *, source: bool = True, target: bool = True) -> "Alignment":
        """The same between words, where units are subwords: of the source, of the target, or of both.

        A word begins where white space stands before a unit. The end symbols stay as they are.

        >>> weights = np.array([[[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]], np.float32)
        >>> found = Alignment(("un", "told", "␣joy"), ("Freude", "<eos>"), weights).words()
        >>> found.source, found.weights.tolist()
        (('untold', 'joy'), [[[0.75, 0.25], [0.0, 1.0]]])
        """
        whole = self.characters()
        names, looking = whole.source[: len(whole.source) - whole.ends], whole.target[:-1]
        return whole._joined(_words(names) if source else None, _words(looking) if target else None)

    def characters(self) -> "Alignment":
        """The same, where subwords that hold but a part of a character are put together, and read as what they are."""
        names, looking = self.source[: len(self.source) - self.ends], self.target[:-1]
        return self._joined(_characters(names), _characters(looking))

    def _joined(self, source: "Groups | None", target: "Groups | None") -> "Alignment":
        """The same between groups of units.

        Weights are summed over the units of a group that is looked at, and are the mean over those of a group that
        looks, so that what it gives away is still one in all.

        Source: Clark et al. (2019), section 4.1, of subwords.
        """
        names, looking, weights = self.source, self.target, self.weights
        if source is not None and source.names:
            names = (*source.names, *names[len(names) - self.ends :])
            starts = [*source.starts, len(self.source) - 1] if self.ends else source.starts
            weights = np.add.reduceat(weights, starts, axis=2)
        if target is not None and target.names:
            looking = (*target.names, looking[-1])
            starts = [*target.starts, len(self.target) - 1]
            counts = np.diff([*starts, len(self.target)])
            weights = np.add.reduceat(weights, starts, axis=1) / counts[:, None]
        return Alignment(tuple(names), tuple(looking), weights.astype(np.float32))

    def links(self, threshold: float | None = None) -> list[tuple[int, int]]:
        """Which unit of the source belongs to which of the target, by their places from 0 on, in the target's order.

        Each unit of the target belongs to the one that it looked at most, by the mean over heads (to the first of
        several); with a `threshold` to all that have that weight at least, which may be none. The end symbols are left
        out: who looked at the source's end most belongs to none.

        Raises `ArgumentError` for a threshold outside of (0, 1].

        >>> Alignment(("a", "b"), ("x", "<eos>"), np.array([[[0.4, 0.6], [1, 0]]], np.float32)).links()
        [(1, 0)]
        """
        if threshold is not None and not 0 < threshold <= 1:
            raise ArgumentError(f"a threshold of weights is in (0, 1]; got {threshold}")
        looked, last = self.mean[:-1], len(self.source) - self.ends
        if threshold is not None:
            return [(int(s), int(t)) for t, s in np.argwhere(looked[:, :last] >= threshold)]
        if not last:
            return []
        best = looked.argmax(1)
        return [(int(s), t) for t, s in enumerate(best) if s < last and looked[t, s] > 0]


def pharaoh(links: Sequence[tuple[int, int]]) -> str:
    """Links as a line of the Pharaoh format: pairs of source and target.

    >>> pharaoh([(0, 0), (2, 1)])
    '0-0 2-1'
    """
    return " ".join(f"{source}-{target}" for source, target in links)


class Groups(NamedTuple):
    """Units put together: what each group is called, and the place of its first unit."""

    names: list[str]
    starts: list[int]


def _words(names: Sequence[str]) -> Groups:
    """Words. White space alone is none: it belongs to the word before it, or at the beginning to the first."""
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
    return Groups(words, starts)


def _characters(names: Sequence[str]) -> Groups:
    """Units that are whole characters, and runs of bytes that are some when they are put together."""
    whole, place = Groups([], []), 0
    while place < len(names):
        text, taken = names[place], 1
        for end in range(place + 1, min(place + PIECES, len(names)) + 1):
            if not BYTES.fullmatch(names[end - 1]):
                break
            body = bytes.fromhex("".join(name[2:] for name in names[place:end]))
            try:
                text, taken = body.decode().replace(" ", SPACE), end - place
            except UnicodeDecodeError:
                continue
            break
        whole.names.append(text)
        whole.starts.append(place)
        place += taken
    return whole
