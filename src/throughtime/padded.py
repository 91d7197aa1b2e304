"""Padded: the one layout in which sequences of unequal lengths travel."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from throughtime.errors import ArgumentError


@dataclass(frozen=True)
class Padded:
    """Sequences side by side: batch first, padded on the right, each with its length.

        data     B T ...   any dtype, on any device; zero past a length
        lengths  B         integers in 0..T, on the CPU, so that knowing them never waits for a device

    Raises `ArgumentError` when the lengths do not fit the data.

    >>> batch = Padded.of([torch.ones(2, 3), torch.ones(1, 3)])
    >>> batch.data.shape, batch.lengths.tolist(), batch.mask.tolist()
    (torch.Size([2, 2, 3]), [2, 1], [[True, True], [True, False]])
    """

    data: Tensor
    lengths: Int[Tensor, " B"]

    def __post_init__(self) -> None:
        if self.data.dim() < 2 or self.lengths.shape != self.data.shape[:1]:
            raise ArgumentError(
                f"lengths {tuple(self.lengths.shape)} do not fit data {tuple(self.data.shape)}: "
                "data is B T ..., lengths is B"
            )
        if self.lengths.device.type != "cpu" or self.lengths.dtype != torch.int64:
            raise ArgumentError(f"lengths are int64 on the CPU; got {self.lengths.dtype} on {self.lengths.device}")
        if len(self.lengths) and not 0 <= int(self.lengths.min()) <= int(self.lengths.max()) <= self.steps:
            raise ArgumentError(f"lengths must be in 0..{self.steps}; got {self.lengths.tolist()}")

    @classmethod
    def full(cls, data: Tensor) -> "Padded":
        """Sequences that all fill their rows."""
        if data.dim() < 2:
            raise ArgumentError(f"data {tuple(data.shape)} is not B T ...")
        return cls._of_checked(data, torch.full(data.shape[:1], data.shape[1]))

    @classmethod
    def _of_checked(cls, data: Tensor, lengths: Tensor) -> "Padded":
        """A batch whose lengths are known to fit, without looking at them again."""
        made = object.__new__(cls)
        made.__dict__.update(data=data, lengths=lengths)
        return made

    @classmethod
    def of(cls, sequences: Sequence[Tensor]) -> "Padded":
        """Sequences (T_i, ...) of unequal lengths, padded with zeros to the longest."""
        if not sequences:
            raise ArgumentError("sequences is empty: a batch has at least one row")
        lengths = torch.tensor([sequence.shape[0] for sequence in sequences])  # which is faster than len
        return cls(torch.nn.utils.rnn.pad_sequence(list(sequences), batch_first=True), lengths)

    @property
    def steps(self) -> int:
        """T, the length of the rows."""
        return self.data.shape[1]

    @cached_property
    def is_full(self) -> bool:
        """Whether no row has padding."""
        return bool((self.lengths == self.steps).all())

    @property
    def mask(self) -> Bool[Tensor, "B T"]:
        """True at real positions, on the device of the data."""
        positions = torch.arange(self.steps, device=self.data.device)
        return positions < self.lengths.to(self.data.device)[:, None]

    def replace(self, data: Tensor) -> "Padded":
        """The same lengths over other data."""
        if data.shape[:2] == self.data.shape[:2]:
            return Padded._of_checked(data, self.lengths)
        return Padded(data, self.lengths)

    def zeroed(self) -> "Padded":
        """The same sequences with zero past each length."""
        if self.is_full:
            return self
        mask = self.mask.view(*self.data.shape[:2], *[1] * (self.data.dim() - 2))
        return self.replace(self.data.masked_fill(~mask, 0))

    def flip(self) -> "Padded":
        """Each row reversed inside its own length; padding stays on the right.

        >>> Padded(torch.tensor([[1, 2, 0]]), torch.tensor([2])).flip().data
        tensor([[2, 1, 0]])
        """
        if self.is_full:
            return self.replace(self.data.flip(1))
        positions = torch.arange(self.steps, device=self.data.device)
        lengths = self.lengths.to(self.data.device)[:, None]
        source = torch.where(positions < lengths, lengths - 1 - positions, positions)
        rows = torch.arange(len(self.data), device=self.data.device)[:, None]
        return self.replace(self.data[rows, source])

    def take(self, rows: Tensor) -> "Padded":
        """Some of the rows, by index."""
        return Padded(self.data[rows.to(self.data.device)], self.lengths[rows.cpu()])

    def split(self, step: int) -> tuple["Padded", "Padded"]:
        """What stands before `step` and what stands from it on: cutting time in two."""
        first, second = self.lengths.clamp(max=step), (self.lengths - step).clamp(min=0)
        return Padded(self.data[:, :step], first), Padded(self.data[:, step:], second)
