"""Vectors of words from all that is seen of them."""

import pytest
import torch

from throughtime import Padded
from throughtime.data.tokens import Words
from throughtime.errors import ArgumentError
from throughtime.layers import words as layers
from throughtime.layers.characters import CharacterConvolution, CharacterRecurrence
from throughtime.layers.words import WordVectors


def words(count=5):
    features = torch.stack([torch.arange(count), torch.arange(count) % 3, torch.arange(count) % 2], 1)
    lengths = torch.randint(1, 9, (count,))
    return Words(features, Padded(torch.randint(9, (count, 9)), lengths))


def test_a_vector_is_its_parts_side_by_side():
    layer, some = WordVectors(5, 4, [(3, 2), (2, 1)], CharacterConvolution(9, 3, 2)), words()
    vectors = layer(some)
    assert vectors.shape == (5, layer.width) == (5, 4 + 2 + 1 + 6)
    parts = vectors.split([4, 2, 1, 6], 1)
    assert torch.equal(parts[0], layer.embedding.weight)
    assert torch.equal(parts[1], layer.features[0].weight[some.features[:, 1]])
    assert torch.equal(parts[2], layer.features[1].weight[some.features[:, 2]])
    assert torch.equal(parts[3], layer.letters(some.letters))


@pytest.mark.parametrize("word_dropout", [0.0, 0.4])
def test_at_a_place_stands_the_vector_of_its_word(word_dropout):
    layer, some = WordVectors(5, 4, [(3, 2), (2, 1)], CharacterConvolution(9, 3, 2), word_dropout=word_dropout), words()
    places = torch.tensor([[0, 3, 3], [4, 0, 0]])
    vectors = layer.eval()(some)
    torch.testing.assert_close(layer.at(some, places), vectors[places])
    layer.train()
    torch.manual_seed(1)
    found = layer.at(some, places)
    torch.testing.assert_close(found[..., 4:], vectors[places][..., 4:])
    unknown = (found[..., :4] == layer.embedding.weight[0]).all(-1)
    torch.testing.assert_close(found[..., :4][~unknown], vectors[places][..., :4][~unknown])
    assert bool((unknown & (places != 0)).any()) == (word_dropout > 0)
    found.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


def test_words_alone_are_enough_and_dropped_too():
    layer = WordVectors(5, 4, [], None, word_dropout=0.9)
    some = Words(torch.arange(5)[:, None], Padded.full(torch.zeros(5, 1, dtype=torch.long)))
    assert (layer.at(some, torch.full((9, 9), 3)) == layer.embedding.weight[0]).all(-1).float().mean() > 0.5


@pytest.mark.parametrize("kind", [CharacterConvolution, CharacterRecurrence])
def test_words_by_length_have_the_vectors_that_they_have_together(kind, monkeypatch, imitated):
    layer, some = WordVectors(30, 2, [], kind(9, 3, 2)).double(), words(30)
    some = Words(some.features[:, :1], some.letters)
    whole = layer(some)
    monkeypatch.setattr(layers, "MANY", 8)
    torch.testing.assert_close(layer(some), whole)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"vocab": 0}, "vocab and width must be at least 1; got 0 and 4"),
        ({"word_dropout": 1.0}, r"word_dropout must be in \[0, 1\); got 1.0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options, says):
    settings = {"vocab": 3, "width": 4, "features": [], "letters": None} | options
    with pytest.raises(ArgumentError, match=says):
        WordVectors(**settings)
