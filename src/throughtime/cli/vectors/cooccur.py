"""throughtime vectors cooccur: counts of words beside words, from a text of any size."""

import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError

if TYPE_CHECKING:
    from throughtime.data.texts import Texts
    from throughtime.vectors.corpus import Corpus

Tell = Callable[[int, int], None]


@dataclass
class Options:
    """Counts how often words stand beside words, and writes a sparse matrix to a folder."""

    text: Annotated[Path, tyro.conf.arg(help="a file, compressed file, table or folder; - is the standard input")]
    out: Annotated[Path, tyro.conf.arg(help="the folder to write the counts to")]
    column: Annotated[str | None, tyro.conf.arg(help="of a table: the column that holds the texts")] = None
    window: Annotated[int, tyro.conf.arg(help="words to each side that count as beside")] = 5
    side: Annotated[Literal["both", "left", "right"], tyro.conf.arg(help="which contexts are counted")] = "both"
    weighting: Annotated[
        Literal["distance", "none"], tyro.conf.arg(help="a context at distance d counts 1/d, or 1")
    ] = "distance"
    minimum_count: Annotated[int, tyro.conf.arg(help="words that were seen less often are left out")] = 5
    maximum_vocab: Annotated[int | None, tyro.conf.arg(help="most words to keep, the most frequent ones")] = None
    lower: Annotated[bool, tyro.conf.arg(help="fold the text to lower case")] = False
    token: Annotated[
        str | None, tyro.conf.arg(help="a regular expression that finds words; else they stand between white space")
    ] = None
    memory_gb: Annotated[float, tyro.conf.arg(help="most memory for counting, in units of 10^9 bytes")] = 2.0
    threads: Annotated[int | None, tyro.conf.arg(help="threads that count; all cores if not given")] = None
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Counts."""
    options = parse(Options, words, "vectors cooccur")
    if not 0 < options.memory_gb < math.inf:
        raise ArgumentError(f"--memory-gb must be above 0 and finite; got {options.memory_gb}")
    facts = count(options)
    if options.json:
        sys.stdout.write(json.dumps({"out": str(options.out), **facts}, ensure_ascii=False) + "\n")
        return 0
    named = {name.replace("_", " "): f"{value:,}" for name, value in facts.items() if not isinstance(value, str)}
    sys.stdout.write("".join(f"{name:<20}{value:>16}\n" for name, value in named.items()))
    return 0


def count(options: Options) -> dict[str, Any]:
    """Reads, counts and writes; what there is to tell of it."""
    from throughtime.data.texts import Texts
    from throughtime.vectors.cooccurrence import check_settings, cooccur, may_write_over

    start = time.perf_counter()
    threads = _cores() if options.threads is None else options.threads
    check_settings(options.window, options.side, options.weighting, threads)
    may_write_over(options.out)
    texts = Texts.open(None if str(options.text) == "-" else options.text, column=options.column)
    beside = next(path for path in options.out.absolute().parents if path.is_dir())
    with _temporary(beside) as folder:
        corpus = _read(options, texts, folder / "corpus")
        begun = time.perf_counter()
        with _bar("counting") as tell:
            counts = cooccur(
                corpus,
                window=options.window,
                side=options.side,
                weighting=options.weighting,
                memory_bytes=round(options.memory_gb * 1e9),
                threads=threads,
                folder=beside,
                tell=tell,
            )
        counting = time.perf_counter() - begun
        counts.save(options.out)
    return {
        "words": corpus.words,
        "vocabulary": len(corpus.vocabulary),
        "unknown": corpus.unknown,
        "texts": corpus.texts,
        "skipped_bytes": corpus.skipped_bytes,
        "nonzeros": len(counts.values),
        "tokens_per_second": round((corpus.words - corpus.unknown) / counting),  # of counting alone
        "seconds": round(time.perf_counter() - start, 3),  # in all, with reading and writing
        "threads": threads,
        "sha256": corpus.sha256,
    }


def _read(options: Options, texts: "Texts", folder: Path) -> "Corpus":
    from throughtime.vectors.corpus import read_corpus

    with _bar("reading") as tell:
        return read_corpus(
            texts,
            folder,
            token=options.token,
            lower=options.lower,
            minimum_count=options.minimum_count,
            maximum_vocab=options.maximum_vocab,
            tell=tell,
        )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _temporary(beside: Path) -> Iterator[Path]:
    """A folder that is gone afterwards."""
    from throughtime.folder import cannot_write

    try:
        made = tempfile.TemporaryDirectory(prefix=".throughtime-", dir=beside)
    except OSError as error:
        raise cannot_write(beside, error) from None
    with made as folder:
        yield Path(folder)


@contextmanager
def _bar(what: str) -> Iterator[Tell]:
    """A live bar on stderr, where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, whole: progress.update(task, completed=done, total=whole)
