"""throughtime mistakes RUN: what a model is surest of and wrong about, with the words that mattered."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from throughtime.cli.evaluate import refuse_of_data
from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, StorageError, printable

if TYPE_CHECKING:
    from throughtime.runs.mistakes import Mistakes


@dataclass
class Options:
    """Lists the wrong answers that were given with most certainty, and how much each word spoke for them."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder")]
    data: Annotated[Path | None, tyro.conf.arg(help="labelled data (else what the run held out)")] = None
    text_column: Annotated[
        str | None, tyro.conf.arg(help="of --data: the column of texts or tokens (else as in training)")
    ] = None
    label_column: Annotated[str | None, tyro.conf.arg(help="of --data: the column of labels or tags")] = None
    missing: Annotated[
        Literal["refuse", "skip"] | None,
        tyro.conf.arg(help="of --data: rows without a text or label (as in training, if not given)"),
    ] = None
    count: Annotated[int, tyro.conf.arg(help="how many mistakes")] = 20
    by: Annotated[
        Literal["occlusion", "gradients"],
        tyro.conf.arg(help="leave out one part at a time, or integrate gradients from nothing to the whole"),
    ] = "occlusion"
    page: Annotated[Path | None, tyro.conf.arg(help="write an .html page with the words shaded")] = None
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object, with the weights of all parts")] = False


def command(words: list[str]) -> int:
    """Finds mistakes."""
    options = parse(Options, words, "mistakes")
    if options.page is not None:
        check_page(options.page)
    if options.data is None:
        refuse_of_data(options)
    from throughtime.runs import Asked
    from throughtime.runs.mistakes import Wanted, mistakes_of

    wanted = Wanted(options.count, options.by)
    asked = Asked(options.data, column=options.text_column, label_column=options.label_column, missing=options.missing)
    found = mistakes_of(options.run, asked, wanted)
    sys.stderr.writelines(f"{printable(note)}\n" for note in found.told)
    if options.page is not None:
        _write_page(found, options.page, options.run.absolute().name)
    if options.json:
        facts = {"run": str(options.run), "judged": found.judged, "wrong": found.wrong, "items": found.items}
        listed = [mistake.facts() for mistake in found.mistakes]
        sys.stdout.write(json.dumps({**facts, "mistakes": listed}, allow_nan=False) + "\n")
        return 0
    for number, mistake in enumerate(found.mistakes, 1):
        head, *text = mistake.plain().split("\n")
        sys.stdout.write(f"{number:>3}. {head}\n" + "".join(f"     {line}\n" for line in text))
    sys.stdout.flush()
    sys.stderr.write(f"{found.judged:,} {found.items}, {found.wrong:,} of them wrong\n")
    return 0


def check_page(path: Path) -> None:
    """Refuses before any work what cannot be written."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"--page is an .html file; got {str(path)!a:.120}")
    if path.is_dir() or not path.absolute().parent.is_dir():
        problem = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise StorageError(f"cannot write {path}: {problem}; choose another --page")


def _write_page(found: "Mistakes", path: Path, name: str) -> None:
    from throughtime.folder import write_file
    from throughtime.inspect.mistakes_page import Heading, page

    heading = Heading(name, found.judged, found.wrong, found.items, found.told)
    write_file(path, page(found.mistakes, heading).encode("utf-8", "replace"))
