"""A classifier at work on a series that goes on: after every step, what is said of all so far."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from throughtime.errors import ArgumentError
from throughtime.layers.pool import LastPool, MaximumPool, MeanPool
from throughtime.layers.stream import Stream
from throughtime.models.classifier import Classifier


def goes_on(model: Any) -> bool:
    """Whether a model can answer after every step: its core reads forward only, and its pool can be carried on."""
    if not isinstance(model, Classifier) or model.embedding is not None or not model.core.causal:
        return False
    pool = model.pool
    return isinstance(pool, MeanPool | MaximumPool) or (isinstance(pool, LastPool) and not pool.both)


class Running:
    """A classifier of numbers that reads one step at a time; the core's state and the pool's are carried.

    Formula: of y_1 ... y_t what the pool says: y_t, their mean, or the largest number of each feature so far.

    Raises `ArgumentError` for a model that needs the whole series, as `goes_on` tells.

    >>> from throughtime.heads.classes import Classes
    >>> from throughtime.layers import Direct
    >>> running = Running(Classifier(None, Direct(2), MeanPool(), Classes(2, 3)).eval())
    >>> running.step(torch.ones(2)).shape, running.steps
    (torch.Size([3]), 1)
    """

    def __init__(self, model: Classifier) -> None:
        if not goes_on(model):
            raise ArgumentError(
                "this classifier needs the whole series: its core reads it from both ends, or all at once"
            )
        self.model = model
        self.stream = Stream(model.core)
        self._first, self._device = self.stream.state, next(model.parameters()).device
        self.steps, self._pooled = 0, torch.zeros(0)

    @property
    def state(self) -> tuple[Any, int, Tensor]:
        """All that it remembers of the series: set it to go on from there."""
        return self.stream.state, self.steps, self._pooled

    @state.setter
    def state(self, state: tuple[Any, int, Tensor]) -> None:
        self.stream.state, self.steps, self._pooled = state

    def begin(self) -> None:
        """A new series."""
        self.stream.state, self.steps = self._first, 0

    @torch.no_grad()
    def step(self, x: Float[Tensor, " D"]) -> Float[Tensor, " K"]:
        """log p of every class, for the series up to this step."""
        y = self.stream.step(x[None].to(self._device))[0].clone()
        pool, self.steps = self.model.pool, self.steps + 1
        if self.steps == 1 or isinstance(pool, LastPool):
            self._pooled = y
        elif isinstance(pool, MaximumPool):
            self._pooled = torch.maximum(self._pooled, y)
        else:
            self._pooled = self._pooled + (y - self._pooled) / self.steps
        return self.model.head.log_probabilities(self._pooled[None])[0]
