import math

import pytest
import torch
from torch import nn

from throughtime.errors import ArgumentError
from throughtime.heads import AdaptiveSoftmax, Softmax

VOCAB, HIDDEN = 20, 16
HEADS = {
    "full": lambda: Softmax(HIDDEN, VOCAB),
    "tied": lambda: Softmax(HIDDEN, VOCAB, tied=nn.Embedding(VOCAB, HIDDEN).weight),
    "adaptive": lambda: AdaptiveSoftmax(HIDDEN, VOCAB, cutoffs=[6]),
    "adaptive in three bands": lambda: AdaptiveSoftmax(HIDDEN, VOCAB, cutoffs=[4, 12]),
}


def features(*rows: int) -> torch.Tensor:
    return torch.randn(*rows, HIDDEN, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("rows", [(1,), (7,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("name", HEADS)
def test_probabilities_sum_to_one_whatever_the_shape_of_the_rows(name, rows):
    got = HEADS[name]().double().log_probabilities(features(*rows))
    assert got.shape == (*rows, VOCAB)
    assert got.dtype == torch.float64
    torch.testing.assert_close(got.exp().sum(-1), torch.ones(rows, dtype=torch.float64))


@pytest.mark.parametrize("name", HEADS)
def test_the_loss_is_the_sum_of_minus_log_p_of_the_scored_targets(name):
    head = HEADS[name]().double()
    x = features(4, 50)
    targets = torch.randint(-1, VOCAB, (4, 50))
    assert set(targets.flatten().tolist()) == set(range(-1, VOCAB)), "every band and an unscored target"
    tally = head.loss(x, targets)
    by_hand = [
        -head.log_probabilities(x)[b, t, targets[b, t]] for b in range(4) for t in range(50) if targets[b, t] >= 0
    ]
    assert tally.count == len(by_hand)
    torch.testing.assert_close(tally.total, torch.stack(by_hand).sum())


@pytest.mark.parametrize("name", HEADS)
def test_any_negative_target_is_not_scored(name):
    head = HEADS[name]().double()
    x = features(3)
    one, alone = head.loss(x, torch.tensor([-1, 5, -7])), head.loss(x[1:2], torch.tensor([5]))
    assert one.count == alone.count == 1
    torch.testing.assert_close(one.total, alone.total)


@pytest.mark.parametrize("name", HEADS)
def test_nothing_scored_is_a_loss_of_zero_that_can_be_differentiated(name):
    head, x = HEADS[name]().double(), features(2, 3)
    tally = head.loss(x, torch.full((2, 3), -1))
    assert (tally.count, float(tally.total.detach())) == (0, 0.0)
    assert torch.autograd.grad(tally.total, x)[0].shape == x.shape


@pytest.mark.parametrize("name", HEADS)
def test_gradients_are_finite_differences(name):
    head, x = HEADS[name]().double(), features(5)
    targets = torch.tensor([0, 7, 19, -1, 12])
    assert torch.autograd.gradcheck(lambda x, *_: head.loss(x, targets).total, (x, *head.parameters()))


def test_a_softmax_is_its_formula():
    head = Softmax(2, 3).double()
    head.bias.data = torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64)
    h = torch.tensor([0.5, -1.5], dtype=torch.float64)
    weights, biases = head.weight.tolist(), head.bias.tolist()
    scores = [math.exp(w[0] * 0.5 + w[1] * -1.5 + b) for w, b in zip(weights, biases, strict=True)]
    wanted = [score / sum(scores) for score in scores]
    assert head.log_probabilities(h[None])[0].exp().tolist() == pytest.approx(wanted)


def test_a_tied_softmax_has_no_weight_of_its_own():
    embedding = nn.Embedding(VOCAB, HIDDEN)
    head = Softmax(HIDDEN, VOCAB, tied=embedding.weight)
    assert head.weight is embedding.weight
    loss = head.loss(torch.randn(3, HIDDEN), torch.tensor([1, 2, 3])).total
    torch.autograd.backward(loss)
    assert embedding.weight.grad is not None
    assert embedding.weight.grad.any()


def test_half_precision_features_are_summed_in_single():
    head = Softmax(HIDDEN, VOCAB).bfloat16()
    x = torch.randn(4, HIDDEN).bfloat16()
    assert head.log_probabilities(x).dtype == torch.float32
    assert head.loss(x, torch.tensor([1, 2, 3, 4])).total.dtype == torch.float32


REFUSED = {
    "no cutoffs": (lambda: AdaptiveSoftmax(16, 20, cutoffs=[]), r"must rise within 1..19; got \[\]"),
    "from zero": (lambda: AdaptiveSoftmax(16, 20, cutoffs=[0, 5]), r"must rise within 1..19; got \[0, 5\]"),
    "falling": (lambda: AdaptiveSoftmax(16, 20, cutoffs=[9, 5]), r"must rise within 1..19; got \[9, 5\]"),
    "twice": (lambda: AdaptiveSoftmax(16, 20, cutoffs=[5, 5]), r"must rise within 1..19; got \[5, 5\]"),
    "past the vocabulary": (lambda: AdaptiveSoftmax(16, 20, cutoffs=[5, 20]), r"within 1..19; got \[5, 20\]"),
    "too narrow": (
        lambda: AdaptiveSoftmax(15, 20, cutoffs=[5, 9]),
        "2 cutoffs need features of width 16 at least; got 15",
    ),
    "tied to another width": (
        lambda: Softmax(8, 20, tied=nn.Embedding(20, 16).weight),
        "needs features of the embedding's width: 8 is not 16",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_what_came(case):
    construct, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message):
        construct()


@pytest.mark.parametrize("vocab", [VOCAB, 3000], ids=["few logits", "many logits, which come in blocks"])
def test_smoothing_gives_a_share_of_the_target_to_all_symbols(vocab):
    head, x = Softmax(HIDDEN, vocab).double(), features(4, 250)
    with torch.no_grad():
        head.bias.normal_()
    targets = torch.randint(-1, vocab, (4, 250))
    tally = head.loss(x, targets, smoothing=0.1)
    logits = nn.functional.linear(x, head.weight, head.bias).flatten(0, 1)
    peer = nn.functional.cross_entropy(logits, targets.flatten(), ignore_index=-1, label_smoothing=0.1, reduction="sum")
    torch.testing.assert_close(tally.total, peer)
    wanted = torch.autograd.grad(peer, [x, head.weight, head.bias])
    for ours, theirs in zip(torch.autograd.grad(tally.total, [x, head.weight, head.bias]), wanted, strict=True):
        torch.testing.assert_close(ours, theirs)
