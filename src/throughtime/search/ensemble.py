"""Ensemble: several models that speak together."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from throughtime.errors import ArgumentError
from throughtime.search.ranking import coverage
from throughtime.search.stepper import Stepper

X = TypeVar("X")


class Ensemble(Generic[X]):
    """Several steppers as one: the mean of their probabilities. All read the same source and have the same symbols.

    Formula: log p = logsumexp_m log p_m − log M

    Raises `ArgumentError` for no members, and for members whose vocabularies differ in size.
    """

    def __init__(self, members: Sequence[Stepper[X, Any]]) -> None:
        if not members:
            raise ArgumentError("an ensemble has no members: give at least one stepper")
        self.members = tuple(members)

    def start(self, source: X) -> tuple[Tensor, tuple[Any, ...]]:
        """Every member reads the source: log-probabilities (B V) of the first symbol, and the members' states."""
        begun = [member.start(source) for member in self.members]
        sizes = [log_p.shape[1] for log_p, _ in begun]
        if len(set(sizes)) > 1:
            raise ArgumentError(f"the members of an ensemble have {sizes} symbols: they need the same vocabulary")
        return self._mean([log_p for log_p, _ in begun]), tuple(state for _, state in begun)

    def step(self, token: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        """Every member takes the symbols (N): log-probabilities of the next ones, and the members' states."""
        stepped = [member.step(token, own) for member, own in zip(self.members, state, strict=True)]
        return self._mean([log_p for log_p, _ in stepped]), tuple(own for _, own in stepped)

    def covered(self, state: tuple[Any, ...]) -> Tensor:
        """The mean of what the members looked at (N S). Raises `ArgumentError` where one cannot tell."""
        looked = [coverage(member, own) for member, own in zip(self.members, state, strict=True)]
        return torch.stack(looked).mean(0)

    def _mean(self, log_probabilities: list[Tensor]) -> Tensor:
        if len(log_probabilities) == 1:
            return log_probabilities[0]
        together = torch.stack(log_probabilities)
        return together.logsumexp(0) - torch.log(torch.tensor(float(len(together)), dtype=together.dtype))
