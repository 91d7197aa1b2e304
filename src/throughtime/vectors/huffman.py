"""The tree of hierarchical softmax: frequent words are few turns from the root."""

import heapq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Tree(NamedTuple):
    """A way from the root to every word.

    Word w takes the turns `turns[starts[w]:starts[w + 1]]` at `nodes[starts[w]:starts[w + 1]]`; a turn is 1 or 0, what
    the node should say. V words have V - 1 nodes, of which the last is the root.
    """

    starts: NDArray[np.int64]
    nodes: NDArray[np.int32]
    turns: NDArray[np.float32]


def huffman(counts: NDArray[np.int64]) -> Tree:
    """The tree in which the mean way to a word, weighted by counts, is shortest.

    Source: Huffman (1952); Morin and Bengio (2005) for the softmax, Mikolov et al. (2013) for this tree.

    >>> tree = huffman(np.array([4, 2, 1]))
    >>> np.diff(tree.starts).tolist(), tree.nodes.tolist(), tree.turns.tolist()
    ([1, 2, 2], [1, 1, 0, 1, 0], [0.0, 1.0, 0.0, 1.0, 1.0])
    """
    vocab = len(counts)
    parents, turns = np.zeros(2 * vocab - 1, np.int64), np.zeros(2 * vocab - 1, np.float32)
    heap = [(int(count), item) for item, count in enumerate(counts)]
    heapq.heapify(heap)
    for node in range(vocab, 2 * vocab - 1):
        (light, first), (heavy, second) = heapq.heappop(heap), heapq.heappop(heap)
        parents[[first, second]], turns[first] = node, 1
        heapq.heappush(heap, (light + heavy, node))
    depths = np.zeros(2 * vocab - 1, np.int64)
    for item in range(2 * vocab - 3, -1, -1):  # a parent has a higher number than its children
        depths[item] = depths[parents[item]] + 1
    starts = np.concatenate([[0], np.cumsum(depths[:vocab])])
    nodes, says = np.zeros(starts[-1], np.int32), np.zeros(starts[-1], np.float32)
    items, places = np.arange(vocab), starts[1:] - 1
    while len(items):  # all words at once, a turn nearer to the root each time
        nodes[places], says[places] = parents[items] - vocab, turns[items]
        items, places = parents[items], places - 1
        below_root = items < 2 * vocab - 2
        items, places = items[below_root], places[below_root]
    return Tree(starts, nodes, says)
