"""How two sets of words lean towards two others: the word embedding association test, and projections on a direction.

Source: Caliskan, Bryson and Narayanan (2017), "Semantics derived automatically from language corpora contain
human-like biases".
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import comb
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.vectors.debias import NOTHING, Direction, along, units
from throughtime.vectors.lists import Association
from throughtime.vectors.lookup import ABSENT, Lookup
from throughtime.vectors.table import Table

PARTITIONS = 200_000  # the most that are enumerated
SAMPLES = 100_000  # of partitions, where there are more
BLOCK = 4_000_000  # numbers held at once


@dataclass(frozen=True)
class Effect:
    """How much more the first targets lean to the first attributes than the second targets do."""

    name: str
    effect: float  # in standard deviations, -2..2 for sets of equal size
    p_value: float  # that a random partition of the targets leans as much or more
    statistic: float
    method: Literal["exact", "sampled"]
    partitions: int  # that were looked at
    words: dict[str, int]  # of each set, those that the table has
    missing: dict[str, list[str]]  # of each set, those that it has not

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return asdict(self)


def weat(table: Table, association: Association, *, lower: bool | None = None, seed: int = 0) -> Effect:
    """The association test of two sets of target words X, Y with two sets of attributes A, B.

    The p-value is one-sided and counts partitions that lean as much as the one given, itself among them, where the
    paper counts those that lean more: it is never 0. Up to 200,000 partitions are all looked at, else 100,000 random
    ones. Sets that are of unequal sizes, as when words are not in the table, keep their sizes.

    Formula: s(w) = mean_a cos(w, a) - mean_b cos(w, b); statistic = sum_x s(x) - sum_y s(y);
    effect = (mean_x s(x) - mean_y s(y)) / std s(w) over X and Y, the deviation with n - 1

    Raises `ArgumentError` when a set has no word in the table, a word is in both targets, or all words lean alike.
    """
    lookup = Lookup.of(table, lower=lower)
    names = [*association.targets, *association.attributes]
    sets = [lookup.split(words) for words in [*association.targets.values(), *association.attributes.values()]]
    for name, (rows, missing) in zip(names, sets, strict=True):
        if len(rows) == 0:
            raise ArgumentError(f"{association.name}: none of the {len(missing)} words of {name} is in the table")
    first, second, one, other = (rows for rows, _ in sets)
    both = np.intersect1d(first, second)
    if len(both):
        raise ArgumentError(
            f"{association.name}: {table.words[both[0]]!a:.80} is in {names[0]} and in {names[1]}; leave one out"
        )
    targets = units(table.vectors[np.concatenate([first, second])])
    leaning = (targets @ units(table.vectors[one]).T).mean(axis=1) - (targets @ units(table.vectors[other]).T).mean(1)
    spread = float(np.std(leaning, ddof=1))
    if not spread > NOTHING:
        raise ArgumentError(f"{association.name}: all its targets lean alike, so that there is no effect to measure")
    xs, ys = np.split(leaning, [len(first)])
    p_value, method, partitions = permutation_test(leaning, len(first), seed=seed)
    return Effect(
        association.name,
        float(xs.mean() - ys.mean()) / spread,
        p_value,
        float(xs.sum() - ys.sum()),
        method,
        partitions,
        {name: len(rows) for name, (rows, _) in zip(names, sets, strict=True)},
        {name: missing for name, (_, missing) in zip(names, sets, strict=True)},
    )


def permutation_test(
    leaning: NDArray[np.float64], size: int, *, seed: int = 0
) -> tuple[float, Literal["exact", "sampled"], int]:
    """The share of partitions whose first part, of `size` numbers, sums to as much as the first `size` numbers do.

    Also whether all partitions were looked at, and how many were. Of random partitions, the one given counts as one.

    >>> permutation_test(np.array([3.0, 2.0, 1.0, 0.0]), 2)
    (0.16666666666666666, 'exact', 6)
    """
    least = leaning[:size].sum() - 1e-10 * max(1e-300, float(np.abs(leaning).max()))  # sums differ in their rounding
    count = comb(len(leaning), size)
    if count <= PARTITIONS:
        chosen = np.fromiter(
            (place for places in combinations(range(len(leaning)), size) for place in places), np.int64, count * size
        )
        sums = leaning[chosen.reshape(count, size)].sum(axis=1)
        return float((sums >= least).sum()) / count, "exact", count
    chance, found = np.random.default_rng(seed), 0
    step = max(1, BLOCK // len(leaning))
    for start in range(0, SAMPLES, step):
        drawn = chance.permuted(np.tile(leaning, (min(step, SAMPLES - start), 1)), axis=1)
        found += int((drawn[:, :size].sum(axis=1) >= least).sum())
    return (1 + found) / (1 + SAMPLES), "sampled", SAMPLES


def project(
    table: Table, words: Sequence[str], direction: Direction, *, lower: bool | None = None
) -> NDArray[np.float64]:
    """(N) the cosine of each word with the direction's first axis.

    Raises `ArgumentError` for a word that is not in the table.
    """
    rows = Lookup.of(table, lower=lower).find(words)
    if (rows == ABSENT).any():
        raise ArgumentError(f"{words[int(np.argmin(rows))]!a:.80} is not in the table; leave it out")
    return along(table, rows, direction)[:, 0]


def extremes(
    table: Table, words: Sequence[str], direction: Direction, count: int = 8
) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """The words that lie farthest along the direction's first axis, and the other way; the farthest first.

    Only words on that side of it are given. Raises `ArgumentError` for a word that is not in the table.
    """
    cosines = project(table, words, direction)
    order = np.argsort(-cosines, kind="stable")
    high = [(words[i], float(cosines[i])) for i in order[:count].tolist() if cosines[i] > NOTHING]
    low = [(words[i], float(cosines[i])) for i in order[::-1][:count].tolist() if cosines[i] < -NOTHING]
    return high, low
