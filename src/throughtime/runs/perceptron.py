"""Runs of perceptrons: what they say of vectors of features, and how often it is true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, Field, FiniteFloat, model_validator

from throughtime.data.scale import Deviations, Means
from throughtime.errors import ArgumentError, DataError, RunError, printable
from throughtime.folder import STRICT, Count, Sha256
from throughtime.recipes.cards import listed
from throughtime.recipes.featured import MOST_FEATURES
from throughtime.recipes.fields import MOST_CLASSES
from throughtime.recipes.perceptron import Perceptron
from throughtime.runs.asked import Asked, Judged, most_held
from throughtime.runs.classify import distinct
from throughtime.runs.folders import facts_of, filled, hashes_of, read_again, sources_of
from throughtime.runs.judging import Sureness, sureness
from throughtime.runs.numbers import numbers_in
from throughtime.runs.shown import class_rows, csv_row, figure

if TYPE_CHECKING:
    from throughtime.models.feature_reader import Answer, FeatureReader, FeatureScore
    from throughtime.recipes.featured import Featured

BLOCK = 4096  # answers held at a time, at most
WANTED = "one with a vector a row (.csv .tsv .jsonl .parquet .npy)"
Positive = Annotated[FiniteFloat, Field(gt=0)]


class Facts(BaseModel):
    """What data.json tells of the rows that a perceptron was made from."""

    model_config = STRICT

    train: str
    train_sha256: Sha256
    train_bytes: Count
    valid: str
    valid_sha256: Sha256
    valid_bytes: Count
    features: Annotated[list[str], Field(min_length=1, max_length=MOST_FEATURES), AfterValidator(distinct)]
    label: str
    classes: Annotated[list[str], Field(min_length=2, max_length=MOST_CLASSES), AfterValidator(distinct)] | None
    mean: Means
    deviation: Deviations
    target_mean: FiniteFloat | None
    target_deviation: Positive | None
    constant: list[str]
    train_rows: Count
    valid_rows: Count
    skipped_rows: Count
    rounded: Count

    @model_validator(mode="after")
    def _consistent(self) -> Facts:
        if len(self.mean) != len(self.features) or len(self.deviation) != len(self.features):
            raise ValueError("every feature has a mean and a deviation")
        numbers = {self.target_mean is None, self.target_deviation is None}
        if numbers != {self.classes is not None}:
            raise ValueError("there are either classes or the scale of a number")
        return self


def load(home: Path, recipe: Perceptron) -> FeatureReader:
    """The perceptron of a whole folder. Raises `RunError` as `runs.load` does."""
    import numpy as np

    from throughtime.data.scale import Scale
    from throughtime.models.feature_reader import FeatureReader

    facts = facts_of(home, Facts)
    if (facts.classes is None) is (recipe.loss == "cross_entropy"):
        what = "numbers" if facts.classes is None else "classes"
        raise RunError(f"data.json in {home} is of {what}, and its recipe has the loss {recipe.loss}")
    answers = 1 if facts.classes is None else len(facts.classes)
    model = filled(lambda: recipe.model_of(len(facts.features), answers), home)
    target = None
    if facts.target_mean is not None and facts.target_deviation is not None:
        target = Scale(np.array([facts.target_mean]), np.array([facts.target_deviation]))
    scale = Scale(np.array(facts.mean), np.array(facts.deviation))
    return FeatureReader(model, facts.features, scale, classes=facts.classes, target=target)


def divided_of(home: Path, recipe: Perceptron) -> Featured:
    """The rows that a perceptron was made from, read again.

    Raises `RunError` when they are not what they were, and `DataError` when they cannot be read.
    """
    sources = sources_of(recipe, facts_of(home, Facts))
    again: Featured = read_again(home, recipe.divided, sources, hashes_of)
    return again


def rows(facts: Facts, recipe: Perceptron, weights: int) -> dict[str, str]:
    """What there is to tell of the model and its rows."""
    answers = f"a number, {facts.label}" if facts.classes is None else f"{listed(facts.classes)} ({facts.label})"
    return {
        "model": f"{recipe.made_of}, {weights:,} weights",
        "answers": answers,
        "features": listed(facts.features),
        **({"constant": listed(facts.constant)} if facts.constant else {}),
        "sha256": facts.train_sha256,
        "training": f"{facts.train}: {facts.train_rows:,} rows",
        "held out": f"{facts.valid}: {facts.valid_rows:,} rows",
        "skipped": f"{facts.skipped_rows:,} rows",
    }


def evaluate(home: Path, recipe: Perceptron, asked: Asked) -> Judged:
    """How well labelled rows are judged."""
    from throughtime.data.feature_table import FeatureLayout, read_features

    _only(recipe, asked, "label_column", "missing", "pictures")
    reader, notes = load(home, recipe), tuple[str, ...]()
    if asked.file is None:
        again = divided_of(home, recipe)
        values, targets, skipped = again.valid.values, again.valid.targets, again.facts["skipped_rows"]
    else:
        label = asked.label_column or facts_of(home, Facts).label
        layout = FeatureLayout(reader.names, label, missing=asked.missing or recipe.missing)
        table = read_features(asked.path(WANTED), layout)
        notes, skipped = (table.chosen,), table.counts.skipped
        values = table.rows.values
        targets = _targets(reader, table.rows.labels, table.origin, table.rows.numbers)
    found = reader.outputs(values)
    score = reader.score_outputs(found, targets)
    sure = Sureness({}, {}, {})
    if reader.classes is not None:
        sure = sureness(found, targets, reader.classes, title=home.absolute().name)
    facts = {**score.to_json(), "loss": score.loss, **score.tables, **sure.facts, "skipped_rows": skipped}
    counted = sure.rows | {"rows skipped": f"{skipped:,}"}
    return Judged(facts, _told(score, recipe.loss_unit, counted), notes, sure.pictures)


def _targets(reader: FeatureReader, labels: list[str], origin: str, numbers: Any) -> Any:
    """Labels as the model has them."""
    import numpy as np

    if reader.target is not None:
        from throughtime.recipes.featured import numbers_of

        return reader.target.apply(numbers_of(labels, origin, numbers)[:, None])[:, 0]
    known = {name: i for i, name in enumerate(reader.classes or ())}
    for label, row in zip(labels, numbers, strict=True):
        if label not in known:
            many = f"none of the {len(known)} classes that were learned"
            raise DataError(f"{origin} {row}: label {label!a:.80} is {many}: leave its rows out")
    return np.array([known[label] for label in labels])


def _told(score: FeatureScore, unit: str, counted: dict[str, str]) -> dict[str, str]:
    """A score and what was counted, for people; then each class."""
    told = {"rows": f"{score.rows:,}", f"{unit} a row": f"{score.loss:.4f}"}
    for name, value in score.facts.items():
        if (value is None or isinstance(value, float)) and name != "nats_per_unit":
            told[name.replace("_", " ")] = figure(value)
    return told | counted | class_rows(score.tables)


def _only(recipe: Perceptron, asked: Asked, *takes: str) -> None:
    """Raises `ArgumentError` for what is asked of a perceptron, or of one of numbers, and would mean nothing."""
    numbers = recipe.loss != "cross_entropy"
    whose = "a perceptron whose answers are numbers" if numbers else "a perceptron, which reads rows of numbers"
    asked.only(whose, *(name for name in takes if not numbers or name not in ("pictures", "probabilities")))


def _names(reader: FeatureReader) -> str:
    return printable(", ".join(reader.names[:12]) + (", ..." if len(reader.names) > 12 else ""))


class VectorSaid(NamedTuple):
    """The number of a row and what is said of it."""

    row: int
    answer: Answer


class VectorAnswers:
    """What a perceptron says of the rows of a file."""

    item = "row"

    def __init__(self, reader: FeatureReader, recipe: Perceptron, asked: Asked) -> None:
        from throughtime.data.feature_table import FeatureLayout, FeatureRows

        _only(recipe, asked, "missing", "probabilities")
        layout = FeatureLayout(reader.names, labelled=False, missing=asked.missing or recipe.missing)
        self.reader, self.rows = reader, FeatureRows(asked.path(WANTED), layout)
        self.every = reader.classes if asked.probabilities and reader.classes is not None else []
        names = ["row", "number"] if reader.classes is None else ["row", "label", "probability", *self.every]
        self.head: str | None = csv_row(names)

    @property
    def notes(self) -> tuple[str, ...]:
        """Which columns are read."""
        return (self.rows.chosen,)

    def __iter__(self) -> Iterator[list[VectorSaid]]:
        """The answers, a block of rows at a time."""
        most = most_held(BLOCK, len(self.reader.classes or ""))
        for block in self.rows:
            for first in range(0, len(block.numbers), most):
                rows, values = block.numbers[first : first + most], block.values[first : first + most]
                answers = self.reader.predict(values)
                yield [VectorSaid(int(row), answer) for row, answer in zip(rows, answers, strict=True)]

    def plain(self, answer: VectorSaid) -> str:
        """A row of CSV."""
        said = answer.answer
        if self.reader.classes is None:
            return csv_row([answer.row, f"{said.label:.8g}"])
        every = [f"{said.probabilities[name]:.6g}" for name in self.every]
        return csv_row([answer.row, said.label, f"{max(said.probabilities.values()):.6g}", *every])

    def facts(self, answer: VectorSaid) -> dict[str, Any]:
        """The row, and its class with how sure that is, or its number."""
        line = {"row": answer.row, **_facts(answer.answer)}
        shares = line.pop("probabilities", None)
        return {**line, "probabilities": shares} if self.every else line

    def told(self) -> str:
        """How many rows there were."""
        return f"{self.rows.counts.rows:,} rows, {self.rows.counts.skipped:,} of them skipped"


def _facts(answer: Answer) -> dict[str, Any]:
    if not answer.probabilities:
        return {"number": answer.label}
    shares = answer.probabilities
    return {"label": answer.label, "probability": max(shares.values()), "probabilities": shares}


def predict(trained: FeatureReader, recipe: Perceptron, asked: Asked) -> VectorAnswers:
    """What the perceptron says of each row of a file. Raises `ArgumentError` for what is no file."""
    return VectorAnswers(trained, recipe, asked)


class VectorLive:
    """A perceptron that is given a vector a line."""

    def __init__(self, reader: FeatureReader) -> None:
        self.reader = reader
        self.wants = f"{len(reader.names)} numbers with commas or spaces between: {_names(reader)}"

    def take(self, line: str) -> dict[str, Any] | None:
        """The class of a vector and the probability of every class, or its number.

        Raises `DataError` for another number of numbers, and for what is no number.
        """
        if not line.strip():
            return None
        numbers = numbers_in(line).reshape(-1)
        if len(numbers) != len(self.reader.names):
            wanted = f"{len(self.reader.names)} numbers are wanted: {_names(self.reader)}"
            raise DataError(f"the line has {len(numbers)}, and {wanted}")
        try:
            return _facts(self.reader.predict([numbers])[0])
        except ArgumentError as error:
            raise DataError(str(error)) from None

    def plain(self, facts: dict[str, Any]) -> str:
        """The class and how sure it is, or the number."""
        if "number" in facts:
            return f"{facts['number']:.8g}"
        return f"{facts['label']}\t{facts['probability']:.6g}"


def stream(trained: FeatureReader, recipe: Perceptron) -> VectorLive:
    """The perceptron, a vector a line."""
    return VectorLive(trained)


def _boundary(home: Path, recipe: Perceptron, path: Path) -> None:
    """Draws what is said of the plane of two features, and the rows to learn from on it."""
    from throughtime.inspect.boundary import draw_boundary

    reader = load(home, recipe)
    again = divided_of(home, recipe)
    draw_boundary(reader, again.train.values, again.train.labels, path, title=home.absolute().name)


PICTURES = {"boundary": _boundary}
