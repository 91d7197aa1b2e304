"""Heads over numbers: one value, and quantiles."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from throughtime.errors import ArgumentError
from throughtime.tally import Tally


class Regression(nn.Module):
    """K numbers for each feature vector.

    Formula: y = W h + b; the loss is (y − t)², or Huber's: half of that within `delta`, delta (|y − t| − delta/2)
    beyond.
    Shapes: features ... H, targets ... K; a target that is NaN is not scored.

    >>> Regression(4, 2).loss(torch.zeros(3, 4), torch.zeros(3, 2)).count
    6
    """

    def __init__(self, hidden: int, numbers: int, *, delta: float | None = None) -> None:
        super().__init__()
        if delta is not None and not delta > 0:
            raise ArgumentError(f"delta must be above 0; got {delta}")
        self.linear, self.delta = nn.Linear(hidden, numbers), delta

    def loss(self, features: Float[Tensor, "*rows H"], targets: Float[Tensor, "*rows K"]) -> Tally:
        """The sum over numbers that are there, and their count."""
        wanted = ~torch.isnan(targets)
        guess, truth = self(features)[wanted], targets[wanted]
        if self.delta is None:
            return Tally(F.mse_loss(guess, truth, reduction="sum"), int(wanted.sum()))
        return Tally(F.huber_loss(guess, truth, reduction="sum", delta=self.delta), int(wanted.sum()))

    def forward(self, features: Float[Tensor, "*rows H"]) -> Float[Tensor, "*rows K"]:
        """The numbers."""
        return self.linear(features).float()  # type: ignore[no-any-return]


class Quantiles(nn.Module):
    """K numbers for each feature vector, each at several quantiles.

    Formula: loss Σ_q max(q (t − y_q), (q − 1) (t − y_q)); the quantiles do not cross: each is the one below plus a
    softplus.
    Shapes: features ... H, targets ... K, outputs ... K Q; a target that is NaN is not scored.
    Source: Koenker and Bassett (1978) for the loss.

    >>> Quantiles(4, 2, levels=(0.1, 0.5, 0.9))(torch.zeros(3, 4)).shape
    torch.Size([3, 2, 3])
    """

    def __init__(self, hidden: int, numbers: int, *, levels: tuple[float, ...]) -> None:
        super().__init__()
        if not levels or not levels[0] > 0 or not levels[-1] < 1 or any(a >= b for a, b in pairwise(levels)):
            raise ArgumentError(f"levels must rise within 0..1; got {levels}")
        self.numbers, self.levels = numbers, levels
        self.linear = nn.Linear(hidden, numbers * len(levels))
        self.register_buffer("shares", torch.tensor(levels), persistent=False)

    def loss(self, features: Float[Tensor, "*rows H"], targets: Float[Tensor, "*rows K"]) -> Tally:
        """The sum over numbers that are there and their quantiles, and the count of the numbers."""
        wanted = ~torch.isnan(targets)
        rest = targets[wanted][:, None] - self(features)[wanted]
        shares = self.get_buffer("shares")
        return Tally(torch.maximum(shares * rest, (shares - 1) * rest).sum(), int(wanted.sum()))

    def forward(self, features: Float[Tensor, "*rows H"]) -> Float[Tensor, "*rows K Q"]:
        """The quantiles, rising."""
        outputs = self.linear(features).float().unflatten(-1, (self.numbers, len(self.levels)))
        steps = F.softplus(outputs[..., 1:])
        return torch.cat([outputs[..., :1], outputs[..., :1] + steps.cumsum(-1)], -1)
