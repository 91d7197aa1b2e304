"""Ranking: what a hypothesis is worth beside others of other lengths."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from throughtime.errors import ArgumentError

UNSEEN = 1e-6  # what a source symbol that was never looked at counts as, whose logarithm would rule all else


@dataclass(frozen=True)
class Hypothesis:
    """A target that was found.

    `tokens` begin with the prefix, if there was one, and have no end symbol; the log-probability counts it.
    `finished` is False where the limit made it end: there the end was not among the best, and its log-probability
    counts all the same.
    """

    tokens: tuple[int, ...]
    log_probability: float
    score: float
    finished: bool


@dataclass(frozen=True)
class Ranking:
    """Scores that hypotheses are ranked by.

    Formula: score = log p / lp(T) + coverage · Σ_s log min(covered_s, 1), where T counts the end symbol, covered_s is
    the sum of the attention to source symbol s, and lp(T) is T^alpha ("power") or ((5 + T) / 6)^alpha ("wu")

    Alpha 0 ranks by probability alone, 1 by the mean of a symbol.
    Source: Wu et al. (2016), equation 14. There a symbol never looked at rules a hypothesis out; here it counts as
    one looked at a millionth.

    Raises `ArgumentError` for an alpha or a coverage below 0, with which no bound would hold.

    >>> Ranking(alpha=1.0).scores(torch.tensor([-6.0]), 3).tolist()
    [-2.0]
    """

    alpha: float = 0.7
    form: Literal["power", "wu"] = "power"
    coverage: float = 0.0

    def __post_init__(self) -> None:
        for name in ("alpha", "coverage"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ArgumentError(f"{name} must be at least 0 and finite; got {value}")
        if self.form not in ("power", "wu"):
            raise ArgumentError(f"form must be 'power' or 'wu'; got {self.form!r}")

    def scores(self, log_probabilities: Tensor, lengths: Tensor | int, covered: Tensor | None = None) -> Tensor:
        """The scores, in float64. Shapes: log_probabilities and lengths are of one shape, covered has S behind it."""
        scores = log_probabilities.double() / self._normaliser(lengths, log_probabilities.device)
        return scores if covered is None else scores + self.covering(covered)

    def covering(self, covered: Tensor) -> Tensor:
        """The term of the coverage alone: at most 0."""
        return self.coverage * covered.double().clamp(UNSEEN, 1.0).log().sum(-1)

    def bound(self, log_probabilities: Tensor, longest: Tensor) -> Tensor:
        """What the scores of targets that go on from here cannot exceed, if they have at most `longest` symbols.

        Log-probabilities only fall, no normaliser is larger than that of the longest, no coverage is above 0.
        """
        return self.scores(log_probabilities, longest + 1)

    def coverage_of(self, stepper: Any, state: Any) -> Tensor | None:
        """How much each source symbol was looked at (N S), if this ranking asks for it."""
        return coverage(stepper, state) if self.coverage else None

    def _normaliser(self, lengths: Tensor | int, device: torch.device) -> Tensor:
        steps = torch.as_tensor(lengths, dtype=torch.float64, device=device)
        return (steps if self.form == "power" else (5 + steps) / 6) ** self.alpha


def coverage(stepper: Any, state: Any) -> Tensor:
    """How much each source symbol was looked at so far (N S), as the stepper's `covered(state)` tells.

    Raises `ArgumentError` for a stepper that cannot.
    """
    covered: Tensor | None = stepper.covered(state) if hasattr(stepper, "covered") else None
    if covered is None or not covered.shape[-1]:
        raise ArgumentError("a coverage penalty needs a model with attention, which this one has not; leave it at 0")
    return covered
