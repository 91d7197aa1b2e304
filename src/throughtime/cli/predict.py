"""throughtime predict RUN FILE: what a trained model says of each item of a file, in their order."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from throughtime.cli.bar import bar
from throughtime.cli.parse import parse
from throughtime.errors import plural, printable


@dataclass
class Options:
    """Says what each text, sentence or row of a file is; an answer each on stdout, in their order, however many."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder")]
    file: Annotated[
        tyro.conf.Positional[Path],
        tyro.conf.arg(metavar="FILE", help="what is to be read, in any form that training takes, without labels"),
    ]
    text_column: Annotated[
        str | None, tyro.conf.arg(help="the column of texts or tokens, by name or number (else as in training)")
    ] = None
    missing: Annotated[
        Literal["refuse", "skip"] | None,
        tyro.conf.arg(help="of numbers: rows or series that lack one (as in training, if not given)"),
    ] = None
    probabilities: Annotated[bool, tyro.conf.arg(help="of every class")] = False
    json: Annotated[bool, tyro.conf.arg(help="JSON lines")] = False


def command(words: list[str]) -> int:
    """Predicts."""
    options = parse(Options, words, "predict")
    from throughtime import folder
    from throughtime.runs import Asked, application_of, find_whole, recipe_of

    home = find_whole(options.run)
    folder.check_files(home)
    recipe = recipe_of(home)
    application = application_of(recipe)
    asked = Asked(
        options.file,
        column=options.text_column,
        missing=options.missing,
        probabilities=options.probabilities,
    )
    answers = application.predict(application.load(home, recipe), recipe, asked)
    shown = _safe if sys.stdout.isatty() else str  # a name from a file steers no terminal, and a file gets it whole
    done = 0
    with bar("predicting") as tell:
        for block in answers:
            if not done:
                sys.stderr.writelines(f"{note}\n" for note in answers.notes)
                if answers.head is not None and not options.json:
                    sys.stdout.write(shown(answers.head) + "\n")
            if options.json:
                lines = (json.dumps(answers.facts(one), ensure_ascii=sys.stdout.isatty()) for one in block)
            else:
                lines = (shown(answers.plain(one)) for one in block)
            sys.stdout.writelines(f"{line}\n" for line in lines)
            done += len(block)
            tell(done, done, f"{done:,} {plural(answers.item)}")
    sys.stderr.write(f"{answers.told()}\n")
    return 0


def _safe(lines: str) -> str:
    return "\n".join(printable(line.expandtabs()) for line in lines.split("\n"))
