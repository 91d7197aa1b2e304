"""throughtime check FILE...: what is in labelled data, before anything is learned from it."""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, printable

if TYPE_CHECKING:
    from throughtime.data.inventory import Inventory

SENTENCES = (".conll", ".conllu", ".conllup")
SEQUENCES = (".fasta", ".fa", ".fna", ".faa")
SERIES = (".ts",)


@dataclass
class Options:
    """Reports what is in data: rows, lengths, classes, unknown words, repeats within and across files, what is missing.

    The first file is the one to learn from; words of the others are unknown if it lacks them.
    """

    files: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(
            metavar="FILE...",
            help="tables (.csv .tsv .jsonl .parquet), a folder per class, .conllu or .conll, .fasta, .ts (.gz too)",
        ),
    ]
    text_column: Annotated[str | None, tyro.conf.arg(help="of a table: the column of texts, by name or number")] = None
    label_column: Annotated[str | None, tyro.conf.arg(help="of a table: the column of labels")] = None
    separator: Annotated[str | None, tyro.conf.arg(help="of a table: what stands between labels in a cell")] = None
    column: Annotated[str | None, tyro.conf.arg(help="of sentences: the column of tags, by name or number")] = None
    unit: Annotated[Literal["word", "character"], tyro.conf.arg(help="what texts are counted in")] = "word"
    limit: Annotated[int | None, tyro.conf.arg(help="a length; tells how much of longer ones it would cut")] = None
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Reports."""
    options = parse(Options, words, "check")
    if not options.files:
        raise ArgumentError("check what? throughtime check FILE...; see throughtime check --help")
    if options.limit is not None and options.limit < 1:
        raise ArgumentError(f"--limit must be at least 1; got {options.limit}")
    inventory, sources = taken(options)
    for source in sources:
        if said := getattr(source, "chosen", ""):
            sys.stderr.write(f"{said}\n")
    if options.json:
        sys.stdout.write(json.dumps(inventory.to_json(), ensure_ascii=False, allow_nan=False) + "\n")
    else:
        sys.stdout.writelines(f"{printable(line)}\n" for line in inventory.lines())
    return 0


def taken(options: Options) -> "tuple[Inventory, list[Any]]":
    """The inventory of the files, and what they were read by."""
    from throughtime.data.stocktaking import inventory_of_records, inventory_of_sentences, inventory_of_series

    kinds = {_kind(path) for path in options.files}
    if len(kinds) > 1:
        raise ArgumentError(f"files of different kinds cannot be parts of one set: {', '.join(sorted(kinds))}")
    names = _names(options.files)
    sources = [_source(path, options) for path in options.files]
    parts: dict[str, Any] = dict(zip(names, sources, strict=True))
    kind = kinds.pop()
    if kind == "series":
        return inventory_of_series(parts, limit=options.limit), sources
    if kind == "sentences":
        return inventory_of_sentences(parts, limit=options.limit), sources
    letters = options.unit == "character" or kind == "sequences"
    units = list if letters else str.split
    return inventory_of_records(parts, units=units, limit=options.limit), sources


def _kind(path: Path) -> str:
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    kinds = {**dict.fromkeys(SENTENCES, "sentences"), **dict.fromkeys(SEQUENCES, "sequences")}
    return kinds.get(ending, "series" if ending in SERIES else "texts")


def _names(paths: Iterable[Path]) -> list[str]:
    """A name for each file: its own, or its whole path where two are the same."""
    paths = list(paths)
    own = [path.name for path in paths]
    if len(set(paths)) < len(paths):
        raise ArgumentError("a file is given twice; give each part once")
    return own if len(set(own)) == len(own) else [str(path) for path in paths]


def _source(path: Path, options: Options) -> Any:
    """What reads a file. Nothing is refused for being empty or without a label: that is counted."""
    from throughtime.data.class_files import ClassFolder
    from throughtime.data.conll import Sentences
    from throughtime.data.fasta import Fasta
    from throughtime.data.records import Layout, Records
    from throughtime.data.series_files import read_ts

    kind = _kind(path)
    if kind == "sentences":
        return Sentences(path, tag=options.column)
    if kind == "sequences":
        return Fasta(path, alphabet=None, missing="keep")
    if kind == "series":
        return read_ts(path, missing="keep")
    if path.is_dir():
        return ClassFolder(path, missing="keep")
    layout = Layout(text=options.text_column, label=options.label_column, separator=options.separator, missing="keep")
    return Records(path, layout)
