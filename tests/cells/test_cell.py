import math

import pytest
import torch

from throughtime import Padded, scan
from throughtime.cells import (
    GRU,
    LSTM,
    Cell,
    CoupledLSTM,
    Elman,
    LayerNormGRU,
    LayerNormLSTM,
    PeepholeLSTM,
    PhasedLSTM,
    Recorded,
    SimplifiedGRU,
    UnsharedElman,
    Zoneout,
    irnn,
)
from throughtime.errors import ArgumentError

GATES = {
    Elman: 1,
    SimplifiedGRU: 2,
    GRU: 3,
    CoupledLSTM: 3,
    LayerNormGRU: 3,
    LSTM: 4,
    PeepholeLSTM: 4,
    PhasedLSTM: 4,
    LayerNormLSTM: 4,
}
FORGETS = {LSTM: 1, PeepholeLSTM: 1, PhasedLSTM: 1, LayerNormLSTM: 1, CoupledLSTM: 0}  # which of the gates


@pytest.mark.parametrize("constructor", GATES)
def test_each_gates_recurrence_starts_orthogonal_and_its_inputs_xavier(constructor):
    cell = constructor(30, 20)
    assert cell.weight_hh.shape == (GATES[constructor] * 20, 20)
    for block in cell.weight_hh.detach().view(-1, 20, 20):
        assert torch.allclose(block @ block.T, torch.eye(20), atol=1e-5)
    bound = math.sqrt(6 / (30 + 20))
    assert 0.9 * bound < float(cell.weight_ih.detach().abs().max()) <= bound


@pytest.mark.parametrize("constructor", GATES)
def test_biases_start_at_zero_but_for_an_open_forget_gate(constructor):
    cell = constructor(3, 4)
    biases = {name: bias for name, bias in cell.named_parameters() if "bias" in name}
    wanted = torch.zeros(GATES[constructor], 4)
    if constructor in FORGETS:
        wanted[FORGETS[constructor]] = 1
    first = "bias" if "bias" in biases else "bias_ih"
    assert torch.equal(biases.pop(first), wanted.flatten())
    assert not any(bias.any() for bias in biases.values())


@pytest.mark.parametrize("constructor", [cell for cell in GATES if cell not in (LayerNormLSTM, LayerNormGRU)])
def test_without_bias_there_is_none(constructor):
    cell = constructor(3, 4, bias=False)
    assert cell.bias_ih is None
    assert cell.bias_hh is None
    assert not [name for name, _ in cell.named_parameters() if "bias" in name]


def test_irnn_starts_as_the_identity():
    cell = irnn(400, 30)
    assert cell.nonlinearity == "relu"
    assert torch.equal(cell.weight_hh, torch.eye(30))
    assert 0.00095 < float(cell.weight_ih.detach().std()) < 0.00105
    assert not cell.bias_ih.any()


@pytest.mark.parametrize("constructor", [*GATES, irnn])
def test_initial_is_zeros_of_the_weights_type(constructor):
    cell = constructor(3, 4).double()
    for field, leaf in cell.initial(2)._asdict().items():
        assert leaf.shape == ((2,) if field == "time" else (2, 4))
        assert leaf.dtype == torch.float64
        assert not leaf.any()


@pytest.mark.parametrize("cell", [LSTM(3, 4), Zoneout(GRU(3, 4)), Recorded(LSTM(3, 4))])
def test_cells_are_cells_by_their_members(cell):
    assert isinstance(cell, Cell)


REFUSED = {
    "no width": (lambda: LSTM(0, 4), "width must be at least 1; got 0"),
    "no hidden": (lambda: GRU(3, -1), "hidden must be at least 1; got -1"),
    "dropout of all": (lambda: Elman(3, 4, recurrent_dropout=1.0), r"recurrent_dropout must be in \[0, 1\); got 1.0"),
    "dropout below none": (lambda: LSTM(3, 4, recurrent_dropout=-0.1), r"must be in \[0, 1\); got -0.1"),
    "dropout of no number": (lambda: GRU(3, 4, recurrent_dropout=math.nan), r"must be in \[0, 1\); got nan"),
    "zoneout of all": (lambda: Zoneout(GRU(3, 4), hidden=1.0), r"hidden must be in \[0, 1\); got 1.0"),
    "zoneout of no cell": (
        lambda: Zoneout(GRU(3, 4), cell=0.5),
        "GRU's state has no field 'cell' to zone out; it has hidden",
    ),
    "phases of no feature": (lambda: PhasedLSTM(1, 4, times="input"), "times='input' needs at least 2; got 1"),
    "steps of its own, none": (lambda: UnsharedElman(3, 4, steps=0), "steps must be at least 1; got 0"),
    "more steps than weights": (
        lambda: scan(UnsharedElman(3, 4, steps=2), Padded.full(torch.zeros(1, 3, 3))),
        "this cell has weights for 2 steps and no more",
    ),
    "never open": (lambda: PhasedLSTM(3, 4, open_ratio=0.0), r"open_ratio must be in \(0, 1\]; got 0.0"),
    "open for more than always": (lambda: PhasedLSTM(3, 4, open_ratio=1.5), r"open_ratio must be in \(0, 1\]; got 1.5"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_what_came(case):
    construct, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message):
        construct()


@pytest.mark.parametrize(
    ("constructor", "option", "message"),
    [
        (Elman, "nonlinearity", "nonlinearity must be 'tanh' or 'relu'; got 'sigmoid'"),
        (GRU, "reset", "reset must be 'after' or 'before' the product; got 'sigmoid'"),
        (PhasedLSTM, "times", "times must be 'steps' or 'input'; got 'sigmoid'"),
    ],
)
def test_an_unknown_word_is_refused_with_those_that_are_known(constructor, option, message):
    unchecked = getattr(constructor.__init__, "__wrapped__", constructor.__init__)  # as in production: no type checker
    with pytest.raises(ArgumentError, match=message):
        unchecked(constructor.__new__(constructor), 3, 4, **{option: "sigmoid"})
