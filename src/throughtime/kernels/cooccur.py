"""Counting of words beside words, row by row: the loops under `vectors.cooccurrence`.

A row's sums lie in a dense array with a place for every column. Which places are in use is kept as a tree of bits (a
leaf for 64 columns, a branch for 64 leaves), so that they come out in rising order without being sorted, and so that
clearing them costs no more than reading them. Bits are set without asking whether they are, for a branch that is taken
one time in four costs more than the addition.

Sums are whole numbers of a unit, so their order changes nothing. Nothing is allocated here; every function lets the
interpreter's lock go and works on its arguments alone, so that threads may share the rows.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

compiled = njit(nogil=True, error_model="numpy", cache=True)
Integers = NDArray[np.int64]
Ids = NDArray[np.int32]

AHEAD = 8  # occurrences of a word: the text around that one is fetched meanwhile
ALL = 64  # bits of a leaf and of a branch


class Accumulator(NamedTuple):
    """The sums of one row, all zero between two rows."""

    sums: Integers  # V
    leaves: Integers  # a bit for each sum
    branches: Integers  # a bit for each leaf

    @classmethod
    def of(cls, columns: int) -> "Accumulator":
        """Room for a row of so many columns."""
        leaves = -(-columns // ALL)
        return cls(*(np.zeros(size, dtype=np.int64) for size in (columns, leaves, -(-leaves // ALL))))


def _trailing_zeros(typing: Any, word: Any) -> Any:
    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), emit


def _fetch(typing: Any, address: Any) -> Any:
    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        pointer, number = ir.PointerType(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch.p0", (), kind)
        hints = [ir.Constant(number, value) for value in (0, 3, 1)]  # to read, to keep, data
        builder.call(function, [builder.inttoptr(arguments[0], pointer), *hints])
        return context.get_dummy_value()

    return types.none(types.int64), emit


trailing_zeros: Any = intrinsic(_trailing_zeros)  # the number of the lowest bit that is set; the word is not zero
fetch: Any = intrinsic(_fetch)  # brings what lies at an address nearer; any address will do


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
def add(accumulator: Accumulator, column: int, weight: int) -> None:
    """Adds a weight to the sum of a column."""
    accumulator.sums[column] += weight
    accumulator.leaves[column >> 6] |= 1 << (column & 63)
    accumulator.branches[column >> 12] |= 1 << ((column >> 6) & 63)


@compiled
def take(accumulator: Accumulator, columns: Ids, values: Integers, n: int) -> int:
    """Moves the sums that were added to, to values[n:] and their columns, rising, to columns[n:]; where they end."""
    sums, leaves, branches = accumulator
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
    accumulator: Accumulator,
    columns: Ids,
    values: Integers,
    sizes: Integers,
) -> int:
    """Counts what stands beside the words rows[0] to rows[1], as `index` found them; how many entries that gave.

    `weights` are those of contexts 1, 2, ... places to the left, and to the right. The block has an end of a text (-1)
    before its first and after its last word, and between texts; no window goes on past one.
    Row after row is written to columns and values, and how many entries it has to `sizes`.
    """
    left, right = weights
    n, address, last = 0, block.ctypes.data, len(positions) - 1
    for row in range(rows[0], rows[1]):
        begin = n
        for i in range(starts[row], starts[row + 1]):
            ahead = address + 4 * positions[min(i + AHEAD, last)]
            fetch(ahead - 4 * len(left))
            fetch(ahead + 4 * len(right))
            p = positions[i]
            for d in range(len(left)):
                column = block[p - 1 - d]
                if column < 0:
                    break
                add(accumulator, column, left[d])
            for d in range(len(right)):
                column = block[p + 1 + d]
                if column < 0:
                    break
                add(accumulator, column, right[d])
        n = take(accumulator, columns, values, n)
        sizes[row] = n - begin
    return n


@compiled
def add_run(accumulator: Accumulator, columns: Ids, values: Integers) -> None:
    """Adds entries of a row to its sums."""
    for i in range(len(columns)):
        add(accumulator, columns[i], values[i])


@compiled
def add_rows(
    starts: Integers,
    first: int,
    rows: tuple[int, int],
    entries: tuple[Ids, Integers],
    accumulator: Accumulator,
    columns: Ids,
    values: Integers,
    sizes: Integers,
) -> int:
    """Adds up the rows rows[0] to rows[1] of several runs; how many entries that gave, written as `count_rows` does.

    Row `first` + r of run k lies in `entries` from starts[k, r] to starts[k, r + 1].
    """
    n = 0
    for row in range(rows[0], rows[1]):
        begin = n
        for k in range(len(starts)):
            for i in range(starts[k, row - first], starts[k, row - first + 1]):
                add(accumulator, entries[0][i], entries[1][i])
        n = take(accumulator, columns, values, n)
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


@compiled
def faulty_row(pointers: Integers, columns: Ids, values: NDArray[np.float64], vocab: int) -> int:
    """The first row of which the columns do not rise within the vocabulary or a value is not above zero; or -1.

    The pointers rise from 0 to the number of columns.
    """
    for row in range(len(pointers) - 1):
        before = -1
        for i in range(pointers[row], pointers[row + 1]):
            if columns[i] <= before or columns[i] >= vocab or not 0 < values[i] < np.inf:
                return row
            before = columns[i]
    return -1
