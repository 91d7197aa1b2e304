"""The mistakes about which probabilities are surest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Wrong(NamedTuple):
    """An answer that is not true."""

    place: int  # of the item
    label: int  # that is said; or denied, where an item may have several
    rival: int | None  # the true one; None where an item may have several
    denied: bool
    probability: float  # that the model gave to what it said

    def said(self, classes: Sequence[str]) -> str:
        """What was said, in words.

        >>> Wrong(0, 1, None, True, 0.75).said(["good", "bad"])
        'no bad'
        """
        return f"no {classes[self.label]}" if self.denied else classes[self.label]


def surest(logs: NDArray[np.float64], truth: NDArray[np.int64], most: int) -> tuple[list[Wrong], int]:
    """The surest mistakes, and how many items there are in all about which the model is wrong.

    logs (N K) are log p; truth is a class an item (N), or 0 and 1 (N K) where an item may have several labels: then it
    is the one that is said, or denied, with most certainty.

    >>> surest(np.log([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]), np.array([1, 1, 0]), 1)[0][0].place
    0
    """
    shares, places = np.exp(logs), np.arange(len(logs))
    several = truth.ndim == 2
    if several:
        said, true = shares > 0.5, truth == 1
    else:
        said, true = (np.arange(shares.shape[1]) == best[:, None] for best in (shares.argmax(1), truth))
    sure = np.where(said, shares, 1 - shares) if several else np.where(said, shares, 0.0)
    wrong = np.where(said != true, sure, -1.0)
    if not several:
        wrong[true] = -1.0
    label, worst = wrong.argmax(1), wrong.max(1, initial=-1.0)
    order = [int(place) for place in places[np.argsort(-worst, kind="stable")] if worst[place] >= 0]
    found = []
    for place in order[:most]:
        one = int(label[place])
        rival, denied = (None, not said[place, one]) if several else (int(truth[place]), False)
        found.append(Wrong(place, one, rival, denied, float(worst[place])))
    return found, len(order)
