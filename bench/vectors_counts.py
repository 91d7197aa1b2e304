"""Counting words beside words: tokens a second and memory, beside the same by numpy and scipy.

    python bench/vectors_counts.py --text train.txt            a table, and bench/vectors_counts.csv
    python bench/vectors_counts.py --text train.txt --quick    a smoke run

Minimum count 5, both sides, weights 1/distance. Every row is a process of its own, in which the ids are in memory and
the code is compiled before the clock starts; the time is the median of the turns, the memory what the resident set grew
by in all of them (its highest point, the result with it). The peer makes a sparse matrix of the pairs at each distance
and adds them up. `ours` under a bound smaller than the matrix writes it to files.
"""

import argparse
import csv
import json
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from throughtime.data.texts import Texts
from throughtime.vectors.cooccurrence import cooccur
from throughtime.vectors.corpus import Corpus, Vocabulary, read_corpus

POINTS: list[dict[str, Any]] = [
    {"contender": "numpy and scipy", "window": 5, "threads": 1, "memory_mb": 0},
    {"contender": "ours", "window": 5, "threads": 1, "memory_mb": 2000},
    {"contender": "ours", "window": 5, "threads": 2, "memory_mb": 2000},
    {"contender": "ours", "window": 10, "threads": 2, "memory_mb": 2000},
    {"contender": "ours", "window": 5, "threads": 2, "memory_mb": 40},
    {"contender": "ours", "window": 5, "threads": 2, "memory_mb": 24},
    {"contender": "ours", "window": 5, "threads": 2, "memory_mb": 10},
]


def of_scipy(corpus: Corpus, window: int) -> Any:
    """The counts as one would make them of arrays."""
    from scipy.sparse import coo_array

    ids, size = corpus.ids, len(corpus.vocabulary)
    text = np.cumsum(ids < 0)
    total = None
    for d in range(1, window + 1):
        kept = (ids[:-d] >= 0) & (ids[d:] >= 0) & (text[:-d] == text[d:])
        pairs = ids[:-d][kept], ids[d:][kept]
        part = coo_array((np.full(len(pairs[0]), 1 / d), pairs), shape=(size, size)).tocsr()
        total = part if total is None else total + part
    return total + total.T


def measure(point: dict[str, Any], folder: Path, turns: int) -> dict[str, Any]:
    """One row, in this process."""
    from throughtime.vectors.corpus import open_corpus

    mapped = open_corpus(folder)
    corpus = Corpus(mapped.vocabulary, np.array(mapped.ids), mapped.words, mapped.unknown, mapped.texts, 0, "")
    fifty = Vocabulary(mapped.vocabulary.words[:50], mapped.vocabulary.counts[:50])
    few = Corpus(fifty, np.where(corpus.ids < 0, -1, corpus.ids % 50)[:20_000], 20_000, 0, 1, 0, "")

    def count(corpus: Corpus, memory_bytes: int) -> int:
        if point["contender"] != "ours":
            return int(of_scipy(corpus, point["window"]).nnz)
        threads, window = point["threads"], point["window"]
        return len(cooccur(corpus, window=window, memory_bytes=memory_bytes, threads=threads).values)

    for memory_bytes in (10**9, 60_000):  # all in memory, and in files: whatever is loaded for either
        count(few, memory_bytes)
    before, taken, nonzeros = resident(), [], 0
    for _ in range(turns):
        start = time.perf_counter()
        nonzeros = count(corpus, point["memory_mb"] * 10**6)
        taken.append(time.perf_counter() - start)
    tokens = corpus.words - corpus.unknown
    return {
        **point,
        "tokens": tokens,
        "vocabulary": len(corpus.vocabulary),
        "nonzeros": nonzeros,
        "matrix_mb": round(12 * nonzeros / 1e6, 1),
        "seconds": round(median(taken), 4),
        "tokens_per_second": round(tokens / median(taken)),
        "grown_mb": round((resident() - before) / 1e6, 1),
        "turns": turns,
    }


def resident() -> int:
    """The most memory that this process has had, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage tells on Linux is that of the process before `exec`, if that had more
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def show(rows: list[dict[str, Any]]) -> None:
    about = f"{rows[0]['tokens']:,} tokens of {rows[0]['vocabulary']:,} words"
    table = Table("contender", "window", "threads", "bound MB", "matrix MB", "grown MB", "M tokens/s", title=about)
    for row in rows:
        bound = f"{row['memory_mb']:,}" if row["memory_mb"] else "none"
        sizes = f"{row['matrix_mb']:.1f}", f"{row['grown_mb']:.1f}"
        rate = f"{row['tokens_per_second'] / 1e6:.2f}"
        table.add_row(row["contender"], str(row["window"]), str(row["threads"]), bound, *sizes, rate)
    console = Console()
    console.print(table)
    peer, ours = (
        rows[0]["tokens_per_second"],
        [row for row in rows if row["contender"] == "ours" and row["window"] == 5],
    )
    assert {row["nonzeros"] for row in ours} == {rows[0]["nonzeros"]}, "the contenders do not count the same"
    best = max(row["tokens_per_second"] for row in ours)
    console.print(f"window 5: {best / 1e6:.2f} M tokens/s (asked: 1.5), {best / peer:.1f} × numpy and scipy")
    for row in ours:
        if row["memory_mb"] < row["matrix_mb"]:
            held = "held" if row["grown_mb"] < row["memory_mb"] + 2 else "NOT held"
            console.print(f"bound {row['memory_mb']} MB, matrix {row['matrix_mb']} MB: grown {row['grown_mb']}, {held}")


def cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="a text, such as train.txt of WikiText-2")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a smoke run: one turn of a part of the text, no CSV")
    parser.add_argument("--point", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        print(json.dumps(measure(options.point, options.corpus, options.turns)))
        return
    if options.text is None:
        parser.error("--text FILE is needed")
    with tempfile.TemporaryDirectory() as folder:
        corpus, rows = Path(folder) / "corpus", []
        texts = list(Texts.open(options.text))[: 2 if options.quick else None]
        read_corpus(texts, corpus)
        for point in POINTS:
            words = [
                "--point",
                json.dumps(point),
                "--corpus",
                str(corpus),
                "--turns",
                str(1 if options.quick else options.turns),
            ]
            done = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True)
            rows.append(json.loads(done.stdout) | {"cpu": cpu()})
    show(rows)
    if not options.quick:
        with Path(__file__).with_suffix(".csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
