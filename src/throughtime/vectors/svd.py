"""Vectors out of counts: a measure of association for each pair, and the leading singular vectors of them all."""

import math
from typing import Any, Literal, get_args

import numpy as np

from throughtime.errors import ArgumentError, DataError, MissingExtraError, nearest
from throughtime.vectors.cooccurrence import Counts
from throughtime.vectors.table import Table

Weighting = Literal["raw", "log", "pmi", "ppmi"]

OVERSAMPLES = 10  # columns more than are asked for, Halko et al. (2011), section 4.2
ITERATIONS = 7  # multiplications by the matrix and its transpose, between which the columns are made orthonormal


def reweigh(counts: Counts, weighting: Weighting = "ppmi", *, shift: float = 1.0, smoothing: float = 0.75) -> Any:
    """The counts weighed anew, as a `scipy.sparse.csr_array` (V V) that holds only pairs that were counted.

    Formula:
        raw     x(w, c)
        log     log(1 + x(w, c))
        pmi     log x(w, c) / (x(w) p(c)) - log shift,  p(c) = x(c)^smoothing / Σ x(c')^smoothing
        ppmi    the same, and 0 where that is below 0

    x(w) and x(c) are the sums of the row and of the column. Pairs that were never counted would have a pmi of minus
    infinity; they are left out, which takes them as 0.

    Raises `ArgumentError` for settings that do not fit.

    Source: Church and Hanks (1990) for pmi; Levy and Goldberg (2014) for the shift by log k, k the number of negative
    samples of the word2vec that it stands for; Levy, Goldberg and Dagan (2015) for the smoothing with 0.75.

    Example:
        >>> from throughtime.vectors.cooccurrence import cooccur
        >>> from throughtime.vectors.corpus import corpus_of
        >>> counts = cooccur(corpus_of([["a", "b"], ["a", "b"], ["c", "d"]]), window=1)
        >>> reweigh(counts, "pmi", smoothing=1).toarray()[0].round(3).tolist()  # log 6 · 2 / (2 · 2)
        [0.0, 1.099, 0.0, 0.0]
    """
    _check(weighting, shift, smoothing)
    matrix = counts.matrix()
    if weighting in ("raw", "log"):
        values = np.log1p(matrix.data) if weighting == "log" else np.array(matrix.data)
    else:
        rows, columns = matrix.sum(axis=1), matrix.sum(axis=0)
        smoothed = np.zeros_like(columns)
        np.power(columns, smoothing, where=columns > 0, out=smoothed)
        with np.errstate(divide="ignore"):  # a word that stood beside none has no pair either
            of_rows, of_columns = np.log(rows), np.log(smoothed / max(smoothed.sum(), np.finfo(float).tiny))
        values = np.log(matrix.data) - of_columns[matrix.indices] - math.log(shift)
        values -= np.repeat(of_rows, np.diff(matrix.indptr))
    result = type(matrix)((values, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape, copy=False)
    if weighting == "ppmi":
        np.maximum(result.data, 0, out=result.data)
        result.eliminate_zeros()
    return result


def svd(
    counts: Counts,
    *,
    dimension: int = 100,
    weighting: Weighting = "ppmi",
    shift: float = 1.0,
    smoothing: float = 0.75,
    eigenvalues: float = 0.5,
    seed: int = 0,
) -> Table:
    """A table of the leading left singular vectors of the weighed counts, times their singular values to a power.

    Formula: W = U Σ^eigenvalues of M ≈ U Σ Vᵀ, M as `reweigh` gives it. The sign of each column is the one with which
    its number of the largest size is above 0.

    Raises `ArgumentError` when the matrix has fewer than `dimension` singular values above zero.

    Source: Halko et al. (2011), algorithm 4.4, as scikit-learn has it, for the decomposition; Levy, Goldberg and Dagan
    (2015) for the power: 1 is the plain SVD, 0.5 and 0 did better.
    """
    randomized_svd = _randomized_svd()
    if not 0 <= seed < 2**32:
        raise ArgumentError(f"seed must be in 0..2^32 - 1; got {seed}")
    if not math.isfinite(eigenvalues):
        raise ArgumentError(f"eigenvalues, the power of the singular values, must be finite; got {eigenvalues}")
    matrix = reweigh(counts, weighting, shift=shift, smoothing=smoothing)
    used = min(int(np.count_nonzero(np.diff(part.indptr))) for part in (matrix, matrix.tocsc()))
    if not 1 <= dimension <= used:
        raise _too_large(dimension, used, "rows and columns that are not empty")
    left, singular, _ = randomized_svd(
        matrix,
        n_components=dimension,
        n_oversamples=OVERSAMPLES,
        n_iter=ITERATIONS,
        power_iteration_normalizer="QR",
        flip_sign=False,
        random_state=seed,
    )
    rank = int(np.count_nonzero(singular > singular[0] * len(counts.words) * np.finfo(float).eps))
    if rank < dimension:
        raise _too_large(dimension, rank, "singular values above zero")
    left *= np.where(left[np.abs(left).argmax(axis=0), np.arange(dimension)] < 0, -1.0, 1.0)
    settings = {
        "dimension": dimension,
        "weighting": weighting,
        "shift": shift,
        "smoothing": smoothing,
        "eigenvalues": eigenvalues,
        "seed": seed,
    }
    found = {"nonzeros": int(matrix.nnz), "singular_values": singular.tolist()}
    vectors = (left * singular**eigenvalues).astype(np.float32)
    facts = {"method": "svd", **settings, **found, "counts": _facts(counts)}
    return Table(counts.words, vectors, counts=np.array(counts.frequencies), facts=facts)


def _facts(counts: Counts) -> dict[str, Any]:
    return {
        "window": counts.window,
        "side": counts.side,
        "weighting": counts.weighting,
        "nonzeros": len(counts.values),
        "words": int(counts.frequencies.sum()),
    }


def _check(weighting: str, shift: float, smoothing: float) -> None:
    if weighting not in get_args(Weighting):
        raise ArgumentError(f"unknown weighting {weighting!r}; {nearest(weighting, get_args(Weighting))}")
    if not 0 < shift < math.inf:
        raise ArgumentError(f"shift, of which the logarithm is subtracted, must be above 0 and finite; got {shift}")
    if not 0 <= smoothing <= 1:
        raise ArgumentError(f"smoothing, a power of the contexts' frequencies, must be in 0..1; got {smoothing}")


def _too_large(dimension: int, largest: int, what: str) -> ArgumentError | DataError:
    if not largest:
        return DataError("the weighed counts are all zero, so they have no vectors; count a longer text")
    return ArgumentError(
        f"dimension must be in 1..{largest}, for the weighed counts have only {largest} {what}; got {dimension}"
    )


def _randomized_svd() -> Any:
    try:
        from sklearn.utils.extmath import randomized_svd
    except ImportError:
        raise MissingExtraError("scikit-learn", "vectors") from None
    return randomized_svd
