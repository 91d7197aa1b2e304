"""Bidirectional: one core reading forward, one reading backward."""

from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor, nn

from throughtime.cells.cell import Cell
from throughtime.errors import ArgumentError
from throughtime.layers.scan import Recurrent
from throughtime.padded import Padded


class BothStates(NamedTuple):
    """The states of the two directions."""

    forward: Any
    backward: Any


class Bidirectional(nn.Module):
    """Two cells over the same inputs, one from each end; outputs side by side, forward first.

    Each output sees the whole sequence, so it is not causal and refuses `step`: a model that may use x up to now
    alone must not be built on it. A state carried in is the forward cell's past and the backward cell's future.

    Raises `ArgumentError` when the cells' widths differ.

    >>> from throughtime.cells import LSTM
    >>> outputs, state = Bidirectional(LSTM(3, 4), LSTM(3, 4))(Padded.full(torch.zeros(2, 5, 3)))
    >>> outputs.data.shape, state.backward.hidden.shape
    (torch.Size([2, 5, 8]), torch.Size([2, 4]))
    """

    def __init__(self, forward: Cell[Any], backward: Cell[Any]) -> None:
        super().__init__()
        self.ahead = Recurrent(forward)
        self.back = Recurrent(backward, reverse=True)
        if self.ahead.width != self.back.width:
            raise ArgumentError(
                f"both directions read the same inputs: widths {self.ahead.width} and {self.back.width} differ"
            )
        self.width, self.hidden = self.ahead.width, self.ahead.hidden + self.back.hidden
        self.causal = False

    def initial(self, batch: int) -> BothStates:
        """Both cells'."""
        return BothStates(self.ahead.initial(batch), self.back.initial(batch))

    def step(self, x: Tensor, state: BothStates) -> NoReturn:
        """Refused: the backward cell would need the steps to come."""
        raise ArgumentError("a bidirectional core needs the whole sequence: it cannot go step by step")

    def forward(
        self, inputs: Padded, state: BothStates | None = None, resets: Tensor | None = None
    ) -> tuple[Padded, BothStates]:
        """Both scans, outputs B T (H + H).

        `resets` marks where a new sequence begins: before that step for the forward cell, and before the step
        in front of it, as it comes from the other side, for the backward cell.
        """
        old = BothStates(None, None) if state is None else state
        later = None
        if resets is not None:
            resets = resets & inputs.mask
            later = torch.cat([resets[:, 1:], torch.zeros_like(resets[:, :1])], 1)
        ahead, new_ahead = self.ahead(inputs, old.forward, resets)
        back, new_back = self.back(inputs, old.backward, later)
        return ahead.replace(torch.cat([ahead.data, back.data], -1)), BothStates(new_ahead, new_back)
