"""Weighing against loops over a dense matrix, the decomposition against LAPACK's."""

import math
import sys

import numpy as np
import pytest

from throughtime.errors import ArgumentError, DataError, MissingExtraError
from throughtime.vectors.cooccurrence import Counts, cooccur
from throughtime.vectors.corpus import corpus_of
from throughtime.vectors.svd import reweigh, svd


@pytest.fixture(scope="module")
def counts():
    """Of 60 words that stand beside each other with very unequal chances, and one that is always alone."""
    chance = np.random.default_rng(0)
    words = [f"w{i:02}" for i in range(60)]
    texts = [[words[int(60 * x**2)] for x in chance.random(chance.integers(1, 12))] for _ in range(300)]
    return cooccur(corpus_of([*texts, ["alone"]]), window=3)


def of_matrix(matrix):
    """Counts that are these numbers."""
    matrix = np.array(matrix, dtype=float)
    rows, columns = matrix.nonzero()
    pointers = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(matrix)))])
    words = [f"w{i}" for i in range(len(matrix))]
    frequencies = matrix.sum(axis=1).astype(np.int64)
    return Counts(words, frequencies, pointers, columns.astype(np.int32), matrix[rows, columns], 5, "both", "none")


def looped(counts, weighting, shift, smoothing):
    given = counts.matrix().toarray()
    size = len(given)
    found = np.zeros((size, size))
    contexts = [sum(given[w][c] for w in range(size)) for c in range(size)]
    smoothed = [x**smoothing if x else 0.0 for x in contexts]
    for w in range(size):
        for c in range(size):
            x = given[w][c]
            if not x:
                continue
            pmi = math.log(x / (sum(given[w]) * (smoothed[c] / sum(smoothed)))) - math.log(shift)
            found[w][c] = {"raw": x, "log": math.log(1 + x), "pmi": pmi, "ppmi": max(0.0, pmi)}[weighting]
    return found


@pytest.mark.parametrize(("shift", "smoothing"), [(1.0, 1.0), (1.0, 0.75), (5.0, 0.75), (0.5, 0.0)])
@pytest.mark.parametrize("weighting", ["raw", "log", "pmi", "ppmi"])
def test_weighing_is_that_of_a_loop(counts, weighting, shift, smoothing):
    found = reweigh(counts, weighting, shift=shift, smoothing=smoothing)
    wanted = looped(counts, weighting, shift, smoothing)
    np.testing.assert_allclose(found.toarray(), wanted, rtol=1e-12, atol=1e-12)
    assert found.has_canonical_format
    if weighting == "ppmi":
        assert found.data.min() > 0
    if weighting == "pmi":
        assert found.data.min() < 0
        assert found.nnz == len(counts.values)


def test_counts_are_not_changed_by_weighing(counts):
    before = [getattr(counts, name).copy() for name in ("pointers", "columns", "values")]
    for weighting in ("raw", "log", "pmi", "ppmi"):
        matrix = reweigh(counts, weighting, shift=3)
        for array in (matrix.data, matrix.indices, matrix.indptr):
            array.fill(7)
    after = [getattr(counts, name) for name in ("pointers", "columns", "values")]
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.fixture(scope="module")
def few():
    """Of 15 words: so few that the random projection of 5 + 10 columns holds all of the matrix."""
    chance = np.random.default_rng(1)
    texts = [[f"w{int(14 * x**2):02}" for x in chance.random(6)] for _ in range(60)]
    return cooccur(corpus_of([*texts, ["alone"]]), window=3, side="right")


