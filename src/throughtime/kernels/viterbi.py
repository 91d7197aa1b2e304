"""The best path of labels of each row, by dynamic programming over positions.

Formula: a_t(j) = max_i (a_{t-1}(i) + A_ij) + e_t(j) − m_t, where m_t makes the largest zero.
Source: Viterbi (1967), "Error bounds for convolutional codes".
"""

import numpy as np

from throughtime.kernels.lattice import (
    CHUNK,
    CHUNKS,
    EMISSIONS,
    LANES,
    LENGTHS,
    RESULT,
    ROWS,
    SIZE,
    STEPS,
    VALUES,
    Memory,
    compiled,
    fill,
    get,
    load,
    memory_of,
    put,
    put_integers,
    score,
    spread,
    store,
    take,
)
from throughtime.kernels.vector import highest, maximum, scalar, select, word


@compiled
def find_paths(table: int) -> None:
    """Writes the best path of every row, and its score; −inf where there is none."""
    memory = memory_of(table)
    steps, rows = word(table, STEPS), word(table, ROWS)
    while True:
        chunk = take(table + SIZE * CHUNK)
        if chunk >= word(table, CHUNKS):
            break
        for row in range(chunk, rows, word(table, CHUNKS)):
            length, place = word(word(table, LENGTHS), row), SIZE * row * steps
            emissions, path = word(table, EMISSIONS) + place * memory.labels, word(table, RESULT) + place
            value = 0.0
            put_integers(path, 0, steps, 0)
            if length:
                value = -np.inf
                if climb(memory, emissions, length):
                    retrace(memory, path, length)
                    value = score(memory, emissions, path, length, 0, 0)
            put(word(table, VALUES), row, value)


@compiled
def climb(memory: Memory, emissions: int, length: int) -> bool:
    """Fills a with the scores of the best paths so far, and s with the labels they come from; whether there are any."""
    labels, width = memory.labels, memory.width
    for t in range(length + 1):
        here, before = t * width, (t - 1) * width
        top = fill(-np.inf)
        for b in range(0, width, LANES):
            best, origin = load(memory.transitions, labels * width + b, LANES), fill(0.0)
            if t == length:
                best = load(memory.a, before + b, LANES) + load(memory.transitions, (labels + 1) * width + b, LANES)
            elif t:
                best = fill(-np.inf)
                for i in range(labels):
                    way = spread(memory.a, before + i) + load(memory.transitions, i * width + b, LANES)
                    better = way > best
                    best, origin = select(better, way, best), select(better, fill(float(i)), origin)
            if t < length:
                best = best + load(emissions, t * labels + b, labels - b)
            store(memory.s, here + b, LANES, origin)
            store(memory.a, here + b, LANES, best)
            top = maximum(top, best)
        top = highest(top)
        if scalar(top) == -np.inf:
            return False
        for b in range(0, width, LANES):
            store(memory.a, here + b, LANES, load(memory.a, here + b, LANES) - top)
    return True


@compiled
def retrace(memory: Memory, path: int, length: int) -> None:
    """The path, from its end to its start; of equal ones that of the lowest label."""
    labels, width = memory.labels, memory.width
    label = 0
    while label < labels - 1 and get(memory.a, length * width + label) != 0:  # the best end is 0
        label += 1
    for t in range(length - 1, -1, -1):
        put_integers(path, t, t + 1, label)
        label = int(get(memory.s, t * width + label))
