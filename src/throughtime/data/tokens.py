"""Batches of sentences whose distinct words are there once, each with all that a tagger sees of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from throughtime.data.batches import Batches
from throughtime.data.lanes import UNSCORED
from throughtime.data.lexicon import WordTable
from throughtime.padded import Padded


@dataclass(frozen=True)
class Words:
    """Different words, one a row."""

    features: Tensor  # U F: the number of the word itself, then of its casing and affixes
    letters: Padded  # U C

    def to(self, device: torch.device) -> "Words":
        """The same on a device."""
        return Words(self.features.to(device), Padded(self.letters.data.to(device), self.letters.lengths))

    def take(self, rows: Tensor) -> "Words":
        """Some of them, by index."""
        return Words(self.features[rows.to(self.features.device)], self.letters.take(rows))


@dataclass(frozen=True)
class TokenBatch:
    """Sentences side by side."""

    words: Words  # that stand in them, each once
    places: Padded  # B T: which of the words stands where
    targets: Tensor  # B T: the numbers of tags; past a length UNSCORED

    def to(self, device: torch.device) -> "TokenBatch":
        """The same batch on a device."""
        places = Padded(self.places.data.to(device), self.places.lengths)
        return TokenBatch(self.words.to(device), places, self.targets.to(device))

    def split(self, parts: int) -> list["TokenBatch"]:
        """The sentences in even groups, each with the words that it has; no more groups than there are sentences."""
        rows = torch.arange(len(self.places.lengths))
        groups = rows.tensor_split(max(1, min(parts, len(rows))))
        if len(groups) == 1:
            return [self]
        return [self._some(group) for group in groups]

    def _some(self, group: Tensor) -> "TokenBatch":
        lengths = self.places.lengths[group]
        some = self.places.data[group.to(self.places.data.device), : int(lengths.max())]
        used, places = torch.unique(some, return_inverse=True)
        targets = self.targets[group.to(self.targets.device), : some.shape[1]]
        return TokenBatch(self.words.take(used), Padded(places, lengths).zeroed(), targets)


def words_of(table: WordTable, rows: NDArray[np.int64]) -> Words:
    """Some rows of a table.

    >>> from throughtime.data.lexicon import Lexicon, View
    >>> table = WordTable(Lexicon(View(plain=True, casing=True, affixes=0, letters=True), ["a", "cat"], [], "act"))
    >>> words = words_of(table, table.rows(["Cat", "a"]))
    >>> words.features.tolist(), words.letters.data.tolist(), words.letters.lengths.tolist()
    ([[2, 1], [1, 0]], [[0, 1, 3], [1, 0, 0]], [3, 1])
    """
    counts = table.counts[rows]
    letters = table.letters[rows][:, : max(1, int(counts.max(initial=0)))].astype(np.int64)
    return Words(torch.from_numpy(table.features[rows]), Padded(torch.from_numpy(letters), torch.from_numpy(counts)))


class TokenBatches:
    """Batches of sentences of about the same length, in the order that `Batches` has.

    `sentences` are the rows of their words in the table. Raises as `Batches` does.
    """

    def __init__(
        self, table: WordTable, sentences: Sequence[Tensor], targets: Sequence[Tensor], *, rows: int, seed: int = 0
    ) -> None:
        self.table, self.sentences, self.targets = table, sentences, targets
        self._batches = Batches(sentences, targets, rows=rows, seed=seed)

    def chunks(self, epoch: int) -> int:
        """How many batches an epoch has."""
        return self._batches.chunks(epoch)

    def chunk(self, epoch: int, position: int) -> TokenBatch:
        """The batch at a position of an epoch."""
        rows = self._batches.order(epoch)[position]
        padded = Padded.of([self.sentences[row] for row in rows])
        used, places = np.unique(padded.data.numpy(), return_inverse=True)
        whole = padded.replace(torch.from_numpy(places.reshape(padded.data.shape))).zeroed()
        targets = [self.targets[row] for row in rows]
        padded_targets = torch.nn.utils.rnn.pad_sequence(targets, True, float(UNSCORED))
        return TokenBatch(words_of(self.table, used), whole, padded_targets)
