"""Steady weights: where they stay as they are for a while, a step of a core is compiled with them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from throughtime import tree
from throughtime.errors import UntraceableError
from throughtime.kernels.run import plain
from throughtime.kernels.step import CompiledStep
from throughtime.layers.scan import Core

S = TypeVar("S")

WIDE = 64  # units of a core, from which on its step is worth a compilation

_kept: ContextVar["dict[nn.Module, _Kept] | None"] = ContextVar("steps", default=None)


@contextmanager
def steady() -> Iterator[None]:
    """In here `step` compiles. Inside of another one that one's steps are used.

    A weight that is changed in place is seen; none may be put in the place of another.
    """
    if _kept.get() is not None:
        yield
        return
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


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
    found = None
    asked = _kept.get() is not None and core.hidden >= WIDE and not getattr(core, "training", False)
    if asked and len(x) and not torch.is_grad_enabled() and plain(x):
        found = _compiled(core, x, state)
    if found is None:
        return core.step(x, state)
    before = [leaf.contiguous() for _, leaf in tree.leaves(state)]
    after = [torch.empty_like(leaf) for leaf in before]
    y = found(x.contiguous(), before, after)
    rest = iter(after)
    return y, tree.map(lambda _: next(rest), state)


class _Kept:
    """A core's step as it was compiled, if it could be, and what of it would have to be the same."""

    def __init__(self, core: Any, x: Tensor, state: Any) -> None:
        self.weights = list(core.parameters()) + list(core.buffers())
        self.seen = self.now(x, state)
        self.step: CompiledStep | None = None
        if all(leaf.device.type == "cpu" for leaf in self.weights):
            with suppress(UntraceableError):  # which a scan has said already
                self.step = CompiledStep(core, state, x.dtype)

    def now(self, x: Tensor, state: Any) -> Any:
        """What a compiled step goes by."""
        leaves = [(leaf.shape[1:], leaf.dtype) for _, leaf in tree.leaves(state)]
        return [weight._version for weight in self.weights], x.dtype, x.shape[1:], leaves


def _compiled(core: Any, x: Tensor, state: Any) -> CompiledStep | None:
    """The step that was compiled for a core, or is now; None where it cannot be."""
    kept = _kept.get()
    assert kept is not None
    found = kept.get(core)
    if found is None or found.seen != found.now(x, state):
        found = kept[core] = _Kept(core, x, state)
    return found.step
