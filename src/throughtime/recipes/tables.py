"""From a recipe of vectors to a table in a folder: whole or absent, and gone on with where it was left."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime.errors import ArgumentError
from throughtime.folder import cannot_write
from throughtime.recipes.vectors import LEARNED, Vectors

if TYPE_CHECKING:
    from throughtime.vectors.corpus import Corpus
    from throughtime.vectors.progress import Progress
    from throughtime.vectors.ranks import Ranks
    from throughtime.vectors.table import Table
    from throughtime.vectors.word2vec import Join

KEEP_SECONDS = 60.0  # between two states that are kept


def finished(recipe: Vectors, out: Path) -> "Table | None":
    """The table that is in `out` already, if this recipe made it from this text; None where nothing is.

    Raises `ArgumentError` when something else is there.
    """
    from throughtime.vectors.table import Table

    try:
        if _is_free(out):
            return None
        table = Table.load(out) if (out / "table.json").is_file() else None
    except OSError as error:  # such as a folder that one may not look into
        raise cannot_write(out, error) from error
    facts = {} if table is None else table.facts
    if table is None or facts.get("recipe") != _recipe_facts(recipe) or not isinstance(facts.get("made"), dict):
        what = "another table" if table is not None else "something that is no table"
        raise ArgumentError(f"{out} holds {what}: choose another --out, or remove it")
    return table


def _is_free(out: Path) -> bool:
    """Whether nothing is in `out`. Raises `OSError` when there can be nothing, or one may not look."""
    with suppress(FileNotFoundError):
        out.with_name(f".{out.name}.partial").lstat()  # its name while it is written
    try:
        out.lstat()
    except FileNotFoundError:
        return True
    return out.is_dir() and not any(out.iterdir())


@contextmanager
def reading(
    recipe: Vectors, out: Path, tell: Callable[[int, int], None] | None = None, ranks: "Ranks | None" = None
) -> "Iterator[Corpus]":
    """The recipe's text as numbers, or a process's share of it; they lie in a folder beside `out` while in use."""
    with workplace(out) as folder:
        yield recipe.corpus(folder / "corpus", tell, ranks)


@contextmanager
def workplace(out: Path) -> "Iterator[Path]":
    """A folder beside `out`, on the disk that has room for it, that is gone afterwards."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=f".{out.name[:32]}.", dir=beside(out), ignore_cleanup_errors=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    with folder as name:
        yield Path(name)


def beside(out: Path) -> Path:
    """The folder in which `out` is to be, or the first above it that is there already."""
    return next(path for path in out.absolute().parents if os.path.isdir(path))


def learn(
    recipe: Vectors, corpus: "Corpus", out: Path, *, threads: int = 1, join: "Join | None" = None
) -> "Iterator[Progress]":
    """Learns a table and writes it to `out`; tells how far it is.

    What learns from the text itself keeps its state beside `out` every minute, and when the loop is left; the same call
    goes on from there. Of several processes that have a `join`, those of a rank above 0 write nothing.
    """
    from throughtime.vectors import checkpoint

    if recipe.method not in LEARNED or join is not None:
        yield from _learn_at_once(recipe, corpus, out, threads, join)
        return
    state = checkpoint.read(out, recipe.word2vec.start(corpus), recipe.identity, corpus.sha256)
    kept, last, progress = state.chunk, time.perf_counter(), None
    try:
        for progress in recipe.train(corpus, threads=threads, state=state):
            if time.perf_counter() - last > KEEP_SECONDS and progress.done < 1:
                checkpoint.write(out, state, progress.table(), recipe.identity, corpus.sha256)
                kept, last = state.chunk, time.perf_counter()
            yield progress
    except GeneratorExit:
        if progress is not None and state.chunk > kept:
            checkpoint.write(out, state, progress.table(), recipe.identity, corpus.sha256)
        raise
    assert progress is not None  # training tells at least once
    _finish(recipe, corpus, out, progress)
    checkpoint.clear(out)


def _learn_at_once(
    recipe: Vectors, corpus: "Corpus", out: Path, threads: int, join: "Join | None"
) -> "Iterator[Progress]":
    for progress in recipe.train(corpus, threads=threads, join=join, folder=beside(out)):
        yield progress
    if join is None or join.rank == 0:
        _finish(recipe, corpus, out, progress)


def _finish(recipe: Vectors, corpus: "Corpus", out: Path, progress: "Progress") -> None:
    table = progress.table()
    table.facts |= {"recipe": _recipe_facts(recipe), "made": made(recipe, corpus, progress)}
    table.save(out)


def made(recipe: Vectors, corpus: "Corpus", progress: "Progress") -> dict[str, Any]:
    """What was read, and how training went."""
    rate, seconds = round(progress.units_per_second), progress.seconds
    if recipe.method == "glove":  # which goes over the counts many times, and over the text once
        once = round(corpus.words / seconds) if seconds else 0
        rates = {"words_per_second": once, "nonzeros_per_second": rate}
    else:
        rates = {"words_per_second": rate}
    return counted(corpus) | {"training_seconds": round(seconds, 3), **rates, "loss": progress.loss}


def counted(corpus: "Corpus") -> dict[str, Any]:
    """What was read."""
    return {
        "words": corpus.words,
        "unknown": corpus.unknown,
        "vocabulary": len(corpus.vocabulary),
        "texts": corpus.texts,
        "skipped_bytes": corpus.skipped_bytes,
        "null_cells": corpus.null_cells,
        "text_sha256": corpus.sha256,
    }


def _recipe_facts(recipe: Vectors) -> dict[str, Any]:
    return {**recipe.identity, "text": str(recipe.text)}
