"""The loops of linear-chain conditional random fields: the sum over all paths, its posteriors, and the best path.

A row (a sequence) is walked from position to position. The sum over paths is a product with exp(A), on numbers relative
to the largest of their position:

    s_t = u_{t-1} W,   a_t = log s_t + c + e_t − m_t,   u_t = exp(a_t)

where A_ij is the score of label j after label i, c_j the largest of column j, W_ij = exp(A_ij − c_j), e_t the emissions
and m_t what makes the largest a_t zero. Where s_t(j) is so small that summands which vanished could count, it is summed
again, from the logarithms. The way back needs neither exponentials nor logarithms, for a posterior is shared out among
the ways that lead to it:

    q_t = γ_t / s_t,   γ_{t-1} = u_{t-1} (W q_t),   and labels i, j at t-1, t have the posterior u_{t-1}(i) W_ij q_t(j)

Rows are dealt to a fixed number of chunks, each with sums of its own: the bits do not depend on the number of threads.

Where there is no label, a is −inf, W is 1, u and γ are 0.
"""

from typing import Any

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
    SUMS,
    TARGETS,
    VALUES,
    Memory,
    compiled,
    fill,
    get,
    load,
    memory_of,
    put,
    put_all,
    score,
    spread,
    store,
    take,
)
from throughtime.kernels.maths import exp, log
from throughtime.kernels.vector import highest, maximum, scalar, select, total, word

SMALL = 2.0**-900  # a sum from which on it does not matter that numbers below 2^-1022 vanish


@compiled
def prepare(memory: Memory) -> None:
    """Makes W, its transpose and c."""
    labels, width = memory.labels, memory.width
    nothing, one = fill(-np.inf), fill(1.0)
    for b in range(0, width, LANES):
        top = nothing
        for i in range(labels):
            top = maximum(top, load(memory.transitions, i * width + b, LANES))
        store(memory.tops, b, LANES, top)
        for i in range(labels):
            weight = exp(load(memory.transitions, i * width + b, LANES) - top)
            store(memory.weights, i * width + b, LANES, select(top > nothing, weight, one))
    put_all(memory.flipped, 0, labels * width, 0.0)
    for j in range(labels):
        for i in range(labels):
            put(memory.flipped, j * width + i, get(memory.weights, i * width + j))


@compiled
def forward(memory: Memory, emissions: int, length: int) -> Any:
    """Fills a, u and s of a row; gives the logarithm of the sum over all its paths, and the end's posteriors."""
    labels, width = memory.labels, memory.width
    logarithm = 0.0
    for t in range(length + 1):
        here = t * width
        if 0 < t < length:
            put(memory.rare, t, step(memory, here))
        top = fill(-np.inf)
        for b in range(0, width, LANES):
            if t == length:
                x = load(memory.a, here - width + b, LANES) + load(memory.transitions, (labels + 1) * width + b, LANES)
            elif t:
                x = load(memory.a, here + b, LANES) + load(emissions, t * labels + b, labels - b)
            else:
                x = load(memory.transitions, labels * width + b, LANES) + load(emissions, b, labels - b)
            store(memory.a, here + b, LANES, x)
            top = maximum(top, x)
        top = highest(top)
        if scalar(top) == -np.inf:
            return -np.inf
        logarithm += scalar(top)
        for b in range(0, width, LANES):
            x = load(memory.a, here + b, LANES) - top
            store(memory.a, here + b, LANES, x)
            store(memory.u, here + b, LANES, exp(x))
    whole = fill(0.0)
    for b in range(0, width, LANES):
        whole = whole + load(memory.u, length * width + b, LANES)
    whole = total(whole)
    for b in range(0, width, LANES):
        store(memory.posterior, b, LANES, load(memory.u, length * width + b, LANES) / whole)
    return logarithm + np.log(scalar(whole))


@compiled
def step(memory: Memory, here: int) -> float:
    """Writes s, and log s + c where a belongs; gives 1 if some s was too small, else 0."""
    labels, width = memory.labels, memory.width
    before = here - width
    least = fill(-np.inf)
    for b in range(0, width, LANES):
        even, odd = fill(0.0), fill(0.0)
        for i in range(0, labels - 1, 2):
            even = even + spread(memory.u, before + i) * load(memory.weights, i * width + b, LANES)
            odd = odd + spread(memory.u, before + i + 1) * load(memory.weights, (i + 1) * width + b, LANES)
        if labels % 2:
            last = labels - 1
            even = even + spread(memory.u, before + last) * load(memory.weights, last * width + b, LANES)
        s = even + odd
        store(memory.s, here + b, LANES, s)
        store(memory.a, here + b, LANES, log(s) + load(memory.tops, b, LANES))
        least = maximum(least, -s)
    if not scalar(highest(least)) > -SMALL:
        return 0.0
    for j in range(labels):
        if get(memory.s, here + j) < SMALL:
            top, share = logarithms(memory, before, j)
            put(memory.s, here + j, 0.0)
            put(memory.a, here + j, top + np.log(share))
    return 1.0


