"""Every cell with every option is a row, every law a column."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch

from throughtime import Padded, cells, check_cell, scan
from throughtime.cells import (
    GRU,
    LSTM,
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
from throughtime.layers import Recurrent
from throughtime.layers.check import CAUSAL_LAWS, CELL_LAWS, CORE_LAWS, SCAN_LAWS, exact

Factory = Callable[[int, int], Any]


def zoned(inner: Factory, **rates: float) -> Factory:
    return lambda width, hidden: Zoneout(inner(width, hidden), **rates)


def recorded(inner: Factory) -> Factory:
    return lambda width, hidden: Recorded(inner(width, hidden))


open_phase = partial(PhasedLSTM, open_ratio=0.6, leak=0.01, log_period=(0.5, 1.5))

CELLS: dict[str, Factory] = {
    "Elman": Elman,
    "Elman tanh": partial(Elman, nonlinearity="tanh"),
    "Elman relu": partial(Elman, nonlinearity="relu"),
    "Elman without bias": partial(Elman, bias=False),
    "Elman with dropout": partial(Elman, recurrent_dropout=0.4),
    "irnn": irnn,
    "irnn with dropout": partial(irnn, recurrent_dropout=0.4),
    "LSTM": LSTM,
    "LSTM without bias": partial(LSTM, bias=False),
    "LSTM with dropout": partial(LSTM, recurrent_dropout=0.4),
    "PeepholeLSTM": PeepholeLSTM,
    "PeepholeLSTM without bias": partial(PeepholeLSTM, bias=False),
    "PeepholeLSTM with dropout": partial(PeepholeLSTM, recurrent_dropout=0.4),
    "CoupledLSTM": CoupledLSTM,
    "CoupledLSTM without bias": partial(CoupledLSTM, bias=False),
    "CoupledLSTM with dropout": partial(CoupledLSTM, recurrent_dropout=0.4),
    "GRU": GRU,
    "GRU reset after": partial(GRU, reset="after"),
    "GRU reset before": partial(GRU, reset="before"),
    "GRU without bias": partial(GRU, bias=False),
    "GRU reset before without bias": partial(GRU, reset="before", bias=False),
    "GRU with dropout": partial(GRU, recurrent_dropout=0.4),
    "GRU reset before with dropout": partial(GRU, reset="before", recurrent_dropout=0.4),
    "SimplifiedGRU": SimplifiedGRU,
    "SimplifiedGRU without bias": partial(SimplifiedGRU, bias=False),
    "SimplifiedGRU with dropout": partial(SimplifiedGRU, recurrent_dropout=0.4),
    "PhasedLSTM": PhasedLSTM,
    "PhasedLSTM steps": partial(PhasedLSTM, times="steps"),
    "PhasedLSTM input": partial(PhasedLSTM, times="input"),
    "PhasedLSTM often open": open_phase,
    "PhasedLSTM input, often open": partial(open_phase, times="input"),
    "PhasedLSTM without bias": partial(open_phase, bias=False),
    "PhasedLSTM with dropout": partial(open_phase, recurrent_dropout=0.4),
    "LayerNormLSTM": LayerNormLSTM,
    "LayerNormLSTM with dropout": partial(LayerNormLSTM, recurrent_dropout=0.4),
    "LayerNormGRU": LayerNormGRU,
    "LayerNormGRU with dropout": partial(LayerNormGRU, recurrent_dropout=0.4),
    "UnsharedElman": partial(UnsharedElman, steps=12),  # the laws read six steps, carry on, and read six more
    "Zoneout Elman": zoned(Elman, hidden=0.3),
    "Zoneout LSTM": zoned(LSTM, hidden=0.05, cell=0.5),
    "Zoneout LSTM, cell alone": zoned(LSTM, hidden=0.0, cell=0.5),
    "Zoneout LSTM, neither": zoned(LSTM, hidden=0.0, cell=0.0),
    "Zoneout GRU with dropout": zoned(partial(GRU, recurrent_dropout=0.4), hidden=0.3),
    "Zoneout PhasedLSTM": zoned(open_phase, hidden=0.3, cell=0.3),
    "Zoneout LayerNormLSTM": zoned(LayerNormLSTM, hidden=0.3, cell=0.3),
    "Zoneout twice": zoned(zoned(LSTM, hidden=0.3), cell=0.3),
    "Recorded LSTM": recorded(LSTM),
    "Recorded GRU": recorded(GRU),
    "Recorded PhasedLSTM": recorded(open_phase),
    "Recorded Zoneout PeepholeLSTM": recorded(zoned(PeepholeLSTM, hidden=0.3, cell=0.3)),
}
DROPPING = [name for name in CELLS if "dropout" in name]
COMPILED_ELSEWHERE = {  # rows whose operations are those of other rows: their sources are the law, not machine code
    name for name in CELLS if "without bias" in name or name.startswith(("PhasedLSTM", "Zoneout", "Recorded"))
} - {"PhasedLSTM often open", "Zoneout LSTM", "Recorded Zoneout PeepholeLSTM"}
RANDOM = [name for name in CELLS if "dropout" in name or ("Zoneout" in name and "neither" not in name)]


def of_cell(law: Callable[[Any], None]) -> Any:
    return pytest.param(law, exact, id=law.__name__.strip("_"))


def of_core(law: Callable[[Any], None]) -> Any:
    return pytest.param(law, lambda cell: exact(Recurrent(cell)), id=f"core_{law.__name__.strip('_')}")


LAWS = [*map(of_cell, CELL_LAWS + SCAN_LAWS), *map(of_core, CORE_LAWS + CAUSAL_LAWS)]


def inputs(width: int, lengths: tuple[int, ...] = (6, 3, 5)) -> Padded:
    return Padded(torch.randn(len(lengths), 6, width), torch.tensor(lengths)).zeroed()


@pytest.fixture
def kernels(request, name):
    """Machine code for every operation of our cells, once; the same source run by Python for the other rows."""
    if name in COMPILED_ELSEWHERE:
        request.getfixturevalue("imitated")


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(("law", "prepared"), LAWS)
@pytest.mark.parametrize("name", CELLS)
def test_cell_keeps_the_law(name, law, prepared):
    law(prepared(CELLS[name](3, 4)))


@pytest.mark.parametrize("name", ["LSTM", "Recorded Zoneout PeepholeLSTM"])
@pytest.mark.parametrize("sizes", [(2, 1), (2, 7)])
def test_check_cell_is_silent_on_a_lawful_cell_of_any_size(name, sizes):
    assert check_cell(CELLS[name](*sizes)) is None


def test_every_option_of_every_cell_stands_in_the_table():
    for name in cells.__all__:
        constructor: Any = getattr(cells, name)
        if not {"width", "hidden"} <= inspect.signature(constructor).parameters.keys():
            continue
        rows = [row for row in CELLS.values() if constructor in (row, getattr(row, "func", None))]
        assert rows, f"{name} has no row"
        given: dict[str, set[Any]] = {}
        for row in rows:
            for option, value in getattr(row, "keywords", {}).items():
                given.setdefault(option, set()).add(value)
        hints = get_type_hints(constructor if inspect.isfunction(constructor) else constructor.__init__)
        for option, parameter in inspect.signature(constructor).parameters.items():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                assert option in given, f"{name}'s {option} is never given"
                if get_origin(hints[option]) is Literal:
                    assert given[option] == set(get_args(hints[option])), f"a value of {name}'s {option} is missing"


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_every_option_runs_forward_and_backward(name, training, reverse):
    cell = CELLS[name](3, 8).train(training)
    x = inputs(3)
    x.data.requires_grad_()
    outputs, _ = scan(cell, x, reverse=reverse)
    assert outputs.data.shape == (3, 6, cell.hidden)
    torch.autograd.backward((outputs.data * torch.randn_like(outputs.data)).sum())
    for gradient in (x.data.grad, *(parameter.grad for parameter in cell.parameters())):
        assert gradient is not None
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", RANDOM)
def test_what_is_drawn_in_training_comes_from_torchs_seed(name):
    cell, x = CELLS[name](3, 8).train(), inputs(3)
    draws = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        draws.append(scan(cell, x)[0].data)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("name", RANDOM)
def test_nothing_is_drawn_in_evaluation(name):
    cell, x = CELLS[name](3, 8).eval(), inputs(3)
    before = torch.get_rng_state()
    assert torch.equal(scan(cell, x)[0].data, scan(cell, x)[0].data)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", DROPPING)
def test_recurrent_dropout_is_one_draw_for_a_row_at_all_of_its_steps(name):
    cell = CELLS[name](3, 200).train()
    z = cell.project(torch.randn(50, 4, 3))
    keep = z.inner.keep if name.startswith("Zoneout") else z.keep
    assert keep.shape == (50, 4, 200)
    assert torch.equal(keep, keep[:, :1].expand_as(keep))
    assert len({tuple(row) for row in keep[:, 0].tolist()}) == 50
    assert torch.allclose(keep.unique(), torch.tensor([0.0, 1 / 0.6]))
    assert abs(float(keep[:, 0].mean()) - 1) < 0.05  # 10,000 draws: 0.05 is six deviations
