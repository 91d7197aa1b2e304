"""Counting of words beside words, row by row: the loops under `vectors.cooccurrence`.

A row's sums lie in a dense array with a place for every column. Which places are in use is kept as a tree of bits (a
leaf for 64 columns, a branch for 64 leaves), so that they come out in rising order without being sorted, and so that
clearing them costs no more than reading them.

    sums V int64, leaves ⌈V / 64⌉ int64, branches ⌈V / 4096⌉ int64    all zero between two rows

Sums are whole numbers of a unit, so their order changes nothing. Nothing is allocated here; every function lets the
interpreter's lock go, and works on what its arguments say and nothing else, so that threads may share the rows.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

compiled = njit(nogil=True, error_model="numpy", cache=True)
Integers = NDArray[np.int64]
Ids = NDArray[np.int32]


@intrinsic
def trailing_zeros(typing: Any, word: Any) -> Any:
    """In compiled code: the number of the lowest bit that is set in a word that is not zero."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), emit


@compiled
def tally(ids: Ids, frequencies: Integers) -> int:
    """Adds to each word's frequency how often it stands in `ids`; the first place of an id that is none, or -1."""
    for i in range(len(ids)):
        if ids[i] < -1 or ids[i] >= len(frequencies):
            return i
        if ids[i] >= 0:
            frequencies[ids[i]] += 1
    return -1


@compiled
def index(block: Ids, first: int, last: int, starts: Integers, positions: Ids) -> None:
    """Where each word stands in block[first:last]: word w at positions[starts[w]:starts[w + 1]], in rising order.

    Shapes: starts (V + 2), of which the last place is used on the way only; positions (last - first).
    """
    starts[:] = 0
    for p in range(first, last):
        if block[p] >= 0:
            starts[block[p] + 2] += 1
    for w in range(2, len(starts)):
        starts[w] += starts[w - 1]
    for p in range(first, last):
        if block[p] >= 0:  # starts[w + 1] runs from where w begins to where it ends, which is where w + 1 begins
            positions[starts[block[p] + 1]] = p
            starts[block[p] + 1] += 1


@compiled
def add(sums: Integers, leaves: Integers, branches: Integers, column: int, weight: int) -> None:
    """Adds a weight, which is not zero, to the sum of a column."""
    if sums[column] == 0:
        leaves[column >> 6] |= 1 << (column & 63)
        branches[column >> 12] |= 1 << ((column >> 6) & 63)
    sums[column] += weight


@compiled
def take(sums: Integers, leaves: Integers, branches: Integers, columns: Ids, values: Integers, n: int) -> int:
    """Moves the sums that are not zero to values[n:], their columns to columns[n:], rising; where they end."""
    for b in range(len(branches)):
        branch = branches[b]
        branches[b] = 0
        while branch != 0:
            place = (b << 6) + trailing_zeros(branch)
            branch &= branch - 1
            leaf = leaves[place]
            leaves[place] = 0
            while leaf != 0:
                column = (place << 6) + trailing_zeros(leaf)
                leaf &= leaf - 1
                columns[n] = column
                values[n] = sums[column]
                sums[column] = 0
                n += 1
    return n


@compiled
def count_rows(
    block: Ids,
    starts: Integers,
    positions: Ids,
    rows: tuple[int, int],
    weights: tuple[Integers, Integers],
    accumulator: tuple[Integers, Integers, Integers],
    columns: Ids,
    values: Integers,
    sizes: Integers,
) -> int:
    """Counts what stands beside the words rows[0] to rows[1], as `index` found them; how many entries that gave.

    `weights` are those of contexts 1, 2, ... places to the left, and to the right. The block has an end of a text (-1)
    before its first and after its last word, and between texts; no window goes on past one.
    Row after row is written to columns and values, and how many entries it has to `sizes`.
    """
    sums, leaves, branches = accumulator
    left, right = weights
    n = 0
    for row in range(rows[0], rows[1]):
        begin = n
        for i in range(starts[row], starts[row + 1]):
            p = positions[i]
            for d in range(len(left)):
                if block[p - 1 - d] < 0:
                    break
                add(sums, leaves, branches, block[p - 1 - d], left[d])
            for d in range(len(right)):
                if block[p + 1 + d] < 0:
                    break
                add(sums, leaves, branches, block[p + 1 + d], right[d])
        n = take(sums, leaves, branches, columns, values, n)
        sizes[row] = n - begin
    return n


@compiled
def close_gaps(columns: Ids, values: Integers, begins: Integers, lengths: Integers) -> int:
    """Moves pieces (begins rising) to the front, one after the other; where they end."""
    n = 0
    for piece in range(len(begins)):
        if begins[piece] == n:
            n += lengths[piece]
            continue
        for i in range(begins[piece], begins[piece] + lengths[piece]):
            columns[n] = columns[i]
            values[n] = values[i]
            n += 1
    return n


@compiled
def divide(values: Integers, unit: int, quotients: NDArray[np.float64]) -> None:
    """Whole numbers of a unit to numbers; `quotients` may be the same memory."""
    for i in range(len(values)):
        quotients[i] = values[i] / unit
