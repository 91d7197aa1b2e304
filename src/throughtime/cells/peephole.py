"""The LSTM whose gates look at the memory cell."""

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


class PeepholeLSTM(nn.Module):
    """An LSTM whose gates see the memory cell through one weight a unit.

    Formula:
        i, f, g, o = W_ih x + b_ih + W_hh h + b_hh
        c' = σ(f + w_cf c) c + σ(i + w_ci c) tanh(g)
        h = σ(o + w_co c') tanh(c')

    Shapes: as LSTM (gates i f g o); weight_ci, weight_cf, weight_co H.

    Source: Gers and Schmidhuber (2000), "Recurrent Nets that Time and Count": peepholes are diagonal, i and f
    look at the cell before the step and o at the cell after it. Peepholes start at zero, as an LSTM.

    >>> cell = PeepholeLSTM(3, 4)
    >>> cell.step(Projected(torch.zeros(2, 16)), cell.initial(2))[0].shape
    torch.Size([2, 4])
    """

    def __init__(self, width: int, hidden: int, *, bias: bool = True, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden
        self.recurrent_dropout = check_rate("recurrent_dropout", recurrent_dropout)
        gates = gate_weights(4, width, hidden, bias)
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = gates
        self.weight_ci, self.weight_cf, self.weight_co = (nn.Parameter(torch.zeros(hidden)) for _ in range(3))
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
        i, f = i + self.weight_ci * state.cell, f + self.weight_cf * state.cell
        c = torch.sigmoid(f) * state.cell + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o + self.weight_co * c) * torch.tanh(c)
        return h, CellState(h, c)
