"""The conditional random field beside pytorch-crf and beside the same formulas in plain torch.

    python bench/crf.py            a table of ratios, and bench/crf.csv
    python bench/crf.py --quick    a smoke run, without a CSV

All contenders work in one process, in turns, on the same scores: emissions B T K in float32, rows of full length. A
loss is forward and backward, to the gradients of the emissions, the transitions, the start and the end.
"""

import argparse
import warnings
from pathlib import Path
from typing import Any

import torch
import torchcrf
from peer import machine, write
from rich.table import Table
from rows import terminal
from timing import Call, Runner, interleave, seconds

from throughtime.heads import paths
from throughtime.kernels.chain import Scores

POINTS = [(32, 64, 20), (32, 64, 5), (32, 64, 50), (8, 64, 20), (32, 256, 20), (128, 32, 20)]  # B T K
NAMES = "ours", "plain torch", "pytorch-crf"


def drawn(batch: int, steps: int, labels: int) -> tuple[Scores, torchcrf.CRF]:
    """Scores, and a peer that has the same ones."""
    generator = torch.Generator().manual_seed(0)
    shapes = (batch, steps, labels), (labels, labels), (labels,), (labels,)
    scores = Scores(*(torch.randn(shape, generator=generator).requires_grad_() for shape in shapes))
    peer = torchcrf.CRF(labels, batch_first=True)
    with torch.no_grad():
        for theirs, ours in zip(
            (peer.transitions, peer.start_transitions, peer.end_transitions), scores[1:], strict=True
        ):
            theirs.copy_(ours)
    return scores, peer


def losses(scores: Scores, peer: torchcrf.CRF, lengths: torch.Tensor, targets: torch.Tensor) -> dict[str, Call]:
    theirs = (scores.emissions, peer.transitions, peer.start_transitions, peer.end_transitions)

    def ours() -> Any:
        total = paths.nats(scores, lengths, targets)
        return total.detach(), *torch.autograd.grad(total, scores)

    def plain() -> Any:
        total = (paths.plain_log_partition(scores, lengths) - paths.plain_score(scores, lengths, targets)).sum()
        return total.detach(), *torch.autograd.grad(total, scores)

    def peers() -> Any:
        total = -peer(scores.emissions, targets)
        return total.detach(), *torch.autograd.grad(total, theirs)

    return dict(zip(NAMES, (ours, plain, peers), strict=True))


def decodings(scores: Scores, peer: torchcrf.CRF, lengths: torch.Tensor) -> dict[str, Call]:
    fixed = Scores(*(part.detach() for part in scores))
    calls: tuple[Call, ...] = (
        lambda: paths.best_paths(fixed, lengths)[0],
        lambda: paths.plain_best_paths(fixed, lengths)[0],
        lambda: torch.tensor(peer.decode(fixed.emissions)),
    )
    return dict(zip(NAMES, calls, strict=True))


def agree(calls: dict[str, Call]) -> None:
    """All contenders give the same, as far as sums of thousands of float32 can."""
    first, *others = (call() for call in calls.values())
    for other in others:
        for theirs, ours in zip(other, first, strict=True):
            torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-4 * max(1.0, float(ours.abs().max())))


def measured(what: str, point: tuple[int, int, int], calls: dict[str, Call], budget: float) -> list[dict[str, Any]]:
    agree(calls)
    runners = [Runner(call, seconds(call)) for call in calls.values()]
    interleave(runners, budget)
    batch, steps, labels = point
    return [
        {
            "what": what,
            "batch": batch,
            "steps": steps,
            "labels": labels,
            "contender": name,
            "milliseconds": round(1e3 * runner.seconds, 4),
            "turns": len(runner.turns),
            "ratio": round(runner.seconds / runners[0].seconds, 1),
        }
        for name, runner in zip(calls, runners, strict=True)
    ]


def show(rows: list[dict[str, Any]]) -> None:
    table = Table("what", "B T K", *[f"{name}, ms" for name in NAMES], *[f"{name} / ours" for name in NAMES[1:]])
    for start in range(0, len(rows), len(NAMES)):
        group = rows[start : start + len(NAMES)]
        point = " ".join(str(group[0][name]) for name in ("batch", "steps", "labels"))
        times = [f"{row['milliseconds']:.3f}" for row in group]
        table.add_row(group[0]["what"], point, *times, *[f"{row['ratio']:.1f}" for row in group[1:]])
    console = terminal()
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke run: the first point, no CSV")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each contender at each point")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", message="where received a uint8 condition", category=UserWarning)  # the peer's
    rows = []
    for batch, steps, labels in POINTS[:1] if options.quick else POINTS:
        scores, peer = drawn(batch, steps, labels)
        lengths, targets = torch.full((batch,), steps), torch.randint(labels, (batch, steps))
        point, budget = (batch, steps, labels), 0.1 if options.quick else options.seconds
        rows += measured("loss and gradient", point, losses(scores, peer, lengths, targets), budget)
        rows += measured("best path", point, decodings(scores, peer, lengths), budget)
    show(rows)
    if not options.quick:
        write(Path(__file__).with_suffix(".csv"), [row | machine() for row in rows])


if __name__ == "__main__":
    main()
