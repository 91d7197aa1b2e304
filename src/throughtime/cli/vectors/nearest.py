"""throughtime vectors nearest TABLE WORD...: the words nearest to each word."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from throughtime.cli.parse import parse
from throughtime.cli.vectors.columns import align
from throughtime.errors import ArgumentError, printable

if TYPE_CHECKING:
    from throughtime.vectors.measures import Measure
    from throughtime.vectors.table import Table


@dataclass
class Options:
    """Lists the words of a table that are nearest to each word, the nearest first."""

    table: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TABLE", help="a table: a folder or a file")]
    words: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="WORD...", help="one word or more")]
    count: Annotated[int, tyro.conf.arg(help="most neighbours of a word")] = 10
    measure: Annotated[
        Literal["cosine", "dot", "euclidean"],
        tyro.conf.arg(help="what is near: a small angle, a large product, a short distance"),
    ] = "cosine"
    compare: Annotated[
        bool, tyro.conf.arg(help="show neighbours by cosine and by distance side by side: what length does")
    ] = False
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Looks up."""
    options = parse(Options, words, "vectors nearest")
    if not options.words:
        raise ArgumentError("name at least one word; see throughtime vectors nearest --help")
    from throughtime.vectors.table import Table

    table = Table.load(options.table)
    chosen = list(options.words)
    vectors = {word: table[word] for word in chosen}
    for word in vectors:
        if word not in table:
            sys.stderr.write(f"{printable(word)} is not in the table; its vector is composed of its parts\n")
    measures: list[Measure] = ["cosine", "euclidean"] if options.compare else [options.measure]
    found = {measure: table.nearest(chosen, options.count, measure=measure) for measure in measures}
    results = [
        {"word": word, "length": _length(vectors[word])}
        | {measure: [_neighbour(table, *pair) for pair in found[measure][i]] for measure in measures}
        for i, word in enumerate(chosen)
    ]
    if options.json:
        content = {"table": str(options.table), "count": options.count, "nearest": results}
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
        return 0
    sys.stdout.write("\n".join(_listing(result) for result in results))
    return 0


def _neighbour(table: "Table", word: str, value: float) -> dict[str, Any]:
    return {"word": word, "value": value, "length": _length(table[word])}


def _length(vector: Any) -> float:
    return float((vector.astype(float) ** 2).sum() ** 0.5)


def _listing(result: dict[str, Any]) -> str:
    """A word and its neighbours, in columns: for each measure the word, the value and the word's length."""
    measures = [name for name in result if name not in ("word", "length")]
    rows = [[cell for measure in measures for cell in (f"by {measure}", "", "length")]]
    for entries in zip(*(result[measure] for measure in measures), strict=True):
        numbers = [(printable(one["word"]), f"{one['value']:.4f}", f"{one['length']:.2f}") for one in entries]
        rows.append([cell for cells in numbers for cell in cells])
    lines = align(rows, [False, True, True] * len(measures))
    title = f"{printable(result['word'])}, of length {result['length']:.2f}"
    return "\n  ".join([title, *lines]) + "\n"
