"""throughtime vectors ...: word vectors, one command a file."""

import sys
from collections.abc import Callable
from importlib import import_module

from throughtime.errors import ArgumentError, nearest

COMMANDS = {
    "train": "learn a table from a text: throughtime vectors train --text FILE --out TABLE",
    "nearest": "the words nearest to a word: throughtime vectors nearest TABLE WORD...",
    "analogy": "man is to woman as king is to: throughtime vectors analogy TABLE man woman king",
    "evaluate": "judge tables: throughtime vectors evaluate TABLE --analogies FILE --similarity FILE...",
    "map": "draw a table in two dimensions: throughtime vectors map TABLE --out map.html",
    "debias": "remove a direction: throughtime vectors debias TABLE --pairs FILE --out TABLE2",
    "convert": "from one kind of file to another: throughtime vectors convert A B",
    "cooccur": "count words beside words: throughtime vectors cooccur --text FILE --out COUNTS",
}
HELP = """Word vectors: counted, learned, asked, judged, mended, drawn.

usage: throughtime vectors COMMAND ... [--help]

{commands}
"""


def command(words: list[str]) -> int:
    """Hands the words to the command that the first of them names."""
    if not words or words[0] in ("--help", "-h"):
        listing = "\n".join(f"  {name:<10}{about}" for name, about in COMMANDS.items())
        sys.stdout.write(HELP.format(commands=listing))
        return 0 if words else 2
    if words[0] not in COMMANDS:
        raise ArgumentError(
            f"unknown command 'vectors {words[0]}'; {nearest(words[0], COMMANDS)}; see throughtime vectors --help"
        )
    chosen: Callable[[list[str]], int] = import_module(f"throughtime.cli.vectors.{words[0]}").command
    return chosen(words[1:])
