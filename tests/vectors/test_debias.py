import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from throughtime.errors import ArgumentError
from throughtime.vectors import debias as module
from throughtime.vectors.debias import Direction, direct_bias, direction, equalise, hard, neutralise
from throughtime.vectors.table import Table

PAIRS = [("he", "she"), ("man", "woman"), ("king", "queen"), ("son", "daughter")]
OTHERS = [f"n{i}" for i in range(30)]


@pytest.fixture(scope="module")
def table():
    """Pairs that differ along the first axis, and some besides; everything else leans a little."""
    chance = np.random.default_rng(3)
    words = [word for pair in PAIRS for word in pair] + OTHERS
    vectors = chance.normal(size=(len(words), 12))
    vectors[1:8:2] = vectors[0:8:2] + 0.1 * chance.normal(size=(4, 12))
    vectors[:8, 0] = 1.5 * np.tile([1, -1], 4)
    return Table(words, vectors.astype("f4"), counts=np.arange(len(words))[::-1].copy(), facts={"method": "made"})


def unit(table, word):
    return table[word].astype(float) / np.linalg.norm(table[word].astype(float))


@pytest.mark.parametrize("components", [1, 3])
def test_the_direction_is_the_principal_component_of_centred_pairs(table, components):
    found = direction(table, PAIRS, components)
    rows = [unit(table, w) - (unit(table, a) + unit(table, b)) / 2 for a, b in PAIRS for w in (a, b)]
    peer = PCA(components, svd_solver="full").fit(np.array(rows))
    assert abs(found.axes @ peer.components_.T) == pytest.approx(np.eye(components), abs=1e-5)
    assert found.shares[:components] == pytest.approx(peer.explained_variance_ratio_, abs=1e-6)
    assert sum(found.shares) == pytest.approx(1)
    assert found.explained == pytest.approx(peer.explained_variance_ratio_.sum(), abs=1e-6)
    assert (found.axes @ (unit(table, "he") - unit(table, "she")) > 0).all()
    assert found.axes @ found.axes.T == pytest.approx(np.eye(components))


def test_the_sign_follows_the_first_pair(table):
    swapped = direction(table, [(b, a) for a, b in PAIRS])
    assert swapped.axes == pytest.approx(-direction(table, PAIRS).axes)


def test_pairs_that_are_missing_are_told(table):
    found = direction(table, [("he", "away"), *PAIRS[1:], ("HE", "SHE")])
    assert found.missing == [("he", "away")]
    assert found.used == [*PAIRS[1:], ("HE", "SHE")]


@pytest.mark.parametrize(
    ("pairs", "components", "says"),
    [
        ([("x", "y"), ("he", "z")], 1, "of 2 pairs none has both words in the table, as x and y"),
        ([], 1, "of 0 pairs none has both words in the table"),
        (PAIRS[:2], 3, r"components must be in 1\.\.2, what 2 pairs span; got 3"),
        (PAIRS, 0, r"components must be in 1\.\.4"),
        ([("same", "again")], 1, "the words of each pair have the same vector"),
    ],
)
def test_directions_that_are_none(table, pairs, components, says):
    table = Table([*table.words, "same", "again"], np.concatenate([table.vectors, table.vectors[[9, 9]]]))
    with pytest.raises(ArgumentError, match=says):
        direction(table, pairs, components)


@given(st.integers(0, 10**6), st.integers(1, 3), st.floats(1e-4, 1e4))
def test_neutral_vectors_are_off_the_direction(seed, components, scale):
    chance = np.random.default_rng(seed)
    axes = np.linalg.qr(chance.normal(size=(6, components)))[0].T
    vectors = scale * chance.normal(size=(5, 6))
    made = neutralise(vectors, Direction(axes))
    assert made @ axes.T == pytest.approx(0, abs=1e-12)
    assert np.linalg.norm(made, axis=1) == pytest.approx(1)
    off = vectors - vectors @ axes.T @ axes
    assert made == pytest.approx(off / np.linalg.norm(off, axis=1, keepdims=True))


def test_what_lies_along_the_direction_becomes_nothing():
    axes = Direction(np.array([[0.6, 0.8, 0.0]]))
    assert (neutralise(np.array([[3.0, 4.0, 0.0], [0, 0, 0]]), axes) == 0).all()


