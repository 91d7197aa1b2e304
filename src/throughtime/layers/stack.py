"""Stack: cores one upon the other."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

from torch import Tensor, nn

from throughtime.errors import ArgumentError
from throughtime.layers.dropout import VariationalDropout
from throughtime.layers.scan import Core
from throughtime.layers.stream import Stream
from throughtime.padded import Padded


class Stack(nn.Module):
    """Cores one upon the other; the state is the tuple of theirs.

    `dropout` falls between layers, the same features at all steps of a row. `residual` adds a layer's input to
    its output where the two have the same width.

    Raises `ArgumentError` when a layer does not take what the one below gives.

    >>> import torch
    >>> from throughtime.cells import GRU
    >>> from throughtime.layers import Recurrent
    >>> deep = Stack([Recurrent(GRU(3, 4)), Recurrent(GRU(4, 4))], residual=True)
    >>> outputs, state = deep(Padded.full(torch.zeros(2, 5, 3)))
    >>> outputs.data.shape, len(state)
    (torch.Size([2, 5, 4]), 2)
    """

    def __init__(self, layers: Sequence[Core[Any]], *, residual: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        if not layers:
            raise ArgumentError("layers is empty: a stack has at least one layer")
        for below, above in pairwise(layers):
            if below.hidden != above.width:
                raise ArgumentError(f"a layer of width {above.width} cannot stand on one that gives {below.hidden}")
        self.layers = nn.ModuleList(cast(Sequence[nn.Module], layers))
        self.residual, self.dropout = residual, VariationalDropout(dropout)
        self.width, self.hidden = layers[0].width, layers[-1].hidden
        self.causal = all(layer.causal for layer in layers)

    def initial(self, batch: int) -> tuple[Any, ...]:
        """Each layer's."""
        return tuple(layer.initial(batch) for layer in cast(Sequence[Core[Any]], self.layers))

    def forward(
        self, inputs: Padded, state: tuple[Any, ...] | None = None, resets: Tensor | None = None
    ) -> tuple[Padded, tuple[Any, ...]]:
        """All steps of one layer, then of the next."""
        after = []
        for i, layer in enumerate(cast(Sequence[Core[Any]], self.layers)):
            if i:
                inputs = inputs.replace(self.dropout(inputs.data))
            outputs, new = layer(inputs, None if state is None else state[i], resets)
            inputs = self._joined(inputs.data, outputs)
            after.append(new)
        return inputs, tuple(after)

    def _joined(self, below: Tensor, outputs: Padded) -> Padded:
        residual = self.residual and below.shape == outputs.data.shape
        return outputs.replace(outputs.data + below) if residual else outputs

    def step(self, x: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        """One step of every layer, on x (B D); all of them must be causal."""
        after = []
        for i, (layer, old) in enumerate(zip(cast(Sequence[Core[Any]], self.layers), state, strict=True)):
            if i:
                x = self.dropout(x[:, None])[:, 0]
            y, new = layer.step(x, old)
            x = y + x if self.residual and y.shape == x.shape else y
            after.append(new)
        return x, tuple(after)

    def stream(self, batch: int = 1, state: Any = None) -> Stream[Any]:
        """This core at work on sequences that never end, one item of each row at a time."""
        return Stream(self, batch, state)
