"""Lanes: one long text read by many readers at once, in chunks, for truncated back-propagation.

The units of a text, 0 to 25, with 2 lanes and chunks of 5 steps (targets stand one place further):

              chunk 0          chunk 1           chunk 2
    lane 0    0  1  2  3  4    5  6  7  8  9    10 11       each lane is a contiguous piece of the text, so the
    lane 1   12 13 14 15 16   17 18 19 20 21    22 23       state after a chunk is the state before the next

In an epoch every lane begins at the beginning of its piece with a fresh state. From the second epoch on the pieces
are shifted by a number of units that depends on seed and epoch alone, so that chunks are not always cut at the same
places; what falls off at the ends (less than a chunk and one unit a lane) is read in other epochs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from throughtime.data.units import Ids
from throughtime.errors import DataError

UNSCORED = -1  # a target that no loss looks at


@dataclass(frozen=True)
class Chunk:
    """Some steps of every lane: inputs and, one place further, targets."""

    inputs: Int[Tensor, "B T"]
    targets: Int[Tensor, "B T"]  # UNSCORED where a unit is only read

    def to(self, device: torch.device) -> "Chunk":
        """The same chunk on a device."""
        return Chunk(self.inputs.to(device), self.targets.to(device))

    def split(self, parts: int) -> list["Chunk"]:
        """The lanes in groups, for one update out of several smaller steps."""
        pairs = zip(self.inputs.chunk(parts), self.targets.chunk(parts), strict=True)
        return [Chunk(inputs, targets) for inputs, targets in pairs]


class Lanes:
    """The chunks of a text for training; which chunk comes when is a function of (seed, epoch, position) alone.

    Raises `DataError` when the text is shorter than one chunk.

    >>> lanes = Lanes(np.arange(26, dtype=np.int32), lanes=2, steps=5)
    >>> lanes.chunks(0), lanes.chunk(0, 2).inputs.tolist(), lanes.chunk(0, 2).targets.tolist()
    (3, [[10, 11], [22, 23]], [[11, 12], [23, 24]])
    """

    def __init__(self, ids: Ids, *, lanes: int, steps: int, seed: int = 0) -> None:
        if len(ids) < lanes * steps + 1:
            raise DataError(
                f"the training text has {len(ids):,} units, less than one chunk of {lanes} lanes × {steps} steps "
                "and one more; give a longer text, or smaller --lanes or --steps"
            )
        self.ids, self.lanes, self.steps, self.seed = torch.from_numpy(ids), lanes, steps, seed

    def shift(self, epoch: int) -> int:
        """How many units the pieces of an epoch are shifted by."""
        spare = min(self.steps, len(self.ids) - self.lanes * self.steps)
        if epoch == 0:
            return 0
        return int(np.random.default_rng((self.seed, epoch)).integers(spare))

    def lane_length(self, epoch: int) -> int:
        """Units of one lane in an epoch."""
        return (len(self.ids) - 1 - self.shift(epoch)) // self.lanes

    def chunks(self, epoch: int) -> int:
        """How many chunks an epoch has; the last may be shorter."""
        return -(-self.lane_length(epoch) // self.steps)

    def chunk(self, epoch: int, position: int) -> Chunk:
        """The chunk at a position of an epoch."""
        length, first = self.lane_length(epoch), self.shift(epoch)
        a, b = position * self.steps, min((position + 1) * self.steps, length)
        return Chunk(*(self._columns(first + shift, length, a, b) for shift in (0, 1)))

    def _columns(self, first: int, length: int, a: int, b: int) -> Tensor:
        return self.ids[first : first + self.lanes * length].view(self.lanes, length)[:, a:b].long()


class Reading:
    """The chunks of a text for evaluation: every unit is scored exactly once, in few wide strides.

    Each lane scores a piece of the text and first reads, unscored, at least `warm` units that stand before it (or all
    there are). A core that sees no further back scores as one reader from the beginning would; a recurrent one nearly
    so, as far as what is older has faded. Where each lane `begins` is told for cells that count time. Before the first
    unit of the text stands `start`.

    >>> chunks = list(Reading(np.arange(7, dtype=np.int32), start=9, lanes=2, steps=4, warm=2))
    >>> chunks[0].inputs.tolist(), chunks[0].targets.tolist()
    ([[9, 0, 1, 2], [0, 1, 2, 3]], [[0, 1, 2, -1], [-1, -1, 3, 4]])
    """

    def __init__(self, ids: Ids, *, start: int, lanes: int = 16, steps: int = 256, warm: int = 256) -> None:
        self.lanes = max(1, min(lanes, len(ids) // max(1, warm)))
        self.steps = steps
        bounds = [len(ids) * lane // self.lanes for lane in range(self.lanes + 1)]
        span = min(len(ids), max(b - a for a, b in pairwise(bounds)) + warm * (self.lanes > 1))
        line = torch.from_numpy(np.concatenate([np.array([start], dtype=ids.dtype), ids])).long()
        begins = [max(0, end - span) for end in bounds[1:]]
        self.begins = torch.tensor(begins)  # B, each lane's first place
        self.inputs = torch.stack([line[begin : begin + span] for begin in begins])
        self.targets = torch.stack([line[begin + 1 : begin + 1 + span] for begin in begins])
        places = self.begins[:, None] + torch.arange(span)
        scored = (places >= torch.tensor(bounds[:-1])[:, None]) & (places < torch.tensor(bounds[1:])[:, None])
        self.targets = torch.where(scored, self.targets, UNSCORED)

    def __iter__(self) -> Iterator[Chunk]:
        for a in range(0, self.inputs.shape[1], self.steps):
            yield Chunk(self.inputs[:, a : a + self.steps], self.targets[:, a : a + self.steps])
