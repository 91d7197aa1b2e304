"""What makes one row better than another: the cosine, the product, the distance, the answer to an analogy."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.vectors.queries import Fill

if TYPE_CHECKING:
    from throughtime.vectors.table import Table

Measure = Literal["cosine", "dot", "euclidean"]
By = Literal["addition", "multiplication"]
EPSILON = 0.001  # of analogies by multiplication: Levy and Goldberg (2014), below equation 7
ROUNDING = 2.0**-24  # the relative error of one operation in single precision
PLAIN = (1e-15, 1e15)  # lengths whose squares and inverses are far from the ends of single precision
ROWS_AT_ONCE = 4096


class Products:
    """Queries by the product of vectors, or by their cosine."""

    def __init__(self, table: "Table", vectors: NDArray[Any], *, cosine: bool) -> None:
        self.table, self.cosine = table, cosine
        self.vectors = checked_vectors(vectors, table.dimension)
        lengths = lengths_of(self.vectors)
        self.divisors = divisors_of(lengths) if cosine else np.ones(len(lengths))
        self.targets = (self.vectors / self.divisors[:, None]).astype(np.float32)
        self.size = len(self.targets)
        ones = np.ones(len(table))
        self.row_divisors = divisors_of(table.lengths) if cosine else ones
        self.scale = _float32(1.0 / self.row_divisors)
        self.offset = _float32(0.0 * ones)
        reach = lengths / self.divisors * (1.0 if cosine else table.lengths.max())
        self.error = _error(table, reach, [lengths, table.lengths])

    def filler(self, queries: NDArray[np.int64]) -> Fill:
        """What writes the products of rows with some of the queries."""
        targets, vectors = self.targets[queries], self.table.vectors

        def fill(part: slice, scores: NDArray[np.float32]) -> None:
            np.matmul(targets, vectors[part].T, out=scores)

        return fill

    def exact(self, queries: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Products or cosines."""
        products: NDArray[np.float64] = np.einsum("qcd,qd->qc", _doubles(self.table, rows), self.vectors[queries])
        if self.cosine:
            products /= self.row_divisors[rows]
            products /= self.divisors[queries, None]
        return products

    def highest(self, queries: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value, and what rounding may have taken from it."""
        return values + self.error[queries]


class Distances:
    """Queries by Euclidean distance; what is nearer is worth more, so a value is a distance with a minus before it.

    Formula: −‖q − r‖² = 2 q r − ‖r‖² − ‖q‖², of which the last is the same for all rows.
    """

    def __init__(self, table: "Table", vectors: NDArray[Any]) -> None:
        self.table = table
        self.vectors = checked_vectors(vectors, table.dimension)
        self.targets = self.vectors.astype(np.float32)
        self.size = len(self.targets)
        self.lengths = lengths_of(self.vectors)
        self.scale = np.full(len(table), 2.0, np.float32)
        self.offset = _float32(-(table.lengths**2))
        longest = table.lengths.max()
        self.error = _error(table, longest * (2.0 * self.lengths + longest), [self.lengths, table.lengths])

    def filler(self, queries: NDArray[np.int64]) -> Fill:
        """What writes the products of rows with some of the queries."""
        targets, vectors = self.targets[queries], self.table.vectors

        def fill(part: slice, scores: NDArray[np.float32]) -> None:
            np.matmul(targets, vectors[part].T, out=scores)

        return fill

    def exact(self, queries: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Distances, with a minus."""
        between = _doubles(self.table, rows) - self.vectors[queries, None]
        distances: NDArray[np.float64] = np.sqrt(np.einsum("qcd,qcd->qc", between, between))
        return -distances

    def highest(self, queries: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """With a minus, the distance of a row whose value may be as much more as rounding may have taken from it."""
        squares = self.lengths[queries] ** 2 - values - self.error[queries]
        return -np.sqrt(np.maximum(squares, 0.0))


class Analogies:
    """Questions a : b = c : row, of rows (Q 3).

    Formula: by addition cos(w, b − a + c); by multiplication s(w, b) s(w, c) / (s(w, a) + ε), s = (cos + 1) / 2.
    Source: Mikolov, Yih and Zweig (2013), section 4; Levy and Goldberg (2014), equation 7.
    """

    def __init__(self, table: "Table", questions: NDArray[np.integer[Any]], *, by: By) -> None:
        if by not in ("addition", "multiplication"):
            raise ArgumentError(f"by is {by!a:.80}; choose addition or multiplication")
        self.table, self.by = table, by
        self.questions = _checked_questions(questions, len(table))
        self.size = len(self.questions)
        self.row_divisors = divisors_of(table.lengths)
        self.inverses = _float32(1.0 / self.row_divisors)
        self.scale, self.offset = np.ones(len(table), np.float32), np.zeros(len(table), np.float32)
        self.error = (table.dimension + 8) * ROUNDING if _is_plain(table.lengths) else np.inf

    def filler(self, queries: NDArray[np.int64]) -> Fill:
        """What writes the scores of rows for some of the questions, from the cosines of each word that is in them."""
        from throughtime.kernels.best import add_cosines, multiply_cosines

        table, inverses = self.table, self.inverses
        words, places = np.unique(self.questions[queries], return_inverse=True)
        places = places.reshape(-1, 3).astype(np.int64)
        targets = (table.vectors[words] * inverses[words, None]).astype(np.float32)

        def fill(part: slice, scores: NDArray[np.float32]) -> None:
            cosines = np.matmul(targets, table.vectors[part].T)
            cosines *= inverses[part]
            if self.by == "addition":
                add_cosines(cosines, places, scores)
            else:
                multiply_cosines(cosines, places, scores, np.float32(EPSILON))

        return fill

    def exact(self, queries: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The formula."""
        vectors, units = _doubles(self.table, rows), self._units(queries)
        lengths = self.row_divisors[rows]
        if self.by == "addition":
            target = self._targets(units)
            target /= divisors_of(lengths_of(target))[:, None]
            cosines: NDArray[np.float64] = np.einsum("qcd,qd->qc", vectors, target) / lengths
            return cosines
        a, b, c = ((1.0 + np.einsum("qcd,qd->qc", vectors, units[:, i]) / lengths) / 2.0 for i in range(3))
        scores: NDArray[np.float64] = b * c / (a + EPSILON)
        return scores

    def highest(self, queries: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value, and what rounding of three cosines may have taken from it."""
        if self.by == "addition":
            lengths = divisors_of(lengths_of(self._targets(self._units(queries))))
            return (values + 4.0 * self.error) / lengths
        return values + (values + 2.0 + self.error) * self.error / EPSILON  # as if the cosine with a were −1, the worst

    def _units(self, queries: NDArray[np.int64]) -> NDArray[np.float64]:
        """The vectors of a, b and c (Q 3 D), of length 1."""
        rows = self.questions[queries]
        units: NDArray[np.float64] = _doubles(self.table, rows) / self.row_divisors[rows][..., None]
        return units

    def _targets(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        return units[:, 1] - units[:, 0] + units[:, 2]


def _doubles(table: "Table", rows: NDArray[np.int64]) -> NDArray[np.float64]:
    vectors: NDArray[np.float64] = table.vectors[rows].astype(np.float64)
    return vectors


def lengths_of(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """The Euclidean length of each row."""
    lengths = np.empty(len(vectors))
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        block = vectors[start : start + ROWS_AT_ONCE].astype(np.float64)
        lengths[start : start + ROWS_AT_ONCE] = np.sqrt(np.einsum("vd,vd->v", block, block))
    return lengths


def divisors_of(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lengths, but 1 for rows of zeros, so that a cosine with them is 0."""
    return np.where(lengths > 0.0, lengths, 1.0)


def units_of(vectors: NDArray[np.float32], lengths: NDArray[np.float64]) -> NDArray[np.float32]:
    """The rows divided by their lengths; a row of zeros stays one."""
    units = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        units[part] = vectors[part] / divisors_of(lengths[part])[:, None]
    return units


def checked_vectors(vectors: NDArray[Any], dimension: int) -> NDArray[np.float64]:
    """Vectors (Q D) that fit a table. Raises `ArgumentError` for others."""
    if vectors.ndim != 2 or vectors.shape[1] != dimension or vectors.dtype.kind not in "fiu":
        raise ArgumentError(
            f"the queries are {vectors.dtype} of shape {vectors.shape}; give vectors of {dimension} numbers, one a row"
        )
    single = _float32(vectors)
    if not np.isfinite(single).all():
        raise ArgumentError("the queries have numbers that are not finite in single precision")
    return single.astype(np.float64)


def _checked_questions(questions: NDArray[Any], rows: int) -> NDArray[np.int64]:
    if questions.ndim != 2 or questions.shape[1] != 3 or questions.dtype.kind not in "iu":
        raise ArgumentError(
            f"the questions are {questions.dtype} of shape {questions.shape}; give three rows of the table for each"
        )
    if questions.size and not 0 <= questions.min() <= questions.max() < rows:
        raise ArgumentError(f"the questions name rows {questions.min()} to {questions.max()} of a table of {rows:,}")
    return questions.astype(np.int64)


def _error(table: "Table", reach: NDArray[np.float64], lengths: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """How far a value in single precision may be from the true one, where a product of lengths reaches so far."""
    if not all(_is_plain(part) for part in lengths):
        return np.full(len(reach), np.inf)
    return (table.dimension + 8) * ROUNDING * reach


def _is_plain(lengths: NDArray[np.float64]) -> bool:
    return bool(((lengths == 0.0) | ((lengths >= PLAIN[0]) & (lengths <= PLAIN[1]))).all())


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # lengths that are not plain: double precision settles them
        return values.astype(np.float32)
