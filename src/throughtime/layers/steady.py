"""Steady weights: where they stay as they are for a while, a step of a core is compiled with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from throughtime import tree
from throughtime.errors import UntraceableError
from throughtime.kernels.program import condition_of
from throughtime.kernels.run import fits, plain, say_once
from throughtime.kernels.step import CompiledStep
from throughtime.kernels.trace import slots_of
from throughtime.layers.scan import Core

S = TypeVar("S")

WIDE = 64  # units of a core, from which on its step is worth a compilation


class _Here(threading.local):
    """What is kept in this thread: nothing, outside of `steady`."""

    kept: dict[nn.Module, _Kept] | None = None


_here = _Here()


@contextmanager
def steady() -> Iterator[None]:
    """In here, in this thread, `step` compiles. Inside of another one that one's steps are used.

    A core that changes is compiled anew, unless its weights change behind autograd's back, through `weight.data`.
    Not for a generator to yield in: whoever asks it for more would be in here too.
    """
    if _here.kept is not None:
        yield
        return
    _here.kept = {}
    try:
        yield
    finally:
        _here.kept = None


def step(core: Core[S], x: Tensor, state: S) -> tuple[Tensor, S]:
    """`core.step`: an output (B H) for each row of x (B D), and the state after it.

    Inside of `steady`, in evaluation, without gradients and on the CPU it is one call of machine code, for a core of 64
    units or more whose step can be compiled. A row comes out the same in any company then, to the last bit.

    >>> from throughtime.cells import GRU
    >>> from throughtime.layers import Recurrent
    >>> core = Recurrent(GRU(3, 64)).eval()
    >>> with steady(), torch.no_grad():
    ...     y, state = step(core, torch.ones(2, 3), core.initial(2))
    >>> torch.allclose(y, core.step(torch.ones(2, 3), core.initial(2))[0], atol=1e-6)
    True
    """
    found = _compiled(core, x, state, _here.kept) if _here.kept is not None and _is_asked(core, x, state) else None
    if found is None:
        return core.step(x, state)
    before = [leaf.contiguous() for _, leaf in tree.leaves(state)]
    after = [torch.empty_like(leaf) for leaf in before]
    y = found(x.contiguous(), before, after)
    rest = iter(after)
    return y, tree.map(lambda _: next(rest), state)


def _is_asked(core: Any, x: Tensor, state: Any) -> bool:
    """Whether a step may be compiled, and these are what it takes: else the core's own knows what to do or to say."""
    if core.hidden < WIDE or torch.is_grad_enabled() or not isinstance(core, nn.Module) or core.training:
        return False
    rows = len(x)
    leaves = [leaf for _, leaf in tree.leaves(state)]
    fit = all(leaf.dim() and len(leaf) == rows and fits(leaf) for leaf in leaves)
    return fit and rows > 0 and x.shape == (rows, core.width) and plain(x)


class _Kept:
    """A core's step as it was compiled, if it could be, and what of it would have to be the same."""

    def __init__(self, core: Any, x: Tensor, state: Any) -> None:
        self.slots = slots_of(core)
        self.weights = [slot.tensor() for slot in self.slots]
        self.step: CompiledStep | None = None
        if any(weight.is_inference() for weight in self.weights):
            self.seen: Any = None
            return
        self.seen = self.now(core, x, state)
        try:
            self.step = CompiledStep(core, state, x.dtype)
        except UntraceableError as error:
            say_once(type(core), str(error))

    def still(self, core: Any, x: Tensor, state: Any) -> bool:
        """Whether all is as it was."""
        same = all(slot.table.get(slot.name) is weight for slot, weight in zip(self.slots, self.weights, strict=True))
        return same and (self.seen is None or self.seen == self.now(core, x, state))

    def now(self, core: Any, x: Tensor, state: Any) -> Any:
        """What a compiled step goes by."""
        leaves = [(leaf.shape[1:], leaf.dtype) for _, leaf in tree.leaves(state)]
        return [weight._version for weight in self.weights], condition_of(core), x.dtype, leaves


def _compiled(core: Any, x: Tensor, state: Any, kept: dict[nn.Module, _Kept]) -> CompiledStep | None:
    """The step that was compiled for a core, or is now; None where it cannot be."""
    found = kept.get(core)
    if found is None or not found.still(core, x, state):
        found = kept[core] = _Kept(core, x, state)
    return found.step
