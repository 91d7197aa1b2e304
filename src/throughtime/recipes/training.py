"""What every recipe has: the settings of training, and the answers to `fit` that most of them give alike.

A recipe that wants another default states the field again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from throughtime.recipes import fields

if TYPE_CHECKING:
    import torch
    from torch import nn


class Training(BaseModel):
    """Settings of the one training loop. A recipe is this and its own settings, all of them options of one command."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    makes: ClassVar[str] = "a model"  # what a run of it holds
    item: ClassVar[str] = "item"  # what is counted and judged, one by one
    judged_by: ClassVar[tuple[str, ...]] = ("data",)  # options of evaluate that say by what
    loss_unit: ClassVar[str] = "nats"  # of the loss that is lowered, of an item
    places: ClassVar[frozenset[str]] = frozenset()  # settings that say where files lie
    bound: ClassVar[dict[str, Any]] = {"epochs": 8}  # of the training, where none is given

    accumulate: fields.Accumulate = 1
    minutes: fields.Minutes = None
    epochs: fields.Epochs = Field(None, description="bound on the passes over the data (8 when neither is given)")
    optimiser: fields.Optimiser = "adamw"
    learning_rate: fields.LearningRate = 0.002
    momentum: fields.Momentum = 0.0
    weight_decay: fields.WeightDecay = 0.01
    schedule: fields.Schedule = "cosine"
    warmup_steps: fields.WarmupSteps = 50
    clip: fields.Clip = 1.0
    patience: fields.Patience = 0
    evaluate_every: fields.EvaluateEvery = 200
    precision: fields.Precision = "float32"
    device: fields.Device = "auto"
    seed: fields.Seed = 0

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("minutes") is None and values.get("epochs") is None:
            return {**values, **cls.bound}
        return values

    @model_validator(mode="after")
    def _momentum_is_of_sgd(self) -> Training:
        if self.momentum and self.optimiser != "sgd":
            raise ValueError("momentum is for --optimiser sgd")
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """The settings, as recipe.json has them, that make a run the run it is: all but where files lie and `device`.

        Which files these are is said by the hashes of data.json.
        """
        return self.model_dump(mode="json", exclude={*self.places, "device"})

    @property
    def score_unit(self) -> str:
        """Of that by which the best weights are chosen: of the loss, where it is nothing else."""
        return f"{self.loss_unit} per {self.item}"

    def begin(self, data: Any, kept: Path | None) -> Any:
        """The data as they are: a run needs nothing else to begin."""
        return data

    def optimiser_for(self, model: nn.Module) -> torch.optim.Optimizer:
        """A new optimiser for a model's weights."""
        from throughtime.train import make_optimiser

        rate, decay, momentum = self.learning_rate, self.weight_decay, self.momentum
        return make_optimiser(self.optimiser, model, learning_rate=rate, weight_decay=decay, momentum=momentum)

    def frozen(self, model: Any, step: int) -> tuple[nn.Parameter, ...]:
        """None: all weights learn from the first update on."""
        return ()

    def states(self, model: Any) -> list[Any]:
        """None: nothing is carried from batch to batch."""
        return []
