import math

import numpy as np
import pytest
import torch

from throughtime import Padded
from throughtime.cells import GRU
from throughtime.data.masking import MaskedBatch, MaskedPieces, masked_reading
from throughtime.data.units import learn_units
from throughtime.errors import DataError
from throughtime.layers import Bidirectional, TransformerEncoder
from throughtime.models.masked import Filler, MaskedModel, MaskedScores
from throughtime.train import descend, make_optimiser

TEXT = "the cat sees the dog. the dog sees the cat. " * 9
MODELS = {
    "self-attention": lambda: MaskedModel(9, TransformerEncoder(4, 8, 1, 2), dropout=0.2),
    "recurrent": lambda: MaskedModel(9, Bidirectional(GRU(4, 4), GRU(4, 4))),
    "tied": lambda: MaskedModel(9, TransformerEncoder(8, 8, 1, 2), tied=True),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_loss_is_minus_the_log_probability_of_what_is_hidden(name):
    model = MODELS[name]().double().eval()
    ids = torch.tensor([[1, 9, 3, 9, 4], [2, 9, 5, 0, 0]])
    targets = torch.tensor([[-1, 2, -1, 7, 4], [-1, 8, -1, -1, -1]])
    batch = MaskedBatch(Padded(ids, torch.tensor([5, 3])), targets)
    tally, state = model.loss(batch)
    logs = model.head.log_probabilities(model.features(batch.inputs)).detach()
    assert (tally.count, state) == (4, None)
    wanted = -sum(float(logs[b, t, targets[b, t]]) for b, t in ((0, 1), (0, 3), (0, 4), (1, 1)))
    assert float(tally.total.detach()) == pytest.approx(wanted)
    assert model.best(batch).tolist() == logs[targets >= 0][:, :9].argmax(-1).tolist()


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_learns(name):
    model = MODELS[name]()
    batch = MaskedPieces(np.arange(90, dtype=np.int32) % 9, 9, rows=9, steps=10).chunk(0, 0)
    torch.autograd.backward(model.loss(batch)[0].total)
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


def test_a_score_is_of_what_is_hidden_and_does_not_change():
    units = learn_units("character", TEXT)
    filler = Filler(MaskedModel(len(units), TransformerEncoder(4, 8, 1, 2)).train(), units, steps=16)
    score, ids = filler.score(TEXT), units.encode(TEXT)
    assert score == filler.score_ids(ids)
    assert filler.model.training
    batches = list(masked_reading(ids, len(units), steps=16))
    assert score.units == sum(int((batch.targets >= 0).sum()) for batch in batches)
    filler.model.eval()
    with torch.no_grad():
        wanted = sum(float(filler.model.loss(batch)[0].total) for batch in batches)
    assert score.nats == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(DataError, match="the text has no units to score; give a longer one"):
        filler.score("")


def test_holes_far_apart_are_filled_in_from_as_much_text_as_a_score_looks_at(monkeypatch):
    units, steps = learn_units("character", TEXT), 16
    filler, seen = Filler(MaskedModel(len(units), TransformerEncoder(4, 8, 1, 2)), units, steps=steps), []
    features = filler.model.features
    monkeypatch.setattr(filler.model, "features", lambda inputs: (seen.append(inputs.data.shape), features(inputs))[1])
    places = [0, 3, 4, 70, 200, len(TEXT) - 1]
    given = [None if place in places else letter for place, letter in enumerate(TEXT)]
    filled = filler.fill(given)
    assert seen == [(4, steps)], "the first three stand at the begin of the same piece"
    assert [letter for place, letter in enumerate(filled) if place not in places] == [x for x in given if x]
    for place in places:
        begin = max(0, min(place - steps // 2, len(TEXT) - steps))
        assert filler.fill(given[begin : begin + steps])[place - begin] == filled[place]
    many = filler.fill([None, "the cat "] * 70)
    assert (len(many), max(rows for rows, _ in seen), {steps for _, steps in seen}) == (140, 64, {steps})


def test_scores_say_what_their_names_do():
    score = MaskedScores(nats=8 * math.log(2), units=4, right=3)
    assert (score.bits_per_unit, score.accuracy, score.perplexity) == pytest.approx((2.0, 0.75, 4.0))
    assert score.loss == score.nats_per_unit == score.to_json()["nats_per_unit"]
    assert MaskedScores(nats=1e9, units=1, right=0).to_json()["perplexity"] is None


@pytest.mark.parametrize("kind", ["character", "word"])
def test_it_learns_to_fill_in_what_follows_from_its_neighbours(kind):
    text = "a b c d e f g h " * 60
    units = learn_units(kind, text)
    model = MaskedModel(len(units), Bidirectional(GRU(8, 16), GRU(8, 16)))
    pieces = MaskedPieces(units.encode(text), len(units), rows=16, steps=16)
    optimiser = make_optimiser("adamw", model, learning_rate=0.01, weight_decay=0.0, momentum=0.0)
    updates = descend(model, optimiser, pieces, learning_rate=lambda step: 0.01)
    for _ in range(100):
        next(updates)
    filler = Filler(model, units, steps=16)
    assert filler.score(text).accuracy > 0.8
    given = ["a ", "b ", None, " ", "d ", "e"] if kind == "character" else ["a", "b", None, "d", "e"]
    assert filler.fill(given)[2] == "c"
    assert filler.fill(["a ", "b"]) == ["a ", "b"]
    with torch.no_grad():
        model.head.bias[units.unknown] = 100
    assert filler.fill(given)[2] == "c"
    shown = filler.show(units.encode(text), most=1)
    assert "[" in shown
    assert "\n" not in shown
