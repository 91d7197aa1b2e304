"""Runs: the counts of blocks of a corpus in files, and their sum.

    columns int32, values int64    of all runs, one after the other, row after row
    sizes int32                    of each run's rows, V numbers a run

The files have no names, so nothing is left of them whatever happens. Each run is read from its beginning to its end.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from throughtime.kernels import cooccur as kernels
from throughtime.kernels.cooccur import Accumulator, Ids, Integers
from throughtime.vectors.counting import ENTRY, Entries, Team, bounds_of


class Disk(ExitStack):
    """Files without a name in a folder, by default the one for temporary files; they are closed with it, and gone."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__()
        self.folder = Path(tempfile.gettempdir()) if folder is None else folder

    def file(self) -> IO[bytes]:
        """One more of them."""
        return self.enter_context(tempfile.TemporaryFile(dir=self.folder))


class Storage:
    """Columns and values on a disk."""

    def __init__(self, disk: Disk) -> None:
        self.columns, self.values = disk.file(), disk.file()
        self.entries = 0

    def append(self, columns: NDArray[np.int32], values: NDArray[Any]) -> None:
        """Writes entries after those that are there."""
        self.columns.write(columns.data)
        self.values.write(values.data)
        self.entries += len(columns)

    def read(self, first: int, columns: Ids, values: Integers) -> None:
        """Fills two arrays with the entries from `first` on."""
        _fill(self.columns, 4 * first, columns)
        _fill(self.values, 8 * first, values)

    def mapped(self) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """All of it, read only, without reading it; it outlives the disk."""
        if not self.entries:
            return np.zeros(0, np.int32), np.zeros(0, np.float64)
        self.columns.flush()
        self.values.flush()
        return np.memmap(self.columns, np.int32, "r"), np.memmap(self.values, np.float64, "r")


class Runs:
    """The runs of several blocks, and their sum."""

    def __init__(self, disk: Disk, vocab: int) -> None:
        self.storage, self.sizes = Storage(disk), disk.file()
        self.totals = np.zeros(vocab, dtype=np.int64)  # of the sizes of each row
        self.begins: list[int] = []

    def append(self, sheets: Iterator[Entries], sizes: Integers) -> None:
        """Writes the sheets of a block; the sizes are those of its rows, once they are made."""
        self.begins.append(self.storage.entries)
        for columns, values in sheets:
            self.storage.append(columns, values)
        self.sizes.write(sizes.astype(np.int32).data)
        self.totals += sizes

    def sheets(self, team: Team, room: int, tell: Callable[[int], None]) -> Iterator[Entries]:
        """The rows of the sum, as many at a time as `room` bytes and the team's buffer hold.

        `tell` is told how many entries of the runs are done.
        """
        runs, vocab = len(self.begins), len(self.totals)
        most = max(1, room // 4 // (12 * runs))  # rows at a time, of whose sizes in each run there is a table
        given = np.empty((room - room // 4) // ENTRY, dtype=np.int32), np.empty((room - room // 4) // ENTRY, np.int64)
        bounds, limit = bounds_of(self.totals), min(len(given[0]), team.most)
        places, row = np.array(self.begins, dtype=np.int64), 0
        while row < vocab:
            end = min(int(np.searchsorted(bounds, bounds[row] + limit, side="right")) - 1, row + most)
            if end == row:
                yield self._large_row(row, places, given, team)
                tell(int(bounds[row + 1]))
                row += 1
                continue
            starts = self._load(row, end, places, given)

            def work(
                rows: tuple[int, int],
                accumulator: Accumulator,
                columns: Ids,
                values: Integers,
                starts: Integers = starts,
                first: int = row,
            ) -> int:
                return kernels.add_rows(starts, first, rows, given, accumulator, columns, values, team.sizes)

            yield team.sheet((row, end), bounds, work, lambda done: tell(int(bounds[done])))
            row = end

    def _load(self, first: int, last: int, places: Integers, given: Entries) -> Integers:
        """Reads some rows of every run; where each of them begins in `given`. Moves the places."""
        starts, n = np.zeros((len(self.begins), last - first + 1), dtype=np.int64), 0
        for run in range(len(self.begins)):
            np.cumsum(self._sizes(run, first, last), out=starts[run, 1:])
            size = int(starts[run, -1])
            self.storage.read(int(places[run]), given[0][n : n + size], given[1][n : n + size])
            starts[run] += n
            places[run] += size
            n += size
        return starts

    def _large_row(self, row: int, places: Integers, given: Entries, team: Team) -> Entries:
        """A row of which the runs have more than fits: read and added piece by piece."""

        def work(accumulator: Accumulator) -> int:
            for run in range(len(self.begins)):
                left = int(self._sizes(run, row, row + 1)[0])
                while left:
                    piece = min(left, len(given[0]))
                    self.storage.read(int(places[run]), given[0][:piece], given[1][:piece])
                    kernels.add_run(accumulator, given[0][:piece], given[1][:piece])
                    places[run] += piece
                    left -= piece
            return kernels.take(accumulator, team.columns, team.values, 0)

        size = team.sizes[row] = team.alone(work)
        return team.columns[:size], team.values[:size]

    def _sizes(self, run: int, first: int, last: int) -> NDArray[np.int32]:
        sizes = np.empty(last - first, dtype=np.int32)
        _fill(self.sizes, 4 * (run * len(self.totals) + first), sizes)
        return sizes


def _fill(file: IO[bytes], offset: int, array: NDArray[Any]) -> None:
    """Reads an array from a file."""
    file.seek(offset)
    if file.readinto(array.data) < array.nbytes:  # type: ignore[attr-defined]
        raise OSError(f"{array.nbytes:,} bytes at {offset:,} are not there any more")
