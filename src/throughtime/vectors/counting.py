"""Counting in bounded memory: what `cooccurrence` stands on.

    block    places of a corpus from first to last, copied, with an index of where each word stands
    sheet    as many rows of the matrix as the buffer holds, made by all threads at once
    run      all rows of one block, written to files

A block gives its rows sheet by sheet. Where the corpus is one block they are the result; else every block gives a run,
and the runs are added up row by row (`runs`). What takes memory is here, and what may be written is there.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.kernels import cooccur as kernels
from throughtime.kernels.cooccur import Accumulator, Ids, Integers

ENTRY = 12  # bytes of a column and its value
TABLES = 64  # bytes a word: frequencies, index, sizes, pointers, and what is between
SHEET = 2**22  # entries; a larger buffer would gain nothing
TASK = 2**19  # most entries of a task, so that the threads end together
SMALLEST_BLOCK, LARGEST_BLOCK = 4096, 2**31 - 2**16  # places, which the index holds as int32
ROOM = 2**62  # below which all sums stay

Work = Callable[[tuple[int, int], Accumulator, Ids, Integers], int]
Entries = tuple[Ids, Integers]


class Plan(NamedTuple):
    """How the memory is shared out."""

    block: int  # places of the corpus at a time
    entries: int  # that the buffer has room for
    sheet: int  # most entries of a sheet
    in_memory: bool  # whether the buffer holds the whole matrix, else a sheet


def plan(vocab: int, places: int, ceilings: Integers, margin: int, threads: int, memory_bytes: int) -> Plan:
    """What to do with so much memory. `ceilings` bound the entries of each row; a window is `margin` words.

    Raises `ArgumentError` when it is too little.
    """
    whole, widest = int(ceilings.sum()), int(ceilings.max(initial=1))
    fixed = vocab * TABLES + sum(part.nbytes for part in Accumulator.of(vocab)) * threads + 16 * margin
    rest = memory_bytes - fixed
    smallest = min(places, max(SMALLEST_BLOCK, math.isqrt(6 * places)))  # so that a row of every run's sizes fits
    if rest < _bytes_of(smallest, margin) + ENTRY * widest:
        needed = fixed + _bytes_of(smallest, margin) + ENTRY * widest
        raise ArgumentError(
            f"memory_bytes must be at least {needed:,} (--memory-gb {math.ceil(needed / 1e6) / 1000}) for {vocab:,} "
            f"words, a window of {margin} and {threads} threads; got {memory_bytes:,}"
        )
    left = (rest - _bytes_of(places, margin)) // ENTRY
    one = places + 2 * margin <= LARGEST_BLOCK
    if one and whole <= left:
        return Plan(places, whole, max(widest, SHEET), True)
    entries = max(widest, min(SHEET, rest // (8 * ENTRY), (rest - _bytes_of(smallest, margin)) // ENTRY))
    block = (rest - ENTRY * entries - _bytes_of(0, margin)) // 8
    if not one:
        block = max(1, min(block, LARGEST_BLOCK - 2 * margin))
    elif block >= places:
        block, entries = places, min(left, max(widest, SHEET))
    return Plan(block, entries, entries, False)


def _bytes_of(places: int, margin: int) -> int:
    """The memory of a block: its ids with those around it, and its index."""
    return 4 * (places + 2 * margin + 2) + 4 * places


class Team:
    """Threads with an accumulator each, and the buffer that they fill together."""

    def __init__(self, vocab: int, threads: int, chosen: Plan) -> None:
        self.columns, self.values = np.empty(chosen.entries, dtype=np.int32), np.empty(chosen.entries, dtype=np.int64)
        self.kept = 0  # entries at the front of the buffer that stay
        self.most = chosen.sheet  # entries of a sheet
        self.sizes = np.zeros(vocab, dtype=np.int64)  # of the rows that were made last
        self.threads = threads
        self._free = SimpleQueue[Accumulator]()
        for _ in range(threads):
            self._free.put(Accumulator.of(vocab))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="throughtime")

    def __enter__(self) -> "Team":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def sheet(self, rows: tuple[int, int], bounds: Integers, work: Work, tell: Callable[[int], None]) -> Entries:
        """The entries of some rows, which `work` makes; row r has at most bounds[r + 1] - bounds[r] of them."""
        first, last = rows
        every = self.columns[self.kept :], self.values[self.kept :]
        origin, room = int(bounds[first]), int(bounds[last] - bounds[first])
        pieces = max(4 * self.threads if self.threads > 1 else 1, room // TASK)
        inner = np.searchsorted(bounds[first:last], origin + np.arange(1, pieces) * (room // pieces)) + first
        edges = np.unique(np.concatenate([[first, last], inner]))
        begins = bounds[edges] - origin

        def task(i: int) -> int:
            part = slice(int(begins[i]), int(begins[i + 1]))
            accumulator = self._free.get()
            try:
                return work((int(edges[i]), int(edges[i + 1])), accumulator, every[0][part], every[1][part])
            finally:
                self._free.put(accumulator)

        lengths = np.zeros(len(edges) - 1, dtype=np.int64)
        for i, length in enumerate(self._pool.map(task, range(len(lengths)))):
            lengths[i] = length
            tell(int(edges[i + 1]))
        size = kernels.close_gaps(*every, begins[:-1], lengths)
        return every[0][:size], every[1][:size]

    def keep(self, size: int) -> None:
        """Lets the entries of the last sheet stay in the buffer, before those of the next."""
        self.kept += size

    def give_up_buffer(self) -> Entries:
        """The entries that were kept, as arrays of their own; the memory of the rest is given back."""
        columns, values = self.columns, self.values
        self.columns, self.values = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
        columns.resize(self.kept, refcheck=False)  # nothing else refers to them: sheets are no longer in use
        values.resize(self.kept, refcheck=False)
        return columns, values

    def alone(self, work: Callable[[Accumulator], int]) -> int:
        """What one of the threads' accumulators is used for by this thread."""
        accumulator = self._free.get()
        try:
            return work(accumulator)
        finally:
            self._free.put(accumulator)


