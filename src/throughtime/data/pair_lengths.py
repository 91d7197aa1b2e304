"""How long targets are beside their sources, and so where a search for one may give up."""

import math
from collections.abc import Sequence, Sized
from typing import NamedTuple

from throughtime.errors import ArgumentError

TARGET_LIMIT = 2**15  # symbols of a target: no search goes on for longer
SLACK, MORE = 1.25, 10  # beyond what was seen: times this, and symbols more


class TargetLengths(NamedTuple):
    """Symbols of targets that are learned from: `ratio` for a symbol of the source, and `surplus` more at most.

    Formula: ratio = Σ T / Σ S; surplus = max (T − ratio S), over all pairs of S and T symbols.

    >>> lengths = TargetLengths.of([[1, 2], [1, 2, 3, 4]], [[1, 1], [1, 1, 1, 1, 1, 1, 1]])
    >>> lengths
    TargetLengths(ratio=1.5, surplus=1.0)
    >>> lengths.limit(2), lengths.limit(100)
    (15, 199)
    """

    ratio: float
    surplus: float

    @classmethod
    def of(cls, sources: Sequence[Sized], targets: Sequence[Sized]) -> "TargetLengths":
        """Of pairs, given by their symbols. Raises `ArgumentError` for none."""
        if not len(sources) == len(targets) > 0:
            raise ArgumentError(f"there are {len(sources):,} sources and {len(targets):,} targets: give pairs")
        ratio = sum(map(len, targets)) / max(1, sum(map(len, sources)))
        surplus = max(len(target) - ratio * len(source) for source, target in zip(sources, targets, strict=True))
        return cls(ratio, max(0.0, surplus))  # not below it, as it could come out where all have the same lengths

    def limit(self, symbols: int) -> int:
        """Symbols of a translation of a source of so many at which a search gives up: a quarter and ten over it all."""
        return math.ceil(SLACK * (self.ratio * symbols + self.surplus)) + MORE
