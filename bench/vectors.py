"""word2vec next to gensim: words a second of both in turns, and what analogies and people's scores say of both.

    python bench/vectors.py --text train.txt                                        speed, and bench/vectors_speed.csv
    python bench/vectors.py --text train.txt --judge FOLDER                         quality too, and vectors_quality.csv
    python bench/vectors.py --text train.txt --quick                                a smoke run

Both learn vectors of 100 numbers from windows of 5 with 5 negatives and a minimum count of 5. Speed is that of training
alone, as both count it: words of the text, with those that are left out, by the seconds of one epoch over the text as
it stands, `--repeat` times over so that an epoch is long enough. gensim has two ways in, lines from Python through a
queue and a file that its threads read; the faster one counts. A turn is one epoch of each contender.

Quality is that of five epochs over the text in small letters, three seeds, gensim with one worker (whose result does
not depend on chance meetings). FOLDER has questions-words.txt, EN-WS-353-ALL.txt and EN-MEN-TR-3k.txt; both are judged
by our own judge, on the words that both tables have.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np
from peer import machine, write
from rich.console import Console
from rich.table import Table as Sheet

from throughtime.data.texts import Texts
from throughtime.vectors.corpus import Corpus, read_corpus
from throughtime.vectors.judge import judge_analogies, judge_similarity
from throughtime.vectors.questions import read_pairs, read_questions
from throughtime.vectors.table import Table
from throughtime.vectors.word2vec import Word2Vec

HERE = Path(__file__).parent
DIMENSION, WINDOW, NEGATIVES, LEAST = 100, 5, 5, 5
TARGETS = {"skipgram": 2.0, "cbow": 1.5}
SETS = ("EN-WS-353-ALL.txt", "EN-MEN-TR-3k.txt")


def gensim_model(architecture: str, workers: int, epochs: int, seed: int = 1, rate: float = 0.025) -> Any:
    from gensim.models import Word2Vec as Gensim

    return Gensim(
        vector_size=DIMENSION,
        window=WINDOW,
        negative=NEGATIVES,
        min_count=LEAST,
        sg=architecture == "skipgram",
        workers=workers,
        epochs=epochs,
        seed=seed,
        alpha=rate,
    )


def gensim_seconds(text: Path, architecture: str, workers: int, *, by_file: bool) -> float:
    """Of one epoch, by the queue or by the file."""
    model = gensim_model(architecture, workers, 1)
    lines = [line.split() for line in text.open(encoding="utf-8")]
    given = {"corpus_file": str(text)} if by_file else {"corpus_iterable": lines}
    model.build_vocab(**given)
    about = {"total_examples": model.corpus_count, "total_words": model.corpus_total_words, "epochs": 1}
    began = time.perf_counter()
    model.train(**given, **about)
    return time.perf_counter() - began


def our_seconds(corpus: Corpus, architecture: str, threads: int, *, deterministic: bool = False) -> float:
    model = Word2Vec(architecture=architecture, dimension=DIMENSION, window=WINDOW, negatives=NEGATIVES, epochs=1)
    return list(model.train(corpus, threads=threads, deterministic=deterministic))[-1].seconds


def repeated(text: Path, times: int, folder: Path) -> Path:
    long = folder / "long.txt"
    with long.open("wb") as file:
        for _ in range(times):
            file.write(text.read_bytes())
    return long


def speed(text: Path, times: int, turns: int, threads: int) -> list[dict[str, Any]]:
    """A row for each contender: the median of its turns."""
    with tempfile.TemporaryDirectory() as name:
        long = repeated(text, times, Path(name))
        corpus = read_corpus(Texts.open(long), Path(name) / "corpus", minimum_count=LEAST)
        contenders: dict[tuple[str, str], Callable[[], float]] = {}
        for kind in TARGETS:
            contenders |= {
                (kind, f"ours, {threads} threads"): lambda kind=kind: our_seconds(corpus, kind, threads),
                (kind, "ours, 1 thread"): lambda kind=kind: our_seconds(corpus, kind, 1),
                (kind, "ours, deterministic"): lambda kind=kind: our_seconds(corpus, kind, threads, deterministic=True),
                (kind, "gensim, queue"): lambda kind=kind: gensim_seconds(long, kind, threads, by_file=False),
                (kind, "gensim, file"): lambda kind=kind: gensim_seconds(long, kind, threads, by_file=True),
            }
        took: dict[tuple[str, str], list[float]] = {key: [] for key in contenders}
        for _ in range(turns):
            for key, call in contenders.items():
                took[key].append(call())
        rows = []
        for (kind, who), seconds in took.items():
            best = min(median(took[kind, f"gensim, {way}"]) for way in ("queue", "file"))
            rows.append(
                {
                    "architecture": kind,
                    "who": who,
                    "words": corpus.words,
                    "turns": turns,
                    "seconds": round(median(seconds), 3),
                    "words_per_second": round(corpus.words / median(seconds)),
                    "ratio_to_gensim": round(best / median(seconds), 2),
                    "load": round(os.getloadavg()[0], 1),
                }
            )
        return rows


def gensim_table(corpus_file: Path, architecture: str, seed: int, rate: float = 0.025) -> Table:
    model = gensim_model(architecture, 1, 5, seed + 1, rate)
    lines = [line.split() for line in corpus_file.open(encoding="utf-8")]
    model.build_vocab(corpus_iterable=lines)
    model.train(corpus_iterable=lines, total_examples=model.corpus_count, epochs=5)
    return Table(model.wv.index_to_key, np.asarray(model.wv.vectors))


def quality(text: Path, folder: Path, seeds: int) -> list[dict[str, Any]]:
    """A row for each contender and seed, and one for the mean and the standard deviation of each."""
    questions, pairs = read_questions(folder / "questions-words.txt"), [read_pairs(folder / name) for name in SETS]
    with tempfile.TemporaryDirectory() as name:
        small = Path(name) / "small.txt"
        small.write_text(text.read_text(encoding="utf-8").lower(), encoding="utf-8")
        corpus = read_corpus(Texts.open(small), Path(name) / "corpus", minimum_count=LEAST)
        ways: dict[str, Callable[[int], Table]] = {
            "skipgram": lambda seed: ours(corpus, seed),
            "skipgram, a draw for each pair": lambda seed: ours(corpus, seed, shared=False),
            "skipgram, deterministic": lambda seed: ours(corpus, seed, deterministic=True),
            "skipgram, tree": lambda seed: ours(corpus, seed, objective="hierarchical"),
            "skipgram, gensim": lambda seed: gensim_table(small, "skipgram", seed),
            "cbow": lambda seed: ours(corpus, seed, architecture="cbow"),
            "cbow, gensim": lambda seed: gensim_table(small, "cbow", seed),
            "cbow, gensim at our rate": lambda seed: gensim_table(small, "cbow", seed, 0.05),
        }
        rows = []
        for who, make in ways.items():
            scores = []
            for seed in range(seeds):
                table = make(seed)
                scores.append(
                    [100 * (judge_analogies(table, questions).total.accuracy or 0)]
                    + [100 * (judge_similarity(table, given).spearman or 0) for given in pairs]
                )
                rows.append({"who": who, "seed": seed, **named(scores[-1])})
                print(rows[-1], flush=True)
            columns = list(zip(*scores, strict=True))
            rows.append({"who": who, "seed": "mean", **named([mean(column) for column in columns])})
            if seeds > 1:
                rows.append({"who": who, "seed": "sd", **named([stdev(column) for column in columns])})
        return rows


def ours(corpus: Corpus, seed: int, *, deterministic: bool = False, **settings: Any) -> Table:
    model = Word2Vec(dimension=DIMENSION, window=WINDOW, negatives=NEGATIVES, seed=seed, **settings)
    return list(model.train(corpus, threads=2, deterministic=deterministic))[-1].table()


def named(scores: list[float]) -> dict[str, float]:
    return dict(zip(("analogies", "WS-353", "MEN"), (round(score, 2) for score in scores), strict=True))


def show(title: str, rows: list[dict[str, Any]]) -> None:
    sheet = Sheet(*rows[0], title=title)
    for row in rows:
        sheet.add_row(*(f"{value:,}" if isinstance(value, int | float) else str(value) for value in row.values()))
    Console(width=140).print(sheet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="a text such as WikiText-2's train.txt")
    parser.add_argument("--judge", type=Path, help="a folder with questions and pairs: measure quality too")
    parser.add_argument("--repeat", type=int, default=4, help="how often the text is read in an epoch of the speed run")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--no-speed", action="store_true", help="quality alone")
    parser.add_argument("--quick", action="store_true", help="one turn, one seed, nothing written")
    options = parser.parse_args()
    repeat, turns, seeds = (1, 1, 1) if options.quick else (options.repeat, options.turns, options.seeds)
    results = {}
    if not options.no_speed:
        results["vectors_speed.csv"] = speed(options.text, repeat, turns, options.threads)
    if options.judge:
        results["vectors_quality.csv"] = quality(options.text, options.judge, seeds)
    for name, rows in results.items():
        show(name.removesuffix(".csv").replace("_", " "), rows)
        if not options.quick:
            write(HERE / name, rows)
    print(machine())


if __name__ == "__main__":
    main()
