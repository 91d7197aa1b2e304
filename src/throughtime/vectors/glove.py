"""GloVe: vectors whose products tell how often words stand beside each other."""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DataError, DivergedError
from throughtime.kernels import glove as kernels
from throughtime.vectors.progress import Progress
from throughtime.vectors.rows import aligned
from throughtime.vectors.table import Table

if TYPE_CHECKING:
    from throughtime.vectors.cooccurrence import Counts

PIECE = 2**15  # non-zeros that a thread takes at a time
SHARES = 16, 64  # fewest and most shares of the words
SHARE_WORDS = 1024  # words in a share, whose rows then stay near a core while a block is learned
BLOCK = 4096  # non-zeros of a block, below which starting on it costs too much
YIELD_SECONDS = 1.0


def glove(
    counts: "Counts",
    *,
    dimension: int = 100,
    epochs: int = 25,
    learning_rate: float = 0.05,
    maximum: float = 100.0,
    power: float = 0.75,
    threads: int = 1,
    seed: int = 0,
) -> Iterator[Progress]:
    """Learns vectors from counts; yields after each epoch, and about each second within one.

    Formula: J = Σ f(x) (w_i·c_j + b_i + d_j − log x)² / 2 over the non-zeros x = X_ij of the counts, with
    f(x) = min(1, (x / maximum)^power). Each of them is one step of AdaGrad: G ← G + g², w ← w − learning_rate g / √G,
    with G = 1 to begin with; likewise c, b and d. A word's vector in the table is (w + c) / 2. The loss is the mean of
    a non-zero's part of J.

    The order is new in each epoch, a function of the seed and the epoch: words are shared out at random, and what is
    learned at the same time are blocks of non-zeros that have no row and no column in common (Gemulla et al., 2011),
    shuffled, and the non-zeros in each of them. So threads never move the same row, and the same bits come out for any
    number of them; no more work than there are shares of the words (16, more for large vocabularies).

    Memory: 16 bytes for each non-zero, 16 for each word and dimension.

    Raises: `ArgumentError` for settings out of range, `DataError` for counts that are empty or not positive numbers,
    `DivergedError` when the loss stops being a number.
    Source: Pennington, Socher and Manning (2014), equations 8 and 9; Duchi, Hazan and Singer (2011).

    Example:
        >>> from throughtime.vectors.cooccurrence import cooccur
        >>> from throughtime.vectors.corpus import corpus_of
        >>> counts = cooccur(corpus_of([["to", "be", "or", "not", "to", "be"]]), window=2)
        >>> *_, last = glove(counts, dimension=4, epochs=3)
        >>> last.done, last.units == 3 * len(counts.values), last.table().dimension
        (1.0, True, 4)
    """
    settings = Settings(dimension, epochs, learning_rate, maximum, power, seed)
    _check(settings, threads)
    _check_counts(counts)
    return _train(counts, settings, threads)


class Settings(NamedTuple):
    """What a table depends on besides the counts."""

    dimension: int
    epochs: int
    learning_rate: float
    maximum: float
    power: float
    seed: int


class Piece(NamedTuple):
    """Some positions in the order of a block, for one thread."""

    base: int  # the first entry of the block
    size: int  # entries of the block
    start: int
    stop: int
    keys: NDArray[np.uint64]


