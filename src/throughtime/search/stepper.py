"""Stepper: a model that speaks, one symbol at a time."""

from typing import Protocol, TypeVar, runtime_checkable

from jaxtyping import Int
from torch import Tensor

S = TypeVar("S")
X_contra = TypeVar("X_contra", contravariant=True)


@runtime_checkable
class Stepper(Protocol[X_contra, S]):
    """A model that speaks: all that search knows of it.

    The rows of a state are hypotheses. What is `tree.Shared` in it has a row for each source instead; the hypotheses
    of a source stand together, and every source has as many.
    """

    def start(self, source: X_contra) -> tuple[Tensor, S]:
        """Reads sources: log-probabilities (B V) of the first symbol of each, and the state.

        What a source is depends on the model: of a language model, a prompt (B T) of at least one symbol.
        """
        ...

    def step(self, token: Int[Tensor, " B"], state: S) -> tuple[Tensor, S]:
        """Takes one symbol a row: log-probabilities (B V) of the next one, and the state."""
        ...
