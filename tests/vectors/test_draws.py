"""What word2vec draws, against the weights and the formulas that it should come to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.vectors.draws import SHARES, alias, keeping, negatives_for

weights = st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=60).map(np.array)


def implied(share, other):
    """The chance of each item: of being drawn itself, and as the alias of others."""
    chances = share / SHARES
    np.add.at(chances, other, 1 - share / SHARES)
    return chances / len(chances)


@given(weights)
def test_the_alias_table_comes_to_the_weights(weights):
    share, other = alias(weights)
    assert share.dtype == np.uint64
    assert (share <= SHARES).all()
    assert ((other >= 0) & (other < len(weights))).all()
    assert implied(share, other) == pytest.approx(weights / weights.sum(), abs=1e-9)


@pytest.mark.parametrize("size", [1, 2, 3, 1000, 70_000])
def test_large_and_even_tables(size):
    even = alias(np.ones(size))
    assert (even[0] == SHARES).all()
    steep = 1 / np.arange(1.0, size + 1)
    assert implied(*alias(steep)) == pytest.approx(steep / steep.sum(), abs=2.0**-31)


def test_the_weights_are_left_as_they_are():
    weights = np.array([5.0, 1.0, 1.0])
    alias(weights)
    assert weights.tolist() == [5, 1, 1]


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=40), st.floats(1e-9, 0.99))
def test_frequent_words_are_kept_less_often(counts, sample):
    counts = np.array(sorted(counts, reverse=True))
    kept = keeping(counts, sample)
    ratio = sample / (counts / counts.sum())
    assert kept / SHARES == pytest.approx(np.minimum(1, np.sqrt(ratio) + ratio), abs=1e-9)
    assert (np.diff(kept.astype(np.int64)) >= 0).all()
    assert (keeping(counts, 0.0) == SHARES).all()


def test_gensim_keeps_words_as_often():
    from gensim.models import Word2Vec

    words = ["a"] * 900 + ["b"] * 90 + ["c"] * 10
    peer = Word2Vec([words], min_count=1, sample=0.01, vector_size=1, epochs=1, workers=1)
    theirs = [peer.wv.get_vecattr(word, "sample_int") / 2**32 for word in "abc"]
    assert keeping(np.array([900, 90, 10]), 0.01) / SHARES == pytest.approx(theirs, abs=1e-6)


def test_how_many_negatives_suit_a_text():
    sizes = (1, 10**6 - 1, 10**6, 10**9 - 1, 10**9)
    assert [negatives_for(words) for words in sizes] == [10, 10, 5, 5, 3]
