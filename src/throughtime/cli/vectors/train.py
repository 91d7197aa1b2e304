"""throughtime vectors train: from a text to a table of word vectors."""

import json
import os
import sys
import time
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import asdict, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from throughtime.cli.bar import bar
from throughtime.cli.cores import cores
from throughtime.cli.listen import leaving, listening
from throughtime.cli.parse import parse, recipe_options
from throughtime.errors import ArgumentError, ThroughtimeError
from throughtime.recipes.read import make_recipe
from throughtime.recipes.vectors import LEARNED, Vectors

if TYPE_CHECKING:
    from throughtime.vectors.corpus import Corpus
    from throughtime.vectors.progress import Progress
    from throughtime.vectors.ranks import Ranks

OUT = Annotated[Path, tyro.conf.arg(help="the table: a folder, new or empty; an unfinished one is gone on with")]
THREADS = Annotated[int | None, tyro.conf.arg(help="threads (one for each core)")]
JSON = Annotated[bool, tyro.conf.arg(help="print one JSON object about the table on stdout")]


def command(words: list[str]) -> int:
    """Trains; the status is 0, or 130 and 143 when Ctrl-C or SIGTERM stopped it, with everything kept."""
    extra: list[tuple[str, Any, Any]] = [
        ("out", OUT, field()),
        ("threads", THREADS, field(default=None)),
        ("json", JSON, field(default=False)),
    ]
    options_type = recipe_options(Vectors, {}, extra)
    options_type.__doc__ = "Learns a table of word vectors from a text.\n\nRerunning the same command resumes."
    options = parse(options_type, words, "vectors train")
    recipe = make_recipe(Vectors, {name: v for name, v in asdict(options).items() if name in Vectors.model_fields})
    if options.threads is not None and not 1 <= options.threads <= 1024:
        raise ArgumentError(f"--threads must be in 1..1024; got {options.threads}")
    out = options.out if options.out.name not in ("", "..") else options.out.resolve()  # `.` has no name
    return _train(recipe, out, options.threads or cores(), as_json=options.json)


def _train(recipe: Vectors, out: Path, threads: int, *, as_json: bool) -> int:
    from throughtime.vectors.ranks import Ranks

    ranks = Ranks.from_environment()
    if ranks is None:
        return _make(recipe, out, threads, None, as_json=as_json)
    if not ranks.rank:
        with ranks:
            return _make(recipe, out, threads, ranks, as_json=as_json)
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere), ranks:
            return _make(recipe, out, threads, ranks, as_json=False)
    except ThroughtimeError:
        if ranks.agreed:
            return 2  # the first process speaks for all
        raise


def _make(recipe: Vectors, out: Path, threads: int, ranks: "Ranks | None", *, as_json: bool) -> int:
    from throughtime.recipes.tables import finished, made, reading
    from throughtime.vectors.checkpoint import clear

    began = time.perf_counter()
    if table := finished(recipe, out):
        clear(out)  # for whoever was killed between the two
        _say(f"{out} is finished already.")
        return _print(table.facts["made"], began, as_json=as_json)
    with leaving(), ExitStack() as stack:
        with bar("reading") as tell:
            corpus = stack.enter_context(reading(recipe, out, tell, ranks))
        keeps = recipe.method in LEARNED and ranks is None  # else a signal ends it at once
        stopped = stack.enter_context(listening()) if keeps else []
        progress = _learn(recipe, corpus, out, threads, ranks, stopped)
        facts = made(recipe, corpus, progress)
    if progress.done < 1:
        _say(f"Stopped. What was learned is in {out}.partial; the same command goes on from here.")
        return 128 + stopped[0]
    _say(f"Done: {out}. Try next: throughtime vectors nearest {out} WORD")
    return _print(facts, began, as_json=as_json)


def _learn(
    recipe: Vectors, corpus: "Corpus", out: Path, threads: int, ranks: "Ranks | None", stopped: list[int]
) -> "Progress":
    """The last word on how far it came."""
    from throughtime.recipes.tables import learn

    _say(_counted(recipe, corpus))
    stream = learn(recipe, corpus, out, threads=threads, join=ranks)
    with bar(recipe.method) as tell:
        for progress in stream:
            tell(progress.done, 1, _facts(recipe, progress))
            if stopped and progress.done < 1:
                _say("Stopping: writing everything down ...")
                break
    stream.close()  # type: ignore[attr-defined]
    return progress


def _counted(recipe: Vectors, corpus: "Corpus") -> str:
    """What was read, and what was not."""
    left_out = {
        "words are not in it and left out": corpus.unknown,
        "bytes skipped": corpus.skipped_bytes,
        "cells without text": corpus.null_cells,
        "hidden files and folders not read": recipe.texts().hidden,
    }
    least = f"{corpus.words:,} words in {corpus.texts:,} texts; a vocabulary of {len(corpus.vocabulary):,}"
    return "; ".join([least, *(f"{count:,} {what}" for what, count in left_out.items())])


def _facts(recipe: Vectors, progress: "Progress") -> str:
    unit = "non-zeros" if recipe.method == "glove" else "words"
    loss = "" if progress.loss is None else f"loss {progress.loss:.4f}  "
    return f"epoch {progress.epoch}  {loss}{progress.units_per_second:,.0f} {unit}/s"


def _print(made: dict[str, Any], began: float, *, as_json: bool) -> int:
    if as_json:
        facts = {**made, "seconds": round(time.perf_counter() - began, 3)}
        sys.stdout.write(json.dumps(facts, ensure_ascii=False, allow_nan=False) + "\n")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
