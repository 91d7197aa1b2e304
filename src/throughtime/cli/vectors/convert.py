"""throughtime vectors convert A B: a table from one kind of file to another."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from throughtime.cli.bar import bar
from throughtime.cli.parse import parse
from throughtime.errors import printable


@dataclass
class Options:
    """Reads a table and writes it as another kind of file.

    The ending of a name tells the kind: .txt and .bin word2vec, .vec fastText, .glove.txt GloVe, .npz numpy,
    .safetensors tensors, .gz any packed text (to read only); a name with none of these is a folder of ours.
    """

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="A", help="a table that is there")]
    target: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="B", help="the table to write")]
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Converts."""
    options = parse(Options, words, "vectors convert")
    from throughtime.vectors.formats import left_behind, read, write

    start = time.perf_counter()
    with bar("reading") as tell:
        table = read(options.source, tell)
    with bar("writing") as tell:
        write(table, options.target, tell)
    lost = left_behind(table, options.target)
    if options.json:
        content = {
            "source": str(options.source),
            "target": str(options.target),
            "words": len(table),
            "dimension": table.dimension,
            "left_behind": lost,
            "seconds": time.perf_counter() - start,
        }
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
        return 0
    target = printable(str(options.target))
    sys.stderr.write(f"{target}: {len(table):,} words, {table.dimension:,} numbers each\n")
    if lost:
        sys.stderr.write(f"left behind, for such a file has no place for them: {', '.join(lost)}\n")
    return 0
