"""Questions to a table, in blocks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from throughtime.vectors.table import Table

Measure = Literal["cosine", "dot", "euclidean"]
By = Literal["addition", "multiplication"]
Found = tuple[list[NDArray[np.int64]], list[NDArray[np.float64]]]
ROWS_AT_ONCE = 8192


def lengths_of(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """The Euclidean length of each row."""
    lengths = np.empty(len(vectors))
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        block = vectors[start : start + ROWS_AT_ONCE].astype(np.float64)
        lengths[start : start + ROWS_AT_ONCE] = np.sqrt(np.einsum("vd,vd->v", block, block))
    return lengths


def units_of(vectors: NDArray[np.float32], lengths: NDArray[np.float64]) -> NDArray[np.float32]:
    """The rows divided by their lengths; a row of zeros stays one."""
    units = np.empty(vectors.shape, np.float32)
    divisors = np.where(lengths > 0, lengths, 1.0)[:, None]
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        units[part] = vectors[part] / divisors[part]
    return units


def best_rows(
    table: "Table",
    vectors: NDArray[Any],
    count: int,
    *,
    measure: Measure,
    exclude: Sequence[Sequence[int]],
) -> Found:
    """For each vector the best rows and what the measure says of them."""
    rows, scores = [], []
    for vector, own in zip(vectors, exclude, strict=True):
        if measure == "euclidean":
            values = -np.sqrt(((table.vectors.astype(float) - vector) ** 2).sum(1))
        else:
            values = table.vectors.astype(float) @ vector.astype(float)
            if measure == "cosine":
                scale = table.lengths * np.linalg.norm(vector.astype(float))
                values = values / np.where(scale > 0, scale, 1)
        values[list(own)] = -np.inf
        order = np.argsort(-values, kind="stable")[: min(count, len(values) - len(set(own)))]
        rows.append(order)
        scores.append(abs(values[order]) if measure == "euclidean" else values[order])
    return rows, scores


def best_analogies(table: "Table", questions: NDArray[Any], count: int, *, by: By) -> Found:
    """For each question the best rows and their scores."""
    rows, scores = [], []
    units = table.units.astype(float)
    for question in questions:
        a, b, c = (units @ units[row] for row in question)
        if by == "addition":
            target = units[question] * np.array([[-1.0], [1], [1]])
            values = (b - a + c) / (np.linalg.norm(target.sum(0)) or 1.0)
        else:
            values = (b + 1) * (c + 1) / 4 / ((a + 1) / 2 + 0.001)
        values[question] = -np.inf
        order = np.argsort(-values, kind="stable")[: min(count, len(values) - len(set(question.tolist())))]
        rows.append(order)
        scores.append(values[order])
    return rows, scores
