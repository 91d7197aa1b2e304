"""The LSTM that writes only where it forgets."""

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


class CoupledLSTM(nn.Module):
    """An LSTM with coupled gates: the input gate is one minus the forget gate.

    Formula:
        f, g, o = W_ih x + b_ih + W_hh h + b_hh
        c = σ(f) c + (1 − σ(f)) tanh(g)
        h = σ(o) tanh(c)

    Shapes: as LSTM with three gates in the order f g o: weight_ih 3H D, weight_hh 3H H, biases 3H.

    Source: Greff et al. (2015), "LSTM: A Search Space Odyssey", variant CIFG, without its peepholes.

    >>> cell = CoupledLSTM(3, 4)
    >>> cell.step(Projected(torch.zeros(2, 12)), cell.initial(2))[0].shape
    torch.Size([2, 4])
    """

    def __init__(self, width: int, hidden: int, *, bias: bool = True, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden
        self.recurrent_dropout = check_rate("recurrent_dropout", recurrent_dropout)
        gates = gate_weights(3, width, hidden, bias)
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = gates
        open_gate(self.bias_ih, 0, hidden)

    def initial(self, batch: int) -> CellState:
        """Zeros."""
        return CellState.zeros(batch, self.weight_hh)

    def project(self, x: Float[Tensor, "B T D"]) -> Projected:
        """W_ih x + b_ih."""
        return projected(self, linear(x, self.weight_ih, self.bias_ih))

    def step(self, z: Projected, state: CellState) -> tuple[Float[Tensor, "B H"], CellState]:
        """The equations above."""
        gates = z.gates + linear(seen(state.hidden, z.keep), self.weight_hh, self.bias_hh)
        f, g, o = gates.chunk(3, -1)
        f = torch.sigmoid(f)
        c = f * state.cell + (1 - f) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, CellState(h, c)