@pytest.mark.parametrize("eigenvalues", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weighting", ["raw", "log", "pmi", "ppmi"])
def test_vectors_are_those_of_the_exact_decomposition(few, weighting, eigenvalues):
    table = svd(few, dimension=5, weighting=weighting, eigenvalues=eigenvalues)
    left, singular, _ = np.linalg.svd(reweigh(few, weighting).toarray())
    wanted = left[:, :5] * singular[:5] ** eigenvalues
    wanted *= np.sign(wanted[np.abs(wanted).argmax(axis=0), np.arange(5)])
    np.testing.assert_allclose(table.vectors, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(table.facts["singular_values"], singular[:5], rtol=1e-9)
    assert table.words == few.words
    assert table.counts.tolist() == few.frequencies.tolist()
    assert table.facts["weighting"] == weighting
    assert table["alone"].tolist() == pytest.approx([0.0] * 5, abs=1e-9)


@pytest.mark.parametrize("weighting", ["raw", "log", "pmi", "ppmi"])
def test_a_random_projection_leaves_hardly_more_than_the_exact_one(counts, weighting):
    matrix = reweigh(counts, weighting).toarray()
    basis = svd(counts, dimension=8, weighting=weighting, eigenvalues=0).vectors.astype(float)
    rest = np.linalg.norm(matrix - basis @ (basis.T @ matrix))
    least = np.sqrt((np.linalg.svd(matrix, compute_uv=False)[8:] ** 2).sum())
    assert least - 1e-5 <= rest < 1.005 * least


def test_the_same_seed_gives_the_same_bits_from_memory_and_from_files(counts, tmp_path):
    counts.save(tmp_path / "counts")
    one = svd(counts, dimension=20, seed=3)
    assert np.array_equal(one.vectors, svd(Counts.load(tmp_path / "counts"), dimension=20, seed=3).vectors)
    other = svd(counts, dimension=20, seed=4)
    assert not np.array_equal(one.vectors, other.vectors)
    np.testing.assert_allclose(one.facts["singular_values"], other.facts["singular_values"], rtol=1e-3)


BLOCKS = [[2, 2, 0, 0, 0], [2, 2, 0, 0, 0], [0, 0, 3, 0, 0], [0, 0, 0, 5, 5], [0, 0, 0, 0, 0]]  # of rank 3


@pytest.mark.parametrize("dimension", [4, 5, 6, 10**6, 0, -1])
def test_a_dimension_above_the_rank_says_what_fits(dimension):
    counts = of_matrix(BLOCKS)
    with pytest.raises(ArgumentError, match=rf"dimension must be in 1\.\.[34], .* got {dimension}$"):
        svd(counts, dimension=dimension, weighting="raw")


def test_the_largest_dimension_that_fits_is_taken():
    counts = of_matrix(BLOCKS)
    with pytest.raises(ArgumentError, match="have only 3 singular values above zero; got 4"):
        svd(counts, dimension=4, weighting="raw")
    with pytest.raises(ArgumentError, match="have only 4 rows and columns that are not empty; got 5"):
        svd(counts, dimension=5, weighting="raw")
    table = svd(counts, dimension=3, weighting="raw", eigenvalues=1)
    wanted = np.array(BLOCKS) @ np.array(BLOCKS).T
    np.testing.assert_allclose(table.vectors @ table.vectors.T, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("texts", [[["a"], ["b"]], [["a", "b"], ["b", "a"], ["a", "a"], ["b", "b"]]])
def test_counts_that_weigh_nothing(texts):
    with pytest.raises(DataError, match="the weighed counts are all zero"):
        svd(cooccur(corpus_of(texts)), dimension=1, smoothing=1)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"weighting": "ppmmi"}, r"unknown weighting 'ppmmi'; did you mean 'ppmi'\?"),
        ({"shift": 0}, "shift, of which the logarithm is subtracted, must be above 0 and finite; got 0"),
        ({"shift": math.nan}, "shift, .* got nan"),
        ({"shift": math.inf}, "shift, .* got inf"),
        ({"smoothing": -0.1}, r"smoothing, .* must be in 0\.\.1; got -0\.1"),
        ({"smoothing": math.nan}, "smoothing, .* got nan"),
        ({"eigenvalues": math.inf}, "eigenvalues, the power of the singular values, must be finite; got inf"),
        ({"seed": -1}, r"seed must be in 0\.\.2\^32 - 1; got -1"),
        ({"seed": 2**32}, "seed must be in"),
    ],
)
def test_settings_that_do_not_fit(counts, settings, says):
    with pytest.raises(ArgumentError, match=says):
        svd(counts, dimension=2, **settings)


@pytest.mark.parametrize(("module", "package"), [("sklearn.utils.extmath", "scikit-learn"), ("scipy.sparse", "scipy")])
def test_what_is_not_installed_is_named(counts, monkeypatch, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}': pip install 'throughtime\[vectors\]'"):
        svd(counts, dimension=2)
