"""The recipe of a perceptron over feature vectors: every setting, and how the parts are made from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from throughtime.recipes import fields
from throughtime.recipes.cards import card, listed
from throughtime.recipes.parts import device_of
from throughtime.recipes.read import OptionalPlace, Place
from throughtime.recipes.training import Training

if TYPE_CHECKING:
    from torch import Tensor

    from throughtime.data.feature_batches import FeatureBatches
    from throughtime.models.feature_reader import Answer, FeatureReader, FeatureScore
    from throughtime.models.perceptron import PerceptronModel
    from throughtime.recipes.featured import Featured, FeaturePart

QUICK_ROWS = 10_000  # of the held-out part, at most, that are judged while training
DEEPEST = 64  # hidden layers
LOSS_UNITS = {"cross_entropy": "nats", "mse": "squared deviations", "huber": "Huber's loss"}


@dataclass(frozen=True)
class PerceptronData:
    """Feature vectors, scaled, and what each should get."""

    read: Featured
    train: tuple[Tensor, Tensor]  # inputs N D and targets
    valid: tuple[Tensor, Tensor]


class Perceptron(Training):
    """A perceptron: it learns which class a vector of features has, or which number."""

    makes: ClassVar[str] = "a perceptron"
    shows: ClassVar[str] = "its worst mistakes"
    item: ClassVar[str] = "row"
    places: ClassVar[frozenset[str]] = frozenset({"train", "valid"})
    bound: ClassVar[dict[str, Any]] = {"epochs": 100}

    application: Literal["perceptron"] = Field("perceptron", description="which recipe this is")
    train: Place = Field(description="a table of numbers with labels: .csv .tsv .jsonl .parquet .npy")
    valid: OptionalPlace = Field(None, description="rows to validate on, instead of a part of --train")
    held_out: float = Field(0.1, gt=0, lt=1, description="share of --train, of each class, held out to validate on")
    features: tuple[str, ...] = Field((), description="columns, by name or number (all but the label if none is given)")
    label_column: str | None = Field(None, description="the column of labels (found if only one is not of numbers)")
    missing: Literal["refuse", "skip"] = Field("refuse", description="rows that lack a number: refuse, or skip")

    loss: Literal["cross_entropy", "mse", "huber"] = Field(
        "cross_entropy", description="labels are classes (of two it is the binary cross entropy), or numbers"
    )
    hidden: tuple[int, ...] = Field((), description="units of each hidden layer, such as 8,8 (none: a straight border)")
    activation: Literal["sigmoid", "tanh", "relu", "leaky_relu"] = Field("tanh", description="of hidden layers")
    dropout: fields.Rate = Field(0.0, description="of hidden units")
    balanced: bool = Field(False, description="classes weigh alike, however rare they are")

    rows: int | Literal["all"] = Field(
        32, description="rows of a batch: 1 is stochastic gradient descent, all is batch gradient descent"
    )
    epochs: fields.Epochs = Field(None, description="bound on the passes over the data (100 when neither is given)")
    learning_rate: fields.LearningRate = 0.01

    @model_validator(mode="after")
    def _consistent(self) -> Perceptron:
        if self.rows != "all" and not 1 <= self.rows <= 2**20:
            raise ValueError(f"rows must be from 1 to {2**20:,}, or all; got {self.rows}")
        if len(self.hidden) > DEEPEST or set(self.hidden) - set(range(1, 65537)):
            raise ValueError(
                f"hidden must be at most {DEEPEST} layers of 1 to 65,536 units; got {list(self.hidden)!s:.80}"
            )
        if self.balanced and self.loss != "cross_entropy":
            raise ValueError(f"balanced is for classes; got --loss {self.loss}")
        if self.dropout and not self.hidden:
            raise ValueError(f"dropout is of hidden units; got {self.dropout} and no --hidden")
        if len(set(self.features)) < len(self.features):
            raise ValueError(f"features has a column twice; got {', '.join(self.features):.200}")
        return self

    @property
    def loss_unit(self) -> str:  # type: ignore[override]  # it depends on the loss that was chosen
        """Of the loss that is lowered."""
        return LOSS_UNITS[self.loss]

    @property
    def reads(self) -> Path:
        """What is read."""
        return self.train

    def advice(self, out: Path) -> tuple[str, ...]:
        """What may be done with a run."""
        said = f"predict {out} FILE", f"evaluate {out}", f"show {out} --boundary F.png"
        return tuple(f"throughtime {words}" for words in said)

    @property
    def made_of(self) -> str:
        """The model, for people."""
        if not self.hidden:
            return "perceptron without hidden layers"
        return f"perceptron, hidden layers of {', '.join(map(str, self.hidden))} units ({self.activation})"

    def data(self) -> PerceptronData:
        """Reads the rows, holds some out, and scales all by the training part.

        Raises `DataError` when a file is missing or malformed, and as `featured` does.
        """
        read = self.divided()
        return PerceptronData(read, self._scaled(read, read.train), self._scaled(read, read.valid))

    def divided(self) -> Featured:
        """The rows to learn from and those that are held out. Raises `DataError` as `data` does."""
        from throughtime.data.feature_table import FeatureLayout, read_features
        from throughtime.recipes.featured import featured

        layout = FeatureLayout(self.features, self.label_column, missing=self.missing)
        train = read_features(self.train, layout)
        other = None
        if self.valid:
            other = read_features(self.valid, FeatureLayout(train.names, train.label, missing=self.missing))
        return featured(train, other, classes=self.loss == "cross_entropy", held_out=self.held_out, seed=self.seed)

    def _scaled(self, read: Featured, part: FeaturePart) -> tuple[Tensor, Tensor]:
        import torch

        inputs = torch.from_numpy(read.scale.apply(part.values))
        targets = torch.from_numpy(part.targets)
        return inputs, targets if read.classes is not None else targets.float()[:, None]

    def batches(self, data: PerceptronData) -> FeatureBatches:
        """The training part, shuffled."""
        from throughtime.data.feature_batches import FeatureBatches

        inputs, targets = data.train
        return FeatureBatches(inputs, targets, rows=len(inputs) if self.rows == "all" else self.rows, seed=self.seed)

    def model(self, data: PerceptronData) -> PerceptronModel:
        """A new model, on the device."""
        weights, classes = None, data.read.classes
        if self.balanced and classes is not None:
            counts = data.train[1].bincount(minlength=len(classes))
            weights = counts.sum() / (len(counts) * counts)
        model = self.model_of(len(data.read.names), 1 if classes is None else len(classes), weights)
        return model.to(device_of(self.device))

    def model_of(self, width: int, answers: int, weights: Tensor | None = None) -> PerceptronModel:
        """A new model of so many features and classes, or numbers."""
        from throughtime.heads.classes import Classes
        from throughtime.heads.regress import Regression
        from throughtime.models.perceptron import PerceptronModel

        below = self.hidden[-1] if self.hidden else width
        if self.loss == "cross_entropy":
            head: Any = Classes(below, answers, weights=weights)
        else:
            head = Regression(below, answers, delta=1.0 if self.loss == "huber" else None)
        return PerceptronModel(width, head, hidden=self.hidden, activation=self.activation, dropout=self.dropout)

    def reader(self, model: PerceptronModel, read: Featured) -> FeatureReader:
        """The model with its features and classes."""
        from throughtime.models.feature_reader import FeatureReader

        return FeatureReader(model, read.names, read.scale, classes=read.classes, target=read.target)

    def score(self, model: PerceptronModel, data: PerceptronData, *, quick: bool) -> FeatureScore:
        """How well the held-out rows are judged; `quick` looks at 10,000 of them at most."""
        part = data.read.valid
        step = -(-len(part.targets) // QUICK_ROWS) if quick else 1
        return self.reader(model, data.read).score(part.values[::step], part.targets[::step])

    def sample(self, model: PerceptronModel, data: PerceptronData, *, final: bool) -> str:
        """The mistakes among the held-out rows of which the model is surest, or by which it is farthest off."""
        read, part = data.read, data.read.valid
        most = len(part.targets) if final else 256
        found = self.reader(model, read).worst(part.values[:most], part.targets[:most], 20 if final else 3)
        lines = [self._mistake(read, place, said, size, final=final) for place, said, size in found]
        return "\n".join(lines) or "none"

    def _mistake(self, read: Featured, place: int, said: Answer, size: float, *, final: bool) -> str:
        part = read.valid
        shown = list(zip(read.names, part.values[place], strict=True))[: 8 if final else 2]
        vector = ", ".join(f"{name} {value:g}" for name, value in shown) + (
            ", ..." if len(shown) < len(read.names) else ""
        )
        truth = part.labels[place]
        if read.classes is None:
            return f"off by {size:.4g}: {said.label:.5g}, truly {truth}: {vector} (row {part.rows[place]})"
        return f"{size:.2f} {said.label}, truly {truth}: {vector} (row {part.rows[place]})"

    def tell(self, score: FeatureScore) -> tuple[str, str]:
        """What was judged, and how well it did."""
        return f"{score.rows:,} held-out rows", score.sentence()

    def notes(self, data: PerceptronData) -> tuple[str, ...]:
        """What was read and counted."""
        return data.read.notes()

    def files(self, data: PerceptronData) -> dict[str, bytes]:
        """recipe.json and data.json."""
        from throughtime.folder import to_bytes

        valid = str(self.valid) if self.valid else f"{100 * self.held_out:g}% of the rows"
        facts = {"train": str(self.train), "valid": valid, **data.read.facts}
        return {"recipe.json": to_bytes(json.loads(self.model_dump_json())), "data.json": to_bytes(facts)}

    def card(self, model: PerceptronModel, data: PerceptronData, score: Any) -> str:
        """What the model is, what it was made from, and how good it is."""
        size, read, facts = sum(parameter.numel() for parameter in model.parameters()), data.read, data.read.facts
        rows = {
            "model": f"{self.made_of}, {size:,} weights",
            "features": listed(list(read.names)),
            "answers": f"a number, {read.label}" if read.classes is None else listed(read.classes),
            "trained on": f"{self.train}: {facts['train_rows']:,} rows (sha256 {facts['train_sha256'][:12]}…)",
            "validated on": f"{facts['valid_rows']:,} rows",
            "rows skipped": f"{facts['skipped_rows']:,}",
        }
        return card("A perceptron", rows, None if score is None else score.sentence())
