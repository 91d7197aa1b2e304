"""Tables of word vectors beside gensim's KeyedVectors: neighbours, analogies, reading and writing.

    python bench/vectors_table.py            a table of ratios, and bench/vectors_table.csv
    python bench/vectors_table.py --quick    a smoke run

Both sides work in one process, in turns; a time is the best of its turns, for other programs may be at work. Files are
in the cache of the system. Both sides have all threads. The vectors are random, of 100 numbers: what is measured does
not depend on their values, but for the lengths of their decimals, which are those that gensim writes.
"""

import argparse
import csv
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from throughtime.vectors.table import Table

DIMENSION = 100
QUESTIONS = 19_544
VOCABULARY = 28_000  # of the table that answers analogies


def best(call: Callable[[], Any], turns: int) -> float:
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def made(rows: int) -> Table:
    chance = np.random.default_rng(0)
    words = [f"{number:x}word" for number in range(rows)]
    return Table(words, (0.3 * chance.standard_normal((rows, DIMENSION))).astype(np.float32))


def keyed(table: Table) -> Any:
    from gensim.models import KeyedVectors

    theirs = KeyedVectors(DIMENSION)
    theirs.add_vectors(table.words, table.vectors)
    return theirs


def products(table: Table, queries: int) -> None:
    """The matrix products alone that neighbours need."""
    targets, scores = table.vectors[:queries].copy(), np.empty((queries, 8192), np.float32)
    for start in range(0, len(table) - 8191, 8192):
        np.matmul(targets, table.vectors[start : start + 8192].T, out=scores)


def neighbours(table: Table, queries: int, turns: int) -> list[dict[str, Any]]:
    theirs, words = keyed(table), table.words[:queries]
    theirs.fill_norms()
    table.nearest(words[:2])
    mine, found, bare = [], [], []
    for _ in range(turns):
        mine.append(best(lambda: table.nearest(words), 1))
        bare.append(best(lambda: products(table, queries), 1))
        found.append(best(lambda: [theirs.most_similar(word, topn=10) for word in words], 1))
    same = [word for word, _ in table.nearest(words[:1])[0]] == [w for w, _ in theirs.most_similar(words[0], topn=10)]
    assert same
    what = f"neighbours of {queries:,} words"
    return [
        row(what, table, min(mine), min(found)),
        row(f"{what}: matrix products", table, min(mine), min(bare), "numpy"),
    ]


def analogies(turns: int, questions: int) -> list[dict[str, Any]]:
    """No peer: gensim answers one question at a time, and `vectors evaluate` is measured elsewhere."""
    table = made(VOCABULARY)
    pairs = np.random.default_rng(1).integers(0, VOCABULARY, (400, 8, 2))
    asked = np.array([[*group[i], group[j][0]] for group in pairs for i in range(8) for j in range(8) if i != j])
    asked = asked[:questions]
    rows = []
    for by in ("addition", "multiplication"):
        table.analogies(asked[:10], by=by)
        rows.append(
            row(f"{len(asked):,} analogies by {by}", table, best(lambda by=by: table.analogies(asked, by=by), turns))
        )
    return rows


def files(table: Table, folder: Path, turns: int) -> list[dict[str, Any]]:
    from gensim.models import KeyedVectors

    theirs, rows = keyed(table), []
    text, binary, own = folder / "a.txt", folder / "a.bin", folder / "own"
    written = best(lambda: theirs.save_word2vec_format(text), 1)
    rows.append(row("writing text", table, best(lambda: table.save(folder / "b.txt"), turns), written))
    written = best(lambda: theirs.save_word2vec_format(binary, binary=True), turns)
    rows.append(row("writing binary", table, best(lambda: table.save(folder / "b.bin"), turns), written))
    rows.append(row("writing our folder", table, best(lambda: table.save(own), turns)))
    (folder / "b.txt").unlink()
    Table.load(binary)
    for path, is_binary, kind in ((text, False, "text"), (binary, True, "binary")):
        found = best(lambda: KeyedVectors.load_word2vec_format(path, binary=is_binary), 1 if kind == "text" else turns)  # noqa: B023
        rows.append(row(f"reading {kind}", table, best(lambda: Table.load(path), turns), found))  # noqa: B023
    rows.append(row("reading our folder, checked", table, best(lambda: Table.load(own), turns)))
    reading = next(entry for entry in rows if entry["what"] == "reading text")
    reading["mebibytes"], reading["peer_mebibytes"] = memory("ours", text), memory("gensim", text)
    return rows


def memory(side: str, path: Path) -> int:
    """The most memory that a process holds that only reads this file, in MiB."""
    done = subprocess.run([sys.executable, __file__, "--read", side, str(path)], capture_output=True, check=True)
    return int(done.stdout)


def read_alone(side: str, path: Path) -> None:
    if side == "ours":
        Table.load(path)
    else:
        from gensim.models import KeyedVectors

        KeyedVectors.load_word2vec_format(path)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) // 1024)  # getrusage would tell the most of the parent too


def row(
    what: str, table: Table, seconds: float, peer_seconds: float | None = None, peer: str = "gensim"
) -> dict[str, Any]:
    return {
        "what": what,
        "table": f"{len(table):,} × {table.dimension}",
        "seconds": round(seconds, 4),
        "peer": peer if peer_seconds else "",
        "peer_seconds": round(peer_seconds, 4) if peer_seconds else "",
        "ratio": round(peer_seconds / seconds, 3) if peer_seconds else "",
        "mebibytes": "",
        "peer_mebibytes": "",
    }


def machine() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    load = os.getloadavg()[0]
    return {"cpu": names[0] if names else platform.processor(), "cores": os.cpu_count(), "load": round(load, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--read", nargs=2)
    options = parser.parse_args()
    if options.read:
        read_alone(options.read[0], Path(options.read[1]))
        return
    rows_of_table, turns = (4_000, 1) if options.quick else (400_000, options.turns)
    about = machine()
    table = made(rows_of_table)
    rows = neighbours(table, 50 if options.quick else 1_000, turns)
    rows += analogies(turns, 500 if options.quick else QUESTIONS)
    with tempfile.TemporaryDirectory() as folder:
        rows += files(table, Path(folder), turns)
    grid = Grid(*rows[0], title="Tables of word vectors (ratio: the peer's time over ours)")
    for entry in rows:
        grid.add_row(*map(str, entry.values()))
    console = Console(width=160)
    console.print(grid)
    console.print(", ".join(f"{name} {value}" for name, value in about.items()))
    if not options.quick:
        with Path(__file__).with_suffix(".csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, [*rows[0], *about], lineterminator="\n")
            writer.writeheader()
            writer.writerows(entry | about for entry in rows)


if __name__ == "__main__":
    main()
