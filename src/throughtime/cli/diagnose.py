"""throughtime diagnose RUN: whether the errors of a translator are its search's or its model's."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from throughtime.cli.bar import bar
from throughtime.cli.parse import parse
from throughtime.cli.searches import check_search
from throughtime.errors import ArgumentError, StorageError, printable


@dataclass
class Options:
    """Scores references by forced decoding, and blames the search where one of them ranks above what was found."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder")]
    source: Annotated[Path | None, tyro.conf.arg(help="sources, a line each (else what the run held out)")] = None
    reference: Annotated[Path | None, tyro.conf.arg(help="with --source: a file of their references")] = None
    pairs: Annotated[Path | None, tyro.conf.arg(help="or a .tsv, .csv, .jsonl or .parquet file of both")] = None
    source_column: Annotated[str | None, tyro.conf.arg(help="of --pairs: the column of sources")] = None
    target_column: Annotated[str | None, tyro.conf.arg(help="of --pairs: the column of references")] = None
    header: Annotated[bool | None, tyro.conf.arg(help="of --pairs: whether the first line is names")] = None
    missing: Annotated[
        Literal["refuse", "skip"] | None, tyro.conf.arg(help="pairs with one empty side (else as in training)")
    ] = None
    invalid_bytes: Annotated[
        Literal["refuse", "skip"] | None, tyro.conf.arg(help="of pairs: bytes that are not UTF-8 (else as in training)")
    ] = None
    beam: Annotated[int | None, tyro.conf.arg(help="the width of the beam (else as in training)")] = None
    alpha: Annotated[float | None, tyro.conf.arg(help="scores are log P / length^alpha (else as in training)")] = None
    widths: Annotated[tuple[int, ...], tyro.conf.arg(help="of beams, for the table")] = (1, 2, 5, 10, 20)
    alphas: Annotated[tuple[float, ...], tyro.conf.arg(help="for the table")] = (0.0, 0.7, 1.0)
    count: Annotated[int, tyro.conf.arg(help="how many errors are listed, those of the search first")] = 5
    tree: Annotated[
        Path | None, tyro.conf.arg(help="draw the beam and where the reference fell off into this .png, .svg or .pdf")
    ] = None
    sentence: Annotated[int | None, tyro.conf.arg(help="of --tree: the line (else that of the first error)")] = None
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object, with all errors")] = False


def command(words: list[str]) -> int:
    """Blames."""
    options = parse(Options, words, "diagnose")
    _check(options)
    from throughtime.runs import Asked
    from throughtime.runs.diagnose import Wanted, diagnose_run

    asked = Asked(
        pairs=options.pairs,
        source=options.source,
        target=options.reference,
        source_column=options.source_column,
        target_column=options.target_column,
        header=options.header,
        missing=options.missing,
        invalid_bytes=options.invalid_bytes,
    )
    wanted = Wanted(options.beam, options.alpha, options.widths, options.alphas, options.sentence)
    with bar("searching") as tell:
        found = diagnose_run(options.run, asked, wanted, tell)
    sys.stderr.write(f"{found.items.chosen}\n")
    drawn = [] if options.tree is None else found.draw(options.tree, options.sentence)
    if options.json:
        facts = {"run": str(options.run), **found.facts()}
        sys.stdout.write(json.dumps(facts, allow_nan=False, ensure_ascii=sys.stdout.isatty()) + "\n")
    else:
        listed = found.listed(options.count)
        sys.stdout.writelines(f"{line}\n" for line in [*found.rows(), *([""] if listed else []), *listed])
    sys.stdout.flush()
    sys.stderr.writelines(f"{printable(line)}\n" for line in drawn)
    return 0


def _check(options: Options) -> None:
    """Raises `ArgumentError`, before any work, for options that do not go together or do not fit."""
    if options.sentence is not None and options.tree is None:
        raise ArgumentError(f"--sentence {options.sentence} is for --tree, which is not given")
    check_search(options.beam, options.alpha, widths=options.widths, alphas=options.alphas)
    if options.count < 0:
        raise ArgumentError(f"--count must be at least 0; got {options.count}")
    if options.tree is not None:
        from throughtime.inspect.draw import check_picture

        check_picture(options.tree)
        if not options.tree.absolute().parent.is_dir():
            raise StorageError(f"cannot write {options.tree}: there is no folder {options.tree.parent}; choose another")
