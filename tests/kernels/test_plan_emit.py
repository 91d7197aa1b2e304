"""Kernels do what their equations say: every operation, the order of products and passes, states of every form."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from comparing import DOUBLE, State, agree, batch_for, drawn, made, recurrence, state_for, sweep, weights
from torch import Tensor, nn

from throughtime import tree
from throughtime.cells import GRU, LSTM, CoupledLSTM, Elman, LayerNormGRU, LayerNormLSTM, PeepholeLSTM, PhasedLSTM
from throughtime.kernels import build
from throughtime.kernels.emit import emit
from throughtime.kernels.plan import plan
from throughtime.kernels.program import bind
from throughtime.kernels.trace import differentiate, slots_of, trace


def programmed(cell, inputs=None):
    """The program with all gradients."""
    inputs = batch_for(cell) if inputs is None else inputs
    x = inputs.data.clone().requires_grad_()
    state = state_for(cell, len(x))
    return bind(cell, cell.project(x), type(state)(*(leaf.requires_grad_() for leaf in state))).program


# --- every operation that a kernel may hold


def everything(cell, z, state):
    a, b = z @ cell.outer.t() + cell.bias, state.hidden
    parts = [
        -a, a.abs(), a.sign() * b, b.exp(), torch.expm1(a), torch.log(a * a + 1), torch.log1p(b * b), a.sin(), b.cos(),
        (a * a + 1).sqrt(), torch.rsqrt(b * b + 1), torch.erf(a), a.tanh(), b.sigmoid(), 1 / (a * a + 1),
        a.floor() * b, b.ceil() * a, (2 * a).trunc() * b, (2 * b).round() * a,
        torch.maximum(a, b), torch.minimum(a, b), torch.remainder(a, cell.bias.abs() + 0.5), (a * a + 0.5) ** b,
        torch.where((a > 0) & (b <= 0.1) | ~(a >= -0.5), a, b), torch.where(a < b, a * b, 0.5 * b), a / (b * b + 1),
        (a == b) * a, (a != b) * b, torch.softmax(a.masked_fill(b > b.mean(1, True), -torch.inf), -1),
        a - b.amax(-1, keepdim=True),
        F.layer_norm(a, (4,), cell.bias), b * a.sum(-1, keepdim=True), (a.double() * b).to(a.dtype),
        a.float().to(a.dtype) + b, a.long() * b, (a.long() + 3 > 2) * b, (a > 0).sum(-1, keepdim=True) * b,
    ]  # fmt: skip
    hidden = torch.tanh(b @ cell.inner.t() + 0.1 * sum(part.mean(-1, keepdim=True) for part in parts))
    return torch.cat(parts, -1), State(hidden)


def test_every_operation_of_kernels():
    agree(made(everything), tolerance=1e-7)  # a part of it is in float32


# --- states of every form


class Inner(NamedTuple):
    first: Tensor
    second: tuple[Tensor, None, list[Tensor]]


class Many(NamedTuple):
    hidden: Tensor  # B 4
    swapped: Tensor  # B 4
    inner: Inner
    alone: Tensor  # B
    count: Tensor  # B, whole numbers
    seen: Tensor  # B 2, masks
    kept: Tensor  # B 3, stays as it is
    before: Tensor  # B 3, the input before


class ManyInputs(NamedTuple):
    x: Tensor
    nothing: None
    flat: Tensor  # B T
    mask: Tensor  # B T 4
    number: Tensor  # B T, whole numbers


def many_forms(cell: Any, z: ManyInputs, s: Many) -> tuple[Tensor, Many]:
    turn = s.hidden @ cell.inner.t()  # ends in the state
    both = turn + recurrence(cell, z.x, s) * s.alone[:, None]  # read by more than one
    deep = torch.tanh(both) @ cell.inner  # a product of a product
    wide = torch.cat([s.hidden[:, 1:3], z.x, s.inner.first], -1) @ cell.wide  # of pieces, and read in pieces
    often = torch.where(z.mask, wide[:, :4], wide[:, 4:]) / (1 + s.count[:, None])
    steps = (s.count + 1 + z.number).clamp(max=100)
    new = Many(
        hidden=s.swapped,
        swapped=torch.tanh(s.hidden + both * 0.5),
        inner=Inner(deep[:, 0], (often - deep, None, [turn, s.inner.second[2][0] * 0.5 + turn])),
        alone=torch.sigmoid(s.alone + z.flat * often.mean(-1)),
        count=torch.where(s.seen[:, 0], steps, s.count),
        seen=torch.stack([s.alone > 0.5, ~s.seen[:, 1]], -1),
        kept=s.kept,
        before=z.x,
    )._replace()
    new = new._replace(inner=new.inner._replace(first=torch.stack([deep[:, 0], s.kept[:, 1]], -1)))
    output = torch.cat([both, often, s.before + s.kept, new.inner.second[2][1], z.flat[:, None]], -1)
    return output, new


def many_inputs(cell, x):
    return ManyInputs(x, None, x.sum(-1), x.repeat(1, 1, 2)[..., :4] > 0, (x[..., 0] > 0).long() * 2)


def many_beginnings(cell, batch):
    zeros = torch.zeros(batch, 4, dtype=DOUBLE)
    inner = Inner(zeros[:, :2], (zeros, None, [zeros, zeros]))
    count, seen = torch.zeros(batch, dtype=torch.int64), torch.ones(batch, 2, dtype=torch.bool)
    return Many(zeros, zeros, inner, zeros[:, 0], count, seen, zeros[:, :3] + 1, zeros[:, :3])


def test_states_and_inputs_of_every_form():
    parameters = {**weights(), "wide": nn.Parameter(0.5 * drawn((7, 8), 9))}
    cell = made(many_forms, parameters, initial=many_beginnings, project=many_inputs)
    marks = torch.arange(20).view(4, 5) % 3 == 1
    agree(cell)
    agree(cell, reverse=True, resets=marks)
    agree(cell, reverse=True)
    agree(cell, resets=marks)
    agree(cell, loss=lambda result: result[1].inner.second[2][0].sum() + result[1].kept.square().sum())


# --- small steps, each a trap for the order of things


def first_of(*sizes):
    return lambda cell, batch: Many2(*(torch.zeros(batch, size, dtype=DOUBLE) for size in sizes))


class Many2(NamedTuple):
    a: Tensor
    b: Tensor


def two_widths(cell, z, s):
    """A dear value over two units, kept for after a sum, and over all four, not kept."""
    a = torch.tanh(s.hidden)
    total = a[:, :2].sum(-1, keepdim=True)
    return torch.cat([a[:, :2] * total, a * total + z[:, :1]], -1), State(a * total + z[:, :1])


def swapped(cell, z, s):
    return s.a + z[:, :1], Many2(s.b, s.a + z[:, :1])


def swapped_products(cell, z, s):
    return s.b @ cell.inner, Many2(s.b @ cell.inner, s.a @ cell.inner.t() + z[:, :1])


def forgotten(cell, z, s):
    """The next state has no gradient, the output has one to the state."""
    return z @ cell.outer.t() + s.hidden @ cell.inner, State((s.hidden * cell.bias).detach())


def emptied(cell, z, s):
    return recurrence(cell, z, s), State(torch.zeros_like(s.hidden))


def unchanged(cell, z, s):
    return recurrence(cell, z, s), s


def passed_on(cell, z, s):
    return z, State(torch.tanh(recurrence(cell, z, s)))


def a_weight(cell, z, s):
    return cell.bias.expand(len(z), -1), State(torch.tanh(recurrence(cell, z, s)))


def without_state(cell, z, s):
    return z * 2, State(s.hidden + z[:, :1] * 0.5)


def normalised_twice(cell, z, s):
    a = F.layer_norm(recurrence(cell, z, s), (4,))
    b = F.layer_norm(a @ cell.inner + a.mean(-1, keepdim=True), (4,), cell.bias)
    return b * a.sum(-1, keepdim=True), State(F.softmax(b, -1) + a.var(-1, keepdim=True))


def matrix_and_vector(cell, z, s):
    """One weight of one row, in a product and beside one."""
    both = z[:, :1] @ cell.row + s.hidden * cell.row
    return both, State(torch.tanh(both))


def matrix_and_number(cell, z, s):
    return s.hidden @ cell.row + z, State(torch.tanh(s.hidden @ cell.row * cell.row + z))


def two_outputs_of_one_product(cell, z, s):
    a = s.hidden @ cell.inner
    return a, State(a + z[:, :1])


def one_product_twice_in_the_state(cell, z, s):
    product = s.a @ cell.inner
    return z, Many2(product, product + s.b)


STEPS: dict[str, tuple[Any, dict[str, Any]]] = {
    "two widths": (two_widths, {}),
    "swapped": (swapped, {"initial": first_of(4, 4), "parameters": {}}),
    "swapped products": (swapped_products, {"initial": first_of(4, 4)}),
    "forgotten": (forgotten, {}),
    "emptied": (emptied, {}),
    "unchanged": (unchanged, {}),
    "passed on": (passed_on, {}),
    "a weight": (a_weight, {}),
    "without state": (without_state, {"parameters": {}}),
    "normalised twice": (normalised_twice, {}),
    "matrix and vector": (matrix_and_vector, {"parameters": {"row": nn.Parameter(drawn((1, 4), 3))}}),
    "matrix and number": (
        matrix_and_number,
        {"parameters": {"row": nn.Parameter(drawn((1, 1), 3))}, "width": 1, "hidden": 1},
    ),
    "two outputs of one product": (two_outputs_of_one_product, {}),
    "one product twice in the state": (one_product_twice_in_the_state, {"initial": first_of(4, 4)}),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.usefixtures("imitated")
def test_small_steps(name):
    step, how = STEPS[name]
    cell = made(step, how.get("parameters"), **{key: value for key, value in how.items() if key != "parameters"})
    agree(cell)
    agree(cell, reverse=True, resets=torch.arange(20).view(4, 5) % 3 == 1)


@pytest.mark.usefixtures("imitated")
def test_two_widths_is_the_trap_that_it_says():
    program = programmed(made(two_widths))
    kernel = program.plan.forward
    tanh = {n for n, node in enumerate(program.plan.graph.nodes) if node.operation == "tanh"}
    assert (min(tanh), 2) in kernel.stored
    assert {one.width for level in kernel.levels for one in level.passes} >= {2, 4}


# --- sources


CELLS = [Elman, GRU, LSTM, CoupledLSTM, PeepholeLSTM, LayerNormLSTM, LayerNormGRU, PhasedLSTM]


def emitted(cell):
    """The sources of both kernels, which are not compiled."""
    x = torch.zeros(1, 1, cell.width, requires_grad=True)
    z, state, slots = cell.project(x), cell.initial(1), slots_of(cell)
    first = tree.map(lambda leaf: leaf[:, 0], z)
    traced = trace(cell.step, slots, first, state)
    floating = [leaf.is_floating_point() for _, leaf in tree.leaves(state)]
    equations = differentiate(traced, [True] * len(traced.z), floating, [True] * len(traced.shared))
    made_plan, flows = plan(equations), equations.cotangents[1:]
    handed = [
        [("state", n) for n in range(len(flows))],
        [("cotangent", n + 1) for n, flow in enumerate(flows) if flow],
    ]
    kernels = (made_plan.forward, made_plan.backward)
    return [
        emit(made_plan.graph, kernel, made_plan.products, areas, 8, "A title.").text
        for kernel, areas in zip(kernels, handed, strict=True)
    ]


@pytest.mark.parametrize("cell", CELLS)
def test_no_source_holds_a_size(cell):
    """So all widths have one machine code, and 331 is in none of them."""
    sources = [emitted(cell(width, hidden)) for width, hidden in ((3, 5), (17, 33), (11, 331))]
    assert sources[0] == sources[1] == sources[2]
    assert "331" not in "".join(sources[2])


def test_sources_are_made_of_the_equations_alone():
    """Not of addresses, the order of sets or numbers of weights: else each process would compile anew."""
    assert emitted(GRU(3, 5)) == emitted(GRU(3, 5))
    assert emitted(GRU(3, 5)) != emitted(GRU(3, 5, bias=False))
    code = "import sys; sys.path.insert(0, sys.argv[1]); from test_plan_emit import *; print(*emitted(GRU(3, 5)))"
    command = [sys.executable, "-c", code, str(Path(__file__).parent)]
    there = subprocess.run(command, capture_output=True, text=True, check=True)
    assert there.stdout == " ".join(emitted(GRU(3, 5))) + "\n"


def instructions(source, name):
    """The machine code of a source, without names, which count the functions of a process."""
    made = build._import(source.replace("cache=True", "cache=False"), name, f"<{name}>")
    lines = made.sweep._library.get_asm_str().splitlines()
    return [re.sub(r"_ZN[\w$@.]+", "name", line) for line in lines if line.startswith("\t") and line[1] != "."]


def test_the_passes_that_are_left_out_change_no_machine_code():
    source = emitted(LayerNormGRU(3, 5))[1]  # of many parts: products, reductions, sums over rows
    assert instructions(source, "few") == instructions(source.replace(", pipeline_class=Straight", ""), "all")
    assert len(instructions(emitted(Elman(3, 5))[0], "other")) > 300


@pytest.mark.usefixtures("imitated")
def test_names_of_cells_may_be_any():
    for name in ("Größe", 'a"""\n/../b\\{', "Long" * 100, ""):
        cell = type(name, (Elman,), {})(3, 4).double()
        sweep(cell, batch_for(cell, (2, 1)), cell.initial(2))


@pytest.mark.usefixtures("imitated")
def test_the_tape_holds_no_more_than_it_has_to():
    """The state, and what the gates and the cell are made of: an LSTM keeps at most nine numbers a unit and step."""
    assert programmed(LSTM(3, 5).double()).plan.saved["float64"] <= 9 * 5


@pytest.mark.usefixtures("imitated")
def test_a_sweep_without_gradient_keeps_nothing():
    cell = GRU(3, 4)
    with torch.no_grad():
        assert bind(cell, cell.project(torch.zeros(2, 5, 3)), cell.initial(2)).program.plan.saved == {}
        sweep(cell, batch_for(cell, (2, 1), torch.float32), cell.initial(2))
