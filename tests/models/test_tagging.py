"""The model of tagging: its loss by hand, its best tags and their probabilities, with both heads."""

import pytest
import torch
from torch.nn import functional as F

from throughtime import Padded, Recurrent
from throughtime.cells import GRU
from throughtime.data.tokens import TokenBatch, Words
from throughtime.errors import ArgumentError
from throughtime.heads import CRF, Classes, paths
from throughtime.layers.words import WordVectors
from throughtime.models.tagging import TaggingModel

WORDS = Words(torch.arange(6)[:, None], Padded.full(torch.zeros(6, 1, dtype=torch.long)))
PLACES = Padded.of([torch.tensor([0, 3, 3, 5]), torch.tensor([2]), torch.tensor([4, 1])])
TARGETS = torch.tensor([[0, 1, 2, 1], [2, -1, -1, -1], [0, 0, -1, -1]])
HEADS = {"softmax": Classes, "crf": CRF}


def make(head, dropout=0.0):
    words = WordVectors(6, 4, [], None)
    return TaggingModel(words, Recurrent(GRU(4, 5)), HEADS[head](5, 3), dropout=dropout).double()


def by_hand(model):
    """What the head sees of each sentence, alone."""
    rows = [model.words.embedding.weight[PLACES.data[i, :n]] for i, n in enumerate(PLACES.lengths.tolist())]
    return [model.core(Padded.full(row[None]))[0].data[0] for row in rows]


def test_the_loss_of_a_softmax_is_the_cross_entropy_of_each_step():
    model = make("softmax")
    wanted = sum(
        F.cross_entropy(model.head.linear(row), TARGETS[i, : len(row)], reduction="sum")
        for i, row in enumerate(by_hand(model))
    )
    tally, state = model.loss(TokenBatch(WORDS, PLACES, TARGETS))
    assert (tally.count, state) == (7, None)
    torch.testing.assert_close(tally.total, wanted)


def test_the_loss_of_a_random_field_is_of_whole_sentences():
    model = make("crf")
    wanted = sum(
        -model.head.log_probability(Padded.full(row[None]), TARGETS[i : i + 1, : len(row)])
        for i, row in enumerate(by_hand(model))
    )
    tally, _ = model.loss(TokenBatch(WORDS, PLACES, TARGETS))
    assert tally.count == 7
    torch.testing.assert_close(tally.total, wanted[0])


def test_a_missed_tag_costs_what_recall_says_and_only_in_the_loss():
    plain, model = make("crf"), make("crf")
    model.recall, model.outside = 2.5, 1
    model.load_state_dict(plain.state_dict())
    total = 0.0
    for i, row in enumerate(by_hand(model)):
        scores = model.head.scores(row[None])
        emissions = scores.emissions.clone()
        emissions[0, :, 1] += 2.5 * (TARGETS[i, : len(row)] != 1)
        costly = scores._replace(emissions=emissions)
        total = total - paths.log_probability(costly, torch.tensor([len(row)]), TARGETS[i : i + 1, : len(row)])
    batch = TokenBatch(WORDS, PLACES, TARGETS)
    torch.testing.assert_close(model.loss(batch)[0].total, total[0])
    assert model.loss(batch)[0].mean > plain.loss(batch)[0].mean
    features = Padded.full(torch.randn(2, 4, 5, dtype=torch.float64))
    assert torch.equal(model.probabilities(features), plain.probabilities(features))
    with pytest.raises(ArgumentError, match=r"recall is for a head that decides tags together, a CRF; got 1\.0"):
        TaggingModel(WordVectors(6, 4, [], None), Recurrent(GRU(4, 5)), Classes(5, 3), recall=1.0)


@pytest.mark.parametrize("head", list(HEADS))
def test_groups_of_a_batch_add_up_to_it_in_loss_and_gradients(head):
    model, batch = make(head), TokenBatch(WORDS, PLACES, TARGETS)
    parameters = list(model.parameters())
    whole = model.loss(batch)[0]
    parts = [model.loss(group)[0] for group in batch.split(2)]
    assert sum(part.count for part in parts) == whole.count
    gradients = (torch.autograd.grad(total, parameters) for total in (whole.total, sum(p.total for p in parts)))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
        assert one.any()


@pytest.mark.parametrize("head", list(HEADS))
def test_the_best_tags_are_likely_ones_and_probabilities_sum_to_one(head):
    model = make(head).eval()
    with torch.no_grad():
        features = model.features(PLACES.replace(model.words.at(WORDS, PLACES.data)))
        shares, best = model.probabilities(features), model.best(features)
    for i, length in enumerate(PLACES.lengths.tolist()):
        assert shares[i, :length].sum(-1).allclose(torch.ones(length, dtype=torch.float64))
        if head == "softmax":
            assert torch.equal(best[i, :length], shares[i, :length].argmax(-1))
        alone = Padded.full(features.data[i : i + 1, :length])
        assert torch.equal(model.best(alone)[0], best[i, :length])
        torch.testing.assert_close(model.probabilities(alone)[0], shares[i, :length])


def test_dropout_falls_on_words_and_outputs_in_training_only():
    model = make("softmax", dropout=0.5)
    batch = TokenBatch(WORDS, PLACES, TARGETS)
    assert model.loss(batch)[0].mean != model.loss(batch)[0].mean
    model.eval()
    assert model.loss(batch)[0].mean == model.loss(batch)[0].mean


def test_a_core_that_reads_other_vectors_is_refused():
    with pytest.raises(ArgumentError, match="the core reads vectors of 3 numbers, and words have 4"):
        TaggingModel(WordVectors(6, 4, [], None), Recurrent(GRU(3, 5)), Classes(5, 3))
