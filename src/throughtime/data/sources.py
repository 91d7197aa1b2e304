"""What reads a file: the one place where a file's name tells what kind of data is in it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from throughtime.data.class_files import ClassFolder
from throughtime.data.fasta import Fasta, HeaderLabel, labels_by_name
from throughtime.data.lines import kind_of
from throughtime.data.precision import Gaps
from throughtime.data.records import Layout, Record, Records, Source
from throughtime.data.rows import Writing
from throughtime.data.series import SeriesLayout, SeriesSet, read_series, read_windows
from throughtime.data.series_files import read_npy, read_ts
from throughtime.errors import DataError

Content = Literal["texts", "sequences", "sentences", "series"]
ENDINGS: dict[str, Content] = {
    **dict.fromkeys((".conll", ".conllu", ".conllup"), "sentences"),
    **dict.fromkeys((".fasta", ".fa", ".fna", ".faa"), "sequences"),
    **dict.fromkeys((".ts", ".npy"), "series"),
}


def content_of(path: Path) -> Content:
    """What is in a file by its name; a table, or a folder, holds texts unless columns of numbers are asked for.

    >>> content_of(Path("genes.fa.gz")), content_of(Path("moves.ts")), content_of(Path("reviews.csv"))
    ('sequences', 'series', 'texts')
    """
    return ENDINGS.get(kind_of(path), "texts")


@dataclass(frozen=True)
class Letters:
    """How sequences of letters are read.

    alphabet    "dna", "protein" or the letters themselves, of which all are, as capitals; None: any, as they are
    separator   of the parts of a FASTA header; None: white space
    labels      a table of names (its first column) and labels (its second), instead of labels in headers
    """

    alphabet: str | None = None
    separator: str | None = None
    labels: Path | None = None


@dataclass(frozen=True)
class Windows:
    """A table in which a row is a series: how many channels share it, and what comes first in it."""

    channels: int = 1
    by: Literal["time", "channel"] = "time"


@dataclass(frozen=True)
class Reading:
    """How files are read, of whatever kind they are.

    table      which columns are texts, labels and groups, and what becomes of rows that lack something
    writing    how a text file writes a table down
    letters    how sequences of letters are read
    numbers    which columns are numbers in time; None: tables are of texts
    windows    given where a row of numbers is a series
    """

    table: Layout = field(default_factory=Layout)
    writing: Writing = field(default_factory=Writing)
    letters: Letters = field(default_factory=Letters)
    numbers: SeriesLayout | None = None
    windows: Windows | None = None


def open_records(path: Path, reading: Reading | None = None) -> Source[Record]:
    """The records of a table, of a folder per class, or of a FASTA file.

    Raises `DataError` for a file of another kind, and, when read, as `Records`, `ClassFolder` and `Fasta` do.
    """
    reading = reading or Reading()
    content, table = content_of(path), reading.table
    if content not in ("texts", "sequences"):
        raise DataError(f"{path} holds {content}; give texts (.csv .tsv .jsonl .parquet .txt) or letters (.fasta)")
    if content == "sequences":
        labels = _labels_of_letters(reading)
        alphabet = reading.letters.alphabet
        return Fasta(path, alphabet=alphabet, labels=labels, missing=table.missing, empty_set=table.empty_set)
    if path.is_dir():
        return ClassFolder(path, missing=table.missing, writing=reading.writing)
    return Records(path, table, reading.writing)


def _labels_of_letters(reading: Reading) -> HeaderLabel | dict[str, tuple[str, ...]] | None:
    """Where the label of a FASTA sequence is: a part of its header (the second), or the table of labels."""
    letters, label = reading.letters, reading.table.label
    if letters.labels is not None:
        column = 1 if label is None else label
        return labels_by_name(letters.labels, label=column, separator=reading.table.separator, writing=reading.writing)
    if not reading.table.labelled and label is None:
        return None
    if label is not None and not str(label).isdecimal():
        raise DataError(f"a label in a FASTA header is a part of it, by number from 0; got {label!a:.80}")
    return HeaderLabel(letters.separator, 1 if label is None else int(label))


def open_series(path: Path, reading: Reading) -> SeriesSet:
    """The series of a `.ts` or `.npy` file, or of a table whose columns `reading.numbers` tells.

    Labels of NAME.npy are in the array that is given, or in NAME.labels.npy, if that is there.
    Values that are missing or infinite are refused where the table refuses what is missing, else kept and counted.

    Raises `DataError` for a table when it does not, and as `read_ts`, `read_npy`, `read_series`, `read_windows` do.
    """
    gaps: Gaps = "refuse" if reading.table.missing == "refuse" else "keep"
    numbers, kind = replace(reading.numbers or SeriesLayout(), missing=gaps), kind_of(path)
    if kind == ".ts":
        return read_ts(path, missing=gaps)
    if kind == ".npy":
        beside = path.with_suffix(".labels.npy")
        labels = reading.letters.labels or (beside if reading.table.labelled and beside.exists() else None)
        found = read_npy(path, labels=labels, missing=gaps)
        return replace(found, chosen=f"{found.chosen}; labels in {labels}") if labels else found
    if content_of(path) != "texts" or path.is_dir() or reading.numbers is None:
        raise DataError(f"{path} is not read as series; give .ts or .npy, or tell which columns of a table are numbers")
    if reading.windows is None:
        return read_series(path, numbers, reading.writing)
    return read_windows(
        path, numbers, channels=reading.windows.channels, by=reading.windows.by, writing=reading.writing
    )
