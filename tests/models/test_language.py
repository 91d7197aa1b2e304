import pytest
import torch

from throughtime.cells import GRU, LSTM, Elman
from throughtime.data.lanes import UNSCORED, Chunk, Reading
from throughtime.errors import ArgumentError
from throughtime.layers import Bidirectional, CausalTransformer, Recurrent, Stack, Window
from throughtime.models import LanguageModel
from throughtime.search import Stepper

VOCAB = 11
MODELS = {
    "one layer": lambda: LanguageModel(VOCAB, Recurrent(LSTM(6, 8))),
    "deep with dropout": lambda: LanguageModel(
        VOCAB,
        Stack([Recurrent(GRU(6, 8, recurrent_dropout=0.3)), Recurrent(Elman(8, 8))], residual=True, dropout=0.3),
        dropout=0.3,
    ),
    "window": lambda: LanguageModel(VOCAB, Window(6, 8, window=3, layers=2)),
    "self-attention": lambda: LanguageModel(VOCAB, CausalTransformer(6, 8, 2, 2, context=5), dropout=0.2),
    "tied": lambda: LanguageModel(VOCAB, Recurrent(GRU(8, 8)), tied=True),
    "adaptive": lambda: LanguageModel(VOCAB, Recurrent(GRU(6, 16)), cutoffs=(4, 7)),
}


def exact(name: str) -> LanguageModel:
    return MODELS[name]().double().eval()


def chunk(rows: int = 3, steps: int = 9) -> Chunk:
    line = torch.randint(VOCAB, (rows, steps + 1))
    return Chunk(line[:, :-1], line[:, 1:])


@pytest.mark.parametrize("name", MODELS)
def test_step_by_step_is_the_whole(name):
    model, batch = exact(name), chunk()
    assert isinstance(model, Stepper)
    features, _ = model.features(batch.inputs)
    whole = model.head.log_probabilities(features)
    scores, state = model.start(batch.inputs[:, :4])
    torch.testing.assert_close(scores, whole[:, 3])
    for t in range(4, 9):
        scores, state = model.step(batch.inputs[:, t], state)
        torch.testing.assert_close(scores, whole[:, t])


@pytest.mark.parametrize("name", MODELS)
def test_the_loss_is_minus_the_log_probability_of_each_target_as_it_streams(name):
    model, batch = exact(name), chunk()
    tally, _ = model.loss(batch)
    state, total = model.initial(3), torch.zeros((), dtype=torch.float64)
    for token, target in zip(batch.inputs.T, batch.targets.T, strict=True):
        scores, state = model.step(token, state)
        total = total - scores.gather(1, target[:, None]).sum()
    assert tally.count == 27
    torch.testing.assert_close(tally.total, total)


@pytest.mark.parametrize("name", MODELS)
def test_a_state_carried_from_chunk_to_chunk_is_the_whole(name):
    model, batch = exact(name), chunk()
    whole, _ = model.loss(batch)
    first, state = model.loss(Chunk(batch.inputs[:, :4], batch.targets[:, :4]))
    second, _ = model.loss(Chunk(batch.inputs[:, 4:], batch.targets[:, 4:]), state)
    assert (first + second).count == whole.count
    torch.testing.assert_close((first + second).total, whole.total)
    forgotten, _ = model.loss(Chunk(batch.inputs[:, 4:], batch.targets[:, 4:]))
    assert forgotten.mean != pytest.approx(second.mean)


def test_unscored_targets_are_read_and_not_counted():
    model, batch = exact("one layer"), chunk()
    targets = batch.targets.clone()
    targets[:, :5] = UNSCORED
    tally, _ = model.loss(Chunk(batch.inputs, targets))
    before, _ = model.loss(Chunk(batch.inputs[:, :5], batch.targets[:, :5]))
    whole, _ = model.loss(batch)
    assert tally.count == 12
    torch.testing.assert_close(tally.total, whole.total - before.total)


@pytest.mark.parametrize("name", MODELS)
def test_no_prediction_sees_what_it_should_predict(name):
    model, batch = exact(name), chunk()
    other = batch.inputs.clone()
    other[:, 5:] = (other[:, 5:] + 1) % VOCAB
    first, second = (model.features(inputs)[0][:, :5] for inputs in (batch.inputs, other))
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_learns(name):
    model = MODELS[name]().train()
    batch = chunk(8, 30)
    tally, _ = model.loss(batch)
    torch.autograd.backward(tally.total)
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


def test_dropout_falls_on_embeddings_and_outputs_in_training_alone():
    model = LanguageModel(VOCAB, Window(50, 50, window=1), dropout=0.5)
    inputs = torch.full((4, 6), 3)
    dropped, _ = model.train().features(inputs)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped)), "the same features at all steps"
    assert 0.3 < float((dropped == 0).float().mean()) < 0.7
    whole, _ = model.eval().features(inputs)
    assert (whole != 0).all()
    kept = dropped[dropped != 0]
    assert not torch.allclose(kept, 2 * whole[dropped != 0]), "embeddings are dropped as well as outputs"


def test_tied_embeddings_are_one_weight():
    model = MODELS["tied"]()
    assert model.head.weight is model.embedding.weight
    assert len(list(model.parameters())) == len(list(MODELS["one layer"]().parameters())) - 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LanguageModel(VOCAB, Bidirectional(GRU(4, 4), GRU(4, 4))), "core must be causal"),
        (lambda: LanguageModel(VOCAB, Recurrent(GRU(4, 4), reverse=True)), "core must be causal"),
        (lambda: LanguageModel(VOCAB, Stack([Bidirectional(GRU(4, 4), GRU(4, 4))])), "core must be causal"),
        (lambda: LanguageModel(VOCAB, Recurrent(GRU(16, 16)), tied=True, cutoffs=(4,)), "cannot be adaptive"),
        (lambda: LanguageModel(VOCAB, Recurrent(GRU(4, 8)), tied=True), "width: 8 is not 4"),
        (lambda: LanguageModel(VOCAB, Recurrent(GRU(4, 8)), dropout=1.0), r"rate must be in \[0, 1\); got 1.0"),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(ArgumentError, match=message):
        build()


@pytest.mark.parametrize(("lanes", "warm", "steps"), [(1, 0, 7), (2, 2, 256), (5, 2, 3), (9, 3, 11), (40, 2, 5)])
def test_many_lanes_score_a_text_as_one_where_they_are_warm_enough(lanes, warm, steps):
    model = exact("window")  # it sees three symbols: two before the one that it reads
    ids = torch.randint(VOCAB, (83,)).int().numpy()

    def total(reading: Reading) -> float:
        state, nats = None, 0.0
        for part in reading:
            tally, state = model.loss(part, state)
            nats += tally.detach().total
        return nats

    alone = Reading(ids, start=0, lanes=1, steps=83)
    several = Reading(ids, start=0, lanes=lanes, steps=steps, warm=warm)
    assert several.lanes == min(lanes, 83 // max(1, warm))
    assert total(several) == pytest.approx(total(alone), abs=1e-9)
