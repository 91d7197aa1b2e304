"""Windows of series: a context, and the horizon after it; batches of them without a copy of the series."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from throughtime.data.batches import Shuffled
from throughtime.data.scale import Scale
from throughtime.data.tracks import Stretch, Track
from throughtime.errors import ArgumentError, DataError, printable

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class WindowBatch:
    """Windows side by side, all standardised.

    history  B L D      the targets, then the inputs
    known    B L+H F    what is known ahead, of the context too: columns, then the calendar
    targets  B H K      what came
    """

    history: Tensor
    known: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> "WindowBatch":
        """The same batch on a device."""
        return WindowBatch(self.history.to(device), self.known.to(device), self.targets.to(device))

    def split(self, parts: int) -> list["WindowBatch"]:
        """The rows in even groups; no more groups than there are rows."""
        count = max(1, min(parts, len(self.history)))
        every = (part.tensor_split(count) for part in (self.history, self.known, self.targets))
        return [WindowBatch(*group) for group in zip(*every, strict=True)]


class Windows:
    """All windows of series whose targets lie within given rows; their contexts may reach back beyond these.

    A window is `context` rows and the `horizon` after them; the next one begins `stride` rows later. Nothing is copied
    before a batch is asked for.

    Raises `ArgumentError` for sizes that are not at least 1, and `DataError` when there is no window at all.

    >>> track = Track("", np.arange(8, dtype=np.float32)[:, None], *[np.zeros((8, 0), np.float32)] * 2, None)
    >>> windows = Windows([track], [Stretch(0, 8)], Scale(np.zeros(1), np.ones(1)), targets=1, context=3, horizon=2)
    >>> len(windows), windows.batch(np.array([3])).history.flatten(), windows.batch(np.array([3])).targets.flatten()
    (4, tensor([3., 4., 5.]), tensor([6., 7.]))
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        stretches: Sequence[Stretch],
        scale: Scale,
        *,
        targets: int,
        context: int,
        horizon: int,
        stride: int = 1,
    ) -> None:
        for name, value in (("targets", targets), ("context", context), ("horizon", horizon), ("stride", stride)):
            if value < 1:
                raise ArgumentError(f"{name} must be at least 1; got {value}")
        self.tracks, self.scale, self.targets = tracks, scale, targets
        self.context, self.horizon, self.stride = context, horizon, stride
        # The place of a window is that of its first target.
        self.begins = np.array([max(first, context) for first, _ in stretches], np.int64)
        ends = np.array([min(last, len(track)) for track, (_, last) in zip(tracks, stretches, strict=True)], np.int64)
        self.counts = np.maximum(0, (ends - self.begins - horizon) // stride + 1)
        self.edges = np.cumsum(self.counts)
        if not len(self):
            longest = max(range(len(tracks)), key=lambda i: len(tracks[i]))
            name, rows = printable(tracks[longest].name)[:40], int(ends[longest] - stretches[longest].first)
            raise DataError(
                f"the longest series{f' ({name!r})' if name else ''} has {len(tracks[longest]):,} rows, {rows:,} of "
                f"them in this part: too few for a context of {context:,} and a horizon of {horizon:,}; "
                "give a smaller --context or --horizon, another --split, or longer series"
            )

    def __len__(self) -> int:
        return int(self.edges[-1]) if len(self.edges) else 0

    @property
    def without(self) -> int:
        """How many series have no window."""
        return int((self.counts == 0).sum())

    def place(self, index: int) -> tuple[int, int]:
        """The number of a window's series, and the row of its first target there."""
        track = int(np.searchsorted(self.edges, index, "right"))
        inside = index - int(self.edges[track] - self.counts[track])
        return track, int(self.begins[track]) + inside * self.stride

    def raw(self, index: int) -> NDArray[np.float32]:
        """(L+H K) the targets of a window, in the units of the file: a view of its series."""
        track, begin = self.place(index)
        return self.tracks[track].values[begin - self.context : begin + self.horizon, : self.targets]

    def batch(self, indices: Indices) -> WindowBatch:
        """Some of the windows."""
        width = self.tracks[0].values.shape[1]
        values, known, told = [], [], []
        for index in indices.tolist():
            track, begin = self.place(index)
            rows = slice(begin - self.context, begin + self.horizon)
            values.append(self.tracks[track].values[rows])
            known.append(self.tracks[track].known[rows])
            told.append(self.tracks[track].calendar[rows])
        whole = standardised(np.stack(values), self.scale, 0)
        ahead = torch.cat([standardised(np.stack(known), self.scale, width), torch.from_numpy(np.stack(told))], -1)
        return WindowBatch(whole[:, : self.context], ahead, whole[:, self.context :, : self.targets])

    def in_order(self, rows: int, most: int | None = None) -> list[Indices]:
        """Windows by number in batches of so many; `most` of them in even distances, or all."""
        step = 1 if most is None else -(-len(self) // most)
        chosen = np.arange(0, len(self), step)
        return [chosen[first : first + rows] for first in range(0, len(chosen), rows)]


def learned_scale(tracks: Sequence[Track], stretches: Sequence[Stretch]) -> Scale:
    """The scale of targets, inputs and what is known ahead, over those rows of all series."""
    parts = zip(tracks, stretches, strict=True)
    return Scale.learn(np.concatenate([t.values[first:last], t.known[first:last]], 1) for t, (first, last) in parts)


def standardised(values: NDArray[np.float32], scale: Scale, first: int) -> Tensor:
    """Values (... D) less their mean, over their deviation; `first` is the column that they begin with."""
    columns = slice(first, first + values.shape[-1])
    return torch.from_numpy(Scale(scale.mean[columns], scale.deviation[columns]).apply(values))


class WindowBatches:
    """Batches of windows; which come when is a function of (seed, epoch, position) alone. Each comes once an epoch.

    Raises `ArgumentError` unless there is at least a row to a batch.
    """

    def __init__(self, windows: Windows, *, rows: int, seed: int = 0) -> None:
        self.windows, self.order = windows, Shuffled(len(windows), rows=rows, seed=seed)

    def chunks(self, epoch: int) -> int:
        """How many batches an epoch has."""
        return self.order.chunks

    def chunk(self, epoch: int, position: int) -> WindowBatch:
        """The batch at a position of an epoch."""
        return self.windows.batch(self.order.chunk(epoch, position))
