"""throughtime vectors cooccur: counts of words beside words, from a text of any size."""

import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from throughtime.cli.bar import bar
from throughtime.cli.cores import cores
from throughtime.cli.listen import leaving
from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError

if TYPE_CHECKING:
    from throughtime.data.texts import Texts
    from throughtime.vectors.corpus import Corpus


@dataclass
class Options:
    """Counts how often words stand beside words, and writes a sparse matrix to a folder."""

    text: Annotated[Path, tyro.conf.arg(help="a file, compressed file, table or folder; - is the standard input")]
    out: Annotated[Path, tyro.conf.arg(help="the folder to write the counts to")]
    column: Annotated[str | None, tyro.conf.arg(help="of a table: the column that holds the texts")] = None
    invalid_bytes: Annotated[
        Literal["refuse", "skip"],
        tyro.conf.arg(help="of bytes that are not UTF-8: refuse the file, or count them"),
    ] = "refuse"
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
    from throughtime.recipes.tables import beside, workplace
    from throughtime.vectors.cooccurrence import check_settings, cooccur, may_write_over

    start = time.perf_counter()
    threads = cores() if options.threads is None else options.threads
    check_settings(options.window, options.side, options.weighting, threads)
    may_write_over(options.out)
    source = None if str(options.text) == "-" else options.text
    texts = Texts.open(source, column=options.column, invalid_bytes=options.invalid_bytes)
    with leaving(), workplace(options.out) as folder:
        corpus = _read(options, texts, folder / "corpus")
        begun = time.perf_counter()
        with bar("counting") as tell:
            counts = cooccur(
                corpus,
                window=options.window,
                side=options.side,
                weighting=options.weighting,
                memory_bytes=round(options.memory_gb * 1e9),
                threads=threads,
                folder=beside(options.out),
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
        "null_cells": corpus.null_cells,
        "hidden_files": texts.hidden,  # and folders, which are not read
        "nonzeros": len(counts.values),
        "tokens_per_second": round((corpus.words - corpus.unknown) / counting),  # of counting alone
        "seconds": round(time.perf_counter() - start, 3),  # in all, with reading and writing
        "threads": threads,
        "sha256": corpus.sha256,
    }


def _read(options: Options, texts: "Texts", folder: Path) -> "Corpus":
    from throughtime.vectors.corpus import read_corpus

    with bar("reading") as tell:
        return read_corpus(
            texts,
            folder,
            token=options.token,
            lower=options.lower,
            minimum_count=options.minimum_count,
            maximum_vocab=options.maximum_vocab,
            tell=tell,
        )
