"""Episodes: observations with the actions that answer them, packed into lanes for truncated back-propagation.

Episodes a, b, c, d of 5, 2, 4 and 3 steps, in 2 lanes and chunks of 4 steps:

              chunk 0        chunk 1
    lane 0    a0 a1 a2 a3    a4 d0 d1 d2      whole episodes follow on one another, each dealt to the lane that is the
    lane 1    b0 b1 c0 c1    c2 c3            shortest so far; the state is carried from chunk to chunk, and begins
                                              anew where `resets` marks the first step of an episode: a0 b0 c0 d0
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from throughtime.data.lanes import UNSCORED
from throughtime.errors import ArgumentError, DataError
from throughtime.padded import Padded

Order = NDArray[np.int64]


@dataclass(frozen=True)
class Episode:
    """What was seen, and what was done about it, from the beginning to the end.

    Raises `ArgumentError` when there are not as many of one as of the other, or none.
    """

    observations: NDArray[np.float32]  # T D
    actions: NDArray[np.int64] | NDArray[np.float32]  # T, each one of K; or T A

    def __post_init__(self) -> None:
        if self.observations.ndim != 2 or len(self.observations) != len(self.actions) or not len(self.actions):
            raise ArgumentError(
                f"an episode has observations T D and T actions, T at least 1; "
                f"got {self.observations.shape} and {self.actions.shape}"
            )

    def __len__(self) -> int:
        return len(self.actions)


def digest_of(episodes: Sequence[Episode]) -> str:
    """The sha256 of episodes: their sizes, observations and actions in their order.

    >>> one = Episode(np.zeros((2, 1), np.float32), np.array([0, 1]))
    >>> digest_of([one]) == digest_of([one, one])
    False
    """
    digest = hashlib.sha256()
    for episode in episodes:
        for part in (episode.observations, episode.actions):
            digest.update(f"{part.shape} {part.dtype.str};".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class EpisodeChunk:
    """Some steps of every lane: observations, the actions that answer them, and where episodes begin."""

    inputs: Padded  # B T D
    targets: Tensor  # B T, or B T A; past a lane's length UNSCORED, or NaN
    resets: Bool[Tensor, "B T"]

    def to(self, device: torch.device) -> "EpisodeChunk":
        """The same chunk on a device."""
        inputs = Padded(self.inputs.data.to(device), self.inputs.lengths)
        return EpisodeChunk(inputs, self.targets.to(device), self.resets.to(device))

    def split(self, parts: int) -> list["EpisodeChunk"]:
        """The lanes in even groups, for one update out of several smaller steps; no more groups than lanes."""
        rows = torch.arange(len(self.inputs.lengths))
        groups = rows.tensor_split(max(1, min(parts, len(rows))))
        return [EpisodeChunk(self.inputs.take(some), self.targets[some], self.resets[some]) for some in groups]


class EpisodeLanes:
    """The chunks of episodes for training; which chunk comes when is a function of (seed, epoch, position) alone.

    Every episode comes once an epoch, in an order that is another in each; with `seed` None in their own. Where there
    are fewer episodes than lanes, some lanes are empty.

    Raises `DataError` when there are no episodes.

    >>> def episode(steps):
    ...     return Episode(np.zeros((steps, 2), np.float32), np.zeros(steps, np.int64))
    >>> lanes = EpisodeLanes([episode(5), episode(2), episode(4), episode(3)], lanes=2, steps=4, seed=None)
    >>> lanes.chunks(0), lanes.chunk(0, 1).inputs.lengths.tolist(), lanes.chunk(0, 1).resets.tolist()
    (2, [4, 2], [[False, True, False, False], [False, False, False, False]])
    """

    def __init__(self, episodes: Sequence[Episode], *, lanes: int, steps: int, seed: int | None = 0) -> None:
        if not episodes:
            raise DataError("there are no episodes to learn from")
        if min(lanes, steps) < 1:
            raise ArgumentError(f"lanes and steps must be at least 1; got {lanes} and {steps}")
        self.episodes, self.lanes, self.steps, self.seed = episodes, lanes, steps, seed
        self._dealt: tuple[int, list[Order]] = (-1, [])

    @cached_property
    def sizes(self) -> Order:
        """The steps of each episode."""
        return np.array([len(episode) for episode in self.episodes])

    def chunks(self, epoch: int) -> int:
        """How many chunks an epoch has: as many as its longest lane."""
        longest = max(int(self.sizes[lane].sum()) for lane in self.dealt(epoch))
        return -(-longest // self.steps)

    def dealt(self, epoch: int) -> list[Order]:
        """The episodes of each lane in their order."""
        if self._dealt[0] != epoch:
            self._dealt = epoch, self._deal(epoch)
        return self._dealt[1]

    def _deal(self, epoch: int) -> list[Order]:
        order = np.arange(len(self.episodes))
        if self.seed is not None:
            order = np.random.default_rng((self.seed, epoch)).permutation(order)
        lanes: list[list[int]] = [[] for _ in range(self.lanes)]
        lengths = np.zeros(self.lanes, np.int64)
        for place in order.tolist():
            shortest = int(lengths.argmin())
            lanes[shortest].append(place)
            lengths[shortest] += self.sizes[place]
        return [np.array(lane, np.int64) for lane in lanes]

    def chunk(self, epoch: int, position: int) -> EpisodeChunk:
        """The chunk at a position of an epoch."""
        first = position * self.steps
        parts = [self._part(lane, first, first + self.steps) for lane in self.dealt(epoch)]
        inputs, targets, resets = ([torch.from_numpy(part[i]) for part in parts] for i in range(3))
        padding = float("nan") if targets[0].is_floating_point() else float(UNSCORED)
        pad = torch.nn.utils.rnn.pad_sequence
        return EpisodeChunk(Padded.of(inputs), pad(targets, True, padding), pad(resets, True, False))

    def _part(self, lane: Order, first: int, last: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
        """The steps from one place of a lane to another: observations, actions, and marks where episodes begin."""
        sizes = self.sizes[lane]
        ends = np.cumsum(sizes)
        begins = ends - sizes
        some = np.flatnonzero((ends > first) & (begins < last))
        if not len(some):
            one = self.episodes[0]
            return one.observations[:0], one.actions[:0], np.zeros(0, np.bool_)
        read = [self.episodes[place] for place in lane[some].tolist()]
        marks = np.zeros(int(sizes[some].sum()), np.bool_)
        marks[begins[some] - begins[some[0]]] = True
        inside = slice(max(0, first - int(begins[some[0]])), last - int(begins[some[0]]))
        observations = np.concatenate([episode.observations for episode in read])[inside]
        return observations, np.concatenate([episode.actions for episode in read])[inside], marks[inside]
