"""What word2vec draws: words to keep, and words that are wrong."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

SHARES = 2**32  # shares are counted out of so many
FEW, MANY = 10**6, 10**9  # words of a small and of a large text


def keeping(counts: NDArray[np.int64], sample: float) -> NDArray[np.uint64]:
    """How often each word is kept, out of 2^32, so that frequent ones do not drown the rest.

    Formula: min(1, √(s/f) + s/f), f the word's share of the text, s = `sample`; 0 keeps all.
    Source: Mikolov et al. (2013) give 1 - √(s/f) for leaving out; this is the form that their program has.

    >>> keeping(np.array([90, 10]), 0.1) / 2**32
    array([0.44444444, 1.        ])
    """
    if not sample:
        return np.full(len(counts), SHARES, np.uint64)
    ratio = sample * counts.sum() / counts
    shares: NDArray[np.float64] = np.minimum(1, np.sqrt(ratio) + ratio) * SHARES
    return shares.astype(np.uint64)


def negatives_for(words: int) -> int:
    """How many negatives suit a text of so many words: 10 for a small one, 5, and 3 for a very large one.

    Source: Mikolov et al. (2013), section 2.2: 5 to 20 for small, 2 to 5 for large ones.
    """
    return 10 if words < FEW else 5 if words < MANY else 3


def alias(weights: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Shares and aliases: a column drawn evenly is itself with its share out of 2^32, and else its alias.

    Source: Walker (1977), by the method of Vose (1991): drawn so, item i comes up as often as its weight says.

    >>> share, other = alias(np.array([3.0, 1.0]))
    >>> (share / 2**32).tolist(), other.tolist()
    ([1.0, 0.5], [0, 0])
    """
    scaled = np.asarray(weights, np.float64) * (len(weights) / weights.sum())
    other = np.arange(len(weights), dtype=np.int32)
    _pair(scaled, other, np.zeros(len(weights), np.int32))
    return (np.clip(scaled, 0, 1) * SHARES).astype(np.uint64), other


@njit(nogil=True, error_model="numpy", cache=True)
def _pair(scaled: NDArray[np.float64], other: NDArray[np.int32], stack: NDArray[np.int32]) -> None:
    """Gives what a column lacks of 1 from one that has more; small columns are stacked from the front, large from the
    back.
    """
    small, large = 0, len(scaled)
    for i in range(len(scaled)):
        if scaled[i] < 1:
            stack[small] = i
            small += 1
        else:
            large -= 1
            stack[large] = i
    while small > 0 and large < len(scaled):
        small -= 1
        little, big = stack[small], stack[large]
        other[little] = big
        scaled[big] -= 1 - scaled[little]
        if scaled[big] < 1:
            large += 1
            stack[small] = big
            small += 1
    while small > 0:  # what rounding left a little under 1
        small -= 1
        scaled[stack[small]] = 1
