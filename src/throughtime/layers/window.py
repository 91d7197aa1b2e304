"""Window: the last k inputs through a perceptron, a core without recurrence."""

from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from throughtime.errors import ArgumentError
from throughtime.layers.stream import Stream
from throughtime.padded import Padded


class WindowState(NamedTuple):
    """The last k − 1 inputs, oldest first; zeros where there was none."""

    recent: Tensor  # B k-1 D


class Window(nn.Module):
    """A perceptron over the last k inputs: the fixed-window language model's core. k = 1 sees one input alone.

    Formula: y_t = tanh(W_n ... tanh(W_1 [x_{t−k+1}, ..., x_t] + b_1) ... + b_n), zeros before the beginning.

    Shapes: x B T D; state recent B k−1 D; W_1 H kD, the rest H H.

    Source: Bengio et al. (2003), "A Neural Probabilistic Language Model", without its direct connections.

    >>> outputs, state = Window(3, 4, window=5)(Padded.full(torch.zeros(2, 6, 3)))
    >>> outputs.data.shape, state.recent.shape
    (torch.Size([2, 6, 4]), torch.Size([2, 4, 3]))
    """

    def __init__(self, width: int, hidden: int, *, window: int = 5, layers: int = 1) -> None:
        super().__init__()
        for name, value in (("width", width), ("hidden", hidden), ("window", window), ("layers", layers)):
            if value < 1:
                raise ArgumentError(f"{name} must be at least 1; got {value}")
        self.width, self.hidden, self.window, self.causal = width, hidden, window, True
        widths = [window * width] + [hidden] * layers
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def initial(self, batch: int) -> WindowState:
        """Zeros."""
        weight = next(self.parameters())
        return WindowState(weight.new_zeros(batch, self.window - 1, self.width))

    def forward(
        self, inputs: Padded, state: WindowState | None = None, resets: Bool[Tensor, "B T"] | None = None
    ) -> tuple[Padded, WindowState]:
        """All windows at once. No window reaches across a reset."""
        batch, steps = inputs.data.shape[:2]
        past = self.window - 1
        recent = self.initial(batch).recent if state is None else state.recent
        line = torch.cat([recent.to(inputs.data), inputs.data], 1)
        piece = torch.zeros(batch, past + steps, dtype=torch.long, device=line.device)
        if resets is not None:
            piece[:, past:] = resets.cumsum(1)
        lags = [
            line[:, lag : lag + steps] * (piece[:, lag : lag + steps] == piece[:, past:])[..., None]
            for lag in range(self.window)
        ]
        outputs = inputs.replace(self._perceptron(torch.cat(lags, -1))).zeroed()
        if past == 0:
            return outputs, WindowState(recent)
        last = inputs.lengths.to(line.device)[:, None] + torch.arange(past, device=line.device)
        rows = torch.arange(batch, device=line.device)[:, None]
        same = (piece[rows, last] == piece[rows, last[:, -1:]])[..., None]
        return outputs, WindowState(line[rows, last] * same)

    def step(self, x: Float[Tensor, "B D"], state: WindowState) -> tuple[Float[Tensor, "B H"], WindowState]:
        """One window, on x (B D)."""
        line = torch.cat([state.recent, x[:, None]], 1)
        return self._perceptron(line.flatten(1)), WindowState(line[:, 1:])

    def stream(self, batch: int = 1, state: WindowState | None = None) -> Stream[WindowState]:
        """This core at work on sequences that never end, one item of each row at a time."""
        return Stream(self, batch, state)

    def _perceptron(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x
