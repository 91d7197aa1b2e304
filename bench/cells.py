"""How fast `scan` runs a cell, beside what one would take instead of it.

    python bench/cells.py                                    the whole grid, bench/cells.csv
    python bench/cells.py --quick                            some points, no CSV
    python bench/cells.py --cells gru,own --hidden 128       a part of the grid, no CSV unless --out names one
    python bench/cells.py --report --picture docs/cells.png  the tables and the picture, from the CSV

Peers: torch.nn (padded; packed where lengths are unequal: packing and padding back is in its time), the plain loop
over the cell, onnxruntime for inference, and with --compile-peer torch.compile of that loop at T = 32. All contenders
of a point run in one process, in turns; a time is the median over the turns. Every result is compared with the first
contender's before anything is timed. Inference is under torch.inference_mode; training is forward and backward, with
gradients of inputs and weights. First and cached starts and memory are taken in processes of their own. Rows are
written as they come. The width of the inputs is H.
"""

import argparse
from collections.abc import Iterable, Iterator
from itertools import product as combinations
from pathlib import Path
from typing import Any

import claims
import contenders
import fresh
import runtime
import torch
from contenders import CELLS, TITLES, TORCH, Case, Contender
from peer import machine
from rows import Row, Sheet, read, terminal
from timing import HEAVY_SECONDS, Runner, interleave, product, seconds

HIDDEN, BATCH, STEPS = (64, 128, 256, 512), (1, 8, 32, 128), (32, 128, 512)
MODES = ("inference", "training")
RAGGED_STEPS = 128  # of the points with unequal lengths
Named = tuple[str, Contender]


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """The points of the grid, those with unequal lengths, one that is short, and torch.compile's."""
    for mode in options.modes:
        for hidden, batch, steps in combinations(options.hidden, options.batch, options.steps):
            yield Case("grid", mode, hidden, batch, steps)
        for hidden, batch in combinations(options.hidden, options.batch):
            if batch > 1 and RAGGED_STEPS in options.steps:
                yield Case("lengths", mode, hidden, batch, RAGGED_STEPS)
        if mode == "training" and 64 in options.hidden and 8 in options.batch:
            yield Case("short", mode, 64, 8, 64)
        if options.compile_peer:
            yield Case("loop", mode, 256, 32, 32)


def names_of(case: Case, chosen: list[str]) -> list[str]:
    """The cells that a part measures."""
    if case.part == "lengths":
        return [name for name in chosen if name in TORCH]
    return ["peephole"] if case.part == "loop" else chosen


def prepare(case: Case, names: list[str]) -> tuple[dict[tuple[str, str], Runner], dict[str, float], list[str]]:
    """The contenders, warm, by cell and name; the operations of each cell; and what went wrong."""
    data, runners, operations, wrong = contenders.data_of(case), {}, {}, []
    peers = ["lstm"] if "lstm" not in names and case.part == "grid" else []  # torch.nn.LSTM is everybody's peer
    for name in [*peers, *names]:
        cell = contenders.cell_of(name, case)
        operations[name] = contenders.operations(cell, case, data)
        wanted = None
        for contender in contenders.contenders(name, cell, case, data, ours=name in names):
            runner, got, error = warm(contender, case)
            error = error or (wanted and contenders.disagreement(got, wanted)) or ""
            if error:
                wrong.append(f"{case} {TITLES[name]}, {contender.name}: {error}")
            else:
                runners[name, contender.name] = runner
            wanted = wanted or got
    return runners, operations, wrong


def warm(contender: Contender, case: Case) -> tuple[Runner, dict[str, torch.Tensor], str]:
    """A first call, timed, what it gave, and the error where it ended in one."""
    result: list[Any] = []
    try:
        with torch.inference_mode(not case.training):
            first = seconds(lambda: result.append(contender.call()))
            least = 1 if contender.name == "eager loop" and first > HEAVY_SECONDS else 3
            return Runner(contender.call, first, least), contender.read(result[0]), ""
    except Exception as error:  # a peer that is not here, or ours at its worst: told, and the rest goes on
        reason = (str(error).strip().splitlines() or [""])[0]
        return Runner(contender.call, 0.0), {}, f"{type(error).__name__}: {reason:.160}"


def measure(case: Case, names: list[str], budget: float) -> tuple[list[Row], list[str]]:
    """The rows of one point, and what went wrong."""
    runners, operations, wrong = prepare(case, names)
    call, square = product()
    matrix = Runner(call, seconds(call))
    with torch.inference_mode(not case.training):
        interleave([matrix, *runners.values()], budget)
    rate = square / matrix.seconds
    rows = [row_of(case, "mm", "", "torch.mm", matrix, square, rate)]
    for (name, contender), runner in runners.items():
        rows.append(row_of(case, case.part, name, contender, runner, operations[name], rate))
        if contender == "torch.compile":
            rows.append(rows[-1]._replace(part="start", value=round(runner.first, 3), turns=1, gflops=0, share_of_mm=0))
    return rows, wrong


