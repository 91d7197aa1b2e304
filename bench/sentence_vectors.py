"""What vectors of sentences tell of another task: a linear classifier over them, beside simpler vectors.

    python bench/sentence_vectors.py --text wikitext2/train.txt --data pos=rt-polarity.pos neg=rt-polarity.neg \
        --home runs/sentence_vectors --out bench/sentence_vectors.csv

The text has paragraphs of words with spaces between, such as wikitext's: it is cut into sentences behind each `.`, `?`
and `!`, in small letters; a heading ends a document. From these sentences, and from nothing else, come word vectors
(`throughtime vectors train`) and, beginning with them, runs of `throughtime train sentences`, one for each `--with`.
The data are a file of sentences for each class, Latin-1, whose folds are dealt round in their order.

All vectors are judged alike: logistic regression over standardised numbers, or over which words there are, on each
fold; how much it is held back is chosen within its training part. A vector is never learned from the data.
What was made before is not made again; delete --home to begin anew.
"""

import argparse
import csv
import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from folds import throughtime
from rich.console import Console
from rich.table import Table as Sheet
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import throughtime as package
from throughtime.data.splits import modulo_folds
from throughtime.models.sentence_encoder import SentenceEncoder
from throughtime.recipes import read_recipe
from throughtime.vectors import Table

WAYS = ("last=--pool last", "mean=--pool mean")
COLUMNS = (
    "vectors",
    "numbers",
    "options",
    "seed",
    "folds",
    "accuracy",
    "deviation",
    "text_nats",
    "shuffled_nats",
    "cpu_seconds",
)
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def sentences_of(path: Path) -> Iterator[str]:
    """The sentences of a tokenised text; an empty line at each heading."""
    for line in path.read_text(encoding="utf-8").splitlines():
        words = [word if word == "<unk>" else word.lower() for word in line.split()]
        if words[:1] == words[-1:] == ["="]:
            yield ""
            continue
        begin = 0
        for place, word in enumerate(words, 1):
            if word in (".", "?", "!") or place == len(words):
                yield " ".join(words[begin:place])
                begin = place


def cross_validated(found: Any, truth: np.ndarray, folds: int, *, dense: bool) -> list[float]:
    """The accuracy of each fold."""
    accuracies = []
    for fold in modulo_folds(len(truth), folds, within=truth.tolist()):
        inner, chosen = train_test_split(fold.train, test_size=0.1, random_state=0, stratify=truth[fold.train])
        best = max(
            STRENGTHS,
            key=lambda c: classifier(c, dense).fit(found[inner], truth[inner]).score(found[chosen], truth[chosen]),
        )
        judge = classifier(best, dense).fit(found[fold.train], truth[fold.train])
        accuracies.append(float(judge.score(found[fold.test], truth[fold.test])))
    return accuracies


def classifier(strength: float, dense: bool) -> Any:
    scaled = [StandardScaler()] if dense else []
    return make_pipeline(*scaled, LogisticRegression(C=strength if dense else 10 * strength, max_iter=300))


def averaged(table: Table, texts: list[str]) -> np.ndarray:
    """The mean of the vectors of the words that a table has; zeros where it has none."""
    found = np.zeros((len(texts), table.dimension), np.float32)
    for row, text in zip(found, texts, strict=True):
        known = [table[word] for word in text.split() if word in table]
        if known:
            row[:] = np.mean(known, 0)
    return found


def trained(run: Path, text: Path, table: Path, options: argparse.Namespace, chosen: str) -> dict[str, Any]:
    """A run of `train sentences`, its facts, and the seconds it took of the processor."""
    cost = run.with_suffix(".json")
    if not cost.exists():
        used = time.process_time()
        words = ["--text", str(text), "--vectors", str(table), "--out", str(run), "--seed", str(options.seed)]
        throughtime("train", "sentences", *words, *shlex.split(options.settings), *shlex.split(chosen))
        cost.write_text(json.dumps({"cpu_seconds": round(time.process_time() - used)}))
    final = json.loads((run / "progress.jsonl").read_text().splitlines()[-1])["final"]
    return {
        **json.loads(cost.read_text()),
        "text_nats": final["nats_per_unit"],
        "shuffled_nats": final["shuffled_nats_per_unit"],
    }


