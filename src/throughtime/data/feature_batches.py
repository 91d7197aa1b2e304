"""Batches of feature vectors, each with what it should get."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from throughtime.data.batches import Shuffled
from throughtime.errors import ArgumentError, DataError


@dataclass(frozen=True)
class FeatureBatch:
    """Vectors, and the target of each: the number of a class, or numbers."""

    inputs: Float[Tensor, "B D"]
    targets: Tensor  # B, or B K

    def to(self, device: torch.device) -> "FeatureBatch":
        """The same batch on a device."""
        return FeatureBatch(self.inputs.to(device), self.targets.to(device))

    def split(self, parts: int) -> list["FeatureBatch"]:
        """The rows in even groups, for one update out of several smaller steps; no more groups than there are rows."""
        parts = max(1, min(parts, len(self.inputs)))
        groups = zip(self.inputs.tensor_split(parts), self.targets.tensor_split(parts), strict=True)
        return [FeatureBatch(inputs, targets) for inputs, targets in groups]


class FeatureBatches:
    """Batches of `rows` vectors, of one (stochastic gradient descent), or of all there are (batch gradient descent).

    In every epoch the vectors are shuffled anew, and each comes once; which comes when is a function of (seed, epoch,
    position) alone.

    Raises `DataError` when there are none, `ArgumentError` when the targets do not fit them.

    >>> batches = FeatureBatches(torch.arange(6.0).view(3, 2), torch.tensor([0, 1, 1]), rows=2)
    >>> batches.chunks(0), [len(batches.chunk(0, i).targets) for i in range(2)]
    (2, [2, 1])
    """

    def __init__(self, inputs: Float[Tensor, "N D"], targets: Tensor, *, rows: int, seed: int = 0) -> None:
        if not len(inputs):
            raise DataError("there are no feature vectors to make batches of")
        if len(targets) != len(inputs):
            raise ArgumentError(f"every vector has a target: {len(inputs):,} and {len(targets):,} do not fit")
        self.inputs, self.targets, self.order = inputs, targets, Shuffled(len(inputs), rows=rows, seed=seed)

    def chunks(self, epoch: int) -> int:
        """How many batches an epoch has."""
        return self.order.chunks

    def chunk(self, epoch: int, position: int) -> FeatureBatch:
        """The batch at a position of an epoch."""
        places = torch.from_numpy(self.order.chunk(epoch, position))
        return FeatureBatch(self.inputs[places], self.targets[places])
