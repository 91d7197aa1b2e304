"""What the loops of conditional random fields share: a table of sizes and addresses, and each thread's memory.

All numbers are float64. Memory is given by address. Labels stand side by side in the lanes of SIMD vectors, and in a
thread's own memory the rows of labels are whole vectors. Where there is no label, scores are −inf.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numba import types

from throughtime.kernels import launch, vector
from throughtime.kernels.vector import first_or, scalar, word

Call = TypeVar("Call", bound=Callable[..., Any])

LANES = 8
SIZE = 8  # bytes of a number
# Words of the table: counters, sizes, addresses. An address of 0 stands for what is not asked for.
CHUNK, SLOT, ROWS, STEPS, LABELS, CHUNKS, ROOM = range(7)
EMISSIONS, TRANSITIONS, START, END, LENGTHS, TARGETS, SCRATCH, SUMS, VALUES, RESULT = range(7, 17)

take: Any = launch.take
load, store, spread, fill = (make("float64", LANES) for make in (vector.load, vector.store, vector.spread, vector.fill))
store_integers, fill_integers = vector.store("int64", LANES), vector.fill("int64", LANES)


def compiled(function: Call) -> Call:
    """A function for compiled code alone; what Python would need to call it takes as long to compile as itself."""
    make: Any = numba.njit
    return cast(Call, make(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function))


class Memory(NamedTuple):
    """Where a thread works; all but the sizes are addresses."""

    labels: int
    width: int  # the labels, up to a whole vector
    transitions: int  # A, then the scores of the start and of the end
    weights: int  # W
    flipped: int  # W with rows and columns exchanged
    tops: int  # c
    a: int  # of all positions and the end, as the next three
    u: int
    s: int  # 0 where it was too small, and was taken from the logarithms
    q: int
    posterior: int  # of the position at work
    extra: int  # what it gets by way of sums that were too small
    rare: int  # for each position, whether it has such sums


def room(labels: int, steps: int) -> int:
    """Bytes of a thread's memory, whole lines."""
    width = (labels + LANES - 1) // LANES * LANES
    return SIZE * (width * (3 * labels + 5 + 4 * (steps + 1)) + (steps + LANES) // LANES * LANES)


@compiled
def memory_of(table: int) -> Memory:
    """The memory of a thread that has just come, with A in it, and the scores of the start and of the end."""
    labels, steps = word(table, LABELS), word(table, STEPS)
    width = (labels + LANES - 1) // LANES * LANES
    row = SIZE * width
    transitions = word(table, SCRATCH) + take(table + SIZE * SLOT) * word(table, ROOM)
    weights = transitions + (labels + 2) * row
    tops = weights + 2 * labels * row
    a, all_steps = tops + row, (steps + 1) * row  # the end counts as a position
    for i in range(labels + 2):
        source = word(table, TRANSITIONS) + i * labels * SIZE
        if i >= labels:
            source = word(table, START if i == labels else END)
        for b in range(0, width, LANES):
            store(transitions + i * row, b, LANES, first_or(load(source, b, labels - b), labels - b, -np.inf))
    return Memory(
        labels, width, transitions, weights, weights + labels * row, tops, a, a + all_steps, a + 2 * all_steps,
        a + 3 * all_steps, a + 4 * all_steps, a + 4 * all_steps + row, a + 4 * all_steps + 2 * row,
    )  # fmt: skip


@compiled
def get(address: int, index: int) -> Any:
    """The number at address + index."""
    return scalar(spread(address, index))


@compiled
def put(address: int, index: int, value: float) -> None:
    """Writes a number."""
    store(address, index, 1, fill(value))


@compiled
def put_all(address: int, first: int, stop: int, value: float) -> None:
    """Writes a number to all places from first to stop."""
    for b in range(first, stop, LANES):
        store(address, b, stop - b, fill(value))


@compiled
def put_integers(address: int, first: int, stop: int, value: int) -> None:
    """Writes an integer to all places from first to stop."""
    for b in range(first, stop, LANES):
        store_integers(address, b, stop - b, fill_integers(value))


@compiled
def score(memory: Memory, emissions: int, path: int, length: int, result: int, sums: int) -> float:
    """The score of one path; 1 is taken from the posteriors of all that it passes. NaN if it is not one of labels."""
    labels, width = memory.labels, memory.width
    for t in range(length):
        if not 0 <= word(path, t) < labels:
            return np.nan
    whole = 0.0
    for t in range(length + 1):
        before, label = labels, labels + 1  # the rows of the start and of the end
        if t:
            before = word(path, t - 1)
        if t < length:
            label = word(path, t)
            whole += get(emissions, t * labels + label)
            if result:
                put(result, t * labels + label, get(result, t * labels + label) - 1)
        pair = before * width + label if t < length else label * width + before
        whole += get(memory.transitions, pair)
        if sums:
            put(sums, pair, get(sums, pair) - 1)
    return whole


def machine_code(function: Any) -> Any:
    """The machine code of a loop for all rows, `void(table)`, kept in the cache."""
    make: Any = numba.cfunc
    return make(types.void(types.int64), nopython=True, cache=True)(function.py_func)
