"""Sequences that are no texts: splice junctions, promoters, motions and gestures, by the recipe `classify` itself.

    python bench/sequences.py --data DATA --tasks motions,gestures,promoters,splice --seeds 0,1,2 --out sequences.csv

DATA is a folder with dna_splice/splice.csv and dna_promoters/promoters.data (UCI), uea_timeseries/BasicMotions_TRAIN.ts
and _TEST.ts (UEA), hand_gesture/point_history.csv (a label, then 16 × (x, y)).

splice     10 folds; equal sequences are in one fold, and every class is about as frequent in all
promoters  leave one out: 106 trainings; no weights are chosen, for what is left is too little to hold any of it out
motions    the split that the archive gives
gestures   5 folds that are contiguous blocks of each class; 15 rows on both sides of a block, windows that overlap with
           it, are not learned from

A fold is `fit` of the recipe into a temporary run folder and `evaluate` of that; its row is in the CSV as soon as it is
there, and the same command goes on where it was stopped. `--choose` says nothing of what a fold holds out: the training
part is divided once more in the same way, and its first part is judged. `--only 3` does the first three folds.
"""

import argparse
import csv
import json
import shlex
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import torch
from rich.table import Table as Sheet
from rows import terminal

from throughtime.data.splits import Fold, block_folds, grouped_folds, groups_of, stratified_folds
from throughtime.recipes import Classify
from throughtime.recipes.read import make_recipe
from throughtime.runs import Asked, classify
from throughtime.train import fit

OVERLAP = 15  # rows of gestures, windows of 16 times that move by one
KEY = ("task", "options", "seed", "fold", "judged")
COLUMNS = (*KEY, "rows", "wrong", "accuracy", "nats", "seconds", "classes")
FOLDS = {"splice": 10, "promoters": 106, "motions": 1, "gestures": 5}
SYMBOLS = {"alphabet": "dna", "label_column": "0", "header": False, "minimum_count": 1}
SETTINGS: dict[str, dict[str, Any]] = {
    "splice": {
        **{**SYMBOLS, "text_column": "2", "core": "convolution", "hidden": 32, "widths": (4, 8, 12), "embedding": 16},
        **{"aligned": 60, "dropout": 0.2, "word_dropout": 0.0, "learning_rate": 0.005, "epochs": 6},
    },
    "promoters": {
        **{**SYMBOLS, "text_column": "2", "core": "convolution", "hidden": 24, "widths": (4, 8, 12), "embedding": 16},
        **{"dropout": 0.3, "learning_rate": 0.005, "rows": 16, "epochs": 40, "warmup_steps": 20},
    },
    "motions": {"core": "gru", "hidden": 32, "epochs": 40, "rows": 8, "learning_rate": 0.005, "warmup_steps": 20},
    "gestures": {
        **{"windows": 2, "label_column": "0", "header": False},
        **{"core": "gru", "hidden": 64, "epochs": 6, "learning_rate": 0.005},
    },
}


class Rows(NamedTuple):
    """The lines of a file, each with its class; of motions, those that are learned from stand first."""

    lines: list[str]
    labels: list[str]
    keys: list[str]  # that are equal where rows are
    head: list[str]  # lines above them
    ending: str
    given: int | None = None  # rows that are learned from, where that is given


def read(task: str, data: Path) -> Rows:
    if task == "motions":
        parts = [
            (data / f"uea_timeseries/BasicMotions_{part}.ts").read_text().splitlines() for part in ("TRAIN", "TEST")
        ]
        begins = [[line.lower() for line in part].index("@data") + 1 for part in parts]
        lines = [[line for line in part[begin:] if line] for part, begin in zip(parts, begins, strict=True)]
        whole = lines[0] + lines[1]
        return Rows(
            whole, [line.rsplit(":", 1)[1] for line in whole], whole, parts[0][: begins[0]], ".ts", len(lines[0])
        )
    names = {"splice": "dna_splice/splice.csv", "promoters": "dna_promoters/promoters.data"}
    lines = (data / names.get(task, "hand_gesture/point_history.csv")).read_text().splitlines()
    rows = [[cell.strip() for cell in line.split(",")] for line in lines[task == "splice" :] if line]
    return Rows([",".join(row) for row in rows], [row[0] for row in rows], [row[-1] for row in rows], [], ".csv")


def folds_of(task: str, rows: Rows, count: int) -> list[Fold]:
    if task == "splice":
        return grouped_folds(groups_of(rows.keys), count, 0, labels=rows.labels)
    if task == "gestures":
        return block_folds(len(rows.lines), count, gap=OVERLAP, within=rows.labels)
    return stratified_folds(rows.labels, count, 0)


def write(rows: Rows, places: Any, path: Path) -> Path:
    path = path.with_suffix(rows.ending)
    path.write_text("\n".join([*rows.head, *(rows.lines[place] for place in places)]) + "\n")
    return path


def cut(rows: Rows, places: Any) -> Rows:
    """Some of the rows."""
    lists = ([some[place] for place in places] for some in (rows.lines, rows.labels, rows.keys))
    return rows._replace(**dict(zip(("lines", "labels", "keys"), lists, strict=True)), given=None)


