"""Soft debiasing: one linear map that keeps a table's inner products and takes neutral words off a direction.

Source: Bolukbasi et al. (2016), section 6 and its appendix; solved here in D x D numbers, whatever the vocabulary.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, MissingExtraError
from throughtime.vectors.debias import Direction, Matrix, blocks, units
from throughtime.vectors.lookup import Lookup
from throughtime.vectors.table import Table

Told = dict[str, float | int | bool]

NEGLIGIBLE = 1e-10  # share of the largest variance below which a direction of the table is rounding
ROUNDS = 2000
TOLERANCE = 1e-12


def soft(
    table: Table,
    direction: Direction,
    neutral: Sequence[str],
    strength: float = 0.2,
    *,
    lower: bool | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Table:
    """A table of unit vectors, mapped so that inner products stay and neutral words leave the direction.

    Of all maps that are as good, and differ by a rotation only, it takes the symmetric one, which moves vectors least.
    The objective before and after, and its parts, are in the table's facts, under "debias". Its first term is a sum
    over all pairs of words: the more words, the more strength it takes to change much, about 1,000 for 20,000 words.

    Formula: argmin_T ||(T W)^T (T W) - W^T W||² + strength ||(T N)^T (T B)||²; W (D V) all words, N the neutral ones,
    B (D K) the axes; every word then becomes T w / ||T w||

    Raises `ArgumentError` when no neutral word is in the table, or for a strength that is negative;
    `MissingExtraError` without scipy.
    """
    if not 0 <= strength < np.inf:
        raise ArgumentError(f"strength must be at least 0; got {strength}")
    rows, missing = Lookup.of(table, lower=lower).split(neutral)
    if len(rows) == 0:
        raise ArgumentError(f"none of {len(missing)} neutral words is in the table; give words of the table")
    whole, part = gram(table), gram(table, rows)
    map_, told = solve(whole, part, direction.axes.T @ direction.axes, strength, tell=tell)
    vectors = np.empty(table.vectors.shape, dtype=np.float32)
    for place, block in blocks(table):
        vectors[place] = units(block @ map_.T)
    done = {"method": "soft", "components": len(direction.axes), "strength": strength}
    done |= {"neutral": len(rows), "neutral_missing": missing, **told}
    done |= {"subwords_left_out": 0 if table.subwords is None else len(table.subwords.vectors)}
    return Table(table.words, vectors, counts=table.counts, facts={**table.facts, "debias": done})


def gram(table: Table, rows: NDArray[np.int64] | None = None) -> Matrix:
    """(D D) the sum of w w^T over the unit vectors of a table, or of some of its rows."""
    chosen = np.zeros(len(table.words), dtype=bool)
    chosen[rows if rows is not None else slice(None)] = True
    total = np.zeros((table.vectors.shape[1],) * 2)
    for part, block in blocks(table):
        some = block[chosen[part]]
        total += some.T @ some
    return total


def solve(
    whole: Matrix,
    neutral: Matrix,
    bias: Matrix,
    strength: float,
    *,
    tell: Callable[[int, int], None] | None = None,
) -> tuple[Matrix, Told]:
    """The map T (D D), and the objective before and after; from W W^T, N N^T and B B^T.

    With W W^T = U S² U^T and T = R S^-1 in the coordinates of U, the objective is ||R^T R - S²||² + strength
    tr(A Q A P), where A = R^T R, and P and Q are N N^T and B B^T divided by S on both sides. It is far better
    conditioned in R than in T. Directions in which no word lies stay as they are.
    """
    variances, basis = np.linalg.eigh(whole)
    present = variances > NEGLIGIBLE * variances[-1]
    spread, basis = np.sqrt(variances[present]), basis[:, present]
    scaled = basis / spread
    root, told = _search(spread, scaled.T @ neutral @ scaled, scaled.T @ bias @ scaled, strength, tell)
    outside = np.eye(len(basis)) - basis @ basis.T
    return basis @ _root((root / spread).T @ (root / spread)) @ basis.T + outside, told


def _search(
    spread: NDArray[np.float64],
    neutral: Matrix,
    bias: Matrix,
    strength: float,
    tell: Callable[[int, int], None] | None,
) -> tuple[Matrix, Told]:
    """The best R, by L-BFGS from R = S, which is T = 1."""
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise MissingExtraError("scipy", "vectors") from None
    start, rounds = np.diag(spread), 0
    before, _ = objective(start, spread, neutral, bias, strength)
    scale = before or 1.0  # so that the search starts at 1 and its tolerance is a share

    def function(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = objective(flat.reshape(start.shape), spread, neutral, bias, strength)
        return value / scale, slope.reshape(-1) / scale

    def count(_: NDArray[np.float64]) -> None:
        nonlocal rounds
        rounds += 1
        if tell is not None:
            tell(rounds, ROUNDS)

    limits = {"maxiter": ROUNDS, "maxfun": 2 * ROUNDS, "ftol": TOLERANCE, "gtol": TOLERANCE}
    found = minimize(function, start.reshape(-1), jac=True, method="L-BFGS-B", callback=count, options=limits)
    root = found.x.reshape(start.shape)
    return root, {
        "objective_before": before,
        "objective_after": objective(root, spread, neutral, bias, strength)[0],
        "change_of_products": objective(root, spread, neutral, bias, 0.0)[0],
        "rounds": rounds,
        "settled": bool(found.success),
    }


def objective(
    root: Matrix, spread: NDArray[np.float64], neutral: Matrix, bias: Matrix, strength: float
) -> tuple[float, Matrix]:
    """||R^T R - S²||² + strength tr(A Q A P) with A = R^T R, and its gradient in R."""
    square = root.T @ root
    change = square - np.diag(spread**2)
    crossed = bias @ square @ neutral  # Q A P
    value = float((change**2).sum() + strength * np.einsum("ij,ji->", square, crossed))
    return value, root @ (4 * change + 2 * strength * (crossed + crossed.T))


def _root(square: Matrix) -> Matrix:
    """The symmetric root of a symmetric matrix without negative eigenvalues."""
    values, basis = np.linalg.eigh(square)
    root: Matrix = (basis * np.sqrt(np.maximum(values, 0.0))) @ basis.T
    return root
