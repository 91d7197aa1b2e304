"""GloVe against plain NumPy in float64, one non-zero after the other, and the laws of its order."""

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from throughtime.errors import ArgumentError, DataError, DivergedError
from throughtime.kernels import glove as kernels
from throughtime.vectors import glove as module
from throughtime.vectors.cooccurrence import Counts
from throughtime.vectors.glove import Entries, Settings, Weights, glove

PLAIN = Settings(5, 3, 0.05, 10.0, 0.75, 0)


def counts_of(dense):
    """Counts of a matrix, zeros left out."""
    words = [f"word{i}" for i in range(len(dense))]
    pointers = np.concatenate([[0], np.cumsum((dense > 0).sum(1))])
    columns = np.nonzero(dense)[1].astype(np.int32)
    frequencies = np.arange(len(dense), 0, -1)
    return Counts(words, frequencies, pointers, columns, dense[dense > 0], 5, "both", "distance")


def chance_counts(words, share=0.4, seed=0):
    chance = np.random.default_rng(seed)
    return counts_of(np.where(chance.random((words, words)) < share, chance.exponential(8, (words, words)), 0))


@pytest.fixture(scope="module")
def counts():
    return chance_counts(23)


def gradients(w, c, b, d, x, settings):
    """Of f(x) (w·c + b + d − log x)² / 2: in w, c, b, d; and the objective itself."""
    difference = w @ c + b + d - np.log(x)
    slope = min(1.0, (x / settings.maximum) ** settings.power) * difference
    return slope * c, slope * w, slope, slope, slope * difference / 2


def visited(counts, settings, epoch):
    """The non-zeros (row, column) of an epoch in the order in which one thread learns them."""
    entries = Entries.of(counts, settings)
    for pieces in entries.rounds(settings.seed, epoch):
        for piece in pieces:
            order = np.empty(piece.size, np.int64)
            kernels.permute(piece.keys, order)
            for i in order[piece.start : piece.stop]:
                yield entries.numbers[piece.base + i, :2].tolist()


def plain(counts, settings):
    """The table and the loss of each epoch, by the formulas."""
    dense, start = counts.matrix().toarray(), Weights(len(counts.words), settings.dimension, settings.seed)
    rows = [table[:, 0, : settings.dimension].astype(np.float64) for table in (start.words, start.contexts)]
    biases, losses = [np.zeros(len(dense)), np.zeros(len(dense))], []
    sums = [np.ones_like(values) for values in (*rows, *biases)]
    for epoch in range(1, settings.epochs + 1):
        losses.append(0.0)
        for i, j in visited(counts, settings, epoch):
            places = i, j, i, j
            now = [values[place] for values, place in zip((*rows, *biases), places, strict=True)]
            *slopes, loss = gradients(*now, dense[i, j], settings)
            losses[-1] += loss / np.count_nonzero(dense)
            for values, total, place, slope in zip((*rows, *biases), sums, places, slopes, strict=True):
                total[place] += slope**2
                values[place] -= settings.learning_rate * slope / np.sqrt(total[place])
    return (rows[0] + rows[1]) / 2, losses


def trained(counts, settings, threads=1):
    *_, last = glove(counts, **settings._asdict(), threads=threads)
    return last


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"dimension": 1},
        {"dimension": 14},  # with both biases just a cache line
        {"dimension": 15},  # and just more than one
        {"dimension": 40, "seed": 7},
        {"learning_rate": 0.5, "maximum": 100.0, "power": 0.5},
    ],
    ids=str,
)
def test_training_is_the_formula(counts, change, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 16)  # so that there are several pieces and rounds
    settings = PLAIN._replace(**change)
    vectors, losses = plain(counts, settings)
    table = trained(counts, settings).table()
    assert settings.epochs * len(counts.values) > 200
    np.testing.assert_allclose(table.vectors, vectors, rtol=0, atol=1e-5)
    np.testing.assert_allclose(table.facts["losses"], losses, rtol=1e-5)


