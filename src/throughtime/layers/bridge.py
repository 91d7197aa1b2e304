"""Bridge: from what an encoder gives to the state that a decoder begins with."""

from typing import Any

import torch
from torch import Tensor, nn

from throughtime import tree
from throughtime.layers.pool import MeanPool
from throughtime.layers.scan import Core
from throughtime.padded import Padded


class Bridge(nn.Module):
    """The first state of a decoder's core, made of what an encoder gives, whatever the two are.

    Formula: s = tanh(W m + b), where m has all parts of the encoder's last state side by side, and the mean of its
    outputs where it carries no state that is a vector.

    Source: Bahdanau et al. (2015), appendix A.2.2, with all of the encoder's state instead of one direction's.

    >>> from throughtime.cells import GRU, LSTM
    >>> from throughtime.layers import Bidirectional, Recurrent
    >>> encoder, decoder = Bidirectional(GRU(3, 4), GRU(3, 4)), Recurrent(LSTM(5, 6))
    >>> state = Bridge(encoder, decoder)(*encoder(Padded.full(torch.zeros(2, 7, 3))))
    >>> state.hidden.shape, state.cell.shape
    (torch.Size([2, 6]), torch.Size([2, 6]))
    """

    def __init__(self, encoder: Core[Any], decoder: Core[Any]) -> None:
        super().__init__()
        self._initial, self.mean = decoder.initial, MeanPool()
        self.kept = tuple(name for name, _ in _vectors(encoder.initial(1)))
        self.begun = {name: leaf.shape[1] for name, leaf in _vectors(decoder.initial(1))}
        width = sum(leaf.shape[1] for _, leaf in _vectors(encoder.initial(1))) if self.kept else encoder.hidden
        self.linear = nn.Linear(width, sum(self.begun.values()))

    def forward(self, outputs: Padded, state: Any) -> Any:
        """The decoder's first state, from an encoder's outputs (B S H) and the state after them."""
        leaves = dict(tree.leaves(state, "state"))
        memory = torch.cat([leaves[name] for name in self.kept], -1) if self.kept else self.mean(outputs)
        parts = torch.split(torch.tanh(self.linear(memory)), list(self.begun.values()), -1)
        fresh = self._initial(len(outputs.data))
        named = {**dict(tree.leaves(fresh, "state")), **dict(zip(self.begun, parts, strict=True))}
        return tree.restore(fresh, named, "state")


def _vectors(state: Any) -> list[tuple[str, Tensor]]:
    """The parts of a state that are a vector a row; not what counts time."""
    leaves = tree.leaves(state, "state")
    return [(name, leaf) for name, leaf in leaves if leaf.dim() == 2 and leaf.is_floating_point()]
