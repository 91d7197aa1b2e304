"""The cells that read a module's weights."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import nn

from throughtime import cells
from throughtime.drop_in.projected import ProjectedLSTM
from throughtime.layers.blank import blank

Recurrence = nn.RNN | nn.LSTM | nn.GRU


class Sizes(NamedTuple):
    """What decides a module's cells."""

    mode: str
    width: int
    hidden: int
    projection: int
    layers: int
    directions: int
    bias: bool

    @classmethod
    def of(cls, module: Recurrence) -> "Sizes":
        """A module's."""
        width, hidden, projection = module.input_size, module.hidden_size, module.proj_size
        directions = 2 if module.bidirectional else 1
        return cls(module.mode, width, hidden, projection, module.num_layers, directions, module.bias)

    @property
    def units(self) -> tuple[int, ...]:
        """Units of h, which are those of the outputs, and of an LSTM's c."""
        outputs = self.projection or self.hidden
        return (outputs, self.hidden) if self.mode == "LSTM" else (outputs,)


class Sweep(NamedTuple):
    """One direction of one layer: its cell, and the module's weights that the cell reads."""

    cell: Any
    reverse: bool
    weights: tuple[tuple[str, str, torch.Size], ...]  # name in the cell, name in the module, shape


# Cells outlive a call, because what `scan` learns about a cell it learns once. They are kept beside the modules and
# not in them: a module's submodules, copies and pickles stay what they are in torch.nn.
_KNOWN: WeakKeyDictionary[nn.Module, tuple[Sizes, list[Sweep]]] = WeakKeyDictionary()


def sweeps_of(module: Recurrence, sizes: Sizes) -> list[Sweep]:
    """A module's sweeps, layer by layer, forward before backward."""
    known, sweeps = _KNOWN.get(module, (None, []))
    if known != sizes:
        sweeps = list(_new_sweeps(sizes))
        _KNOWN[module] = sizes, sweeps
    return sweeps


def _new_sweeps(sizes: Sizes) -> Iterator[Sweep]:
    for layer in range(sizes.layers):
        width = sizes.units[0] * sizes.directions if layer else sizes.width
        for reverse in (False, True)[: sizes.directions]:
            with blank():  # the weights will be the module's
                cell = _cell(sizes, width)
            end = f"_l{layer}" + ("_reverse" if reverse else "")
            named = cell.named_parameters()
            yield Sweep(cell, reverse, tuple((name, name + end, weight.shape) for name, weight in named))


def _cell(sizes: Sizes, width: int) -> nn.Module:
    hidden, bias = sizes.hidden, sizes.bias
    if sizes.projection:
        return ProjectedLSTM(width, hidden, sizes.projection, bias=bias)
    if sizes.mode == "LSTM":
        return cells.LSTM(width, hidden, bias=bias)
    if sizes.mode == "GRU":
        return cells.GRU(width, hidden, bias=bias)
    return cells.Elman(width, hidden, nonlinearity="relu" if sizes.mode == "RNN_RELU" else "tanh", bias=bias)


def lend(module: Recurrence, sweeps: list[Sweep], weights: list[Any]) -> None:
    """Lets the cells read the module's weights as they are now: whichever parameters, or tensors made from some."""
    given = iter(weights)
    for cell, _, names in sweeps:
        if cell.training is not module.training:
            cell.training = module.training
        for name, _, _ in names:
            cell._parameters[name] = next(given)  # past the setter, which takes nothing but a Parameter
