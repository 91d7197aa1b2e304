"""The fused softmax is the plain one: values, gradients, and gradients of gradients."""

import pytest
import torch
from torch.nn import functional as F

from throughtime.cells import LSTM
from throughtime.data.lanes import Chunk
from throughtime.heads import Softmax, fused
from throughtime.layers import Recurrent
from throughtime.models import LanguageModel

HIDDEN = 5


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(fused, "ROWS", 4)
    monkeypatch.setattr(fused, "COLUMNS", 3)
    monkeypatch.setattr(fused, "MANY", 1)


def _plain(features, weight, bias, targets):
    return F.cross_entropy(F.linear(features, weight, bias), targets, ignore_index=-1, reduction="sum")


def _drawn(rows, vocab, *, dtype=torch.float64, scale=1.0):
    shapes = ((rows, HIDDEN), (vocab, HIDDEN), (vocab,))
    values = [(scale * torch.randn(shape, dtype=dtype)).requires_grad_() for shape in shapes]
    return values, torch.randint(vocab, (rows,))


def _agree(got, wanted, **tolerance):
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


@pytest.mark.parametrize("rows", [0, 1, 4, 11])
@pytest.mark.parametrize("vocab", [1, 3, 10])
def test_values_and_gradients_are_those_of_cross_entropy(rows, vocab):
    values, targets = _drawn(rows, vocab)
    ours, plain = fused.cross_entropy(*values, targets), _plain(*values, targets)
    _agree([ours], [plain])
    _agree(torch.autograd.grad(0.3 * ours, values), torch.autograd.grad(0.3 * plain, values))


def test_values_without_gradients():
    values, targets = _drawn(11, 10)
    with torch.no_grad():
        ours = fused.cross_entropy(*values, targets)
    _agree([ours], [_plain(*values, targets).detach()])


def test_gradients_are_finite_differences():
    values, targets = _drawn(6, 8)
    check = torch.autograd.gradcheck  # the second time backward comes by the formula: the last bits may differ
    assert check(lambda *v: fused.cross_entropy(*v, targets), values, nondet_tol=1e-12)


def test_second_derivatives_are_finite_differences():
    values, targets = _drawn(3, 4)
    assert torch.autograd.gradgradcheck(lambda *v: fused.cross_entropy(*v, targets), values)


def test_a_penalty_on_the_gradient_is_not_lost():
    values, targets = _drawn(6, 8)
    seconds = []
    for loss in (fused.cross_entropy, _plain):
        (first,) = torch.autograd.grad(loss(*values, targets), values[:1], create_graph=True)
        seconds.append(torch.autograd.grad(first.pow(2).sum(), values))
    _agree(*seconds)


def test_backward_twice_adds_twice():
    values, targets = _drawn(6, 8)
    loss = fused.cross_entropy(*values, targets)
    loss.backward(retain_graph=True)
    once = [value.grad.clone() for value in values]
    loss.backward()
    _agree([value.grad for value in values], [2 * gradient for gradient in once])


def test_the_gradient_of_the_weight_is_kept_without_a_copy():
    (features, weight, bias), targets = _drawn(6, 8)
    loss = fused.cross_entropy(features, weight, bias, targets)
    taken = loss.grad_fn.gradients[1].data_ptr()
    loss.backward()
    assert weight.grad.data_ptr() == taken


def test_logits_of_any_size():
    values, targets = _drawn(11, 10, dtype=torch.float32, scale=60.0)
    ours, plain = fused.cross_entropy(*values, targets), _plain(*values, targets)
    _agree([ours], [plain])
    _agree(torch.autograd.grad(ours, values), torch.autograd.grad(plain, values), rtol=1e-4, atol=1e-2)


def test_what_is_not_a_number_is_seen():
    (features, weight, bias), targets = _drawn(6, 8)
    features.data[2, 1] = float("nan")
    assert fused.cross_entropy(features, weight, bias, targets).isnan()


def test_a_target_outside_the_vocabulary_is_an_error():
    values, targets = _drawn(6, 8)
    targets[0] = 8
    with pytest.raises(IndexError):
        fused.cross_entropy(*values, targets)


@pytest.mark.parametrize("ignored", [(), (0, 5), range(12)])
def test_the_head_gives_the_same_on_both_paths(monkeypatch, ignored):
    head = Softmax(HIDDEN, 10).double()
    features = torch.randn(3, 4, HIDDEN, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(10, (3, 4))
    targets.view(-1)[list(ignored)] = -1
    results = []
    for many in (1, 10**9):
        monkeypatch.setattr(fused, "MANY", many)
        assert fused.fits(features.flatten(0, 1), head.weight) == (many == 1)
        tally = head.loss(features, targets)
        results.append([tally.total, *torch.autograd.grad(tally.total, [features, head.weight, head.bias])])
        assert tally.count == 12 - len(ignored)
    _agree(*results)


def test_a_tied_weight_gets_both_gradients(monkeypatch):
    model = LanguageModel(10, Recurrent(LSTM(HIDDEN, HIDDEN)), tied=True).double()
    chunk = Chunk(torch.randint(10, (3, 4)), torch.randint(10, (3, 4)))
    results = []
    for many in (1, 10**9):
        monkeypatch.setattr(fused, "MANY", many)
        results.append(torch.autograd.grad(model.loss(chunk)[0].total, list(model.parameters())))
    _agree(*results)


def test_a_frozen_weight_gets_no_gradient():
    (features, weight, bias), targets = _drawn(6, 8)
    fused.cross_entropy(features, weight.requires_grad_(False), bias, targets).backward()
    assert weight.grad is None
    _agree([bias.grad], torch.autograd.grad(_plain(features, weight, bias, targets), [bias]))


def test_other_arithmetic_takes_the_plain_path():
    features, weight = torch.zeros(6, HIDDEN), torch.zeros(8, HIDDEN)
    assert fused.fits(features, weight)
    assert not fused.fits(features.bfloat16(), weight.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert not fused.fits(features, weight)


def test_the_same_bits_every_time(monkeypatch):
    monkeypatch.undo()
    torch.manual_seed(1)
    features, weight = torch.randn(200, 64), torch.randn(20_000, 64).requires_grad_()
    bias, targets = torch.randn(20_000), torch.randint(50, (200,))
    first, second = (torch.autograd.grad(fused.cross_entropy(features, weight, bias, targets), weight) for _ in "ab")
    assert torch.equal(first[0], second[0])