def test_equal_words_differ_along_the_direction_only(table):
    found = direction(table, PAIRS)
    made = equalise(table, [*PAIRS, ("he", "away"), ("SON", "Daughter")], found)
    assert (made.missing, made.alike) == ([("he", "away")], 0)
    assert made.rows.tolist() == [*range(8), 6, 7]
    one, other = made.vectors[::2], made.vectors[1::2]
    axis = found.axes[0]
    assert one - one @ np.outer(axis, axis) == pytest.approx(other - other @ np.outer(axis, axis))
    assert one @ axis == pytest.approx(-(other @ axis))
    assert (one @ axis > 0).all()
    assert np.linalg.norm(made.vectors, axis=1) == pytest.approx(1)
    neutral = neutralise(table.vectors[8:], found)
    assert neutral @ one.T == pytest.approx(neutral @ other.T)  # as near to the one as to the other


def test_equalising_is_the_paper_s_formula(table):
    found = direction(table, PAIRS, 2)
    made = equalise(table, [("n1", "n2")], found)
    mean = (unit(table, "n1") + unit(table, "n2")) / 2
    onto = found.axes.T @ found.axes
    nu = mean - onto @ mean
    for word, vector in zip(("n1", "n2"), made.vectors, strict=True):
        side = onto @ unit(table, word) - onto @ mean
        assert vector == pytest.approx(nu + np.sqrt(1 - nu @ nu) * side / np.linalg.norm(side))


def test_pairs_without_a_side_stay_and_are_counted():
    table = Table(["a", "b", "c", "d"], np.array([[0, 1, 0], [0, 2, 0], [1, 1, 0], [1, 0, 1]], "f4"))
    made = equalise(table, [("a", "b"), ("c", "d")], Direction(np.eye(3)[:1]))
    assert (made.alike, made.rows.tolist()) == (2, [])  # the same vector; the same part along the direction
    made = hard(table, Direction(np.eye(3)[:1]), ["c", "d"], [("a", "b"), ("c", "d")])
    assert made.facts["debias"]["equalised_alike"] == 2
    assert np.isfinite(made.vectors).all()


@pytest.mark.parametrize("rows_at_once", [7, 65_536])
def test_hard_debiasing_keeps_only_what_it_was_told(table, monkeypatch, rows_at_once):
    monkeypatch.setattr(module, "BLOCK", rows_at_once)
    found = direction(table, PAIRS[:2])
    made = hard(table, found, ["n0", "away"], [("king", "queen"), ("he", "off")])
    assert direct_bias(made, OTHERS[1:], found) < 1e-7 < 0.05 < direct_bias(table, OTHERS[1:], found)
    for word in ("n0", "he", "she", "man", "woman"):
        assert made[word] == pytest.approx(unit(table, word), abs=1e-6)
    assert made["king"] @ found.axes[0] == pytest.approx(-(made["queen"] @ found.axes[0]))
    assert made["n5"] == pytest.approx(neutralise(table.vectors[[13]], found)[0], abs=1e-6)
    assert made.counts is table.counts
    assert made.facts == {
        "method": "made",
        "debias": {
            "method": "hard",
            "components": 1,
            "subwords_left_out": 0,
            "neutralised": 33,
            "vanished": 0,
            "specific": 5,
            "specific_missing": ["away"],
            "equalised_pairs": 1,
            "equalised_missing": [["he", "off"]],
            "equalised_alike": 0,
        },
    }
    json.dumps(made.facts)


def test_words_that_vanish_are_counted():
    table = Table(["a", "b", "c", "zero"], np.array([[1, 1], [-1, 1], [5, 0], [0, 0]], "f4"))
    made = hard(table, direction(table, [("a", "b")]), [])
    assert made.facts["debias"]["vanished"] == 1
    assert (made["c"] == 0).all()


def test_direct_bias_is_the_mean_cosine(table):
    found = direction(table, PAIRS)
    cosines = [abs(unit(table, word) @ found.axes[0]) for word in OTHERS]
    assert direct_bias(table, [*OTHERS, "away"], found) == pytest.approx(np.mean(cosines))
    assert direct_bias(table, OTHERS, found, 2.0) == pytest.approx(np.mean(np.square(cosines)))
    with pytest.raises(ArgumentError, match="none of 1 words is in the table"):
        direct_bias(table, ["away"], found)
    with pytest.raises(ArgumentError, match="strictness must be above 0; got 0"):
        direct_bias(table, OTHERS, found, 0)
