"""Recorded: every step's whole state as the output, around any cell."""

from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from throughtime import tree
from throughtime.cells.cell import Cell

S = TypeVar("S")


class Recorded(nn.Module, Generic[S]):
    """A cell whose output is its whole state, so that `scan` gives every step's (an LSTM's cell too).

    Shapes: the output is B T F, all fields of the state side by side; `fields` takes it apart again.

    >>> from throughtime import Padded, scan
    >>> from throughtime.cells import LSTM
    >>> cell = Recorded(LSTM(3, 4))
    >>> outputs, final = scan(cell, Padded.full(torch.zeros(2, 5, 3)))
    >>> cell.fields(outputs.data).cell.shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, inner: Cell[S]) -> None:
        super().__init__()
        self.inner, self.width = inner, inner.width
        self.template = tree.detach(inner.initial(1))
        self.hidden = sum(leaf[0].numel() for _, leaf in tree.leaves(self.template))

    def initial(self, batch: int) -> S:
        """The inner cell's."""
        return self.inner.initial(batch)

    def project(self, x: Tensor) -> Any:
        """The inner cell's."""
        return self.inner.project(x)

    def step(self, z: Any, state: S) -> tuple[Tensor, S]:
        """The inner step; the output is the state after it."""
        y, new = self.inner.step(z, state)
        parts = [leaf.reshape(len(leaf), -1).to(y.dtype) for _, leaf in tree.leaves(new)]
        return torch.cat(parts, -1), new

    def fields(self, outputs: Tensor) -> S:
        """The outputs (B T F) as a state whose tensors are B T ...."""
        shapes = [leaf.shape[1:] for _, leaf in tree.leaves(self.template)]
        parts = iter(torch.split(outputs, [shape.numel() for shape in shapes], -1))
        return tree.map(lambda leaf: next(parts).reshape(*outputs.shape[:2], *leaf.shape[1:]), self.template)