class Blocks:
    """A corpus, of which any block can be counted; one block at a time."""

    def __init__(self, ids: NDArray[np.int32], vocab: int, weights: tuple[Integers, Integers], block: int) -> None:
        self.ids, self.weights, self.vocab = ids, weights, vocab
        self.margin = max(len(side) for side in weights)
        self.block = np.empty(block + 2 * self.margin + 2, dtype=np.int32)
        self.positions = np.empty(block, dtype=np.int32)
        self.starts = np.empty(vocab + 2, dtype=np.int64)

    def sheets(self, first: int, last: int, team: Team, tell: Callable[[int], None]) -> Iterator[Entries]:
        """The rows of the block from first to last, as many at a time as the team's buffer holds.

        `tell` is told how many places of the corpus are done.
        """
        before, after = min(self.margin, first), min(self.margin, len(self.ids) - last)
        block = self.block[: before + last - first + after + 2]
        block[0] = block[-1] = -1
        block[1:-1] = self.ids[first - before : last + after]
        kernels.index(block, 1 + before, 1 + before + last - first, self.starts, self.positions)
        bounds = bounds_of(ceilings(np.diff(self.starts[: self.vocab + 1]), self.weights))
        share = (last - first) / max(1, int(bounds[-1]))

        def work(rows: tuple[int, int], accumulator: Accumulator, columns: Ids, values: Integers) -> int:
            return kernels.count_rows(
                block, self.starts, self.positions, rows, self.weights, accumulator, columns, values, team.sizes
            )

        row = 0
        while row < self.vocab:
            end = int(np.searchsorted(bounds, bounds[row] + team.most, side="right")) - 1
            yield team.sheet((row, end), bounds, work, lambda done: tell(first + round(share * int(bounds[done]))))
            row = end


def whole_weights(margin: int, distance: bool, most: int) -> tuple[int, Integers]:
    """The unit of weights, and the weight at each distance in whole units; `most` is the highest frequency."""
    if not distance:
        return 1, np.ones(margin, dtype=np.int64)
    heaviest = 2 * most * math.ceil(1 + math.log(max(1, margin)))  # what no sum can pass, before the unit
    unit = 1
    for d in range(2, margin + 1):
        unit = math.lcm(unit, d)
        if unit * heaviest > ROOM:
            unit = 2 ** max(0, (ROOM // heaviest).bit_length() - 1)
            break
    return unit, np.array([max(1, (2 * unit + d) // (2 * d)) for d in range(1, margin + 1)], dtype=np.int64)


def ceilings(frequencies: Integers, weights: tuple[Integers, Integers]) -> Integers:
    """The most entries that the row of each word can have."""
    return np.minimum(frequencies * sum(len(side) for side in weights), len(frequencies))


def bounds_of(sizes: Integers) -> Integers:
    """Where each of some pieces begins, and after them where the last ends."""
    bounds = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=bounds[1:])
    return bounds
