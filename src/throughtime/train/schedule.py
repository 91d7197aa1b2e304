"""Learning rates over the course of training, and the patience with which improvement is waited for."""

import math
from typing import Literal, NamedTuple

Shape = Literal["cosine", "plateau", "constant"]


def multiplier(shape: Shape, *, step: int, warmup_steps: int, done: float, cuts: int = 0) -> float:
    """What the learning rate is multiplied by.

    Formula: min(1, (step + 1) / warmup_steps) times
        cosine    0.01 + 0.99 (1 + cos(π done)) / 2, `done` being the share of the training that is over
        plateau   1 / 4^cuts
        constant  1

    Source: Loshchilov and Hutter (2017) for the cosine, with a floor of one hundredth.

    >>> [round(multiplier("cosine", step=9, warmup_steps=10, done=d), 3) for d in (0.0, 0.5, 1.0)]
    [1.0, 0.505, 0.01]
    """
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    if shape == "cosine":
        return warm * (0.01 + 0.99 * (1 + math.cos(math.pi * min(1.0, done))) / 2)
    return warm * (0.25**cuts if shape == "plateau" else 1.0)


class Waiting(NamedTuple):
    """The best validation loss, and how often it has not been bettered since; a value, changed by `after`.

    >>> waiting = Waiting().after(2.0).after(1.5).after(1.6)
    >>> waiting.best, waiting.stale, waiting.cuts
    (1.5, 1, 1)
    """

    best: float = math.inf
    stale: int = 0  # evaluations since the best
    cuts: int = 0  # evaluations in all that were not the best, each a step down for the plateau schedule

    def after(self, loss: float) -> "Waiting":
        """The new value, after an evaluation."""
        if loss < self.best:
            return Waiting(loss, 0, self.cuts)
        return Waiting(self.best, self.stale + 1, self.cuts + 1)
