"""A direction of meaning in a table, and tables without it.

Source: Bolukbasi, Chang, Zou, Saligrama and Kalai (2016), "Man is to computer programmer as woman is to homemaker?".
Vectors are of unit length throughout, as there. What can be removed is what lies along the direction: words that were
drawn together by it often stay together (Gonen and Goldberg 2019), so judge the table that comes out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.vectors.lookup import ABSENT, Lookup
from throughtime.vectors.table import Table

Matrix = NDArray[np.float64]
Pair = tuple[str, str]

BLOCK = 65_536  # rows that are held in float64 at once
NOTHING = 1e-6  # a length that rounding alone can leave of a unit vector


@dataclass(frozen=True)
class Direction:
    """A subspace that pairs of words differ in, the direction that explains most first."""

    axes: Matrix  # (K D) orthonormal
    shares: list[float] = field(default_factory=list)  # what each axis, and each left out, explains of the differences
    used: list[Pair] = field(default_factory=list)
    missing: list[Pair] = field(default_factory=list)  # pairs of which a word is not in the table

    @property
    def explained(self) -> float:
        """What the axes explain together."""
        return sum(self.shares[: len(self.axes)])


def direction(table: Table, pairs: Sequence[Pair], components: int = 1, *, lower: bool | None = None) -> Direction:
    """The direction that pairs of words differ in: the principal components of the pairs, each without its mean.

    The first word of the first pair lies on the positive side of every axis. Words are folded to lower case as in
    `judge_analogies`.

    Raises `ArgumentError` when no pair is in the table, all of them are of equal vectors, or `components` is not
    within what they span.
    """
    lookup = Lookup.of(table, lower=lower)
    rows = lookup.find(word for pair in pairs for word in pair).reshape(-1, 2)
    present = (rows != ABSENT).all(axis=1)
    if not present.any():
        raise ArgumentError(
            f"of {len(pairs)} pairs none has both words in the table, as {_pair(pairs)}; give pairs of its words"
        )
    vectors = units(table.vectors[rows[present]])  # (P 2 D)
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    _, strengths, axes = np.linalg.svd(centred.reshape(-1, vectors.shape[2]), full_matrices=False)
    rank = int((strengths > NOTHING).sum())
    if rank == 0:
        raise ArgumentError("the words of each pair have the same vector, so that there is no direction between them")
    if not 1 <= components <= rank:
        raise ArgumentError(f"components must be in 1..{rank}, what {present.sum()} pairs span; got {components}")
    axes = axes[:components]
    axes *= np.where(axes @ centred[0, 0] < 0, -1.0, 1.0)[:, None]
    shares = (strengths[:rank] ** 2 / (strengths**2).sum()).tolist()
    chosen = list(zip(pairs, present.tolist(), strict=True))
    return Direction(axes, shares, [pair for pair, here in chosen if here], [pair for pair, here in chosen if not here])


def units(vectors: NDArray[Any]) -> Matrix:
    """Vectors divided by their lengths, in float64; those of no length stay.

    >>> units(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)


def neutralise(vectors: NDArray[Any], direction: Direction) -> Matrix:
    """(N D) unit vectors without what lies along the direction, of unit length again.

    A vector that lies wholly along the direction becomes zeros.

    Formula: (w - w_B) / ||w - w_B||, w_B the projection of w onto the axes
    """
    whole = units(vectors)
    rest = whole - whole @ direction.axes.T @ direction.axes
    rest -= rest @ direction.axes.T @ direction.axes  # once more, for what rounding left
    return units(np.where(np.linalg.norm(rest, axis=-1, keepdims=True) > NOTHING, rest, 0.0))


def equalise(table: Table, pairs: Sequence[Pair], direction: Direction, *, lower: bool | None = None) -> "Equalised":
    """Unit vectors for pairs of words that differ along the direction only, both as far from every neutral word.

    Pairs whose vectors do not differ along the direction have no side to be put on: they are left as they are, and
    counted, as are pairs of which a word is not in the table.

    Formula: mu = mean of the pair; nu = mu - mu_B; w = nu + sqrt(1 - ||nu||²) (w_B - mu_B) / ||w_B - mu_B||
    """
    rows = Lookup.of(table, lower=lower).find(word for pair in pairs for word in pair).reshape(-1, 2)
    present = (rows != ABSENT).all(axis=1)
    vectors = units(table.vectors[rows[present]])  # (P 2 D)
    mean = vectors.mean(axis=1, keepdims=True)
    along = (vectors - mean) @ direction.axes.T @ direction.axes
    across = mean - mean @ direction.axes.T @ direction.axes
    apart = np.linalg.norm(along, axis=2, keepdims=True)
    height = np.sqrt(np.maximum(0.0, 1.0 - (across**2).sum(axis=2, keepdims=True)))
    sided = (apart > NOTHING).all(axis=(1, 2))
    made = across[sided] + height[sided] * along[sided] / apart[sided]
    return Equalised(
        rows[present][sided].reshape(-1),
        made.reshape(-1, vectors.shape[2]),
        [pair for pair, here in zip(pairs, present.tolist(), strict=True) if not here],
        int((~sided).sum()),
    )


