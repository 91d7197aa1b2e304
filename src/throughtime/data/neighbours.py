"""Sentences that stand side by side: a text of a sentence a line, and batches of sentences with those beside them.

The cat sleeps.            before  none     after  It dreams.
It dreams.                 before  The ...  after  none: an empty line ends a document

A new document.            before  none ...
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from throughtime.data.batches import Batches
from throughtime.data.lines import InvalidBytes, Lines
from throughtime.data.units import Units
from throughtime.errors import DataError
from throughtime.padded import Padded

NONE = -1  # the place of a neighbour that is not there


@dataclass(frozen=True)
class SentenceText:
    """The sentences of a text, and where its documents begin."""

    lines: list[str]
    begins: list[int]  # the place of each document's first sentence, rising
    bytes: int = 0  # of the file
    sha256: str = ""  # of the file
    skipped_bytes: int = 0  # that were not UTF-8

    def split(self, held_out: float) -> tuple["SentenceText", "SentenceText"]:
        """The first part and about the last `held_out` of the sentences.

        Documents stay whole if one begins where that leaves from half to twice as many; else one is cut in two.

        >>> text = SentenceText(["a", "b", "c", "d", "e"], [0, 4])
        >>> [(part.lines, part.begins) for part in text.split(0.4)]
        [(['a', 'b', 'c', 'd'], [0]), (['e'], [0])]
        >>> [(part.lines, part.begins) for part in text.split(0.6)]
        [(['a', 'b'], [0]), (['c', 'd', 'e'], [0, 2])]
        """
        count = len(self.lines)
        wanted = min(max(1, round(count * held_out)), count - 1)
        fits = [begin for begin in self.begins if begin and wanted <= 2 * (count - begin) <= 4 * wanted]
        cut = min(fits, key=lambda begin: abs(count - begin - wanted), default=count - wanted)
        later = [begin - cut for begin in self.begins if begin > cut]
        first = SentenceText(self.lines[:cut], [begin for begin in self.begins if begin < cut], self.bytes, self.sha256)
        return first, SentenceText(self.lines[cut:], [0, *later], self.bytes, self.sha256)


def read_sentences(path: Path, invalid_bytes: InvalidBytes = "refuse") -> SentenceText:
    """The sentences of a text file (.gz too), a line each.

    Raises `DataError` as `Lines` does, and when no two of them stand together.
    """
    file = Lines(path, invalid_bytes=invalid_bytes)
    lines, begins, ended = list[str](), list[int](), True
    for line in file:
        sentence = line.strip()
        if sentence and ended:
            begins.append(len(lines))
        if sentence:
            lines.append(sentence)
        ended = not sentence
    if len(lines) == len(begins):
        raise DataError(
            f"{path} has {len(lines):,} sentences and no two that stand together; give a sentence a line, "
            "with empty lines between documents alone"
        )
    return SentenceText(lines, begins, file.bytes, file.sha256, file.skipped_bytes)


@dataclass(frozen=True)
class NeighbourBatch:
    """Sentences side by side, each with the one before it and the one after it; one that is not there is empty."""

    source: Padded  # B T ids
    before: Padded
    after: Padded

    def to(self, device: torch.device) -> "NeighbourBatch":
        """The same batch on a device."""
        return NeighbourBatch(*(Padded(part.data.to(device), part.lengths) for part in self._parts))

    def split(self, parts: int) -> list["NeighbourBatch"]:
        """The rows in even groups; no more groups than there are rows."""
        count = len(self.source.lengths)
        groups = torch.arange(count).tensor_split(max(1, min(parts, count)))
        return [NeighbourBatch(*(part.take(group) for part in self._parts)) for group in groups]

    @property
    def _parts(self) -> tuple[Padded, Padded, Padded]:
        return self.source, self.before, self.after


@dataclass(frozen=True)
class Neighbours:
    """Encoded sentences, each with the places of the one before and of the one after it."""

    sequences: list[Tensor]
    before: NDArray[np.int64]  # N; NONE where there is none
    after: NDArray[np.int64]
    left_out: int = 0  # too long to be read or predicted

    @classmethod
    def of(cls, sentences: SentenceText, units: Units, *, longest: int) -> "Neighbours":
        """The sentences of a text; one of over `longest` units has no neighbours, and is none."""
        sequences = [torch.from_numpy(units.encode(line)).long() for line in sentences.lines]
        count = len(sequences)
        fits = np.array([len(ids) <= longest for ids in sequences], dtype=bool)
        bounds = np.zeros(count + 1, dtype=bool)  # whether a document begins there
        bounds[[*sentences.begins, count]] = True
        together = fits[:-1] & fits[1:] & ~bounds[1:-1]  # each with the next one
        places = np.arange(count)
        before, after = np.full(count, NONE), np.full(count, NONE)
        before[1:][together], after[:-1][together] = places[:-1][together], places[1:][together]
        return cls(sequences, before, after, int((~fits).sum()))

    @property
    def rows(self) -> NDArray[np.int64]:
        """The places of the sentences that have a neighbour."""
        return np.flatnonzero((self.before != NONE) | (self.after != NONE))

    def batch(self, rows: Sequence[int] | NDArray[np.int64]) -> NeighbourBatch:
        """Some of the sentences as a batch."""
        nothing = torch.zeros(0, dtype=torch.long)
        parts = [
            Padded.of([nothing if place == NONE else self.sequences[place] for place in places])
            for places in (np.asarray(rows), self.before[rows], self.after[rows])
        ]
        return NeighbourBatch(*parts)


class NeighbourBatches:
    """Batches of sentences of about the same length, with those beside them, in the order that `Batches` has.

    Sentences without any neighbour are in none. Raises as `Batches` does.

    >>> from throughtime.data.units import WordUnits
    >>> text = SentenceText(["a b", "c", "d"], [0, 2])
    >>> neighbours = Neighbours.of(text, WordUnits.learn("a b c d"), longest=9)
    >>> batches = NeighbourBatches(neighbours, rows=1)
    >>> batches.chunks(0), sorted(batches.chunk(0, i).source.data.tolist() for i in range(2))
    (2, [[[2, 3]], [[4]]])
    """

    def __init__(self, neighbours: Neighbours, *, rows: int, seed: int = 0) -> None:
        self.neighbours, self._rows = neighbours, neighbours.rows
        sources = [neighbours.sequences[row] for row in self._rows]
        self._batches = Batches(sources, torch.zeros(len(sources)), rows=rows, seed=seed)

    def chunks(self, epoch: int) -> int:
        """How many batches an epoch has."""
        return self._batches.chunks(epoch)

    def chunk(self, epoch: int, position: int) -> NeighbourBatch:
        """The batch at a position of an epoch."""
        return self.neighbours.batch(self._rows[self._batches.order(epoch)[position]])
