"""Streams: a core that reads one item of each row at a time and answers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from throughtime import tree
from throughtime.errors import ArgumentError, UntraceableError
from throughtime.kernels.run import say_once
from throughtime.kernels.step import CompiledStep

if TYPE_CHECKING:
    from throughtime.layers.scan import Core

S = TypeVar("S")


class Stream(Generic[S]):
    """A core at work on `batch` sequences that never end: `core.stream(batch)` gives one.

    `step` reads the next item of every row; `state` is a value, of the type that the core's `forward` takes and gives:
    read it to save the stream, set it to go on from there. The weights are those that the core had when the stream was
    made. On the CPU in float32 or float64 a step is one call of machine code, without gradients; a core whose step
    cannot be compiled takes it in torch.

    Raises `ArgumentError` when the core is in training (it would drop units at random), or an item or a state
    does not fit.

    >>> from throughtime.cells import GRU
    >>> from throughtime.layers import Recurrent
    >>> stream = Recurrent(GRU(3, 4)).eval().stream(2)
    >>> stream.step(torch.ones(2, 3)).shape
    torch.Size([2, 4])
    >>> saved = stream.state
    >>> once, stream.state = stream.step(torch.ones(2, 3)), saved
    >>> torch.equal(once, stream.step(torch.ones(2, 3)))
    True
    """

    def __init__(self, core: Core[S], batch: int = 1, state: S | None = None) -> None:
        if batch < 1:
            raise ArgumentError(f"batch must be at least 1; got {batch}")
        if not core.causal:
            raise ArgumentError(f"{type(core).__name__} needs the whole sequence, so it cannot read a stream of it")
        if getattr(core, "training", False):
            raise ArgumentError("a stream is for a core in evaluation; call core.eval() first")
        self.core, self.batch = core, batch
        with torch.no_grad():
            self._state = tree.map(_own, core.initial(batch))  # whose leaves may be one tensor of zeros
        self._kind, self._device = _numbers_of(core, self._state)
        self._leaves = [leaf for _, leaf in tree.leaves(self._state)]
        self._compiled = self._compile()
        if state is not None:
            self.state = state

    def _compile(self) -> CompiledStep | None:
        if self._device.type != "cpu" or self._kind not in (torch.float32, torch.float64):
            return None  # and for a core without numbers of its own, which has no type to be compiled for
        try:
            return CompiledStep(self.core, self._state, self._kind)
        except UntraceableError as error:
            say_once(type(self.core), str(error))
            return None

    @property
    def state(self) -> S:
        """The memory now: a value of its own, which later steps leave alone."""
        return tree.map(torch.clone, self._state)

    @state.setter
    def state(self, state: S) -> None:
        ours, theirs = dict(tree.leaves(self._state, "state")), dict(tree.leaves(state, "state"))
        for name, leaf in ours.items():
            other = theirs.get(name)
            if other is None or other.shape != leaf.shape or other.dtype != leaf.dtype:
                came = "nothing" if other is None else f"{tuple(other.shape)} of {other.dtype}"
                raise ArgumentError(f"{name} is {came}; this stream's is {tuple(leaf.shape)} of {leaf.dtype}")
        if ours.keys() != theirs.keys():
            raise ArgumentError(f"the state has {', '.join(theirs)}; this stream's has {', '.join(ours)}")
        with torch.no_grad():
            for name, leaf in ours.items():
                leaf.copy_(theirs[name])

    def step(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B H"]:
        """The outputs for the next item of every row."""
        kind, device = (x.dtype, x.device) if self._kind is None else (self._kind, self._device)
        if x.shape != (self.batch, self.core.width) or x.dtype != kind or x.device != device:
            raise ArgumentError(
                f"x is {tuple(x.shape)} of {x.dtype} on {x.device}; "
                f"this stream reads {(self.batch, self.core.width)} of {kind} on {device}"
            )
        if self._compiled is not None:
            return self._compiled(x if x.is_contiguous() else x.contiguous(), self._leaves, self._leaves)
        with torch.no_grad():
            y, state = self.core.step(x, self._state)
            self._state = tree.map(torch.clone, state)
        return y


def _own(leaf: Tensor) -> Tensor:
    return leaf.clone(memory_format=torch.contiguous_format)


def _numbers_of(core: Any, state: Any) -> tuple[torch.dtype | None, torch.device]:
    """The type of numbers and the device of a core's weights, or of its state; no type where it has neither."""
    tensors = [*core.parameters(), *(leaf for _, leaf in tree.leaves(state))]
    first = next((tensor for tensor in tensors if tensor.is_floating_point()), None)
    return (None, torch.device("cpu")) if first is None else (first.dtype, first.device)
