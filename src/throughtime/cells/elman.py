"""Elman's simple recurrent cell, and the ReLU cell that starts as the identity (IRNN)."""

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


class Elman(nn.Module):
    """The simple recurrent cell.

    Formula: h = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu for tanh; the output is h.

    Shapes: x B T D, state hidden B H; weight_ih H D, weight_hh H H, bias_ih H, bias_hh H (as torch.nn.RNNCell).

    Source: Elman (1990), "Finding Structure in Time".

    >>> y, state = Elman(3, 4).step(Projected(torch.zeros(2, 4)), HiddenState(torch.zeros(2, 4)))
    >>> y.shape
    torch.Size([2, 4])
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"nonlinearity must be 'tanh' or 'relu'; got {nonlinearity!r}")
        self.width, self.hidden = width, hidden
        self.nonlinearity: Literal["tanh", "relu"] = nonlinearity
        self.recurrent_dropout = check_rate("recurrent_dropout", recurrent_dropout)
        gates = gate_weights(1, width, hidden, bias)
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = gates

    def initial(self, batch: int) -> HiddenState:
        """Zeros."""
        return HiddenState.zeros(batch, self.weight_hh)

    def project(self, x: Float[Tensor, "B T D"]) -> Projected:
        """W_ih x + b_ih."""
        return projected(self, linear(x, self.weight_ih, self.bias_ih))

    def step(self, z: Projected, state: HiddenState) -> tuple[Float[Tensor, "B H"], HiddenState]:
        """The equation above."""
        a = z.gates + linear(seen(state.hidden, z.keep), self.weight_hh, self.bias_hh)
        h = torch.tanh(a) if self.nonlinearity == "tanh" else torch.relu(a)
        return h, HiddenState(h)


def irnn(width: int, hidden: int, *, recurrent_dropout: float = 0.0) -> Elman:
    """An Elman ReLU cell whose recurrence starts as the identity, so that it starts by remembering everything.

    Formula: W_hh = I, b = 0, W_ih ~ N(0, 0.001²).

    Source: Le, Jaitly and Hinton (2015), "A Simple Way to Initialize Recurrent Networks of Rectified Linear
    Units", sections 2 and 4.

    >>> irnn(2, 3).weight_hh.tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    cell = Elman(width, hidden, nonlinearity="relu", recurrent_dropout=recurrent_dropout)
    nn.init.eye_(cell.weight_hh)
    nn.init.normal_(cell.weight_ih, std=0.001)
    return cell
