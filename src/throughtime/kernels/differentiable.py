"""Sweeps under autograd: one function of tensors, with a gradient, and the gradient's gradient by the plain loop."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from throughtime.kernels import sweep
from throughtime.kernels.program import Program
from throughtime.kernels.sweep import Rows, unit_stride
from throughtime.kernels.trace import Trace


class Leaves(NamedTuple):
    """All tensors that a sweep is a function of."""

    z: list[Tensor]  # each B T ...
    state: list[Tensor]  # each B ...
    anew: list[Tensor]  # like the state, where there are resets
    shared: list[Tensor]

    @classmethod
    def of(cls, flat: Sequence[Tensor], like: "Leaves | Sequence[int]") -> "Leaves":
        """Flat tensors in groups of these sizes."""
        groups, rest = [], list(flat)
        for size in like:
            count = size if isinstance(size, int) else len(size)
            groups.append(rest[:count])
            rest = rest[count:]
        return cls(*groups)


def run(program: Program, rows: Rows, leaves: Leaves, recompute: bool) -> tuple[Tensor, list[Tensor]]:
    """The outputs (B T W) and the leaves of the state after each row's last step."""
    sizes = [len(group) for group in leaves]
    flat = [tensor for group in leaves for tensor in group]
    if not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in flat)):
        done = sweep.forward(program, rows, [unit_stride(leaf) for leaf in leaves.z], *leaves[1:], keep=False)
        return done.output, done.state
    output, *state = _Sweep.apply(program, rows, sizes, recompute, *flat)  # type: ignore[no-untyped-call]
    return output, state


class _Sweep(torch.autograd.Function):
    """The function: flat tensors in, the output and the leaves of the new state out."""

    @staticmethod
    def forward(ctx: Any, program: Program, rows: Rows, sizes: list[int], recompute: bool, *flat: Tensor) -> Any:
        leaves = Leaves.of(flat, sizes)
        z = [unit_stride(leaf) for leaf in leaves.z]
        tape: dict[str, Tensor] = {}
        cuts: list[list[Tensor]] = []
        if recompute:
            output, state, cuts = _in_intervals(program, rows, leaves._replace(z=z))
        else:
            done = sweep.forward(program, rows, z, *leaves[1:], keep=True)
            output, state, tape = done.output, done.state, done.tape
        ctx.program, ctx.rows, ctx.sizes = program, rows, sizes
        ctx.kinds, ctx.depth = list(tape), len(cuts)
        ctx.save_for_backward(*flat, *tape.values(), *(leaf for cut in cuts for leaf in cut))
        ctx.set_materialize_grads(False)
        flows = program.equations.cotangents
        ctx.mark_non_differentiable(*(t for t, flow in zip((output, *state), flows, strict=True) if not flow))
        return (output, *state)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> Any:
        saved, count = ctx.saved_tensors, sum(ctx.sizes)  # asked for once: a checkpoint gives them once
        flat, rest = saved[:count], saved[count:]
        leaves = Leaves.of(flat, ctx.sizes)
        if torch.is_grad_enabled():
            found: Sequence[Tensor | None] = _plainly(ctx.program.traced, ctx.rows, leaves, cotangents)
        elif ctx.depth:
            cuts = [list(rest[n : n + ctx.sizes[1]]) for n in range(0, len(rest), ctx.sizes[1])]
            found = _from_cuts(ctx.program, ctx.rows, leaves, cuts, cotangents)
        else:
            tape = dict(zip(ctx.kinds, rest, strict=True))
            grads = sweep.backward(
                ctx.program,
                ctx.rows,
                [unit_stride(leaf) for leaf in leaves.z],
                leaves.shared,
                tape,
                cotangents[0],
                cotangents[1:],
                leaves.state,
                sweep.new_z_grads(ctx.program, ctx.rows),
            )
            found = [*grads.z, *grads.state, *grads.anew[: ctx.sizes[2]], *grads.shared]
        wanted = ctx.needs_input_grad[4:]
        return (None, None, None, None, *(g if want else None for g, want in zip(found, wanted, strict=True)))


