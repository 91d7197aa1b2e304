"""One step of a whole core in one call of machine code, for streams: microseconds at batch 1.

The core's `step` is traced with its projections, all of its layers at once, and compiled as a sweep of one step.
Weights are packed once, and the table of the kernel stays as it is but for two addresses: the input's and the output's.
"""

from array import array
from typing import Any

import torch
from torch import Tensor

from throughtime import tree
from throughtime.kernels import launch
from throughtime.kernels.program import bind
from throughtime.kernels.sweep import Rows, Table


class CompiledStep:
    """A core's step for `batch` rows, compiled; its memory is its own, so that it can be read and put back.

    Raises `UntraceableError` when the core's step does what no sweep can do.
    """

    def __init__(self, core: Any, state: Any, batch: int, kind: torch.dtype) -> None:
        with torch.no_grad():
            state = tree.map(lambda leaf: leaf.clone(memory_format=torch.contiguous_format), state)
            x = torch.zeros(batch, 1, core.width, dtype=kind, device="cpu")
            bound = bind(core, x, state)
            program, rows = (
                bound.program,
                Rows(torch.ones(batch, dtype=torch.int64, device="cpu"), 1, False, None, False),
            )
            self.width, self.kind = program.equations.output.width, program.output_type
            table = Table(program, program.forward, program.plan.forward, rows)
            table.timed(("z", 0), x)
            table.timed(("output", 0), torch.empty(batch, 1, self.width, dtype=self.kind, device="cpu"))
            table.share(bound.shared)
            for n, (_, leaf) in enumerate(tree.leaves(state)):
                table.hand(("state", n), leaf, leaf, leaf)
            words = table.words(descending=False, threads=1)
        self.state, self.batch = state, batch
        names = program.forward.emitted.words
        self._alive = (table, words)
        self._input, self._output = (1 + names.index(("base", area)) for area in (("z", 0), ("output", 0)))
        self._words: array[int] = words
        self._address = words.buffer_info()[0]
        self._invoke = launch.invoke(program.forward.address)

    def __call__(self, x: Tensor) -> Tensor:
        """The output (B H) for the next item of each row (B D, contiguous, of the right type); moves the state on."""
        y = torch.empty(self.batch, self.width, dtype=self.kind, device="cpu")
        words = self._words
        words[0], words[self._input], words[self._output] = 0, x.data_ptr(), y.data_ptr()
        self._invoke(self._address)
        return y
