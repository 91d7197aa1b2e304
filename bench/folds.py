"""How well a classifier does over the folds of a file: every core, seed and fold by the commands that a person types.

    python bench/folds.py --data reviews.csv --cores average,lstm --seeds 0,1,2 --out bench/folds_reviews.csv
    python bench/folds.py --data pos=rt-polarity.pos neg=rt-polarity.neg --encoding latin-1 --modulo --cores lstm ...
    python bench/folds.py --data splice.csv --label Class --group Sequence --with "--text-column Sequence ..." ...

A fold is `throughtime train classify --train ... --core C --seed S` and `throughtime evaluate RUN --data ...`; its row
is in the CSV as soon as it is there. The same command goes on where it was stopped: what the CSV has is not done again.

Folds are the same for all cores and seeds: each label has its share in each of them, by a seed of their own.
`--modulo` deals the rows of each label round in their order instead; `--group` keeps rows that have the same in that
column in one fold. As many folds as rows leave one out. With `--choose` nothing is said of what a fold holds out:
settings are to be chosen by the part of the rest that training itself holds out.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import shlex
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from rich.table import Table as Sheet
from rows import terminal

from throughtime.data.class_files import ClassFiles
from throughtime.data.rows import Writing, open_table
from throughtime.data.splits import Fold, grouped_folds, modulo_folds, stratified_folds

KEY = ("data", "folds", "core", "options", "seed", "fold", "judged")
FIGURES = ("rows", "wrong", "accuracy", "macro_f1", "nats", "valid_accuracy", "valid_nats")
COLUMNS = (*KEY, *FIGURES, "seconds", "cpu_seconds", "classes")  # of training; the latter on however busy a machine


class Rows(NamedTuple):
    """A table, whole."""

    names: list[str]
    cells: list[list[Any]]

    def column(self, name: str) -> list[Any]:
        place = self.names.index(name)
        return [row[place] for row in self.cells]


def read(places: list[str], encoding: str) -> Rows:
    """One table, or a file of texts for each class, as LABEL=FILE."""
    writing = Writing(encoding="latin-1" if encoding == "latin-1" else "utf-8")
    if any("=" in place for place in places):
        files = {label: Path(path) for label, path in (place.split("=", 1) for place in places)}
        return Rows(["text", "label"], [[one.text, one.labels[0]] for one in ClassFiles(files, writing=writing)])
    if len(places) > 1:
        raise SystemExit(f"give one table, or files as LABEL=FILE; got {' '.join(places)}")
    table = open_table(Path(places[0]), writing)
    return Rows(table.names, [list(row.cells) for row in table.rows(range(len(table.names)))])


def folds_of(rows: Rows, options: argparse.Namespace) -> list[Fold]:
    labels = rows.column(options.label)
    if options.modulo:
        return modulo_folds(len(labels), options.folds, within=labels)
    if options.group:
        return grouped_folds(rows.column(options.group), options.folds, options.fold_seed, labels=labels)
    return stratified_folds(labels, options.folds, options.fold_seed)


def write(rows: Rows, places: Any, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.names)
        writer.writerows(rows.cells[place] for place in places)


def throughtime(*words: str) -> str:
    """What the command prints, run in this process, which spares its start. Stops with what it complains of."""
    from throughtime.cli.main import run

    said, complaints = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complaints):
        status = run(list(words))
    if status:
        raise SystemExit(f"throughtime {' '.join(words)}\n{complaints.getvalue()[-2000:]}")
    return said.getvalue()


def measured(rows: Rows, fold: Fold, key: dict[str, Any]) -> dict[str, Any]:
    """Trains on a fold and judges it."""
    with tempfile.TemporaryDirectory() as home:
        train, test, run = (Path(home) / name for name in ("train.csv", "test.csv", "run"))
        write(rows, fold.train, train)
        write(rows, fold.test, test)
        began, used = time.perf_counter(), time.process_time()
        chosen = ["--core", key["core"], "--seed", str(key["seed"]), *shlex.split(key["options"])]
        throughtime("train", "classify", "--train", str(train), "--out", str(run), *chosen)
        spent = {"seconds": round(time.perf_counter() - began, 1), "cpu_seconds": round(time.process_time() - used, 1)}
        final = json.loads((run / "progress.jsonl").read_text().splitlines()[-1])["final"]
        found = {"valid_accuracy": round(final["accuracy"], 5), "valid_nats": round(final["nats_per_unit"], 5)}
        if key["judged"] == "test":
            found |= judged(json.loads(throughtime("evaluate", str(run), "--data", str(test), "--json")))
        return {**key, "rows": len(fold.test), **found, **spent}


def judged(score: dict[str, Any]) -> dict[str, Any]:
    """The figures of a fold; of each class how many were wrong, and of how many."""
    classes = {
        name: [int(one["support"] - one["right"]), int(one["support"])] for name, one in score["classes"].items()
    }
    return {
        "wrong": sum(wrong for wrong, _ in classes.values()),
        "accuracy": round(score["accuracy"], 5),
        "macro_f1": None if score["macro_f1"] is None else round(score["macro_f1"], 5),
        "nats": round(score["nats_per_unit"], 5),
        "classes": json.dumps(classes),
    }


def kept(path: Path) -> list[dict[str, str]]:
    """The rows of the CSV; a new one gets its head."""
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerow(COLUMNS)
    return []


def add(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(row)


def show(lines: list[dict[str, str]]) -> None:
    """A row for each core with its options: the mean of the folds, its deviation over seeds, and what was wrong."""
    sheet = Sheet("data", "core", "options", "seeds", "folds", "accuracy, %", "± seeds", "± folds", "wrong", "CPU s")
    groups = defaultdict[tuple[str, ...], list[dict[str, str]]](list)
    for line in lines:
        groups[tuple(line[name] for name in ("data", "folds", "core", "options", "judged"))].append(line)
    for (data, _, core, options, what), some in groups.items():
        name = "accuracy" if what == "test" else "valid_accuracy"
        seeds = defaultdict[str, list[float]](list)
        for line in some:
            seeds[line["seed"]].append(100 * float(line[name]))
        means, spread = [mean(found) for found in seeds.values()], [stdev(x) for x in seeds.values() if len(x) > 1]
        seconds = mean(float(line["cpu_seconds"] or line["seconds"]) for line in some)
        sheet.add_row(
            *(data, core, f"{options} (held out of training)" if what == "choose" else options),
            *(str(len(seeds)), str(len(some)), f"{mean(means):.2f}"),
            *(f"{stdev(means):.2f}" if len(means) > 1 else "", f"{mean(spread):.2f}" if spread else ""),
            *(_wrong(some) if what == "test" else "", f"{seconds:.0f}"),
        )
    terminal().print(sheet)


def _wrong(some: list[dict[str, str]]) -> str:
    """Of each class, the share that was wrong over all folds and seeds."""
    counts = defaultdict[str, list[int]](lambda: [0, 0])
    for line in some:
        for name, (wrong, support) in json.loads(line["classes"]).items():
            counts[name][0] += wrong
            counts[name][1] += support
    return ", ".join(f"{name} {100 * wrong / max(1, support):.2f} %" for name, (wrong, support) in counts.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="a table, or LABEL=FILE for each class")
    parser.add_argument("--encoding", choices=("utf-8", "latin-1"), default="utf-8")
    parser.add_argument("--label", default="label", help="the column of labels")
    parser.add_argument("--group", help="the column of what is kept in one fold")
    parser.add_argument("--modulo", action="store_true", help="fold = place among the rows of its label, modulo folds")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--fold-seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="so many of the folds, the first ones")
    parser.add_argument("--cores", default="lstm", help="cores, with commas between")
    parser.add_argument("--seeds", default="0", help="seeds of training, with commas between")
    parser.add_argument("--with", dest="options", default="", help="more options of train classify, as one word")
    parser.add_argument("--choose", action="store_true", help="judge by what training holds out, not by the fold")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="the CSV, which the same command goes on with")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    rows, lines = read(options.data, options.encoding), kept(options.out)
    done = {tuple(line[name] for name in KEY) for line in lines}
    data = "+".join(Path(place.split("=", 1)[-1]).name for place in options.data)
    what, folds = "choose" if options.choose else "test", folds_of(rows, options)
    for seed in options.seeds.split(","):
        for core in options.cores.split(","):
            for number, fold in enumerate(folds[: options.only]):
                values = (data, len(folds), core, options.options, int(seed), number, what)
                key = dict(zip(KEY, values, strict=True))
                if tuple(map(str, key.values())) not in done:
                    add(options.out, row := measured(rows, fold, key))
                    print(
                        {name: row.get(name) for name in (*KEY[2:-1], "accuracy", "valid_accuracy", "seconds")},
                        flush=True,
                    )
    show(kept(options.out))


if __name__ == "__main__":
    main()
