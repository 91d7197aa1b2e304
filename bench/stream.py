"""How long one step of a stream takes, a batch of one, beside what one would call instead.

    python bench/stream.py            a table, and bench/stream.csv
    python bench/stream.py --quick    a smoke run, no CSV

Ours is `core.stream(1)`. Peers: torch.nn.LSTM or GRU called on a sequence of one step under torch.inference_mode, the
core's plain `step`, and an onnxruntime session of the same step. Each hands its state on. All run in one process, 500
steps of one, then of the next; every step is timed by itself. The first steps' outputs are compared. The width of the
inputs is H.
"""

import argparse
import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import numpy as np
import runtime
import torch
from contenders import CELLS, TITLES, TORCH
from peer import machine, write
from rich.console import Console
from rich.table import Table
from rows import terminal
from torch import Tensor

from throughtime import Recurrent, Stack

CASES = [(hidden, 1) for hidden in (64, 128, 256, 512)] + [(256, 2)]  # hidden, layers
CLAIMS = {(64, 1): 8.0, (256, 2): 3.0}  # how many times faster than torch.nn.LSTM's call
TURN = 500  # steps
COMPARED = 20  # steps
Step = Callable[[Tensor], Any]


class Contender(NamedTuple):
    name: str
    step: Step  # x (1 H) to an output
    read: Callable[[Any], Tensor]  # of the output, as 1 H


def core_of(name: str, hidden: int, layers: int) -> Any:
    """Layers of a cell, its vectors moved off zeros."""
    torch.manual_seed(0)
    cells = [CELLS[name](hidden, hidden) for _ in range(layers)]
    core = Recurrent(cells[0]) if layers == 1 else Stack([Recurrent(cell) for cell in cells])
    for parameter in core.parameters():
        if parameter.dim() == 1:
            parameter.data.add_(0.1 * torch.rand_like(parameter))
    return core.eval()


def cells_of(core: Any) -> list[Any]:
    return [layer.cell for layer in getattr(core, "layers", [core])]


def contenders(name: str, core: Any) -> Iterator[Contender]:
    """The core's plain step first: what it gives is what all must give."""
    state = core.initial(1)

    def plain(x: Tensor) -> Any:
        nonlocal state
        y, state = core.step(x, state)
        return y

    yield Contender("core.step", plain, lambda y: y)
    if hasattr(core, "stream"):
        stream = core.stream(1)
        yield Contender("ours", stream.step, lambda y: y)
    if name in TORCH:
        yield of_torch(name, core)
    if runtime.available():
        yield of_onnxruntime(name, core)


def of_torch(name: str, core: Any) -> Contender:
    """torch.nn's module, called on one step."""
    cells = cells_of(core)
    module: Any = TORCH[name](core.hidden, core.hidden, num_layers=len(cells), batch_first=True).eval()
    weights = {f"{key}_l{i}": value for i, cell in enumerate(cells) for key, value in cell.state_dict().items()}
    module.load_state_dict(weights)
    state = None

    def step(x: Tensor) -> Any:
        nonlocal state
        y, state = module(x[None], state)
        return y

    return Contender("torch.nn", step, lambda y: y[0])


def of_onnxruntime(name: str, core: Any) -> Contender:
    """A session of one step; its state comes back as arrays and goes in again."""
    cells = cells_of(core)
    session = runtime.session(name, cells, torch.get_num_threads())
    names = [one.name for one in session.get_inputs() if one.name != "x"]
    wanted = ["outputs", *(f"next_{one}" for one in names)]
    feed = {one: np.zeros((1, 1, core.hidden), np.float32) for one in names}

    def step(x: Tensor) -> Any:
        feed["x"] = x.numpy()[None]
        outputs, *state = session.run(wanted, feed)
        feed.update(zip(names, state, strict=True))
        return outputs

    return Contender("onnxruntime", step, lambda y: torch.from_numpy(y[0]))


def inputs_of(hidden: int) -> list[Tensor]:
    return list(torch.randn(TURN, 1, hidden, generator=torch.Generator().manual_seed(0)))


def agreeing(some: list[Contender], inputs: list[Tensor]) -> Iterator[Contender]:
    """Those whose first steps give what the first's give; the others are told."""
    wanted: list[Tensor] = []
    for contender in some:
        got = [contender.read(contender.step(x)).clone() for x in inputs[:COMPARED]]
        wanted = wanted or got
        far = max(float((a - b).abs().max()) for a, b in zip(got, wanted, strict=True))
        if far <= 1e-5:
            yield contender
        else:
            print(f"left out: {contender.name} is off by {far:.2g}")


