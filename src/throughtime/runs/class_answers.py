"""What a classifier says of the items of a file, and of lines as they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from throughtime.errors import ArgumentError, DataError, plural
from throughtime.recipes.classify import Classify
from throughtime.runs.asked import Asked, most_held
from throughtime.runs.numbers import check_answer, numbers_in
from throughtime.runs.shown import csv_row

if TYPE_CHECKING:
    from throughtime.data.encoders import SeriesEncoder
    from throughtime.data.records import Source
    from throughtime.data.sources import Reading
    from throughtime.models.classifier import Classifier
    from throughtime.models.text_classifier import Prediction, TextClassifier

BLOCK = 4096  # items held at a time
WANTED = "one with an item a row (.csv .tsv .jsonl .parquet .txt), or .fasta, .ts, .npy"


class Said(NamedTuple):
    """Where an item stands, and what is said of it."""

    row: int | str
    prediction: Prediction


def reads(recipe: Classify) -> str:
    """What a run is, for people who ask it for what it has no use for."""
    return f"a classifier of {plural(recipe.item)}{' with several labels' if recipe.labels == 'multiple' else ''}"


def of_file(trained: TextClassifier, recipe: Classify, asked: Asked) -> Source[Any]:
    """The items of a file, read as in training unless it is told how; labels are not looked for.

    Empty texts are kept; series that lack values are refused, or left out where rows that lack something are.
    """
    from throughtime.data.examples import open_examples
    from throughtime.data.lines import kind_of

    file = asked.path(WANTED)
    asked.only(reads(recipe), "probabilities", "missing" if recipe.of_series else "column")
    column = asked.column or (None if kind_of(file) == ".txt" else recipe.text_column)
    reading = recipe.model_copy(update={"text_column": column}).reading(labelled=False)
    if not recipe.of_series:
        return open_examples(file, replace(reading, table=replace(reading.table, missing="keep")), series=False)
    missing = asked.missing or recipe.missing
    reading = replace(reading, table=replace(reading.table, missing=missing))
    if reading.numbers is not None and kind_of(file) not in (".ts", ".npy"):
        reading = _without_labels(file, reading, trained.encoder)  # type: ignore[arg-type]
    return open_examples(file, reading, series=True)


def _without_labels(file: Path, reading: Reading, encoder: SeriesEncoder) -> Reading:
    """The reading of a table of series that may lack the columns of labels and groups that training had."""
    from throughtime.data.rows import open_table

    numbers = reading.numbers
    assert numbers is not None
    if reading.windows is None:  # the channels that were learned, whatever stands beside them
        return replace(reading, numbers=replace(numbers, label=None, group=None, values=encoder.channels))
    names = open_table(file, reading.writing, numbered=numbers.numbered).names
    least, most = encoder.steps
    bare = least == most and len(names) == most * len(encoder.channels)

    def there(column: str | int | None) -> str | int | None:
        known = str(column) in names or (str(column).isdecimal() and int(str(column)) < len(names))
        return None if bare or not known else column

    roles = there(numbers.id), there(numbers.label), there(numbers.group)
    return replace(reading, numbers=replace(numbers, id=roles[0], label=roles[1], group=roles[2]))


class ClassAnswers:
    """What a classifier says of items, in their order, a block of them at a time."""

    def __init__(self, classifier: TextClassifier, source: Source[Any], *, every: bool = False) -> None:
        self.classifier, self.source, self.every, self.item = classifier, source, every, classifier.encoder.item
        self.head: str | None = csv_row(["row", "label", "probability", *(classifier.classes if every else [])])
        self.items = self.units = self.unknown = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """How the file is read."""
        return (self.source.chosen,)

    def __iter__(self) -> Iterator[list[Said]]:
        stream, encoder = iter(self.source), self.classifier.encoder
        most = most_held(BLOCK, len(self.classifier.classes))
        while block := list(islice(stream, most)):
            sequences = self.classifier.encoded([record.item for record in block])
            self.items += len(block)
            self.units += sum(sequence.shape[0] for sequence in sequences)
            self.unknown += encoder.unknown(sequences)
            predictions = self.classifier.predict_encoded(sequences)
            yield [Said(record.row, one) for record, one in zip(block, predictions, strict=True)]

    def plain(self, answer: Said) -> str:
        """A row of CSV, in which ; stands between several labels."""
        shares = answer.prediction.probabilities.values()
        every = [f"{share:.6g}" for share in shares] if self.every else []
        row = str(answer.row) if isinstance(answer.row, int) else _cell(answer.row)
        return ",".join([row, _cell(";".join(answer.prediction.labels)), f"{max(shares):.6g}", *every])

    def facts(self, answer: Said) -> dict[str, Any]:
        """The row, its labels and how sure they are."""
        shares = answer.prediction.probabilities
        line = {"row": answer.row, "labels": answer.prediction.labels, "probability": max(shares.values())}
        return {**line, "probabilities": shares} if self.every else line

    def told(self) -> str:
        """How many items there were, and how much of them was unknown, or left out."""
        encoder, counts = self.classifier.encoder, self.source.counts
        items = f"{self.items:,} {plural(self.item)}"
        if encoder.vocab is None:
            return f"{items} of {self.units:,} times; {counts.skipped:,} left out, for they lack values"
        return (
            f"{items}, {counts.empty_texts:,} of them empty; {self.unknown:,} of {self.units:,} {encoder.unit}s unknown"
        )


@lru_cache(maxsize=4096)
def _cell(text: str) -> str:
    """A cell of a row of CSV; labels come again and again."""
    return csv_row(["", text])[1:]


class TextLive:
    """A classifier that is given a text a line."""

    wants = "a text"

    def __init__(self, classifier: TextClassifier) -> None:
        self.classifier = classifier

    def take(self, line: str) -> dict[str, Any] | None:
        """The labels of a text, and the probability of every class."""
        return _facts(self.classifier.predict([line.strip()])[0]) if line.strip() else None

    def plain(self, facts: dict[str, Any]) -> str:
        """The labels, and how sure they are."""
        return _plain(facts)


class SeriesLive:
    """A classifier that is given a whole series a line, for it needs all of it."""

    def __init__(self, classifier: TextClassifier) -> None:
        self.classifier, self.width = classifier, classifier.encoder.width or 1
        self.wants = (
            f"a whole series as JSON, such as [[{'0, ' * (self.width - 1)}0], ...], {self.width} numbers a time"
        )

    def take(self, line: str) -> dict[str, Any] | None:
        """The labels of a series, and the probability of every class."""
        if not line.strip():
            return None
        values = numbers_in(line)
        if self.width == 1 and values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[1] != self.width or not len(values):
            raise DataError(f"numbers of shape {list(values.shape)}; give {self.wants}")
        try:
            said = self.classifier.predict([values])[0]
        except ArgumentError as error:
            raise DataError(str(error)) from None
        check_answer(list(said.probabilities.values()), "series")
        return _facts(said)

    def plain(self, facts: dict[str, Any]) -> str:
        """The labels, and how sure they are."""
        return _plain(facts)


class EventsLive:
    """A classifier that is given the numbers of a time a line, and answers for the series so far; what it remembers of
    the series is carried from line to line.
    """

    def __init__(self, classifier: TextClassifier) -> None:
        from throughtime.models.running import Running

        self.classifier, self.width = classifier, classifier.encoder.width or 1
        self.running = Running(cast("Classifier", classifier.model))  # a bag is of words, and these are numbers
        self.wants = f"the {self.width} numbers of a time, with commas between (an empty line begins a new series)"

    def take(self, line: str) -> dict[str, Any] | None:
        """The labels of the series so far, and the probability of every class."""
        if not line.strip():
            self.running.begin()
            return None
        values = numbers_in(line).reshape(-1)
        if len(values) != self.width:
            raise DataError(f"{len(values)} numbers; give {self.wants}")
        before = self.running.state
        try:
            x = self.classifier.encoded([values[None]])[0][0]
            said = self.classifier.said(self.running.step(x).double().cpu().numpy()[None])[0]
            check_answer(list(said.probabilities.values()), "numbers")
        except (ArgumentError, DataError) as error:
            self.running.state = before
            raise DataError(str(error)) from None
        return {"time": self.running.steps, **_facts(said)}

    def plain(self, facts: dict[str, Any]) -> str:
        """The labels, and how sure they are."""
        return _plain(facts)


def _facts(said: Prediction) -> dict[str, Any]:
    return {"labels": said.labels, "probabilities": said.probabilities}


def _plain(facts: dict[str, Any]) -> str:
    return f"{';'.join(facts['labels'])}\t{max(facts['probabilities'].values()):.6g}"
