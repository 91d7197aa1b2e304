"""Where to look: from scores to weights. One small module each, with the same call."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


@runtime_checkable
class Where(Protocol):
    """What `Attend` asks of it: how much each place of a source counts, for each query and head."""

    def __call__(self, scores: Tensor, mask: Tensor, queries: Tensor, places: Tensor) -> Tensor:
        """Weights (B T N S) of scores (B T N S).

        `mask` (B S) is true at real places, where alone there is weight; `queries` are B T Q, and `places` (B T) says
        the how-manieth of its sequence each of them is.
        """
        ...


def softened(scores: Float[Tensor, "B T N S"], among: Bool[Tensor, "..."]) -> Float[Tensor, "B T N S"]:
    """The softmax over places that are `among` (B T N S, or 1 for any); zeros where there is none."""
    scores = scores.masked_fill(~among, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, -1).masked_fill(~among, 0.0)


class Global(nn.Module):
    """Everywhere: weights are the softmax of the scores.

    Formula: α_ts = exp(e_ts) / Σ_s' exp(e_ts').
    Source: Bahdanau et al. (2015), equation 6.

    >>> mask = torch.tensor([[True, True, False]])
    >>> Global()(torch.zeros(1, 1, 1, 3), mask, torch.zeros(1, 1, 2), torch.tensor([[0]])).tolist()
    [[[[0.5, 0.5, 0.0]]]]
    """

    def forward(
        self,
        scores: Float[Tensor, "B T N S"],
        mask: Bool[Tensor, "B S"],
        queries: Float[Tensor, "B T Q"],
        places: Int[Tensor, "B T"],
    ) -> Float[Tensor, "B T N S"]:
        """A softmax over real places."""
        return softened(scores, mask[:, None, None])
