"""The best rows of a table for many queries: in blocks of single precision, then made exact in double precision.

A block of scores is a matrix product. What is among the best of its query goes to a heap with some places to spare.
The rows in the heap are scored again in double precision, and sorted. If a row that is in no heap could still be as
good, for all that is known of the rounding of single precision, every row is scored again: so the answer is always that
of double precision, and rows that are equally good come in the order of the table.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError

if TYPE_CHECKING:
    from throughtime.vectors.table import Table

Fill = Callable[[slice, NDArray[np.float32]], None]  # writes the scores of a slice of rows, for some queries
Answer = tuple[NDArray[np.int64], NDArray[np.float64]]  # rows, the best first, and what they are worth
SMALL = 4096  # rows of a table that may as well be in the heaps, all of them
SPARES = 16, 512  # places in a heap beyond those asked for: first for all queries, then for those that need more
ROWS_AT_ONCE, QUERIES_AT_ONCE = 1024, 1024  # of a block, so that its scores stay in the cache
PLACES = 2**23  # of the heaps that are filled at once
NUMBERS = 2**23  # of the vectors that are looked at once in double precision
LIMITING = Lock()  # two who limit at the same time would not find back to the number that was
MANY = 8  # queries from which it is worth telling the matrix product to stay on one thread


class Asked(Protocol):
    """Queries of one kind: how rows are scored fast, how exactly, and how far the two may lie apart."""

    size: int  # queries
    scale: NDArray[np.float32]  # a row: value = score × scale + offset
    offset: NDArray[np.float32]

    def filler(self, queries: NDArray[np.int64]) -> Fill:
        """What writes the scores of a slice of rows for some of the queries."""

    def exact(self, queries: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """What rows (Q C) are worth to some of the queries (Q), in double precision; more is better."""

    def highest(self, queries: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The most that rows can be worth whose values, in single precision, are at most these."""


def best_rows(table: "Table", asked: Asked, count: int, exclude: Sequence[Sequence[int]]) -> list[Answer]:
    """For each query the best rows but for those of its `exclude`, at most `count`.

    Raises `ArgumentError` when count is not 1 or more.
    """
    if type(count) is not int or count < 1:
        raise ArgumentError(f"count must be a whole number from 1 on; got {count!a:.80}")
    answers: list[Answer | None] = [None] * asked.size
    left_out = [np.unique(np.asarray(own, np.int64)) for own in exclude]
    waiting = np.arange(asked.size)
    with _single_product(asked.size):
        for spare in SPARES:
            settled = 0
            while settled < len(waiting):
                queries = waiting[settled : settled + QUERIES_AT_ONCE]
                room = min(len(table), count + spare + max(len(left_out[query]) for query in queries))
                if 4 * room > len(table) > SMALL:
                    break
                places = room * _threads(table)
                queries = queries[: max(1, min(PLACES // places, NUMBERS // (places * table.dimension)))]
                rows, bounds = _keep(table, asked, queries, room)
                others = np.isfinite(bounds)  # else all rows are in the heaps
                limits = np.where(others, asked.highest(queries, np.where(others, bounds, 0.0)), bounds)
                own = [left_out[query] for query in queries]
                found = _settle(table, asked, queries, rows, limits, count, own)
                for query, answer in zip(queries, found, strict=True):
                    answers[query] = answer
                settled += len(queries)
            waiting = np.array([query for query in waiting if answers[query] is None], np.int64)
    return [answer or _plain(table, asked, query, count, left_out[query]) for query, answer in enumerate(answers)]


def _keep(
    table: "Table", asked: Asked, queries: NDArray[np.int64], room: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each query the rows in its heaps (Q C), −1 where there is room, and what no other row is above."""
    from throughtime.kernels.best import keep_best

    threads = _threads(table)
    edges = [len(table) * thread // threads for thread in range(threads + 1)]
    shape = threads, len(queries), room
    values, rows = np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int64)
    sizes = np.zeros(shape[:2], np.int64)
    fill = asked.filler(queries)

    def work(thread: int) -> None:
        scores = np.empty((len(queries), ROWS_AT_ONCE), np.float32)
        heaps = values[thread], rows[thread], sizes[thread]
        for part in _slices(edges[thread], edges[thread + 1]):
            block = scores.reshape(-1)[: len(queries) * (part.stop - part.start)].reshape(len(queries), -1)
            with np.errstate(over="ignore", invalid="ignore"):  # such values are settled in double precision
                fill(part, block)
            keep_best(block, asked.scale[part], asked.offset[part], part.start, *heaps)

    if threads == 1:
        work(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
    roots = np.where(sizes == room, values[:, :, 0], -np.inf)  # what is in no heap is at most its heap's root
    return np.concatenate(rows, axis=1), roots.max(0).astype(np.float64)


def _settle(
    table: "Table",
    asked: Asked,
    queries: NDArray[np.int64],
    rows: NDArray[np.int64],
    limits: NDArray[np.float64],
    count: int,
    left_out: Sequence[NDArray[np.int64]],
) -> list[Answer | None]:
    """The best of the rows (Q C) that were kept, in double precision; None where another row can be as good."""
    values = asked.exact(queries, np.maximum(rows, 0))
    numbers = np.arange(len(queries))[:, None] * len(table)  # so that a row and its query are one number
    barred = np.concatenate([start + own for start, own in zip(numbers[:, 0], left_out, strict=True)])
    values[(rows < 0) | np.isin(rows + numbers, barred)] = -np.inf
    order = np.lexsort((rows, -values), axis=-1)[:, :count]
    rows, values = np.take_along_axis(rows, order, 1), np.take_along_axis(values, order, 1)
    answers: list[Answer | None] = []
    for own, best, worth, limit in zip(left_out, rows, values, limits.tolist(), strict=True):
        wanted = min(count, len(table) - len(own))
        certain = wanted == 0 or (wanted <= len(worth) and worth[wanted - 1] > limit)
        answers.append((best[:wanted], worth[:wanted]) if certain else None)
    return answers


def _plain(table: "Table", asked: Asked, query: int, count: int, left_out: NDArray[np.int64]) -> Answer:
    """The best rows of all, each scored in double precision."""
    one = np.array([query])
    blocks = [asked.exact(one, np.arange(part.start, part.stop)[None])[0] for part in _slices(0, len(table))]
    values = np.concatenate(blocks)
    values[left_out] = -np.inf
    order = np.argsort(-values, kind="stable")[: min(count, len(table) - len(left_out))]
    return order, values[order]


def _slices(start: int, stop: int) -> Iterator[slice]:
    for first in range(start, stop, ROWS_AT_ONCE):
        yield slice(first, min(first + ROWS_AT_ONCE, stop))


def _threads(table: "Table") -> int:
    """How many threads share the rows of a table."""
    return max(1, min(os.cpu_count() or 1, len(table) // (4 * ROWS_AT_ONCE)))


@contextmanager
def _single_product(queries: int) -> Iterator[None]:
    """Keeps each matrix product on the thread that calls it: we have threads of our own, and they would wait."""
    try:
        from threadpoolctl import threadpool_limits  # comes with scikit-learn
    except ImportError:
        yield
        return
    if queries < MANY:
        yield
        return
    with LIMITING, threadpool_limits(1, user_api="blas"):
        yield