@compiled
def logarithms(memory: Memory, before: int, j: int) -> Any:
    """The largest of a(i) + A_ij over i, and the sum of their exponentials relative to it."""
    top, share = -np.inf, 0.0
    for i in range(memory.labels):
        top = max(top, arrive(memory, before, i, j))
    if top > -np.inf:
        for i in range(memory.labels):
            share += np.exp(arrive(memory, before, i, j) - top)
    return top, share


@compiled
def arrive(memory: Memory, before: int, i: int, j: int) -> Any:
    """a(i) + A_ij."""
    return get(memory.a, before + i) + get(memory.transitions, i * memory.width + j)


@compiled
def backward(memory: Memory, length: int, result: int, sums: int) -> None:
    """Writes the posteriors of a row's labels to `result`, and adds those of its pairs, start and end to `sums`."""
    labels, width = memory.labels, memory.width
    zero = fill(0.0)
    for t in range(length - 1, -1, -1):
        here, before = t * width, (t - 1) * width
        for b in range(0, width, LANES):
            posterior = load(memory.posterior, b, LANES)
            store(result, t * labels + b, labels - b, posterior)
            if t == length - 1:
                add(sums, (labels + 1) * width + b, posterior)
            if t == 0:
                add(sums, labels * width + b, posterior)
            else:
                s = load(memory.s, here + b, LANES)
                store(memory.q, here + b, LANES, select(s > zero, posterior / s, zero))
                store(memory.extra, b, LANES, zero)
        if t == 0:
            break
        if get(memory.rare, t) > 0:
            share_out(memory, here, sums)
        for b in range(0, width, LANES):
            share = zero
            for j in range(labels):
                share = share + spread(memory.q, here + j) * load(memory.flipped, j * width + b, LANES)
            posterior = share * load(memory.u, before + b, LANES) + load(memory.extra, b, LANES)
            store(memory.posterior, b, LANES, posterior)


@compiled
def add(target: int, index: int, value: Any) -> None:
    """Adds a vector to what is there."""
    store(target, index, LANES, load(target, index, LANES) + value)


@compiled
def share_out(memory: Memory, here: int, sums: int) -> None:
    """Shares out the posteriors of labels whose s was too small."""
    labels, width = memory.labels, memory.width
    for j in range(labels):
        if get(memory.s, here + j) == 0 and get(memory.posterior, j) > 0:
            top, share = logarithms(memory, here - width, j)
            for i in range(labels):
                part = get(memory.posterior, j) * np.exp(arrive(memory, here - width, i, j) - top) / share
                put(memory.extra, i, get(memory.extra, i) + part)
                put(sums, i * width + j, get(sums, i * width + j) + part)


@compiled
def add_pairs(memory: Memory, length: int, sums: int) -> None:
    """Adds the posteriors of neighbouring labels: W_ij Σ_t u_{t-1}(i) q_t(j), for four i at a time."""
    labels, width = memory.labels, memory.width
    zero = fill(0.0)
    for i in range(0, labels, 4):
        for b in range(0, width, LANES):
            first, second, third, fourth = zero, zero, zero, zero
            for t in range(1, length):
                q, u = load(memory.q, t * width + b, LANES), (t - 1) * width + i
                first = first + spread(memory.u, u) * q
                second = second + spread(memory.u, u + 1) * q
                third = third + spread(memory.u, u + 2) * q
                fourth = fourth + spread(memory.u, u + 3) * q
            place = i * width + b
            add(sums, place, first * load(memory.weights, place, LANES))
            if i + 1 < labels:
                add(sums, place + width, second * load(memory.weights, place + width, LANES))
            if i + 2 < labels:
                add(sums, place + 2 * width, third * load(memory.weights, place + 2 * width, LANES))
            if i + 3 < labels:
                add(sums, place + 3 * width, fourth * load(memory.weights, place + 3 * width, LANES))


@compiled
def sum_paths(table: int) -> None:
    """Sums over the paths of all rows, less the scores of their targets, if any; and the posteriors, if asked for."""
    memory = memory_of(table)
    prepare(memory)
    labels, width, steps, rows = memory.labels, memory.width, word(table, STEPS), word(table, ROWS)
    while True:
        chunk = take(table + SIZE * CHUNK)
        if chunk >= word(table, CHUNKS):
            break
        sums = word(table, SUMS)
        if sums:
            sums += SIZE * chunk * (labels + 2) * width
            put_all(sums, 0, (labels + 2) * width, 0.0)
        for row in range(chunk, rows, word(table, CHUNKS)):
            length, place = word(word(table, LENGTHS), row), SIZE * row * steps * labels
            emissions, result = word(table, EMISSIONS) + place, word(table, RESULT)
            value = forward(memory, emissions, length) if length else 0.0
            if result:
                result += place
                put_all(result, 0, length * labels, np.nan)
                put_all(result, length * labels, steps * labels, 0.0)
                if length and value > -np.inf:
                    backward(memory, length, result, sums)
                    add_pairs(memory, length, sums)
            if length and word(table, TARGETS):
                targets = word(table, TARGETS) + SIZE * row * steps
                value -= score(memory, emissions, targets, length, result, sums)
            put(word(table, VALUES), row, value)
