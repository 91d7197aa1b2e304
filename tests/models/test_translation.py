"""The translation model: it says what it reads, the same in any company, and its steps are its whole."""

import pytest
import torch
from torch import nn

from throughtime import layers
from throughtime.cells import GRU, LSTM
from throughtime.data.pair_batches import PairBatch, shifted
from throughtime.errors import ArgumentError
from throughtime.heads import Softmax
from throughtime.models.translation import Decoder, Encoder, Reader, TranslationModel
from throughtime.padded import Padded
from throughtime.search import Stepper, forced

SOURCES, TARGETS, END = 7, 9, 8
LINES = [[1, 2, 3, 4, 6], [5, 6], [6]], [[1, 2, 3, 0], [], [7, 7]]


def ids(lines):
    return Padded.of([torch.tensor(line, dtype=torch.int64) for line in lines])


def batch(rows=(0, 1, 2)):
    return PairBatch(*(ids([side[row] for row in rows]) for side in LINES))


def recurrent(attend=True, *, deep=1, feeding=False, **settings):
    core = layers.Stack([layers.Bidirectional(GRU(w, 4), GRU(w, 4)) for w in (3, 8)[:deep]])
    widths = (3 + 6 * feeding, 5)[:deep]
    inner = layers.Stack([layers.Recurrent(LSTM(w, 5)) for w in widths])
    look = layers.Attend([layers.General(5, 8)]) if attend else None
    decoder = layers.Attentive(inner, look, hidden=6 if attend else 5, feeding=feeding)
    encoder = Encoder(Reader(nn.Embedding(SOURCES, 3)), core, layers.Bridge(core, inner))
    return made(encoder, decoder, **settings)


def self_attentive(**settings):
    core = layers.TransformerEncoder(3, 8, layers=1, heads=2)
    decoder = layers.TransformerDecoder(3, 8, memory=8, layers=2, heads=2)
    return made(Encoder(Reader(nn.Embedding(SOURCES, 3)), core, None), decoder, **settings)


def made(encoder, decoder, **settings):
    head = Softmax(decoder.hidden, TARGETS)
    return TranslationModel(encoder, Reader(nn.Embedding(TARGETS, 3)), decoder, head, end=END, **settings).double()


MODELS = {
    "recurrent": recurrent,
    "deep, with feeding": lambda **given: recurrent(deep=2, feeding=True, **given),
    "without attention": lambda **given: recurrent(False, **given),
    "self-attention": self_attentive,
}


@pytest.mark.parametrize("name", MODELS)
def test_the_loss_is_that_of_saying_the_targets_symbol_by_symbol(name):
    model = MODELS[name]().eval()
    assert isinstance(model, Stepper)
    assert isinstance(model.decoder, Decoder)
    tally, carried = model.loss(batch())
    assert (tally.count, carried) == (sum(len(line) + 1 for line in LINES[1]), None)
    said = forced(model, batch().source, LINES[1], end=END)
    torch.testing.assert_close(tally.total, -said.data.sum())


