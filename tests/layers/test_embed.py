import numpy as np
import pytest
import torch
from torch import nn

from throughtime.errors import ArgumentError
from throughtime.layers.embed import PlacedEmbedding, fill_embedding


def drawn(rows, width):
    return (np.random.default_rng(0).normal(size=(rows, width)) * [0.1, 3.0, 0.0] + [5, -2, 7]).astype(np.float32)


def test_given_rows_are_exact_and_the_others_are_drawn_like_them():
    embedding, vectors, places = nn.Embedding(9000, 3), drawn(4000, 3), np.arange(0, 8000, 2)
    fill_embedding(embedding, places, vectors)
    weight = embedding.weight.detach().numpy()
    assert np.array_equal(weight[places], vectors)
    others = np.delete(weight, places, 0)
    assert others.mean(0) == pytest.approx(vectors.mean(0), abs=0.2)
    assert others.std(0) == pytest.approx(vectors.std(0), rel=0.05)
    assert len(np.unique(others[:, 0])) > 4000
    assert embedding.weight.requires_grad


def test_torch_seeds_what_is_drawn():
    weights = []
    for seed in (1, 1, 2):
        embedding = nn.Embedding(6, 3)
        torch.manual_seed(seed)
        fill_embedding(embedding, np.array([4, 1]), drawn(2, 3))
        weights.append(embedding.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("places", "vectors", "says"),
    [
        ([0, 1], np.ones((2, 4)), r"the vectors are 2 × 4, and the embedding is 3 wide; make it as wide"),
        ([0, 1], np.ones(3), r"the vectors are 3, and the embedding is 3 wide"),
        ([0], np.ones((1, 3)), r"1 of 5 rows have a vector; give 2, for the others to be like"),
        ([0, 0], np.ones((2, 3)), r"places are 2 rows in 0..4, each once; got array\(\[0, 0\]\)"),
        ([0, 5], np.ones((2, 3)), r"places are 2 rows in 0..4"),
        ([0, -1], np.ones((2, 3)), r"places are 2 rows in 0..4"),
        ([0, 1, 2], np.ones((2, 3)), r"places are 2 rows in 0..4"),
    ],
    ids=["wide", "flat", "one", "twice", "above", "below", "more"],
)
def test_what_does_not_fit_leaves_the_embedding_as_it_was(places, vectors, says):
    embedding = nn.Embedding(5, 3)
    before = embedding.weight.clone()
    with pytest.raises(ArgumentError, match=says):
        fill_embedding(embedding, np.array(places), vectors.astype(np.float32))
    assert torch.equal(embedding.weight, before)


def test_a_place_moves_a_symbol_and_learns():
    embedding = PlacedEmbedding(5, 3, places=4)
    ids = torch.tensor([[1, 1, 2, 0, 1, 3], [4, 4, 4, 4, 4, 4]])
    seen = embedding(ids)
    for row, place in ((0, 0), (0, 2), (1, 3)):
        torch.testing.assert_close(seen[row, place], embedding.weight[ids[row, place]] + embedding.places[place])
    torch.testing.assert_close(seen[1, 4:], seen[1, 3:4].expand(2, 3))  # beyond the last place
    torch.testing.assert_close(embedding(ids[:, :2]), seen[:, :2])
    seen.sum().backward()
    assert embedding.places.grad[:, 0].tolist() == [2, 2, 2, 6]
    with pytest.raises(ArgumentError, match="places must be at least 1; got 0"):
        PlacedEmbedding(5, 3, places=0)
