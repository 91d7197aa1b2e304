"""Which inputs mattered for an answer: occlusion, and integrated gradients.

Both take an answer: a function from sequences (`Padded`) to one number a row, such as log p of a class. Nothing else is
known of the model here: `before` and `odds` say what is asked of log-probabilities, `of_inputs` and `of_seen` of a
classifier.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from throughtime.errors import ArgumentError
from throughtime.padded import Padded

Answer = Callable[[Padded], Tensor]  # B ... sequences to B numbers
Claim = Callable[[Tensor], Tensor]  # log p, B ... K, to B numbers
Rule = Literal["gauss", "trapezoid"]

STEPS = 2**16  # of variants that are held at once, at most


@dataclass(frozen=True)
class Attribution:
    """How much each part of a sequence moved an answer.

    weights   W or W D   of each place, or of each place and channel; above 0 where it spoke for the answer
    whole     the answer when everything is there
    nothing   the answer when nothing is
    """

    weights: NDArray[np.float64]
    whole: float
    nothing: float

    @property
    def residual(self) -> float:
        """What the weights leave unexplained of the way from nothing to the whole.

        Of integrated gradients it is the error of their sum; of occlusion it is what parts do together only.
        """
        return self.whole - self.nothing - float(self.weights.sum())

    @property
    def by_step(self) -> NDArray[np.float64]:
        """(W) the weights, those of all channels of a place together."""
        summed: NDArray[np.float64] = self.weights.reshape(len(self.weights), -1).sum(1)
        return summed


def occlusion(answer: Answer, sequence: Tensor, replacement: Tensor | None, *, span: int = 1) -> Attribution:
    """How much lower the answer is without each span of steps; they overlap, and each goes by its first step.

    Symbols (T) are replaced by another, or (None) left out, so that W = T − span + 1. Numbers (T D) are replaced by
    those of another step (D), each channel for itself. A sequence no longer than `span` is one span.

    All variants of a sequence are one batch, as far as 65,536 steps go.

    Source: Zeiler and Fergus (2014), section 4.2, over time; Li, Monroe and Jurafsky (2016) leave words out.

    >>> counted = lambda inputs: inputs.data.double().sum(1)
    >>> occlusion(counted, torch.tensor([3, 1, 2]), torch.tensor(0)).weights.tolist()
    [3.0, 1.0, 2.0]
    """
    width = _check_sequence(sequence, span)
    spans = len(sequence) - width + 1
    channels = sequence[0].numel()
    if replacement is None and sequence.dim() > 1:
        raise ArgumentError("steps of numbers are replaced, not left out: give the numbers that stand for none")
    if replacement is not None and replacement.shape != sequence.shape[1:]:
        shapes = f"{tuple(replacement.shape)} does not fit a sequence {tuple(sequence.shape)}"
        raise ArgumentError(f"replacement {shapes}: it is one step of it")
    make = _shortened if replacement is None else _replaced
    answers = np.empty(spans * channels)
    size = max(1, STEPS // len(sequence))
    with torch.no_grad():
        for first in range(0, len(answers), size):
            which = torch.arange(first, min(first + size, len(answers)), device=sequence.device)
            answers[first : first + size] = _numbers(answer, make(sequence, which, width, replacement))
        everything = sequence[None] if replacement is None else torch.stack([sequence, replacement.expand_as(sequence)])
        lengths = torch.tensor([len(sequence), 0 if replacement is None else len(sequence)])
        ends = _numbers(answer, Padded(everything.expand(2, *sequence.shape), lengths).zeroed())
    weights = (ends[0] - answers).reshape(spans, *sequence.shape[1:])
    return Attribution(weights, float(ends[0]), float(ends[1]))


def spread(weights: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """(T ...) what the spans of so many steps (W ...) say of each step: the mean of the shares of those that hold it.

    >>> spread(np.array([2.0, 4.0]), 2).tolist()
    [1.0, 1.5, 2.0]
    """
    steps = len(weights) + span - 1
    total, count = np.zeros((steps, *weights.shape[1:])), np.zeros((steps, *[1] * (weights.ndim - 1)))
    for place in range(span):
        total[place : place + len(weights)] += weights / span
        count[place : place + len(weights)] += 1
    return total / count


def integrated_gradients(
    answer: Answer, seen: Tensor, baseline: Tensor, *, steps: int = 32, rule: Rule = "gauss"
) -> Attribution:
    """How much each number of what is seen (T D) moved the answer, on the straight way there from a baseline.

    Formula: a_i = (x_i − x'_i) ∫ ∂F(x' + α (x − x')) / ∂x_i dα from 0 to 1, F the answer, x' the baseline; so Σ a_i is
    F(x) − F(x') (completeness), and how far the sum of `steps` gradients is from that is `residual`. Where F is linear
    one step is exact.
    Shapes: baseline as `seen`, or one step of it (D).
    Source: Sundararajan, Taly and Yan (2017), equation 1, whose sum takes the right end of each step; here the integral
    is by the rule of Gauss and Legendre, or by trapezoids.

    >>> squares = lambda seen: (seen.data**2).sum((1, 2))
    >>> found = integrated_gradients(squares, torch.tensor([[1.0], [3.0]]), torch.zeros(1), steps=2)
    >>> found.by_step.round(5).tolist(), abs(found.residual) < 1e-5
    ([1.0, 9.0], True)
    """
    _check_sequence(seen, 1)
    if seen.dim() != 2 or not seen.is_floating_point():
        raise ArgumentError(f"seen is {tuple(seen.shape)} of {seen.dtype}; it has to be numbers, T D")
    if baseline.shape not in (seen.shape, seen.shape[1:]):
        shapes = f"{tuple(baseline.shape)} does not fit {tuple(seen.shape)}"
        raise ArgumentError(f"baseline {shapes}: it is as what is seen, or one step of it")
    places, shares = nodes(steps, rule)
    begin, way = baseline.expand_as(seen), seen - baseline
    gradient = torch.zeros_like(seen, dtype=torch.float64)
    size = max(1, STEPS // len(seen))
    for first in range(0, len(places), size):
        alphas, weights = (torch.from_numpy(part[first : first + size]).to(seen.device) for part in (places, shares))
        points = (begin + alphas.to(seen.dtype)[:, None, None] * way).detach().requires_grad_()
        with torch.enable_grad():
            (found,) = torch.autograd.grad(answer(Padded.full(points)).sum(), points)
        gradient += torch.einsum("k,ktd->td", weights, found.double())
    with torch.no_grad():
        whole, nothing = _numbers(answer, Padded.full(torch.stack([seen, begin])))
    return Attribution((gradient * way.double()).cpu().numpy(), float(whole), float(nothing))


def nodes(steps: int, rule: Rule) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where between 0 and 1 an integral is looked at, and how much each place counts.

    >>> [part.tolist() for part in nodes(2, "trapezoid")]
    [[0.0, 1.0], [0.5, 0.5]]
    """
    least = 2 if rule == "trapezoid" else 1
    if rule not in ("gauss", "trapezoid"):
        raise ArgumentError(f"rule is {rule!a:.80}; choose gauss or trapezoid")
    if not least <= steps <= 4096:
        raise ArgumentError(f"steps must be from {least} to 4,096 for the rule {rule}; got {steps}")
    if rule == "gauss":
        places, shares = np.polynomial.legendre.leggauss(steps)
        return (places + 1) / 2, shares / 2
    shares = np.full(steps, 1 / (steps - 1))
    shares[[0, -1]] /= 2
    return np.linspace(0, 1, steps), shares


def before(answer: int, rival: int | None = None) -> Claim:
    """log p of a class, or, which is linear in the logits of a softmax, how far that is above log p of another.

    >>> before(1, 0)(torch.tensor([[-3.0, -0.5]])).tolist()
    [2.5]
    """
    return lambda logs: logs[..., answer] if rival is None else logs[..., answer] - logs[..., rival]


def odds(label: int, *, denied: bool = False) -> Claim:
    """log p / (1 − p) of a label that is there or not for itself; of its being denied, the negative of that.

    >>> odds(0)(torch.tensor([[0.75]]).log()).exp().tolist()
    [3.0]
    """

    def claim(logs: Tensor) -> Tensor:
        log = logs[..., label]
        found = log - torch.log((-torch.expm1(log)).clamp(min=torch.finfo(log.dtype).tiny))
        return -found if denied else found

    return claim


def at_step(claim: Claim, step: int) -> Claim:
    """What is asked of one step, where there is an answer to each (B T K)."""
    return lambda logs: claim(logs[:, step])


@runtime_checkable
class Classifying(Protocol):
    """What is asked of a classifier."""

    core: Any
    pool: nn.Module
    head: Any

    def log_probabilities(self, inputs: Padded) -> Tensor:
        """log p of every class, B K."""
        ...


def of_inputs(model: Classifying, claim: Claim) -> Answer:
    """The answer to symbols, or to numbers, as a classifier takes them."""
    return lambda inputs: claim(model.log_probabilities(inputs))


def of_seen(model: Classifying, claim: Claim) -> Answer:
    """The answer to what the core of a classifier sees, as its `embedded` gives it."""
    return lambda seen: claim(model.head.log_probabilities(model.pool(model.core(seen)[0])))


def _check_sequence(sequence: Tensor, span: int) -> int:
    """How many steps a span has. Raises `ArgumentError` for no sequence, and for no span."""
    if span < 1:
        raise ArgumentError(f"span must be at least 1 step; got {span}")
    if not 1 <= sequence.dim() <= 2 or not len(sequence):
        raise ArgumentError(f"sequence is {tuple(sequence.shape)}; it has to be T or T D, one step at least")
    return min(span, len(sequence))


def _replaced(sequence: Tensor, which: Tensor, width: int, replacement: Tensor | None) -> Padded:
    """Variants by number: which span has another step instead, in which channel."""
    assert replacement is not None
    channels = sequence[0].numel()
    begins = torch.div(which, channels, rounding_mode="floor")
    steps = torch.arange(len(sequence), device=sequence.device)
    inside = (steps >= begins[:, None]) & (steps < begins[:, None] + width)
    if sequence.dim() > 1:
        inside = inside[..., None] & (
            torch.arange(channels, device=sequence.device) == (which % channels)[:, None, None]
        )
    return Padded.full(torch.where(inside, replacement, sequence))


def _shortened(sequence: Tensor, which: Tensor, width: int, replacement: Tensor | None) -> Padded:
    """Variants by number: which span is left out; padding as long as it stands behind, so that a batch has steps."""
    steps = torch.arange(len(sequence), device=sequence.device)
    kept = len(sequence) - width
    source = (steps + width * (steps >= which[:, None])).clamp(max=len(sequence) - 1)
    return Padded(sequence[source], torch.full((len(which),), kept)).zeroed()


def _numbers(answer: Answer, variants: Padded) -> NDArray[np.float64]:
    found: NDArray[np.float64] = answer(variants).detach().double().cpu().numpy()
    return found