def untrained(encoder: SentenceEncoder, recipe: Any, table: Table, seed: int) -> SentenceEncoder:
    """The encoder as it was before its first update, word vectors and all."""
    from throughtime.layers.embed import fill_embedding
    from throughtime.vectors.found import find

    torch.manual_seed(seed)
    model = recipe.model_of(encoder.units)
    found = find(table, encoder.units.words)
    fill_embedding(model.embedding, found.places, found.vectors)
    return SentenceEncoder(model, encoder.units)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--data", nargs="+", required=True, help="LABEL=FILE")
    parser.add_argument("--home", type=Path, default=Path("runs/sentence_vectors"))
    parser.add_argument("--out", type=Path, default=Path("bench/sentence_vectors.csv"))
    parser.add_argument("--with", dest="ways", nargs="+", default=list(WAYS), help="NAME=options of a way to train")
    parser.add_argument(
        "--settings",
        default="--hidden 192 --both --maximum-vocab 20000 --adaptive 2000,8000 --rows 16 --held-out 0.01 --minutes 12",
    )
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.home.mkdir(parents=True, exist_ok=True)
    text, table, lines = (options.home / name for name in ("sentences.txt", "words", "data.txt"))
    text.write_text("\n".join(sentences_of(options.text)) + "\n", encoding="utf-8")
    texts, labels = [], []
    for label, path in (place.split("=", 1) for place in options.data):
        some = Path(path).read_text(encoding="latin-1").removesuffix("\n").split("\n")
        texts += some
        labels += [label] * len(some)
    lines.write_text("\n".join(" ".join(one.split()) for one in texts) + "\n", encoding="utf-8")
    if not table.exists():
        throughtime(
            "vectors", "train", "--text", str(text), "--out", str(table), "--seed", str(options.seed), "--threads", "1"
        )
    rows = judged(options, text, table, lines, texts, np.array(labels))
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    show(rows)


def judged(
    options: argparse.Namespace, text: Path, table: Path, lines: Path, texts: list[str], truth: np.ndarray
) -> list[dict[str, Any]]:
    """A row for each kind of vectors."""
    rows: list[dict[str, Any]] = []

    def add(name: str, found: Any, *, dense: bool = True, **facts: Any) -> None:
        accuracies = cross_validated(found, truth, options.folds, dense=dense)
        row = {"vectors": name, "numbers": found.shape[1], "seed": options.seed, "folds": options.folds, **facts}
        rows.append(
            {**row, "accuracy": round(np.mean(accuracies), 4), "deviation": round(np.std(accuracies, ddof=1), 4)}
        )
        print(name, rows[-1]["accuracy"], flush=True)

    words = Table.load(table)
    add("bag of words", CountVectorizer(binary=True, token_pattern=r"\S+").fit_transform(texts), dense=False)
    mean = averaged(words, texts)
    add("mean of word vectors", mean)
    for name, chosen in (way.split("=", 1) for way in options.ways):
        run, array = options.home / name, options.home / f"{name}.npy"
        facts = {"options": f"{options.settings} {chosen}", **trained(run, text, table, options, chosen)}
        throughtime("embed", str(run), str(lines), "--out", str(array))
        found = np.load(array)
        add(f"skip-thought, {name}", found, **facts)
        add(f"skip-thought, {name}, and the mean of word vectors", np.hstack([found, mean]), **facts)
        recipe = read_recipe(run / "recipe.json", package.Sentences)
        fresh = untrained(package.load(run), recipe, words, options.seed)
        add(f"the same before training, {name}", fresh.embed([" ".join(one.split()) for one in texts]))
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    sheet = Sheet("vectors", "numbers", "accuracy, %", "± of folds", "nats a word", "by vectors of others", box=None)
    for row in rows:
        nats = [f"{row[name]:.4f}" if row.get(name) else "" for name in ("text_nats", "shuffled_nats")]
        sheet.add_row(
            row["vectors"], str(row["numbers"]), f"{100 * row['accuracy']:.2f}", f"{100 * row['deviation']:.2f}", *nats
        )
    Console(width=140).print(sheet)


if __name__ == "__main__":
    main()
