"""Sums over all paths of labels, and the best path: by compiled loops where they fit, else in plain torch.

The plain functions scan over log-probabilities, on any device, and can be differentiated as often as one likes. The
compiled loops equal them in values and gradients. Which paths are impossible is said by scores of −inf.
"""

from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function

from throughtime.errors import ArgumentError
from throughtime.kernels import chain
from throughtime.kernels.chain import Scores


def nats(scores: Scores, lengths: Int[Tensor, " B"], targets: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
    """Σ −log p(target) over the rows.

    Raises `ArgumentError` where a target is none of the labels, or goes a way that is not allowed.
    """
    if not chain.fits(scores):
        return -log_probability(scores, lengths, targets).sum()
    if _flows(scores):
        total: Tensor = cast(Any, _Nats).apply(lengths, targets, *scores)
    else:
        total = chain.sum_paths(scores, lengths, targets, gradients=False).values.sum().to(scores.emissions.dtype)
    if not total.isfinite():
        refuse(scores, lengths, targets)
    return total


def log_probability(scores: Scores, lengths: Int[Tensor, " B"], targets: Int[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """log p(target) of each row. Raises as `nats` does."""
    refuse(scores, lengths, targets)
    if chain.fits(scores) and not _flows(scores):
        return -chain.sum_paths(scores, lengths, targets, gradients=False).values.to(scores.emissions.dtype)
    return plain_score(scores, lengths, targets) - plain_log_partition(scores, lengths)


def marginals(scores: Scores, lengths: Int[Tensor, " B"]) -> Float[Tensor, "B T K"]:
    """p(y_t = k) at all positions, zero past a length: the gradient of the log-partition by the emissions.

    Raises `ArgumentError` for a row without a possible path.
    """
    flows = _flows(scores)
    if chain.fits(scores) and not flows:
        sums = chain.sum_paths(scores, lengths, None, gradients=True)
        _refuse_impossible(sums.values)
        return cast(Scores, sums.gradients).emissions
    with torch.enable_grad():
        emissions = scores.emissions if scores.emissions.requires_grad else scores.emissions.detach().requires_grad_()
        values = plain_log_partition(scores._replace(emissions=emissions), lengths)
        _refuse_impossible(values)
        return torch.autograd.grad(values.sum(), emissions, create_graph=flows)[0]


def best_paths(scores: Scores, lengths: Int[Tensor, " B"]) -> tuple[Int[Tensor, "B T"], Float[Tensor, " B"]]:
    """The best path of each row, zero past its length, and its score in float64.

    Raises `ArgumentError` for a row without a possible path. Of equally good paths it is the one with the lowest last
    label, of these with the lowest label before it, and so on.

    Source: Viterbi (1967), "Error bounds for convolutional codes".
    """
    if chain.fits(scores):
        paths, values = chain.find_paths(scores, lengths)
    else:
        paths, values = plain_best_paths(Scores(*(part.detach().double() for part in scores)), lengths)
    _refuse_impossible(values)
    return paths, values


def _flows(scores: Scores) -> bool:
    """Whether gradients may be asked for."""
    return torch.is_grad_enabled() and any(part.requires_grad for part in scores)


class _Nats(Function):
    """Takes the gradients on the way forward: the loss is a number, so going backward only multiplies by one."""

    @staticmethod
    def forward(ctx: Any, lengths: Tensor, targets: Tensor, *parts: Tensor) -> Tensor:
        values, ctx.gradients = chain.sum_paths(Scores(*parts), lengths, targets, gradients=True)
        ctx.save_for_backward(lengths, targets, *parts)
        return values.sum().to(parts[0].dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Any:
        """Gives the gradients away, for whoever accumulates them to keep. Whoever asks for more gets the plain path."""
        (scale,), further = upstream, torch.is_grad_enabled()
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is not None and not further:
            if scale != 1:
                torch._foreach_mul_(list(gradients), float(scale))
            return None, None, *gradients
        lengths, targets, *parts = ctx.saved_tensors
        wanted = [part for part in parts if part.requires_grad]
        with torch.enable_grad():
            scores = Scores(*parts)
            total = (plain_log_partition(scores, lengths) - plain_score(scores, lengths, targets)).sum()
            found = iter(torch.autograd.grad(total, wanted, scale, create_graph=further))
        return None, None, *(next(found) if part.requires_grad else None for part in parts)


def plain_log_partition(scores: Scores, lengths: Tensor) -> Tensor:
    """log Σ exp(score) over all paths of each row (B): 0 for an empty row, −inf where none is possible."""
    emissions, transitions, start, end = scores
    lengths = lengths.to(emissions.device)
    if not emissions.shape[1]:
        return emissions.sum((1, 2))  # zeros that can be differentiated
    a = start + emissions[:, 0]
    for t in range(1, emissions.shape[1]):
        following = _log_sum_exp(a[:, :, None] + transitions, 1) + emissions[:, t]
        a = torch.where((t < lengths)[:, None], following, a)
    return torch.where(lengths > 0, _log_sum_exp(a + end, 1), 0.0)


def _log_sum_exp(x: Tensor, dim: int) -> Tensor:
    """log Σ exp(x), whose gradient is zero, not NaN, where all x are −inf."""
    top = x.detach().amax(dim, keepdim=True)
    top = top.masked_fill(top == -torch.inf, 0)
    total = (x - top).exp().sum(dim)
    nothing = total == 0
    return total.masked_fill(nothing, 1).log().masked_fill(nothing, -torch.inf) + top.squeeze(dim)


def plain_score(scores: Scores, lengths: Tensor, paths: Tensor) -> Tensor:
    """The score of a path of each row (B): start(y_0) + Σ_t e_t(y_t) + Σ_t A(y_{t-1}, y_t) + end(y_{T-1})."""
    emissions, transitions, start, end = scores
    lengths = lengths.to(emissions.device)
    if not emissions.shape[1]:
        return emissions.sum((1, 2))  # zeros that can be differentiated
    live = torch.arange(emissions.shape[1], device=emissions.device) < lengths[:, None]
    paths = paths.masked_fill(~live, 0)
    by_emissions = emissions.gather(2, paths[:, :, None])[:, :, 0]
    by_transitions = transitions[paths[:, :-1], paths[:, 1:]]
    last = paths.gather(1, (lengths - 1).clamp(min=0)[:, None])[:, 0]
    inside = torch.where(live, by_emissions, 0.0).sum(1) + torch.where(live[:, 1:], by_transitions, 0.0).sum(1)
    return torch.where(lengths > 0, start[paths[:, 0]] + inside + end[last], 0.0)


def plain_best_paths(scores: Scores, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """As `best_paths`; −inf where no path is possible."""
    emissions, transitions, start, end = scores
    lengths = lengths.to(emissions.device)
    paths = emissions.new_zeros(emissions.shape[:2], dtype=torch.int64)
    if not emissions.shape[1]:
        return paths, emissions.new_zeros(len(emissions))
    a, origins = _topped(start + emissions[:, 0]), []
    for t in range(1, emissions.shape[1]):
        best, origin = (a[:, :, None] + transitions).max(1)
        a = torch.where((t < lengths)[:, None], _topped(best + emissions[:, t]), a)
        origins.append(origin)
    top, labels = (a + end).max(1)
    for t in range(emissions.shape[1] - 1, -1, -1):
        paths[:, t] = torch.where(t < lengths, labels, 0)
        if t:
            labels = torch.where(t < lengths, origins[t - 1].gather(1, labels[:, None])[:, 0], labels)
    impossible = (top == -torch.inf) & (lengths > 0)
    values = plain_score(scores, lengths, paths).masked_fill(impossible, -torch.inf)
    return paths.masked_fill(impossible[:, None], 0), values


def _topped(a: Tensor) -> Tensor:
    """The same scores relative to the largest of each row, so that long rows lose no digits."""
    top = a.amax(1, keepdim=True)
    return a - top.masked_fill(top == -torch.inf, 0)


def refuse(scores: Scores, lengths: Tensor, targets: Tensor) -> None:
    """Raises `ArgumentError` for the first target that is none of the labels or goes a way that is not allowed."""
    labels, steps = scores.start.shape[0], targets.shape[1]
    live = torch.arange(steps) < lengths[:, None]
    y = targets.detach().cpu().masked_fill(~live, 0)
    for row, place in ((y < 0) | (y >= labels)).nonzero()[:1].tolist():
        raise ArgumentError(
            f"the target of row {row} at place {place} is {int(y[row, place])}; labels are 0..{labels - 1}, "
            "at all places before the row's length"
        )
    barred, before, after = (part.detach().cpu() == -torch.inf for part in scores[1:])
    wrong = torch.zeros_like(live)
    wrong[:, 1:] = barred[y[:, :-1], y[:, 1:]] & live[:, 1:]
    wrong[:, :1] |= before[y[:, :1]] & live[:, :1]
    wrong |= after[y] & (torch.arange(steps) == lengths[:, None] - 1)
    for row, place in wrong.nonzero()[:1].tolist():
        label = int(y[row, place])
        if place and barred[y[row, place - 1], label]:
            way = f"follows label {int(y[row, place - 1])}"
        else:
            way = "comes first" if place == 0 and before[label] else "comes last"
        raise ArgumentError(
            f"the target of row {row} is impossible: at place {place} label {label} {way}, which is forbidden; "
            "correct the targets, or allow it"
        )


def _refuse_impossible(values: Tensor) -> None:
    """Raises `ArgumentError` for the first row whose sum or best path is one over nothing."""
    for row in (values.detach() == -torch.inf).nonzero()[:1, 0].tolist():
        raise ArgumentError(
            f"row {row} has no possible path: its length and its emissions of −inf leave none; allow more"
        )
