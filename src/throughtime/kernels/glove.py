"""The hot loop of GloVe: one non-zero after the other, in an order that is a function of keys and a position.

A row of a table is `width` numbers (a multiple of 16) and then as many sums of squared gradients:

    words     w_1 ... w_D  b  1  0 ...   their sums
    contexts  c_1 ... c_D  1  d  0 ...   their sums

so that the product of two rows is w·c + b + d, and one formula moves vectors and biases. The ones stay ones, for their
sums are infinite. Non-zeros are 16 bytes each: row, column, logarithm and weight. Their place in memory is anywhere,
and so are their rows, so both are asked for some turns ahead.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from throughtime.kernels.maths import rsqrt
from throughtime.kernels.vector import fill, host_lanes, load, prefetch, scalar, spread, store, total, word

compiled = njit(nogil=True, error_model="numpy", cache=True)
inlined = njit(nogil=True, error_model="numpy", inline="always")
LANES = host_lanes("float32")
load_lanes, store_lanes = load("float32", LANES), store("float32", LANES)
fill_lanes, spread_lanes = fill("float32", LANES), spread("float32", LANES)

WIDTH = 16  # numbers of a row come in so many: one cache line
LINE = 64  # bytes
ENTRY = 16  # bytes
AHEAD = 4  # turns: a non-zero is fetched twice as early as its rows
RING = 16  # places of those on the way, a power of two over 2 AHEAD
FIRST, SECOND, HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93), np.uint64(32)
ONE = np.uint64(1)


# The order ----------------------------------------------------------------------------------------------------------


@inlined
def halves(size: int) -> Any:
    """The bits of both halves of a number below `size`: at least one each."""
    bits = 2
    while size > 1 << bits:
        bits += 1
    return np.uint64(bits // 2), np.uint64(bits - bits // 2)


@inlined
def mixed(number: Any, key: Any) -> Any:
    """32 bits that look random, of a number and a key."""
    number = (number ^ key) * FIRST
    return ((number ^ (number >> HALF)) * SECOND) >> HALF


@inlined
def permuted(position: int, size: int, bits: Any, keys: Any) -> Any:
    """Where a position of 0 ... size - 1 goes: to a place of its own, one of the same.

    Source: Luby and Rackoff (1988), four rounds of a Feistel network over as many bits as `size` needs, and Black and
    Rogaway (2002), section 3: what falls outside walks on until it is inside.
    """
    low, high = bits
    low_mask, high_mask = (ONE << low) - ONE, (ONE << high) - ONE
    place = np.uint64(position)
    while True:
        right, left = place & low_mask, place >> low
        left ^= mixed(right, keys[0]) & high_mask
        right ^= mixed(left, keys[1]) & low_mask
        left ^= mixed(right, keys[2]) & high_mask
        right ^= mixed(left, keys[3]) & low_mask
        place = (left << low) | right
        if place < np.uint64(size):
            return np.int64(place)


@compiled
def permute(keys: NDArray[np.uint64], order: NDArray[np.int64]) -> None:
    """Writes into `order` (N) where each of its positions goes."""
    bits = halves(len(order))
    for position in range(len(order)):
        order[position] = permuted(position, len(order), bits, keys)


# Preparation --------------------------------------------------------------------------------------------------------


@compiled
def first_wrong(columns: NDArray[np.int32], values: NDArray[np.float64], words: int) -> int:
    """The first non-zero that is not a positive number in one of so many columns, or -1."""
    for i in range(len(columns)):
        if not (0 <= columns[i] < words and 0 < values[i] < np.inf):
            return i
    return -1


@compiled
def count_blocks(
    pointers: NDArray[np.int64],
    columns: NDArray[np.int32],
    shares: NDArray[np.int32],  # (2, V): of each word as a row and as a column
    sizes: NDArray[np.int64],  # (blocks, blocks): adds how many non-zeros each block of each stratum has
) -> None:
    """Blocks of a stratum share no row and no column: block b has the rows of share b, columns of b + stratum."""
    blocks = len(sizes)
    for row in range(len(pointers) - 1):
        share = shares[0, row]
        for i in range(pointers[row], pointers[row + 1]):
            sizes[(shares[1, columns[i]] - share + blocks) % blocks, share] += 1


@compiled
def write_entries(
    pointers: NDArray[np.int64],
    columns: NDArray[np.int32],
    values: NDArray[np.float64],
    shares: NDArray[np.int32],
    places: NDArray[np.int64],  # (blocks, blocks): where each block begins; where it ends, when done
    numbers: NDArray[np.int32],  # (N, 4), the entries
    reals: NDArray[np.float32],  # the same memory
    maximum: float,
    power: float,
) -> None:
    """Writes every non-zero into its block."""
    blocks = len(places)
    for row in range(len(pointers) - 1):
        share = shares[0, row]
        for i in range(pointers[row], pointers[row + 1]):
            stratum = (shares[1, columns[i]] - share + blocks) % blocks
            place = places[stratum, share]
            places[stratum, share] = place + 1
            numbers[place, 0], numbers[place, 1] = row, columns[i]
            reals[place, 2] = np.log(values[i])
            reals[place, 3] = min(1.0, (values[i] / maximum) ** power)


# Learning -----------------------------------------------------------------------------------------------------------


@inlined
def rows_of(entry: int, tables: Any, stride: int) -> Any:
    """The addresses of a non-zero's two rows."""
    both = word(entry, 0)
    return tables[0] + stride * (both & 0xFFFFFFFF), tables[1] + stride * (both >> 32)


