"""GloVe on a text such as WikiText-2: non-zeros a second, the loss of every epoch, and what people's scores say.

    python bench/vectors_glove.py --text train.txt --similarity MEN.txt    a table, and bench/vectors_glove.csv
    python bench/vectors_glove.py --text train.txt --quick                 a smoke run

The text is folded to lower case; words seen five times are counted in windows of five words to each side. One thread
and several take turns in one process, an epoch each, so that whatever else the machine does meets them all. A rate is
the median of the epochs; the rate of a processor counts only the time that the threads had one, which tells more on a
machine with other work (`load` says how many programs wanted a processor). NumPy is the formula as one writes it by
hand, on some of the non-zeros.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from peer import machine, write
from rich.console import Console
from rich.table import Table as Sheet

from throughtime.data.texts import Texts
from throughtime.vectors.cooccurrence import Counts, cooccur
from throughtime.vectors.corpus import read_corpus
from throughtime.vectors.glove import glove
from throughtime.vectors.judge import judge_similarity
from throughtime.vectors.progress import Progress
from throughtime.vectors.questions import Pairs, read_pairs

DIMENSION = 100
TARGET = 5.0  # million non-zeros a second


@dataclass
class Contender:
    """So many threads, and what their epochs took."""

    threads: int
    training: Iterator[Progress]
    rates: list[float] = field(default_factory=list)  # million non-zeros a second
    busy_rates: list[float] = field(default_factory=list)  # a second of a processor, all threads taken together
    last: Progress | None = None

    def epoch(self, size: int) -> None:
        """Trains for one epoch, of so many non-zeros."""
        before, start = self.last.seconds if self.last else 0.0, time.process_time()
        units = size * (len(self.rates) + 1)
        self.last = next(step for step in self.training if step.units == units)
        self.rates.append(size / (self.last.seconds - before) / 1e6)
        self.busy_rates.append(size / (time.process_time() - start) / 1e6)


def counts_of(path: Path) -> Counts:
    with TemporaryDirectory() as folder:
        corpus = read_corpus(Texts.open(path), Path(folder) / "corpus", lower=True, minimum_count=5)
        return cooccur(corpus, window=5)


def plain_rate(counts: Counts, limit: int = 20_000) -> float:
    """Million non-zeros a second of the formula in NumPy, in float32."""
    chance = np.random.default_rng(0)
    w, c = ((chance.random((len(counts.words), DIMENSION), np.float32) - 0.5) / DIMENSION for _ in range(2))
    b, d = np.zeros(len(w), np.float32), np.zeros(len(w), np.float32)
    sums = [np.ones_like(values) for values in (w, c, b, d)]
    rows = np.repeat(np.arange(len(w)), np.diff(counts.pointers))
    chosen = chance.permutation(len(rows))[:limit]
    logs, weights = np.log(counts.values), np.minimum(1, (counts.values / 100) ** 0.75)
    start = time.perf_counter()
    for n in chosen:
        i, j = rows[n], counts.columns[n]
        slope = np.float32(weights[n] * (w[i] @ c[j] + b[i] + d[j] - logs[n]))
        slopes = slope * c[j], slope * w[i], slope, slope
        for values, total, place, value in zip((w, c, b, d), sums, (i, j, i, j), slopes, strict=True):
            total[place] += value * value
            values[place] -= 0.05 * value / np.sqrt(total[place])
    return limit / (time.perf_counter() - start) / 1e6


def rows_of(contender: Contender, pairs: list[Pairs]) -> Iterator[dict[str, Any]]:
    """A row for each epoch, the last one with the scores."""
    assert contender.last is not None
    table = contender.last.table()
    told = zip(contender.rates, contender.busy_rates, table.facts["losses"], strict=True)
    for number, (rate, busy, loss) in enumerate(told, 1):
        over = number == len(contender.rates)
        scores = {asked.name: round(judge_similarity(table, asked).spearman or 0, 4) if over else "" for asked in pairs}
        shared = {"threads": contender.threads, "words": len(table)}
        yield shared | {
            "non_zeros": table.facts["non_zeros"],
            "dimension": table.dimension,
            "maximum": table.facts["maximum"],
            "epoch": number,
            "loss": round(loss, 6),
            "million_non_zeros_per_second": round(rate, 3),
            "per_second_of_a_processor": round(busy, 3),
            "median_rate": round(median(contender.rates), 3),
            "median_of_a_processor": round(median(contender.busy_rates), 3),
            **scores,
            "load": round(os.getloadavg()[0], 1),
            "cpu": machine()["cpu"],
        }


def show(rows: list[dict[str, Any]], pairs: list[Pairs], plain: float) -> None:
    last = [
        row for row, following in zip(rows, [*rows[1:], None], strict=True) if not following or following["epoch"] == 1
    ]
    console = Console(width=150)
    losses = Sheet("epoch", *(f"{row['threads']} threads" for row in last), title="Loss of each epoch")
    for number in range(1, last[0]["epoch"] + 1):
        losses.add_row(str(number), *(f"{row['loss']:.5f}" for row in rows if row["epoch"] == number))
    console.print(losses)
    title = f"{last[0]['words']:,} words, {last[0]['non_zeros']:,} non-zeros, dimension {DIMENSION}"
    names = [asked.name for asked in pairs]
    sheet = Sheet(
        "threads",
        "M non-zeros/s",
        "per processor",
        "of the target",
        "of NumPy",
        "last loss",
        *names,
        title=title,
    )
    for row in last:
        rate = row["median_rate"]
        cells = (
            f"{rate:.2f}",
            f"{row['median_of_a_processor']:.2f}",
            f"{rate / TARGET:.2f}",
            f"{rate / plain:.0f}",
            f"{row['loss']:.5f}",
        )
        sheet.add_row(str(row["threads"]), *cells, *(f"{row[name]:.3f}" for name in names))
    console.print(sheet)
    console.print(f"NumPy: {plain * 1e6:,.0f} non-zeros/s; {machine()['cpu']}, load {last[0]['load']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--similarity", type=Path, nargs="*", default=[], help="files of two words and a score a line")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--maximum", type=float, default=100.0, help="the count from which a non-zero has weight 1")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--quick", action="store_true", help="a smoke run: two epochs, no CSV")
    options = parser.parse_args()
    counts, pairs = counts_of(options.text), [read_pairs(path) for path in options.similarity]
    epochs = 2 if options.quick else options.epochs
    contenders = [
        Contender(
            threads,
            glove(counts, dimension=DIMENSION, epochs=epochs, maximum=options.maximum, threads=threads),
        )
        for threads in options.threads
    ]
    for number in range(epochs):
        for contender in contenders if number % 2 else reversed(contenders):
            contender.epoch(len(counts.values))
    rows = [row for contender in contenders for row in rows_of(contender, pairs)]
    show(rows, pairs, plain_rate(counts))
    if not options.quick:
        write(Path(__file__).with_suffix(".csv"), rows)


if __name__ == "__main__":
    main()