def times(step: Step, inputs: list[Tensor]) -> list[int]:
    """Nanoseconds of each of so many steps; the first ten, while caches fill, are not counted."""
    for x in inputs[:10]:
        step(x)
    taken = []
    for x in inputs:
        start = time.perf_counter_ns()
        step(x)
        taken.append(time.perf_counter_ns() - start)
    return taken


def interleaved(some: list[Contender], inputs: list[Tensor], steps: int) -> dict[str, list[int]]:
    """Nanoseconds of every contender's steps, taken in turns, forwards and backwards by turns."""
    taken: dict[str, list[int]] = {contender.name: [] for contender in some}
    gc.collect()
    gc.disable()
    for turn in range(max(1, steps // TURN)):
        for contender in some if turn % 2 == 0 else reversed(some):
            taken[contender.name] += times(contender.step, inputs)
    gc.enable()
    return taken


def measure(name: str, hidden: int, layers: int, steps: int) -> list[dict[str, Any]]:
    """Rows of all contenders: the median and the 99th percentile of so many steps, in microseconds."""
    core, inputs = core_of(name, hidden, layers), inputs_of(hidden)
    with torch.inference_mode():
        taken = interleaved(list(agreeing(list(contenders(name, core)), inputs)), inputs, steps)
    sizes = {"cell": name, "hidden": hidden, "layers": layers}
    return [
        sizes
        | {
            "contender": contender,
            "steps": len(ns),
            "median_us": round(median(ns) / 1e3, 2),
            "p99_us": round(quantiles(ns, n=100)[-1] / 1e3, 2),
        }
        for contender, ns in taken.items()
    ]


def of(rows: list[dict[str, Any]], cell: str, hidden: int, layers: int) -> dict[str, dict[str, Any]]:
    """The rows of one case by contender."""
    case = (cell, hidden, layers)
    return {row["contender"]: row for row in rows if (row["cell"], row["hidden"], row["layers"]) == case}


def show(rows: list[dict[str, Any]], console: Console) -> None:
    """A row for each case: median and 99th percentile of ours, and of the peers with how many times they take."""
    peers = ["torch.nn", "core.step", "onnxruntime"]
    title = "One step, microseconds: median (99th percentile) ratio; torch.nn has no peepholes, its LSTM stands there"
    table = Table("cell", "H", "layers", "ours", *peers, title=title)
    for cell, hidden, layers in dict.fromkeys((row["cell"], row["hidden"], row["layers"]) for row in rows):
        case = of(rows, "lstm", hidden, layers) if cell not in TORCH else {}
        case = {"torch.nn": case["torch.nn"]} if case else {}
        case |= of(rows, cell, hidden, layers)
        ours = case.get("ours")
        figures = []
        for contender in ["ours", *peers]:
            row = case.get(contender)
            text = f"{row['median_us']:.1f} ({row['p99_us']:.1f})" if row else ""
            ratio = f" {row['median_us'] / ours['median_us']:.2f}×" if row and ours and contender != "ours" else ""
            figures.append(text + ratio)
        table.add_row(TITLES[cell], str(hidden), str(layers), *figures)
    console.print(table)


def show_claims(rows: list[dict[str, Any]], console: Console) -> None:
    """What is asked, and whether it holds."""
    table = Table("claim", "asked", "measured", "")
    for (hidden, layers), bound in CLAIMS.items():
        case = of(rows, "lstm", hidden, layers)
        if {"ours", "torch.nn"} <= case.keys():
            ratio = case["torch.nn"]["median_us"] / case["ours"]["median_us"]
            claim = f"a streamed step / torch.nn.LSTM on one step, H {hidden}, layers {layers}"
            table.add_row(claim, f"≥ {bound:.2f}×", f"{ratio:.2f}×", "pass" if ratio >= bound else "MISS")
    console.print(table if table.rows else "No claim: core.stream is not here")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke run: H 64, 1,000 steps, no CSV")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if not runtime.available():
        print(runtime.HINT)
    rows: list[dict[str, Any]] = []
    for name in ("lstm", "gru", "peephole"):
        for hidden, layers in CASES[:1] if options.quick else CASES:
            rows += measure(name, hidden, layers, 1000 if options.quick else options.steps)
    console = terminal()
    show(rows, console)
    show_claims(rows, console)
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()))
    if not options.quick:
        write(options.out, [row | machine() for row in rows])


if __name__ == "__main__":
    main()
