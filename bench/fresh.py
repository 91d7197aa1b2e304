"""What only a fresh process can tell: how long a first start takes, and how much memory a step of training.

    python bench/fresh.py start              seconds to the end of a first step of training, from the imports on
    python bench/fresh.py memory recompute   MiB of a step of training at its peak (torch.nn, ours, recompute, eager)

bench/cells.py runs these as processes of their own. THROUGHTIME_CACHE says where what was compiled is kept.
"""

import argparse
import ctypes
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from own import MinimalGated
from rows import Row
from torch import Tensor

import throughtime

HIDDEN, BATCH, STEPS = 256, 32, 512  # of the memory rows
SMALL = (64, 8, 64)  # of the start: the time is the compiler's
MEMORY = {"torch.nn": "torch.nn", "ours": "ours", "recompute": "ours, recompute", "eager": "eager loop"}


def start() -> float:
    """Seconds from after the imports to the end of the first step of training of a cell that is new."""
    begun = time.perf_counter()
    hidden, batch, steps = SMALL
    outputs, _ = throughtime.scan(
        MinimalGated(hidden, hidden), throughtime.Padded.full(torch.ones(batch, steps, hidden))
    )
    torch.autograd.backward(outputs.data.sum())
    return time.perf_counter() - begun


def forward_of(contender: str) -> Callable[[Tensor], Tensor]:
    """The outputs of a GRU."""
    from throughtime.layers.scan import fold

    cell = throughtime.cells.GRU(HIDDEN, HIDDEN)
    module = torch.nn.GRU(HIDDEN, HIDDEN, batch_first=True)
    full = throughtime.Padded.full
    forwards: dict[str, Callable[[Tensor], Tensor]] = {
        "torch.nn": lambda x: module(x)[0],
        "ours": lambda x: throughtime.scan(cell, full(x))[0].data,
        "recompute": lambda x: throughtime.scan(cell, full(x), recompute=True)[0].data,
        "eager": lambda x: fold(cell, full(x), cell.initial(len(x)))[0].data,
    }
    return forwards[contender]


def memory(contender: str) -> float:
    """MiB by which a step of training raises the process at its peak; what is compiled is compiled before."""
    forward = forward_of(contender)

    def step(batch: int, steps: int) -> None:
        x, cotangent = torch.randn(batch, steps, HIDDEN, requires_grad=True), torch.randn(batch, steps, HIDDEN)
        before = settled()
        torch.autograd.backward(forward(x), cotangent)
        grown.append(peak() - before)

    grown: list[float] = []
    step(2, 3)
    step(BATCH, STEPS)
    return grown[-1]


def settled() -> float:
    """MiB in use once what is free has gone back to the system; the peak is counted from here on."""
    gc.collect()
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not status.exists():
        return peak()
    ctypes.CDLL(None).malloc_trim(0)
    clear.write_text("5")  # the peak becomes what is in use now
    return peak()


def peak() -> float:
    """The most MiB that the process has had."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 1024


def child(*words: str, cache: Path, threads: int) -> float | None:
    """What one of the calls above gives in a process of its own; None, with its last line, where it fails."""
    command = [sys.executable, __file__, *words, "--threads", str(threads)]
    environment = os.environ | {"THROUGHTIME_CACHE": str(cache)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{' '.join(words)}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
        return None
    return float(json.loads(done.stdout))


def measured(threads: int) -> Iterator[Row]:
    """The rows of starts (the cached one a median of three) and of memory."""
    with tempfile.TemporaryDirectory() as folder:
        for contender, times in (("first compile", 1), ("cached start", 3)):
            values = [child("start", cache=Path(folder), threads=threads) for _ in range(times)]
            taken = [value for value in values if value is not None]
            if taken:
                yield Row("start", "own", contender, "training", *SMALL, round(median(taken), 3), "s", len(taken))
        for word, contender in MEMORY.items():
            value = child("memory", word, cache=Path(folder), threads=threads)
            if value is not None:
                yield Row("memory", "gru", contender, "training", HIDDEN, BATCH, STEPS, round(value, 1), "MiB", 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["start", "memory"])
    parser.add_argument("contender", choices=list(MEMORY), nargs="?", default="ours")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(json.dumps(start() if options.what == "start" else memory(options.contender)))


if __name__ == "__main__":
    main()
