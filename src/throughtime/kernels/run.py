"""The door of the compiled sweeps: a cell swept over padded inputs, or None where no sweep can do it."""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

from throughtime import tree
from throughtime.errors import ArgumentError, UntraceableError
from throughtime.kernels import differentiable
from throughtime.kernels.differentiable import Leaves
from throughtime.kernels.program import Bound, asked, bind
from throughtime.kernels.sweep import Rows
from throughtime.padded import Padded

S = TypeVar("S")

MANY = 8  # rows from which a product of one step is as fast as one of all steps


class PlainLoopWarning(UserWarning):
    """A cell runs step by step, because its step does what no compiled sweep can do. Said once for a cell."""


def swept(
    cell: Any, inputs: Padded, state: S, *, reverse: bool = False, resets: Tensor | None = None, recompute: bool = False
) -> tuple[Tensor, S] | None:
    """The outputs (B T H) and the final state by a compiled sweep; None where the plain loop has to run.

    A sweep has float32 and float64 numbers on the CPU. What stands in the way of a step is said once, in a warning.
    Raises `ArgumentError` when the state or what the cell projects does not fit the inputs.
    """
    if torch.compiler.is_compiling():
        return _in_graph(cell, inputs, state, reverse, resets)
    if inputs.data.numel() == 0 or not plain(inputs.data):
        return None
    batch, steps = inputs.data.shape[:2]
    anew: list[Tensor] = []
    if resets is not None:
        resets = (resets & inputs.mask).contiguous()
        anew = [leaf for _, leaf in tree.leaves(cell.initial(batch))]
        _check_beginning(cell, anew, state)
    try:
        found = _bound(cell, inputs.data, state, anew, recompute)
    except UntraceableError as error:
        say_once(type(cell), str(error))
        return None
    if found is None:
        return None
    bound, z_leaves, state_leaves = found
    lengths = inputs.lengths if inputs.is_full else inputs.lengths.clone()  # the gradient comes later, and reads them
    rows = Rows(lengths, steps, reverse, resets, not inputs.is_full)
    leaves = Leaves(z_leaves, state_leaves, anew, bound.shared)
    output, new = differentiable.run(bound.program, rows, leaves, recompute)
    rest = iter(new)
    return output, tree.map(lambda _: next(rest), state)


def _bound(
    cell: Any, x: Tensor, state: Any, anew: Sequence[Tensor], recompute: bool
) -> tuple[Bound, list[Tensor], list[Tensor]] | None:
    """The program with the leaves that it reads; None for numbers that no sweep has.

    Without gradients and on many rows, or to save memory, inputs are projected step by step inside the sweep: nothing
    B T G is written, and padding is not projected at all. Else all steps are projected at once.
    """
    shape, state_leaves = tuple(x.shape[:2]), [leaf for _, leaf in tree.leaves(state)]
    if not state_leaves or not all(map(fits, state_leaves)):
        return None
    _check(state_leaves, shape[:1], "state", cell)
    wants = partial(asked, anew=anew)
    if recompute or (not torch.is_grad_enabled() and len(x) >= MANY):
        try:
            return bind(cell, x, state, wants, projecting=True), [x], state_leaves
        except UntraceableError:
            pass  # `project` may do what a sweep cannot: draw masks, look at all steps
    z = cell.project(x)
    z_leaves = [leaf for _, leaf in tree.leaves(z)]
    if not z_leaves or not all(map(fits, z_leaves)):
        return None
    _check(z_leaves, shape, "z", cell)
    return bind(cell, z, state, wants), z_leaves, state_leaves


def _in_graph(cell: Any, inputs: Padded, state: S, reverse: bool, resets: Tensor | None) -> tuple[Tensor, S] | None:
    """`swept` for torch's compiler: an operator in its graph."""
    from throughtime.kernels import operator  # brings torch's compiler with it, which is here already

    number = operator.enter(cell) if inputs.data.device.type == "cpu" else -1
    if number < 0:
        return None
    z_leaves, state_leaves = ([leaf for _, leaf in tree.leaves(part)] for part in (cell.project(inputs.data), state))
    anew = []
    if resets is not None:
        resets = resets & inputs.mask
        anew = [leaf for _, leaf in tree.leaves(cell.initial(len(inputs.data)))]
    shared = operator.share(number, operator.weights_of(cell))
    everything = (*z_leaves, *state_leaves, *anew, *shared)
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in everything)
    found = operator.sweep_forward(z_leaves, state_leaves, anew, shared, inputs.lengths, resets, number, reverse, keep)
    rest = iter(found[1:])
    return found[0], tree.map(lambda _: next(rest), state)


def plain(data: Tensor) -> bool:
    """Whether a sweep has such numbers and nothing stands between: no transform, tangent, listener or autocast."""
    if torch._C._functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0:
        return False
    if torch._C._len_torch_dispatch_stack() > 0 or torch._C._is_tracing():
        return False
    return not torch.is_autocast_enabled("cpu") and fits(data)


def fits(leaf: Tensor) -> bool:
    """Whether a sweep can read such a tensor."""
    kinds = (torch.float32, torch.float64, torch.int64, torch.bool)
    if type(leaf) not in (Tensor, torch.nn.Parameter) or leaf.device.type != "cpu" or leaf.dtype not in kinds:
        return False
    return leaf.layout is torch.strided and not leaf.is_neg()


def _check_beginning(cell: Any, anew: Sequence[Tensor], state: Any) -> None:
    """Refuses to begin anew with what is not like the state."""
    ours, theirs = (
        [(tuple(t.shape), t.dtype) for t in leaves] for leaves in (anew, [t for _, t in tree.leaves(state)])
    )
    if ours != theirs:
        raise ArgumentError(
            f"resets begin with {type(cell).__name__}.initial, whose leaves are {ours}; those of the state are {theirs}"
        )


def _check(leaves: list[Tensor], shape: tuple[int, ...], name: str, cell: Any) -> None:
    for leaf in leaves:
        if tuple(leaf.shape[: len(shape)]) != shape:
            raise ArgumentError(
                f"{name} of {type(cell).__name__} begins with {list(leaf.shape[: len(shape)])}; "
                f"the inputs want {list(shape)}: {'B T' if len(shape) == 2 else 'B'} ..."
            )


_said: set[tuple[type, str]] = set()


def say_once(kind: type, reason: str) -> None:
    """Says once why cells of a kind are slow."""
    if (kind, reason) not in _said:
        _said.add((kind, reason))
        warnings.warn(f"{kind.__name__} runs in the plain loop, step by step: {reason}", PlainLoopWarning, stacklevel=4)
