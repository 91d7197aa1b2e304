"""Examples to classify, of whatever kind: texts, sequences of letters, series of numbers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from throughtime.data.fasta import letters_in
from throughtime.data.precision import Values
from throughtime.data.records import Counts, Record, Source
from throughtime.data.series import Series
from throughtime.data.sources import Reading, open_records, open_series
from throughtime.errors import DataError


class SeriesRecord(NamedTuple):
    """A series and its labels."""

    origin: str  # the file and the word "series"
    row: str  # its name, such as an id or the line it stands on
    item: Values  # T D
    labels: tuple[str, ...]
    group: str
    channels: tuple[str, ...]  # D names

    @property
    def where(self) -> str:
        """Where it stands, as errors say it."""
        return f"{self.origin} {self.row}"


class LetterRecords:
    """Records whose texts are letters of an alphabet. Raises `DataError`, when read, for a letter that is not of it."""

    def __init__(self, source: Source[Record], alphabet: str) -> None:
        self.source, self.alphabet, self.origin = source, alphabet, source.origin

    @property
    def chosen(self) -> str:
        """How the records are read."""
        return self.source.chosen

    @property
    def counts(self) -> Counts:
        """What was read so far."""
        return self.source.counts

    def __iter__(self) -> Iterator[Record]:
        for record in self.source:
            yield record._replace(text=letters_in(record.text, self.alphabet, record.where))


class SeriesRecords:
    """The series of a file as records; it is read whole when reading begins.

    Raises `DataError`, when read, as `open_series` does, and (missing="refuse") for a series without a label.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        self.path, self.reading, self.table = path, reading, reading.table
        self.origin, self.chosen, self.counts = str(path), "", Counts()

    def __iter__(self) -> Iterator[SeriesRecord]:
        self.counts = counts = Counts()
        found = open_series(self.path, self.reading)
        self.chosen, origin = found.chosen, f"{self.path}, series"
        for series in found.series:
            labels = self._labels(series)
            record = SeriesRecord(origin, series.name, series.values, labels, series.group, found.channels)
            if self._taken(record, counts):
                yield record
        counts.bytes = self.path.stat().st_size

    def _labels(self, series: Series) -> tuple[str, ...]:
        """Its labels; where several stand in one cell, each of them."""
        separator = self.table.separator
        if separator is None:
            return series.labels
        parts = (part.strip() for label in series.labels for part in label.split(separator))
        return tuple(dict.fromkeys(part for part in parts if part))

    def _taken(self, record: SeriesRecord, counts: Counts) -> bool:
        """Whether a series is kept; counts it, and what it lacks."""
        counts.rows += 1
        gaps = not np.isfinite(record.item).all()
        unlabelled = self.table.labelled and not self.table.empty_set and not record.labels
        counts.empty_texts += gaps
        counts.missing_labels += unlabelled
        if unlabelled and self.table.missing == "refuse":
            raise DataError(
                f"{record.where}: its label is missing; tell where labels are, or leave it out with --missing skip"
            )
        left_out = (gaps or unlabelled) and self.table.missing == "skip"
        counts.skipped += left_out
        return not left_out


def open_examples(path: Path, reading: Reading, *, series: bool) -> Source[Any]:
    """The records of a file: its series, or its texts."""
    if series:
        return SeriesRecords(path, reading)
    source, alphabet = open_records(path, reading), reading.letters.alphabet
    return source if alphabet is None else LetterRecords(source, alphabet)
