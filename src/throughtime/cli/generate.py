"""throughtime generate RUN: text from a trained model, on stdout as it is made."""

import json
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, RunError


@dataclass
class Options:
    """Writes text that goes on from a prompt, on stdout as it is made."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder")]
    prompt: Annotated[str, tyro.conf.arg(help="the text to go on from")] = ""
    length: Annotated[int, tyro.conf.arg(help="most units to make (characters, words, ...)")] = 500
    temperature: Annotated[float, tyro.conf.arg(help="below 1 safer, above 1 wilder, 0 always the likeliest")] = 1.0
    top_k: Annotated[int | None, tyro.conf.arg(help="choose among the k likeliest units only")] = None
    top_p: Annotated[float | None, tyro.conf.arg(help="choose among the likeliest units that make up this share")] = (
        None
    )
    stop: Annotated[bool, tyro.conf.arg(help="stop at the first <eos>, where the units have one")] = False
    seed: Annotated[
        int | None, tyro.conf.arg(help="the same seed writes the same text; chosen and told if not given")
    ] = None
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object instead of the bare text")] = False


def command(words: list[str]) -> int:
    """Writes."""
    options = parse(Options, words, "generate")
    if options.length < 0:
        raise ArgumentError(f"--length must be at least 0; got {options.length}")
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    if not 0 <= seed < 2**63:
        raise ArgumentError(f"--seed must be in 0..2^63; got {seed}")
    from throughtime import folder
    from throughtime.runs import find_whole, load_from, recipe_of
    from throughtime.runs.folders import check_made

    home = find_whole(options.run)
    folder.check_files(home)
    recipe = recipe_of(home)
    check_made(recipe, options.run, "language", "generate")
    if recipe.objective == "masked":
        raise RunError(
            f"{options.run} fills in what is hidden, and generate is for models of what comes next: train one with "
            f"--objective next, or try {recipe.advice(options.run)[0]}"
        )
    writer = load_from(home)
    unknown = writer.unknown(options.prompt)
    if unknown:
        _note(f"{unknown} of the prompt's {writer.units.kind}s are not in the vocabulary and are read as <unk>")
    if options.seed is None:
        _note(f"seed {seed}")
    pieces = writer.stream(
        options.prompt,
        length=options.length,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        stop=options.stop,
        seed=seed,
    )
    if options.json:
        content = {"prompt": options.prompt, "text": "".join(pieces), "seed": seed, "unknown": unknown}
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
        return 0
    sys.stdout.write(options.prompt + (" " if options.prompt and writer.units.kind == "word" else ""))
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
    return 0


def _note(line: str) -> None:
    sys.stderr.write(line + "\n")
