"""throughtime check FILE...: what is in labelled data, before anything is learned from it."""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, printable

if TYPE_CHECKING:
    from throughtime.data.inventory import Inventory
    from throughtime.data.pair_inventory import PairInventory
    from throughtime.data.sources import Reading


@dataclass
class Options:
    """Reports what is in data: rows, lengths, classes, unknown words, repeats within and across files, what is missing.

    The first file is the one to learn from; words of the others are unknown if it lacks them. With --pairs, files are
    tables of sources and targets, or sources and targets in turn, a line of one to a line of the other.
    """

    files: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(
            metavar="FILE...",
            help="tables (.csv .tsv .jsonl .parquet), a folder per class, .conllu, .conll, .fasta, .ts, .npy (.gz too)",
        ),
    ]
    pairs: Annotated[bool, tyro.conf.arg(help="files hold pairs: tables, or two parallel files for each part")] = False
    text_column: Annotated[str | None, tyro.conf.arg(help="of a table: the column of texts, by name or number")] = None
    label_column: Annotated[str | None, tyro.conf.arg(help="of a table: the column of labels")] = None
    source_column: Annotated[str | None, tyro.conf.arg(help="of --pairs in tables: the column of sources")] = None
    target_column: Annotated[str | None, tyro.conf.arg(help="of --pairs in tables: the column of targets")] = None
    header: Annotated[bool | None, tyro.conf.arg(help="whether a table's first line is names (found out)")] = None
    id_column: Annotated[str | None, tyro.conf.arg(help="of numbers in time: which rows are of one series")] = None
    time_column: Annotated[str | None, tyro.conf.arg(help="of numbers in time: when a row was")] = None
    windows: Annotated[int | None, tyro.conf.arg(help="channels of a series that is one row of numbers")] = None
    order: Annotated[
        Literal["time", "channel"] | None, tyro.conf.arg(help="of --windows: what comes first in a row (time)")
    ] = None
    separator: Annotated[str | None, tyro.conf.arg(help="of a table: what stands between labels in a cell")] = None
    column: Annotated[str | None, tyro.conf.arg(help="of sentences: the column of tags, by name or number")] = None
    unit: Annotated[Literal["word", "character"], tyro.conf.arg(help="what texts are counted in")] = "word"
    limit: Annotated[int | None, tyro.conf.arg(help="a length; tells how many are longer, and by how much")] = None
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


def taken(options: Options) -> "tuple[Inventory | PairInventory, list[Any]]":
    """The inventory of the files, and what they were read by."""
    from throughtime.data.stocktaking import inventory_of_records, inventory_of_sentences, inventory_of_series

    if options.pairs or options.source_column is not None or options.target_column is not None:
        return _pairs(options)
    reading = _reading(options)
    kinds = {_content(path, reading) for path in options.files}
    if len(kinds) > 1:
        raise ArgumentError(f"files of different kinds cannot be parts of one set: {', '.join(sorted(kinds))}")
    names = _names(options.files)
    sources = [_source(path, reading, options.column) for path in options.files]
    parts: dict[str, Any] = dict(zip(names, sources, strict=True))
    kind = kinds.pop()
    if kind == "series":
        return inventory_of_series(parts, limit=options.limit), sources
    if kind == "sentences":
        return inventory_of_sentences(parts, limit=options.limit), sources
    letters = options.unit == "character" or kind == "sequences"
    units = list if letters else str.split
    return inventory_of_records(parts, units=units, limit=options.limit), sources


def _pairs(options: Options) -> "tuple[PairInventory, list[Any]]":
    """The inventory of pairs, and these; what is empty is counted, not refused."""
    from throughtime.data.pair_inventory import inventory_of_pairs
    from throughtime.data.pairs import is_table, read_pairs, read_parallel

    for name in ("text_column", "label_column", "column", "id_column", "time_column", "windows", "order", "separator"):
        if (value := getattr(options, name)) is not None:
            option = name.replace("_", "-")
            raise ArgumentError(
                f"--{option} {value!s:.80} is not of pairs: give --source-column and --target-column, if any"
            )
    columns = options.source_column, options.target_column
    parts, waiting = dict[str, Any](), list(zip(_names(options.files), options.files, strict=True))
    while waiting:
        name, path = waiting.pop(0)
        if is_table(path):
            parts[name] = read_pairs(path, *columns, header=options.header, missing="skip")
        elif waiting:
            other, target = waiting.pop(0)
            parts[f"{name} and {other}"] = read_parallel(path, target, missing="skip")
        else:
            raise ArgumentError(
                f"{path} is no table, and no file of targets comes after it; give both, one after the other"
            )
    units = list if options.unit == "character" else str.split
    return inventory_of_pairs(parts, units=units, limit=options.limit), list(parts.values())


def _content(path: Path, reading: "Reading") -> str:
    """What is in a file: a table holds series where its columns of numbers are told."""
    from throughtime.data.sources import content_of

    content = content_of(path)
    return "series" if content == "texts" and reading.numbers is not None else content


def _names(paths: Iterable[Path]) -> list[str]:
    """A name for each file: its own, or its whole path where two are the same."""
    paths = list(paths)
    own = [path.name for path in paths]
    if len(set(paths)) < len(paths):
        raise ArgumentError("a file is given twice; give each part once")
    return own if len(set(own)) == len(own) else [str(path) for path in paths]


def _reading(options: Options) -> "Reading":
    """How files are read. Nothing is refused for being empty or without a label: that is counted."""
    from throughtime.data.records import Layout
    from throughtime.data.rows import Writing
    from throughtime.data.series import SeriesLayout
    from throughtime.data.sources import Reading, Windows

    label = options.label_column
    table = Layout(text=options.text_column, label=label, separator=options.separator, missing="keep")
    numbers = SeriesLayout(time=options.time_column, id=options.id_column, label=label)
    if options.order is not None and options.windows is None:
        raise ArgumentError(f"--order {options.order} is of --windows, which is not given")
    windows = None if options.windows is None else Windows(options.windows, options.order or "time")
    are_numbers = windows is not None or options.id_column is not None or options.time_column is not None
    writing = Writing(header=options.header)
    return Reading(table, writing, numbers=numbers if are_numbers else None, windows=windows)


def _source(path: Path, reading: "Reading", column: str | None) -> Any:
    """What reads a file; headers of letters are labels only where --label-column says so."""
    from throughtime.data.conll import Sentences
    from throughtime.data.sources import content_of, open_records, open_series

    content = _content(path, reading)
    if content == "sentences":
        return Sentences(path, tag=column)
    if content == "series":
        return open_series(path, reading)
    labelled = content_of(path) == "texts"
    return open_records(path, replace(reading, table=replace(reading.table, labelled=labelled)))
