"""Weights that are left as they are for some updates."""

import numpy as np
import pytest
import torch

from throughtime.cells import GRU, LSTM
from throughtime.data.lanes import Lanes
from throughtime.layers import Recurrent, Stack
from throughtime.models import LanguageModel
from throughtime.train import descend, make_optimiser
from throughtime.train.optimise import optimiser_tensors

IDS = np.random.default_rng(0).integers(0, 11, 500).astype(np.int32)
BATCHES = Lanes(IDS, lanes=4, steps=8)


def make(name="adamw", cell=LSTM):
    torch.manual_seed(0)
    model = LanguageModel(11, Stack([Recurrent(cell(5, 6)), Recurrent(cell(6, 6))]), dropout=0.3)
    return model, make_optimiser(name, model, learning_rate=0.05, weight_decay=0.5, momentum=0.9 * (name == "sgd"))


def stream(model, optimiser, updates, **options):
    weight = model.embedding.weight
    return descend(
        model,
        optimiser,
        BATCHES,
        learning_rate=lambda _: 0.05,
        frozen=lambda step: (weight,) if step < updates else (),
        **options,
    )


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_frozen_weights_do_not_move_by_a_bit_and_then_they_do(name):
    model, optimiser = make(name)
    weight, rest = model.embedding.weight, model.core.layers[0].cell.weight_ih
    before, others, made = weight.detach().clone(), rest.detach().clone(), stream(model, optimiser, 3)
    for _ in range(3):
        next(made)
        assert torch.equal(weight, before)
        assert not torch.equal(rest, others)
        assert weight.requires_grad
        assert weight.grad is None
        assert len(optimiser.state[weight]) == 0
    next(made)
    assert not torch.equal(weight, before)
    if name == "adamw":  # it begins with its own first step, as if training began here
        assert optimiser.state[weight]["step"].item() == 1
        assert optimiser.state[rest]["step"].item() == 4
        assert len(optimiser_tensors(optimiser)) == 3 * len(list(model.parameters()))


@pytest.mark.parametrize("cell", [LSTM, GRU])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_other_weights_get_the_gradient_they_would_have_got(cell, accumulate):
    gradients = []
    for updates in (0, 1):
        model, optimiser = make(cell=cell)
        next(stream(model, optimiser, updates, accumulate=accumulate, clip=1e9))
        gradients.append({n: p.grad for n, p in model.named_parameters() if n != "embedding.weight"})
        assert (model.embedding.weight.grad is None) == bool(updates)
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


def test_the_norm_is_of_what_learns():
    model, optimiser = make()
    norm = next(stream(model, optimiser, 1, clip=1e9)).gradient_norm
    own = [p.grad.norm() for p in model.parameters() if p.grad is not None]
    assert len(own) == len(list(model.parameters())) - 1
    assert norm == pytest.approx(float(torch.stack(own).norm()), rel=1e-5)


def test_a_loss_that_fails_leaves_weights_that_can_learn(monkeypatch):
    model, optimiser = make()

    def failing(*_):
        raise ArithmeticError("no")

    monkeypatch.setattr(model, "loss", failing)
    with pytest.raises(ArithmeticError):
        next(stream(model, optimiser, 1))
    assert model.embedding.weight.requires_grad
