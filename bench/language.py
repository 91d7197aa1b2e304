"""How fast `throughtime train language` learns characters, beside the loop that one writes by hand with torch.nn.

    python bench/language.py            a table, and bench/language.csv
    python bench/language.py --quick    a smoke run

Both train an LSTM of two layers on the same random characters, 32 lanes × 64 steps, in one process: a few updates of
ours, a few of the peer's, in turns. A ratio is the median over the turns; over 1 we are faster. In the last row we
have dropout where the recipe has it (embeddings, between layers, before the softmax), the peer between layers only.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np
import torch
from peer import Peer, machine, seconds, train, write
from rich.console import Console
from rich.table import Table

from throughtime import Language
from throughtime.data.lanes import Lanes
from throughtime.data.units import CharacterUnits
from throughtime.train import descend

SYMBOLS = "".join(chr(ord("0") + i) for i in range(65))
CASES = [(128, 0.0), (256, 0.0), (512, 0.0), (256, 0.2)]  # hidden, dropout


def streams(hidden: int, dropout: float, characters: int) -> tuple[Language, Iterator[Any], Iterator[Any]]:
    """The recipe, its training and the peer's, on the same text."""
    text = "".join(np.random.default_rng(0).choice(list(SYMBOLS), characters))
    units = CharacterUnits.learn(text)
    ids = units.encode(text)
    recipe = Language(text=Path("made.txt"), hidden=hidden, dropout=dropout, epochs=1)
    torch.manual_seed(0)
    model = recipe.model_of(len(units))
    ours = descend(
        model,
        recipe.optimiser_for(model),
        Lanes(ids, lanes=recipe.lanes, steps=recipe.steps),
        learning_rate=lambda step: recipe.learning_rate,
        clip=recipe.clip,
    )
    peer = train(
        Peer(len(units), recipe.width, hidden, recipe.layers, dropout=dropout),
        torch.from_numpy(ids),
        lanes=recipe.lanes,
        steps=recipe.steps,
        learning_rate=lambda step: recipe.learning_rate,
        clip=recipe.clip,
    )
    return recipe, ours, peer


def measure(hidden: int, dropout: float, *, turns: int, updates: int) -> dict[str, Any]:
    """Characters a second of both, and their ratio."""
    recipe, *both = streams(hidden, dropout, characters=1_000_000)
    for stream in both:
        seconds(stream, 3)  # to warm up
    taken: list[list[float]] = [[], []]
    for turn in range(turns):
        for i in (0, 1) if turn % 2 else (1, 0):
            taken[i].append(seconds(both[i], updates))
    characters = updates * recipe.lanes * recipe.steps
    return {
        "hidden": hidden,
        "dropout": dropout,
        "ours_characters_per_second": round(characters / median(taken[0])),
        "peer_characters_per_second": round(characters / median(taken[1])),
        "ratio": round(median(peer / ours for ours, peer in zip(*taken, strict=True)), 3),
    }


def show(rows: list[dict[str, Any]]) -> None:
    table = Table(
        "hidden", "dropout", "ours, characters/s", "torch.nn, characters/s", "ratio", title="Training an LSTM"
    )
    for row in rows:
        hidden, dropout, ours, peer, ratio = row.values()
        table.add_row(str(hidden), str(dropout), f"{ours:,}", f"{peer:,}", f"{ratio:.3f}")
    console = Console()
    console.print(table)
    console.print(f"geometric mean of the ratios: {geometric_mean(row['ratio'] for row in rows):.3f}")
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke run: smallest size, no CSV")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.quick:
        show([measure(64, 0.0, turns=2, updates=2)])
        return
    rows = [measure(h, dropout, turns=options.turns, updates=max(2, 1536 // h)) for h, dropout in CASES]
    show(rows)
    write(Path(__file__).with_suffix(".csv"), [row | machine() for row in rows])


if __name__ == "__main__":
    main()
