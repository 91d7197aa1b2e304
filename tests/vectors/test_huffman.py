"""The tree of hierarchical softmax against all trees, the bounds of entropy, and the law that chances add up to 1."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.vectors.huffman import huffman


def codes(tree):
    """Of each word its turns, and the nodes where they are taken."""
    parts = [slice(*pair) for pair in zip(tree.starts, tree.starts[1:], strict=False)]
    return [(tuple(tree.turns[part].tolist()), tuple(tree.nodes[part].tolist())) for part in parts]


def cost(tree, counts):
    return int((np.diff(tree.starts) * counts).sum())


def least_cost(counts):
    """Of all binary trees with these leaves: any two of the items may be joined first."""

    @cache
    def best(items):
        if len(items) == 1:
            return 0
        pairs = [(i, j) for i in range(len(items)) for j in range(i + 1, len(items))]
        joined = ((items[i] + items[j], [*items[:i], *items[i + 1 : j], *items[j + 1 :]]) for i, j in pairs)
        return min(both + best(tuple(sorted([*rest, both]))) for both, rest in joined)

    return best(tuple(sorted(counts)))


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6))
def test_no_tree_is_shorter(counts):
    assert cost(huffman(np.array(counts)), counts) == least_cost(counts)


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=80), st.integers(0, 99))
def test_it_is_a_prefix_code_and_the_chances_of_words_add_up_to_one(counts, seed):
    tree = huffman(np.array(counts))
    ways = codes(tree)
    assert len(ways) == len(counts)
    assert all(a == b or a != b[: len(a)] for a, _ in ways for b, _ in ways)
    assert len({turns for turns, _ in ways}) == len(counts)
    assert set(tree.nodes.tolist()) == set(range(len(counts) - 1))
    assert all(nodes[0] == len(counts) - 2 for _, nodes in ways)  # the root
    scores = np.random.default_rng(seed).normal(0, 3, len(counts))
    says_one = 1 / (1 + np.exp(-scores))
    chances = [
        np.prod([says_one[node] if turn else 1 - says_one[node] for turn, node in zip(turns, nodes, strict=True)])
        for turns, nodes in ways
    ]
    assert sum(chances) == pytest.approx(1)


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=300))
def test_it_is_within_a_turn_of_the_entropy(counts):
    shares = np.array(counts) / sum(counts)
    entropy = -(shares * np.log2(shares)).sum()
    mean = cost(huffman(np.array(counts)), np.array(counts)) / sum(counts)
    assert entropy - 1e-9 <= mean < entropy + 1


def test_nodes_below_one_another_are_the_same_for_all_words_below_them():
    ways = codes(huffman(np.arange(1, 200)[::-1]))
    above = {}
    for turns, nodes in ways:
        for depth, node in enumerate(nodes):
            assert above.setdefault(node, (turns[:depth], nodes[:depth])) == (turns[:depth], nodes[:depth])


def test_a_steep_vocabulary_has_a_deep_tree():
    counts = np.array([2**n for n in range(40)][::-1])
    assert np.diff(huffman(counts).starts).tolist() == [*range(1, 40), 39]
