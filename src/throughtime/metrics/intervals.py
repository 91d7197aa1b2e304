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
from throughtime.metrics.given import numbers_of, same_length

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


def difference_interval(statistic: Statistic, one: ArrayLike, other: ArrayLike, *, seed: int = 0) -> Interval | None:
    """Between which 95 % of the difference of two means over runs lies, one − other, when items are drawn again.

    The counts are those of the same items (S N C), each of S runs, of which there may be different numbers: the same
    items are drawn for all of them, so what makes an item hard for both cancels. Where there are several runs, as many
    of them are drawn again too, for other seeds would have given others.

    None where the difference is never a number.

    >>> both = [[[1, 1], [0, 1], [1, 1]] * 20]
    >>> difference_interval(lambda sums: sums[:, 0] / sums[:, 1], both, both)
    (0.0, 0.0)
    """
    pair = [_runs_of(one, "one"), _runs_of(other, "other")]
    same_length(pair[0][0], pair[1][0], ("one", "other"))
    items = pair[0].shape[1]
    if items == 0:
        return None
    chance = np.random.default_rng(seed)
    found = []
    for places in bootstrap.drawn(items, chance):
        times = _times(places).astype(np.float64)
        means = [_means_of_runs(statistic, times, counts, chance) for counts in pair]
        found.append(means[0] - means[1])
    return percentiles(np.concatenate(found))


def _runs_of(counts: ArrayLike, name: str) -> NDArray[np.float64]:
    rows = numbers_of(counts, name)
    if rows.ndim != 3 or not len(rows):
        raise ArgumentError(f"{name} must have counts for each run and item (S N C); got the shape {rows.shape}")
    return rows


def _means_of_runs(
    statistic: Statistic, times: NDArray[np.float64], counts: NDArray[np.float64], chance: np.random.Generator
) -> NDArray[np.float64]:
    """(R) the mean of a statistic over runs that are drawn again, of items (R N) that came up so many times."""
    drawn, runs = len(times), len(counts)
    values = np.stack([statistic(times @ counts[run]) for run in range(runs)], axis=1)
    again: NDArray[np.float64] = np.take_along_axis(values, chance.integers(0, runs, (drawn, runs)), axis=1).mean(1)
    return again


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
