"""Dense layers: units that see all outputs of the layer before."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from throughtime.cells.cell import check_rate
from throughtime.errors import ArgumentError

Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu"]
SLOPE = 0.1  # of leaky_relu below zero


class Dense(nn.Module):
    """Layers one above the other; none of them gives back what it gets.

    Formula: h_0 = x, h_l = φ(W_l h_{l−1} + b_l), with φ(a) = 1 / (1 + e^{−a}) (sigmoid), tanh a, max(0, a) (relu), or
    a where a > 0 and 0.1 a elsewhere (leaky_relu).
    Shapes: x ... D, outputs ... H_L; `hidden` is H_1, ..., H_L.
    Dropout falls on every h_l, l ≥ 1.

    >>> Dense(2, (8, 3))(torch.zeros(5, 2)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self, width: int, hidden: Sequence[int], *, activation: Activation = "relu", dropout: float = 0.0
    ) -> None:
        super().__init__()
        check_rate("dropout", dropout)
        if min((width, *hidden)) < 1:
            raise ArgumentError(f"width and hidden must be at least 1; got {width} and {list(hidden)}")
        sizes = [width, *hidden]
        self.width, self.hidden, self.activation = width, sizes[-1], activation
        self.layers = nn.ModuleList(nn.Linear(below, size) for below, size in zip(sizes, hidden, strict=False))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """All layers."""
        for layer in self.layers:
            x = self.dropout(activate(layer(x), self.activation))
        return x


def activate(a: Tensor, activation: Activation) -> Tensor:
    """φ(a), number by number.

    >>> activate(torch.tensor([-1.0, 2.0]), "leaky_relu")
    tensor([-0.1000,  2.0000])
    """
    match activation:
        case "sigmoid":
            return torch.sigmoid(a)
        case "tanh":
            return torch.tanh(a)
        case "relu":
            return torch.relu(a)
        case "leaky_relu":
            return F.leaky_relu(a, SLOPE)
