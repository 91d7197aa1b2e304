"""A perceptron together with what its features and answers are called and measured in, which judges itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from throughtime.data.scale import Scale
from throughtime.errors import ArgumentError, printable
from throughtime.layers.rest import at_rest
from throughtime.metrics import (
    class_scores,
    confusion_matrix,
    mean_absolute_error,
    negative_log_likelihood,
    root_mean_squared_error,
)
from throughtime.metrics.mistakes import surest
from throughtime.models.perceptron import PerceptronModel

ROWS = 8192  # that go through the model at a time


@dataclass(frozen=True)
class Answer:
    """What is said of a vector: a class with the probabilities of all, or a number."""

    label: str | float
    probabilities: dict[str, float]  # of every class; empty of a number


@dataclass(frozen=True)
class FeatureScore:
    """How well vectors were classified, or their numbers foretold."""

    rows: int
    loss: float  # a row: nats, or the loss of the number in units of its standard deviation
    facts: dict[str, Any]  # accuracy and the like, each a number; of numbers, errors in the units of the label
    tables: dict[str, Any]  # precision, recall and F1 of each class

    def sentence(self) -> str:
        """What there is to say of it, for people."""
        shares = {name: self.facts.get(name) for name in ("accuracy", "macro_f1")}
        said = [f"{name.replace('_', ' ')} {100 * share:.2f} %" for name, share in shares.items() if share is not None]
        numbers = {name: self.facts.get(name) for name in ("mean_absolute_error", "root_mean_squared_error")}
        said += [f"{name.replace('_', ' ')} {value:.5g}" for name, value in numbers.items() if value is not None]
        return f"{', '.join(said)}, loss {self.loss:.4f} a row"

    def to_json(self) -> dict[str, Any]:
        """The numbers by name, without the tables; a unit is a row."""
        return {"rows": self.rows, **self.facts}


class FeatureReader:
    """A perceptron, its features by name, and its classes (None: it says numbers, `target` is the scale of them)."""

    def __init__(
        self,
        model: PerceptronModel,
        names: Sequence[str],
        scale: Scale,
        *,
        classes: list[str] | None = None,
        target: Scale | None = None,
    ) -> None:
        if (classes is None) is (target is None):
            raise ArgumentError("give either the names of the classes or the scale of the number that is foretold")
        self.model, self.names, self.scale, self.classes, self.target = model, tuple(names), scale, classes, target

    def predict(self, values: ArrayLike) -> list[Answer]:
        """What is said of each row of values N D. Raises `ArgumentError` as `outputs` does."""
        found = self.outputs(values)
        if self.classes is None:
            return [Answer(float(number), {}) for number in self.numbers(found)]
        names, shares = self.classes, np.exp(found)
        return [Answer(names[int(row.argmax())], dict(zip(names, map(float, row), strict=True))) for row in shares]

    def outputs(self, values: ArrayLike) -> NDArray[np.float64]:
        """log p of every class, N K, or the scaled number, N 1.

        Raises `ArgumentError` for another number of features than were learned, and for values that are not finite or
        so far from those that were learned that no answer is.
        """
        given = np.asarray(values, np.float64)
        width = len(self.names)
        if given.ndim != 2 or given.shape[1] != width:
            shown = ", ".join(printable(name)[:40] for name in self.names[:12]) + (", ..." if width > 12 else "")
            count = given.shape[1] if given.ndim == 2 else f"an array {given.shape}"
            raise ArgumentError(f"{count} features do not fit: give {width}, a row for each vector ({shown})")
        if not np.isfinite(given).all():
            row = int(np.flatnonzero(~np.isfinite(given).all(1))[0])
            raise ArgumentError(f"row {row} (from 0) has a value that is missing or infinite; fill it in")
        found = self._through(self.scale.apply(given))
        if not np.isfinite(found).all():
            row = int(np.flatnonzero(~np.isfinite(found).all(1))[0])
            raise ArgumentError(f"row {row} (from 0) is too far from what was learned: the answer is no number")
        return found

    def _through(self, scaled: NDArray[np.float32]) -> NDArray[np.float64]:
        head = cast(Any, self.model.head)
        says = head if self.classes is None else head.log_probabilities
        device, found = next(self.model.parameters()).device, []
        with at_rest(self.model):
            for part in torch.from_numpy(scaled).split(ROWS):  # type: ignore[no-untyped-call]
                found.append(says(self.model(part.to(device))).cpu().double().numpy())
        return np.concatenate(found) if found else np.zeros((0, len(self.classes or " ")))

    def numbers(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """The numbers that outputs N 1 stand for, in the units of the label."""
        assert self.target is not None
        return self.target.undo(outputs)[:, 0]

    def score(self, values: ArrayLike, targets: NDArray[Any]) -> FeatureScore:
        """How well it does, by the numbers of the classes, or by the scaled numbers, of the rows.

        Raises `ArgumentError` when there are none.
        """
        return self.score_outputs(self.outputs(values), targets)

    def score_outputs(self, found: NDArray[np.float64], targets: NDArray[Any]) -> FeatureScore:
        """The same from what `outputs` gave for these rows."""
        if not len(targets):
            raise ArgumentError("there are no rows to judge a perceptron by; give one at least")
        if self.classes is None:
            return FeatureScore(len(targets), self._distance(found[:, 0] - targets), self._errors(found, targets), {})
        matrix = confusion_matrix(targets, found.argmax(1), len(self.classes))
        facts = class_scores(matrix).to_json(self.classes)
        tables = {name: value for name, value in facts.items() if isinstance(value, dict)}
        numbers = {name: value for name, value in facts.items() if name not in tables}
        numbers = {"nats_per_unit": negative_log_likelihood(found, targets) or 0.0, **numbers}
        return FeatureScore(len(targets), numbers["nats_per_unit"], numbers, tables)

    def _distance(self, rest: NDArray[np.float64]) -> float:
        """The mean loss of numbers that are so far off, as the head counts it."""
        delta, far = cast(Any, self.model.head).delta, np.abs(rest)
        losses = rest**2 if delta is None else np.where(far <= delta, rest**2 / 2, delta * (far - delta / 2))
        return float(losses.mean())

    def _errors(self, found: NDArray[np.float64], targets: NDArray[Any]) -> dict[str, Any]:
        """How far numbers are off, in the units of the label, and which share of their variance is explained."""
        truth, said = self.numbers(targets[:, None]), self.numbers(found)
        spread = float(((truth - truth.mean()) ** 2).sum())
        return {
            "mean_absolute_error": mean_absolute_error(truth, said),
            "root_mean_squared_error": root_mean_squared_error(truth, said),
            "r2": 1 - float(((truth - said) ** 2).sum()) / spread if spread else None,
        }

    def worst(self, values: ArrayLike, targets: NDArray[Any], count: int = 5) -> Iterator[tuple[int, Answer, float]]:
        """The surest mistakes: a row, what is said of it and with which probability; of numbers, how far it is off."""
        found = self.outputs(values)
        if self.classes is None:
            off = np.abs(self.numbers(found) - self.numbers(targets[:, None]))
            places = [(place, float(off[place])) for place in np.argsort(-off, kind="stable")[:count] if off[place]]
        else:
            places = [(one.place, one.probability) for one in surest(found, targets, count)[0]]
        for place, size in places:
            yield int(place), self.predict(np.asarray(values)[place : place + 1])[0], size
