"""Batches of pairs: all of them once, within the bound, and when is a function of (seed, epoch, position)."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from throughtime.data.pair_batches import POOL, PairBatches, pairs_in_order, shifted
from throughtime.errors import ArgumentError, DataError
from throughtime.padded import Padded
from throughtime.train.descend import Batch
from throughtime.train.descend import Batches as Trainable


def lines(count, longest=12, seed=0):
    """Ids of many lengths, from 0 on, each made of its own place from 1 on."""
    lengths = np.random.default_rng(seed).integers(0, longest, count).tolist()
    return [np.full(length, place + 1, np.int32) for place, length in enumerate(lengths)]


def made(count=50, tokens=60, seed=0, longest=12):
    return PairBatches(lines(count, longest), lines(count, longest, 1), tokens=tokens, seed=seed)


def read(batches, epoch):
    return [batches.chunk(epoch, position) for position in range(batches.chunks(epoch))]


def size(batch):
    return len(batch.source.lengths) * (batch.source.steps + batch.target.steps + 1)


def rows_of(batch):
    """What stands in each row, without padding, which is zero."""
    rows = []
    for side in (batch.source, batch.target):
        assert side.data.dtype == torch.int64
        assert not side.data[~side.mask].any()
        rows.append([row[:length].tolist() for row, length in zip(side.data, side.lengths, strict=True)])
    return list(zip(*rows, strict=True))


@pytest.mark.parametrize("tokens", [1, 12, 60, 10_000])
def test_every_pair_comes_once_an_epoch_within_the_bound(tokens):
    batches = made(tokens=tokens)
    given_ = sorted((s.tolist(), t.tolist()) for s, t in zip(lines(50), lines(50, seed=1), strict=True))
    assert isinstance(batches, Trainable)
    for epoch in range(3):
        seen = read(batches, epoch)
        assert sorted(row for batch in seen for row in rows_of(batch)) == given_
        over = [batch for batch in seen if size(batch) > tokens]
        assert len(over) == batches.oversized == sum(len(s) + len(t) + 1 > tokens for s, t in given_)
        assert all(len(batch.source.lengths) == 1 for batch in over)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30),
    st.integers(1, 60),
    st.integers(0, 2**40),
    st.integers(0, 5),
)
def test_any_lengths_make_batches_that_could_not_take_the_next_pair(lengths, tokens, seed, epoch):
    sides = [[np.arange(pair[side], dtype=np.int32) for pair in lengths] for side in (0, 1)]
    batches = PairBatches(*sides, tokens=tokens, seed=seed)
    order = batches.order(epoch)
    assert sorted(int(row) for rows in order for row in rows) == list(range(len(lengths)))
    for batch in read(batches, epoch):
        assert size(batch) <= tokens or len(batch.source.lengths) == 1
    cut = [rows for rows, _ in pairs_in_order(*sides, tokens=tokens)]
    for rows, following in pairwise(cut):
        more = [lengths[row] for row in [*rows, following[0]]]
        assert len(more) * (max(s for s, _ in more) + max(t for _, t in more) + 1) > tokens


def test_a_batch_is_a_function_of_seed_epoch_and_position_alone():
    wanted = {(e, p): rows_of(made(seed=3).chunk(e, p)) for e in range(3) for p in range(made(seed=3).chunks(e))}
    one = made(seed=3)
    for epoch, position in np.random.default_rng(0).permutation(list(wanted)).tolist():
        np.random.seed(position)
        torch.manual_seed(position)
        assert rows_of(one.chunk(epoch, position)) == wanted[epoch, position]


def test_the_order_is_the_same_on_every_machine():
    """Made of integer arithmetic alone, it is what it was when this was written."""
    assert [rows.tolist() for rows in made(9, 30, seed=7).order(2)] == [[1], [0], [7, 3], [2], [6], [5, 8, 4]]


def test_epochs_and_seeds_bring_other_batches_in_another_order():
    def orders(seed):
        return [[rows.tolist() for rows in made(200, 30, seed, 5).order(epoch)] for epoch in range(3)]

    first, second = orders(0), orders(1)
    assert first == orders(0)
    assert all(a != b for a, b in zip(first, second, strict=True))
    assert len({str(sorted(map(sorted, order))) for order in first}) == 3, "not only the order of the batches"
    lengths = [len(line) for line in lines(200, 5)]
    means = [np.mean([lengths[row] for row in rows]) for rows in first[0]]
    assert sorted(means) not in (means, means[::-1])


def test_padding_is_much_less_than_with_random_batches():
    count, tokens = 2000, 400
    sources = lines(count, 40)
    batches = PairBatches(sources, [np.repeat(line, 2)[: len(line) + 3] for line in sources], tokens=tokens)
    sizes = batches.sources.lengths + batches.targets.lengths + 1
    assert sizes.sum() > 2 * POOL * tokens, "several pools"
    padding = sum(map(size, read(batches, 0))) - sizes.sum()
    widest = [int(side.lengths.max()) for side in (batches.sources, batches.targets)]
    assert padding < 0.05 * (count * (sum(widest) + 1) - sizes.sum())


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 9])
def test_a_batch_splits_into_even_groups_of_the_same_rows(parts):
    batch = made(6, 10_000).chunk(0, 0)
    groups = batch.split(parts)
    assert isinstance(batch, Batch)
    assert len(groups) == min(parts, 6)
    assert {len(group.source.lengths) for group in groups} <= {6 // len(groups), -(-6 // len(groups))}
    assert [row for group in groups for row in rows_of(group)] == rows_of(batch)
    for group in groups:
        assert group.source.steps == int(group.source.lengths.max())
        assert group.target.steps == int(group.target.lengths.max())
    moved = batch.to(torch.device("meta"))
    assert moved.source.data.device.type == moved.target.data.device.type == "meta"
    assert rows_of(batch.to(torch.device("cpu"))) == rows_of(batch)


@pytest.mark.parametrize("tokens", [1, 40, 10_000])
def test_in_order_gives_all_pairs_and_the_places_to_put_answers(tokens):
    sides = lines(30), lines(30, seed=1)
    seen = list(pairs_in_order(*sides, tokens=tokens))
    answers = dict.fromkeys(range(30))
    for rows, batch in seen:
        answers |= dict(zip(rows.tolist(), rows_of(batch), strict=True))
    assert list(answers.values()) == [(s.tolist(), t.tolist()) for s, t in zip(*sides, strict=True)]
    longest = [max(batch.source.steps, batch.target.steps) for _, batch in seen]
    assert longest == sorted(longest)
    assert list(pairs_in_order([], [], tokens=tokens)) == []


@pytest.mark.parametrize(
    ("construct", "kind", "message"),
    [
        (lambda: PairBatches([], [], tokens=9), DataError, "there are no pairs to make batches of"),
        (lambda: made(tokens=0), ArgumentError, "tokens must be at least 1; got 0"),
        (lambda: PairBatches(lines(3), lines(2), tokens=9), ArgumentError, "3 and 2 do not fit"),
        (lambda: list(pairs_in_order(lines(3), lines(4), tokens=9)), ArgumentError, "3 and 4 do not fit"),
        (lambda: list(pairs_in_order(lines(3), lines(3), tokens=0)), ArgumentError, "tokens must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_came(construct, kind, message):
    with pytest.raises(kind, match=message):
        construct()


def test_what_is_shifted_never_scores_the_end_twice_nor_padding():
    padded = Padded(torch.tensor([[1, 2, 3, 0], [6, 6, 6, 6], [7, 7, 6, 6]]), torch.tensor([4, 0, 2]))
    read, predicted = shifted(padded, 8)
    assert read.data.tolist() == [[8, 1, 2, 3, 0], [8, 0, 0, 0, 0], [8, 7, 7, 0, 0]]
    assert predicted.tolist() == [[1, 2, 3, 0, 8], [8, -1, -1, -1, -1], [7, 7, 8, -1, -1]]
    assert read.lengths.tolist() == [5, 1, 3]
