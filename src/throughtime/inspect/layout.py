"""Word vectors as points of the plane: coordinates, clusters, neighbours, and how far each word leans to a side."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, MissingExtraError

if TYPE_CHECKING:
    from throughtime.vectors.table import Table

Method = Literal["pca", "tsne", "lle"]
METHODS = {"pca": "PCA", "tsne": "t-SNE", "lle": "Locally linear embedding"}
MOST_WORDS = 100_000
MOST_CLUSTERS = 24  # eight colours that the colour-blind tell apart, times three shapes
BLOCK = 2**24  # cosines that are held at once


class Cluster(NamedTuple):
    """A group of words that k-means found."""

    size: int
    central: list[str]  # of the tenth of its words that is nearest to its centre, the three most frequent


@dataclass(frozen=True)
class Lean:
    """How far each word leans to one side of a direction."""

    values: NDArray[np.float64]  # (n) cosines with the direction
    low: str  # a word that names the side below zero
    high: str
    pairs: int  # that the direction was made from
    explained: float  # the share of the pairs' differences that lies along it


@dataclass(frozen=True)
class Layout:
    """Words on the plane, the most frequent first, with all that a map shows of them."""

    words: list[str]
    points: NDArray[np.float64]  # (n 2), within -1 .. 1, one scale for both axes
    clusters: list[Cluster]  # the largest first
    members: NDArray[np.int64]  # (n) each word's cluster
    neighbours: NDArray[np.int64]  # (n k) the k words of largest cosine, the nearest first
    cosines: NDArray[np.float64]  # (n k) with them
    lean: Lean | None
    method: Method
    seed: int
    explained: tuple[float, float] | None  # shares of the variance that the axes of PCA hold
    vocabulary: int  # words of the table, drawn or not
    dimension: int
    notes: list[str]  # what was left out or adapted, a sentence each


def lay_out(
    table: "Table",
    rows: NDArray[np.int64],
    *,
    method: Method = "tsne",
    clusters: int = 8,
    neighbours: int = 10,
    pairs: Sequence[tuple[str, str]] | None = None,
    seed: int = 0,
) -> Layout:
    """The words of some rows of a table on the plane. The same seed gives the same layout, on any number of threads.

    All of it looks at vectors divided by their length. Rows without a length have no place and are left out, which
    the notes say.

    Raises `ArgumentError` for fewer than three words, and where the method finds no place for them;
    `MissingExtraError` without scikit-learn.

    Source: PCA: Pearson (1901); t-SNE: van der Maaten and Hinton (2008), started from PCA; locally linear embedding:
    Roweis and Saul (2000).
    """
    if method not in METHODS:
        raise ArgumentError(f"the method is one of {', '.join(METHODS)}; got {method!r}")
    if not 1 <= clusters <= MOST_CLUSTERS:
        raise ArgumentError(f"clusters must be in 1..{MOST_CLUSTERS}, as many as can be told apart; got {clusters}")
    if neighbours < 1:
        raise ArgumentError(f"neighbours must be at least 1; got {neighbours}")
    rows, units, notes = _directions(table, rows)
    different = len(np.unique(units, axis=0))
    if different < 3:
        raise ArgumentError(f"a map needs at least 3 words that differ; got {len(rows)} of which {different} differ")
    if clusters > different:
        notes.append(f"{different} clusters instead of {clusters}: no more words differ")
    words = [table.words[row] for row in rows]
    with _one_thread():
        points, explained = _place(units, method, seed)
        members, found = _cluster(units, words, min(clusters, different), seed)
        near, cosines = _neighbours(units, min(neighbours, len(rows) - 1))
        lean = None if pairs is None else _lean(table, units, pairs, notes)
    spots = len(np.unique(points.round(3), axis=0))
    if 2 * spots < different:
        notes.append(f"{len(words):,} words lie on {spots:,} spots, as {METHODS[method]} sees no more in them")
    if len(rows) - 1 < neighbours:
        notes.append(f"{len(rows) - 1} neighbours instead of {neighbours}: there are no more words")
    return Layout(
        words=words,
        points=points,
        clusters=found,
        members=members,
        neighbours=near,
        cosines=cosines,
        lean=lean,
        method=method,
        seed=seed,
        explained=explained,
        vocabulary=len(table),
        dimension=table.dimension,
        notes=notes,
    )


def _directions(table: "Table", rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32], list[str]]:
    """The rows that have a length, and their vectors divided by it."""
    if not 3 <= len(rows) <= MOST_WORDS:
        raise ArgumentError(f"a map shows 3..{MOST_WORDS:,} words; got {len(rows):,}")
    if table.dimension < 2:
        raise ArgumentError(f"a map needs vectors of at least 2 dimensions; the table has {table.dimension}")
    vectors = np.asarray(table.vectors[rows], dtype=np.float64)
    vectors /= np.maximum(np.abs(vectors).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)  # squares stay finite
    lengths = np.linalg.norm(vectors, axis=1)
    kept = lengths > 0
    notes = [] if kept.all() else [f"{np.count_nonzero(~kept):,} words have a zero vector and are left out"]
    return rows[kept], (vectors[kept] / lengths[kept, None]).astype(np.float32), notes


def _one_thread() -> AbstractContextManager[Any]:
    """A stretch of work on one thread: sums that several threads share depend on who is first."""
    try:
        import sklearn.cluster
        import sklearn.manifold  # noqa: F401 -- before the limit, which binds only the libraries that are there
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingExtraError("scikit-learn", "vectors") from None
    return cast("AbstractContextManager[Any]", threadpool_limits(1))


def _place(
    units: NDArray[np.float32], method: Method, seed: int
) -> tuple[NDArray[np.float64], tuple[float, float] | None]:
    """Points, and the shares of variance that PCA explains."""
    from sklearn.decomposition import PCA

    explained = None
    if method == "pca":
        axes = PCA(2, svd_solver="full").fit(units)
        points = axes.transform(units)
        explained = (float(axes.explained_variance_ratio_[0]), float(axes.explained_variance_ratio_[1]))
    elif method == "tsne":
        points = _tsne(units, seed)
    else:
        points = _locally_linear(units, seed)
    points = points.astype(np.float64)
    points -= (points.max(axis=0) + points.min(axis=0)) / 2
    return points / np.abs(points).max(), explained


def _tsne(units: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    from sklearn.manifold import TSNE

    perplexity = max(1.0, min(30.0, (len(units) - 1) / 3))
    placed = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=seed).fit_transform(units)
    return np.asarray(placed)


def _locally_linear(units: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    from sklearn.manifold import LocallyLinearEmbedding

    near = min(12, len(units) - 1)
    solver = "dense" if len(units) <= 1000 else "arpack"
    method = LocallyLinearEmbedding(n_neighbors=near, n_components=2, eigen_solver=solver, random_state=seed)
    try:
        points = np.asarray(method.fit_transform(units.astype(np.float64)))
    except (ValueError, RuntimeError, np.linalg.LinAlgError):
        points = np.full((1, 2), np.nan)
    if not np.isfinite(points).all() or np.ptp(points) == 0:
        raise ArgumentError(
            f"locally linear embedding does not converge for these {len(units):,} words; "
            "take --method tsne or pca, or other words"
        )
    return points


def _cluster(
    units: NDArray[np.float32], words: list[str], count: int, seed: int
) -> tuple[NDArray[np.int64], list[Cluster]]:
    """Each word's cluster by k-means, and the clusters, the largest first."""
    from sklearn.cluster import KMeans

    groups = KMeans(count, n_init=4, random_state=seed).fit(units)
    sizes = np.bincount(groups.labels_, minlength=count)
    order = np.argsort(-sizes, kind="stable")
    members = np.argsort(order)[groups.labels_]
    found = []
    for place, old in enumerate(order):
        inside = np.flatnonzero(members == place)
        order_inside = np.argsort(-(units[inside] @ groups.cluster_centers_[old]), kind="stable")
        central = np.sort(order_inside[: max(3, len(inside) // 10)])[:3]
        found.append(Cluster(len(inside), [words[i] for i in inside[central]]))
    return members, found


def _neighbours(units: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For every word the others of largest cosine, the nearest first."""
    near = np.empty((len(units), count), dtype=np.int64)
    cosines = np.empty((len(units), count))
    rows = max(1, BLOCK // len(units))
    for start in range(0, len(units), rows):
        scores = units[start : start + rows] @ units.T
        inside = np.arange(len(scores))
        scores[inside, start + inside] = -np.inf
        best = np.sort(np.argpartition(-scores, count - 1, axis=1)[:, :count], axis=1)
        values = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        near[start : start + rows] = np.take_along_axis(best, order, axis=1)
        cosines[start : start + rows] = np.clip(np.take_along_axis(values, order, axis=1), -1, 1)
    return near, cosines


def _lean(table: "Table", units: NDArray[np.float32], pairs: Sequence[tuple[str, str]], notes: list[str]) -> Lean:
    """Each word's cosine with the direction of the pairs, which points to the side of their first words."""
    from throughtime.vectors.debias import direction

    way = direction(table, pairs)
    if way.missing:
        notes.append(f"{len(way.missing)} of {len(pairs)} pairs have a word that is not in the table and are left out")
    high, low = way.used[0]
    return Lean(np.clip(units @ way.axes[0], -1, 1), low, high, len(way.used), way.explained)