@pytest.mark.parametrize("name", MODELS)
def test_a_pair_is_worth_the_same_alone_and_in_any_company(name):
    model = MODELS[name]().eval()
    together = model.loss(batch((2, 0, 1)))[0].total
    alone = sum(model.loss(batch((row,)))[0].total for row in range(3))
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_learns_and_the_gradient_is_that_of_the_loss(name):
    model = MODELS[name](dropout=0.1, smoothing=0.1)
    model.loss(batch())[0].total.backward()
    without = [key for key, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []
    model.eval()
    weight = model.encoder.reader.embedding.weight
    wanted = torch.autograd.grad(model.loss(batch())[0].total, weight)[0]
    moved = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            weight[2, 1] += step
            moved.append(model.loss(batch())[0].total.item())
            weight[2, 1] -= step
    assert (moved[0] - moved[1]) / 2e-6 == pytest.approx(wanted[2, 1].item(), rel=1e-4)


def test_smoothing_dropout_and_feedback_are_of_training_alone():
    torch.manual_seed(1)
    plain = recurrent()
    torch.manual_seed(1)
    model = recurrent(dropout=0.5, smoothing=0.2, feedback=0.5)
    wanted = plain.eval().loss(batch())[0].total
    torch.testing.assert_close(model.eval().loss(batch())[0].total, wanted)
    assert abs(model.train().loss(batch())[0].total.item() - wanted.item()) > 1e-3


def test_the_decoder_reads_what_it_drew_as_often_as_it_is_told():
    model = recurrent(feedback=0.25).train()
    read, _ = shifted(Padded.full(torch.full((4, 500), 3)), END)
    nn.init.zeros_(model.head.weight)
    with torch.no_grad():
        model.head.bias.fill_(-torch.inf)
        model.head.bias[5] = 0.0
    mixed = model._fed_back(read, model.decoder.begin(*model.encoder(ids([LINES[0][0]] * 4)))).data
    assert mixed[:, 0].tolist() == [END] * 4
    assert set(mixed[:, 1:].unique().tolist()) == {3, 5}
    assert (mixed[:, 1:] == 5).double().mean() == pytest.approx(0.25, abs=0.03)


def test_a_symbol_that_is_dropped_is_not_seen_and_the_others_are_the_larger_for_it():
    reader = Reader(nn.Embedding(5, 3), word_dropout=0.4).train()
    nn.init.ones_(reader.embedding.weight)
    seen = reader(Padded.full(torch.zeros(10, 400, dtype=torch.int64))).data
    assert bool((seen == seen[..., :1]).all())
    assert sorted(seen[..., 0].unique().tolist()) == [0.0, pytest.approx(1 / 0.6)]
    assert (seen == 0).double().mean() == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("name", ["recurrent", "deep, with feeding", "self-attention"])
def test_attention_has_a_row_for_each_symbol_and_the_end(name):
    model = MODELS[name]().eval()
    weights = model.attention(batch().source, batch().target)
    assert weights.shape[:2] == (3, 5)
    assert weights.shape[3] == 5
    for row, (source, target) in enumerate(zip(*LINES, strict=True)):
        torch.testing.assert_close(
            weights[row, : len(target) + 1].sum(-1), torch.ones_like(weights[row, : len(target) + 1, :, 0])
        )
        assert not weights[row, :, :, len(source) :].any()


def test_without_attention_there_are_no_weights():
    with pytest.raises(ArgumentError, match="no attention"):
        recurrent(False).attention(batch().source, batch().target)


def test_what_is_covered_past_a_source_is_whole():
    model = recurrent().eval()
    _, state = model.start(batch().source)
    covered = model.covered(state)
    torch.testing.assert_close(covered[1, 2:], torch.ones(3, dtype=covered.dtype))
    assert covered[1, :2].sum().item() == pytest.approx(1)


@pytest.mark.parametrize(("encoder", "wanted"), [(GRU, 8), (LSTM, 16)])
def test_a_bridge_has_all_of_the_encoders_state(encoder, wanted):
    core = layers.Bidirectional(encoder(3, 4), encoder(3, 4))
    bridge = layers.Bridge(core, layers.Recurrent(GRU(2, 5)))
    assert bridge.linear.in_features == wanted
    outputs, state = core(Padded.of([torch.randn(4, 3), torch.randn(2, 3)]))
    begun = bridge(outputs, state)
    alone = bridge(*core(Padded(torch.zeros(1, 1, 3), torch.tensor([1]))))
    assert begun.hidden.shape == (2, 5)
    assert not torch.allclose(begun.hidden[:1], alone.hidden)


def test_a_bridge_from_what_carries_no_state_reads_the_mean():
    core = layers.TransformerEncoder(3, 8, layers=1, heads=2)
    bridge = layers.Bridge(core, layers.Recurrent(GRU(2, 5)))
    outputs, state = core(Padded.of([torch.randn(4, 3), torch.randn(2, 3)]))
    mean = outputs.data[1, :2].mean(0)
    torch.testing.assert_close(bridge(outputs, state).hidden[1], torch.tanh(bridge.linear(mean)))


def test_places_that_are_drawn_learn_from_what_comes_of_them():
    core, inner = layers.Bidirectional(GRU(3, 4), GRU(3, 4)), layers.Recurrent(GRU(3, 5))
    encoder = Encoder(Reader(nn.Embedding(SOURCES, 3)), core, layers.Bridge(core, inner))
    decoder = layers.Attentive(inner, layers.Attend([layers.General(5, 8)], layers.Reinforced(5)), hidden=6)
    model = made(encoder, decoder)
    tally, _ = model.loss(batch())
    tally.total.backward()
    assert decoder.attend.scores[0].key.weight.grad.any()
    assert decoder.attend.where.guess.bias.grad.any()
    torch.manual_seed(4)
    value = model.loss(batch())[0].total
    torch.manual_seed(4)
    read, predicted = shifted(batch().target, END)
    outputs, _ = model.decoder(model.target(read), decoder.begin(*encoder(batch().source)))
    torch.testing.assert_close(value, model._judged(outputs, predicted).total)