def test_gradients_of_the_formula_are_those_of_autograd():
    chance = np.random.default_rng(1)
    for x in (0.2, 3.0, 25.0):
        values = [chance.normal(size=shape) for shape in (6, 6, (), ())]
        w, c, b, d = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values)
        objective = min(1.0, (x / 10.0) ** 0.75) * (w @ c + b + d - np.log(x)) ** 2 / 2
        objective.backward()
        *slopes, loss = gradients(*values, x, PLAIN)
        assert loss == pytest.approx(objective.item(), rel=1e-12)
        for slope, leaf in zip(slopes, (w, c, b, d), strict=True):
            np.testing.assert_allclose(slope, leaf.grad.numpy(), rtol=1e-12)


def order_of(size, *numbers):
    order = np.full(size, -1)
    kernels.permute(module._keys(*numbers), order)
    return order


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**64), epoch=st.integers(0, 1000))
def test_an_order_has_every_place_once(size, seed, epoch):
    np.testing.assert_array_equal(np.sort(order_of(size, seed, epoch, 0)), np.arange(size))


def test_orders_look_shuffled_and_differ():
    size = 20_001
    orders = [order_of(size, *numbers) for numbers in ((0, 1, 0), (0, 2, 0), (1, 1, 0), (0, 1, 1))]
    for i, order in enumerate(orders):
        ranks = [np.arange(size), np.roll(order, 1), np.roll(order, 2), *orders[:i]]
        assert all(abs(np.corrcoef(order, other)[0, 1]) < 0.04 for other in ranks)  # 5.7 standard deviations
        assert all(np.count_nonzero(order == other) < 12 for other in ranks)  # of which one is to be expected
    steps = np.diff(orders[0])
    assert len(np.unique(steps)) > size / 2


def test_every_non_zero_is_learned_once_an_epoch(counts, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 3)
    present = sorted(map(list, np.argwhere(counts.matrix().toarray()).tolist()))
    first, second = (list(visited(counts, PLAIN, epoch)) for epoch in (1, 2))
    assert sorted(first) == sorted(second) == present
    assert first != second


def test_entries_hold_logarithms_and_weights(counts):
    dense = counts.matrix().toarray()
    numbers = Entries.of(counts, PLAIN).numbers
    values = dense[numbers[:, 0], numbers[:, 1]]
    np.testing.assert_allclose(numbers.view(np.float32)[:, 2], np.log(values), rtol=1e-6)
    np.testing.assert_allclose(numbers.view(np.float32)[:, 3], np.minimum(1, (values / 10) ** 0.75), rtol=1e-6)


def test_what_is_learned_at_the_same_time_shares_no_row_and_no_column(counts, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 2)
    entries = Entries.of(counts, PLAIN)
    at_once = []
    for pieces in entries.rounds(0, 1):
        blocks = [entries.numbers[piece.base : piece.base + piece.size] for piece in pieces]
        for side in (0, 1):
            seen = np.concatenate([np.unique(block[:, side]) for block in blocks])
            assert len(np.unique(seen)) == len(seen)
        at_once.append(len(blocks))
    assert max(at_once) > 8


def test_words_have_shares_enough_for_threads_and_few_enough_for_blocks_to_be_large():
    assert [module._shares(*sizes) for sizes in ((5, 9), (300, 9000), (400_000, 10**9))] == [5, 16, 64]
    assert module._shares(100_000, 5_000_000) == 34  # blocks of 4,096 and not 64 shares


def test_training_gives_the_same_bits_on_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(module, "PIECE", 64)
    counts, settings = chance_counts(120), PLAIN
    tables = [trained(counts, settings, threads).table() for threads in (1, 2, 5)]
    for table in tables[1:]:
        assert table.vectors.tobytes() == tables[0].vectors.tobytes()
        assert table.facts == tables[0].facts
    other = trained(counts, settings._replace(seed=1)).table()
    assert not np.allclose(other.vectors, tables[0].vectors, atol=1e-3)


def planted(words=40, dimension=4):
    chance = np.random.default_rng(2)
    w, c = chance.normal(size=(2, words, dimension)) / 2
    return counts_of(np.exp(w @ c.T + chance.normal(size=(words, 1)) + chance.normal(size=words)))


