"""Sums over all paths of labels, and the best of them: in plain torch, and by compiled loops where there are some.

The plain functions are a scan over log-probabilities, on any device and in any precision; they can be differentiated as
often as one likes. The compiled loops equal them in values and gradients.
"""

from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd import Function

from throughtime.kernels import chain
from throughtime.kernels.chain import Scores

__all__ = ["Scores", "best_paths", "log_partition", "log_probability", "marginals", "nats"]


def nats(scores: Scores, lengths: Int[Tensor, " B"], targets: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
    """Σ −log p(target) over the rows; not finite where a target is not possible."""
    if not chain.fits(scores):
        return -log_probability(scores, lengths, targets).sum()
    if torch.is_grad_enabled() and any(part.requires_grad for part in scores):
        return cast(Tensor, cast(Any, _Nats).apply(lengths, targets, *scores))
    return _sum(chain.sum_paths(scores, lengths, targets, gradients=False), scores)


def log_probability(scores: Scores, lengths: Int[Tensor, " B"], targets: Int[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """log p(target) of each row."""
    if chain.fits(scores) and not _flows(scores):
        return -chain.sum_paths(scores, lengths, targets, gradients=False).values.to(scores.emissions.dtype)
    return _path_score(scores, lengths, targets) - _log_partition(scores, lengths)


def log_partition(scores: Scores, lengths: Int[Tensor, " B"]) -> Float[Tensor, " B"]:
    """log Σ exp(score) over all paths of each row; −inf where none is possible."""
    if chain.fits(scores) and not _flows(scores):
        return chain.sum_paths(scores, lengths, None, gradients=False).values.to(scores.emissions.dtype)
    return _log_partition(scores, lengths)


def marginals(scores: Scores, lengths: Int[Tensor, " B"]) -> Float[Tensor, "B T K"]:
    """p(y_t = k) of all positions, zero past a length: the gradient of the log-partition by the emissions."""
    flows = _flows(scores)
    if chain.fits(scores) and not flows:
        gradients = chain.sum_paths(scores, lengths, None, gradients=True).gradients
        return cast(Scores, gradients).emissions
    with torch.enable_grad():
        emissions = scores.emissions if scores.emissions.requires_grad else scores.emissions.detach().requires_grad_()
        total = _log_partition(scores._replace(emissions=emissions), lengths).sum()
        return torch.autograd.grad(total, emissions, create_graph=flows)[0]


def best_paths(scores: Scores, lengths: Int[Tensor, " B"]) -> tuple[Int[Tensor, "B T"], Float[Tensor, " B"]]:
    """The best path of each row, zero past its length, and its score, in float64; −inf where none is possible.

    Of equal paths it is the one whose last label is the lowest, then the label before, and so on.
    Source: Viterbi (1967).
    """
    if chain.fits(scores):
        return chain.find_paths(scores, lengths)
    return _best_paths(Scores(*(part.detach().double() for part in scores)), lengths)


class _Nats(Function):
    """Takes the gradients on the way forward: the loss is a number, so going backward only multiplies by one."""

    @staticmethod
    def forward(ctx: Any, lengths: Tensor, targets: Tensor, *parts: Tensor) -> Tensor:
        scores = Scores(*parts)
        sums = chain.sum_paths(scores, lengths, targets, gradients=True)
        ctx.save_for_backward(lengths, targets, *parts)
        ctx.gradients = sums.gradients
        return _sum(sums, scores)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        """Gives the gradients away, for whoever accumulates them to keep. Whoever asks for more gets the plain path."""
        (scale,) = upstream
        gradients, ctx.gradients = ctx.gradients, None
        lengths, targets, *parts = ctx.saved_tensors
        if gradients is None or torch.is_grad_enabled():
            with torch.enable_grad():
                total = -_log_probability(Scores(*parts), lengths, targets).sum()
                wanted = [part for part in parts if part.requires_grad]
                found = iter(torch.autograd.grad(total, wanted, scale, create_graph=torch.is_grad_enabled()))
            return None, None, *(next(found) if part.requires_grad else None for part in parts)
        if scale != 1:
            torch._foreach_mul_(list(gradients), float(scale))
        return None, None, *gradients


def _flows(scores: Scores) -> bool:
    """Whether somebody will ask for gradients."""
    return torch.is_grad_enabled() and any(part.requires_grad for part in scores)


def _sum(sums: chain.Sums, scores: Scores) -> Tensor:
    return sums.values.sum().to(scores.emissions.dtype)
