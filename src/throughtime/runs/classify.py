"""Runs of classifiers: what they say of texts, and how often it is true."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from throughtime.errors import ArgumentError, printable
from throughtime.recipes.classify import Classify, listed
from throughtime.recipes.fields import MOST_CLASSES
from throughtime.recipes.transfer import Sha256, VectorFacts
from throughtime.runs.asked import Asked, Judged
from throughtime.runs.folders import Count, changed, check_unchanged, facts_of, filled, units_of
from throughtime.runs.language import vector_rows

if TYPE_CHECKING:
    from throughtime.data.records import Record
    from throughtime.models.text_classifier import ClassificationScore, Prediction, TextClassifier
    from throughtime.recipes.labelled import Divided

PICTURES: dict[str, Any] = {}
BLOCK = 4096  # texts held at a time


def distinct(names: list[str]) -> list[str]:
    """The names. Raises `ValueError` when one is there twice."""
    if len(set(names)) < len(names):
        raise ValueError("a name is there twice")
    return names


class Facts(BaseModel):
    """What data.json tells of the texts that a classifier was made from."""

    model_config = ConfigDict(strict=True, frozen=True)

    train: str
    train_sha256: str
    train_bytes: Count | None = None
    valid: str
    valid_sha256: str
    valid_bytes: Count | None = None
    classes: Annotated[list[str], Field(min_length=2, max_length=MOST_CLASSES), AfterValidator(distinct)]
    vocab: Count
    skipped_rows: Count
    train_texts: Count
    train_units: Count
    train_unknown: Count
    valid_texts: Count
    valid_units: Count
    valid_unknown: Count
    vectors: VectorFacts | None = None
    vectors_sha256: Sha256 | None = None


def load(home: Path, recipe: Classify) -> TextClassifier:
    """The classifier of a whole folder. Raises `RunError` as `runs.load` does."""
    from throughtime.models.text_classifier import TextClassifier

    units, classes = units_of(home, recipe.unit), facts_of(home, Facts).classes
    model = filled(lambda: recipe.model_of(len(units), len(classes)), home)
    return TextClassifier(model, units, classes, recipe.labels)


def divided_of(home: Path, recipe: Classify) -> Divided:
    """The labelled texts that a classifier was made from, read again.

    Raises `RunError` when they are not what they were, and `DataError` when they cannot be read.
    """
    facts = facts_of(home, Facts)
    sources = (recipe.train, facts.train_bytes), (recipe.valid or recipe.train, facts.valid_bytes)
    for path, size in sources:
        check_unchanged(path, size, home, "data")
    texts = recipe.divided()
    for (path, _), known in zip(sources, ("train_sha256", "valid_sha256"), strict=True):
        if texts.facts[known] != getattr(facts, known):
            raise changed(path, home, "data")
    return texts


def rows(facts: Facts, recipe: Classify, weights: int) -> dict[str, str]:
    """What there is to tell of the model and its texts."""
    parts = {
        "training": (facts.train, facts.train_texts, facts.train_unknown, facts.train_units),
        "held out": (facts.valid, facts.valid_texts, facts.valid_unknown, facts.valid_units),
    }
    return {
        "model": f"{recipe.made_of}, {weights:,} weights",
        "classes": listed(facts.classes),
        "units": f"{recipe.unit}, a vocabulary of {facts.vocab:,}",
        "sha256": facts.train_sha256,
        **{
            name: f"{what}: {texts:,} texts, {unknown:,} of {units:,} {recipe.unit}s unknown"
            for name, (what, texts, unknown, units) in parts.items()
        },
        "skipped": f"{facts.skipped_rows:,} rows",
        **vector_rows(facts.vectors, facts.vectors_sha256),
    }


def evaluate(home: Path, recipe: Classify, asked: Asked) -> Judged:
    """How well labelled texts are classified."""
    from throughtime.recipes.labelled import pairs_of

    classifier, notes = load(home, recipe), tuple[str, ...]()
    if asked.file is None:
        again = divided_of(home, recipe)
        pairs, skipped = again.valid, again.facts["skipped_rows"]
    else:
        given = {"text_column": asked.column, "label_column": asked.label_column, "missing": asked.missing}
        changes = {name: value for name, value in given.items() if value is not None}
        read = recipe.model_copy(update=changes).read(asked.file)
        notes = (read.chosen,)
        pairs, skipped = pairs_of(read, recipe.labels), read.counts.skipped
    sequences = classifier.encoded([text for text, _ in pairs])
    score = classifier.score_encoded(sequences, classifier.targets([labels for _, labels in pairs]))
    unknown, units = classifier.unknown(sequences), sum(map(len, sequences))
    facts = {**score.to_json(), **score.tables, "unknown_units": unknown, "units": units, "skipped_rows": skipped}
    counted = {"unknown": f"{unknown:,} of {units:,} {classifier.units.kind}s", "rows skipped": f"{skipped:,}"}
    return Judged(facts, _told(score, counted), notes)


def _told(score: ClassificationScore, counted: dict[str, str]) -> dict[str, str]:
    """A score and what was counted, for people; then each class."""
    told = {"texts": f"{score.texts:,}", "nats a text": f"{score.nats:.4f}"}
    for name, value in score.facts.items():
        if value is None or isinstance(value, float):
            told[name.replace("_", " ")] = _share(value)
    told |= counted
    for table in score.tables.values():
        for name, one in table.items():
            said = "  ".join(f"{what} {_share(one[what])}" for what in ("precision", "recall", "f1"))
            told[f"  {printable(name)}"] = f"{said}  of {one['support']:,}"
    return told


def _share(share: float | None) -> str:
    return "—" if share is None else f"{share:.4f}"


class Said(NamedTuple):
    """A text and what is said of it."""

    record: Record
    prediction: Prediction


class TextAnswers:
    """What a classifier says of the texts of a file."""

    item = "text"

    def __init__(self, classifier: TextClassifier, asked: Asked) -> None:
        from throughtime.data.records import Layout, Records

        file = asked.file
        if file is None or file.is_dir() or str(file) == "-":
            raise ArgumentError(f"{file} is no file; give one with a text a row (.csv .tsv .jsonl .parquet .txt)")
        self.classifier, self.every = classifier, asked.probabilities
        self.records = Records(file, Layout(text=asked.column, labelled=False, missing="keep"))
        self.head: str | None = _csv(["row", "label", "probability", *(classifier.classes if self.every else [])])
        self.texts = self.units = self.unknown = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Which columns are read, and why."""
        return (self.records.chosen,)

    def __iter__(self) -> Iterator[list[Said]]:
        """The answers, a block of texts at a time."""
        stream = iter(self.records)
        while block := list(islice(stream, BLOCK)):
            sequences = self.classifier.encoded([record.text for record in block])
            self.texts += len(block)
            self.units += sum(map(len, sequences))
            self.unknown += self.classifier.unknown(sequences)
            predictions = self.classifier.predict_encoded(sequences)
            yield [Said(record, one) for record, one in zip(block, predictions, strict=True)]

    def plain(self, answer: Said) -> str:
        """A row of CSV, in which ; stands between several labels."""
        shares = answer.prediction.probabilities.values()
        every = [f"{share:.6g}" for share in shares] if self.every else []
        return _csv([answer.record.row, ";".join(answer.prediction.labels), f"{max(shares):.6g}", *every])

    def facts(self, answer: Said) -> dict[str, Any]:
        """The row, its labels and how sure they are."""
        shares = answer.prediction.probabilities
        line = {"row": answer.record.row, "labels": answer.prediction.labels, "probability": max(shares.values())}
        return {**line, "probabilities": shares} if self.every else line

    def told(self) -> str:
        """How many texts there were, and how much of them was unknown."""
        return (
            f"{self.texts:,} texts, {self.records.counts.empty_texts:,} of them empty; {self.unknown:,} of "
            f"{self.units:,} {self.classifier.units.kind}s unknown"
        )


def _csv(cells: list[Any]) -> str:
    """A row of CSV."""
    row = StringIO()
    csv.writer(row, lineterminator="").writerow(cells)
    return row.getvalue()


def predict(trained: TextClassifier, recipe: Classify, asked: Asked) -> TextAnswers:
    """What the classifier says of each text of a file. Raises `ArgumentError` for what is no file."""
    return TextAnswers(trained, asked)


class TextLive:
    """A classifier that is given a text a line."""

    wants = "a text"

    def __init__(self, classifier: TextClassifier) -> None:
        self.classifier = classifier

    def take(self, line: str) -> dict[str, Any] | None:
        """The labels of a text, and the probability of every class."""
        said = self.classifier.predict([line])[0]
        return {"labels": said.labels, "probabilities": said.probabilities} if line.strip() else None

    def plain(self, facts: dict[str, Any]) -> str:
        """The labels, and how sure they are."""
        return f"{';'.join(facts['labels'])}\t{max(facts['probabilities'].values()):.6g}"


def stream(trained: TextClassifier, recipe: Classify) -> TextLive:
    """The classifier, a text a line."""
    return TextLive(trained)
