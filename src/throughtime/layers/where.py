"""Where to look: from scores to weights. One small module each, with the same call; see `hard` for more of them."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from throughtime.errors import ArgumentError


class Weights(NamedTuple):
    """How much each place of a source counts, and the chances by which it came to count: the same if none was drawn."""

    used: Tensor  # B T N S
    chances: Tensor  # B T N S


@runtime_checkable
class Where(Protocol):
    """What `Attend` asks of it: how much each place of a source counts, for each query and head."""

    def __call__(self, scores: Tensor, mask: Tensor, queries: Tensor, places: Tensor) -> Weights:
        """Weights of scores (B T N S).

        `mask` (B S) is true at real places, where alone there is weight; `queries` are B T Q, and `places` (B T) says
        the how-manieth of its sequence each of them is.
        """
        ...


def softened(scores: Float[Tensor, "B T N S"], among: Bool[Tensor, "..."]) -> Float[Tensor, "B T N S"]:
    """The softmax over places that are `among` (B T N S, or 1 for any); zeros where there is none.

    >>> softened(torch.zeros(1, 1, 1, 3), torch.tensor([True, True, False])).tolist()
    [[[[0.5, 0.5, 0.0]]]]
    """
    elsewhere = ~among
    scores = scores.masked_fill(elsewhere, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, -1).masked_fill(elsewhere, 0.0)


class Global(nn.Module):
    """Everywhere: weights are the softmax of the scores.

    Formula: α_ts = exp(e_ts) / Σ_u exp(e_tu).
    Source: Bahdanau et al. (2015), equation 6.

    >>> mask = torch.tensor([[True, True, False]])
    >>> Global()(torch.zeros(1, 1, 1, 3), mask, torch.zeros(1, 1, 2), torch.tensor([[0]])).used.tolist()
    [[[[0.5, 0.5, 0.0]]]]
    """

    def forward(
        self,
        scores: Float[Tensor, "B T N S"],
        mask: Bool[Tensor, "B S"],
        queries: Float[Tensor, "B T Q"],
        places: Int[Tensor, "B T"],
    ) -> Weights:
        """A softmax over real places."""
        weights = softened(scores, mask[:, None, None])
        return Weights(weights, weights)


class Local(nn.Module):
    """Around the place that has the number of the step: `window` places to either side of it, and itself.

    Formula: p_t = t, at the end of the source once that is past; α_ts as `Global`'s over |s − p_t| ≤ window.
    Source: Luong et al. (2015), section 3.2, local-m.

    >>> mask = torch.ones(1, 5, dtype=torch.bool)
    >>> Local(1)(torch.zeros(1, 1, 1, 5), mask, torch.zeros(1, 1, 2), torch.tensor([[4]])).used.tolist()
    [[[[0.0, 0.0, 0.0, 0.5, 0.5]]]]
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        if window < 0:
            raise ArgumentError(f"window must be at least 0; got {window}")
        self.window = window

    def forward(
        self,
        scores: Float[Tensor, "B T N S"],
        mask: Bool[Tensor, "B S"],
        queries: Float[Tensor, "B T Q"],
        places: Int[Tensor, "B T"],
    ) -> Weights:
        """A softmax over real places in the window."""
        centres = torch.minimum(places, mask.sum(1, keepdim=True) - 1)
        near = (_positions(scores) - centres[:, :, None, None]).abs() <= self.window
        weights = softened(scores, near & mask[:, None, None])
        return Weights(weights, weights)


class LocalPredicted(nn.Module):
    """Around a place that is predicted from the query, less and less with the distance from it.

    Formula: p_t = S sigmoid(u · tanh(W q_t)); α_ts = Global's over |s − p_t| ≤ window, times
    exp(−(s − p_t)² / 2σ²) with σ = window / 2. They sum to one at most.
    Shapes: W A Q, u A; S is the length of the source, and its places are 0 to S − 1. A is `hidden`, or Q.
    Source: Luong et al. (2015), equations 9 and 10, local-p.
    """

    def __init__(self, query: int, window: int, hidden: int | None = None) -> None:
        super().__init__()
        hidden = query if hidden is None else hidden
        for name, size in (("query", query), ("window", window), ("hidden", hidden)):
            if size < 1:
                raise ArgumentError(f"{name} must be at least 1; got {size}")
        self.window = window
        self.ask = nn.Linear(query, hidden, bias=False)
        self.point = nn.Linear(hidden, 1, bias=False)

    def centres(self, queries: Float[Tensor, "B T Q"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B T"]:
        """p, from 0 to the length of the source."""
        shares = torch.sigmoid(self.point(torch.tanh(self.ask(queries)))[..., 0])
        return mask.sum(1, keepdim=True) * shares

    def forward(
        self,
        scores: Float[Tensor, "B T N S"],
        mask: Bool[Tensor, "B S"],
        queries: Float[Tensor, "B T Q"],
        places: Int[Tensor, "B T"],
    ) -> Weights:
        """A softmax over real places in the window, times a bell."""
        away = _positions(scores) - self.centres(queries, mask)[:, :, None, None]
        weights = softened(scores, (away.abs() <= self.window) & mask[:, None, None])
        weights = weights * torch.exp(-2 * (away / self.window).square())
        return Weights(weights, weights)


def _positions(scores: Tensor) -> Tensor:
    """The numbers of the places of a source."""
    return torch.arange(scores.shape[-1], device=scores.device)
