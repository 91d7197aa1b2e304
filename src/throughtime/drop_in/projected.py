"""The LSTM cell that torch.nn.LSTM has where `proj_size` is given."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from throughtime.cells import CellState


class ProjectedLSTM(nn.Module):
    """The LSTM cell whose output is a projection of o tanh(c) to fewer units: torch.nn.LSTM with proj_size.

    Formula:
        i, f, g, o = W_ih x + b_ih + W_hh h + b_hh
        c = σ(f) c + σ(i) tanh(g)
        h = W_hr (σ(o) tanh(c))

    Shapes: x B T D, state hidden B P and cell B H; weight_ih 4H D, weight_hh 4H P, biases 4H, weight_hr P H.

    Source: Sak, Senior and Beaufays (2014), "Long Short-Term Memory Based Recurrent Neural Network Architectures for
    Large Vocabulary Speech Recognition": the recurrent projection, without peepholes.

    >>> y, state = ProjectedLSTM(3, 4, 2).step(torch.zeros(1, 16), CellState(torch.zeros(1, 2), torch.zeros(1, 4)))
    >>> y.shape, state.cell.shape
    (torch.Size([1, 2]), torch.Size([1, 4]))
    """

    def __init__(self, width: int, hidden: int, projection: int, *, bias: bool = True) -> None:
        super().__init__()
        self.width, self.hidden = width, projection
        bound = hidden**-0.5  # torch.nn's start: uniform in ±1 / √H

        def new(*shape: int) -> nn.Parameter:
            return nn.Parameter(nn.init.uniform_(torch.empty(shape), -bound, bound))

        self.weight_ih, self.weight_hh = new(4 * hidden, width), new(4 * hidden, projection)
        self.bias_ih, self.bias_hh = (new(4 * hidden) if bias else None for _ in range(2))
        self.weight_hr = new(projection, hidden)

    def initial(self, batch: int) -> CellState:
        """Zeros."""
        return CellState(*(self.weight_hr.new_zeros(batch, units) for units in self.weight_hr.shape))

    def project(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T G"]:
        """W_ih x + b_ih."""
        return linear(x, self.weight_ih, self.bias_ih)

    def step(self, z: Float[Tensor, "B G"], state: CellState) -> tuple[Float[Tensor, "B P"], CellState]:
        """The equations above."""
        i, f, g, o = (z + linear(state.hidden, self.weight_hh, self.bias_hh)).chunk(4, -1)
        c = torch.sigmoid(f) * state.cell + torch.sigmoid(i) * torch.tanh(g)
        h = linear(torch.sigmoid(o) * torch.tanh(c), self.weight_hr)
        return h, CellState(h, c)
