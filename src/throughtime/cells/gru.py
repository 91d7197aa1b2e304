"""Gated recurrent units: full with the reset after or before the product, and simplified."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from throughtime.cells.cell import (
    HiddenState,
    Projected,
    check_rate,
    gate_weights,
    projected,
    seen,
)
from throughtime.errors import ArgumentError


class GRU(nn.Module):
    """The gated recurrent unit: a memory that is its own output, half old and half new as the gate z says.

    Formula, with a_r a_z a_n the blocks of W_ih x + b_ih:
        r = σ(a_r + W_hr h + b_hr)
        z = σ(a_z + W_hz h + b_hz)
        n = tanh(a_n + r (W_hn h + b_hn))      reset="after" the product, as torch and cuDNN have it
        n = tanh(a_n + W_hn (r h) + b_hn)      reset="before" the product
        h = (1 − z) n + z h

    Shapes: x B T D, state hidden B H; weight_ih 3H D, weight_hh 3H H, biases 3H, gates in the order r z n (all
    as torch.nn.GRUCell).

    Source: Cho et al. (2014), equations 5-8, is "before"; its z keeps the old state, as torch's. Texts that
    write h = (1 − z) h + z n call our 1 − z their z.

    >>> cell = GRU(3, 4, reset="before")
    >>> cell.step(Projected(torch.zeros(2, 12)), cell.initial(2))[0].shape
    torch.Size([2, 4])
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        reset: Literal["after", "before"] = "after",
        bias: bool = True,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if reset not in ("after", "before"):
            raise ArgumentError(f"reset must be 'after' or 'before' the product; got {reset!r}")
        self.width, self.hidden = width, hidden
        self.recurrent_dropout = check_rate("recurrent_dropout", recurrent_dropout)
        self.reset: Literal["after", "before"] = reset
        gates = gate_weights(3, width, hidden, bias)
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = gates

    def initial(self, batch: int) -> HiddenState:
        """Zeros."""
        return HiddenState.zeros(batch, self.weight_hh)

    def project(self, x: Float[Tensor, "B T D"]) -> Projected:
        """W_ih x + b_ih."""
        return projected(self, linear(x, self.weight_ih, self.bias_ih))

    def step(self, z: Projected, state: HiddenState) -> tuple[Float[Tensor, "B H"], HiddenState]:
        """The equations above."""
        h = state.hidden
        a_r, a_z, a_n = z.gates.chunk(3, -1)
        if self.reset == "after":
            h_r, h_z, h_n = linear(seen(h, z.keep), self.weight_hh, self.bias_hh).chunk(3, -1)
            r, update = torch.sigmoid(a_r + h_r), torch.sigmoid(a_z + h_z)
            n = torch.tanh(a_n + r * h_n)
        else:
            cut = 2 * self.hidden
            bias_gates, bias_n = (None, None) if self.bias_hh is None else self.bias_hh.tensor_split([cut])
            h_r, h_z = linear(seen(h, z.keep), self.weight_hh[:cut], bias_gates).chunk(2, -1)
            r, update = torch.sigmoid(a_r + h_r), torch.sigmoid(a_z + h_z)
            n = torch.tanh(a_n + linear(seen(r * h, z.keep), self.weight_hh[cut:], bias_n))
        h = (1 - update) * n + update * h
        return h, HiddenState(h)


class SimplifiedGRU(nn.Module):
    """The gated recurrent unit with its update gate alone.

    Formula:
        z, n = W_ih x + b_ih + W_hh h + b_hh
        h = (1 − σ(z)) tanh(n) + σ(z) h

    Shapes: as GRU with two gates in the order z n: weight_ih 2H D, weight_hh 2H H, biases 2H.

    Source: the simplified GRU by which the full one is usually taught; the "update gate only" unit of
    Zhou et al. (2016) without its second use of the gate. As in GRU, z keeps the old state.

    >>> cell = SimplifiedGRU(3, 4)
    >>> cell.step(Projected(torch.zeros(2, 8)), cell.initial(2))[0].shape
    torch.Size([2, 4])
    """

    def __init__(self, width: int, hidden: int, *, bias: bool = True, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden
        self.recurrent_dropout = check_rate("recurrent_dropout", recurrent_dropout)
        gates = gate_weights(2, width, hidden, bias)
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = gates

    def initial(self, batch: int) -> HiddenState:
        """Zeros."""
        return HiddenState.zeros(batch, self.weight_hh)

    def project(self, x: Float[Tensor, "B T D"]) -> Projected:
        """W_ih x + b_ih."""
        return projected(self, linear(x, self.weight_ih, self.bias_ih))

    def step(self, z: Projected, state: HiddenState) -> tuple[Float[Tensor, "B H"], HiddenState]:
        """The equations above."""
        gates = z.gates + linear(seen(state.hidden, z.keep), self.weight_hh, self.bias_hh)
        update, n = gates.chunk(2, -1)
        update = torch.sigmoid(update)
        h = (1 - update) * torch.tanh(n) + update * state.hidden
        return h, HiddenState(h)
