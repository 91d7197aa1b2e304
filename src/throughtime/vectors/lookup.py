"""Where the words of a file stand in a table, capitals or not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from throughtime.vectors.table import Table

ABSENT = -1


@dataclass(frozen=True)
class Lookup:
    """The rows of words in a table, or in its first rows.

    Words are folded to lower case when that is asked for, or when nothing is said and no word of the table has
    capitals: "Paris" would be missed there for no other reason. Where several words of the table fold to one, the
    first stands for it.
    """

    rows: dict[str, int]
    lower: bool  # whether words are folded
    folded: list[str] | None  # the table's words, folded, if that changes any of them

    @classmethod
    def of(cls, table: Table, *, lower: bool | None = None, maximum_vocab: int | None = None) -> "Lookup":
        """Looks words up among the first `maximum_vocab` rows of a table."""
        words = table.words if maximum_vocab is None else table.words[:maximum_vocab]
        folded = None if lower is False else [word.lower() for word in words]
        if folded is None or folded == words:
            whole = len(words) == len(table.words)
            return cls(table.index if whole else _first_rows(words), folded is not None, None)
        return cls(_first_rows(folded), True, folded) if lower else cls(_first_rows(words), False, None)

    def fold(self, word: str) -> str:
        """The word as it is looked up."""
        return word.lower() if self.lower else word

    def find(self, words: Iterable[str]) -> NDArray[np.int64]:
        """The row of each word, -1 for one that is not there."""
        get = self.rows.get
        named = (word.lower() for word in words) if self.lower else words
        return np.array([get(word, ABSENT) for word in named], dtype=np.int64)

    def split(self, words: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
        """The rows of the words that are there, each once, and the words that are not."""
        rows = self.find(words)
        found = dict.fromkeys(rows[rows != ABSENT].tolist())
        return np.array(list(found), dtype=np.int64), [word for word, row in zip(words, rows, strict=True) if row < 0]


def _first_rows(words: Sequence[str]) -> dict[str, int]:
    return {word: row for row, word in zip(range(len(words) - 1, -1, -1), reversed(words), strict=True)}
