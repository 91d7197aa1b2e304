"""word2vec: a word's vector is what it takes to predict the words beside it."""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DivergedError
from throughtime.kernels import word2vec as kernel
from throughtime.vectors.corpus import Corpus
from throughtime.vectors.crew import CHUNK, Crew, Learned, Place
from throughtime.vectors.draws import alias, keeping, negatives_for
from throughtime.vectors.huffman import huffman
from throughtime.vectors.merging import expected_moves
from throughtime.vectors.progress import Progress
from throughtime.vectors.rows import aligned
from throughtime.vectors.subwords import Subwords, parts
from throughtime.vectors.table import Table

OBJECTIVES = {"negative": kernel.NEGATIVE, "hierarchical": kernel.HIERARCHICAL, "softmax": kernel.SOFTMAX}
SOFTMAX_LIMIT = 50_000  # words of a full softmax, each of which moves at every example
LOWEST = 1e-4  # share of the learning rate at the end
ROUND_SECONDS = 0.5  # between two words on how far training is


class Join(Protocol):
    """Makes the rows of several processes one."""

    rank: int

    def begin(
        self, tables: tuple[NDArray[np.float32], ...], moves: tuple[NDArray[np.float64], ...], chunks: int, epochs: int
    ) -> None:
        """Is called once: the rows before training, how often each moves for a place, this process's chunks in all."""
        ...

    def stop(self) -> int:
        """The chunk at which the next round ends."""
        ...

    def merge(self, tables: tuple[NDArray[np.float32], ...], learned: Learned, rate: float) -> Learned:
        """Moves the rows to what they are on all processes together, after a round in which this one learned so much.

        Gives this process's chunks, and the loss of all.
        """
        ...


