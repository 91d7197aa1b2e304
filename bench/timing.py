"""Times that can be compared: all of a point's contenders in one process, in turns."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch

Call = Callable[[], Any]
TURN_SECONDS = 0.02  # a turn is so many calls in a row, so that caches and threads are those of the one who runs
HEAVY_SECONDS = 0.2  # a plain loop that takes longer has a turn or two, not three
LONG_SECONDS = 1.0  # and one that takes longer than this is not run once more only to warm up


def seconds(call: Call, times: int = 1) -> float:
    """What one of so many calls takes."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


@dataclass
class Runner:
    """A call and what it took: `first` the warm-up, `turns` a mean of each turn."""

    call: Call
    first: float
    least: int = 3  # turns, however long they are
    once: float = 0.0
    spent: float = 0.0
    turns: list[float] = field(default_factory=list)

    def calibrate(self) -> None:
        """Finds how many calls make a turn; the warm-up of a long plain loop is its first turn."""
        if self.least == 1 and self.first > LONG_SECONDS:
            self.turns.append(self.first)
        self.once = min(self.first, seconds(self.call)) if self.first < LONG_SECONDS else self.first
        self.spent = sum(self.turns)

    def wants(self, budget: float) -> bool:
        return len(self.turns) < self.least or self.spent < budget

    def turn(self) -> None:
        start = time.perf_counter()
        times = max(1, round(TURN_SECONDS / self.once))
        if times > 1:
            self.call()
        self.turns.append(seconds(self.call, times))
        self.once = self.turns[-1]
        self.spent += time.perf_counter() - start

    @property
    def seconds(self) -> float:
        return median(self.turns)


def interleave(runners: Sequence[Runner], budget: float, most: int = 100) -> None:
    """Gives every runner its turns, forwards and backwards by turns, until each has spent its seconds."""
    gc.collect()
    gc.disable()
    try:
        for runner in runners:
            runner.calibrate()
        for turn in range(most):
            waiting = [runner for runner in runners if runner.wants(budget)]
            if not waiting:
                return
            for runner in waiting if turn % 2 == 0 else reversed(waiting):
                runner.turn()
    finally:
        gc.enable()


def product(size: int = 1024) -> tuple[Call, float]:
    """torch.mm of two square matrices, the measure of what a machine can do, and its operations."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(size, size, generator=generator) for _ in range(2))
    out = torch.empty(size, size)
    return lambda: torch.mm(a, b, out=out), 2.0 * size**3