@dataclass(frozen=True)
class Equalised:
    """What `equalise` makes of pairs."""

    rows: NDArray[np.int64]  # (2 P) of the words, pair after pair
    vectors: Matrix  # (2 P D) of unit length
    missing: list[Pair]
    alike: int  # pairs that do not differ along the direction


def hard(
    table: Table,
    direction: Direction,
    specific: Sequence[str],
    equal: Sequence[Pair] = (),
    *,
    lower: bool | None = None,
) -> Table:
    """A table of unit vectors in which only the words of `specific` keep what lies along the direction.

    The words that the direction was found from keep it too. Then the pairs of `equal` are made to differ along the
    direction only; each as it is written, where the authors' program tries other capitals as well. What was done is
    counted in the table's facts, under "debias". Vectors of n-grams are left out: they would compose what was removed.
    """
    kept, missing = Lookup.of(table, lower=lower).split([*specific, *(w for pair in direction.used for w in pair)])
    neutral = np.ones(len(table.words), dtype=bool)
    neutral[kept] = False
    vectors = np.empty(table.vectors.shape, dtype=np.float32)
    for part, rows in blocks(table):
        vectors[part] = np.where(neutral[part, None], neutralise(rows, direction), rows)
    vanished = int((~vectors[neutral].any(axis=1) & table.vectors[neutral].any(axis=1)).sum())
    equalised = equalise(table, equal, direction, lower=lower)
    vectors[equalised.rows] = equalised.vectors
    done = {
        "method": "hard",
        "components": len(direction.axes),
        "subwords_left_out": 0 if table.subwords is None else len(table.subwords.vectors),
        "neutralised": int(neutral.sum()),
        "vanished": vanished,
        "specific": len(kept),
        "specific_missing": missing,
        "equalised_pairs": len(equalised.rows) // 2,
        "equalised_missing": [list(pair) for pair in equalised.missing],
        "equalised_alike": equalised.alike,
    }
    return Table(table.words, vectors, counts=table.counts, facts={**table.facts, "debias": done})


def direct_bias(
    table: Table, words: Sequence[str], direction: Direction, strictness: float = 1.0, *, lower: bool | None = None
) -> float:
    """How far words lie along the direction: the mean of |cos(w, g)|^strictness over those in the table.

    With several axes the cosine is that with the nearest vector of their subspace. Raises `ArgumentError` when no word
    is in the table, or for a strictness that is not positive.
    """
    if not strictness > 0:
        raise ArgumentError(f"strictness must be above 0; got {strictness}")
    rows, missing = Lookup.of(table, lower=lower).split(words)
    if len(rows) == 0:
        raise ArgumentError(f"none of {len(missing)} words is in the table, as {missing[:1]}; give words of the table")
    lengths = np.linalg.norm(along(table, rows, direction), axis=1)
    return float(np.mean(lengths**strictness))


def along(table: Table, rows: NDArray[np.int64], direction: Direction) -> Matrix:
    """(N K) the cosines of rows of a table with the axes of a direction."""
    found = np.empty((len(rows), len(direction.axes)))
    for start in range(0, len(rows), BLOCK):
        found[start : start + BLOCK] = units(table.vectors[rows[start : start + BLOCK]]) @ direction.axes.T
    return found


def blocks(table: Table) -> Iterator[tuple[slice, Matrix]]:
    """The unit vectors of a table, some thousand rows at a time, each with its place."""
    for start in range(0, len(table.words), BLOCK):
        part = slice(start, min(start + BLOCK, len(table.words)))
        yield part, units(table.vectors[part])


def _pair(pairs: Sequence[Pair]) -> str:
    return " and ".join(pairs[0]) if pairs else "none were given"
