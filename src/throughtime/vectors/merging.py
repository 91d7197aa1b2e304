"""How rows that learned apart, from the same beginning, become one.

Two copies that each moved a row a little have each found something: the row should move by both. Two that moved it
until it fitted have found the same: it should move by the one or the other. Which it is depends on how often a row
was moved and by what rate, and that is known beforehand: it is expected from how frequent its words are.
"""

import numpy as np
from numpy.typing import NDArray

from throughtime.kernels import word2vec as kernel

STIFFNESS = 0.1  # share of what is wrong with a row that a move at a rate of 1 puts right; chosen on WikiText-2


def expected_moves(
    words: kernel.Words, manner: kernel.Manner, counts: NDArray[np.int64], rows: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each input row and each output row is moved, for a place of the text, on average."""
    kept = counts * (words.keep / 2**32) / counts.sum()  # not of the ids, which may be one process's share of them
    per_word = manner.window + 1.0  # windows have from 1 to `window` words on both sides
    owners = np.repeat(np.arange(len(counts)), np.diff(words.row_starts))
    inputs = np.bincount(words.rows, kept[owners] * per_word, minlength=rows[0]).astype(np.float64)
    examples: NDArray[np.float64] = kept * (1.0 if manner.bag else per_word)
    if manner.objective == kernel.SOFTMAX:
        return inputs, np.full(rows[1], examples.sum())
    if manner.objective == kernel.HIERARCHICAL:
        owners = np.repeat(np.arange(len(counts)), np.diff(words.node_starts))
        return inputs, np.bincount(words.nodes, examples[owners], minlength=rows[1]).astype(np.float64)
    share = words.alias_share / 2**32
    drawn: NDArray[np.float64] = share.copy()
    np.add.at(drawn, words.alias, 1 - share)
    return inputs, examples + drawn / len(drawn) * manner.negatives * examples.sum()


def divisors(moves: NDArray[np.float64], rate: float, copies: int) -> NDArray[np.float32]:
    """What the sum of the copies' moves is divided by: 1 for a row that hardly moved, up to their number.

    Formula: 1 + (copies - 1) (1 - e^(-stiffness · rate · moves)), `moves` by one copy since they were the same.
    """
    return (1 + (copies - 1) * -np.expm1(-STIFFNESS * rate * moves)).astype(np.float32)
