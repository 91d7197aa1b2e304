"""Threads that learn from one text together."""

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.kernels import word2vec as kernel
from throughtime.kernels.merge import merge
from throughtime.kernels.rows import GROUP, LANES
from throughtime.vectors.merging import divisors
from throughtime.vectors.rows import aligned

CHUNK = 2**14  # places of the text
REPLICAS = 2  # of a deterministic crew


class Place(NamedTuple):
    """A chunk: where it begins, and what its draws and its steps begin with."""

    start: int
    key: np.uint64
    rate: float


class Learned(NamedTuple):
    """What was done: chunks, and the loss of the examples that were measured."""

    chunks: int = 0
    loss: float = 0.0
    examples: int = 0

    @staticmethod
    def together(parts: "Iterable[Learned]") -> "Learned":
        """All of it."""
        parts = list(parts)
        return Learned(sum(p.chunks for p in parts), sum(p.loss for p in parts), sum(p.examples for p in parts))


class Crew:
    """Threads, the memory that each works in, and how they share the rows.

    Without `moves`, all threads move the same rows and none waits: now and then one writes over what another has just
    written, which does no harm (Niu et al., 2011) but is never twice the same.

    With `moves`, how often each row is expected to move for a place of the text, a crew is deterministic. It has two
    replicas of all rows, each of which learns from every other chunk. When both have done one, their rows become one
    again (see `merging`), and nothing depends on which thread did what. It costs the memory of two more tables and the
    merging; at most two threads have work.
    """

    def __init__(
        self,
        words: kernel.Words,
        manner: kernel.Manner,
        inputs: NDArray[np.float32],
        outputs: NDArray[np.float32],
        threads: int,
        moves: tuple[NDArray[np.float64], ...] = (),
    ) -> None:
        self.words, self.manner, self.tables, self.threads = words, manner, (inputs, outputs), threads
        self.moves = moves
        self.replicas = [_copies(table, REPLICAS) for table in self.tables] if moves else []
        owned = list(zip(*self.replicas, strict=True)) or [self.tables] * threads
        self.memories = [_memory(words, manner, *rows) for rows in owned]
        self.lock, self.stopped = threading.Lock(), threading.Event()
        kernel.train(words, manner, self.memories[0], 0, 0, np.uint64(0), 0.0)  # learns nothing, but is compiled

    def __enter__(self) -> "Crew":
        self.pool = ThreadPoolExecutor(self.threads, thread_name_prefix="word2vec")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self.pool.shutdown()

    def round(self, places: Iterator[Place], seconds: float) -> Learned:
        """Learns from chunks, for about so many seconds or until there are no more."""
        until = time.perf_counter() + seconds
        if not self.replicas:
            parts = self.pool.map(lambda memory: self._learn(memory, self._taken(places, until)), self.memories)
            return Learned.together(parts)
        learned = Learned()
        while time.perf_counter() < until and (some := list(islice(places, REPLICAS))):
            shares = [some[replica::REPLICAS] for replica in range(REPLICAS)]
            learned = Learned.together([learned, *self.pool.map(self._learn, self.memories, shares)])
            self._merge(some[-1].rate)
        return learned

    def _taken(self, places: Iterator[Place], until: float) -> Iterator[Place]:
        """The chunks that a thread takes from those that all share."""
        while time.perf_counter() < until:
            with self.lock:
                place = next(places, None)
            if place is None:
                return
            yield place

    def _learn(self, memory: kernel.Memory, places: Iterable[Place]) -> Learned:
        learned, size = Learned(), len(self.words.ids)
        for start, key, rate in places:
            if self.stopped.is_set():
                break
            stop = min(start + CHUNK, size)
            loss, examples = kernel.train(self.words, self.manner, memory, start, stop, key, rate)
            learned = Learned(learned.chunks + 1, learned.loss + loss, learned.examples + examples)
        return learned

    def _merge(self, rate: float) -> None:
        """Moves the rows by what the replicas moved theirs, and sets the replicas to them."""
        for table, copies, moves in zip(self.tables, self.replicas, self.moves, strict=True):
            shares = divisors(moves * CHUNK, rate, REPLICAS)
            borders = np.linspace(0, len(table), 4 * self.threads + 1).astype(int)
            parts = [self.pool.submit(merge, table, copies, shares, begin, end) for begin, end in pairwise(borders)]
            for part in parts:
                part.result()


def _copies(table: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    copies = aligned(count * len(table), table.shape[1]).reshape(count, *table.shape)
    copies[:] = table
    return copies


def _memory(
    words: kernel.Words, manner: kernel.Manner, inputs: NDArray[np.float32], outputs: NDArray[np.float32]
) -> kernel.Memory:
    """Room for one thread, to work on these rows."""
    vocab, width = len(words.keep), inputs.shape[1]
    scratch = aligned(3, width)
    most = 1 + manner.negatives if manner.objective == kernel.NEGATIVE else int(np.diff(words.node_starts).max())
    apart = manner.objective == kernel.NEGATIVE and not (manner.bag or manner.shared)
    places = 2 * (2 * manner.window if apart else 1) * GROUP * -(-most // GROUP)
    return kernel.Memory(
        inputs=inputs.ctypes.data,
        outputs=outputs.ctypes.data,
        blocks=width // LANES,
        hidden=scratch[0].ctypes.data,
        error=scratch[1].ctypes.data,
        spare=scratch[2].ctypes.data,
        scratch=scratch,
        kept=np.zeros(CHUNK + 2 * manner.window + 1, np.int32),
        beside=np.zeros(4 * manner.window, np.int32),
        places=np.zeros(places, np.int64),
        labels=np.zeros(places, np.float32),
        rates=np.zeros(places, np.float32),
        scores=np.zeros(max(LANES, vocab + GROUP), np.float32),
    )
