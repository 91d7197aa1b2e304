"""Derivatives of derivatives: against finite differences and against torch.nn's."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence

from throughtime import drop_in

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "tanh": ("RNN", {}),
    "relu": ("RNN", {"nonlinearity": "relu"}),
    "lstm": ("LSTM", {}),
    "projected": ("LSTM", {"proj_size": 1}),
    "gru": ("GRU", {}),
}


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("ragged", [False, True], ids=["batch", "packed"])
@pytest.mark.parametrize("kind", KINDS)
def test_twice_differentiated_is_finite_differences_twice(kind, ragged):
    name, options = KINDS[kind]
    module = getattr(drop_in, name)(2, 2, bidirectional=ragged, **options).double()
    names = [name for name, _ in module.named_parameters()]
    begin = [draw(1 + ragged, 2, units) for units in ((options.get("proj_size", 2), 2) if name == "LSTM" else (2,))]

    def answer(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        states, weights = rest[: len(begin)], dict(zip(names, rest[len(begin) :], strict=True))
        sequence: Any = pack_padded_sequence(x, torch.tensor([1, 3]), enforce_sorted=False) if ragged else x
        outputs, final = functional_call(module, weights, (sequence, states if len(states) == 2 else states[0]))
        return (outputs.data if ragged else outputs, *(final if isinstance(final, tuple) else (final,)))

    leaves = (draw(3, 2, 2), *begin, *(weight.detach().requires_grad_() for weight in module.parameters()))
    assert torch.autograd.gradcheck(answer, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(answer, leaves, fast_mode=True)


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # torch says it of its own
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["double", "single"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_penalty_on_the_gradient_learns_as_in_torch(kind, dtype):
    name, options = KINDS[kind]
    theirs = getattr(nn, name)(3, 4, 2, **options).to(dtype)
    ours = getattr(drop_in, name)(3, 4, 2, **options).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    data, gradients = torch.randn(5, 2, 3, dtype=dtype), []
    for module in (ours, theirs):
        x = data.clone().requires_grad_()
        (first,) = torch.autograd.grad(module(x)[0].pow(2).sum(), x, create_graph=True)
        gradients.append(torch.autograd.grad(first.pow(2).sum(), list(module.parameters()), allow_unused=True))
    for a, b in zip(*gradients, strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            torch.testing.assert_close(a, b, rtol=0, atol=1e-9 if dtype == torch.float64 else 1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_gradient_descent_can_be_differentiated(kind):
    """Two calls with other weights before either is differentiated: nothing reads the weights of the later one."""
    name, options = KINDS[kind]
    theirs = getattr(nn, name)(3, 4, **options).double()
    ours = getattr(drop_in, name)(3, 4, **options).double()
    ours.load_state_dict(theirs.state_dict())
    x, gradients = draw(5, 2, 3), []
    for module in (ours, theirs):
        weights = dict(module.named_parameters())
        loss = functional_call(module, weights, (x,))[0].pow(2).sum()
        steps = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        moved = {name: weight - 0.1 * step for (name, weight), step in zip(weights.items(), steps, strict=True)}
        after = functional_call(module, moved, (x,))[0].pow(2).sum()
        gradients.append(torch.autograd.grad(after + loss, [x, *weights.values()]))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)
