"""Runs of classifiers: what they say of texts, letters or numbers in time, and how often it is true.

What is said of files and of lines as they come is in `class_answers.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from throughtime.errors import ArgumentError, plural, printable
from throughtime.folder import STRICT, Count, Sha256
from throughtime.recipes.cards import listed
from throughtime.recipes.class_notes import repeated
from throughtime.recipes.classify import Classify
from throughtime.recipes.fields import MOST_CLASSES
from throughtime.recipes.transfer import VectorFacts
from throughtime.runs.asked import Asked, Judged
from throughtime.runs.class_answers import ClassAnswers, EventsLive, SeriesLive, TextLive, of_file, reads
from throughtime.runs.folders import facts_of, filled, hashes_of, read_again, sources_of, units_of
from throughtime.runs.judging import sureness
from throughtime.runs.language import vector_rows
from throughtime.runs.mistakes import Items, Mistakes, Wanted, of_classifier
from throughtime.runs.shown import class_rows, figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from throughtime.data.encoders import Encoder
    from throughtime.data.records import Example
    from throughtime.models.pooled import PooledTexts
    from throughtime.models.text_classifier import ClassificationScore, TextClassifier
    from throughtime.recipes.labelled import Divided

PICTURES: dict[str, Any] = {}


def distinct(names: list[str]) -> list[str]:
    """The names. Raises `ValueError` when one is there twice."""
    if len(set(names)) < len(names):
        raise ValueError("a name is there twice")
    return names


class Facts(BaseModel):
    """What data.json tells of the examples that a classifier was made from."""

    model_config = STRICT

    train: str
    train_sha256: Sha256
    train_bytes: Count | None = None
    valid: str
    valid_sha256: Sha256
    valid_bytes: Count | None = None
    classes: Annotated[list[str], Field(min_length=2, max_length=MOST_CLASSES), AfterValidator(distinct)]
    vocab: Count | None = None
    skipped_rows: Count
    unlabelled_rows: Count = 0
    repeats: Count = 0
    shared: Count = 0
    train_items: Count
    train_units: Count
    train_unknown: Count
    train_longest: Count
    valid_items: Count
    valid_units: Count
    valid_unknown: Count
    valid_longest: Count
    vectors: VectorFacts | None = None
    vectors_sha256: Sha256 | None = None
    pretrained: str | None = None
    pretrained_sha256: Sha256 | None = None


def load(home: Path, recipe: Classify) -> TextClassifier:
    """The classifier of a whole folder. Raises `RunError` as `runs.load` does."""
    from throughtime.models.text_classifier import TextClassifier

    encoder, classes = encoder_of(home, recipe), facts_of(home, Facts).classes
    model = filled(lambda: recipe.model_of(encoder.vocab, len(classes), channels=encoder.width), home)
    return TextClassifier(model, encoder, classes, recipe.labels)


def encoder_of(home: Path, recipe: Classify) -> Encoder:
    """The units or scales of a whole folder. Raises `RunError` where they do not read as such."""
    from throughtime import folder
    from throughtime.data.encoders import SeriesEncoder, TextEncoder, series_encoder_from_json

    if recipe.unit is not None:
        return TextEncoder(units_of(home, recipe.unit))
    return series_encoder_from_json(folder.read_json(home, SeriesEncoder.file, folder.TEXT_LIMIT))


def divided_of(home: Path, recipe: Classify) -> Divided:
    """The examples that a classifier was made from, read again.

    Raises `RunError` when they are not what they were, and `DataError` when they cannot be read.
    """
    sources = sources_of(recipe, facts_of(home, Facts))
    again: Divided = read_again(home, recipe.divided, sources, hashes_of)
    return again


def rows(facts: Facts, recipe: Classify, weights: int) -> dict[str, str]:
    """What there is to tell of the model and what it learned from."""
    items, known = plural(recipe.item), facts.model_dump()
    what = f"{recipe.unit}, a vocabulary of {facts.vocab:,}" if recipe.unit else "numbers, scaled by channel"

    def part(name: str) -> str:
        units, unknown, longest = (known[f"{name}_{what}"] for what in ("units", "unknown", "longest"))
        counted = f"{unknown:,} of {units:,} {recipe.unit}s unknown" if recipe.unit else f"{longest:,} times at most"
        return f"{known[name]}: {known[f'{name}_items']:,} {items}, {counted}"

    said = repeated(known, items)
    return {
        "model": f"{recipe.made_of}, {weights:,} weights",
        "classes": listed(facts.classes),
        "units": what,
        "sha256": facts.train_sha256,
        "training": part("train"),
        "held out": part("valid"),
        "skipped": f"{facts.skipped_rows:,} rows",
        **({"to be known": "; ".join(said)} if said else {}),
        **vector_rows(facts.vectors, facts.vectors_sha256),
        **({"begun with": facts.pretrained} if facts.pretrained else {}),
    }


@dataclass(frozen=True)
class _Given:
    """What a classifier is judged by."""

    examples: list[Example]
    labels: list[tuple[str, ...]]
    skipped: int
    notes: tuple[str, ...] = ()


def evaluate(home: Path, recipe: Classify, asked: Asked) -> Judged:
    """How well labelled texts or series are classified.

    A label that was never learned is refused; with `missing` as "skip" what has it is left out, counted, and told.
    """
    asked.only(reads(recipe), *_takes(recipe), *(() if recipe.labels == "multiple" else ("pictures",)))
    classifier = load(home, recipe)
    given = _given(home, recipe, asked, classifier.classes)
    sequences = classifier.encoded([example.item for example in given.examples])
    logs, targets = classifier.log_probabilities_encoded(sequences), classifier.targets(given.labels)
    score = classifier.score_logs(logs, targets)
    unknown, units = classifier.encoder.unknown(sequences), sum(map(len, sequences))
    facts = {**score.to_json(), **score.tables, "unknown_units": unknown, "units": units, "skipped_rows": given.skipped}
    counted = {"unknown": f"{unknown:,} of {units:,} {recipe.unit}s"} if recipe.unit else {"times": f"{units:,}"}
    counted["rows skipped"] = f"{given.skipped:,}"
    if recipe.labels == "multiple":
        return Judged(facts, _told(score, counted), given.notes)
    sure = sureness(logs, targets.numpy(), classifier.classes, title=home.absolute().name)
    return Judged(facts | sure.facts, _told(score, sure.rows | counted), given.notes, sure.pictures)


def mistakes(home: Path, recipe: Classify, asked: Asked, wanted: Wanted) -> Mistakes:
    """The surest mistakes about a file, or about what the run held out, with what mattered for them."""
    from throughtime.metrics.mistakes import surest

    asked.only(reads(recipe), *_takes(recipe))
    classifier = load(home, recipe)
    given = _given(home, recipe, asked, classifier.classes)
    wheres, items = [example.where for example in given.examples], [example.item for example in given.examples]
    sequences, truth = classifier.encoded(items), classifier.targets(given.labels).numpy()
    logs = classifier.log_probabilities_encoded(sequences)
    found = of_classifier(classifier, Items(wheres, items, sequences, truth, given.labels), logs, wanted)
    return Mistakes(found, len(items), surest(logs, truth, 0)[1], classifier.encoder.items, given.notes)


def _takes(recipe: Classify) -> tuple[str, ...]:
    """What may be asked of labelled items."""
    return ("label_column", "missing") if recipe.of_series else ("column", "label_column", "missing")


def _given(home: Path, recipe: Classify, asked: Asked, classes: Sequence[str]) -> _Given:
    """The file that is asked about, read as in training unless it is told how; or what the run held out."""
    from throughtime.recipes.labelled import pairs_of

    if asked.file is None:
        again = divided_of(home, recipe)
        return _Given(again.valid, again.valid_labels, again.facts["skipped_rows"])
    given = {"text_column": asked.column, "label_column": asked.label_column, "missing": asked.missing}
    changes = {name: value for name, value in given.items() if value is not None}
    recipe = recipe.model_copy(update=changes)
    read = recipe.read(asked.file)
    labels = [labels for _, labels in pairs_of(read, recipe.labels)]
    new = [sorted(set(some) - set(classes)) for some in labels]
    known = [not some for some in new]
    notes = (read.chosen, *_never_learned(read.records, new, recipe))
    return _Given(
        [example for example, learned in zip(read.records, known, strict=True) if learned],
        [some for some, learned in zip(labels, known, strict=True) if learned],
        read.counts.skipped + known.count(False),
        notes,
    )


def _never_learned(examples: Sequence[Example], new: list[list[str]], recipe: Classify) -> tuple[str, ...]:
    """What is said of labels that were never learned. Raises `ArgumentError` where they are not to be left out."""
    rows = [place for place, some in enumerate(new) if some]
    if not rows:
        return ()
    what = f"label {new[rows[0]][0]!a:.80} is none of the classes that were learned: {len(rows):,} of "
    told = f"{what}{len(new):,} rows have such labels, the first {printable(examples[rows[0]].where)}"
    if recipe.missing != "skip":
        raise ArgumentError(f"{told}; leave them out with --missing skip, or train with them")
    return (f"{told}; they are left out of the figures, and all of them are wrong",)


def _told(score: ClassificationScore, counted: dict[str, str]) -> dict[str, str]:
    """A score and what was counted, for people; then each class."""
    told = {plural(score.item): f"{score.items:,}", f"nats a {score.item}": f"{score.nats:.4f}"}
    for name, value in score.facts.items():
        if value is None or isinstance(value, float):
            told[name.replace("_", " ")] = figure(value)
    return told | counted | class_rows(score.tables)


def predict(trained: TextClassifier, recipe: Classify, asked: Asked) -> ClassAnswers:
    """What the classifier says of each item of a file. Raises `ArgumentError` for what is no file."""
    return ClassAnswers(trained, of_file(trained, recipe, asked), every=asked.probabilities)


def stream(trained: TextClassifier, recipe: Classify) -> TextLive | EventsLive | SeriesLive:
    """The classifier, a text a line; of series a time a line, or a whole series where it needs all of it."""
    from throughtime.models.running import goes_on

    if recipe.unit is not None:
        return TextLive(trained)
    return EventsLive(trained) if goes_on(trained.model) else SeriesLive(trained)


def embed(trained: TextClassifier, recipe: Classify) -> PooledTexts:
    """The vectors that the head sees. Raises `ArgumentError` for series, and for bags of words, which have none."""
    from throughtime.models.classifier import Classifier
    from throughtime.models.pooled import PooledTexts

    if recipe.of_series or not isinstance(trained.model, Classifier):
        what = "series" if recipe.of_series else "bags of words"
        raise ArgumentError(f"embed is for texts that are read in their order, and this run is of {what}: try predict")
    return PooledTexts(trained, trained.model)
