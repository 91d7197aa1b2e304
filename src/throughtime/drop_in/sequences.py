"""How sequences come and go: torch.nn's layouts, to and from T B F, which they are between layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from throughtime.drop_in.sweeps import Sizes

SWEPT = (torch.float32, torch.float64)


class Dense(NamedTuple):
    """Sequences in a tensor: T B D, B T D (`batch_first`), or one of them as T D."""

    data: Tensor
    batch_first: bool

    def fits(self, width: int) -> bool:
        """Whether it is swept."""
        data = self.data
        return _plain(data) and data.dim() in (2, 3) and data.shape[-1] == width and data.numel() > 0

    def states(self, sizes: Sizes) -> list[tuple[int, ...]]:
        """Shapes of the states that fit."""
        rows = () if self.data.dim() == 2 else (self.read().shape[1],)
        return [(sizes.layers * sizes.directions, *rows, units) for units in sizes.units]

    @property
    def lengths(self) -> Tensor:
        """All T."""
        steps, rows = self.read().shape[:2]
        return torch.full((rows,), steps, device="cpu")

    def read(self) -> Tensor:
        """T B D."""
        if self.data.dim() == 2:
            return self.data.unsqueeze(1)
        return self.data.transpose(0, 1) if self.batch_first else self.data

    def write(self, outputs: Tensor) -> Tensor:
        """Outputs (T B F) as the inputs came. In memory they are T B F, as torch's, for those who `view` them."""
        outputs = outputs.contiguous()
        if self.data.dim() == 2:
            return outputs.squeeze(1)
        return outputs.transpose(0, 1) if self.batch_first else outputs

    def drop(self, outputs: Tensor, rate: float) -> Tensor:
        """Dropout as torch draws it."""
        return torch.dropout(outputs.contiguous(), rate, True)

    def enter(self, state: Tensor) -> Tensor:
        """A state with its axis of rows."""
        return state.unsqueeze(1) if self.data.dim() == 2 else state

    def leave(self, state: Tensor) -> Tensor:
        """The reverse of `enter`."""
        return state.squeeze(1) if self.data.dim() == 2 else state


@dataclass(frozen=True)
class Packed:
    """Sequences in a PackedSequence: the rows (N D) of all sequences, longest first, step after step."""

    sequence: PackedSequence

    @property
    def data(self) -> Tensor:
        """N D."""
        return self.sequence.data

    def fits(self, width: int) -> bool:
        """Whether it is swept."""
        data, sizes, order, _ = self.sequence
        if not _plain(data) or data.dim() != 2 or data.shape[-1] != width or sizes.dim() != 1 or len(sizes) == 0:
            return False
        decreasing = bool((sizes.diff() <= 0).all()) and int(sizes[-1]) > 0
        return decreasing and int(sizes.sum()) == len(data) and (order is None or len(order) == int(sizes[0]))

    def states(self, sizes: Sizes) -> list[tuple[int, ...]]:
        """Shapes of the states that fit."""
        rows = int(self.sequence.batch_sizes[0])
        return [(sizes.layers * sizes.directions, rows, units) for units in sizes.units]

    @cached_property
    def mask(self) -> Tensor:
        """T B: where there is a row."""
        sizes = self.sequence.batch_sizes
        return torch.arange(int(sizes[0]), device="cpu") < sizes[:, None]

    @cached_property
    def places(self) -> Tensor:
        """N: where the rows stand in T × B."""
        return self.mask.flatten().nonzero().squeeze(1)

    @property
    def lengths(self) -> Tensor:
        """B, longest first."""
        return self.mask.sum(0)

    def read(self) -> Tensor:
        """T B D, with zeros past the lengths."""
        return self._spread(self.data)

    def write(self, outputs: Tensor) -> PackedSequence:
        """Outputs (T B F) packed as the inputs are."""
        return self.sequence._replace(data=self._gathered(outputs))

    def drop(self, outputs: Tensor, rate: float) -> Tensor:
        """Dropout as torch draws it: for the rows that there are."""
        return self._spread(torch.dropout(self._gathered(outputs), rate, True))

    def enter(self, state: Tensor) -> Tensor:
        """A state with its rows in the order of the packing."""
        return _ordered(state, self.sequence.sorted_indices)

    def leave(self, state: Tensor) -> Tensor:
        """The reverse of `enter`."""
        return _ordered(state, self.sequence.unsorted_indices)

    def _spread(self, rows: Tensor) -> Tensor:
        data = rows.new_zeros(self.mask.numel(), rows.shape[1]).index_copy(0, self.places, rows)
        return data.view(*self.mask.shape, rows.shape[1])

    def _gathered(self, outputs: Tensor) -> Tensor:
        return outputs.flatten(0, 1).index_select(0, self.places)


def _ordered(state: Tensor, order: Tensor | None) -> Tensor:
    return state if order is None else state.index_select(1, order)


def fit(tensors: Any, shapes: Sequence[tuple[int, ...]], dtype: torch.dtype) -> bool:
    """Whether these are tensors that are swept, of these shapes."""
    if not isinstance(tensors, tuple | list) or len(tensors) != len(shapes):
        return False
    return all(_plain(t) and t.dtype == dtype and t.shape == shape for t, shape in zip(tensors, shapes, strict=True))


def _plain(tensor: Any) -> bool:
    """Whether this is a tensor that a sweep can read: nobody's subclass, strided, on the CPU."""
    if type(tensor) not in (Tensor, nn.Parameter):
        return False
    return bool(tensor.is_cpu and tensor.layout == torch.strided and not tensor.is_nested and tensor.dtype in SWEPT)
