"""throughtime predict RUN FILE: what a trained classifier says of each text of a file, in their order."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from throughtime.cli.bar import bar
from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, printable

if TYPE_CHECKING:
    from torch import Tensor

    from throughtime.data.records import Record
    from throughtime.models.text_classifier import Prediction, TextClassifier

BLOCK = 4096  # texts held at a time


@dataclass
class Options:
    """Classifies texts; a line a text on stdout, in their order, however many there are."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder of a classifier")]
    file: Annotated[
        tyro.conf.Positional[Path],
        tyro.conf.arg(metavar="FILE", help="texts: .csv .tsv .jsonl .parquet .txt (.gz too)"),
    ]
    text_column: Annotated[str | None, tyro.conf.arg(help="the column of texts, by name or number")] = None
    probabilities: Annotated[bool, tyro.conf.arg(help="of every class")] = False
    json: Annotated[bool, tyro.conf.arg(help="JSON lines instead of CSV, where ; stands between several labels")] = (
        False
    )


def command(words: list[str]) -> int:
    """Classifies."""
    options = parse(Options, words, "predict")
    if options.file.is_dir() or str(options.file) == "-":
        raise ArgumentError(f"{options.file} is no file; give one with a text a row (.csv .tsv .jsonl .parquet .txt)")
    from throughtime.data.records import Layout, Records
    from throughtime.recipes.load import classifier_of

    classifier = classifier_of(options.run, "predict")
    records = Records(options.file, Layout(text=options.text_column, labelled=False, missing="keep"))
    write = _json_lines if options.json else _csv_rows
    texts = units = unknown = 0
    with bar("predicting") as tell:
        for block, sequences, said in _predicted(classifier, records):
            if not texts:
                sys.stderr.write(f"{records.chosen}\n")
            write(block, said, classifier.classes, options.probabilities, first=not texts)
            texts += len(block)
            units += sum(map(len, sequences))
            unknown += classifier.unknown(sequences)
            tell(texts, texts, f"{texts:,} texts")
    sys.stderr.write(
        f"{texts:,} texts, {records.counts.empty_texts:,} of them empty; {unknown:,} of {units:,} "
        f"{classifier.units.kind}s unknown\n"
    )
    return 0


def _predicted(
    classifier: "TextClassifier", records: "Iterable[Record]"
) -> "Iterator[tuple[list[Record], list[Tensor], list[Prediction]]]":
    """Texts, their ids and what is said of them, a block at a time, so that no more than a block is ever held."""
    stream = iter(records)
    while block := list(islice(stream, BLOCK)):
        sequences = classifier.encoded([record.text for record in block])
        yield block, sequences, classifier.predict_encoded(sequences)


def _csv_rows(
    block: "list[Record]", said: "list[Prediction]", classes: list[str], probabilities: bool, *, first: bool
) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    shown = printable if sys.stdout.isatty() else str  # a name from a file steers no terminal, and a file gets it whole
    if first:
        writer.writerow(["row", "label", "probability", *(map(shown, classes) if probabilities else [])])
    for record, one in zip(block, said, strict=True):
        sure = max(one.probabilities.values())
        every = [f"{share:.6g}" for share in one.probabilities.values()] if probabilities else []
        writer.writerow([record.row, shown(";".join(one.labels)), f"{sure:.6g}", *every])


def _json_lines(
    block: "list[Record]", said: "list[Prediction]", classes: list[str], probabilities: bool, *, first: bool
) -> None:
    for record, one in zip(block, said, strict=True):
        line: dict[str, Any] = {"row": record.row, "labels": one.labels}
        line["probability"] = max(one.probabilities.values())
        if probabilities:
            line["probabilities"] = one.probabilities
        sys.stdout.write(json.dumps(line, ensure_ascii=sys.stdout.isatty()) + "\n")
