"""throughtime vectors analogy TABLE man woman king: man is to woman as king is to which word?"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from throughtime.cli.parse import parse
from throughtime.cli.vectors.columns import align
from throughtime.errors import printable


@dataclass
class Options:
    """Lists the words that are to C what B is to A, the best first; the three themselves are left out."""

    table: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TABLE", help="a table: a folder or a file")]
    a: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="A", help="such as man")]
    b: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="B", help="such as woman")]
    c: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="C", help="such as king")]
    count: Annotated[int, tyro.conf.arg(help="most words to list")] = 10
    by: Annotated[
        Literal["addition", "multiplication"],
        tyro.conf.arg(help="add and subtract cosines, or multiply and divide them"),
    ] = "addition"
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Answers."""
    options = parse(Options, words, "vectors analogy")
    from throughtime.vectors.table import Table

    a, b, c = options.a, options.b, options.c
    found = Table.load(options.table).analogy(a, b, c, options.count, by=options.by)
    if options.json:
        answers = [{"word": word, "value": value} for word, value in found]
        content = {"table": str(options.table), "question": [a, b, c], "by": options.by, "answers": answers}
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
        return 0
    sys.stdout.write(printable(f"{a} is to {b} as {c} is to") + "\n")
    if found:
        lines = align([[printable(word), f"{value:.4f}"] for word, value in found], [False, True])
        sys.stdout.writelines(f"  {line}\n" for line in lines)
    return 0
