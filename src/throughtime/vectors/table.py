"""A table of word vectors: what training gives, and what is asked, judged, drawn, mended and written to files."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.vectors.measures import Analogies, By, Distances, Measure, Products, lengths_of, units_of
from throughtime.vectors.queries import best_rows
from throughtime.vectors.spelling import nearest_spellings

if TYPE_CHECKING:
    from throughtime.vectors.subwords import Subwords

ROWS_AT_ONCE = 8192  # of a table that may be larger than memory


class Table:
    """Words and a vector for each of them.

    `counts` says how often each word was seen in training, `subwords` gives vectors for words that were not, `facts`
    tells in JSON how the table was made. The vectors may lie in a file that is mapped into memory: they are read only.

    Raises `ArgumentError` for words that are empty, come twice or are not text, and for vectors that are not finite or
    do not have one row for each word.

    Example:
        >>> table = Table(["east", "north", "up"], np.eye(3, dtype=np.float32), facts={"method": "by hand"})
        >>> len(table), table.dimension, "north" in table, table["north"].tolist()
        (3, 3, True, [0.0, 1.0, 0.0])
    """

    def __init__(
        self,
        words: Sequence[str],
        vectors: NDArray[np.float32],
        *,
        counts: NDArray[np.int64] | None = None,
        subwords: "Subwords | None" = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.words = list(words)
        self.vectors = _float32(vectors)
        self.counts = None if counts is None else np.asarray(counts)
        self.subwords = subwords
        self.facts = dict(facts or {})
        self._check_words()
        self._check_shapes()

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of each word."""
        return dict(zip(self.words, range(len(self.words)), strict=True))

    @cached_property
    def lengths(self) -> NDArray[np.float64]:
        """The Euclidean length of each row."""
        return lengths_of(self.vectors)

    @cached_property
    def units(self) -> NDArray[np.float32]:
        """The rows divided by their lengths; a row of zeros stays one."""
        return units_of(self.vectors, self.lengths)

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        """The vector of a word, or one composed of its parts where the table has subwords.

        Raises `ArgumentError` with the nearest spellings when there is none.
        """
        row = self.index.get(word)
        if row is not None:
            vector: NDArray[np.float32] = self.vectors[row]
            return vector
        composed = self.subwords.compose(word) if self.subwords is not None and isinstance(word, str) else None
        if composed is None:
            raise self._unknown(word)
        return composed

    def __repr__(self) -> str:
        return f"Table of {len(self):,} words, {self.dimension} numbers each"

    @staticmethod
    def load(path: Path) -> "Table":
        """A table from a folder of ours or from a file, whose kind its ending tells.

        Raises `RunError` for a folder that is not whole or was changed, `DataError` for a file that is malformed.
        """
        from throughtime.vectors.formats import read

        return read(Path(path))

    def save(self, path: Path) -> None:
        """Writes a folder of ours, or a file of the kind that the ending tells: whole, or not at all.

        Raises `ArgumentError` when something else is there already, `StorageError` when the disk refuses.
        """
        from throughtime.vectors.formats import write

        write(self, Path(path))

    def nearest(
        self,
        queries: Sequence[str] | NDArray[np.float32],
        count: int = 10,
        *,
        measure: Measure = "cosine",
        exclude: Iterable[str] = (),
    ) -> list[list[tuple[str, float]]]:
        """The words nearest to each query, the nearest first, words that are equally near in the order of the table.

        Queries are words, or vectors, one a row. A word's own row and the words of `exclude` are left out. The number
        beside a word is the cosine, the product or the Euclidean distance; a row of zeros has the cosine 0 with all.

        >>> table = Table(["one", "two", "minus"], np.array([[1.0, 0], [2, 1], [-1, 0]], np.float32))
        >>> [word for word, _ in table.nearest(["one"])[0]]
        ['two', 'minus']
        """
        if measure not in ("cosine", "dot", "euclidean"):
            raise ArgumentError(f"measure is {measure!a:.80}; choose cosine, dot or euclidean")
        if isinstance(queries, str):
            raise ArgumentError(f"queries are a list of words, or vectors; give [{queries!a:.80}]")
        left_out = [self._row(word) for word in exclude]
        if isinstance(queries, np.ndarray):
            vectors, own = queries, [left_out] * len(queries)
        else:
            vectors = np.array([self[word] for word in queries], np.float32).reshape(-1, self.dimension)
            own = [[*left_out, *([self.index[word]] if word in self.index else [])] for word in queries]
        if measure == "euclidean":
            found = best_rows(self, Distances(self, vectors), count, own)
            return [self._named(rows, 0.0 - values) for rows, values in found]
        found = best_rows(self, Products(self, vectors, cosine=measure == "cosine"), count, own)
        return [self._named(*answer) for answer in found]

    def analogy(self, a: str, b: str, c: str, count: int = 10, *, by: By = "addition") -> list[tuple[str, float]]:
        """The words that are to c what b is to a, the best first; the three words themselves are left out.

        Formula: with vectors of length 1, the cosine of w and b − a + c by addition; by multiplication
        s(w, b) s(w, c) / (s(w, a) + 0.001) with s(x, y) = (cos(x, y) + 1) / 2.
        Source: Mikolov, Yih and Zweig (2013), section 4; Levy and Goldberg (2014), equation 7.
        """
        question = np.array([[self._row(word) for word in (a, b, c)]])
        return self._named(*best_rows(self, Analogies(self, question, by=by), count, question.tolist())[0])

    def analogies(self, questions: NDArray[np.integer[Any]], *, by: By = "addition") -> NDArray[np.int64]:
        """The best row for each question (N 3) of rows a, b, c, as `analogy` finds it; −1 where the table has no other.

        >>> square = Table(["a", "b", "c", "d"], np.array([[1, 1], [1, 2], [2, 1], [2, 2]], np.float32))
        >>> square.analogies(np.array([[0, 1, 2]])).tolist()
        [3]
        """
        asked = Analogies(self, np.asarray(questions), by=by)
        found = best_rows(self, asked, 1, asked.questions.tolist())
        return np.array([rows[0] if len(rows) else -1 for rows, _ in found], np.int64)

    def average(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The mean of the words' vectors, each brought to length 1 first."""
        if not words or isinstance(words, str):
            raise ArgumentError(f"an average needs a list of words; got {words!a:.80}")
        mean: NDArray[np.float32] = np.mean([_unit(self[word]) for word in words], 0).astype(np.float32)
        return mean

    def similarity(self, a: str, b: str) -> float:
        """The cosine of two words or phrases; a phrase that is not in the table is the average of its words."""
        return float(_unit(self._phrase(a)) @ _unit(self._phrase(b)))

    def odd_one_out(self, words: Sequence[str]) -> str:
        """The word that is least like the average of them all; the first such word of several."""
        if len(words) < 3 or isinstance(words, str):
            raise ArgumentError(f"odd one out needs three words or more; got {words!a:.80}")
        mean = _unit(self.average(words))
        return words[int(np.argmin([_unit(self[word]) @ mean for word in words]))]

    def _row(self, word: str) -> int:
        if word not in self.index:
            raise self._unknown(word)
        return self.index[word]

    def _phrase(self, text: str) -> NDArray[np.float32]:
        return self[text] if text in self.index or len(text.split()) < 2 else self.average(text.split())

    def _named(self, rows: NDArray[np.int64], scores: NDArray[np.float64]) -> list[tuple[str, float]]:
        return [(self.words[row], score) for row, score in zip(rows.tolist(), scores.tolist(), strict=True)]

    def _unknown(self, word: str) -> ArgumentError:
        close = nearest_spellings(word, self.words) if isinstance(word, str) else []
        hint = f"nearest spellings: {', '.join(close)}" if close else "no word is spelled like it"
        return ArgumentError(f"{word!a:.80} is not in the table of {len(self):,} words; {hint}")

    def _check_words(self) -> None:
        for row, word in enumerate(self.words):
            if not isinstance(word, str) or not word:
                raise ArgumentError(
                    f"word {row + 1:,} of the table is {word!a:.80}; words are text of a letter or more"
                )
        if len(self.index) < len(self.words):
            first, again = first_repeated(self.words)
            raise ArgumentError(
                f"{self.words[again]!a:.80} is in the table twice, in rows {first + 1:,} and {again + 1:,}; "
                "leave one of them out"
            )
        try:
            "\n".join(self.words).encode()
        except UnicodeEncodeError as error:
            word = next(word for word in self.words if not _encodable(word))
            raise ArgumentError(f"{word!a:.80} is not text that UTF-8 can hold ({error.reason}); mend it") from None

    def _check_shapes(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.shape[0] != len(self.words) or 0 in self.vectors.shape:
            shape = " × ".join(str(size) for size in self.vectors.shape)
            raise ArgumentError(f"the vectors are {shape}, and there are {len(self.words):,} words: one row for each")
        for start in range(0, len(self.words), ROWS_AT_ONCE):
            finite = np.isfinite(self.vectors[start : start + ROWS_AT_ONCE]).all(1)
            if not finite.all():
                row = start + int(np.argmin(finite))
                raise ArgumentError(
                    f"the vector of {self.words[row]!a:.80} (row {row + 1:,}) has numbers that are not finite; "
                    "train it again or leave it out"
                )
        if self.counts is not None and (
            self.counts.shape != (len(self.words),) or self.counts.dtype != np.int64 or (self.counts < 0).any()
        ):
            raise ArgumentError(f"the counts are {self.counts.dtype} {self.counts.shape}; give int64, one a word, ≥ 0")
        if self.subwords is not None and self.subwords.vectors.shape[1:] != self.vectors.shape[1:]:
            raise ArgumentError(
                f"the subwords' vectors have {self.subwords.vectors.shape[1:]} numbers, those of words {self.dimension}"
            )


def first_repeated(words: Iterable[str]) -> tuple[int, int]:
    """Where a word is that comes again, and where it does.

    >>> first_repeated(["a", "b", "c", "b"])
    (1, 3)
    """
    seen: dict[str, int] = {}
    for row, word in enumerate(words):
        if seen.setdefault(word, row) != row:
            return seen[word], row
    raise ValueError("no word comes twice")


def _float32(vectors: NDArray[Any]) -> NDArray[np.float32]:
    array = np.asanyarray(vectors)
    if array.dtype.kind not in "fiu":
        raise ArgumentError(f"the vectors are of type {array.dtype}; give numbers, best float32")
    with np.errstate(over="ignore"):  # what does not fit is seen as infinite afterwards
        return np.require(array, np.float32, "C")


def _encodable(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float64]:
    length = float(np.linalg.norm(vector.astype(np.float64)))
    return vector.astype(np.float64) / (length or 1.0)
