"""A core without memory whose outputs are made of their own step alone."""

from typing import Any

from torch import Tensor, nn

from throughtime.errors import ArgumentError
from throughtime.layers.convolve import NoState
from throughtime.layers.dense import Activation, Dense
from throughtime.layers.stream import Stream
from throughtime.padded import Padded


class Feedforward(nn.Module):
    """Dense layers at every step: what a recurrent core is without its state.

    Formula: y_t = φ(W_L ... φ(W_1 x_t + b_1) ... + b_L)
    Shapes: x B T D, outputs B T H.

    >>> import torch
    >>> outputs, _ = Feedforward(3, 4, layers=2)(Padded.full(torch.zeros(2, 5, 3)))
    >>> outputs.data.shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, width: int, hidden: int, *, layers: int = 1, activation: Activation = "tanh") -> None:
        super().__init__()
        if layers < 1:
            raise ArgumentError(f"layers must be at least 1; got {layers}")
        self.dense = Dense(width, [hidden] * layers, activation=activation)
        self.width, self.hidden, self.causal = width, hidden, True

    def initial(self, batch: int) -> NoState:
        """Nothing."""
        return NoState()

    def forward(
        self, inputs: Padded, state: NoState | None = None, resets: Tensor | None = None
    ) -> tuple[Padded, NoState]:
        """All steps at once; where nothing is remembered, resets change nothing."""
        shape = tuple(inputs.data.shape)
        if len(shape) != 3 or shape[2] != self.width:
            raise ArgumentError(f"inputs {shape} do not fit Feedforward: inputs is B T D with D = {self.width}")
        return inputs.replace(self.dense(inputs.data)).zeroed(), NoState()

    def step(self, x: Tensor, state: NoState) -> tuple[Tensor, NoState]:
        """One step: x B D."""
        return self.dense(x), state

    def stream(self, batch: int = 1, state: Any = None) -> Stream[Any]:
        """This core at work on sequences that never end, one item of each row at a time."""
        return Stream(self, batch, state)
