"""A classifier together with its units and the names of its classes, which reads texts and judges itself."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from throughtime.data.batches import in_order
from throughtime.data.units import Units
from throughtime.errors import ArgumentError
from throughtime.metrics import class_scores, confusion_matrix, label_scores, negative_log_likelihood, star_scores
from throughtime.models.classifier import Classifier

Kind = Literal["single", "ordinal", "multiple"]
ROWS = 64  # of a batch


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of a text."""

    labels: tuple[str, ...]  # the likeliest; where a text may have several, those that are likelier than not
    probabilities: dict[str, float]  # of every class


@dataclass(frozen=True)
class ClassificationScore:
    """How well texts were classified. Units: nats a text."""

    texts: int
    nats: float  # a text
    facts: dict[str, Any]  # accuracy, F1 and what else there is for this kind of label

    @property
    def loss(self) -> float:
        """What training tries to lower."""
        return self.nats

    def sentence(self) -> str:
        """What there is to say of it, for people."""
        shares = {name: self.facts.get(name) for name in ("accuracy", "subset_accuracy", "macro_f1")}
        said = ", ".join(f"{name.replace('_', ' ')} {100 * s:.2f} %" for name, s in shares.items() if s is not None)
        return f"{said}, {self.nats:.4f} nats a text"

    def to_json(self) -> dict[str, Any]:
        """All of it, by name; a unit is a text."""
        return {"nats_per_unit": self.nats, "texts": self.texts, **self.facts}


class TextClassifier:
    """A classifier, its units, and the names of its classes in their order."""

    def __init__(self, model: Classifier, units: Units, classes: list[str], kind: Kind = "single") -> None:
        self.model, self.units, self.classes, self.kind = model, units, classes, kind

    def encoded(self, texts: Sequence[str]) -> list[Tensor]:
        """The ids of each text; a text without any has one unknown unit, or one that stands before texts."""
        alone = self.units.start if self.units.unknown is None else self.units.unknown
        return [torch.from_numpy(self.units.encode(text)).long() if text else torch.tensor([alone]) for text in texts]

    def unknown(self, texts: Sequence[str]) -> int:
        """How many units of the texts the vocabulary lacks."""
        if self.units.unknown is None:
            return 0
        return sum(int((self.units.encode(text) == self.units.unknown).sum()) for text in texts)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """What is said of each text, in their order."""
        found = []
        for row in np.exp(self.log_probabilities(texts)):
            likely = np.flatnonzero(row > 0.5) if self.kind == "multiple" else [int(row.argmax())]
            probabilities = {name: float(share) for name, share in zip(self.classes, row, strict=True)}
            found.append(Prediction(tuple(self.classes[i] for i in likely), probabilities))
        return found

    def log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """log p of every class, N K, in the order of the texts."""
        return self._log_probabilities(self.encoded(texts))

    @torch.no_grad()
    def _log_probabilities(self, sequences: Sequence[Tensor]) -> NDArray[np.float64]:
        training, device = self.model.training, next(self.model.parameters()).device
        result = np.zeros((len(sequences), len(self.classes)))
        self.model.eval()
        try:
            for places, batch in in_order(sequences, torch.zeros(len(sequences)), rows=ROWS):
                result[places] = self.model.log_probabilities(batch.to(device).inputs).cpu().double().numpy()
        finally:
            self.model.train(training)
        return result

    def targets(self, labels: Sequence[tuple[str, ...]]) -> Tensor:
        """Labels as targets: a number a text, or a row of 0 and 1.

        Raises `ArgumentError` for a label that is none of the classes.
        """
        index = {name: i for i, name in enumerate(self.classes)}
        unknown = sorted({label for some in labels for label in some} - set(index))
        if unknown:
            raise ArgumentError(f"label {unknown[0]!a:.80} is none of the {len(index)} classes that were learned")
        if self.kind != "multiple":
            return torch.tensor([index[some[0]] for some in labels])
        rows = torch.zeros(len(labels), len(index), dtype=torch.long)
        for row, some in zip(rows, labels, strict=True):
            row[[index[label] for label in some]] = 1
        return rows

    def score(self, texts: Sequence[str], labels: Sequence[tuple[str, ...]]) -> ClassificationScore:
        """How well the texts are classified. Raises `ArgumentError` for a label that is none of the classes."""
        return self.score_encoded(self.encoded(texts), self.targets(labels))

    def score_encoded(self, sequences: Sequence[Tensor], targets: Tensor) -> ClassificationScore:
        """How well texts are classified, given by their ids and targets."""
        logs, truth = self._log_probabilities(sequences), targets.numpy()
        if self.kind == "multiple":
            logs_of_not = np.log(np.maximum(-np.expm1(logs), np.finfo(float).tiny))
            nats = -float(np.where(truth == 1, logs, logs_of_not).sum(1).mean())
            return ClassificationScore(len(truth), nats, label_scores(truth, logs > np.log(0.5)).to_json(self.classes))
        matrix = confusion_matrix(truth, logs.argmax(1), len(self.classes))
        facts = class_scores(matrix).to_json(self.classes)
        if self.kind == "ordinal":
            facts |= asdict(star_scores(matrix))
        return ClassificationScore(len(truth), negative_log_likelihood(logs, truth) or 0.0, facts)

    def worst(self, sequences: Sequence[Tensor], targets: Tensor, count: int = 5) -> Iterator[tuple[int, str, float]]:
        """Where the texts stand that are taken for another class with most certainty: place, class, probability."""
        logs, truth = self._log_probabilities(sequences), targets.numpy()
        if self.kind == "multiple":
            return
        guess = logs.argmax(1)
        wrong = np.flatnonzero(guess != truth)
        for place in wrong[np.argsort(-logs[wrong, guess[wrong]], kind="stable")][:count]:
            yield int(place), self.classes[guess[place]], float(np.exp(logs[place, guess[place]]))
