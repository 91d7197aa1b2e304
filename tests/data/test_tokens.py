"""Batches of sentences: each word once, every word where it stands, groups of rows that are the whole."""

import numpy as np
import pytest
import torch

from throughtime.data.lanes import UNSCORED
from throughtime.data.lexicon import Lexicon, View, WordTable
from throughtime.data.tokens import TokenBatches, words_of
from throughtime.errors import ArgumentError, DataError

SENTENCES = [["a", "cat", "a", "cat"], ["dog"], ["a", "Dog", "sat"], ["sat"], ["cats", "a"]]
VIEW = View(plain=True, casing=True, affixes=1, letters=True)


def made(rows=2):
    lexicon = Lexicon(VIEW, ["a", "cat", "dog"], [["a", "c"], ["t"]], "acdgot")
    table = WordTable(lexicon)
    sentences = [torch.from_numpy(table.rows(tokens)) for tokens in SENTENCES]
    targets = [torch.arange(len(tokens)) for tokens in SENTENCES]
    return table, TokenBatches(table, sentences, targets, rows=rows, seed=1)


def read(table, batch):
    """The sentences and targets of a batch, by what its words look like."""
    known = {(*table.features[row], int(table.counts[row])): word for word, row in table._index.items()}
    numbers = zip(batch.words.features.tolist(), batch.words.letters.lengths.tolist(), strict=True)
    words = [known[(*features, count)] for features, count in numbers]
    rows = zip(batch.places.data.tolist(), batch.places.lengths.tolist(), batch.targets.tolist(), strict=True)
    return [([words[place] for place in places[:n]], tags[:n], tags[n:]) for places, n, tags in rows]


def test_an_epoch_has_every_sentence_once_with_its_targets_and_each_word_of_a_batch_once():
    table, batches = made()
    assert batches.chunks(0) == 3
    found = []
    for position in range(3):
        batch = batches.chunk(0, position)
        assert len(batch.words.features.unique(dim=0)) == len(batch.words.features)
        for tokens, targets, past in read(table, batch):
            assert targets == list(range(len(tokens)))
            assert set(past) <= {UNSCORED}
            found.append(tokens)
    assert sorted(found) == sorted(SENTENCES)


@pytest.mark.parametrize("parts", [1, 2, 3, 9])
def test_groups_are_the_rows_with_the_words_that_they_have(parts):
    table, batches = made(rows=5)
    batch = batches.chunk(0, 0)
    groups = batch.split(parts)
    assert len(groups) == min(parts, 5)
    assert [row[:2] for group in groups for row in read(table, group)] == [row[:2] for row in read(table, batch)]
    if parts == 9:
        assert [len(group.words.features) for group in groups] == [len({*row[0]}) for row in read(table, batch)]


def test_a_batch_moves_with_all_that_it_has():
    _, batches = made()
    moved = batches.chunk(0, 0).to(torch.device("meta"))
    tensors = moved.words.features, moved.words.letters.data, moved.places.data, moved.targets
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_words_have_as_many_letters_as_the_longest_of_them():
    table, _ = made()
    words = words_of(table, np.array([0, 2]))
    assert words.letters.data.shape == (2, 3)
    assert words.letters.lengths.tolist() == [1, 3]


def test_sentences_are_needed_and_targets_fit_them():
    table, _ = made()
    with pytest.raises(DataError, match="there are no sequences to make batches of"):
        TokenBatches(table, [], [], rows=2)
    with pytest.raises(ArgumentError, match="sequence 0 has 1 steps and 2 targets, not one each"):
        TokenBatches(table, [torch.tensor([0])], [torch.tensor([0, 1])], rows=2)
