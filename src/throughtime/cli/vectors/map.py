"""throughtime vectors map TABLE: words on the plane, as a page or a picture."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, StorageError, printable

if TYPE_CHECKING:
    from throughtime.inspect.layout import Layout
    from throughtime.vectors.table import Table

MANY = 5000  # words from which t-SNE takes so long that we say so


@dataclass
class Options:
    """Draws words as points, near to each other where their vectors are: a page to walk about in, or a picture."""

    table: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TABLE", help="a table of word vectors")]
    out: Annotated[Path, tyro.conf.arg(help="map.html (one file, needs no network), map.png or map.svg")]
    method: Annotated[Literal["pca", "tsne", "lle"], tyro.conf.arg(help="lle is locally linear embedding")] = "tsne"
    words: Annotated[int, tyro.conf.arg(help="how many words, the most frequent")] = 500
    only: Annotated[Path | None, tyro.conf.arg(help="a file of the words to draw, one a line, or a JSON list")] = None
    clusters: Annotated[int, tyro.conf.arg(help="groups of words that k-means makes")] = 8
    colour: Annotated[Literal["cluster", "bias"], tyro.conf.arg(help="bias needs --pairs")] = "cluster"
    pairs: Annotated[
        Path | None, tyro.conf.arg(help="a file of pairs of words, whose differences say the direction of the bias")
    ] = None
    seed: Annotated[int, tyro.conf.arg(help="the same seed draws the same map")] = 0
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Draws."""
    options = parse(Options, words, "vectors map")
    from throughtime.folder import write_file
    from throughtime.inspect.layout import lay_out
    from throughtime.inspect.maps import PAGE, kind_of, page
    from throughtime.vectors.lists import read_word_pairs
    from throughtime.vectors.table import Table

    kind = kind_of(options.out)
    _check(options)
    if kind != PAGE:
        from throughtime.inspect.pictures import find_fonts

        find_fonts()  # or we should learn only at the end that there is nothing to draw with
    pairs = read_word_pairs(options.pairs) if options.pairs else None
    table = Table.load(options.table)
    rows, missing, notes = _chosen(options, table)
    if options.method == "tsne" and len(rows) > MANY:
        sys.stderr.write(f"t-SNE of {len(rows):,} words takes minutes; --method pca takes seconds\n")
    layout = lay_out(table, rows, method=options.method, clusters=options.clusters, pairs=pairs, seed=options.seed)
    layout = replace(layout, notes=notes + layout.notes)
    name, facts = options.table.absolute().name, _facts(options, layout, missing)
    if kind == PAGE:
        body = page(layout, name=name, colour=options.colour).encode()
    else:
        from throughtime.inspect.pictures import picture

        drawn = picture(layout, kind, name=name, colour=options.colour)
        body = drawn.body
        facts |= {"labelled": drawn.labelled, "unwritable": drawn.unwritable}
    write_file(options.out, body)
    sys.stdout.write(json.dumps(facts) + "\n" if options.json else _told(facts, layout))
    return 0


def _check(options: Options) -> None:
    """What can be refused before any work."""
    if not 0 <= options.seed < 2**32:
        raise ArgumentError(f"--seed must be in 0..2^32; got {options.seed}")
    if options.only is None and options.words < 3:
        raise ArgumentError(f"--words must be at least 3, as a map of fewer says nothing; got {options.words}")
    if options.colour == "bias" and options.pairs is None:
        raise ArgumentError("--colour bias needs pairs of words that say which bias: give --pairs FILE")
    if options.out.is_dir() or not options.out.absolute().parent.is_dir():
        problem = "it is a folder" if options.out.is_dir() else f"there is no folder {options.out.parent}"
        raise StorageError(f"cannot write {options.out}: {problem}; choose another --out")


def _chosen(options: Options, table: "Table") -> tuple[Any, list[str], list[str]]:
    """The rows to draw, words of --only that the table has not, and what the map should note of both."""
    import numpy as np

    from throughtime.inspect.maps import cut
    from throughtime.vectors.lists import read_words
    from throughtime.vectors.lookup import Lookup

    if options.only is None:
        few = f"the table has only {len(table):,} words, not {options.words:,}"
        return np.arange(min(options.words, len(table))), [], [few] if len(table) < options.words else []
    wanted = read_words(options.only)
    rows, missing = Lookup.of(table).split(wanted)
    some = ", ".join(cut(word, 40) for word in missing[:5]) + (", ..." if len(missing) > 5 else "")
    if len(rows) < 3:
        raise ArgumentError(
            f"{len(rows)} of the {len(wanted):,} words of {options.only} are in the table, and a map needs 3"
            + (f"; not in it: {some}" if missing else "")
        )
    said = f"{len(missing):,} of the {len(wanted):,} words asked for are not in the table: {some}"
    return np.sort(rows), missing, [said] if missing else []


def _facts(options: Options, layout: "Layout", missing: list[str]) -> dict[str, Any]:
    lean = layout.lean
    return {
        "out": str(options.out),
        "method": layout.method,
        "words": len(layout.words),
        "vocabulary": layout.vocabulary,
        "dimension": layout.dimension,
        "explained": layout.explained,
        "clusters": [cluster._asdict() for cluster in layout.clusters],
        "bias": lean and {"low": lean.low, "high": lean.high, "pairs": lean.pairs, "explained": lean.explained},
        "seed": layout.seed,
        "missing": missing,
        "notes": layout.notes,
    }


def _told(facts: dict[str, Any], layout: "Layout") -> str:
    from throughtime.inspect.maps import caption, cut

    lines = [f"{facts['out']}: {caption(layout)}"]
    for number, cluster in enumerate(layout.clusters, 1):
        lines.append(f"cluster {number}: {', '.join(cut(word, 40) for word in cluster.central)} ({cluster.size:,})")
    if layout.lean:
        low, high, share = cut(layout.lean.low, 40), cut(layout.lean.high, 40), 100 * layout.lean.explained
        lines.append(f"bias: from {low} to {high}, {share:.1f} % of {layout.lean.pairs} pairs' differences")
    if "labelled" in facts:
        lines.append(f"{facts['labelled']:,} words have a label, {facts['words'] - facts['labelled']:,} a dot alone")
    return "".join(f"{printable(line)}\n" for line in [*lines, *(f"note: {note}" for note in facts["notes"])])
