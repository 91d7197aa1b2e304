"""Words of one vocabulary, found in a table that has another."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from throughtime.vectors.table import Table

How = Literal["found", "lower", "composed", "unknown"]


@dataclass(frozen=True)
class Found:
    """The vectors that a table has for a list of words, and for how many of them how."""

    places: NDArray[np.int64]  # of the words that have a vector, in the list, rising
    vectors: NDArray[np.float32]  # one for each of them
    found: int  # as they are
    lower: int  # in lower case only
    composed: int  # of their parts, by a table with subwords
    unknown: int


def find(table: Table, words: Sequence[str]) -> Found:
    """Looks words up: as they are, else in lower case, else, where the table has subwords, composed of their parts.

    >>> table = Table(["east", "North"], np.eye(2, dtype=np.float32))
    >>> found = find(table, ["East", "up", "North"])
    >>> found.places.tolist(), found.vectors.tolist(), (found.found, found.lower, found.unknown)
    ([0, 2], [[1.0, 0.0], [0.0, 1.0]], (1, 1, 1))
    """
    counts: Counter[How] = Counter()
    places, vectors = [], []
    for place, word in enumerate(words):
        how, vector = _look_up(table, word)
        counts[how] += 1
        if vector is not None:
            places.append(place)
            vectors.append(vector)
    return Found(
        places=np.array(places, np.int64),
        vectors=np.array(vectors, np.float32).reshape(-1, table.dimension),
        found=counts["found"],
        lower=counts["lower"],
        composed=counts["composed"],
        unknown=counts["unknown"],
    )


def _look_up(table: Table, word: str) -> tuple[How, NDArray[np.float32] | None]:
    row, small = table.index.get(word), table.index.get(word.lower())
    if row is not None:
        return "found", table.vectors[row]
    if small is not None:
        return "lower", table.vectors[small]
    composed = table.subwords.compose(word) if table.subwords is not None else None
    return ("unknown", None) if composed is None else ("composed", composed)
