"""word2vec on several processes, on one machine or many: each learns from its share of the texts.

`torchrun` starts the processes and tells each its rank. All read the same texts and keep those whose number, divided by
the number of processes, leaves their rank. Their counts are added up, so that all have the same vocabulary. Then each
learns from its own share, and every so often all rows move by what the processes moved theirs (see `merging`).

Cost: an exchange sends both tables twice round a ring, 2 (N - 1) / N of 8 V D bytes from each of N processes, V words
of dimension D. docs/vectors.md works it out for a trillion words.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from throughtime.data.texts import Texts
from throughtime.errors import ArgumentError, DataError, ThroughtimeError
from throughtime.vectors.corpus import Corpus, Counted, Tell, count_words
from throughtime.vectors.crew import CHUNK, Learned
from throughtime.vectors.merging import divisors
from throughtime.vectors.vocabulary import join_vocabularies

T = TypeVar("T")
EXCHANGE_CHUNKS = 16  # between two exchanges, at least: a quarter of a million words
EXCHANGES = 64  # in an epoch, at least, as long as there is a chunk for each
ROWS = 2**16  # that are sent at a time


class Ranks:
    """The processes that learn together, as one of them sees them. Makes their rows one: a `Join`."""

    def __init__(self, rank: int, ranks: int) -> None:
        self.rank, self.ranks = rank, ranks
        self.agreed = False  # whether an error was raised that is the same on all, so that one of them may tell of it

    @classmethod
    def from_environment(cls) -> "Ranks | None":
        """The processes that `torchrun` started, met by gloo; None where there is but one.

        Raises `ArgumentError` when the environment does not say where they meet.
        """
        size = os.environ.get("WORLD_SIZE", "1")
        if not size.isdecimal():
            raise ArgumentError(f"WORLD_SIZE must be a number of processes; got {size!a:.80}; use torchrun or unset it")
        if int(size) < 2:
            return None
        from torch import distributed

        try:
            distributed.init_process_group("gloo")
        except (ValueError, RuntimeError) as error:
            what = str(error).partition("\n")[0]
            raise ArgumentError(f"WORLD_SIZE is set, but the processes cannot meet: {what}; use torchrun") from None
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
        tell: Tell | None = None,
    ) -> Corpus:
        """This process's share of the texts, over the vocabulary of all of them.

        Raises, on all processes, `DataError` when one of them has nothing to learn from, and `ArgumentError` for the
        standard input, which only one of them could read.
        """
        from torch import distributed

        def count() -> Counted:
            if texts.source is None:
                raise ArgumentError("several processes cannot share the standard input; write it to a file first")
            share = self.rank, self.ranks
            return count_words(texts, folder, token=token, lower=lower, share=share, tell=tell)

        with self._same(count) as share:
            self._same(lambda: self._check(share))
            own = dict(zip(share.words, share.counts.tolist(), strict=True))
            gathered: list[Any] = [None] * self.ranks if self.rank == 0 else []
            sent: list[Any] = [None]
            with _meeting():
                distributed.gather_object(own, gathered if self.rank == 0 else None)
                if self.rank == 0:
                    sent = [_joined(gathered, minimum_count, maximum_vocab)]
                distributed.broadcast_object_list(sent)
            if isinstance(sent[0], Exception):
                self.agreed = True
                raise sent[0]
            corpus = self._same(lambda: share.corpus(sent[0]))
            return _totals(corpus)

    def begin(
        self, tables: tuple[NDArray[np.float32], ...], moves: tuple[NDArray[np.float64], ...], chunks: int, epochs: int
    ) -> None:
        """Remembers the rows, and agrees on the longest share: every process goes through its own at the same pace."""
        import torch
        from torch import distributed

        longest = torch.tensor([chunks])
        with _meeting():
            distributed.all_reduce(longest, op=distributed.ReduceOp.MAX)
        self._chunks, self._longest, self._reached = chunks, int(longest), 0
        self._most = max(1, self._longest // epochs // EXCHANGES)
        self._each = min(EXCHANGE_CHUNKS, self._most)
        self._before, self._moves = [table.copy() for table in tables], moves

    def stop(self) -> int:
        """The chunk at which the next round ends."""
        self._reached = min(self._longest, self._reached + self._each)
        self._began = time.perf_counter()
        return self._chunks * self._reached // self._longest

    def merge(self, tables: tuple[NDArray[np.float32], ...], learned: Learned, rate: float) -> Learned:
        """Moves every row by what the processes moved it by. Gives this process's chunks, and the loss of all."""
        import torch
        from torch import distributed

        met = time.perf_counter()
        with _meeting():
            for table, before, moves in zip(tables, self._before, self._moves, strict=True):
                shares = divisors(moves * learned.chunks * CHUNK, rate, self.ranks)[:, None]
                for begin in range(0, len(table), ROWS):
                    rows, old = table[begin : begin + ROWS], before[begin : begin + ROWS]
                    moved = rows - old
                    distributed.all_reduce(torch.from_numpy(moved))
                    old += moved / shares[begin : begin + ROWS]
                    rows[:] = old
            loss = torch.tensor([learned.loss, learned.examples], dtype=torch.float64)
            distributed.all_reduce(loss)
        self.agreed = not bool(loss.isfinite().all())
        self._pace(met - self._began, time.perf_counter() - met)
        return Learned(learned.chunks, float(loss[0]), int(loss[1]))

    def _pace(self, learning: float, meeting: float) -> None:
        """Sets how far the next round goes: so far that learning takes as long as meeting, where rows are many."""
        import torch
        from torch import distributed

        seconds = torch.tensor([learning, meeting])
        with _meeting():
            distributed.all_reduce(seconds, op=distributed.ReduceOp.MAX)
        fair = int(self._each * float(seconds[1] / seconds[0].clamp(min=1e-9)))
        self._each = min(self._most, max(EXCHANGE_CHUNKS, fair))

    def __enter__(self) -> "Ranks":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Parts from the others: when all is well all at once, so that nobody loses one who is not done yet.

        After an error that is the same on all, the first process goes first: it is to tell, and `torchrun` stops all as
        soon as one has failed.
        """
        from torch import distributed

        if kind is not None and issubclass(kind, ArgumentError):  # all have the same arguments
            self.agreed = True
        with suppress(RuntimeError):
            if kind is None or (self.rank and self.agreed):
                distributed.barrier()
        with suppress(RuntimeError):
            distributed.destroy_process_group()

    def _same(self, make: Callable[[], T]) -> T:
        """What `make` gives; when it raises on any process, the error is raised on all."""
        from torch import distributed

        made: T | None = None
        error: ThroughtimeError | None = None
        try:
            made = make()
        except ThroughtimeError as caught:
            error = caught
        errors: list[Any] = [None] * self.ranks
        with _meeting():
            distributed.all_gather_object(errors, None if error is None else str(error))
        said = next((message for message in errors if message is not None), None)
        if said is None:
            return cast(T, made)
        self.agreed = True
        if isinstance(made, Counted):
            made.file.close()
        raise error or DataError(said)

    def _check(self, share: Counted) -> None:
        """Raises `DataError` when this process has no text, or not the text that the others have."""
        from torch import distributed

        seen: list[Any] = [None] * self.ranks
        with _meeting():
            distributed.all_gather_object(seen, share.sha256)
        if len(set(seen)) > 1:
            raise DataError("the processes do not read the same text; give each the same files")
        if not len(share.words):
            raise DataError(
                f"there is no text for process {self.rank + 1} of {self.ranks}: a line goes to one of them, and there "
                "are too few; start fewer processes, or cut the text into lines"
            )


@contextmanager
def _meeting() -> Iterator[None]:
    """What processes do together; raises `ThroughtimeError` when one of them is gone."""
    try:
        yield
    except RuntimeError as error:
        what = str(error).partition("\n")[0]
        raise ThroughtimeError(
            f"another process has stopped, or cannot be reached any more; start all of them again ({what:.200})"
        ) from None


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
    with _meeting():
        distributed.all_reduce(totals)
    words, unknown, texts = totals.tolist()
    return replace(corpus, words=words, unknown=unknown, texts=texts)
