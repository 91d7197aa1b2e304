"""The bag of words against the product with a dense vector of zeros, ones and counts."""

import pytest
import torch
from torch.nn import functional as F

from throughtime import Padded
from throughtime.data.batches import SequenceBatch
from throughtime.data.features import bag
from throughtime.errors import ArgumentError
from throughtime.heads.classes import Classes, Ordinal, Several
from throughtime.layers.dense import activate
from throughtime.models.bag import BagOfWords

VOCAB = 7
ROWS = [torch.tensor([3, 1, 3, 1, 5, 0, 0, 0]), torch.tensor([2]), torch.tensor([6, 5, 6, 6])]
INPUTS, TARGETS = Padded.of(ROWS), torch.tensor([0, 2, 1])
HEADS = [
    (Classes, TARGETS),
    (Ordinal, TARGETS),
    (Several, torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]])),
]


def make(head=Classes, hidden=(), **options):
    model = BagOfWords(VOCAB, lambda features: head(features, 3), hidden=hidden, **options).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("hidden", [(), (4,), (5, 2)])
def test_the_sum_of_rows_is_the_product_with_the_dense_vector(counts, hidden):
    model, dense = make(hidden=hidden, counts=counts, activation="tanh"), bag(INPUTS, VOCAB, counts=counts).double()
    scores = dense @ model.words.weight + model.bias
    if hidden:
        scores = activate(scores, "tanh")
        for layer in model.dense.layers:
            scores = activate(layer(scores), "tanh")
        scores = model.head.linear(scores)
    wanted = F.log_softmax(scores, -1)
    torch.testing.assert_close(model.log_probabilities(INPUTS), wanted)
    loss, state = model.loss(SequenceBatch(INPUTS, TARGETS))
    total = F.nll_loss(wanted, TARGETS, reduction="sum")
    torch.testing.assert_close(loss.total, total)
    assert (loss.count, state) == (3, None)
    parameters = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(loss.total, parameters), torch.autograd.grad(total, parameters), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("head", "targets"), HEADS)
@pytest.mark.parametrize("hidden", [(), (4,)])
def test_every_head_is_above_a_bag_and_every_weight_learns(head, targets, hidden):
    model, batch = make(head, hidden), SequenceBatch(INPUTS, targets)
    whole = model.loss(batch)[0]
    wanted = torch.autograd.grad(whole.total, list(model.parameters()))
    assert all(bool(gradient.any()) for gradient in wanted)
    parts = [model.loss(part)[0] for part in batch.split(2)]
    assert sum(part.count for part in parts) == whole.count
    total = sum(part.total for part in parts)
    for found, gradient in zip(torch.autograd.grad(total, list(model.parameters())), wanted, strict=True):
        torch.testing.assert_close(found, gradient)


@pytest.mark.parametrize("counts", [False, True])
def test_neither_padding_nor_order_nor_neighbours_change_what_is_said_of_a_row(counts):
    model = make(hidden=(4,), counts=counts).eval()
    together = model.log_probabilities(Padded(F.pad(INPUTS.data, (0, 3)), INPUTS.lengths))
    alone = torch.cat([model.log_probabilities(Padded.of([row.flip(0)])) for row in ROWS])
    torch.testing.assert_close(together, alone)


def test_repeats_count_only_where_they_are_counted():
    once, thrice = Padded.of([torch.tensor([4])]), Padded.of([torch.tensor([4, 4, 4])])
    for counts in (False, True):
        model = make(counts=counts)
        assert torch.allclose(model.features(once), model.features(thrice)) is not counts


def test_a_text_of_no_words_gets_the_bias():
    model = make()
    nothing = Padded(torch.zeros(2, 0, dtype=torch.long), torch.zeros(2, dtype=torch.long))
    torch.testing.assert_close(model.features(nothing), model.bias.expand(2, 3))
    beside_one = Padded(torch.zeros(2, 3, dtype=torch.long), torch.tensor([0, 1]))
    torch.testing.assert_close(model.features(beside_one)[0], model.bias)


def test_without_hidden_layers_all_classes_begin_alike():
    model = BagOfWords(VOCAB, lambda features: Classes(features, 3))
    torch.testing.assert_close(model.log_probabilities(INPUTS).exp(), torch.full((3, 3), 1 / 3))


def test_dropout_leaves_out_whole_words_with_their_repeats():
    model = make(counts=True, dropout=0.5).train()
    inputs = Padded.full(torch.tensor([[1, 2, 1, 3, 1, 2]]).expand(400, -1))
    words, weights = model.bag(inputs)
    of_one, of_three = weights[words == 1].view(400, 3), weights[words == 3]
    assert (of_one == of_one[:, :1]).all()
    assert set(weights.unique().tolist()) == {0.0, 2.0}
    assert 0.8 < float(of_one.mean()) < 1.2
    assert 0.8 < float(of_three.mean()) < 1.2
    torch.testing.assert_close(model.eval().bag(inputs)[1], torch.ones(400, 6, dtype=torch.float64))


def test_word_dropout_makes_words_unknown_while_training():
    model = make(counts=True, word_dropout=0.5).train()
    inputs = Padded.full(torch.full((400, 2), 4))
    words, _ = model.bag(inputs)
    assert set(words.unique().tolist()) == {0, 4}
    assert 0.35 < float((words == 0).double().mean()) < 0.65
    assert (model.eval().bag(inputs)[0] == 4).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"word_dropout": 1.0}, r"word_dropout must be in \[0, 1\); got 1.0"),
        ({"dropout": -0.1}, r"dropout must be in \[0, 1\); got -0.1"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        make(**options)


@pytest.mark.parametrize("hidden", [(), (5, 4)])
def test_the_head_is_its_own(hidden):
    made = []

    def head(features):
        made.append(Classes(features, 3))
        return made[-1]

    one, other = (BagOfWords(VOCAB, head, hidden=hidden) for _ in range(2))
    assert [one.head, other.head] == made
    assert one.head is not other.head
    assert not hidden or one.head.linear.in_features == hidden[-1]
    assert one.log_probabilities(INPUTS).shape == other.log_probabilities(INPUTS).shape == (3, 3)