@dataclass
class State:
    """All that training changes, and where it stands. Rows are filled up with zeros to whole blocks."""

    inputs: NDArray[np.float32]  # of the words, then of their parts
    outputs: NDArray[np.float32]  # of the words, or of the nodes of the tree
    chunk: int = 0  # how many were done, over all epochs
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Word2Vec:
    """Skip-gram and continuous bag of words, with three objectives.

    Formula: h is the vector of a word of the window (skip-gram), or the mean or sum of all of them (CBOW); t is the
    middle word. With negatives n: -log σ(θ_t·h) - Σ_n log σ(-θ_n·h), n drawn by frequency^0.75. Hierarchical:
    -Σ log σ(±θ_node·h) along the word's way down a Huffman tree. Softmax: -log softmax(θ h)_t.

    Windows are between 1 and `window` words wide, drawn for each word. The learning rate falls in a straight line.
    With `subwords`, (shortest, longest, buckets), a word's vector is the mean of its own and of its letter n-grams'.

    `shared` draws the negatives once for all words of a window: their rows stay in the cache, and scores are those of
    separate draws within the noise (docs/results.md).

    Raises `ArgumentError` for settings that do not fit.

    Source: Mikolov et al. (2013a, 2013b); Bojanowski et al. (2017); Ji et al. (2016), section 3, for shared negatives.
    As in the original, h moves by the whole of what it owes. Unlike there, σ is exact, texts are not cut, and inputs
    begin with a length of 1 rather than near 0, from where a small text hardly gets them away (docs/results.md).
    """

    architecture: Literal["skipgram", "cbow"] = "skipgram"
    objective: Literal["negative", "hierarchical", "softmax"] = "negative"
    dimension: int = 100
    window: int = 5
    negatives: int | None = None  # None: by the size of the text
    shared: bool = True
    mean: bool = True
    sample: float = 1e-3
    epochs: int = 5
    learning_rate: float | None = None  # None: 0.025 for skip-gram, 0.05 for CBOW
    subwords: tuple[int, int, int] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (("dimension", 1, 65536), ("window", 1, 1024), ("epochs", 1, 10**6)):
            if not least <= getattr(self, name) <= most:
                raise ArgumentError(f"{name} must be in {least}..{most}; got {getattr(self, name)}")
        if self.negatives is not None and not 1 <= self.negatives <= 1024:
            raise ArgumentError(f"negatives must be in 1..1024; got {self.negatives}")
        if not 0 <= self.sample < 1:
            raise ArgumentError(f"sample must be in 0..1, where 0 keeps every word; got {self.sample}")
        for name, known in (("architecture", ("skipgram", "cbow")), ("objective", tuple(OBJECTIVES))):
            if getattr(self, name) not in known:
                raise ArgumentError(f"{name} must be {' or '.join(known)}; got {getattr(self, name)!a:.80}")
        if self.seed < 0:
            raise ArgumentError(f"seed must be at least 0; got {self.seed}")
        if not 0 < self.rate < math.inf:
            raise ArgumentError(f"learning_rate must be above 0; got {self.learning_rate}")

    @property
    def rate(self) -> float:
        """The learning rate at the beginning."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 0.05 if self.architecture == "cbow" else 0.025

    def start(self, corpus: Corpus) -> State:
        """Rows before training: random inputs of a length of about 1, outputs of zero.

        Raises `ArgumentError` for a full softmax over too many words.
        """
        vocab = len(corpus.vocabulary)
        if self.objective == "softmax" and vocab > SOFTMAX_LIMIT:
            raise ArgumentError(
                f"the full softmax moves all {vocab:,} words at every example: it is for {SOFTMAX_LIMIT:,} at most; "
                "take the objective negative or hierarchical, or a smaller vocabulary"
            )
        rows = vocab + len(self._parts(corpus)[2])
        inputs = aligned(rows, self.dimension)
        generator = np.random.default_rng(self.seed)
        for begin in range(0, rows, 65536):
            some = inputs[begin : begin + 65536, : self.dimension]
            some[:] = (2 * generator.random(some.shape, dtype=np.float32) - 1) * math.sqrt(3 / self.dimension)
        return State(inputs, aligned(vocab, self.dimension))

    def train(
        self,
        corpus: Corpus,
        *,
        threads: int = 1,
        deterministic: bool = False,
        state: State | None = None,
        join: Join | None = None,
    ) -> Iterator[Progress]:
        """Trains, and tells how far it is about twice a second. `state` is moved as it goes; one that stopped goes on.

        Several threads move the same rows without waiting for each other, so that two runs differ a little. When
        `deterministic`, the same seed gives the same bits with any number of threads: see `Crew` for how, and for what
        it costs. `join` makes the rows one with those of other processes, between rounds.

        Raises `ArgumentError` for threads or a state that do not fit, `DivergedError` when the loss is no number any
        more.
        """
        if not 1 <= threads <= 1024:
            raise ArgumentError(f"threads must be in 1..1024; got {threads}")
        if state is None:
            state = self.start(corpus)
        else:
            self._check(state, corpus)
        words, manner, tables = self._words(corpus), self.manner(corpus), (state.inputs, state.outputs)
        moves = expected_moves(words, manner, corpus.vocabulary.counts, (len(state.inputs), len(state.outputs)))
        crew = Crew(words, manner, *tables, threads, moves if deterministic else ())
        chunks = -(-len(corpus.ids) // CHUNK)
        whole = chunks * self.epochs
        rank, told = 0, False
        if join is not None:
            rank = join.rank
            join.begin(tables, moves, whole, self.epochs)
        with crew:
            while state.chunk < whole:
                began = time.perf_counter()
                stop = whole if join is None else join.stop()
                places = (self._place(number, chunks, rank) for number in range(state.chunk, stop))
                learned = crew.round(places, ROUND_SECONDS if join is None else math.inf)
                if join is not None:
                    learned = join.merge(tables, learned, self.rate * (1 - state.chunk / whole))
                state.chunk += learned.chunks
                state.seconds += time.perf_counter() - began
                if not math.isfinite(learned.loss):
                    raise DivergedError(
                        f"training diverged: the loss is no number any more after {state.chunk / chunks:.2f} epochs; "
                        f"choose a learning rate below {self.rate}"
                    )
                told = True
                yield self._progress(corpus, state, chunks, learned)
            if not told:  # for what was at its end already
                yield self._progress(corpus, state, chunks, Learned())

    def _progress(self, corpus: Corpus, state: State, chunks: int, learned: Learned) -> Progress:
        """How far training is, of so many chunks an epoch."""
        return Progress(
            done=state.chunk / (chunks * self.epochs),
            epoch=min(self.epochs, state.chunk // chunks + 1),
            units=round(corpus.words * state.chunk / chunks),
            seconds=state.seconds,
            loss=learned.loss / learned.examples if learned.examples else None,
            table=lambda: self.table(corpus, state),
        )

    def _check(self, state: State, corpus: Corpus) -> None:
        """Raises `ArgumentError` unless the rows are those of this corpus: the kernel does not look where it writes."""
        vocab, width = len(corpus.vocabulary), aligned(0, self.dimension).shape[1]
        for name, rows in (("inputs", vocab + len(self._parts(corpus)[2])), ("outputs", vocab)):
            table = getattr(state, name)
            if (
                table.shape != (rows, width)
                or table.dtype != np.float32
                or not (table.flags.c_contiguous and table.flags.writeable)
            ):
                raise ArgumentError(
                    f"the state is that of another corpus or model: its {name} are {table.dtype} {table.shape}, and "
                    f"({rows}, {width}) of float32 in one piece are needed; make one with `start`"
                )

    def table(self, corpus: Corpus, state: State) -> Table:
        """The vectors as they stand."""
        words, vocabulary = corpus.vocabulary.words, corpus.vocabulary
        rows = state.inputs[:, : self.dimension]
        facts = {"method": self.architecture, "words": corpus.words, "unknown": corpus.unknown, **asdict(self)}
        facts["negatives"] = self.manner(corpus).negatives
        facts["learning_rate"] = self.rate
        if self.subwords is None:
            return Table(words, rows.copy(), counts=vocabulary.counts, facts=facts)
        starts, places, kept = self._parts(corpus)
        means = _sums(rows, starts, places)
        means /= np.diff(starts)[:, None].astype(np.float32)
        subwords = Subwords(*self.subwords, kept, rows[len(words) :].copy())
        return Table(words, means, counts=vocabulary.counts, subwords=subwords, facts=facts)

    def manner(self, corpus: Corpus) -> kernel.Manner:
        """How the kernel makes examples."""
        words = int(corpus.vocabulary.counts.sum())
        negatives = negatives_for(words) if self.negatives is None else self.negatives
        return kernel.Manner(
            self.architecture == "cbow", self.mean, OBJECTIVES[self.objective], self.window, negatives, self.shared
        )

    def _words(self, corpus: Corpus) -> kernel.Words:
        counts = corpus.vocabulary.counts
        starts, rows, _ = self._parts(corpus)
        tree = huffman(counts) if self.objective == "hierarchical" else huffman(counts[:2])
        share, other = alias(counts.astype(np.float64) ** 0.75)
        return kernel.Words(corpus.ids, keeping(counts, self.sample), starts, rows, *tree, share, other)

    def _parts(self, corpus: Corpus) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        vocab = len(corpus.vocabulary)
        if self.subwords is None:
            return np.arange(vocab + 1), np.arange(vocab, dtype=np.int32), np.zeros(0, np.int32)
        return parts(corpus.vocabulary.words, *self.subwords)

    def _place(self, number: int, chunks: int, rank: int) -> Place:
        """Chunk `number` of all epochs: which it is of the text, its key, and its learning rate."""
        epoch, chunk = divmod(number, chunks)
        left = 1 - number / (chunks * self.epochs)
        return Place(chunk * CHUNK, key(self.seed, epoch, rank), self.rate * max(LOWEST, left))


def key(seed: int, epoch: int, rank: int = 0) -> np.uint64:
    """What an epoch's draws begin with.

    >>> key(0, 0) != key(0, 1) != key(1, 0)
    np.True_
    """
    sequence = np.random.SeedSequence([seed, epoch, rank])
    return np.uint64(sequence.generate_state(1, np.uint64)[0])


def _sums(rows: NDArray[np.float32], starts: NDArray[np.int64], places: NDArray[np.int32]) -> NDArray[np.float32]:
    """The sums of each word's rows, some words at a time."""
    sums = np.empty((len(starts) - 1, rows.shape[1]), np.float32)
    for begin in range(0, len(sums), 65536):
        end = min(begin + 65536, len(sums))
        some = places[starts[begin] : starts[end]]
        sums[begin:end] = np.add.reduceat(rows[some], starts[begin:end] - starts[begin], axis=0)
    return sums
