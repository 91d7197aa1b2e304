"""torch.nn's recurrences are trusted; ours have their values and their gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from throughtime import Padded, from_torch, to_torch, tree
from throughtime.cells import GRU, LSTM, CellState, Elman, HiddenState, LayerNormLSTM, Zoneout
from throughtime.errors import ArgumentError
from throughtime.layers import Bidirectional, BothStates, Recurrent, Stack, Window, fold, fused, scan

WIDTH, HIDDEN, STEPS = 3, 4, 6
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "tanh": (nn.RNN, {"nonlinearity": "tanh"}),
    "relu": (nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
}


def module(kind: str, layers: int, both: bool, bias: bool) -> Any:
    constructor, options = KINDS[kind]
    made = constructor(WIDTH, HIDDEN, layers, bias=bias, bidirectional=both, batch_first=True, **options)
    return made.double()


def states(their: Any, both: bool) -> Any:
    """torch's state (layers × directions first) as a Stack's."""
    fields = their if isinstance(their, tuple) else (their,)
    cells = [(CellState if len(fields) == 2 else HiddenState)(*parts) for parts in zip(*fields, strict=True)]
    if not both:
        return tuple(cells)
    return tuple(BothStates(*cells[i : i + 2]) for i in range(0, len(cells), 2))


def close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


@pytest.mark.parametrize("path", ["fused", "loop"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("both", [False, True], ids=["forward", "both ways"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_from_torch_has_torchs_values_and_gradients(kind, layers, both, bias, path, monkeypatch):
    if path == "loop":
        monkeypatch.setattr(fused, "fits", lambda cell, inputs: False)
    theirs = module(kind, layers, both, bias)
    ours = from_torch(theirs)
    for lengths in (torch.full((4,), STEPS), torch.randint(1, STEPS + 1, (4,))):
        x = Padded(torch.randn(4, STEPS, WIDTH, dtype=torch.float64), lengths).zeroed().data.requires_grad_()
        fields = 2 if kind == "lstm" else 1
        rows = layers * (1 + both)
        begin = [torch.randn(rows, 4, HIDDEN, dtype=torch.float64, requires_grad=True) for _ in range(fields)]
        their_begin = tuple(begin) if fields == 2 else begin[0]

        outputs, final = ours(Padded(x, lengths), states(their_begin, both))
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        their_packed, their_final = theirs(packed, their_begin)
        their_outputs, _ = pad_packed_sequence(their_packed, batch_first=True, total_length=STEPS)

        close(outputs.data, their_outputs)
        wanted = dict(tree.leaves(states(their_final, both)))
        for name, leaf in tree.leaves(final):
            close(leaf, wanted[name])

        weight = torch.randn_like(their_outputs)
        gradients = []
        for y, state, weights in (
            (outputs.data, final, dict(ours.named_parameters())),
            (their_outputs, states(their_final, both), by_our_names(ours, theirs)),
        ):
            loss = (y * weight).sum() + sum((leaf**2).sum() for _, leaf in tree.leaves(state))
            named = {"x": x, **{f"begin{i}": b for i, b in enumerate(begin)}, **weights}
            got = torch.autograd.grad(loss, list(named.values()), retain_graph=True)
            gradients.append(dict(zip(named, got, strict=True)))
        assert gradients[0].keys() == gradients[1].keys()
        for name, gradient in gradients[0].items():
            assert gradient.any(), f"{name} has no gradient to compare"
            close(gradient, gradients[1][name])


def by_our_names(ours: Stack, theirs: Any) -> dict[str, Tensor]:
    """torch's parameters by the names that the stack has for them: weight_ih_l0_reverse is layers.0.back...."""
    named = {}
    for name in dict(ours.named_parameters()):
        _, layer, *middle, last = name.split(".")
        named[name] = getattr(theirs, f"{last}_l{layer}" + ("_reverse" if "back" in middle else ""))
    return named


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("both", [False, True], ids=["forward", "both ways"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_again_is_the_same_module(kind, layers, both, bias):
    first = module(kind, layers, both, bias)
    again = to_torch(from_torch(first))
    assert repr(again) == repr(first)
    assert type(again) is type(first)
    assert again.weight_hh_l0.dtype == torch.float64
    assert list(again.state_dict()) == list(first.state_dict())
    for name, value in first.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
    x = torch.randn(2, STEPS, WIDTH, dtype=torch.float64)
    assert torch.equal(again(x)[0], first(x)[0])


STACKS = {
    "elman": lambda: Stack([Recurrent(Elman(3, 4)), Recurrent(Elman(4, 4))]),
    "relu": lambda: Stack([Recurrent(Elman(3, 4, nonlinearity="relu", bias=False))]),
    "lstm": lambda: Stack([Bidirectional(LSTM(3, 4), LSTM(3, 4)), Bidirectional(LSTM(8, 4), LSTM(8, 4))]),
    "gru": lambda: Stack([Recurrent(GRU(3, 4)), Recurrent(GRU(4, 4))]),
}


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_in_torch_gives_what_the_stack_gives(name):
    stack = STACKS[name]().double()
    x = torch.randn(2, STEPS, WIDTH, dtype=torch.float64)
    close(stack(Padded.full(x))[0].data, to_torch(stack)(x)[0])
    again = from_torch(to_torch(stack)).state_dict()
    assert list(again) == list(stack.state_dict())
    assert all(torch.equal(again[key], value) for key, value in stack.state_dict().items())


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [(20, 20, 20), (20, 1, 13)])
@pytest.mark.parametrize("cell", [Elman, LSTM, GRU])
def test_in_single_precision_the_fused_path_is_the_loop_but_for_rounding(cell, lengths, reverse):
    cell = cell(8, 16)
    results = []
    x = torch.randn(3, 20, 8)
    for path in (scan, fold):
        inputs = Padded(x.clone(), torch.tensor(lengths)).zeroed()
        inputs.data.requires_grad_()
        outputs, final = path(cell, inputs, cell.initial(3), reverse=reverse)
        leaves = [leaf for _, leaf in tree.leaves(final)]
        loss = outputs.data.sum() + sum(leaf.sum() for leaf in leaves)
        results.append((outputs.data, *leaves, *torch.autograd.grad(loss, [inputs.data, *cell.parameters()])))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


FITS = {
    "LSTM": (LSTM(3, 4), (5, 2), True),
    "GRU": (GRU(3, 4), (5, 2), True),
    "Elman": (Elman(3, 4), (5, 2), True),
    "an empty row": (LSTM(3, 4), (5, 0), False),
    "reset before": (GRU(3, 4, reset="before"), (5, 2), False),
    "dropout in training": (LSTM(3, 4, recurrent_dropout=0.5).train(), (5, 2), False),
    "dropout in evaluation": (LSTM(3, 4, recurrent_dropout=0.5).eval(), (5, 2), True),
    "another cell": (LayerNormLSTM(3, 4), (5, 2), False),
    "a cell of one's own upon LSTM": (type("Own", (LSTM,), {})(3, 4), (5, 2), False),
}


@pytest.mark.parametrize("case", FITS)
def test_the_fused_path_is_for_torchs_own_cells_and_full_rows(case):
    cell, lengths, fits = FITS[case]
    assert fused.fits(cell, Padded(torch.zeros(2, 5, 3), torch.tensor(lengths))) is fits


NO_TORCH = {
    "reset before": (lambda: [Recurrent(GRU(3, 4, reset="before"))], {}, "equal Elman, LSTM and GRU"),
    "a cell that torch lacks": (lambda: [Recurrent(LayerNormLSTM(3, 4))], {}, "equal Elman, LSTM and GRU"),
    "a cell around a cell": (lambda: [Recurrent(Zoneout(LSTM(3, 4)))], {}, "equal Elman, LSTM and GRU"),
    "a core without a cell": (lambda: [Window(3, 4)], {}, "equal Elman, LSTM and GRU"),
    "cells of two kinds": (lambda: [Recurrent(GRU(3, 4)), Recurrent(LSTM(4, 4))], {}, "equal Elman, LSTM and GRU"),
    "unequal sizes": (lambda: [Recurrent(GRU(3, 4)), Recurrent(GRU(4, 5))], {}, "equal Elman, LSTM and GRU"),
    "bias here and there": (
        lambda: [Recurrent(GRU(3, 4)), Recurrent(GRU(4, 4, bias=False))],
        {},
        "equal Elman, LSTM and GRU",
    ),
    "two nonlinearities": (
        lambda: [Recurrent(Elman(3, 4)), Recurrent(Elman(4, 4, nonlinearity="relu"))],
        {},
        "equal Elman, LSTM and GRU",
    ),
    "one way and both": (
        lambda: [Recurrent(GRU(3, 4)), Bidirectional(GRU(4, 4), GRU(4, 4))],
        {},
        "no mixed directions",
    ),
    "backward": (lambda: [Recurrent(GRU(3, 4), reverse=True)], {}, "nor the backward one by itself"),
    "residual": (lambda: [Recurrent(GRU(3, 4))], {"residual": True}, "no residual connections"),
    "dropout": (lambda: [Recurrent(GRU(3, 4))], {"dropout": 0.5}, "variational dropout"),
    "recurrent dropout": (lambda: [Recurrent(GRU(3, 4, recurrent_dropout=0.5))], {}, "recurrent dropout"),
}


@pytest.mark.parametrize("case", NO_TORCH)
def test_what_torch_lacks_is_refused(case):
    layers, options, message = NO_TORCH[case]
    with pytest.raises(ArgumentError, match=message):
        to_torch(Stack(layers(), **options))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: nn.LSTM(3, 4, proj_size=2), "proj_size=2 and dropout=0.0 have no equal in a Stack"),
        (lambda: nn.GRU(3, 4, num_layers=2, dropout=0.5), "proj_size=0 and dropout=0.5 have no equal in a Stack"),
    ],
)
def test_what_a_stack_lacks_is_refused(made, message):
    with pytest.raises(ArgumentError, match=message):
        from_torch(made())
