"""Examples to classify, one by one: a text, a sequence of letters or a series, with its labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from throughtime.data.fasta import letters_in
from throughtime.data.precision import Values
from throughtime.data.records import Counts
from throughtime.data.series import Series
from throughtime.data.sources import Reading, open_records, open_series
from throughtime.errors import DataError

Item = str | Values  # a text, or a series T D


class Example(NamedTuple):
    """An item and its labels."""

    origin: str  # the file and the word that rows are counted in
    row: int | str  # from 1: the line or row; of a series its name
    item: Item
    labels: tuple[str, ...]  # none where there is none, or none was asked for
    group: str = ""  # that is not to be torn apart

    @property
    def where(self) -> str:
        """Where it stands, as errors say it.

        >>> Example("reviews.csv, line", 7, "good", ("4",)).where
        'reviews.csv, line 7'
        """
        return f"{self.origin} {self.row}"

    @property
    def content(self) -> bytes:
        """What is equal where items are, and differs where they do."""
        return self.item.encode("utf-8", "surrogatepass") if isinstance(self.item, str) else self.item.tobytes()


@runtime_checkable
class Examples(Protocol):
    """Examples from somewhere, which can be read again."""

    origin: str  # where they are from

    @property
    def counts(self) -> Counts:
        """What was read so far."""
        ...

    @property
    def chosen(self) -> str:
        """How they are read, for people; of a table once reading began."""
        ...

    def __iter__(self) -> Iterator[Example]:
        """The examples in their order."""
        ...


class TextExamples:
    """Texts, or sequences of letters, as examples.

    Raises `DataError`, when read, as `open_records` says, and for a letter that is not of the alphabet.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        self.source, self.alphabet = open_records(path, reading), reading.letters.alphabet
        self.origin = self.source.origin

    @property
    def counts(self) -> Counts:
        """Of the source."""
        return self.source.counts

    @property
    def chosen(self) -> str:
        """Of the source."""
        return self.source.chosen

    def __iter__(self) -> Iterator[Example]:
        for record in self.source:
            text = record.text if self.alphabet is None else letters_in(record.text, self.alphabet, record.where)
            yield Example(record.origin, record.row, text, record.labels, record.group)


class SeriesExamples:
    """Series as examples; the file is read whole when reading begins.

    Raises `DataError`, when read, as `open_series` does, and (missing="refuse") for a series without a label.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        self.path, self.reading, self.table = path, reading, reading.table
        self.origin, self.chosen, self.counts = str(path), "", Counts()

    def __iter__(self) -> Iterator[Example]:
        self.counts = counts = Counts()
        found = open_series(self.path, self.reading)
        self.chosen = found.chosen
        for series in found.series:
            example = Example(f"{self.path}, series", series.name, series.values, self._labels(series), series.group)
            if self._taken(example, counts):
                yield example
        counts.bytes = self.path.stat().st_size

    def _labels(self, series: Series) -> tuple[str, ...]:
        """Its labels, where they are several in one cell each of them."""
        separator = self.table.separator
        if separator is None:
            return series.labels
        parts = (part.strip() for label in series.labels for part in label.split(separator))
        return tuple(dict.fromkeys(part for part in parts if part))

    def _taken(self, example: Example, counts: Counts) -> bool:
        """Whether a series is kept; counts it, and what it lacks."""
        counts.rows += 1
        gaps = not np.isfinite(example.item).all()
        unlabelled = self.table.labelled and not self.table.empty_set and not example.labels
        counts.empty_texts += gaps
        counts.missing_labels += unlabelled
        if unlabelled and self.table.missing == "refuse":
            raise DataError(
                f"{example.where}: its label is missing; tell where labels are, or leave it out with --missing skip"
            )
        left_out = (gaps or unlabelled) and self.table.missing == "skip"
        counts.skipped += left_out
        return not left_out


def open_examples(path: Path, reading: Reading, *, series: bool) -> Examples:
    """The examples of a file: its series, or its texts."""
    return SeriesExamples(path, reading) if series else TextExamples(path, reading)


@dataclass(frozen=True)
class Labelled:
    """All examples of a source, and what was met while reading them."""

    examples: list[Example]
    counts: Counts
    chosen: str


def read_examples(source: Examples) -> Labelled:
    """All examples of a source. Raises `DataError` as the source does, and when there are none."""
    examples = list(source)
    if not examples:
        raise DataError(f"{source.origin}: nothing is left of {source.counts.rows:,} rows; give some with labels")
    return Labelled(examples, source.counts, source.chosen)
