"""Co-occurrences: how often words stand beside words, as a sparse matrix."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DataError, MissingExtraError, nearest
from throughtime.kernels import cooccur as kernels

if TYPE_CHECKING:
    from throughtime.vectors.corpus import Corpus

Side = Literal["both", "left", "right"]
Weighting = Literal["distance", "none"]


@dataclass(frozen=True)
class Counts:
    """How often each word (a row) had each other (a column) in its window, as compressed rows.

    Shapes: frequencies V, pointers V + 1, columns N and values N, of which row r has those from pointers[r] to
    pointers[r + 1], its columns rising.
    """

    words: list[str]
    frequencies: NDArray[np.int64]  # of the words, in the text that was counted
    pointers: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float64]
    window: int
    side: Side
    weighting: Weighting

    def row(self, word: str) -> list[tuple[str, float]]:
        """The words that stood beside a word with their counts, the highest first, ties in the vocabulary's order."""
        if word not in self.words:
            raise ArgumentError(f"{word!r} is not among the {len(self.words):,} words; {nearest(word, self.words)}")
        number = self.words.index(word)
        part = slice(int(self.pointers[number]), int(self.pointers[number + 1]))
        columns, values = self.columns[part], self.values[part]
        return [(self.words[columns[i]], float(values[i])) for i in np.argsort(-values, kind="stable")]

    def matrix(self) -> Any:
        """All of it as a `scipy.sparse.csr_array` (V V) over the same memory."""
        try:
            from scipy.sparse import csr_array
        except ImportError:
            raise MissingExtraError("scipy", "vectors") from None
        size = len(self.words)
        return csr_array((self.values, self.columns, self.pointers), shape=(size, size), copy=False)


def cooccur(
    corpus: "Corpus",
    *,
    window: int = 5,
    side: Side = "both",
    weighting: Weighting = "distance",
    memory_bytes: int = 2**31,
    threads: int = 1,
    folder: Path | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Counts:
    """Counts what stands up to `window` words to the left and right of each word, within its text."""
    words = corpus.vocabulary.words
    if window < 1:
        raise ArgumentError(f"window must be at least 1 word; got {window}")
    frequencies = np.zeros(len(words), dtype=np.int64)
    wrong = kernels.tally(corpus.ids, frequencies)
    if wrong >= 0:
        raise DataError(f"the corpus has id {corpus.ids[wrong]} at {wrong}, and its vocabulary {len(words)} words")
    unit = math.lcm(*range(1, window + 1)) if weighting == "distance" else 1
    weights = np.array([unit // d if weighting == "distance" else 1 for d in range(1, window + 1)], dtype=np.int64)
    left, right = (weights if side in ("both", here) else weights[:0] for here in ("left", "right"))
    block = np.full(len(corpus.ids) + 2 * window, -1, dtype=np.int32)
    block[window : len(block) - window] = corpus.ids
    starts, positions = np.empty(len(words) + 2, dtype=np.int64), np.empty(len(corpus.ids), dtype=np.int32)
    kernels.index(block, window, len(block) - window, starts, positions)
    most = int(np.minimum(frequencies * (len(left) + len(right)), len(words)).sum())
    columns, values = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int64)
    sizes = np.empty(len(words), dtype=np.int64)
    spread = (len(words), -(-len(words) // 64), -(-len(words) // 4096))
    accumulator = tuple(np.zeros(size, dtype=np.int64) for size in spread)
    n = kernels.count_rows(
        block, starts, positions, (0, len(words)), (left, right), accumulator, columns, values, sizes
    )
    quotients = values[:n].view(np.float64)
    kernels.divide(values[:n], unit, quotients)
    pointers = np.concatenate([[0], np.cumsum(sizes)])
    return Counts(words, frequencies, pointers, columns[:n], quotients, window, side, weighting)