@pytest.mark.parametrize("threads", [1, 2])
def test_counts_that_vectors_made_are_explained_by_vectors(threads, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 64)
    settings = Settings(8, 150, 0.1, 1.0, 0.75, 0)
    losses = trained(planted(), settings, threads).table().facts["losses"]
    assert losses[0] > 0.1
    assert losses[-1] < 2e-3
    assert all(later < earlier for earlier, later in pairwise(losses[::25]))


def test_progress_counts_what_is_learned(counts, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 16)
    n = len(counts.values)
    told = list(glove(counts, dimension=3, epochs=2))
    assert [(step.epoch, step.units, step.done) for step in told] == [(1, n, 0.5), (2, 2 * n, 1.0)]
    assert [step.loss for step in told] == pytest.approx(told[-1].table().facts["losses"])
    monkeypatch.setattr(module, "YIELD_SECONDS", 0.0)
    often = list(glove(counts, dimension=3, epochs=2))
    units, losses = [step.units for step in often], [step.loss for step in often]
    assert len(units) > 20
    assert units[-1] == 2 * n
    assert n in units
    steps, first = np.diff([0, *units]), units.index(n) + 1
    assert (steps > 0).all()
    assert np.average(losses[:first], weights=steps[:first]) == pytest.approx(told[0].loss)
    assert all(step.seconds > 0 and step.units_per_second > 0 for step in often)


def test_a_table_stands_for_the_moment_it_is_asked_for(counts):
    training = glove(counts, dimension=3, epochs=2, seed=3)
    first = next(training).table()
    last = next(training).table()
    assert first.facts["non_zeros_learned"] == len(counts.values) == last.facts["non_zeros_learned"] // 2
    assert not np.array_equal(first.vectors, last.vectors)
    assert first.words == counts.words
    np.testing.assert_array_equal(first.counts, counts.frequencies)
    assert json.loads(json.dumps(last.facts)) == last.facts
    named = {"method": "glove", "dimension": 3, "epochs": 2, "seed": 3, "window": 5, "non_zeros": len(counts.values)}
    assert last.facts == last.facts | named


def test_training_that_diverges_says_so(counts):
    with pytest.raises(
        DivergedError, match=r"the loss of GloVe became \w+ in epoch 1.*lower the learning rate, .* 1e\+30"
    ):
        list(glove(counts, learning_rate=1e30))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"dimension": 0}, "dimension must be a whole number of at least 1; got 0"),
        ({"dimension": 2.5}, "dimension must be a whole number of at least 1; got 2.5"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1; got 0"),
        ({"threads": 0}, "threads must be a whole number of at least 1; got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1"),
        ({"learning_rate": 0.0}, "learning_rate must be a positive number; got 0.0"),
        ({"learning_rate": np.nan}, "learning_rate must be a positive number; got nan"),
        ({"maximum": np.inf}, "maximum must be a positive number; got inf"),
        ({"power": -0.1}, "power must be a number of at least 0; got -0.1"),
    ],
)
def test_settings_out_of_range_are_refused_at_once(counts, setting, message):
    with pytest.raises(ArgumentError, match=message):
        glove(counts, **setting)


def test_counts_of_nothing_are_refused():
    with pytest.raises(DataError, match="no two of the 3 words stand beside each other, so there is nothing to learn"):
        glove(counts_of(np.zeros((3, 3))))


@pytest.mark.parametrize(
    ("field", "place", "value", "message"),
    [
        ("values", 4, 0.0, "the value 0.0 in column .* at 4: values are positive numbers, columns below 23"),
        ("values", 4, -1.0, "the value -1.0"),
        ("values", 4, np.nan, "the value nan"),
        ("values", 4, np.inf, "the value inf"),
        ("columns", 2, 23, "in column 23 at 2"),
        ("columns", 2, -1, "in column -1 at 2"),
        ("pointers", -1, 7, "pointers do not cut .* values into 23 rows"),
        ("pointers", 0, 1, "pointers do not cut"),
        ("pointers", 3, 10**6, "pointers do not cut"),
    ],
)
def test_counts_that_are_none_are_refused(counts, field, place, value, message):
    array = getattr(counts, field).copy()
    array[place] = value
    with pytest.raises(DataError, match=message):
        glove(dataclasses.replace(counts, **{field: array}))
