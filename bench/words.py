"""A word model on a text such as WikiText-2: one pass of our recipe beside one of the loop written by hand.

    python bench/words.py --data wikitext2            a table, and bench/words.csv
    python bench/words.py --data wikitext2 --quick    a smoke run

The folder holds train.txt and valid.txt, tokenised, one paragraph a line. Both sides have the same sizes (an LSTM of
2 × 200 units on embeddings of 200, 20 lanes × 35 steps, dropout 0.2 in the same three places), the same order of the
data, AdamW at the same rate (the recipe's, with its warm-up and cosine; the peer does better at --learning-rate 0.002,
which is for both), and are scored by the same reading of valid.txt. They train in one process, some updates of one,
then of the other; the time of a side is the sum of its turns.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
from peer import Peer, machine, seconds, train, write
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F

from throughtime import Language
from throughtime.data.lanes import Chunk, Reading
from throughtime.models import LanguageModel
from throughtime.recipes.language import LanguageData
from throughtime.tally import Tally
from throughtime.train import descend, multiplier

Nats = Callable[[Chunk, Any], tuple[Tally, Any]]


def recipe_for(folder: Path) -> Language:
    """The recipe."""
    return Language(
        text=folder / "train.txt",
        valid=folder / "valid.txt",
        unit="word",
        hidden=200,
        embedding=200,
        layers=2,
        lanes=20,
        steps=35,
        dropout=0.2,
        epochs=1,
    )


def rate_of(recipe: Language, updates: int) -> Callable[[int], float]:
    """The recipe's learning rate, over so many updates."""

    def rate(step: int) -> float:
        factor = multiplier(recipe.schedule, step=step, warmup_steps=recipe.warmup_steps, done=step / updates)
        return recipe.learning_rate * factor

    return rate


def train_both(
    recipe: Language, data: LanguageData, updates: int, turn: int
) -> tuple[LanguageModel, Peer, list[list[float]]]:
    """Both models after so many updates, and the seconds of each of their turns."""
    torch.manual_seed(recipe.seed)
    model = recipe.model(data)
    peer = Peer(len(data.units), 200, 200, 2, dropout=recipe.dropout, outer_dropout=recipe.dropout)
    rate, batches = rate_of(recipe, updates), recipe.batches(data)
    ours = descend(model, recipe.optimiser_for(model), batches, learning_rate=rate, clip=recipe.clip)
    ids = torch.from_numpy(data.train)
    theirs = train(peer, ids, lanes=recipe.lanes, steps=recipe.steps, learning_rate=rate, clip=recipe.clip)
    taken: list[list[float]] = [[], []]
    both: tuple[Iterator[Any], ...] = (ours, theirs)
    for i, start in enumerate(range(0, updates, turn)):
        for side in (0, 1) if i % 2 else (1, 0):
            taken[side].append(seconds(both[side], min(turn, updates - start)))
        ratio = taken[1][-1] / taken[0][-1]
        print(
            f"{start:6,} of {updates:,}: {taken[0][-1]:.1f} s and {taken[1][-1]:.1f} s, ratio {ratio:.2f}", flush=True
        )
    return model, peer, taken


@torch.no_grad()
def perplexity(nats: Nats, data: LanguageData) -> float:
    """Of the validation text, every word scored once."""
    tally, state = Tally(0.0, 0), None
    for chunk in Reading(data.valid, start=data.units.start):
        part, state = nats(chunk, state)
        tally = tally + part.detach()
    return math.exp(tally.mean)


def nats_of(peer: Peer) -> Nats:
    """How the peer is scored."""

    def nats(chunk: Chunk, state: Any) -> tuple[Tally, Any]:
        logits, state = peer(chunk.inputs, state)
        total = F.cross_entropy(logits.flatten(0, 1), chunk.targets.flatten(), ignore_index=-1, reduction="sum")
        return Tally(total, int((chunk.targets >= 0).sum())), state

    return nats


def show(rows: list[dict[str, Any]], ratio: float) -> None:
    title = f"A word model, {rows[0]['pass']:.0%} of a pass"
    table = Table("model", "updates", "validation perplexity", "seconds", "words/s", title=title)
    for row in rows:
        cells = f"{row['updates']:,}", f"{row['validation_perplexity']:.2f}", f"{row['seconds']:,.0f}"
        table.add_row(row["model"], *cells, f"{row['words_per_second']:,}")
    console = Console()
    console.print(table)
    console.print(f"ratio of the times: {rows[0]['ratio']:.3f} in all, {ratio:.3f} the median of the turns")
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder with train.txt and valid.txt")
    parser.add_argument("--limit", type=int, help="updates of each side, instead of a whole pass")
    parser.add_argument("--quick", action="store_true", help="a smoke run: four updates, no CSV")
    parser.add_argument("--learning-rate", type=float, help="the highest, of both sides, instead of the recipe's")
    parser.add_argument("--turn", type=int, default=20, help="updates of a side at a time")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = recipe_for(options.data)
    if options.learning_rate:
        recipe = recipe.model_copy(update={"learning_rate": options.learning_rate})
    data = recipe.data()
    batches = recipe.batches(data)
    updates = 4 if options.quick else min(options.limit or batches.chunks(0), batches.chunks(0))
    model, peer, taken = train_both(recipe, data, updates, 2 if options.quick else options.turn)
    words = min(recipe.lanes * recipe.steps * updates, recipe.lanes * batches.lane_length(0))
    model.eval()
    peer.eval()
    rows = [
        {
            "model": name,
            "vocabulary": len(data.units),
            "learning_rate": recipe.learning_rate,
            "updates": updates,
            "pass": round(updates / batches.chunks(0), 3),
            "validation_perplexity": round(perplexity(nats, data), 2),
            "seconds": round(sum(side), 1),
            "words_per_second": round(words / sum(side)),
            "ratio": round(sum(taken[1]) / sum(side), 3),
        }
        for name, nats, side in (("ours", model.loss, taken[0]), ("torch.nn", nats_of(peer), taken[1]))
    ]
    show(rows, median(peer / ours for ours, peer in zip(*taken, strict=True)))
    if not options.quick:
        write(Path(__file__).with_suffix(".csv"), [row | machine() for row in rows])


if __name__ == "__main__":
    main()
