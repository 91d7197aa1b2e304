"""The page docs/your_own_cell.md is true: its blocks run in order, and print what it says that they print.

After a block of Python may stand what it prints: `text` as it is, `text measured` with other numbers, and
`python excerpt` some of its lines, one after another.
"""

import re
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from textwrap import indent
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, elu, gelu, hardtanh, leaky_relu, linear, relu, silu, softplus

from throughtime import Padded, scan
from throughtime.errors import UntraceableError
from throughtime.inspect.source import sweep_source
from throughtime.kernels.vector import host_lanes
from throughtime.layers import fold
from throughtime.layers.check import SCAN_LAWS, exact

PAGE = Path(__file__).parents[1] / "docs" / "your_own_cell.md"
BLOCK = re.compile(r"^```(.+)\n((?s:.*?))^```$", re.M)


def test_the_page_is_true():
    space: dict[str, Any] = {"__name__": "page"}
    printed, seen = "", set()
    text = PAGE.read_text()
    for block in BLOCK.finditer(text):
        kind, body = block.groups()
        seen.add(kind)
        line = text[: block.start(2)].count("\n")
        if kind == "python":
            with redirect_stdout(StringIO()) as out:
                exec(compile("\n" * line + body, PAGE, "exec"), space)  # noqa: S102
            printed = out.getvalue()
        elif kind == "text":
            assert printed == body, f"line {line}"
        elif kind == "text measured":
            assert masked(printed) == masked(body), f"line {line}"
        elif kind == "python excerpt":
            lines = re.sub(r"\b16\)", f"{host_lanes('float32')})", body)  # the page's machine has AVX-512
            first = re.search(rf"^( *){re.escape(lines.splitlines()[0])}$", printed, re.M)
            assert first, f"line {line}"
            assert indent(lines, first[1]) in printed, f"line {line}"
        else:
            pytest.fail(f"line {line}: a block of {kind}")
    assert seen == {"python", "text", "text measured", "python excerpt"}


def masked(text: str) -> str:
    return re.sub(r"\d+\.\d+", "#", text)


class Memory(NamedTuple):
    hidden: Tensor  # B H
    level: Tensor  # B
    count: Tensor  # B, int64


class Everything(nn.Module):
    """A cell for whose steps there is one of the functions below."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.width, self.hidden, self.function = 3, 4, function
        self.inputs, self.recurrence = nn.Linear(3, 4), nn.Linear(4, 4)
        self.weight = nn.Parameter(torch.randn(4, 4) / 2)
        self.norm = nn.LayerNorm(4)
        self.register_buffer("scale", torch.tensor([0.5, 1.0, 1.5, 2.0]))
        self.slope = 0.3

    def initial(self, batch: int) -> Memory:
        level = self.weight.new_zeros(batch)
        return Memory(self.weight.new_zeros(batch, 4), level, level.long())

    def project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.inputs(x), x[..., 0]

    def step(self, z: tuple[Tensor, Tensor], state: Memory) -> tuple[Tensor, Memory]:
        gates, level = z
        h = torch.tanh(self.function(self, gates, state.hidden)) * torch.sigmoid(state.level)[:, None]
        return h, Memory(h, 0.9 * state.level + level, state.count + 1)


def arithmetic(cell, z, h):
    a = torch.where(h > 0.1, z / (1 + h**2), -z).clamp(-2, 2) + torch.minimum(z, h) * torch.maximum(h, z - 1)
    b = torch.exp(-a) + torch.log(1 + a * a) - torch.sqrt(2 + torch.sin(a)) * torch.cos(a) + torch.erf(a)
    return b * torch.tanh(z) + torch.sigmoid(h) * cell.scale * cell.slope


def activations(cell, z, h):
    z = z + h
    return relu(z) + gelu(z) + silu(z) + elu(z) + softplus(z) + leaky_relu(z) + hardtanh(z)


def products(cell, z, h):
    return z + cell.recurrence(torch.tanh(h @ cell.weight)) * linear(h, cell.weight) + h @ cell.weight.T


def over_units(cell, z, h):
    total = h.sum(-1, keepdim=True) + h.mean(-1, keepdim=True) + h.amax(-1, keepdim=True) + h.var(-1, keepdim=True)
    return cell.norm(z + h) + total + (z * h).softmax(-1)


def rearranging(cell, z, h):
    a, b = h.chunk(2, -1)
    c, d = z.split([1, 3], -1)
    return torch.cat([d[:, 1:], a * b], -1) + torch.cat([b, c, h[:, :1]], -1)


@pytest.mark.parametrize("function", [arithmetic, activations, products, over_units, rearranging])
def test_a_step_may_do_what_the_page_says(function):
    cell = Everything(function)
    assert sweep_source(cell).backward
    for law in SCAN_LAWS:
        law(exact(cell))


def mixes_rows(cell, z, h):
    return z + h.mean(0)


def reads_a_value(cell, z, h):
    return z + h if h.sum() > 0 else z


def draws(cell, z, h):
    return dropout(z + h, 0.5)


def writes(cell, z, h):
    h = z + h
    h[:, 0] = 0
    return h


@pytest.mark.parametrize("function", [mixes_rows, reads_a_value, draws, writes])
def test_a_step_may_not_do_what_the_page_says(function):
    with pytest.raises(UntraceableError):
        sweep_source(Everything(function))


def test_an_attribute_that_changes_and_a_buffer_that_changes_are_noticed():
    cell = Everything(arithmetic)
    inputs = Padded.full(torch.randn(32, 20, 3))
    for change in (lambda: setattr(cell, "slope", 2.0), lambda: cell.scale.mul_(3)):
        change()
        outputs, _ = scan(cell, inputs)
        expected, _ = fold(cell, inputs, cell.initial(32))
        assert torch.allclose(outputs.data, expected.data, atol=1e-5)


class LinearRecurrence(Everything):
    """Its output is its state, and both are a product with something added."""

    def step(self, z, state):
        h = z[0] + self.recurrence(state.hidden)
        return h, Memory(h, state.level, state.count)


def test_a_step_may_be_linear():
    for law in SCAN_LAWS:
        law(exact(LinearRecurrence(arithmetic)))
