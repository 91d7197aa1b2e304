import math
import sys

import pytest
import torch

from throughtime.cells import GRU, LSTM, PhasedLSTM, Zoneout
from throughtime.data.units import Kind, learn_units
from throughtime.errors import ArgumentError, DataError
from throughtime.layers import CausalTransformer, Recurrent, Stack, Window
from throughtime.models import LanguageModel, Scores, Writer

TEXT = "the cat sees\nthe dog sees the cat\na bird\n" * 3
KINDS: list[Kind] = ["character", "word", "subword", "byte"]


def writer(kind: Kind = "character", cell: type = GRU, dropout: float = 0.0) -> Writer:
    units = learn_units(kind, TEXT, maximum_vocab=270 if kind == "subword" else None)
    torch.manual_seed(0)
    model = LanguageModel(len(units), Recurrent(cell(6, 12)), dropout=dropout).double()
    model.head.weight.data *= 6  # so that what was read before matters
    return Writer(model, units)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_text_and_another_another(kind):
    maker = writer(kind)
    first = maker.generate("the", length=60, seed=1)
    assert maker.generate("the", length=60, seed=1) == first
    assert maker.generate("the", length=60, seed=2) != first
    assert maker.generate("a", length=60, seed=1) != first


@pytest.mark.parametrize("kind", KINDS)
def test_the_stream_joined_is_the_text(kind):
    maker = writer(kind)
    options = {"length": 40, "temperature": 1.5, "top_k": 9, "top_p": 0.9, "seed": 7}
    assert "".join(maker.stream("the cat", **options)) == maker.generate("the cat", **options)


def test_a_text_has_the_length_that_was_asked_for_and_goes_on_without_a_prompt():
    assert [len(writer().generate(length=length, seed=0)) for length in (0, 1, 25)] == [0, 1, 25]


def test_temperature_zero_is_the_likeliest_text_by_hand():
    maker = writer()
    ids = [maker.units.start, *maker.units.encode("the ").tolist()]
    made = []
    with torch.no_grad():
        for _ in range(12):
            scores = maker.model.start(torch.tensor([ids + made]))[0][0]
            made.append(int(scores[1:].argmax()) + 1)  # never the unknown
    assert maker.generate("the ", length=12, temperature=0.0) == "".join(maker.units.pieces(made))


def test_a_character_that_is_lacking_is_never_made():
    maker = writer()
    maker.model.head.bias.data[0] = 20.0
    assert "\ufffd" not in maker.generate(length=200, seed=0)


def test_it_stops_at_the_end_of_a_line_when_asked():
    maker = writer("word")
    maker.model.head.bias.data[1] = 1.0
    whole = maker.generate(length=80, seed=3)
    assert whole.count("\n") > 1
    assert maker.generate(length=80, seed=3, stop=True) == whole[: whole.index("\n") + 1]


def test_units_without_an_end_do_not_stop():
    assert len(writer().generate(length=80, seed=3, stop=True)) == 80


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_is_the_sum_of_log_probabilities_by_hand(kind):
    maker, text = writer(kind), "the dog sees\na zebra é"
    ids = maker.units.encode(text).tolist()
    nats = 0.0
    with torch.no_grad():
        scores, state = maker.model.start(torch.tensor([[maker.units.start]]))
        for i in ids:
            nats -= float(scores[0, i])
            scores, state = maker.model.step(torch.tensor([i]), state)
    got = maker.score(text)
    assert got.nats == pytest.approx(nats)
    assert (got.units, got.bytes) == (len(ids), len(text.encode()))
    assert got.unknown == maker.unknown(text) == {"character": 2, "word": 2}.get(kind, 0)  # z, é; zebra, é


@pytest.mark.parametrize(
    ("core", "tolerance"),
    [
        (lambda: Window(6, 12, window=4), 1e-9),
        (lambda: Window(6, 12, window=400), 1e-9),
        (lambda: CausalTransformer(6, 8, 2, 2, context=20), 1e-9),
        (lambda: CausalTransformer(6, 8, 1, 2, context=300, positions="learnt"), 1e-9),
        (lambda: Stack([Recurrent(Zoneout(PhasedLSTM(6, 12))), Recurrent(LSTM(12, 12))]), 1e-5),
    ],
    ids=["window", "long-window", "attention", "long-attention-that-counts", "counts-time"],
)
def test_a_long_text_in_many_lanes_scores_as_in_one(core, tolerance):
    units = learn_units("character", TEXT)
    maker = Writer(LanguageModel(len(units), core()).double().eval(), units)
    text = TEXT * (6000 // len(TEXT))
    with torch.no_grad():
        ids = torch.tensor([[units.start, *units.encode(text).tolist()]])
        scores = maker.model.head.log_probabilities(maker.model.features(ids[:, :-1])[0])
    assert len(text) > 2 * 2048
    assert maker.score(text).nats == pytest.approx(-float(scores.gather(2, ids[:, 1:, None]).sum()), rel=tolerance)


def test_bytes_that_are_no_utf8_are_scored_as_bytes():
    raw = b"a\xff\xfeb".decode(errors="surrogateescape")
    assert (writer("byte").score(raw).units, writer("byte").score(raw).bytes) == (4, 4)


def test_scores_are_in_the_units_that_their_names_say():
    scores = Scores(nats=10 * math.log(2), units=5, bytes=20, unknown=1)
    assert scores.nats_per_unit == scores.loss == pytest.approx(2 * math.log(2))
    assert scores.bits_per_unit == pytest.approx(2)
    assert scores.perplexity == pytest.approx(4)
    assert scores.bits_per_byte == pytest.approx(0.5)
    names = ["nats", "units", "bytes", "unknown", "nats_per_unit", "bits_per_unit", "perplexity", "bits_per_byte"]
    assert list(scores.to_json()) == names
    assert Scores(nats=1e6, units=1, bytes=1, unknown=0).perplexity == math.inf
    assert Scores(nats=1e6, units=1, bytes=1, unknown=0).to_json()["perplexity"] is None
    assert Scores(nats=math.nan, units=1, bytes=1, unknown=0).to_json()["nats_per_unit"] is None
    assert Scores(nats=math.log(sys.float_info.max), units=1, bytes=1, unknown=0).perplexity > 1e300


def test_a_text_of_no_units_cannot_be_scored():
    with pytest.raises(DataError, match="the text has no units to score; give a longer one"):
        writer().score("")


@pytest.mark.parametrize("training", [True, False])
def test_speaking_and_scoring_are_without_dropout_and_leave_the_mode_as_it_was(training):
    maker = writer(cell=LSTM, dropout=0.5)
    maker.model.train(training)
    assert maker.generate(length=20, seed=0) == maker.generate(length=20, seed=0)
    assert maker.score(TEXT).nats == maker.score(TEXT).nats
    assert maker.model.training is training
    stream = maker.stream(length=20, seed=0)
    next(stream)
    assert not maker.model.training
    stream.close()
    assert maker.model.training is training
    with pytest.raises(ArgumentError, match="temperature must be at least 0"):
        maker.generate(length=20, temperature=-1.0)
    assert maker.model.training is training
