"""The words of a text that are worth a vector."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DataError


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words, the most frequent first, ties in alphabetical order; and how often each was seen.

    >>> Vocabulary.of(["b", "a", "c"], np.array([1, 2, 1])).words
    ['a', 'b', 'c']
    """

    words: list[str]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def index(self) -> dict[str, int]:
        """The id of each word."""
        return {word: i for i, word in enumerate(self.words)}

    @classmethod
    def of(
        cls,
        words: Sequence[str],
        counts: NDArray[np.int64],
        *,
        minimum_count: int = 1,
        maximum_vocab: int | None = None,
    ) -> "Vocabulary":
        """Those of the words that were seen at least `minimum_count` times, at most `maximum_vocab` of them.

        Raises `DataError` when fewer than two are left, `ArgumentError` when `maximum_vocab` is under two.
        """
        check_cut(minimum_count, maximum_vocab)
        if not len(words):
            raise DataError("the text has no words in it; give one that has, or another --token expression")
        kept = sorted((-int(counts[i]), words[i]) for i in np.flatnonzero(counts >= minimum_count).tolist())
        if len(kept) < 2:
            left = f"only one word is left, {kept[0][1]!a:.80}" if kept else "no words are left"
            raise DataError(
                f"{left}, and vectors need two: of {len(words):,} kinds of words the most frequent was seen "
                f"{int(counts.max()):,} times, and --minimum-count is {minimum_count:,}; give a longer text"
                + (" or lower it" if minimum_count > 1 else "")
            )
        kept = kept[:maximum_vocab]
        return cls([word for _, word in kept], -np.array([n for n, _ in kept], dtype=np.int64))


def join_vocabularies(
    counts: Sequence[Mapping[str, int]], *, minimum_count: int = 5, maximum_vocab: int | None = None
) -> Vocabulary:
    """The vocabulary of several shares of a text, whose counts of words are added.

    >>> join_vocabularies([{"a": 1, "b": 3}, {"a": 4}], minimum_count=1).words
    ['a', 'b']
    """
    joined: Counter[str] = Counter()
    for share in counts:
        joined.update(share)
    amounts = np.fromiter(joined.values(), np.int64, len(joined))
    return Vocabulary.of(list(joined), amounts, minimum_count=minimum_count, maximum_vocab=maximum_vocab)


def check_cut(minimum_count: int, maximum_vocab: int | None) -> None:
    """Raises `ArgumentError` when no vocabulary could be cut so."""
    if minimum_count < 1:
        raise ArgumentError(f"minimum_count must be at least 1; got {minimum_count}")
    if maximum_vocab is not None and maximum_vocab < 2:
        raise ArgumentError(f"maximum_vocab must be at least 2, as vectors tell words apart; got {maximum_vocab}")
