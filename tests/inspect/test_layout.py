"""Places, clusters, neighbours and leanings, against plain numpy."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from throughtime.errors import ArgumentError, MissingExtraError
from throughtime.inspect.layout import METHODS, lay_out
from throughtime.vectors.table import Table

GROUPS, EACH = 3, 20


def table_of(vectors, words=None):
    return Table(words or [f"w{i}" for i in range(len(vectors))], np.asarray(vectors, dtype=np.float32))


def rows_of(table):
    return np.arange(len(table))


@pytest.fixture(scope="module")
def blobs():
    """Three groups of words that point in three ways, mixed: the group of row i is i % 3."""
    chance = np.random.default_rng(0)
    centres = 4 * np.eye(GROUPS, 8)
    return table_of(np.tile(centres, (EACH, 1)) + 0.3 * chance.normal(size=(GROUPS * EACH, 8)))


@pytest.fixture(scope="module", params=METHODS)
def layout(request, blobs):
    return lay_out(blobs, rows_of(blobs), method=request.param, clusters=3, seed=1)


def units_of(table):
    vectors = table.vectors.astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_points_fill_a_square_with_one_scale(layout):
    assert layout.points.shape == (GROUPS * EACH, 2)
    assert np.abs(layout.points).max() == pytest.approx(1)
    np.testing.assert_allclose(layout.points.max(0) + layout.points.min(0), 0, atol=1e-9)


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_neighbours_are_the_same_in_blocks_of_any_size(blobs, layout, monkeypatch, rows):
    monkeypatch.setattr("throughtime.inspect.layout.BLOCK", rows * len(blobs))
    again = lay_out(blobs, rows_of(blobs), method="pca", clusters=1)
    np.testing.assert_array_equal(again.neighbours, layout.neighbours)


def test_neighbours_are_those_of_largest_cosine(layout, blobs):
    cosines = units_of(blobs) @ units_of(blobs).T
    np.fill_diagonal(cosines, -np.inf)
    best = np.argsort(-cosines, axis=1)[:, :10]
    np.testing.assert_array_equal(layout.neighbours, best)
    np.testing.assert_allclose(layout.cosines, np.take_along_axis(cosines, best, 1), atol=1e-6)


def test_clusters_are_the_groups(layout):
    groups = np.arange(GROUPS * EACH) % GROUPS
    assert len(set(zip(groups, layout.members, strict=True))) == GROUPS
    assert [cluster.size for cluster in layout.clusters] == [EACH] * GROUPS
    for number, cluster in enumerate(layout.clusters):
        assert len(cluster.central) == 3
        assert {layout.members[int(word[1:])] for word in cluster.central} == {number}


def test_the_same_seed_gives_the_same_map_with_any_number_of_threads(layout, blobs):
    from threadpoolctl import threadpool_limits

    with threadpool_limits(3):
        again = lay_out(blobs, rows_of(blobs), method=layout.method, clusters=3, seed=1)
    np.testing.assert_array_equal(again.points, layout.points)
    np.testing.assert_array_equal(again.members, layout.members)


def test_pca_is_the_singular_vectors_of_the_centred_units(blobs):
    layout = lay_out(blobs, rows_of(blobs), method="pca")
    centred = units_of(blobs) - units_of(blobs).mean(0)
    left, strengths, _ = np.linalg.svd(centred, full_matrices=False)
    points = left[:, :2] * strengths[:2]
    points -= (points.max(0) + points.min(0)) / 2
    np.testing.assert_allclose(np.abs(layout.points), np.abs(points) / np.abs(points).max(), atol=1e-4)
    np.testing.assert_allclose(layout.explained, strengths[:2] ** 2 / (strengths**2).sum(), rtol=1e-5)


def test_tsne_puts_groups_apart(blobs):
    points = lay_out(blobs, rows_of(blobs), method="tsne").points
    far = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(far, np.inf)
    assert (far.argmin(1) % GROUPS == np.arange(len(points)) % GROUPS).all()


def test_locally_linear_embedding_unrolls_a_curve():
    turn = np.linspace(0, 2.6, 120)
    curve = np.stack([np.cos(turn), np.sin(turn), 0.3 * np.cos(3 * turn)], 1)
    points = lay_out(table_of(curve), np.arange(120), method="lle").points
    ranks = np.argsort(np.argsort(points[:, 0]))
    assert abs(np.corrcoef(ranks, np.arange(120))[0, 1]) > 0.99


def test_central_words_are_frequent_ones_near_the_centre():
    chance = np.random.default_rng(0)
    table = table_of(np.array([1.0, 0, 0]) + 0.2 * chance.normal(size=(80, 3)))
    [cluster] = lay_out(table, np.arange(80), method="pca", clusters=1).clusters
    nearest = np.argsort(-(units_of(table) @ units_of(table).mean(0)))[:8]
    assert cluster.central == [f"w{i}" for i in sorted(nearest)[:3]]


def test_the_largest_cluster_comes_first(blobs):
    sizes = [c.size for c in lay_out(blobs, np.arange(40), method="pca", clusters=5).clusters]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == 40


@settings(max_examples=8)
@given(st.integers(-30, 30), st.integers(0, 59))
def test_only_directions_count(power, row):
    chance = np.random.default_rng(row)
    vectors = chance.normal(size=(12, 4)).astype(np.float32)
    scaled = vectors.copy()
    scaled[row % 12] *= np.float32(2.0) ** power
    one, other = (lay_out(table_of(v), np.arange(12), method="pca", clusters=2) for v in (vectors, scaled))
    np.testing.assert_array_equal(one.points, other.points)


def test_lengths_at_the_ends_of_what_floats_hold_do_not_matter(blobs):
    scales = np.where(np.arange(len(blobs)) % 2, 2.0**124, 2.0**-124)[:, None]
    same = table_of(blobs.vectors / 4 * scales)
    np.testing.assert_allclose(
        lay_out(same, rows_of(same), method="pca").points,
        lay_out(blobs, rows_of(blobs), method="pca").points,
        atol=1e-4,
    )


def test_words_without_a_direction_are_left_out_and_counted(blobs):
    vectors = blobs.vectors.copy()
    vectors[[0, 7]] = 0
    layout = lay_out(table_of(vectors), rows_of(blobs), method="pca")
    assert layout.notes == ["2 words have a zero vector and are left out"]
    assert len(layout.points) == len(layout.words) == GROUPS * EACH - 2
    assert "w7" not in layout.words
    assert layout.words[0] == "w1"


@pytest.mark.parametrize("method", METHODS)
def test_three_words_are_enough(blobs, method):
    layout = lay_out(blobs, np.arange(3), method=method, clusters=8)
    assert layout.neighbours.shape == (3, 2)
    assert np.isfinite(layout.points).all()
    assert layout.notes == [
        "3 clusters instead of 8: no more words differ",
        "2 neighbours instead of 10: there are no more words",
    ]


def test_words_on_one_spot_are_told():
    groups = np.repeat(np.eye(5), 30, axis=0) + 0.01 * np.random.default_rng(0).normal(size=(150, 5))
    layout = lay_out(table_of(groups), np.arange(150), method="lle")
    assert any("150 words lie on" in note for note in layout.notes)


@pytest.mark.parametrize(
    ("vectors", "options", "message"),
    [
        (np.eye(2, 3), {}, "a map shows 3..100,000 words; got 2"),
        (np.ones((9, 4)), {}, "at least 3 words that differ; got 9 of which 1 differ"),
        (np.vstack([np.eye(2, 4), np.zeros((5, 4))]), {}, "got 2 of which 2 differ"),
        (np.arange(1.0, 6)[:, None], {}, "at least 2 dimensions; the table has 1"),
        (np.eye(5), {"method": "umap"}, "one of pca, tsne, lle; got 'umap'"),
        (np.eye(5), {"clusters": 0}, r"clusters must be in 1..24, as many as can be told apart; got 0"),
        (np.eye(5), {"clusters": 25}, "got 25"),
        (np.eye(5), {"neighbours": 0}, "neighbours must be at least 1; got 0"),
        (np.eye(5), {"pairs": [("w0", "nowhere")]}, "none has both words in the table"),
    ],
)
def test_what_has_no_map_is_refused(vectors, options, message):
    with pytest.raises(ArgumentError, match=message) as error:
        lay_out(table_of(vectors), np.arange(len(vectors)), **{"method": "pca", **options})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("outcome", [ValueError("Error in determining null-space with ARPACK"), np.nan, 0.0])
def test_an_embedding_that_does_not_converge_is_refused(blobs, monkeypatch, outcome):
    from sklearn.manifold import LocallyLinearEmbedding

    def fit_transform(self, vectors):
        if isinstance(outcome, Exception):
            raise outcome
        return np.full((len(vectors), 2), outcome)

    monkeypatch.setattr(LocallyLinearEmbedding, "fit_transform", fit_transform)
    with pytest.raises(ArgumentError, match="does not converge for these 60 words; take --method tsne or pca"):
        lay_out(blobs, rows_of(blobs), method="lle")


def test_leanings_are_cosines_with_the_direction_of_the_pairs():
    chance = np.random.default_rng(0)
    vectors = 0.1 * chance.normal(size=(20, 6))
    vectors[:, 0] += np.where(np.arange(20) % 2, 1.0, -1.0)
    table = table_of(vectors)
    layout = lay_out(table, rows_of(table), method="pca", pairs=[("w1", "w0"), ("w3", "w2"), ("w5", "missing")])
    lean = layout.lean
    assert (lean.high, lean.low, lean.pairs) == ("w1", "w0", 2)
    assert 0.9 < lean.explained <= 1
    assert ((lean.values > 0) == (np.arange(20) % 2 == 1)).all()
    assert layout.notes == ["1 of 3 pairs have a word that is not in the table and are left out"]
    differences = np.array([units_of(table)[1] - units_of(table)[0], units_of(table)[3] - units_of(table)[2]])
    way = np.linalg.svd(differences)[2][0]
    np.testing.assert_allclose(np.abs(lean.values), np.abs(units_of(table) @ way), atol=1e-5)


def test_without_scikit_learn_the_extra_is_named(blobs, monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(MissingExtraError, match=r"throughtime\[vectors\]"):
        lay_out(blobs, rows_of(blobs), method="pca")
