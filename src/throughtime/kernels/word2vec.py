"""The hot loop of word2vec: from ids to moved rows, a chunk of the text at a time.

A chunk is known by its first and last position in the stream of ids. Whether the word at a position is left out is a
function of the seed, the epoch and the position, and what is drawn in a chunk one of the seed, the epoch and where the
chunk begins. So any thread can do a chunk, and windows look across the borders of chunks.

In an example some input rows, their mean or sum h, predict a word. Its targets are rows of the output table: the word
and its negatives, or the nodes on the word's way down a tree, or all words. Examples of the next word are prepared
while those of a word are learned from, so that the memory has time to bring the rows.

Everything is inlined into one function, `train`, for counting references to arrays costs more than the arithmetic.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from throughtime.kernels.maths import log, sigmoid
from throughtime.kernels.rows import GROUP, LANES, SIZE, add, descend, dots
from throughtime.kernels.vector import fill, load, maximum, prefetch, store

NEGATIVE, HIERARCHICAL, SOFTMAX = 0, 1, 2
MEASURED = 16  # the loss is that of one word in so many
LOWEST_SCORE = np.float32(-80)
inlined = njit(nogil=True, error_model="numpy", inline="always")
dots_of_group, descend_group = dots(GROUP), descend(GROUP)
load_lanes, store_lanes, fill_lanes = load("float32", LANES), store("float32", LANES), fill("float32", LANES)
GOLDEN, FIRST, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


class Words(NamedTuple):
    """What the kernel knows of the text and its words."""

    ids: NDArray[np.int32]  # the text; -1 ends a piece of it
    keep: NDArray[np.uint64]  # of each word: how often it is kept, out of 2^32
    row_starts: NDArray[np.int64]  # where a word's input rows begin in `rows`; one more than there are words
    rows: NDArray[np.int32]
    node_starts: NDArray[np.int64]  # where a word's nodes begin in `nodes`
    nodes: NDArray[np.int32]
    turns: NDArray[np.float32]  # 1 or 0: what a node should say
    alias_share: NDArray[np.uint64]  # Walker's table of the negatives: a word is itself so often out of 2^32
    alias: NDArray[np.int32]  # and this one otherwise


class Manner(NamedTuple):
    """How examples are made."""

    bag: bool  # all words of a window together predict the middle one (CBOW), else each by itself (skip-gram)
    mean: bool  # of the rows of an example, else their sum
    objective: int
    window: int
    negatives: int
    shared: bool  # one draw of negatives for all examples of a window


class Memory(NamedTuple):
    """Where a thread works: addresses of rows, and room for what it needs by the way."""

    inputs: int
    outputs: int
    blocks: int  # of a row
    hidden: int
    error: int
    spare: int
    scratch: NDArray[np.float32]  # the last three: h, what h owes, and a row that is nobody's
    kept: NDArray[np.int32]  # the words of a chunk that are kept
    beside: NDArray[np.int32]  # the words of two windows: one in work, one in preparation
    places: NDArray[np.int64]  # of both: addresses of the targets' rows
    labels: NDArray[np.float32]  # what each target should say
    rates: NDArray[np.float32]  # how far each target may move: 0 for a spare one
    scores: NDArray[np.float32]  # of a group, or of all words for the full softmax


@inlined
def mixed(number: Any) -> Any:
    """64 bits that look random, of a number. Source: Steele, Lea and Flood (2014), SplitMix, the finalizer."""
    number = (number ^ (number >> np.uint64(30))) * FIRST
    number = (number ^ (number >> np.uint64(27))) * SECOND
    return number ^ (number >> np.uint64(31))


@inlined
def below(number: Any, bound: int) -> Any:
    """A number under the bound, of 64 random bits."""
    return np.int64((number >> HALF) * np.uint64(bound) >> HALF)


@inlined
def stays(words: Words, position: int, key: Any) -> Any:
    """Whether the word at a position is kept in this epoch."""
    return (mixed(key + np.uint64(position) * GOLDEN) >> HALF) < words.keep[words.ids[position]]


@njit(nogil=True, error_model="numpy", cache=True)
def gather(words: Words, start: int, stop: int, key: Any, window: int, kept: Any) -> Any:
    """Writes the kept words from start to stop to `kept`, and up to a window of them on both sides.

    Gives where the chunk's own begin and end there, and how many there are in all.
    """
    ids, before, first = words.ids, 0, start
    while first > 0 and before < window and ids[first - 1] >= 0:
        first -= 1
        before += stays(words, first, key)
    size = 0
    for position in range(first, stop):
        if ids[position] < 0:
            kept[size] = -1
            size += 1
        elif stays(words, position, key):
            kept[size] = ids[position]
            size += 1
    end, after, position = size, 0, stop
    while position < len(ids) and after < window and ids[position] >= 0:
        if stays(words, position, key):
            kept[size] = ids[position]
            size += 1
            after += 1
        position += 1
    return before, end, size


@inlined
def surround(memory: Memory, i: int, size: int, width: int, begin: int) -> int:
    """Writes the words up to `width` places from the kept word i to `beside`, from `begin` on; gives their end."""
    kept, end = memory.kept, begin
    j = i - 1
    while j >= 0 and j >= i - width and kept[j] >= 0:
        memory.beside[end] = kept[j]
        end += 1
        j -= 1
    j = i + 1
    while j < size and j <= i + width and kept[j] >= 0:
        memory.beside[end] = kept[j]
        end += 1
        j += 1
    return end


@inlined
def aim(memory: Memory, end: int, row: int, label: Any, rate: Any) -> None:
    """Writes a target at place `end`, and asks for its row."""
    place = memory.outputs + row * memory.blocks * SIZE
    for block in range(memory.blocks):
        prefetch(place + block * SIZE)
    memory.places[end] = place
    memory.labels[end] = label
    memory.rates[end] = rate


@inlined
def target(words: Words, manner: Manner, memory: Memory, word: int, first: int, state: Any, rate: Any) -> Any:
    """Writes the targets of a word from place `first` on, whole groups of them; gives their end and the new state."""
    end = first
    if manner.objective == HIERARCHICAL:
        for k in range(words.node_starts[word], words.node_starts[word + 1]):
            aim(memory, end, words.nodes[k], words.turns[k], rate)
            end += 1
    else:
        aim(memory, end, word, np.float32(1), rate)
        end += 1
        for _ in range(manner.negatives):
            state += GOLDEN
            number = mixed(state)
            other = below(number, len(words.alias))
            if (number & LOW) >= words.alias_share[other]:
                other = np.int64(words.alias[other])
            aim(memory, end, other, np.float32(0), rate if other != word else np.float32(0))
            end += 1
    while (end - first) % GROUP:
        memory.places[end] = memory.spare
        memory.labels[end] = 0
        memory.rates[end] = 0
        end += 1
    return end, state


@inlined
def learn(memory: Memory, hidden: int, first: int, end: int, measured: bool) -> float:
    """Moves the targets from `first` to `end` after the logistic loss, and writes what h owes to `error`.

    Formula: loss = -Σ_j log σ(±s_j), s_j = h·row_j; row_j += rate (label_j - σ(s_j)) h. Gives the loss if `measured`.
    """
    places, labels, rates = memory.places.ctypes.data, memory.labels.ctypes.data, memory.rates.ctypes.data
    loss = 0.0
    for group in range(first, end, GROUP):
        scores = dots_of_group(hidden, places + 8 * group, memory.blocks)
        label = load_lanes(labels, group, GROUP)
        factors = (label - sigmoid(scores)) * load_lanes(rates, group, GROUP)
        descend_group(hidden, places + 8 * group, memory.blocks, factors, memory.error)
        if measured:
            right = (label + label - fill_lanes(np.float32(1))) * scores
            seen = maximum(right, fill_lanes(LOWEST_SCORE))  # where σ is not 0 yet; below, log σ(s) is s
            store_lanes(memory.scores.ctypes.data, 0, LANES, log(sigmoid(seen)) + (right - seen))
            for j in range(GROUP):
                if memory.rates[group + j] > 0:
                    loss -= memory.scores[j]
    return loss


@inlined
def learn_all(memory: Memory, hidden: int, word: int, vocab: int, rate: Any) -> Any:
    """Moves all words after the full softmax, and writes what h owes to `error`. Gives the loss.

    Formula: loss = -log p(word), p = softmax(rows h); row_j += rate ([j = word] - p_j) h.
    """
    scores, places = memory.scores, memory.places.ctypes.data
    highest, total = -np.inf, 0.0
    for group in range(0, vocab, GROUP):
        for j in range(GROUP):
            place = memory.outputs + (group + j) * memory.blocks * SIZE
            memory.places[j] = place if group + j < vocab else memory.spare
        store_lanes(scores.ctypes.data, group, GROUP, dots_of_group(hidden, places, memory.blocks))
    for j in range(vocab):
        highest = max(highest, scores[j])
    for j in range(vocab):
        total += np.exp(scores[j] - highest)
    loss = np.log(total) + highest - scores[word]
    for j in range(vocab):
        scores[j] = rate * ((j == word) - np.exp(scores[j] - highest) / total)
    for group in range(0, vocab, GROUP):
        for j in range(GROUP):
            place = memory.outputs + (group + j) * memory.blocks * SIZE
            memory.places[j] = place if group + j < vocab else memory.spare
        factors = load_lanes(scores.ctypes.data, group, min(GROUP, vocab - group))
        descend_group(hidden, places, memory.blocks, factors, memory.error)
    return loss


@inlined
def clear(row: int, blocks: int) -> None:
    """Fills a row with zeros."""
    for block in range(blocks):
        store_lanes(row, block * LANES, LANES, fill_lanes(np.float32(0)))


@inlined
def compose(words: Words, manner: Manner, memory: Memory, low: int, high: int, count: int) -> Any:
    """The address of h, for the input rows of the words beside from low to high: a row itself if it is one."""
    stride = memory.blocks * SIZE
    if count == 1:
        return memory.inputs + words.rows[words.row_starts[memory.beside[low]]] * stride
    clear(memory.hidden, memory.blocks)
    share = np.float32(1 / count if manner.mean else 1)
    for i in range(low, high):
        for k in range(words.row_starts[memory.beside[i]], words.row_starts[memory.beside[i] + 1]):
            add(memory.hidden, memory.inputs + words.rows[k] * stride, memory.blocks, share)
    return memory.hidden


@inlined
def example(
    words: Words, manner: Manner, memory: Memory, word: int, low: int, high: int, first: int, end: int, rate: Any,
    measured: bool
) -> Any:  # fmt: skip
    """The words beside from low to high predict the word. Gives the loss if `measured`.

    h moves by the whole of what it owes: of a mean of m rows each moves m times as far as its gradient says, of a sum
    the m-th part of it, as in the original.
    """
    count = 0
    for i in range(low, high):
        count += words.row_starts[memory.beside[i] + 1] - words.row_starts[memory.beside[i]]
    hidden = compose(words, manner, memory, low, high, count)
    clear(memory.error, memory.blocks)
    if manner.objective == SOFTMAX:
        loss = learn_all(memory, hidden, word, len(words.keep), rate)
    else:
        loss = learn(memory, hidden, first, end, measured)
    share = np.float32(1 if manner.mean else 1 / count)
    for i in range(low, high):
        for k in range(words.row_starts[memory.beside[i]], words.row_starts[memory.beside[i] + 1]):
            add(memory.inputs + words.rows[k] * memory.blocks * SIZE, memory.error, memory.blocks, share)
    return loss


@njit(nogil=True, error_model="numpy", cache=True)
def train(words: Words, manner: Manner, memory: Memory, start: int, stop: int, key: Any, rate: Any) -> Any:
    """Learns from the words from start to stop. Gives the loss of the measured examples and how many these were."""
    begin, end, size = gather(words, start, stop, key, manner.window, memory.kept)
    rate, state = np.float32(rate), mixed(key ^ mixed(np.uint64(start) + GOLDEN))
    apart = not manner.bag and not manner.shared and manner.objective == NEGATIVE  # negatives of each example's own
    halves, places = len(memory.beside) // 2, len(memory.places) // 2
    loss, examples, count, each = 0.0, 0, 0, 0
    for i in range(begin, end + 1):  # prepares word i, and learns from word i - 1
        next_count, next_each = 0, 0
        if i < end and memory.kept[i] >= 0:
            state += GOLDEN
            low, place = i % 2 * halves, i % 2 * places
            width = 1 + below(mixed(state), manner.window)
            next_count = surround(memory, i, size, width, low) - low
            if i + manner.window + 1 < size and memory.kept[i + manner.window + 1] >= 0:
                row = words.rows[words.row_starts[memory.kept[i + manner.window + 1]]]
                for block in range(memory.blocks):
                    prefetch(memory.inputs + (row * memory.blocks + block) * SIZE)
            if next_count and manner.objective != SOFTMAX:
                for _ in range(next_count if apart else 1):
                    last, state = target(words, manner, memory, memory.kept[i], place, state, rate)
                    next_each = last - place
                    place = last
        if count:
            low, first = (i - 1) % 2 * halves, (i - 1) % 2 * places
            measured = i % MEASURED == 0
            for k in range(1 if manner.bag else count):
                step = low + k
                loss += example(
                    words, manner, memory, memory.kept[i - 1], step, low + count if manner.bag else step + 1,
                    first, first + each, rate, measured or manner.objective == SOFTMAX,
                )  # fmt: skip
                examples += measured or manner.objective == SOFTMAX
                first += each if apart else 0
        count, each = next_count, next_each
    return loss, examples
