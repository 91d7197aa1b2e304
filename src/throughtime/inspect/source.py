"""The source that a cell's step becomes, for whoever wants to read what runs."""

from typing import Any, NamedTuple

import torch

from throughtime import tree
from throughtime.cells.cell import Cell
from throughtime.kernels.program import bind


class SweepSource(NamedTuple):
    """Both kernels of a compiled sweep, as they stand in the cache folder."""

    forward: str
    backward: str | None  # None under `torch.no_grad`


def sweep_source(cell: Cell[Any]) -> SweepSource:
    """What `scan` runs on the CPU for a cell: the Python source, for Numba, of its sweep and of its gradient's.

    Under `torch.no_grad` it is the sweep that keeps nothing for a gradient. Nothing need have run before. It reads
    what `project` gives; to save memory, and on many rows without gradients, `scan` has `project` in the sweep too.

    Raises `UntraceableError` where `scan` would run the plain loop, saying why.

    >>> from throughtime.cells import GRU
    >>> print(sweep_source(GRU(3, 4)).forward.splitlines()[0])
    \"""The forward sweep of GRU.
    """
    state = cell.initial(1)
    like = next((leaf for _, leaf in tree.leaves(state) if leaf.is_floating_point()), torch.zeros(()))
    program = bind(cell, cell.project(like.new_zeros(1, 1, cell.width)), state).program
    backward = None if program.plan.backward is None else program.backward.emitted.text
    return SweepSource(program.forward.emitted.text, backward)
