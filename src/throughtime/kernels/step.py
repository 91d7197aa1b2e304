"""One step of a whole core in one call of machine code: microseconds at batch 1.

The core's `step` is traced with its projections, all of its layers at once, and compiled as a sweep of one step.
Weights are packed once. The kernel's table stays as it is but for addresses, and for how many rows there are.
"""

from array import array
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from throughtime import tree
from throughtime.kernels import launch
from throughtime.kernels.program import bind
from throughtime.kernels.sweep import Rows, Table, laid_out, threads_for

THREADS, STARTS = 1, 2  # places in a table: how many threads there are, and where the rows of each begin


class CompiledStep:
    """A core's step, compiled with the weights that it has now; `state` is one like those that it will be called with.

    Raises `UntraceableError` when the core's step does what no sweep can do.
    """

    def __init__(self, core: Any, state: Any, kind: torch.dtype) -> None:
        with torch.no_grad():
            x = torch.zeros(1, 1, core.width, dtype=kind, device="cpu")
            bound = bind(core, x, tree.map(lambda leaf: leaf[:1].contiguous(), state))
            self._program, self._kernel = bound.program, bound.program.forward
            own = [tensor.detach().clone() for tensor in bound.shared]  # which later updates of the weights leave alone
            self._shared = laid_out(self._program, self._kernel, own)
        self._inputs, self._input_type = core.width, kind
        self._width, self._type = self._program.equations.output.width, self._program.output_type
        self._like = [(leaf.shape[1:], leaf.dtype) for _, leaf in tree.leaves(state)]
        self._invoke, self._rows, self._room = launch.invoke(self._kernel.address), 0, 0
        self._held: Any = None  # the memory that was moved on last

    def __call__(self, x: Tensor, before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
        """The output (B H) for the next item of each row (B D); goes from one memory to another, or to the same.

        All tensors are contiguous, of the right shapes and types; those of a memory are its leaves, in their order.
        """
        rows = x.size(0)
        if rows != self._rows:
            self._resize(rows)
        y = torch.empty(rows, self._width, dtype=self._type, device="cpu")
        words = self._words
        words[0], words[self._input], words[self._output] = 0, x.data_ptr(), y.data_ptr()
        if before is not self._held or after is not before:
            for given, final, old, new in zip(self._given, self._final, before, after, strict=True):
                words[given], words[final] = old.data_ptr(), new.data_ptr()
            self._held = after if after is before else None
        if self._threads == 1:
            self._invoke(self._address)
        else:
            launch.run(self._kernel.address, self._address, self._threads)
        return y

    def _resize(self, rows: int) -> None:
        """Makes the table one for so many rows."""
        if rows > self._room:
            self._make_room(rows)
        self._rows, self._held = rows, None
        self._threads = threads_for(self._kernel, rows, 1)
        self._starts = torch.tensor([rows * n // self._threads for n in range(self._threads + 1)], device="cpu")
        self._words[THREADS], self._words[STARTS] = self._threads, self._starts.data_ptr()

    def _make_room(self, rows: int) -> None:
        """A new table, for any number of rows up to this one."""
        ones = torch.ones(rows, dtype=torch.int64, device="cpu")
        table = Table(self._program, self._kernel, self._program.plan.forward, Rows(ones, 1, False, None, False))
        table.timed(("z", 0), torch.empty(rows, 1, self._inputs, dtype=self._input_type, device="cpu"))
        table.timed(("output", 0), torch.empty(rows, 1, self._width, dtype=self._type, device="cpu"))
        table.adopt(*self._shared)
        for n, (shape, kind) in enumerate(self._like):
            leaf = torch.empty(rows, *shape, dtype=kind, device="cpu")
            table.hand(("state", n), leaf, leaf, leaf)
        self._words: array[int] = table.words(descending=False, threads=1)
        self._address, self._table, self._room = self._words.buffer_info()[0], table, rows
        self._input, self._output = self._place(("base", ("z", 0))), self._place(("base", ("output", 0)))
        leaves = range(len(self._like))
        self._given, self._final = ([self._place((what, ("state", n))) for n in leaves] for what in ("given", "final"))

    def _place(self, word: Any) -> int:
        return 1 + self._kernel.emitted.words.index(word)