@inlined
def move(left: int, right: int, width: int, slope: Any, rate: Any) -> None:
    """One step of both rows against the gradients slope · right and slope · left."""
    squares = width * 4
    for k in range(0, width, LANES):
        w, c = load_lanes(left, k, LANES), load_lanes(right, k, LANES)
        for_w, for_c = slope * c, slope * w
        sum_w = load_lanes(left + squares, k, LANES) + for_w * for_w
        sum_c = load_lanes(right + squares, k, LANES) + for_c * for_c
        store_lanes(left + squares, k, LANES, sum_w)
        store_lanes(right + squares, k, LANES, sum_c)
        store_lanes(left, k, LANES, w - rate * for_w * rsqrt(sum_w))
        store_lanes(right, k, LANES, c - rate * for_c * rsqrt(sum_c))


@compiled
def learn(
    block: Any,  # address of its entries, and how many
    part: Any,  # first position in the block's order, and the one after the last
    keys: NDArray[np.uint64],  # (4) of the order
    tables: Any,  # addresses of the words' and the contexts' rows
    width: int,
    rate: float,
    ring: NDArray[np.int64],  # (RING) for the work
) -> float:
    """Moves the rows of part of a block's non-zeros, one after the other; the sum of their f(x) difference² / 2."""
    entries, size = block
    start, stop = part
    bits, stride = halves(size), width * 8
    speed, loss = fill_lanes(np.float32(rate)), 0.0
    for position in range(start - 2 * AHEAD, stop):
        far, near = position + 2 * AHEAD, position + AHEAD
        if far < stop:
            entry = entries + ENTRY * permuted(far, size, bits, keys)
            ring[far % RING] = entry
            prefetch(entry)
        if start <= near < stop:
            left, right = rows_of(ring[near % RING], tables, stride)
            for line in range(0, stride, LINE):
                prefetch(left + line)
                prefetch(right + line)
        if position >= start:
            entry = ring[position % RING]
            left, right = rows_of(entry, tables, stride)
            product = fill_lanes(np.float32(0))
            for k in range(0, width, LANES):
                product += load_lanes(left, k, LANES) * load_lanes(right, k, LANES)
            difference = total(product) - spread_lanes(entry, 2)
            slope = spread_lanes(entry, 3) * difference
            loss += scalar(slope * difference)
            move(left, right, width, slope, speed)
    return loss / 2
