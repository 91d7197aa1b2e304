"""The protocol of a cell, what its projection holds, and how its weights start.

A cell is the equations of one step, written once:

    project : x (B T D) -> z      everything that needs no memory, for all T at once
    step    : z_t, s -> y_t, s    everything else, pure: a state goes in, an output and a new state come out

Any module with `width`, `hidden`, `initial`, `project` and `step` is a cell; nothing is inherited or registered.
`z` is a tree whose tensors begin with B T (a tensor will do), a state is a NamedTuple whose tensors begin with B.
`throughtime.check_cell` holds any cell to the laws.
"""

from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from throughtime.errors import ArgumentError

S = TypeVar("S")


@runtime_checkable
class Cell(Protocol[S]):
    """What `scan` asks of a cell. See the module's docstring."""

    width: int  # of the inputs
    hidden: int  # of the outputs

    def initial(self, batch: int) -> S:
        """The state before the first step, for `batch` rows."""
        ...

    def project(self, x: Tensor) -> Any:
        """All of the work on the inputs that needs no memory: x (B T D) to z (B T ...)."""
        ...

    def step(self, z: Any, state: S) -> tuple[Tensor, S]:
        """One step: z at a time (B ...) and the state before it, to the output (B H) and the state after it."""
        ...


class HiddenState(NamedTuple):
    """The state of a cell whose memory is its output."""

    hidden: Tensor  # B H

    @classmethod
    def zeros(cls, batch: int, weight_hh: Tensor) -> "HiddenState":
        """Zeros of H columns, of the type and on the device of the weights (G H)."""
        return cls(weight_hh.new_zeros(batch, weight_hh.shape[1]))


class CellState(NamedTuple):
    """The state of the LSTM family."""

    hidden: Tensor  # B H
    cell: Tensor  # B H

    @classmethod
    def zeros(cls, batch: int, weight_hh: Tensor) -> "CellState":
        """Zeros of H columns, of the type and on the device of the weights (G H)."""
        zeros = weight_hh.new_zeros(batch, weight_hh.shape[1])
        return cls(zeros, zeros)


class Projected(NamedTuple):
    """What the cells of this package project their inputs to."""

    gates: Tensor  # B T G   the input products, bias included
    keep: Tensor | None = None  # B T H   recurrent dropout's mask over the units that recurrent products see


@runtime_checkable
class Droppable(Protocol):
    """What recurrent dropout asks of a cell."""

    hidden: int
    recurrent_dropout: float
    training: bool


def projected(cell: Droppable, gates: Tensor) -> Projected:
    """The input products with recurrent dropout's mask: one draw for a row, the same at all of its steps.

    Source: Gal and Ghahramani (2016), "A Theoretically Grounded Application of Dropout in Recurrent Neural
    Networks", section 4. Kept units are scaled by 1 / (1 - rate); there is no mask in evaluation.
    """
    if not cell.training or cell.recurrent_dropout == 0:
        return Projected(gates)
    chance = gates.new_full((gates.shape[0], 1, cell.hidden), 1 - cell.recurrent_dropout)
    keep = torch.bernoulli(chance) / (1 - cell.recurrent_dropout)
    return Projected(gates, keep.expand(-1, gates.shape[1], -1))


def seen(hidden: Tensor, keep: Tensor | None) -> Tensor:
    """The hidden state as the recurrent products see it: masked where recurrent dropout is on."""
    return hidden if keep is None else hidden * keep


class GateWeights(NamedTuple):
    """The four parameters that torch.nn's cells have, under torch.nn's names."""

    weight_ih: nn.Parameter  # G D
    weight_hh: nn.Parameter  # G H
    bias_ih: nn.Parameter | None  # G
    bias_hh: nn.Parameter | None  # G


def gate_weights(gates: int, width: int, hidden: int, bias: bool = True) -> GateWeights:
    """New weights for `gates` blocks of `hidden` rows; biases are zero.

    Input weights are Xavier-uniform and recurrent weights orthogonal, each gate's block by itself.

    Source: Glorot and Bengio (2010) for the inputs; Saxe et al. (2014) and Henaff et al. (2016) for the
    orthogonal recurrence, which neither shrinks nor grows what it carries.
    """
    for name, size in (("width", width), ("hidden", hidden)):
        if size < 1:
            raise ArgumentError(f"{name} must be at least 1; got {size}")
    weight_ih, weight_hh = torch.empty(gates * hidden, width), torch.empty(gates * hidden, hidden)
    for block in weight_ih.chunk(gates):
        nn.init.xavier_uniform_(block)
    for block in weight_hh.chunk(gates):
        nn.init.orthogonal_(block)
    bias_ih, bias_hh = (nn.Parameter(torch.zeros(gates * hidden)) if bias else None for _ in range(2))
    return GateWeights(nn.Parameter(weight_ih), nn.Parameter(weight_hh), bias_ih, bias_hh)


def open_gate(bias: Tensor | None, place: int, hidden: int) -> None:
    """Sets the bias of the gate number `place` to 1: a forget gate so opened starts by remembering.

    Source: Gers et al. (2000); Jozefowicz et al. (2015), section 4.
    """
    if bias is not None:
        nn.init.ones_(bias.detach()[place * hidden : (place + 1) * hidden])


def check_rate(name: str, rate: float) -> float:
    """The rate itself; refused outside of [0, 1)."""
    if not 0 <= rate < 1:
        raise ArgumentError(f"{name} must be in [0, 1); got {rate}")
    return rate