@dataclass(frozen=True)
class Entries:
    """All non-zeros in blocks; blocks of a stratum have no row and no column in common."""

    numbers: NDArray[np.int32]  # (N, 4), as the kernel wants them
    bounds: NDArray[np.int64]  # where each block begins, stratum after stratum, and where the last one ends

    @classmethod
    def of(cls, counts: "Counts", settings: Settings) -> "Entries":
        """The non-zeros of counts."""
        words, (pointers, columns, values) = len(counts.words), _arrays(counts)
        blocks = _shares(words, len(columns))
        chance = _chance(settings.seed, 0)
        shares = np.stack([chance.permutation(words) % blocks for _ in range(2)]).astype(np.int32)
        sizes = np.zeros((blocks, blocks), np.int64)
        kernels.count_blocks(pointers, columns, shares, sizes)
        bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        places = bounds[:-1].reshape(blocks, blocks).copy()
        numbers = np.empty((len(columns), 4), np.int32)
        weighing = numbers.view(np.float32), float(settings.maximum), float(settings.power)
        kernels.write_entries(pointers, columns, values, shares, places, numbers, *weighing)
        return cls(numbers, bounds)

    def rounds(self, seed: int, epoch: int) -> Iterator[list[Piece]]:
        """Every position of every block once. Pieces of a round may be learned at the same time."""
        blocks = math.isqrt(len(self.bounds) - 1)
        for stratum in _chance(seed, 1, epoch).permutation(blocks).tolist():
            yield from self._slices(range(stratum * blocks, (stratum + 1) * blocks), seed, epoch)

    def _slices(self, stratum: range, seed: int, epoch: int) -> Iterator[list[Piece]]:
        blocks = [(int(self.bounds[i]), int(self.bounds[i + 1]), _keys(seed, epoch, i)) for i in stratum]
        slices = -(-max(stop - start for start, stop, _ in blocks) // PIECE)
        for i in range(slices):
            sized = [(start, stop - start, keys) for start, stop, keys in blocks if start < stop]
            yield [Piece(base, n, n * i // slices, n * (i + 1) // slices, keys) for base, n, keys in sized]

    def __len__(self) -> int:
        return len(self.numbers)


class Weights:
    """The rows that are learned, as the kernel wants them."""

    def __init__(self, words: int, dimension: int, seed: int) -> None:
        chance = _chance(seed, 2)
        self.dimension = dimension
        self.width = -(-(dimension + 2) // kernels.WIDTH) * kernels.WIDTH
        self.words, self.contexts = (aligned(words, 2 * self.width).reshape(words, 2, -1) for _ in range(2))
        for rows, one in ((self.words, dimension + 1), (self.contexts, dimension)):
            rows[:, 0], rows[:, 1] = 0.0, 1.0
            rows[:, 0, :dimension] = (chance.random((words, dimension), np.float32) - 0.5) / dimension
            rows[:, 0, one], rows[:, 1, one] = 1.0, np.inf

    def mean(self) -> NDArray[np.float32]:
        """The mean of both vectors of each word (V D)."""
        w, c = (rows[:, 0, : self.dimension] for rows in (self.words, self.contexts))
        return (w + c) * np.float32(0.5)


@dataclass
class Training:
    """Where training stands."""

    counts: "Counts"
    settings: Settings
    entries: Entries
    weights: Weights
    units: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)  # of the epochs that are over

    def learn(self, piece: Piece) -> float:
        """Learns a piece; the sum of its losses."""
        block = self.entries.numbers.ctypes.data + kernels.ENTRY * piece.base, piece.size
        rows = self.weights.words.ctypes.data, self.weights.contexts.ctypes.data
        ring, rate = np.zeros(kernels.RING, np.int64), float(self.settings.learning_rate)
        part, width = (piece.start, piece.stop), self.weights.width
        return float(kernels.learn(block, part, piece.keys, rows, width, rate, ring))

    def table(self) -> Table:
        """The table as it stands; its facts do not tell the threads and the time, for the same table is the same."""
        counts, settings = self.counts, self.settings
        facts = {
            "method": "glove",
            **settings._asdict(),
            "window": counts.window,
            "side": counts.side,
            "weighting": counts.weighting,
            "non_zeros": len(self.entries),
            "non_zeros_learned": self.units,
            "losses": list(self.losses),
        }
        return Table(counts.words, self.weights.mean(), counts=np.array(counts.frequencies), facts=facts)


def _train(counts: "Counts", settings: Settings, threads: int) -> Iterator[Progress]:
    entries = Entries.of(counts, settings)
    training = Training(counts, settings, entries, Weights(len(counts.words), settings.dimension, settings.seed))
    training.learn(Piece(0, len(entries), 0, 0, _keys(0, 0, 0)))  # compiles it, before the clock runs
    with ThreadPoolExecutor(threads) as pool:
        for epoch in range(1, settings.epochs + 1):
            yield from _learn_epoch(training, epoch, pool)


def _learn_epoch(training: Training, epoch: int, pool: ThreadPoolExecutor) -> Iterator[Progress]:
    settings, n = training.settings, len(training.entries)
    total = recent = 0.0  # loss of the epoch, and of it what is not told yet
    told, told_seconds = training.units, training.seconds
    for pieces in training.entries.rounds(settings.seed, epoch):
        start = time.perf_counter()
        loss = sum(pool.map(training.learn, pieces))
        training.seconds += time.perf_counter() - start
        training.units += sum(piece.stop - piece.start for piece in pieces)
        if not math.isfinite(loss):
            raise _diverged(training, epoch, loss)
        total, recent = total + loss, recent + loss
        over = training.units == epoch * n
        if over:
            training.losses.append(total / n)
        if over or training.seconds - told_seconds >= YIELD_SECONDS:
            done, mean = training.units / (settings.epochs * n), recent / (training.units - told)
            told, told_seconds, recent = training.units, training.seconds, 0.0
            yield Progress(done, epoch, training.units, training.seconds, mean, training.table)


def _diverged(training: Training, epoch: int, loss: float) -> DivergedError:
    settings = training.settings
    return DivergedError(
        f"the loss of GloVe became {loss} in epoch {epoch}, within {training.units:,} non-zeros: "
        f"lower the learning rate, which is {settings.learning_rate:g}"
    )


def _shares(words: int, non_zeros: int) -> int:
    """How many shares of the words there are."""
    fewest, most = SHARES
    return min(words, max(fewest, min(most, words // SHARE_WORDS, math.isqrt(non_zeros // BLOCK))))


def _chance(*numbers: int) -> np.random.Generator:
    return np.random.default_rng(list(numbers))


def _keys(seed: int, epoch: int, block: int) -> NDArray[np.uint64]:
    """What the order of a block in an epoch depends on."""
    return np.random.SeedSequence([seed, 3, epoch, block]).generate_state(4, np.uint64).astype(np.uint64)


def _arrays(counts: "Counts") -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    return (
        np.ascontiguousarray(counts.pointers, np.int64),
        np.ascontiguousarray(counts.columns, np.int32),
        np.ascontiguousarray(counts.values, np.float64),
    )


def _check(settings: Settings, threads: int) -> None:
    """Raises `ArgumentError` for settings out of range."""
    least = {"dimension": (settings.dimension, 1), "epochs": (settings.epochs, 1), "threads": (threads, 1)}
    for name, (value, lowest) in {**least, "seed": (settings.seed, 0)}.items():
        if not isinstance(value, int) or value < lowest:
            raise ArgumentError(f"{name} must be a whole number of at least {lowest}; got {value}")
    for name in ("learning_rate", "maximum"):
        value = getattr(settings, name)
        if not 0 < value < math.inf:
            raise ArgumentError(f"{name} must be a positive number; got {value}")
    if not 0 <= settings.power < math.inf:
        raise ArgumentError(f"power must be a number of at least 0; got {settings.power}")


def _check_counts(counts: "Counts") -> None:
    """Raises `DataError` for counts that hold nothing, or what is not a count: the kernel trusts them."""
    words, (pointers, columns, values) = len(counts.words), _arrays(counts)
    if not len(values):
        raise DataError(
            f"no two of the {words:,} words stand beside each other, so there is nothing to learn: "
            "give a longer text or lower the minimum count"
        )
    rows = len(pointers) == words + 1 and pointers[0] == 0 and pointers[-1] == len(columns) == len(values)
    if not rows or (np.diff(pointers) < 0).any():
        raise DataError(f"the counts' pointers do not cut {len(values):,} values into {words:,} rows: count again")
    wrong = kernels.first_wrong(columns, values, words)
    if wrong >= 0:
        raise DataError(
            f"the counts have the value {values[wrong]} in column {columns[wrong]} at {wrong:,}: "
            f"values are positive numbers, columns below {words:,}; count again"
        )
