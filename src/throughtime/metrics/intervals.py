"""Bootstrap intervals of anything that is counted from sums over items.

Whole items are drawn again, not their parts, so what belongs together, as the entities of a sentence, stays together.

Source: Efron (1979); the percentile interval.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from throughtime.errors import ArgumentError
from throughtime.metrics import bootstrap
from throughtime.metrics.bootstrap import Interval, percentiles
from throughtime.metrics.given import numbers_of

Statistic = Callable[[NDArray[Any]], NDArray[np.float64]]  # sums (R ...) to what they say (R)
ALIKE = 16  # where as many items on average have the same counts, it is faster to draw kinds than items


def sum_interval(statistic: Statistic, counts: ArrayLike, *, seed: int = 0) -> Interval | None:
    """Between which 95 % of a statistic of the sum of counts (N ...) lies when the items are drawn again.

    None where the statistic is never a number. Items that count alike are drawn as one kind: how often a kind comes
    up among N draws is multinomial, so the draws need not be made one by one.

    >>> sum_interval(lambda sums: sums[:, 0] / sums[:, 1], [[1, 1]] * 32 + [[0, 1]] * 32)
    (0.375, 0.625)
    """
    rows = numbers_of(counts, "counts")
    if rows.ndim < 2:
        raise ArgumentError(f"counts must have a row for each item (N ...); got the shape {rows.shape}")
    if rows.size == 0:
        return None
    chance, shape = np.random.default_rng(seed), rows.shape[1:]
    rows = rows.reshape(len(rows), -1)
    kinds, times = np.unique(rows, axis=0, return_counts=True)
    if len(kinds) * ALIKE <= len(rows):
        drawn: Iterator[NDArray[Any]] = _kinds_drawn(times, chance)
        rows = kinds
    else:
        drawn = (_times(places) for places in bootstrap.drawn(len(rows), chance))
    return percentiles(np.concatenate([statistic((times @ rows).reshape(-1, *shape)) for times in drawn]))


def cell_interval(statistic: Statistic, cells: ArrayLike, *, seed: int = 0) -> Interval | None:
    """Between which 95 % of a statistic of a table of counts lies when the items counted in it are drawn again.

    This is `sum_interval` for items each of which is counted once, in one cell: of a confusion matrix, above all.

    Raises `ArgumentError` for counts that are no whole numbers.
    """
    table = numbers_of(cells, "cells")
    if (table < 0).any() or (table != np.floor(table)).any():
        raise ArgumentError("cells must count items: whole numbers, 0 or more; for weighted items use sum_interval")
    filled = np.flatnonzero(table)
    if len(filled) == 0:
        return None
    values = []
    for drawn in _kinds_drawn(table.reshape(-1)[filled].astype(np.int64), np.random.default_rng(seed), table.size):
        again = np.zeros((len(drawn), table.size), dtype=np.int64)
        again[:, filled] = drawn
        values.append(statistic(again.reshape(-1, *table.shape)))
    return percentiles(np.concatenate(values))


def _kinds_drawn(times: NDArray[np.int64], chance: np.random.Generator, held: int = 0) -> Iterator[NDArray[np.int64]]:
    """(R U) how often each of U kinds comes up, in blocks of bounded memory; `held` are numbers held for each R."""
    items = int(times.sum())
    for count in bootstrap.blocks(max(len(times), held)):
        yield chance.multinomial(items, times / items, count)


def _times(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """(R N) how often each of N places is among those drawn (R N)."""
    count, size = places.shape
    apart = places + size * np.arange(count)[:, None]
    return np.bincount(apart.reshape(-1), minlength=count * size).reshape(count, size)
