"""A linear map and its cross entropy in one, for many logits on the CPU.

The logits of a batch (N V) are the largest thing that a word model makes. Written, normalised, differentiated and
freed as a whole, they cost more time than the matrix products. Here they come in blocks that stay in the cache, and
each block's gradient is taken while it is at hand. Equal to the plain path in values and gradients; `fits` says when
it is the faster one.
"""

from collections.abc import Iterable, Iterator
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

ROWS, COLUMNS = 1024, 2048  # of a block: large enough for a fast product, small enough for the cache
MANY = 2**21  # logits, from which on blocks are faster than the whole


def fits(features: Float[Tensor, "N H"], weight: Float[Tensor, "V H"]) -> bool:
    """Whether there are many logits, on the CPU, in one arithmetic of at least float32."""
    one_arithmetic = features.dtype == weight.dtype and not torch.is_autocast_enabled(features.device.type)
    exact = one_arithmetic and features.dtype in (torch.float32, torch.float64)
    return exact and features.device.type == "cpu" and len(features) * len(weight) >= MANY


def cross_entropy(
    features: Float[Tensor, "N H"],
    weight: Float[Tensor, "V H"],
    bias: Float[Tensor, " V"],
    targets: Int[Tensor, " N"],
) -> Float[Tensor, ""]:
    """Σ −log softmax(W h + b)[target] over the rows, all of which are scored.

    Formula: with the columns in blocks k, each with a softmax of its own,
        Z = Σ_k Z_k,  p(v | h) = p(v | k, h) Z_k / Z,  loss = Σ log Z − (w_target · h + b_target)
    """
    if torch.is_grad_enabled():
        return cast(Tensor, cast(Any, _CrossEntropy).apply(features, weight, bias, targets))
    log_z = [_log_z(_blocks(rows, weight, bias)) for rows in torch.split(features, ROWS)]
    return (torch.cat(log_z) - _logits_of(targets, features, weight, bias)).sum()


class _CrossEntropy(Function):
    """Takes the gradients on the way forward: the loss is a number, so going backward only multiplies by one."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        by_features, by_weight, by_bias = -weight[targets], torch.zeros_like(weight), torch.zeros_like(bias)
        by_weight.index_add_(0, targets, features, alpha=-1)
        by_bias.index_add_(0, targets, torch.ones_like(features[:, 0]), alpha=-1)
        total = -_logits_of(targets, features, weight, bias).sum()
        for rows, by_rows in zip(torch.split(features, ROWS), torch.split(by_features, ROWS), strict=True):
            total += _add_log_z(rows, weight, bias, by_rows, by_weight, by_bias)
        ctx.save_for_backward(features, weight, bias, targets)
        ctx.gradients = [by_features, by_weight, by_bias]
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        """Gives the gradients away, for whoever accumulates them to keep. Whoever asks for more gets the formula."""
        (scale,) = upstream
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None or torch.is_grad_enabled():
            return *_formula(scale, *ctx.saved_tensors), None
        if scale != 1:
            torch._foreach_mul_(gradients, float(scale))
        return *gradients, None


def _formula(
    scale: Tensor, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients in plain operations: to be differentiated again, or taken a second time."""
    logits = F.linear(features, weight, bias)
    errors = scale * (torch.softmax(logits, -1) - F.one_hot(targets, len(weight)))
    return errors @ weight, errors.T @ features, errors.sum(0)


def _logits_of(targets: Tensor, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The logit of each row's target."""
    return (features * weight[targets]).sum(-1) + bias[targets]


def _blocks(features: Tensor, weight: Tensor, bias: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """For each block of columns, p(v | k, h) (N C) and log Z_k (N)."""
    for w, b in zip(torch.split(weight, COLUMNS), torch.split(bias, COLUMNS), strict=True):
        logits = torch.addmm(b, features, w.T)
        largest = logits.amax(-1)
        within = torch.softmax(logits, -1, out=logits)
        yield within, largest - within.amax(-1).log()


def _log_z(blocks: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """log Z (N)."""
    return torch.stack([log_z for _, log_z in blocks]).logsumexp(0)


def _add_log_z(
    features: Tensor, weight: Tensor, bias: Tensor, by_features: Tensor, by_weight: Tensor, by_bias: Tensor
) -> Tensor:
    """Σ log Z over the rows; its gradients are added to `by_features`, `by_weight` and `by_bias`."""
    blocks = list(_blocks(features, weight, bias))
    log_z = _log_z(blocks)
    parts = (torch.split(tensor, COLUMNS) for tensor in (weight, by_weight, by_bias))
    for (within, log_z_k), w, by_w, by_b in zip(blocks, *parts, strict=True):
        share = (log_z_k - log_z).exp()
        by_w.addmm_(within.T, share[:, None] * features)
        by_b.addmv_(within.T, share)
        by_features.addcmul_(within @ w, share[:, None])
    return log_z.sum()
