"""Edit distance, and the rates of error that are counted from it: of phones, of characters, of words."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.metrics.bootstrap import Interval
from throughtime.metrics.intervals import sum_interval
from throughtime.metrics.scores import ratio

Symbols = Sequence[Hashable]  # a string is one, of its characters; line.split() is one, of its words or phones


@dataclass(frozen=True)
class EditScores:
    """How far sequences are from the nearest of their references."""

    items: int
    right: int  # that are one of their references
    edits: int
    symbols: int  # of the nearest references
    counts: NDArray[np.int64] = field(repr=False, compare=False)  # (items, 3) of each: edits, symbols, whether wrong

    @property
    def rate(self) -> float | None:
        """Edits for each symbol: PER, CER or WER, by what the symbols are; over 1 is possible. None of no symbols."""
        return self.edits / self.symbols if self.symbols else None

    @property
    def wrong(self) -> float | None:
        """The share of items that are none of their references; of pronunciations this is called WER."""
        return (self.items - self.right) / self.items if self.items else None

    def rate_interval(self, *, seed: int = 0) -> Interval | None:
        """Between which 95 % of the rate lies when items are drawn again."""
        return sum_interval(lambda sums: ratio(sums[:, 0], sums[:, 1]), self.counts, seed=seed)

    def wrong_interval(self, *, seed: int = 0) -> Interval | None:
        """Between which 95 % of the share of wrong items lies when items are drawn again."""
        items = self.items
        return sum_interval(lambda sums: sums[:, 2] / items, self.counts, seed=seed)

    def to_json(self) -> dict[str, Any]:
        """The counts, the rates and their intervals."""
        return {
            "items": self.items,
            "right": self.right,
            "edits": self.edits,
            "symbols": self.symbols,
            "rate": self.rate,
            "rate_interval": self.rate_interval(),
            "wrong": self.wrong,
            "wrong_interval": self.wrong_interval(),
        }


def edit_distance(one: Symbols, other: Symbols) -> int:
    """The fewest symbols to be put in, left out or replaced so that one sequence becomes the other.

    A column of the table of distances is held as the bits of two whole numbers, those of its rises and of its falls,
    and a symbol makes the next column of it in a dozen operations; Python's numbers have as many bits as are asked for.

    Source: Levenshtein (1966); Hyyrö (2003), "A bit-vector algorithm for computing Levenshtein and Damerau edit
    distances", after Myers (1999).

    >>> edit_distance("kitten", "sitting"), edit_distance("T AH M EY T OW".split(), "T AH M AA T OW".split())
    (3, 1)
    """
    if len(one) < len(other):
        one, other = other, one
    if not other:
        return len(one)
    places: dict[Hashable, int] = {}
    for place, symbol in enumerate(one):
        places[symbol] = places.get(symbol, 0) | 1 << place
    every, last, distance = (1 << len(one)) - 1, 1 << (len(one) - 1), len(one)
    rises, falls = every, 0
    for symbol in other:
        same = places.get(symbol, 0)
        level = ((((same & rises) + rises) ^ rises) | same | falls) & every  # no higher than what lies diagonally above
        up, down = falls | every & ~(level | rises), level & rises
        distance += bool(up & last) - bool(down & last)
        up = up << 1 | 1  # the first row counts the symbols so far
        rises, falls = (down << 1 | ~(level | up)) & every, level & up & every
    return distance


def edit_scores(predicted: Sequence[Symbols], references: Sequence[Sequence[Symbols]]) -> EditScores:
    """How far each sequence is from the nearest of its references, of which every one has at least one.

    The nearest is the one with the fewest edits, and of several such the shortest, so that the order of references
    does not matter and no length is chosen to please.

    Raises `ArgumentError` for items that do not fit or have no reference.

    >>> scores = edit_scores(["abc", "b"], [["abd", "abcd"], ["a", "b"]])
    >>> scores.edits, scores.symbols, scores.rate, scores.wrong
    (1, 4, 0.25, 0.5)
    """
    if len(predicted) != len(references):
        raise ArgumentError(f"{len(predicted):,} items are predicted and {len(references):,} have references")
    rows = []
    for place, (said, wanted) in enumerate(zip(predicted, references, strict=True)):
        if isinstance(wanted, str) or not len(wanted):
            raise ArgumentError(f"item {place + 1} needs a list of references, of one at least; got {wanted!a:.60}")
        edits, symbols = min((edit_distance(said, reference), len(reference)) for reference in wanted)
        rows.append((edits, symbols, edits > 0))
    counts = np.array(rows, dtype=np.int64).reshape(-1, 3)
    edits, symbols, wrong = (int(total) for total in counts.sum(axis=0))
    return EditScores(len(rows), len(rows) - wrong, edits, symbols, counts)
