"""throughtime evaluate RUN: how well a run does what it learned."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from throughtime.cli.parse import parse
from throughtime.cli.searches import check_search
from throughtime.errors import ArgumentError

WHOSE = {
    "text": "language models",
    "data": "models of labelled data",
    "episodes": "policies",
    **dict.fromkeys(("pairs", "source", "target"), "translators"),
}
PICTURES = ("confusion", "reliability")  # that classifiers can draw


@dataclass
class Options:
    """Judges a run on a file, or on what it held out itself."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder")]
    text: Annotated[Path | None, tyro.conf.arg(help="of a language model: the text to score")] = None
    data: Annotated[Path | None, tyro.conf.arg(help="of most others: labelled data to judge it by")] = None
    pairs: Annotated[Path | None, tyro.conf.arg(help="of a translator: pairs in a table, to judge it by")] = None
    source: Annotated[Path | None, tyro.conf.arg(help="of a translator: lines to translate; with --target")] = None
    target: Annotated[Path | None, tyro.conf.arg(help="of a translator: what should be made of those lines")] = None
    source_column: Annotated[str | None, tyro.conf.arg(help="of --pairs: the column of sources")] = None
    target_column: Annotated[str | None, tyro.conf.arg(help="of --pairs: the column of targets")] = None
    header: Annotated[bool | None, tyro.conf.arg(help="of --pairs: whether the first line is names")] = None
    brackets: Annotated[bool, tyro.conf.arg(help="of a translator: what it writes are trees in brackets")] = False
    beam: Annotated[int | None, tyro.conf.arg(help="of a translator: hypotheses of the search")] = None
    alpha: Annotated[float | None, tyro.conf.arg(help="of a translator: of lengths in the search")] = None
    text_column: Annotated[
        str | None, tyro.conf.arg(help="of --data: the column of texts or tokens, by name or number")
    ] = None
    label_column: Annotated[str | None, tyro.conf.arg(help="of --data: the column of labels or tags")] = None
    missing: Annotated[
        Literal["refuse", "skip"] | None,
        tyro.conf.arg(help="of --data and pairs: rows that lack a text, label or side (as in training, if not given)"),
    ] = None
    invalid_bytes: Annotated[
        Literal["refuse", "skip"] | None, tyro.conf.arg(help="of pairs: bytes that are not UTF-8 (else as in training)")
    ] = None
    episodes: Annotated[int | None, tyro.conf.arg(help="of a policy: episodes to play")] = None
    confusion: Annotated[
        Path | None, tyro.conf.arg(help="draw which classes are taken for which into this .png, .svg or .pdf file")
    ] = None
    reliability: Annotated[
        Path | None, tyro.conf.arg(help="draw how right answers are, by how sure they are, into such a file")
    ] = None
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Judges."""
    options = parse(Options, words, "evaluate")
    check_search(options.beam, options.alpha)
    from throughtime import folder
    from throughtime.runs import Asked, application_of, find_whole, recipe_of

    home = find_whole(options.run)
    recipe = recipe_of(home)
    if options.data is None and "pairs" not in recipe.judged_by:
        refuse_of_data(options)
    for name, for_whom in WHOSE.items():
        if getattr(options, name) is not None and name not in recipe.judged_by:
            way_out = f"give --{recipe.judged_by[0]}" if recipe.judged_by else "give none"
            raise ArgumentError(f"--{name} is for {for_whom}, and {options.run} holds {recipe.makes}: {way_out}")
    folder.check_files(home)
    wanted = _pictures(options)
    asked = Asked(
        options.text or options.data,
        column=options.text_column,
        label_column=options.label_column,
        missing=options.missing,
        invalid_bytes=options.invalid_bytes,
        episodes=options.episodes,
        pairs=options.pairs,
        source=options.source,
        target=options.target,
        source_column=options.source_column,
        target_column=options.target_column,
        header=options.header,
        brackets=options.brackets,
        beam=options.beam,
        alpha=options.alpha,
        pictures=tuple(wanted),
    )
    judged = application_of(recipe).evaluate(home, recipe, asked)
    for name, path in wanted.items():
        judged.pictures[name](path)
    sys.stderr.writelines(f"{note}\n" for note in judged.notes)
    if options.json:
        sys.stdout.write(json.dumps(judged.facts, allow_nan=False) + "\n")
        return 0
    width = max(len(name) for name in judged.rows)
    sys.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in judged.rows.items())
    return 0


def refuse_of_data(options: Any) -> None:
    """Raises `ArgumentError` for options that say how --data is read, where there is none."""
    for name in ("text_column", "label_column", "missing"):
        if (value := getattr(options, name)) is not None:
            raise ArgumentError(f"--{name.replace('_', '-')} {value} is for --data, which is not given")


def _pictures(options: Options) -> dict[str, Path]:
    """The files of the pictures that are wanted. Raises `ArgumentError`, before any work, for those of another kind."""
    from throughtime.inspect.draw import check_picture

    wanted = {name: path for name in PICTURES if (path := getattr(options, name)) is not None}
    for path in wanted.values():
        check_picture(path)
    return wanted
