"""Batches of pairs of about equal length, each of as many tokens, padding included, as are allowed."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from throughtime.data.lanes import UNSCORED
from throughtime.data.splits import Indices, shuffled
from throughtime.data.units import Ids
from throughtime.errors import ArgumentError, DataError
from throughtime.padded import Padded

POOL = 32  # batches, about, among which pairs are sorted by length


@dataclass(frozen=True)
class PairBatch:
    """Sources side by side, and their targets, each without an end."""

    source: Padded  # B S ids
    target: Padded  # B T ids, in the order of the rows

    def to(self, device: torch.device) -> "PairBatch":
        """The same batch on a device."""
        return PairBatch(*(Padded(side.data.to(device), side.lengths) for side in (self.source, self.target)))

    def split(self, parts: int) -> list["PairBatch"]:
        """The rows in even groups, no wider than they need to be; no more groups than there are rows."""
        rows = torch.arange(len(self.source.lengths))
        groups = rows.tensor_split(max(1, min(parts, len(rows))))
        return [self] if len(groups) == 1 else [self._some(group) for group in groups]

    def _some(self, rows: torch.Tensor) -> "PairBatch":
        some = (side.take(rows) for side in (self.source, self.target))
        return PairBatch(*(Padded(side.data[:, : int(side.lengths.max())], side.lengths) for side in some))


def shifted(target: Padded, end: int) -> tuple[Padded, torch.Tensor]:
    """What a decoder reads of targets, from the end symbol on, and what it should predict, up to it (B T+1).

    >>> read, predicted = shifted(Padded(torch.tensor([[3, 4], [5, 0]]), torch.tensor([2, 1])), end=9)
    >>> read.data.tolist(), predicted.tolist()
    ([[9, 3, 4], [9, 5, 0]], [[3, 4, 9], [5, 9, -1]])
    """
    ends = target.data.new_full((len(target.data), 1), end)
    read = Padded(torch.cat([ends, target.data], 1), target.lengths + 1).zeroed()
    places = torch.arange(target.steps + 1, device=target.data.device)
    last = target.lengths.to(target.data.device)[:, None]
    predicted = torch.cat([target.data, ends], 1).masked_fill(places == last, end)
    return read, predicted.masked_fill(places > last, UNSCORED)


class PairBatches:
    """Batches of at most `tokens` tokens, padding included; which comes when depends on (seed, epoch, position) alone.

    A batch of B pairs has B (S + T + 1) tokens, of its longest source S and its longest target T with its end. In
    every epoch the pairs are shuffled, sorted by length within about 32 batches, cut into batches, and the batches are
    shuffled, by integer arithmetic: the same on every machine. Every pair comes once an epoch; one that is longer than
    `tokens` stands in a batch of its own, and is counted in `oversized`.

    Raises `DataError` when there are none, `ArgumentError` when sources and targets are not as many.

    >>> lines = [np.arange(n, dtype=np.int32) for n in (3, 1, 2, 9)]
    >>> batches = PairBatches(lines, lines, tokens=12)
    >>> sorted(batches.chunk(0, i).source.lengths.tolist() for i in range(batches.chunks(0))), batches.oversized
    ([[1, 2], [3], [9]], 1)
    """

    def __init__(self, sources: Sequence[Ids], targets: Sequence[Ids], *, tokens: int, seed: int = 0) -> None:
        if not len(sources):
            raise DataError("there are no pairs to make batches of")
        _check(sources, targets, tokens)
        self.sources, self.targets, self.tokens, self.seed = _Lines(sources), _Lines(targets), tokens, seed
        sizes = self.sources.lengths + self.targets.lengths + 1
        self.oversized = int((sizes > tokens).sum())
        self._pool = max(1, int(POOL * tokens / sizes.mean()))
        self._order: tuple[int, list[Indices]] = (-1, [])

    def chunks(self, epoch: int) -> int:
        """How many batches an epoch has, which is not the same in all."""
        return len(self.order(epoch))

    def chunk(self, epoch: int, position: int) -> PairBatch:
        """The batch at a position of an epoch."""
        rows = self.order(epoch)[position]
        return PairBatch(self.sources.padded(rows), self.targets.padded(rows))

    def order(self, epoch: int) -> list[Indices]:
        """The rows of each batch of an epoch."""
        if self._order[0] != epoch:
            order, batches = shuffled(len(self.sources.lengths), _seed(self.seed, epoch, 0)), list[Indices]()
            for first in range(0, len(order), self._pool):
                batches += _cut(self.sources, self.targets, order[first : first + self._pool], self.tokens)
            places = shuffled(len(batches), _seed(self.seed, epoch, 1))
            self._order = epoch, [batches[place] for place in places]
        return self._order[1]


def pairs_in_order(
    sources: Sequence[Ids], targets: Sequence[Ids], *, tokens: int
) -> Iterator[tuple[Indices, PairBatch]]:
    """All pairs once, sorted by length, in batches as `PairBatches` has them, with the places where these stood."""
    _check(sources, targets, tokens)
    left, right = _Lines(sources), _Lines(targets)
    for rows in _cut(left, right, np.arange(len(sources)), tokens):
        yield rows, PairBatch(left.padded(rows), right.padded(rows))


class _Lines:
    """Ids of many lines, one after the other."""

    def __init__(self, lines: Sequence[Ids]) -> None:
        self.lengths = np.array([len(line) for line in lines], np.int64)
        self._ends = np.cumsum(self.lengths)
        self._ids = np.concatenate([np.zeros(0, np.int32), *lines])

    def padded(self, rows: Indices) -> Padded:
        """Some of the lines as a batch."""
        lengths = self.lengths[rows]
        places = np.arange(int(lengths.max(initial=0)))
        real = places < lengths[:, None]
        data: NDArray[np.int64] = np.zeros(real.shape, np.int64)
        data[real] = self._ids[((self._ends[rows] - lengths)[:, None] + places)[real]]
        return Padded(torch.from_numpy(data), torch.from_numpy(lengths))


def _cut(sources: _Lines, targets: _Lines, rows: Indices, tokens: int) -> list[Indices]:
    """Rows in batches of about equal length, each as large as may be."""
    left, right = sources.lengths[rows], targets.lengths[rows]
    # By the longer of the two: of English and German captions 8 % are padding so, and 13 % by target, then source.
    order = np.lexsort((left + right, np.maximum(left, right)))
    ordered, lengths = rows[order], zip(left[order].tolist(), right[order].tolist(), strict=True)
    begins, first, widest, longest = [], 0, 0, 0
    for place, (source, target) in enumerate(lengths):
        widest, longest = max(widest, source), max(longest, target + 1)
        if place > first and (place - first + 1) * (widest + longest) > tokens:
            begins.append(place)
            first, widest, longest = place, source, target + 1
    return np.split(ordered, begins) if len(ordered) else []


def _seed(*numbers: int) -> int:
    """One number of several, below 2^63."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:8], "little") >> 1


def _check(sources: Sequence[Ids], targets: Sequence[Ids], tokens: int) -> None:
    if tokens < 1:
        raise ArgumentError(f"tokens must be at least 1; got {tokens}")
    if len(sources) != len(targets):
        raise ArgumentError(f"every source has a target: {len(sources):,} and {len(targets):,} do not fit")
