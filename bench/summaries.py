"""Summaries of a line, by ROUGE: what `throughtime train translate --preset summary` comes to, beside first sentences.

    python bench/summaries.py --data scitldr --home runs/summaries --minutes 10 --out bench/summaries.csv

DATA has train.jsonl, dev.jsonl and test.jsonl, a paper a line: `source`, the sentences of its abstract, and `target`,
one summary or several, as SciTLDR has them. A pair is a whole abstract and a summary; a paper with several is several
pairs of the validation part. The test part is judged by the library `rouge-score`, with stemming: F1 of words, of pairs
of words and of the longest common subsequence, each that of the summary to which it is the highest. Beside the
translator stand the first sentence of the abstract and, as a ceiling, the sentence of the highest ROUGE-L.
"""

import argparse
import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import torch
from folds import throughtime
from rich.console import Console
from rich.table import Table as Sheet
from rouge_score.rouge_scorer import RougeScorer

KINDS = ("rouge1", "rouge2", "rougeL")
COLUMNS = ("system", "options", "seed", "papers", *KINDS, "words", "cpu_seconds", "epochs", "valid_nats")


LONGEST = 120  # symbols at which a search gives up: more than twice what nearly all summaries have


class Paper(NamedTuple):
    """An abstract by its sentences, and the summaries that people wrote."""

    source: list[str]
    targets: list[str]


def papers(path: Path) -> list[Paper]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        source, targets = ([" ".join(text.split()) for text in one[name]] for name in ("source", "target"))
        found.append(Paper([text for text in source if text], [text for text in targets if text]))
    return found


def write(path: Path, some: list[Paper]) -> None:
    """Pairs as JSON lines."""
    lines = [{"source": " ".join(one.source), "target": target} for one in some for target in one.targets]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def judged(said: Sequence[str], some: list[Paper]) -> dict[str, float]:
    """The mean of the best F1 of each paper, in percent."""
    scorer = RougeScorer(KINDS, use_stemmer=True)
    scores = [[scorer.score(target, text) for target in one.targets] for text, one in zip(said, some, strict=True)]
    best = {kind: mean(max(one[kind].fmeasure for one in ways) for ways in scores) for kind in KINDS}
    return {
        **{kind: round(100 * best[kind], 2) for kind in KINDS},
        "words": round(mean(len(text.split()) for text in said), 1),
    }


def ceiling(one: Paper) -> str:
    """The sentence of an abstract whose ROUGE-L with one of the summaries is the highest."""
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    return max(
        one.source, key=lambda text: max(scorer.score(target, text)["rougeL"].fmeasure for target in one.targets)
    )


def trained(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    """A run, and what it cost of the processor."""
    run, cost = home / "run", home / "cost.json"
    words = ["--pairs", str(home / "train.jsonl"), "--valid-pairs", str(home / "dev.jsonl"), "--out", str(run)]
    chosen = [
        "--preset",
        "summary",
        *options.settings.split(),
        "--minutes",
        str(options.minutes),
        "--seed",
        str(options.seed),
    ]
    if not cost.exists():
        used = time.process_time()
        throughtime("train", "translate", *words, *chosen)
        cost.write_text(json.dumps({"cpu_seconds": round(time.process_time() - used)}))
    last = json.loads((run / "progress.jsonl").read_text().splitlines()[-1])
    facts = {"epochs": last["epoch"], "valid_nats": round(last["final"]["nats_per_symbol"], 4)}
    return {"options": " ".join(chosen[:-4]), **json.loads(cost.read_text()), **facts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--home", type=Path, default=Path("runs/summaries"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    parser.add_argument("--settings", default="", help="options of train translate besides --preset summary")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--valid", type=int, help="papers to validate on, the first ones: all are translated there")
    parser.add_argument("--most", type=int, help="papers that are judged, the first ones")
    parser.add_argument("--choose", action="store_true", help="judge the validation part: settings are chosen by it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.home.mkdir(parents=True, exist_ok=True)
    write(options.home / "train.jsonl", papers(options.data / "train.jsonl"))
    write(options.home / "dev.jsonl", papers(options.data / "dev.jsonl")[: options.valid])
    some = papers(options.data / f"{'dev' if options.choose else 'test'}.jsonl")[: options.most]
    source = options.home / "source.txt"
    source.write_text("".join(" ".join(one.source) + "\n" for one in some), encoding="utf-8")
    facts = trained(options.home, options)
    said = throughtime("translate", str(options.home / "run"), str(source), "--longest", str(LONGEST)).splitlines()
    rows = [
        {"system": "the first sentence", **judged([one.source[0] for one in some], some)},
        {"system": "the best sentence", **judged([ceiling(one) for one in some], some)},
        {"system": "translate --preset summary", **judged(said, some), **facts, "seed": options.seed},
    ]
    rows = [{"papers": len(some), **row} for row in rows]
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    sheet = Sheet("system", *KINDS, "words", box=None)
    for row in rows:
        sheet.add_row(row["system"], *(f"{row[name]:.2f}" for name in KINDS), f"{row['words']:.1f}")
    Console(width=100).print(sheet)
    Console().print("\n".join(said[:5]))


if __name__ == "__main__":
    main()