def _intervals(rows: Rows) -> list[tuple[int, int]]:
    """Cuts of time, about as many as each is long, in the order of the sweep."""
    length = max(1, math.isqrt(rows.steps))
    cuts = [(start, min(start + length, rows.steps)) for start in range(0, rows.steps, length)]
    return cuts[::-1] if rows.reverse else cuts


def _in_intervals(program: Program, rows: Rows, leaves: Leaves) -> tuple[Tensor, list[Tensor], list[list[Tensor]]]:
    """A forward sweep that keeps only the states at the cuts."""
    output, state, cuts = sweep.new_output(program, rows), leaves.state, []
    for start, stop in _intervals(rows):
        cuts.append(state)
        part, z = rows.between(start, stop), [leaf[:, start:stop] for leaf in leaves.z]
        done = sweep.forward(program, part, z, state, leaves.anew, leaves.shared, False, output[:, start:stop])
        state = done.state
    return output, state, cuts


def _from_cuts(
    program: Program, rows: Rows, leaves: Leaves, cuts: list[list[Tensor]], cotangents: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """A backward sweep that makes each interval's tape again before it needs it."""
    z_leaves, z_grads = [unit_stride(leaf) for leaf in leaves.z], sweep.new_z_grads(program, rows)
    state_grads: list[Tensor | None] = list(cotangents[1:])
    sums: list[Tensor | None] = [None] * (len(leaves.anew) + len(leaves.shared))
    for (start, stop), state in reversed(list(zip(_intervals(rows), cuts, strict=True))):
        part, z = rows.between(start, stop), [leaf[:, start:stop] for leaf in z_leaves]
        tape = sweep.forward(program, part, z, state, leaves.anew, leaves.shared, True).tape
        grad = None if cotangents[0] is None else cotangents[0][:, start:stop]
        slices = [None if whole is None else whole[:, start:stop] for whole in z_grads]
        grads = sweep.backward(program, part, z, leaves.shared, tape, grad, state_grads, state, slices)
        state_grads = grads.state
        sums = [_sum(*pair) for pair in zip(sums, [*grads.anew[: len(leaves.anew)], *grads.shared], strict=True)]
    return [*z_grads, *state_grads, *sums]


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return other if one is None else one if other is None else one + other


def _plainly(
    traced: Trace, rows: Rows, leaves: Leaves, cotangents: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """The gradient as a graph of its own, which can be differentiated again: the plain loop's."""
    flat = [tensor.view_as(tensor) for group in leaves for tensor in group]  # each place has a gradient of its own
    output, state = plain(traced, rows, Leaves.of(flat, leaves))
    pairs = [(t, g) for t, g in zip((output, *state), cotangents, strict=True) if g is not None and t.requires_grad]
    asked = [tensor for tensor in flat if tensor.requires_grad]
    roots, given = [t for t, _ in pairs], [grad for _, grad in pairs]
    found = torch.autograd.grad(roots, asked, given, create_graph=True, allow_unused=True)
    by_place = dict(zip([n for n, t in enumerate(flat) if t.requires_grad], found, strict=True))
    return tuple(by_place.get(n) for n in range(len(flat)))


def plain(traced: Trace, rows: Rows, leaves: Leaves) -> tuple[Tensor, list[Tensor]]:
    """The sweep by torch, step by step."""
    state, outputs = leaves.state, {}
    order = range(rows.steps)
    for t in reversed(order) if rows.reverse else order:
        if rows.resets is not None:
            state = [_where(rows.resets[:, t], *pair) for pair in zip(leaves.anew, state, strict=True)]
        y, *new = traced.step([leaf[:, t] for leaf in leaves.z], state, leaves.shared)
        alive = t < rows.lengths
        outputs[t] = y * alive[:, None]
        state = [_where(alive, *pair) for pair in zip(new, state, strict=True)]
    return torch.stack([outputs[t] for t in order], 1), state


def _where(mask: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(mask.view(-1, *[1] * (yes.dim() - 1)), yes, no)
