"""Sweeps: a program run over all rows and times at once, forward and backward.

All memory is torch's: outputs, tape and gradients are tensors B T ..., and what a kernel needs for itself is freed when
it is done. A kernel gets one table of addresses, strides and sizes; rows go sorted by length, so that the rows that are
still alive stand together, and no thread waits for another.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor

from throughtime.kernels import launch
from throughtime.kernels.emit import Word
from throughtime.kernels.expression import Source
from throughtime.kernels.plan import Column
from throughtime.kernels.product import pack
from throughtime.kernels.program import LINE, TYPES, Compiled, Program, spread
from throughtime.kernels.schedule import Area, Kernel

T = TypeVar("T")

PARALLEL = 2.0e6  # floating-point operations below which a second thread costs more than it gives


@dataclass(frozen=True)
class Rows:
    """Which rows are swept how far: what forward and backward agree on."""

    lengths: Tensor  # B, int64
    steps: int  # T
    reverse: bool
    resets: Tensor | None  # B T, bool
    ragged: bool  # whether some row is shorter than the others

    def between(self, start: int, stop: int) -> "Rows":
        """The same rows over an interval of time."""
        resets = None if self.resets is None else self.resets[:, start:stop]
        lengths, steps = (self.lengths - start).clamp(0, stop - start), stop - start
        return Rows(lengths, steps, self.reverse, resets, self.ragged and int(lengths.min()) < steps)


@dataclass
class Run:
    """What a forward sweep gives."""

    output: Tensor  # B T W
    state: list[Tensor]
    tape: dict[str, Tensor]  # by element type: B T units


@dataclass
class Grads:
    """What a backward sweep gives; None where nobody asked."""

    z: list[Tensor | None]
    state: list[Tensor | None]
    anew: list[Tensor | None]  # of the states that resets begin with
    shared: list[Tensor | None]


def forward(
    program: Program,
    rows: Rows,
    z: Sequence[Tensor],
    state: Sequence[Tensor],
    anew: Sequence[Tensor],
    shared: Sequence[Tensor],
    keep: bool,
    output: Tensor | None = None,
) -> Run:
    """Sweeps from a state to a state. `keep` keeps the tape for `backward`; `anew` is the state at resets, if any.

    The output goes to `output` where one is given, which holds zeros past each length.
    """
    batch, steps = len(rows.lengths), rows.steps
    if output is None:
        output = new_output(program, rows)
    table = Table(program, program.forward, program.plan.forward, rows)
    tape = {}
    for kind, width in program.plan.saved.items():
        tape[kind] = _new(rows, (batch, steps if keep else 1, width), TYPES[kind])
        table.timed(("saved", kind), tape[kind] if keep else tape[kind].expand(batch, steps, width))
    table.timed(("output", 0), output)
    for n, leaf in enumerate(z):
        table.timed(("z", n), leaf)
    table.adopt(*laid_out(program, table.compiled, shared))
    finals = [torch.empty_like(leaf, memory_format=torch.contiguous_format) for leaf in state]
    for n, leaf in enumerate(state):
        table.hand(("state", n), leaf, finals[n], anew[n] if anew else leaf)
    table.run(descending=rows.reverse)
    return Run(output, finals, tape)


def new_output(program: Program, rows: Rows) -> Tensor:
    """Room for the outputs of all steps; zero where a row has none."""
    return _new(rows, (len(rows.lengths), rows.steps, program.equations.output.width), program.output_type)


def new_z_grads(program: Program, rows: Rows) -> list[Tensor | None]:
    """Room for the gradients of z; zero where a row has no step, None where nobody asks."""
    graph = program.plan.graph
    shape = (len(rows.lengths), rows.steps)
    return [
        None
        if grad is None
        else _new(rows, shape if grad.flat else (*shape, grad.width), TYPES[graph[grad.pieces[0].node].element])
        for grad in program.equations.z_grads
    ]


def backward(
    program: Program,
    rows: Rows,
    z: Sequence[Tensor | None],
    shared: Sequence[Tensor],
    tape: dict[str, Tensor],
    output_grad: Tensor | None,
    state_grads: Sequence[Tensor | None],
    state: Sequence[Tensor],
    z_grads: list[Tensor | None],
) -> Grads:
    """Sweeps back from cotangents to gradients; `state` is any state of the right shape, `z_grads` are filled in."""
    batch, steps, plan = len(rows.lengths), rows.steps, program.plan
    table = Table(program, program.backward, _present(plan.backward), rows)
    for kind, kept in tape.items():
        table.timed(("saved", kind), kept)
    for kind, width in plan.spare.items():
        table.timed(("spare", kind), _new(rows, (batch, steps, width), TYPES[kind]))
    for n, leaf in enumerate(z):
        if leaf is not None:
            table.timed(("z", n), leaf)
    if output_grad is None:
        output_grad = torch.zeros(1, 1, program.equations.output.width, dtype=program.output_type, device="cpu")
        output_grad = output_grad.expand(batch, steps, -1)
    table.timed(("cotangent", 0), unit_stride(output_grad))
    for n, grad in enumerate(z_grads):
        if grad is not None:
            table.timed(("z_grad", n), grad)
    table.adopt(*laid_out(program, table.compiled, shared))
    for n, kind in plan.totals.items():
        table.total(n, shared[n].numel(), kind)
    first: list[Tensor | None] = [None] * len(state)
    anew: list[Tensor | None] = [None] * len(state)
    for _, which in program.flowing:
        n = int(which) - 1
        given = state_grads[n]
        given = torch.zeros_like(state[n]) if given is None else given
        first[n], anew[n] = (
            torch.empty_like(state[n], memory_format=torch.contiguous_format),
            torch.zeros_like(state[n]),
        )
        table.hand(("cotangent", n + 1), given, _present(first[n]), _present(anew[n]))
    table.run(descending=not rows.reverse)
    return Grads(z_grads, first, anew, _shared_grads(program, shared, table))


def _shared_grads(program: Program, shared: Sequence[Tensor], table: "Table") -> list[Tensor | None]:
    """Sums over rows for vectors; for matrices one product over all rows and times."""
    grads: list[Tensor | None] = [None] * len(shared)
    for n, total in table.totals.items():
        grads[n] = torch.from_numpy(total.numpy().sum(0)).reshape(shared[n].shape)
    for n, pairs in program.plan.outers.items():
        turned = shared[n].stride(0) < shared[n].stride(1)
        whole = shared[n].new_empty(shared[n].shape[::-1] if turned else shared[n].shape)
        for adds, (left, right) in enumerate(pairs):
            sides = (right, left) if turned else (left, right)
            _product_of_columns(table, *sides, whole, bool(adds))
        whole, before = whole.t() if turned else whole, grads[n]  # a matrix of one row may be read as a vector too
        grads[n] = whole if before is None else whole + before
    return grads


def _product_of_columns(
    table: "Table", left: Sequence[Column], right: Sequence[Column], whole: Tensor, adds: bool
) -> None:
    """The transposed left columns times the right ones, block by block."""
    row = 0
    for a in left:
        column = 0
        for b in right:
            block = whole[row : row + a.width, column : column + b.width]
            one, other = (table.columns[c.area].flatten(0, 1)[:, c.offset : c.offset + c.width] for c in (a, b))
            if adds:
                block.addmm_(one.t(), other)
            else:
                torch.mm(one.t(), other, out=block)
            column += b.width
        row += a.width


class Table:
    """What a kernel is told: a number for each of its words. Tensors that it speaks of live as long as it does."""

    def __init__(self, program: Program, compiled: Compiled, kernel: Kernel, rows: Rows) -> None:
        self.program, self.compiled, self.kernel, self.rows = program, compiled, kernel, rows
        self.values: dict[Word, int] = dict(compiled.constants)
        self.alive: list[Tensor] = []
        self.columns: dict[Source, Tensor] = {}  # what the weights' gradients are made of
        self.totals: dict[int, Tensor] = {}
        self.scratch: list[tuple[Word, int]] = [(("base", area), size) for area, size in compiled.scratch.items()]
        self.values |= {("stride", area): size for area, size in compiled.scratch.items()}

    def timed(self, area: Source, tensor: Tensor) -> None:
        """An area with a place for every row and time: B T units, or B T."""
        size = tensor.element_size()
        self.values["base", area] = tensor.data_ptr()
        self.values["rows", area] = tensor.stride(0) * size
        self.values["steps", area] = tensor.stride(1) * size
        self.columns[area] = tensor

    def hand(self, area: Area, given: Tensor, final: Tensor, anew: Tensor) -> None:
        """A leaf of the state: as it comes, where it ends, and what resets put there (or take from there)."""
        size = final.stride(0) * final.element_size() if len(final) > 1 else final.numel() * final.element_size()
        stride = spread(size)
        self.values["bytes", area], self.values["stride", area] = size, stride
        self.scratch += [(("first", area), stride), (("second", area), stride)]
        for name, tensor in (("given", given.contiguous()), ("final", final), ("anew", anew.contiguous())):
            self.values[name, area] = tensor.data_ptr()
            self.alive.append(tensor)

    def adopt(self, values: dict[Word, int], alive: list[Tensor]) -> None:
        """The tensors that all rows share, as `laid_out` gives them."""
        self.values |= values
        self.alive += alive

    def total(self, n: int, width: int, kind: str) -> None:
        """Room for a sum of its own for every row."""
        tensor = self.totals[n] = torch.zeros(len(self.rows.lengths), max(width, 1), dtype=TYPES[kind], device="cpu")
        self.values["base", ("total", n)] = tensor.data_ptr()
        self.values["stride", ("total", n)] = tensor.stride(0) * tensor.element_size()

    def words(self, descending: bool, threads: int) -> "array[int]":
        """The table: a counter, and all words in the order that the kernel reads them."""
        batch, resets = len(self.rows.lengths), self.rows.resets
        shares = _shares(self.rows, threads)
        room = torch.empty(batch * sum(size for _, size in self.scratch) + LINE, dtype=torch.uint8, device="cpu")
        self.alive += [*shares, room]
        place = -(-room.data_ptr() // LINE) * LINE
        for word, size in self.scratch:
            self.values[word] = place
            place += batch * size
        marks = (0, 0, 0) if resets is None else (resets.data_ptr(), resets.stride(0), resets.stride(1))
        order, lengths, starts = shares
        lists = (starts.data_ptr(), order.data_ptr(), lengths.data_ptr())
        fixed = (threads, *lists, int(descending), *marks)
        words = self.compiled.emitted.words[len(fixed) :]
        return array("q", (0, *fixed, *[self.values[word] for word in words]))

    def run(self, descending: bool) -> None:
        """Runs the kernel, on as many threads as the work is worth."""
        batch = len(self.rows.lengths)
        threads = threads_for(self.compiled, batch, self.rows.steps)
        table = self.words(descending, threads)
        launch.run(self.compiled.address, table.buffer_info()[0], threads)


def laid_out(program: Program, compiled: Compiled, shared: Sequence[Tensor]) -> tuple[dict[Word, int], list[Tensor]]:
    """Addresses of the tensors that all rows share, matrices packed for their products; and what has to stay alive."""
    values, alive = dict[Word, int](), list[Tensor]()
    for n in compiled.vectors:
        alive.append(shared[n].detach().contiguous())
        values["base", ("shared", n)] = alive[-1].data_ptr()
    for which in compiled.products:
        product = program.plan.products[which]
        matrix = shared[product.shared].detach()
        alive.append(pack(matrix.t() if product.turned else matrix, program.lanes))
        values["weight", which] = alive[-1].data_ptr()
    return values, alive


def threads_for(compiled: Compiled, rows: int, steps: int) -> int:
    """As many threads as the work is worth."""
    return 1 if compiled.work * rows * steps < PARALLEL else min(launch.threads(), rows)


def unit_stride(tensor: Tensor) -> Tensor:
    """The tensor with its units side by side."""
    return tensor if tensor.dim() < 3 or tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()


def _shares(rows: Rows, threads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Row numbers in the order of the slots, their lengths, and where each thread's slots begin."""
    if not rows.ragged:
        return _full_shares(len(rows.lengths), rows.steps, threads)
    return _ragged_shares(rows.lengths, threads)


@lru_cache(maxsize=256)
def _full_shares(batch: int, steps: int, threads: int) -> tuple[Tensor, Tensor, Tensor]:
    starts = torch.tensor([batch * n // threads for n in range(threads + 1)], device="cpu")
    return torch.arange(batch, device="cpu"), torch.full((batch,), steps, device="cpu"), starts


def _ragged_shares(lengths: Tensor, threads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Longest rows first, dealt out in turn."""
    falling = torch.argsort(lengths, descending=True, stable=True)
    hands = [falling[n::threads] for n in range(threads)]
    order = torch.cat(hands)
    starts = torch.tensor([0, *[len(hand) for hand in hands]], device="cpu").cumsum(0)
    return order, lengths[order].contiguous(), starts


def _new(rows: Rows, shape: tuple[int, ...], kind: torch.dtype) -> Tensor:
    """Room for something of every row and step, on the CPU wherever others put theirs; zero where there is no step."""
    return (torch.zeros if rows.ragged else torch.empty)(shape, dtype=kind, device="cpu")


def _present(value: T | None) -> T:
    """The value, which the plan says is there."""
    assert value is not None
    return value
