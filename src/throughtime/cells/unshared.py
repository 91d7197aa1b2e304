"""A recurrent cell with weights of its own for every step, to show why weights are shared."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from throughtime.cells.cell import gate_weights
from throughtime.errors import ArgumentError


class UnsharedState(NamedTuple):
    """The hidden state, and which step comes next."""

    hidden: Tensor  # B H
    step: Tensor  # B   int64


class UnsharedElman(nn.Module):
    """Elman's cell with other weights at every step: it cannot read a sequence longer than it has weights for.

    Formula: h_t = tanh(W_ih[t] x + W_hh[t] h + b[t])

    Shapes: as Elman, for each of T steps: weight_ih T H D, weight_hh T H H, bias T H.

    Raises `ArgumentError` at the step after the last one.

    >>> cell = UnsharedElman(3, 4, steps=5)
    >>> sum(p.numel() for p in cell.parameters())
    160
    """

    def __init__(self, width: int, hidden: int, *, steps: int) -> None:
        super().__init__()
        if steps < 1:
            raise ArgumentError(f"steps must be at least 1; got {steps}")
        self.width, self.hidden, self.steps = width, hidden, steps
        weights = [gate_weights(1, width, hidden) for _ in range(steps)]
        self.weight_ih = nn.Parameter(torch.stack([w.weight_ih.detach() for w in weights]))
        self.weight_hh = nn.Parameter(torch.stack([w.weight_hh.detach() for w in weights]))
        self.bias = nn.Parameter(torch.zeros(steps, hidden))

    def initial(self, batch: int) -> UnsharedState:
        """Zeros, before the first step."""
        zeros = self.weight_hh.new_zeros(batch, self.hidden)
        return UnsharedState(zeros, zeros.new_zeros(batch, dtype=torch.int64))

    def project(self, x: Float[Tensor, "B T D"]) -> Tensor:
        """The inputs as they are: which weights they meet depends on the step."""
        return x

    def step(self, z: Float[Tensor, "B D"], state: UnsharedState) -> tuple[Float[Tensor, "B H"], UnsharedState]:
        """The equation above; rows may stand at different steps."""
        t = state.step
        if int(t.max()) >= self.steps:
            raise ArgumentError(
                f"this cell has weights for {self.steps} steps and no more; sharing them is what recurrence is for"
            )
        w_ih, w_hh = self.weight_ih[t], self.weight_hh[t]
        a = torch.einsum("bhd,bd->bh", w_ih, z) + torch.einsum("bhk,bk->bh", w_hh, state.hidden) + self.bias[t]
        h = torch.tanh(a)
        return h, UnsharedState(h, t + 1)
