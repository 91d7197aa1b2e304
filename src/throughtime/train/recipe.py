"""What training asks of a recipe; the recipes themselves stand floors above."""

from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import nn

from throughtime.train.descend import Batches
from throughtime.train.schedule import Shape

D = TypeVar("D")
M = TypeVar("M", bound=nn.Module)


@runtime_checkable
class Score(Protocol):
    """The result of an evaluation."""

    @property
    def loss(self) -> float:
        """What training tries to lower."""
        ...

    def to_json(self) -> dict[str, Any]:
        """All of it, by name."""
        ...


@runtime_checkable
class Recipe(Protocol[D, M]):
    """What `fit` asks of a recipe: its fields for training, and how to make its parts."""

    epochs: int | None
    minutes: float | None
    seed: int
    learning_rate: float
    schedule: Shape
    warmup_steps: int
    clip: float
    accumulate: int
    precision: Any
    patience: int
    evaluate_every: int

    @property
    def identity(self) -> dict[str, Any]:
        """What must be equal in recipe.json for a run to go on: all settings but where files lie and the device."""
        ...

    def data(self) -> D:
        """Reads and prepares the data."""
        ...

    def begin(self, data: D, kept: Path | None) -> D:
        """The data, with what a run needs besides to begin, such as a table of vectors.

        `kept` is the folder of the run that goes on, if one does: its weights have taken in the rest already, which
        need not be there any more.
        """
        ...

    def batches(self, data: D) -> Batches:
        """The batches to train on."""
        ...

    def model(self, data: D) -> M:
        """A new model."""
        ...

    def optimiser_for(self, model: M) -> torch.optim.Optimizer:
        """A new optimiser."""
        ...

    def frozen(self, model: M, step: int) -> tuple[nn.Parameter, ...]:
        """The weights that the update after `step` others leaves as they are."""
        ...

    def states(self, model: M) -> list[Any]:
        """States like those the model carries from batch to batch, one for each group of rows."""
        ...

    def score(self, model: M, data: D, *, quick: bool) -> Score:
        """How good the model is on held-out data; `quick` on a fixed part of it, while training."""
        ...

    def sample(self, model: M, data: D, *, final: bool) -> str:
        """Something to show at an evaluation; more of it at the last one."""
        ...

    def notes(self, data: D) -> tuple[str, ...]:
        """What a person should know of the data before training begins, a line each."""
        ...

    def files(self, data: D) -> dict[str, bytes]:
        """What a run folder keeps beside the weights, recipe.json among it."""
        ...

    def card(self, model: M, data: D, score: Score | None) -> str:
        """A page for people about the run, in Markdown."""
        ...
