"""throughtime predict RUN FILE: what a trained classifier says of each text of a file, in their order."""

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from throughtime.cli.bar import bar
from throughtime.cli.parse import parse

if TYPE_CHECKING:
    from throughtime.data.records import Record
    from throughtime.models.text_classifier import Prediction, TextClassifier

BLOCK = 4096  # texts held at a time


@dataclass
class Options:
    """Classifies texts; a line a text on stdout, in their order, however many there are."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder of a classifier")]
    file: Annotated[
        tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE", help="texts: .csv .tsv .jsonl .parquet (.gz too)")
    ]
    text_column: Annotated[str | None, tyro.conf.arg(help="the column of texts, by name or number")] = None
    probabilities: Annotated[bool, tyro.conf.arg(help="of every class")] = False
    json: Annotated[bool, tyro.conf.arg(help="JSON lines instead of CSV")] = False


def command(words: list[str]) -> int:
    """Classifies."""
    options = parse(Options, words, "predict")
    from throughtime.data.records import Layout, Records
    from throughtime.recipes.load import classifier_of

    classifier = classifier_of(options.run, "predict")
    layout = Layout(text=options.text_column, labelled=False, missing="keep")
    records = Records(options.file, layout)
    write = _json_lines if options.json else _csv_rows
    units = unknown = 0
    with bar("predicting") as tell:
        for block, said, done in _predicted(classifier, records):
            if not units:
                sys.stderr.write(f"{records.chosen}\n")
            write(block, said, classifier.classes, options.probabilities, first=not done)
            units += sum(len(ids) for ids in classifier.encoded([record.text for record in block]))
            unknown += classifier.unknown([record.text for record in block])
            tell(done + len(block), done + len(block), f"{done + len(block):,} texts")
    counts = records.counts
    sys.stderr.write(
        f"{counts.rows:,} texts, {counts.empty_texts:,} of them empty; {unknown:,} of {units:,} "
        f"{classifier.units.kind}s unknown\n"
    )
    return 0


def _predicted(
    classifier: "TextClassifier", records: "Iterator[Record] | Any"
) -> "Iterator[tuple[list[Record], list[Prediction], int]]":
    """Blocks of texts, what is said of them, and how many came before."""
    stream, done = iter(records), 0
    while block := list(islice(stream, BLOCK)):
        yield block, classifier.predict([record.text for record in block]), done
        done += len(block)


def _csv_rows(
    block: "list[Record]", said: "list[Prediction]", classes: list[str], probabilities: bool, *, first: bool
) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if first:
        writer.writerow(["row", "label", "probability", *(classes if probabilities else [])])
    for record, one in zip(block, said, strict=True):
        sure = max(one.probabilities.values())
        every = [f"{share:.6g}" for share in one.probabilities.values()] if probabilities else []
        writer.writerow([record.row, ";".join(one.labels), f"{sure:.6g}", *every])


def _json_lines(
    block: "list[Record]", said: "list[Prediction]", classes: list[str], probabilities: bool, *, first: bool
) -> None:
    for record, one in zip(block, said, strict=True):
        line: dict[str, Any] = {"row": record.row, "labels": one.labels}
        line["probability"] = max(one.probabilities.values())
        if probabilities:
            line["probabilities"] = one.probabilities
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