def parts_of(task: str, rows: Rows, number: int, *, choose: bool) -> tuple[Rows, Rows]:
    """What a fold learns from and is judged by."""
    if rows.given is not None:
        learned, judged = range(rows.given), range(rows.given, len(rows.lines))
        if not choose:
            return cut(rows, learned), cut(rows, judged)
        rows = cut(rows, learned)
    fold = folds_of(task, rows, 5 if rows.given is None and task == "motions" else FOLDS[task])[number]
    if not choose:
        return cut(rows, fold.train), cut(rows, fold.test)
    rows = rows if task == "motions" else cut(rows, fold.train)
    inner = fold if task == "motions" else folds_of(task, rows, 5)[0]
    return cut(rows, inner.train), cut(rows, inner.test)


def measured(task: str, parts: tuple[Rows, Rows], settings: dict[str, Any]) -> dict[str, Any]:
    """Trains on a part and judges by the other."""
    with tempfile.TemporaryDirectory() as home:
        train, test = (
            write(part, range(len(part.lines)), Path(home) / name)
            for part, name in zip(parts, ("train", "test"), strict=True)
        )
        began, run = time.process_time(), Path(home) / "run"
        held = {"valid": train, "evaluate_every": 10**6}  # the last weights are kept: no row is spent on choosing any
        recipe = make_recipe(Classify, {"train": train, **held, **settings})
        for _ in fit(recipe, run):
            pass
        seconds = time.process_time() - began
        facts = classify.evaluate(run, recipe, Asked(test)).facts
    wrong = {name: [one["support"] - one["right"], one["support"]] for name, one in facts["classes"].items()}
    return {
        "rows": facts["items"],
        "wrong": sum(some for some, _ in wrong.values()),
        "accuracy": round(facts["accuracy"], 5),
        "nats": round(facts["nats_per_unit"], 5),
        "seconds": round(seconds, 1),
        "classes": json.dumps(wrong),
    }


def kept(path: Path) -> list[dict[str, str]]:
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerow(COLUMNS)
    return []


def show(lines: list[dict[str, str]]) -> None:
    """A row a task: what was right over all folds, its deviation over seeds, and what was wrong of each class."""
    sheet = Sheet(
        "task", "options", "judged", "seeds", "folds", "accuracy, %", "± seeds", "wrong of a seed", "wrong", "s"
    )
    groups = defaultdict[tuple[str, ...], list[dict[str, str]]](list)
    for line in lines:
        groups[line["task"], line["options"], line["judged"]].append(line)
    for (task, options, judged), some in groups.items():
        seeds, classes = defaultdict[str, list[int]](lambda: [0, 0]), defaultdict[str, list[int]](lambda: [0, 0])
        for line in some:
            seeds[line["seed"]][0] += int(line["wrong"])
            seeds[line["seed"]][1] += int(line["rows"])
            for name, (wrong, support) in json.loads(line["classes"]).items():
                classes[name][0] += wrong
                classes[name][1] += support
        right = [100 * (1 - wrong / total) for wrong, total in seeds.values()]
        sheet.add_row(
            *(task, options, judged, str(len(seeds)), str(len(some)), f"{mean(right):.2f}"),
            *(f"{stdev(right):.2f}" if len(right) > 1 else "", ", ".join(str(wrong) for wrong, _ in seeds.values())),
            ", ".join(f"{name} {100 * wrong / max(1, support):.2f} %" for name, (wrong, support) in classes.items()),
            f"{mean(float(line['seconds']) for line in some):.1f}",
        )
    terminal().print(sheet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(FOLDS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", type=int, help="so many of the folds, the first ones")
    parser.add_argument("--with", dest="options", default="", help="settings in place of ours: hidden=32 pool=last")
    parser.add_argument("--choose", action="store_true", help="judge by a part of what is learned from")
    parser.add_argument("--out", type=Path, required=True, help="the CSV, which the same command goes on with")
    options = parser.parse_args()
    torch.set_num_threads(1)
    changes = dict(word.split("=", 1) for word in shlex.split(options.options))
    changes = {
        name: tuple(map(int, value.split(","))) if name == "widths" else value for name, value in changes.items()
    }
    done = {tuple(line[name] for name in KEY) for line in kept(options.out)}
    judged = "choose" if options.choose else "test"
    for task in options.tasks.split(","):
        rows = read(task, options.data)
        count = (5 if task == "motions" else FOLDS[task]) if options.choose else FOLDS[task]
        for seed in options.seeds.split(","):
            for number in range(count)[: options.only]:
                key = dict(zip(KEY, (task, options.options, seed, str(number), judged), strict=True))
                if tuple(key.values()) in done:
                    continue
                parts = parts_of(task, rows, number, choose=options.choose)
                row = key | measured(task, parts, {**SETTINGS[task], **changes, "seed": int(seed)})
                with options.out.open("a", newline="", encoding="utf-8") as file:
                    csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(row)
                print({name: row[name] for name in (*KEY, "accuracy", "nats", "seconds")}, flush=True)
    show(kept(options.out))


if __name__ == "__main__":
    main()
