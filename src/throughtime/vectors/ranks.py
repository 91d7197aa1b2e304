"""word2vec on several processes, on one machine or many: each learns from its share of the texts.

`torchrun` starts the processes and tells each its rank. All read the same texts and keep those whose number, divided by
the number of processes, leaves their rank. Their counts are added up, so that all have the same vocabulary. Then each
learns from its own share, and every so often all rows move by what the processes moved theirs (see `merging`).

Cost: an exchange sends both tables twice round a ring, 2 (N - 1) / N of 8 V D bytes from each of N processes, V words
of dimension D. docs/vectors.md works it out for a trillion words.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.data.texts import Texts
from throughtime.errors import ArgumentError
from throughtime.vectors.corpus import Corpus, count_words
from throughtime.vectors.crew import CHUNK
from throughtime.vectors.merging import divisors
from throughtime.vectors.vocabulary import join_vocabularies

EXCHANGE_CHUNKS = 16  # between two exchanges: a quarter of a million words
EXCHANGES = 64  # in an epoch, at least, as long as there is a chunk for each
ROWS = 2**16  # that are sent at a time


class Ranks:
    """The processes that learn together, as one of them sees them. Makes their rows one: a `Join`."""

    def __init__(self, rank: int, ranks: int) -> None:
        self.rank, self.ranks = rank, ranks

    @classmethod
    def from_environment(cls) -> "Ranks | None":
        """The processes that `torchrun` started, met by gloo; None where there is but one.

        Raises `ArgumentError` when the environment does not say where they meet.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) < 2:
            return None
        from torch import distributed

        try:
            distributed.init_process_group("gloo")
        except ValueError as error:
            raise ArgumentError(f"WORLD_SIZE is set, but the processes cannot meet: {error}; use torchrun") from None
        return cls(distributed.get_rank(), distributed.get_world_size())

    def corpus(
        self,
        texts: Texts,
        folder: Path,
        *,
        token: str | None = None,
        lower: bool = False,
        minimum_count: int = 5,
        maximum_vocab: int | None = None,
    ) -> Corpus:
        """This process's share of the texts, over the vocabulary of all of them."""
        from torch import distributed

        with count_words(texts, folder, token=token, lower=lower, share=(self.rank, self.ranks)) as share:
            own = dict(zip(share.words, share.counts.tolist(), strict=True))
            gathered: list[Any] = [None] * self.ranks if self.rank == 0 else []
            distributed.gather_object(own, gathered if self.rank == 0 else None)
            sent: list[Any] = [None]
            if self.rank == 0:
                sent = [_joined(gathered, minimum_count, maximum_vocab)]
            distributed.broadcast_object_list(sent)
            if isinstance(sent[0], Exception):
                raise sent[0]
            return _totals(share.corpus(sent[0]))

    def begin(
        self, tables: tuple[NDArray[np.float32], ...], moves: tuple[NDArray[np.float64], ...], chunks: int, epochs: int
    ) -> None:
        """Remembers the rows, and agrees on how many rounds there are: as many as the longest share needs."""
        import torch
        from torch import distributed

        each = min(EXCHANGE_CHUNKS, max(1, chunks // epochs // EXCHANGES))
        longest = torch.tensor([-(-chunks // each)])
        distributed.all_reduce(longest, op=distributed.ReduceOp.MAX)
        self._chunks, self._rounds, self._round = chunks, int(longest), 0
        self._before, self._moves = [table.copy() for table in tables], moves

    def stop(self) -> int:
        """The chunk at which the next round ends."""
        self._round += 1
        return self._chunks * self._round // self._rounds

    def merge(self, tables: tuple[NDArray[np.float32], ...], chunks: int, rate: float) -> None:
        """Moves every row by what the processes moved it by."""
        import torch
        from torch import distributed

        for table, before, moves in zip(tables, self._before, self._moves, strict=True):
            shares = divisors(moves * chunks * CHUNK, rate, self.ranks)[:, None]
            for begin in range(0, len(table), ROWS):
                rows, old = table[begin : begin + ROWS], before[begin : begin + ROWS]
                moved = rows - old
                distributed.all_reduce(torch.from_numpy(moved))
                old += moved / shares[begin : begin + ROWS]
                rows[:] = old


def _joined(counts: list[Mapping[str, int]], minimum_count: int, maximum_vocab: int | None) -> Any:
    """The vocabulary of all, or the error that all shall raise."""
    try:
        return join_vocabularies(counts, minimum_count=minimum_count, maximum_vocab=maximum_vocab)
    except ValueError as error:
        return error


def _totals(corpus: Corpus) -> Corpus:
    """A share that tells of all words, unknown ones and texts: what is said of the whole is said of all processes."""
    import torch
    from torch import distributed

    totals = torch.tensor([corpus.words, corpus.unknown, corpus.texts])
    distributed.all_reduce(totals)
    words, unknown, texts = totals.tolist()
    return replace(corpus, words=words, unknown=unknown, texts=texts)
