"""Vectors in the order of their sentences, batches unseen; and how much vectors tell, added up by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from throughtime import Recurrent
from throughtime.cells import GRU
from throughtime.data.neighbours import Neighbours, SentenceText
from throughtime.data.units import WordUnits
from throughtime.errors import DataError
from throughtime.heads import Softmax
from throughtime.layers import LastPool
from throughtime.models import pooled
from throughtime.models.sentence_encoder import SentenceEncoder
from throughtime.models.skip_thought import SkipThought

UNITS = WordUnits.learn("the cat sleeps dog barks now")
LINES = ["the cat sleeps now", "the dog", "barks", "now the cat barks now", "a dog"]
NEIGHBOURS = Neighbours.of(SentenceText(LINES, [0, 3]), UNITS, longest=9)


@pytest.fixture
def encoder():
    decoders, embedding = [Recurrent(GRU(3 + 4, 5)) for _ in range(2)], nn.Embedding(len(UNITS), 3)
    encoder, head = Recurrent(GRU(3, 4)), Softmax(5, len(UNITS))
    return SentenceEncoder(SkipThought(embedding, encoder, LastPool(), decoders, head, end=1, dropout=0.5), UNITS)


def test_vectors_stand_in_the_order_of_sentences_whatever_stands_beside_them(encoder, monkeypatch):
    lines = ["", *LINES, " ", "the cat"]
    together = encoder.embed(lines)
    assert together.shape == (8, 4)
    np.testing.assert_allclose(together, np.concatenate([encoder.embed([line]) for line in lines]), atol=1e-6)
    monkeypatch.setattr(pooled, "ROWS", 2)
    monkeypatch.setattr(pooled, "STEPS", 5)
    np.testing.assert_allclose(encoder.embed(lines), together, atol=1e-6)
    assert encoder.embed([]).shape == (0, 4)
    assert not together[[0, 6]].any()
    assert encoder.model.training


def test_batches_hold_no_more_than_fits_and_every_place_once(monkeypatch):
    monkeypatch.setattr(pooled, "ROWS", 3)
    monkeypatch.setattr(pooled, "STEPS", 12)
    lengths = [5, 1, 9, 2, 2, 40, 0, 3]
    found = pooled.in_batches(lengths)
    assert sorted(np.concatenate(found)) == list(range(8))
    for rows in found:
        assert len(rows) <= 3
        assert len(rows) == 1 or len(rows) * max(lengths[row] for row in rows) <= 12
    assert pooled.in_batches([]) == []


def test_a_score_is_the_sum_over_sentences_and_others_are_half_of_all_further_on(encoder):
    score = encoder.score(NEIGHBOURS)
    model, vectors = encoder.model.eval(), torch.from_numpy(encoder.embed(LINES))
    for name, own in (("nats", True), ("shuffled", False)):
        tallies = []
        for row in range(5):
            vector = vectors[row if own else (row + 2) % 5][None]
            tallies += model.told(vector, NEIGHBOURS.batch([row]))
        assert getattr(score, name).count == sum(tally.count for tally in tallies)
        assert float(getattr(score, name).total) == pytest.approx(sum(float(tally.total.detach()) for tally in tallies))
    assert score.unknown == 1
    assert score.loss == score.nats.mean
    assert score.gain == score.shuffled.mean - score.nats.mean
    facts = score.to_json()
    assert (facts["sentences"], facts["units"]) == (5, score.before.count + score.after.count)
    assert f"before {score.before.mean:.4f}, after {score.after.mean:.4f}" in score.sentence()


def test_one_sentence_has_no_other_to_be_compared_with(encoder):
    score = encoder.score(NEIGHBOURS, np.array([3]))
    assert (score.shuffled.count, score.before.count) == (0, 0)
    assert score.to_json()["shuffled_nats_per_unit"] is None
    assert score.to_json()["before_nats_per_unit"] is None
    assert "others" not in score.sentence()


def test_sentences_without_neighbours_are_no_judge(encoder):
    with pytest.raises(DataError, match="no sentence has a neighbour to judge its vector by"):
        encoder.score(Neighbours.of(SentenceText(LINES, [0, 1, 2, 3, 4]), UNITS, longest=9))


def test_line_ends_are_white_space(encoder):
    assert np.array_equal(encoder.embed(["the\ncat\n"]), encoder.embed(["the cat"]))
