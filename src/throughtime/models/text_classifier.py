"""A classifier together with its encoder and the names of its classes, which reads items and judges itself."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from throughtime.data.batches import in_order
from throughtime.data.encoders import Encoder
from throughtime.errors import ArgumentError, plural
from throughtime.layers.rest import at_rest
from throughtime.metrics import class_scores, confusion_matrix, label_scores, negative_log_likelihood, star_scores
from throughtime.models.bag import BagOfWords
from throughtime.models.classifier import Classifier

Kind = Literal["single", "ordinal", "multiple"]
Best = Literal["accuracy", "nats"]
TIE = 1e-6  # so that of weights that are right as often those with fewer nats are better
ROWS, STEPS = 64, 2**16  # of a batch, at most


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of an item."""

    labels: tuple[str, ...]  # the likeliest; where an item may have several, those that are likelier than not
    probabilities: dict[str, float]  # of every class


@dataclass(frozen=True)
class ClassificationScore:
    """How well items were classified. Units: nats an item."""

    items: int
    nats: float  # an item
    facts: dict[str, Any]  # accuracy, F1 and what else there is for this kind of label, each a number
    tables: dict[str, Any]  # precision, recall and F1 of each class
    item: str = "text"
    best: Best = "nats"  # what weights are chosen by

    @property
    def loss(self) -> float:
        """What the best weights have least of: nats, or the share that is wrong, and of equal shares nats."""
        if self.best == "nats" or "accuracy" not in self.facts:
            return self.nats
        return 1.0 - (self.facts["accuracy"] or 0.0) + TIE * self.nats

    def sentence(self) -> str:
        """What there is to say of it, for people."""
        shares = {name: self.facts.get(name) for name in ("accuracy", "subset_accuracy", "macro_f1")}
        said = ", ".join(f"{name.replace('_', ' ')} {100 * s:.2f} %" for name, s in shares.items() if s is not None)
        return f"{said}, {self.nats:.4f} nats a {self.item}"

    def to_json(self) -> dict[str, Any]:
        """The numbers by name, without the tables, which are long where classes are many; a unit is an item."""
        return {"nats_per_unit": self.nats, plural(self.item): self.items, **self.facts}


def targets_of(labels: Sequence[tuple[str, ...]], classes: list[str], kind: Kind) -> Tensor:
    """Labels as targets: the number of a class for each item, or (N K) 0 and 1.

    >>> targets_of([("b",), ("a",)], ["a", "b"], "single"), targets_of([("b",), ()], ["a", "b"], "multiple")
    (tensor([1, 0]), tensor([[0, 1],
            [0, 0]]))

    Raises `ArgumentError` for a label that is none of the classes.
    """
    index = {name: i for i, name in enumerate(classes)}
    unknown = min({label for some in labels for label in some} - set(index), default=None)
    if unknown is not None:
        many = f"none of the {len(index)} classes that were learned"
        raise ArgumentError(f"label {unknown!a:.80} is {many}: leave out what has it")
    if kind != "multiple":
        return torch.tensor([index[some[0]] for some in labels])
    rows = torch.zeros(len(labels), len(index), dtype=torch.long)
    for row, some in zip(rows, labels, strict=True):
        row[[index[label] for label in some]] = 1
    return rows


class TextClassifier:
    """A classifier, what encodes items (texts, or series T D) for it, and the names of its classes in their order."""

    def __init__(
        self, model: Classifier | BagOfWords, encoder: Encoder, classes: list[str], kind: Kind = "single"
    ) -> None:
        self.model, self.encoder, self.classes, self.kind = model, encoder, classes, kind

    def encoded(self, items: Sequence[Any]) -> list[Tensor]:
        """The ids or numbers of each item."""
        return self.encoder.encode(items)

    def predict(self, items: Sequence[Any]) -> list[Prediction]:
        """What is said of each item, in their order."""
        return self.predict_encoded(self.encoded(items))

    def predict_encoded(self, sequences: Sequence[Tensor]) -> list[Prediction]:
        """What is said of items, given by their ids or numbers."""
        return self.said(self.log_probabilities_encoded(sequences))

    def said(self, logs: NDArray[np.float64]) -> list[Prediction]:
        """What log p of every class (N K) comes to."""
        shares, names = np.exp(logs), self.classes
        if self.kind == "multiple":
            labels = [tuple(names[i] for i in np.flatnonzero(row)) for row in shares > 0.5]
        else:
            labels = [(names[best],) for best in shares.argmax(1).tolist()]
        rows = zip(labels, shares.tolist(), strict=True)
        return [Prediction(some, dict(zip(names, row, strict=True))) for some, row in rows]

    def log_probabilities(self, items: Sequence[Any]) -> NDArray[np.float64]:
        """log p of every class, N K, in the order of the items."""
        return self.log_probabilities_encoded(self.encoded(items))

    def log_probabilities_encoded(self, sequences: Sequence[Tensor]) -> NDArray[np.float64]:
        """log p of every class, N K, for items given by their ids or numbers."""
        device = next(self.model.parameters()).device
        result = np.zeros((len(sequences), len(self.classes)))
        with at_rest(self.model):
            for places, batch in in_order(sequences, torch.zeros(len(sequences)), rows=ROWS):
                parts = -(-batch.inputs.data.numel() // STEPS)  # so that long items take no more memory than short ones
                groups = batch.split(parts)
                for some, group in zip(np.array_split(places, len(groups)), groups, strict=True):
                    result[some] = self.model.log_probabilities(group.to(device).inputs).cpu().double().numpy()
        return result

    def targets(self, labels: Sequence[tuple[str, ...]]) -> Tensor:
        """Labels as targets. Raises `ArgumentError` as `targets_of` does."""
        return targets_of(labels, self.classes, self.kind)

    def score(self, items: Sequence[Any], labels: Sequence[tuple[str, ...]]) -> ClassificationScore:
        """How well the items are classified. Raises `ArgumentError` for a label that is none of the classes."""
        return self.score_encoded(self.encoded(items), self.targets(labels))

    def score_encoded(self, sequences: Sequence[Tensor], targets: Tensor) -> ClassificationScore:
        """How well encoded items are classified, given their targets. Raises `ArgumentError` when there are none."""
        return self.score_logs(self.log_probabilities_encoded(sequences), targets)

    def score_logs(self, logs: NDArray[np.float64], targets: Tensor) -> ClassificationScore:
        """How well items are classified by log p of every class (N K). Raises as `score_encoded` does."""
        if not len(logs):
            raise ArgumentError(f"there are no {self.encoder.items} to judge a classifier by; give one at least")
        truth = targets.numpy()
        if self.kind == "multiple":
            logs_of_not = np.log(np.maximum(-np.expm1(logs), np.finfo(float).tiny))
            nats = -float(np.where(truth == 1, logs, logs_of_not).sum(1).mean())
            return self._score(nats, label_scores(truth, logs > np.log(0.5)).to_json(self.classes))
        matrix = confusion_matrix(truth, logs.argmax(1), len(self.classes))
        facts = class_scores(matrix).to_json(self.classes)
        if self.kind == "ordinal":
            facts |= asdict(star_scores(matrix))
        return self._score(negative_log_likelihood(logs, truth) or 0.0, facts)

    def _score(self, nats: float, found: dict[str, Any]) -> ClassificationScore:
        tables = {name: value for name, value in found.items() if isinstance(value, dict)}
        numbers = {name: value for name, value in found.items() if name not in tables}
        return ClassificationScore(found["items"], nats, numbers, tables, self.encoder.item)
