"""The best of very many scores, block by block: what each query keeps is a heap whose root is the worst it holds."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types

from throughtime.kernels.term import Term, Vector, emitted, signature
from throughtime.kernels.vector import fill, load, store

LANES = 16
GROUP = 4 * LANES  # scores that are looked at together: most groups have none that is good enough
read = load("float32", LANES)
write = store("float32", LANES)
fill_floats = fill("float32", LANES)


def _some(mask: Term) -> Term:
    """Whether a lane of the mask is true."""
    builder = mask.builder
    bits = builder.bitcast(mask.value, ir.IntType(mask.lanes))
    return mask.of(builder.icmp_unsigned("!=", bits, bits.type(0)))


some = emitted("some", lambda _mask: signature(types.boolean, Vector("bool", LANES)), _some)


@njit(nogil=True, error_model="numpy", cache=True)
def keep_best(scores: Any, scale: Any, offset: Any, first: int, kept: Any, rows: Any, sizes: Any) -> None:
    """Takes what is good enough of a block's scores into the heaps of their queries.

    Formula: the value of row first + j for query q is scores[q, j] · scale[j] + offset[j].
    Shapes: scores (Q R) float32; scale, offset (R) float32; kept (Q K) float32, rows (Q K) int64, sizes (Q) int64: how
    many of the K places hold something. Of equal values the one of the lower row is kept, when blocks come in order.
    """
    width = len(scale)
    room = kept.shape[1]
    for query in range(len(scores)):
        block, heap, places = scores[query], kept[query], rows[query]
        size = sizes[query]
        for column in range(0, width, GROUP):
            last = min(column + GROUP, width)
            full = size == room and last - column == GROUP
            if full and not _any_above(block, scale, offset, column, heap[0]):
                continue
            for j in range(column, last):
                value = block[j] * scale[j] + offset[j]
                if size < room:
                    _rise(heap, places, size, value, first + j)
                    size += 1
                elif value > heap[0]:
                    _sink(heap, places, size, value, first + j)
        sizes[query] = size


@njit(nogil=True, error_model="numpy", inline="always")
def _any_above(block: Any, scale: Any, offset: Any, column: int, worst: Any) -> Any:
    """Whether one of a group's values is above the worst that is held."""
    scores, factors, terms = block.ctypes.data, scale.ctypes.data, offset.ctypes.data
    bound = fill_floats(worst)
    above = bound > bound
    for j in range(column, column + GROUP, LANES):
        score, factor, term = read(scores, j, LANES), read(factors, j, LANES), read(terms, j, LANES)
        above = above | (score * factor + term > bound)
    return some(above)


@njit(nogil=True, error_model="numpy", cache=True)
def add_cosines(cosines: Any, questions: Any, scores: Any) -> None:
    """How well each row answers each question a : b = c : row, by addition: cos b − cos a + cos c.

    Shapes: cosines (U R) of U words and R rows; questions (Q 3), the places of a, b, c among the U; scores (Q R).
    """
    width = cosines.shape[1]
    for question in range(len(questions)):
        a, b, c = questions[question]
        left, up, down = cosines[b].ctypes.data, cosines[c].ctypes.data, cosines[a].ctypes.data
        target = scores[question].ctypes.data
        for j in range(0, width, LANES):
            count = min(LANES, width - j)
            write(target, j, count, read(left, j, count) - read(down, j, count) + read(up, j, count))


@njit(nogil=True, error_model="numpy", cache=True)
def multiply_cosines(cosines: Any, questions: Any, scores: Any, epsilon: Any) -> None:
    """How well each row answers each question, by multiplication: s(b) s(c) / (s(a) + ε), s(x) = (cos x + 1) / 2.

    Shapes: as those of `add_cosines`.
    """
    width = cosines.shape[1]
    one, half, small = fill_floats(np.float32(1)), fill_floats(np.float32(0.5)), fill_floats(epsilon)
    for question in range(len(questions)):
        a, b, c = questions[question]
        left, up, down = cosines[b].ctypes.data, cosines[c].ctypes.data, cosines[a].ctypes.data
        target = scores[question].ctypes.data
        for j in range(0, width, LANES):
            count = min(LANES, width - j)
            above = (read(left, j, count) + one) * (read(up, j, count) + one) * (half * half)
            write(target, j, count, above / ((read(down, j, count) + one) * half + small))


@njit(nogil=True, error_model="numpy", inline="always")
def _worse(value: Any, row: Any, other: Any, other_row: Any) -> Any:
    return value < other or (value == other and row > other_row)


@njit(nogil=True, error_model="numpy", cache=True)
def _rise(heap: Any, places: Any, size: Any, value: Any, row: Any) -> None:
    """Adds a value to a heap that has room: those above it that are better go down."""
    spot = size
    while spot > 0:
        above = (spot - 1) // 2
        if not _worse(value, row, heap[above], places[above]):
            break
        heap[spot], places[spot] = heap[above], places[above]
        spot = above
    heap[spot], places[spot] = value, row


@njit(nogil=True, error_model="numpy", cache=True)
def _sink(heap: Any, places: Any, size: Any, value: Any, row: Any) -> None:
    """Puts a value in the place of the worst of a heap: those below it that are worse go up."""
    spot = 0
    while 2 * spot + 1 < size:
        below = 2 * spot + 1
        if below + 1 < size and _worse(heap[below + 1], places[below + 1], heap[below], places[below]):
            below += 1
        if not _worse(heap[below], places[below], value, row):
            break
        heap[spot], places[spot] = heap[below], places[below]
        spot = below
    heap[spot], places[spot] = value, row
