"""Cores without memory: a convolution over neighbouring steps, and nothing at all."""

from collections.abc import Sequence
from typing import NamedTuple, NoReturn

import torch
from torch import Tensor, nn

from throughtime.errors import ArgumentError
from throughtime.padded import Padded


class NoState(NamedTuple):
    """What is carried from step to step: nothing."""


class Convolution(nn.Module):
    """Filters over neighbouring steps, of several widths side by side.

    Formula: y_t = max(0, W_k [x_{t-a}, ..., x_{t+b}] + b_k), a + b + 1 = k, zeros beyond the ends, for each width k.
    Shapes: x B T D, outputs B T (H × number of widths).
    Source: Kim (2014), "Convolutional Neural Networks for Sentence Classification", whose pool is `MaximumPool`; here
    filters also stand at the ends, half of them over zeros.

    An output sees steps to come, so `step` is refused.

    >>> outputs, _ = Convolution(3, 4, widths=(2, 3))(Padded.full(torch.zeros(2, 5, 3)))
    >>> outputs.data.shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, width: int, hidden: int, *, widths: Sequence[int] = (3, 4, 5)) -> None:
        super().__init__()
        if min(width, hidden) < 1:
            raise ArgumentError(f"width and hidden must be at least 1; got {width} and {hidden}")
        if not widths or min(widths) < 1 or len(set(widths)) < len(widths):
            raise ArgumentError(f"widths must be different numbers from 1 on, one at least; got {list(widths)}")
        self.width, self.hidden, self.causal, self.widths = width, hidden * len(widths), False, tuple(widths)
        self.filters = nn.ModuleList(nn.Conv1d(width, hidden, size) for size in widths)

    def initial(self, batch: int) -> NoState:
        """Nothing."""
        return NoState()

    def forward(
        self, inputs: Padded, state: NoState | None = None, resets: Tensor | None = None
    ) -> tuple[Padded, NoState]:
        """All steps at once. Raises `ArgumentError` for resets, across which filters would see."""
        if resets is not None:
            raise ArgumentError("a convolution sees across resets: give the pieces as sequences of their own")
        _check(self, inputs)
        if not inputs.steps:
            return inputs.replace(inputs.data.new_zeros(len(inputs.data), 0, self.hidden)), NoState()
        x = inputs.zeroed().data.transpose(1, 2)
        outputs = []
        for size, filters in zip(self.widths, self.filters, strict=True):
            outputs.append(torch.relu(filters(nn.functional.pad(x, ((size - 1) // 2, size // 2)))))
        return inputs.replace(torch.cat(outputs, 1).transpose(1, 2)).zeroed(), NoState()

    def step(self, x: Tensor, state: NoState) -> NoReturn:
        """Refused: filters see steps to come."""
        raise ArgumentError("a convolution sees steps to come: it cannot go step by step")


class Direct(nn.Module):
    """A core that gives back what it gets: what is pooled is the embeddings themselves.

    >>> outputs, _ = Direct(3)(Padded.full(torch.ones(2, 5, 3)))
    >>> outputs.data.shape
    torch.Size([2, 5, 3])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        if width < 1:
            raise ArgumentError(f"width must be at least 1; got {width}")
        self.width, self.hidden, self.causal = width, width, True

    def initial(self, batch: int) -> NoState:
        """Nothing."""
        return NoState()

    def forward(
        self, inputs: Padded, state: NoState | None = None, resets: Tensor | None = None
    ) -> tuple[Padded, NoState]:
        """The inputs."""
        _check(self, inputs)
        return inputs.zeroed(), NoState()

    def step(self, x: Tensor, state: NoState) -> tuple[Tensor, NoState]:
        """The input."""
        return x, NoState()


def _check(core: Convolution | Direct, inputs: Padded) -> None:
    """Refuses inputs of another width."""
    shape = tuple(inputs.data.shape)
    if len(shape) != 3 or shape[2] != core.width:
        name = type(core).__name__
        raise ArgumentError(f"inputs {shape} do not fit {name}: inputs is B T D with D = {core.width}")
