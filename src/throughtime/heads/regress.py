"""Heads over numbers: one value, and quantiles."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from throughtime.errors import ArgumentError
from throughtime.heads.softmax import wide
from throughtime.tally import Tally


class Regression(nn.Module):
    """K numbers for each feature vector.

    Formula: y = W h + b; the loss is (y − t)², or Huber's: half of that within `delta`, delta (|y − t| − delta/2)
    beyond.
    Shapes: features ... H, targets ... K; a target that is NaN is not scored.
    Source: Huber (1964), "Robust Estimation of a Location Parameter", for the second loss.

    >>> Regression(4, 2).loss(torch.zeros(3, 4), torch.zeros(3, 2)).count
    6
    """

    def __init__(self, hidden: int, numbers: int, *, delta: float | None = None) -> None:
        super().__init__()
        _check_sizes(hidden, numbers)
        if delta is not None and not 0 < delta < math.inf:
            raise ArgumentError(f"delta must be a finite number above 0; got {delta}")
        self.linear, self.delta = nn.Linear(hidden, numbers), delta

    def loss(self, features: Float[Tensor, "*rows H"], targets: Float[Tensor, "*rows K"]) -> Tally:
        """The sum over numbers that are there, and their count."""
        return self.loss_of(self(features), targets)

    def loss_of(self, outputs: Tensor, targets: Tensor) -> Tally:
        """The loss of numbers that were made from the outputs, such as by putting them into other units."""
        _check_targets(targets, outputs.shape)
        wanted = ~torch.isnan(targets)
        guess, truth = outputs[wanted], targets[wanted].to(outputs)
        if self.delta is None:
            return Tally(F.mse_loss(guess, truth, reduction="sum"), int(wanted.sum()))
        return Tally(F.huber_loss(guess, truth, reduction="sum", delta=self.delta), int(wanted.sum()))

    def forward(self, features: Float[Tensor, "*rows H"]) -> Float[Tensor, "*rows K"]:
        """The numbers."""
        return wide(self.linear(features))


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
        _check_sizes(hidden, numbers)
        if not levels or not all(a < b for a, b in pairwise((0.0, *levels, 1.0))):
            raise ArgumentError(f"levels must rise within 0..1; got {levels}")
        self.numbers, self.levels = numbers, levels
        self.linear = nn.Linear(hidden, numbers * len(levels))

    def loss(self, features: Float[Tensor, "*rows H"], targets: Float[Tensor, "*rows K"]) -> Tally:
        """The sum over numbers that are there and their quantiles, and the count of the numbers."""
        return self.loss_of(self(features), targets)

    def loss_of(self, outputs: Tensor, targets: Tensor) -> Tally:
        """The loss of quantiles that were made from the outputs, such as by putting them into other units."""
        _check_targets(targets, outputs.shape[:-1])
        wanted = ~torch.isnan(targets)
        rest = targets[wanted].to(outputs)[:, None] - outputs[wanted]
        shares = rest.new_tensor(self.levels)
        return Tally(torch.maximum(shares * rest, (shares - 1) * rest).sum(), int(wanted.sum()))

    def forward(self, features: Float[Tensor, "*rows H"]) -> Float[Tensor, "*rows K Q"]:
        """The quantiles, rising."""
        outputs = wide(self.linear(features)).view(*features.shape[:-1], self.numbers, len(self.levels))
        steps = F.softplus(outputs[..., 1:])
        return torch.cat([outputs[..., :1], outputs[..., :1] + steps.cumsum(-1)], -1)


def _check_sizes(hidden: int, numbers: int) -> None:
    if min(hidden, numbers) < 1:
        raise ArgumentError(f"hidden and numbers must be at least 1; got {hidden} and {numbers}")


def _check_targets(targets: Tensor, wanted: torch.Size) -> None:
    """Refuses what would be spread over the outputs unseen."""
    if targets.shape != wanted:
        raise ArgumentError(f"targets {tuple(targets.shape)} do not fit outputs of {tuple(wanted)}")
