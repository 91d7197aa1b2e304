"""Sweeps as operators of torch's, so that a program under `torch.compile` can hold them: `throughtime::sweep`.

The compiler sees lists of tensors in and out, with shapes that it can reason about and a gradient; what happens inside
is what happens outside of it. A cell goes in as a number, under which it is known here for as long as it lives.
"""

import itertools
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from throughtime.errors import UntraceableError
from throughtime.kernels import sweep
from throughtime.kernels.program import TYPES, Program, Wants, bind
from throughtime.kernels.sweep import Rows, unit_stride
from throughtime.kernels.trace import slots_of


class _Entry(NamedTuple):
    cell: Any  # a weak reference
    plain: Program  # without gradients
    differentiable: Program  # with gradients to everything


_entries: dict[int, _Entry] = {}
_numbers = itertools.count()


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def enter(cell: Any) -> int:
    """The number under which operators know a cell; -1 for one whose step cannot be compiled."""
    kind = next((p.dtype for p in cell.parameters() if p.is_floating_point()), torch.float32)
    with torch.no_grad():
        z, state = cell.project(torch.zeros(1, 1, cell.width, dtype=kind)), cell.initial(1)
        try:
            entry = _Entry(weakref.ref(cell), bind(cell, z, state).program, bind(cell, z, state, _everything).program)
        except UntraceableError:
            return -1
    number = next(_numbers)
    _entries[number] = entry
    weakref.finalize(cell, _entries.pop, number, None)
    return number


def _everything(groups: Sequence[Sequence[Tensor]]) -> Wants:
    return tuple(tuple(leaf.is_floating_point() for leaf in group) for group in groups)


@torch.compiler.allow_in_graph  # type: ignore[untyped-decorator]
def share(number: int, weights: list[Tensor]) -> list[Tensor]:
    """The shared tensors of a cell, made of its weights (in the order of `weights_of`)."""
    entry = _entries[number]
    cell = entry.cell()
    ours = [*cell.parameters(), *cell.buffers()]
    given = {id(mine): theirs for mine, theirs in zip(ours, weights, strict=True)}
    shared = entry.plain.traced.share([given[id(slot.tensor())] for slot in slots_of(cell)])
    return [tensor.view_as(tensor) for tensor in shared]  # an operator's input may not be its graph's own


def weights_of(cell: Any) -> list[Tensor]:
    """The parameters and buffers of a cell, by a way that the compiler can follow."""
    return [*cell.parameters(), *cell.buffers()]


@torch.library.custom_op("throughtime::sweep", mutates_args=())
def sweep_forward(
    z: list[Tensor],
    state: list[Tensor],
    anew: list[Tensor],
    shared: list[Tensor],
    lengths: Tensor,
    resets: Tensor | None,
    cell: int,
    reverse: bool,
    keep: bool,
) -> list[Tensor]:
    """The output, the leaves of the final state, and with `keep` the tape that the gradient needs."""
    rows = _rows(z, lengths, resets, reverse)
    leaves = [unit_stride(leaf) for leaf in z]
    done = sweep.forward(_program(cell, keep), rows, leaves, state, anew, shared, keep)
    return [done.output, *done.state, *(done.tape.values() if keep else ())]


@sweep_forward.register_fake
def _(
    z: list[Tensor],
    state: list[Tensor],
    anew: list[Tensor],
    shared: list[Tensor],
    lengths: Tensor,
    resets: Tensor | None,
    cell: int,
    reverse: bool,
    keep: bool,
) -> list[Tensor]:
    program = _program(cell, keep)
    batch, steps = z[0].shape[:2]
    tape = program.plan.saved if keep else {}
    return [
        z[0].new_empty(batch, steps, program.equations.output.width, dtype=program.output_type),
        *(torch.empty_like(leaf, memory_format=torch.contiguous_format) for leaf in state),
        *(z[0].new_empty(batch, steps, width, dtype=TYPES[kind]) for kind, width in tape.items()),
    ]


@torch.library.custom_op("throughtime::sweep_backward", mutates_args=())
def sweep_backward(
    z: list[Tensor],
    state: list[Tensor],
    anew: list[Tensor],
    shared: list[Tensor],
    lengths: Tensor,
    resets: Tensor | None,
    cell: int,
    reverse: bool,
    tape: list[Tensor],
    cotangents: list[Tensor],
) -> list[Tensor]:
    """Gradients of z, state, anew and shared, zeros where there are none; all cotangents are given."""
    rows, program = _rows(z, lengths, resets, reverse), _program(cell, True)
    grads = sweep.backward(
        program,
        rows,
        [unit_stride(leaf) for leaf in z],
        shared,
        dict(zip(program.plan.saved, tape, strict=True)),
        cotangents[0],
        cotangents[1:],
        state,
        sweep.new_z_grads(program, rows),
    )
    found = [*grads.z, *grads.state, *grads.anew[: len(anew)], *grads.shared]
    like = [*z, *state, *anew, *shared]
    return [torch.zeros_like(t) if g is None else g for g, t in zip(found, like, strict=True)]


@sweep_backward.register_fake
def _(
    z: list[Tensor],
    state: list[Tensor],
    anew: list[Tensor],
    shared: list[Tensor],
    lengths: Tensor,
    resets: Tensor | None,
    cell: int,
    reverse: bool,
    tape: list[Tensor],
    cotangents: list[Tensor],
) -> list[Tensor]:
    return [torch.empty_like(tensor) for tensor in (*z, *state, *anew, *shared)]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    z, state, anew, shared, lengths, resets, cell, reverse, _ = inputs
    results, tape = output[: 1 + len(state)], output[1 + len(state) :]
    ctx.sizes, ctx.options = [len(z), len(state), len(anew), len(shared)], (cell, reverse)
    ctx.results = [(result.shape, result.dtype) for result in results]
    marks = [] if resets is None else [resets]
    ctx.save_for_backward(*z, *state, *anew, *shared, lengths, *tape, *marks)
    ctx.depth = len(tape)


def _backward(ctx: Any, cotangents: list[Tensor | None]) -> Any:
    count = sum(ctx.sizes)
    saved, (lengths, *rest) = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
    tape, resets = rest[: ctx.depth], (rest[ctx.depth :] or [None])[0]
    given = [
        saved[0].new_zeros(shape, dtype=kind) if grad is None else grad
        for grad, (shape, kind) in zip(cotangents, ctx.results, strict=False)
    ]
    found = sweep_backward(*_groups(saved, ctx.sizes), lengths, resets, *ctx.options, tape, given)
    return (*_groups(found, ctx.sizes), None, None, None, None, None)


def _groups(flat: Sequence[Tensor], sizes: Sequence[int]) -> list[list[Tensor]]:
    starts = itertools.accumulate(sizes, initial=0)
    return [list(flat[start : start + size]) for start, size in zip(starts, sizes, strict=False)]


sweep_forward.register_autograd(_backward, setup_context=_setup)


def _rows(z: Sequence[Tensor], lengths: Tensor, resets: Tensor | None, reverse: bool) -> Rows:
    steps = z[0].shape[1]
    return Rows(lengths, steps, reverse, resets, int(lengths.min()) < steps)


def _program(number: int, differentiable: bool) -> Program:
    entry = _entries[number]
    return entry.differentiable if differentiable else entry.plain
