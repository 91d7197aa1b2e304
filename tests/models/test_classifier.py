"""The classifier against its formula, composed by hand."""

import pytest
import torch
from torch.nn import functional as F

from throughtime import Padded, Recurrent
from throughtime.cells import LSTM
from throughtime.data.batches import SequenceBatch
from throughtime.errors import ArgumentError
from throughtime.heads.classes import Classes, Ordinal, Several
from throughtime.layers import Convolution, Direct, LastPool, MaximumPool, MeanPool
from throughtime.layers.pool import AttentivePool
from throughtime.models.classifier import Classifier

ROWS = [torch.tensor([3, 1, 4, 1, 5]), torch.tensor([2]), torch.tensor([6, 5, 3])]
INPUTS, TARGETS = Padded.of(ROWS), torch.tensor([0, 2, 1])


def make(core=None, pool=None, head=None, vocab=7, **options):
    core = core or Direct(4)
    return Classifier(vocab, core, pool or MeanPool(), head or Classes(core.hidden, 3), **options)


def test_an_average_of_embeddings_is_the_formula():
    model = make()
    pooled = torch.stack([model.embedding.weight[row].mean(0) for row in ROWS])
    wanted = F.log_softmax(pooled @ model.head.linear.weight.T + model.head.linear.bias, -1)
    torch.testing.assert_close(model.log_probabilities(INPUTS), wanted)
    loss, state = model.loss(SequenceBatch(INPUTS, TARGETS))
    torch.testing.assert_close(loss.total, F.nll_loss(wanted, TARGETS, reduction="sum"))
    assert (loss.count, state) == (3, None)


@pytest.mark.parametrize(
    ("core", "pool"),
    [
        (lambda: Recurrent(LSTM(4, 5)), LastPool),
        (lambda: Recurrent(LSTM(4, 5)), lambda: AttentivePool(5, 3)),
        (lambda: Convolution(4, 5, widths=(2, 3)), MaximumPool),
        (lambda: Direct(4), MeanPool),
    ],
)
def test_neither_padding_nor_neighbours_change_what_is_said_of_a_row(core, pool):
    model = make(core(), pool()).double().eval()
    together = model.log_probabilities(Padded(F.pad(INPUTS.data, (0, 3)), INPUTS.lengths))
    alone = torch.cat([model.log_probabilities(Padded.of([row])) for row in ROWS])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(together.exp().sum(1), torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("head", "targets"),
    [
        (Classes(4, 3), TARGETS),
        (Ordinal(4, 3), TARGETS),
        (Several(4, 3), torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]])),
    ],
)
def test_the_loss_of_groups_is_the_loss_of_all_and_every_weight_learns(head, targets):
    model, batch = make(head=head), SequenceBatch(INPUTS, targets)
    whole = model.loss(batch)[0]
    wanted = torch.autograd.grad(whole.total, list(model.parameters()))
    assert all(gradient.any() for gradient in wanted)
    parts = [model.loss(group)[0] for group in batch.split(2)]
    assert sum(part.count for part in parts) == whole.count == 3
    found = torch.autograd.grad(sum(part.total for part in parts), list(model.parameters()))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_words_are_dropped_for_the_unknown_while_training_alone():
    model = make(Direct(1), word_dropout=0.25)
    with torch.no_grad():
        model.embedding.weight[:] = torch.arange(7.0)[:, None]
    inputs = Padded(torch.full((40, 60), 5), torch.full((40,), 50))
    seen = model.embedded(inputs).data[:, :, 0]
    assert set(seen[:, :50].unique().tolist()) == {0.0, 5.0}
    assert 0.22 < float((seen[:, :50] == 0).float().mean()) < 0.28
    assert not seen[:, 50:].any()
    assert model.eval().embedded(inputs).data[:, :50].unique().tolist() == [5.0]


def test_dropout_falls_on_the_embeddings_with_one_mask_a_row_and_on_what_is_classified():
    model = make(Direct(64), dropout=0.5)
    seen = model.embedded(Padded.full(torch.full((3, 9), 2))).data == 0
    assert 0.3 < float(seen.float().mean()) < 0.7
    assert torch.equal(seen, seen[:, :1].expand_as(seen))
    model.variational.rate = 0.0
    with torch.no_grad():
        model.embedding.weight.fill_(1.0)
    features = model.features(INPUTS)
    assert set(features.unique().tolist()) == {0.0, 2.0}
    assert set(model.eval().features(INPUTS).unique().tolist()) == {1.0}


def test_numbers_go_to_the_core_as_they_are():
    model, inputs = make(vocab=None), Padded.full(torch.randn(2, 5, 4))
    assert model.embedding is None
    assert model.embedded(inputs) is inputs
    assert model.log_probabilities(inputs).shape == (2, 3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"word_dropout": 1.0}, "word_dropout must be in 0..1; got 1.0"),
        ({"word_dropout": -0.1}, "word_dropout must be in 0..1; got -0.1"),
        ({"word_dropout": 0.5, "vocab": None}, "word_dropout is for symbols: these inputs are numbers"),
    ],
)
def test_what_does_not_fit_is_refused(options, says):
    with pytest.raises(ArgumentError, match=says):
        make(**options)


def test_numbers_have_no_places_of_symbols():
    with pytest.raises(ArgumentError, match="places are for symbols: these inputs are numbers"):
        Classifier(None, Direct(3), MeanPool(), Classes(3, 2), places=4)
