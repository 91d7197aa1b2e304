"""The long short-term memory cell."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from throughtime.cells.cell import (
    CellState,
    Projected,
    check_rate,
    gate_weights,
    open_gate,
    projected,
    seen,
)


class LSTM(nn.Module):
    """Long short-term memory: a memory c behind gates that decide what enters, stays and leaves.

    Formula:
        i, f, g, o = W_ih x + b_ih + W_hh h + b_hh
        c = σ(f) c + σ(i) tanh(g)
        h = σ(o) tanh(c)

    Shapes: x B T D, state hidden and cell B H; weight_ih 4H D, weight_hh 4H H, biases 4H, gates in the order
    i f g o (all as torch.nn.LSTMCell).

    Source: Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000). The forget gate's
    bias starts at 1.

    >>> cell = LSTM(3, 4)
    >>> y, state = cell.step(Projected(torch.zeros(2, 16)), cell.initial(2))
    >>> y.shape, state.cell.shape
    (torch.Size([2, 4]), torch.Size([2, 4]))
    """

    def __init__(self, width: int, hidden: int, *, bias: bool = True, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden
        self.recurrent_dropout = check_rate("recurrent_dropout", recurrent_dropout)
        gates = gate_weights(4, width, hidden, bias)
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = gates
        open_gate(self.bias_ih, 1, hidden)

    def initial(self, batch: int) -> CellState:
        """Zeros."""
        return CellState.zeros(batch, self.weight_hh)

    def project(self, x: Float[Tensor, "B T D"]) -> Projected:
        """W_ih x + b_ih."""
        return projected(self, linear(x, self.weight_ih, self.bias_ih))

    def step(self, z: Projected, state: CellState) -> tuple[Float[Tensor, "B H"], CellState]:
        """The equations above."""
        gates = z.gates + linear(seen(state.hidden, z.keep), self.weight_hh, self.bias_hh)
        i, f, g, o = gates.chunk(4, -1)
        c = torch.sigmoid(f) * state.cell + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, CellState(h, c)