def row_of(case: Case, part: str, name: str, contender: str, runner: Runner, operations: float, rate: float) -> Row:
    """A runner's row, with its operations a second and what part of the machine's rate they are."""
    done = operations / runner.seconds
    return Row(
        part,
        name,
        contender,
        case.mode,
        case.hidden,
        case.batch,
        case.steps,
        round(runner.seconds, 9),
        "s",
        len(runner.turns),
        round(done / 1e9, 3),
        round(done / rate, 4),
    )


def lines(rows: list[Row]) -> Iterator[str]:
    """A line for each cell of a point: our time and rate, and how many times the peers take it."""
    lstm = {row.contender: row.value for row in rows if row.cell == "lstm"}
    for row in rows:
        if row.contender != "ours":
            continue
        peers = {other.contender: other.value for other in rows if other.cell == row.cell and other.part == row.part}
        if row.cell not in TORCH and "torch.nn" in lstm:
            peers["torch.nn.LSTM"] = lstm["torch.nn"]
        told = "  ".join(f"{name} {value / row.value:.2f}×" for name, value in peers.items() if name != "ours")
        rate = f"{row.gflops:6.1f} GFLOP/s {row.share_of_mm:4.0%}"
        yield f"{row.mode} {row.point:18} {TITLES[row.cell]:19} {row.value * 1e3:10.3f} ms {rate}  {told}"


def sizes(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def chosen(known: Iterable[str]) -> Any:
    """What reads names out of a list divided by commas."""

    def names(text: str) -> list[str]:
        parts = text.split(",")
        if unknown := [part for part in parts if part not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
        return parts

    return names


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="H 64, 256; B 1, 8, 32; T 128")
    parser.add_argument("--cells", type=chosen(CELLS), default=list(CELLS), help=",".join(CELLS))
    parser.add_argument("--hidden", type=sizes, help="64,128,256,512")
    parser.add_argument("--batch", type=sizes, help="1,8,32,128")
    parser.add_argument("--steps", type=sizes, help="32,128,512")
    parser.add_argument("--modes", type=chosen(MODES), default=list(MODES), help="inference,training")
    parser.add_argument(
        "--seconds", type=float, default=0.2, help="for each contender of a point, three turns at least"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile-peer", action="store_true", help="torch.compile too; takes a minute or two")
    parser.add_argument("--fresh", action=argparse.BooleanOptionalAction, default=True, help="starts and memory")
    parser.add_argument("--out", type=Path, help="CSV; bench/cells.csv for the whole grid")
    parser.add_argument("--picture", type=Path, help="a .png, .svg or .pdf file")
    parser.add_argument("--report", action="store_true", help="measure nothing, read the CSV")
    options = parser.parse_args()
    whole = not options.quick and options.cells == list(CELLS) and options.modes == list(MODES)
    whole = whole and not (options.hidden or options.batch or options.steps)
    if options.out is None and (whole or options.report):
        options.out = Path(__file__).with_suffix(".csv")
    options.hidden = options.hidden or list((64, 256) if options.quick else HIDDEN)
    options.batch = options.batch or list((1, 8, 32) if options.quick else BATCH)
    options.steps = options.steps or list((128,) if options.quick else STEPS)
    return options


def run(options: argparse.Namespace) -> tuple[list[Row], list[str]]:
    """All rows, told and written as they come, and what went wrong."""
    sheet, wrong = Sheet(options.out), []
    if not runtime.available():
        print(runtime.HINT)
    if options.fresh:
        for row in fresh.measured(options.threads):
            sheet.add(row)
            print(f"{row.part}: {row.contender}, {TITLES[row.cell]}, {row.point}: {row.value} {row.unit}", flush=True)
    for case in cases(options):
        rows, errors = measure(case, names_of(case, options.cells), options.seconds)
        for row in rows:
            sheet.add(row)
        for line in [*lines(rows), *errors]:
            print(line, flush=True)
        wrong += errors
    return sheet.rows, wrong


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    rows, wrong = (read(options.out), []) if options.report else run(options)
    console = terminal()
    claims.show(rows, console)
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()))
    if options.picture:
        import picture

        picture.draw(rows, options.picture)
    if wrong:
        raise SystemExit("left out, because they failed or differ:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
