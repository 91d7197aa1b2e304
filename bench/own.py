"""A cell that the library has never seen: what a user would write, as plain equations."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Memory(NamedTuple):
    hidden: Tensor  # B H


class MinimalGated(nn.Module):
    """The minimal gated unit: a GRU whose one gate both resets and updates.

    Formula:
        f = σ(W_f x + U_f h)
        n = tanh(W_n x + U_n (f h))
        h = (1 − f) h + f n

    Source: Zhou et al. (2016), "Minimal Gated Unit for Recurrent Neural Networks".
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden
        self.inputs = nn.Linear(width, 2 * hidden)
        self.gate, self.candidate = (nn.Linear(hidden, hidden, bias=False) for _ in range(2))

    def initial(self, batch: int) -> Memory:
        return Memory(self.gate.weight.new_zeros(batch, self.hidden))

    def project(self, x: Tensor) -> Tensor:
        return self.inputs(x)

    def step(self, z: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        a_f, a_n = z.chunk(2, -1)
        f = torch.sigmoid(a_f + self.gate(state.hidden))
        n = torch.tanh(a_n + self.candidate(f * state.hidden))
        h = (1 - f) * state.hidden + f * n
        return h, Memory(h)
