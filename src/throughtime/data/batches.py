"""Batches of sequences of unequal lengths, each with what it should get."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from throughtime.data.lanes import UNSCORED
from throughtime.errors import ArgumentError, DataError
from throughtime.padded import Padded

POOL = 32  # batches among which sequences are sorted by length


@dataclass(frozen=True)
class SequenceBatch:
    """Sequences side by side, and the target of each: a number a row, or one a step."""

    inputs: Padded  # B T ids, or B T D numbers
    targets: Tensor  # B ..., in the order of the rows; past a length a step's is UNSCORED, of numbers NaN

    def to(self, device: torch.device) -> "SequenceBatch":
        """The same batch on a device."""
        inputs = self.inputs
        return SequenceBatch(Padded(inputs.data.to(device), inputs.lengths), self.targets.to(device))

    def split(self, parts: int) -> list["SequenceBatch"]:
        """The rows in even groups, for one update out of several smaller steps; no more groups than there are rows."""
        rows = torch.arange(len(self.inputs.lengths))
        groups = rows.tensor_split(max(1, min(parts, len(rows))))
        return [SequenceBatch(self.inputs.take(some), self.targets[some.to(self.targets.device)]) for some in groups]


class Batches:
    """Batches of sequences of about the same length; which comes when is a function of (seed, epoch, position) alone.

    In every epoch the sequences are shuffled, sorted by length within each 32 batches, cut into batches of `rows`,
    and the batches are shuffled. Every sequence comes once an epoch. `targets` is one tensor with a target a row, or
    a tensor of steps for each sequence.

    Raises `DataError` when there are none, `ArgumentError` when the targets do not fit them.

    >>> batches = Batches([torch.arange(n) for n in (3, 1, 2)], torch.tensor([0, 1, 1]), rows=2)
    >>> batches.chunks(0), sorted(len(batches.chunk(0, i).targets) for i in range(2))
    (2, [1, 2])
    """

    def __init__(
        self, sequences: Sequence[Tensor], targets: Tensor | Sequence[Tensor], *, rows: int, seed: int = 0
    ) -> None:
        if not len(sequences):
            raise DataError("there are no sequences to make batches of")
        _check(sequences, targets, rows)
        self.sequences, self.targets, self.rows, self.seed = sequences, targets, rows, seed
        self.lengths = np.array([len(sequence) for sequence in sequences])
        self._order: tuple[int, list[NDArray[np.int64]]] = (-1, [])

    def chunks(self, epoch: int) -> int:
        """How many batches an epoch has."""
        return -(-len(self.sequences) // self.rows)

    def chunk(self, epoch: int, position: int) -> SequenceBatch:
        """The batch at a position of an epoch."""
        return gathered(self.sequences, self.targets, self.order(epoch)[position])

    def order(self, epoch: int) -> list[NDArray[np.int64]]:
        """The rows of each batch of an epoch."""
        if self._order[0] != epoch:
            generator = np.random.default_rng((self.seed, epoch))
            shuffled = generator.permutation(len(self.sequences))
            batches: list[NDArray[np.int64]] = []
            for begin in range(0, len(shuffled), self.rows * POOL):
                pool = shuffled[begin : begin + self.rows * POOL]
                pool = pool[np.argsort(self.lengths[pool], kind="stable")]
                batches += [pool[first : first + self.rows] for first in range(0, len(pool), self.rows)]
            self._order = epoch, [batches[i] for i in generator.permutation(len(batches))]
        return self._order[1]


class Shuffled:
    """Rows by number in batches of so many, shuffled anew in every epoch; each comes once.

    Which comes when is a function of (seed, epoch, position) alone.

    Raises `ArgumentError` unless there is at least a row to a batch.

    >>> order = Shuffled(3, rows=2)
    >>> order.chunks, sorted(int(row) for position in range(2) for row in order.chunk(0, position))
    (2, [0, 1, 2])
    """

    def __init__(self, count: int, *, rows: int, seed: int = 0) -> None:
        if rows < 1:
            raise ArgumentError(f"rows must be at least 1; got {rows}")
        self.count, self.rows, self.seed = count, rows, seed
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    @property
    def chunks(self) -> int:
        """How many batches an epoch has."""
        return -(-self.count // self.rows)

    def chunk(self, epoch: int, position: int) -> NDArray[np.int64]:
        """The rows of the batch at a position of an epoch."""
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng((self.seed, epoch)).permutation(self.count)
        return self._order[1][position * self.rows : (position + 1) * self.rows]


def in_order(
    sequences: Sequence[Tensor], targets: Tensor | Sequence[Tensor], *, rows: int
) -> list[tuple[NDArray[np.int64], SequenceBatch]]:
    """All sequences once, sorted by length, in batches of so many rows with the places where these stood."""
    _check(sequences, targets, rows)
    order = np.argsort([sequence.shape[0] for sequence in sequences], kind="stable")
    parts = [order[first : first + rows] for first in range(0, len(order), rows)]
    return [(part, gathered(sequences, targets, part)) for part in parts]


def gathered(sequences: Sequence[Tensor], targets: Tensor | Sequence[Tensor], rows: NDArray[np.int64]) -> SequenceBatch:
    """Some sequences as a batch."""
    inputs = Padded.of([sequences[row] for row in rows])
    if isinstance(targets, Tensor):
        return SequenceBatch(inputs, targets[torch.from_numpy(rows)])
    steps = [targets[row] for row in rows]
    padding = float("nan") if steps[0].is_floating_point() else float(UNSCORED)
    return SequenceBatch(inputs, torch.nn.utils.rnn.pad_sequence(steps, True, padding))


def _check(sequences: Sequence[Tensor], targets: Tensor | Sequence[Tensor], rows: int) -> None:
    """Refuses what would come out wrong, or only after many batches."""
    if rows < 1:
        raise ArgumentError(f"rows must be at least 1; got {rows}")
    if len(targets) != len(sequences):
        raise ArgumentError(f"every sequence has a target: {len(sequences):,} and {len(targets):,} do not fit")
    if not isinstance(targets, Tensor):
        for row, (sequence, target) in enumerate(zip(sequences, targets, strict=True)):
            if len(sequence) != len(target):
                raise ArgumentError(f"sequence {row} has {len(sequence)} steps and {len(target)} targets, not one each")
