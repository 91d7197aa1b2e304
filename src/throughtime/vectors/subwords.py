"""Parts of words: vectors for words that were never seen, from their letters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.kernels.grams import grams

BUCKETS_LIMIT = 2**28
OFFSET, PRIME = 2166136261, 16777619  # of the hash


@dataclass(frozen=True)
class Subwords:
    """The n-grams of letters that words are made of, and their vectors.

    An n-gram has the number of a bucket, its hash modulo `buckets`; only buckets that some word of the vocabulary hits
    are kept, for no other was trained.

    Source: Bojanowski et al. (2017), section 3.2, and their program's hash.
    """

    shortest: int
    longest: int
    buckets: int
    kept: NDArray[np.int32]  # numbers of buckets, rising
    vectors: NDArray[np.float32]  # one a kept bucket

    def compose(self, word: str) -> NDArray[np.float32] | None:
        """The mean of the vectors of a word's n-grams; None if none of them was seen."""
        numbers = np.array([self.number(gram) for gram in ngrams(word, self.shortest, self.longest)], np.int32)
        places = np.minimum(np.searchsorted(self.kept, numbers), max(0, len(self.kept) - 1))
        rows = places[self.kept[places] == numbers] if len(self.kept) else places[:0]
        return self.vectors[rows].mean(0) if len(rows) else None

    def number(self, gram: str) -> int:
        """The bucket of an n-gram, which may have in it what UTF-8 has not, as a word that is asked for may."""
        return fnv(gram.encode("utf-8", "surrogatepass")) % self.buckets


def ngrams(word: str, shortest: int, longest: int) -> Iterator[str]:
    """The n-grams of <word>, but for the marks alone, from each letter on.

    >>> list(ngrams("cat", 3, 4))
    ['<ca', '<cat', 'cat', 'cat>', 'at>']
    """
    marked = f"<{word}>"
    for start in range(len(marked)):
        for length in range(shortest, longest + 1):
            if start + length > len(marked):
                break
            if length > 1 or 0 < start < len(marked) - 1:
                yield marked[start : start + length]


def fnv(name: bytes) -> int:
    """The hash of an n-gram: FNV-1a of 32 bits, with bytes taken as signed, as the original does.

    >>> fnv(b"<ca")
    1066916747
    """
    value = OFFSET
    for byte in name:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * PRIME) & 0xFFFFFFFF
    return value


def parts(
    words: Sequence[str], shortest: int, longest: int, buckets: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Of each word its rows, its own and those of its n-grams, and the buckets that are kept.

    Gives (starts, rows, kept): word w has the rows `rows[starts[w]:starts[w + 1]]`, where row w is its own and row
    V + i that of the bucket `kept[i]`.

    Raises `ArgumentError` for lengths or buckets that do not fit.
    """
    if not 1 <= shortest <= longest:
        raise ArgumentError(f"shortest must be in 1..longest; got {shortest} and {longest}")
    if not 1 <= buckets <= BUCKETS_LIMIT:
        raise ArgumentError(f"buckets must be in 1..{BUCKETS_LIMIT:,}; got {buckets:,}")
    sizes, numbers = _numbers(words, shortest, longest, buckets)
    starts = np.concatenate([[0], np.cumsum(1 + sizes)])
    places = np.zeros(buckets, np.int32)
    places[numbers] = 1
    kept = np.flatnonzero(places).astype(np.int32)
    places[kept] = np.arange(len(kept))
    rows = np.empty(starts[-1], np.int32)
    own = np.zeros(len(rows), bool)
    own[starts[:-1]] = True
    rows[own], rows[~own] = np.arange(len(words)), len(words) + places[numbers]
    return starts, rows, kept


def _numbers(
    words: Sequence[str], shortest: int, longest: int, buckets: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """How many n-grams each word has, and the buckets of them all: of those that `ngrams` gives, in its order."""
    marked = [f"<{word}>".encode() for word in words]
    letters = np.frombuffer(b"".join(marked), np.uint8)
    starts = np.concatenate([[0], np.cumsum([len(word) for word in marked])])
    sizes, none = np.zeros(len(words), np.int64), np.zeros(0, np.int32)
    numbers = np.zeros(grams(letters, starts, shortest, longest, buckets, sizes, none), np.int32)
    grams(letters, starts, shortest, longest, buckets, sizes, numbers)
    return sizes, numbers
