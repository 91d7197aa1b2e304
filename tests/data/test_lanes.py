from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.lanes import UNSCORED, Chunk, Lanes, Reading
from throughtime.errors import DataError


def units(length: int) -> np.ndarray:
    """0, 1, 2, ...: each unit is its own place."""
    return np.arange(length, dtype=np.int32)


@st.composite
def lanes(draw: st.DrawFn) -> Lanes:
    rows, steps = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    length = rows * steps + 1 + draw(st.integers(0, 60))
    return Lanes(units(length), lanes=rows, steps=steps, seed=draw(st.integers(0, 9)))


def read(chunks: Lanes, epoch: int) -> list[Chunk]:
    return [chunks.chunk(epoch, position) for position in range(chunks.chunks(epoch))]


@given(lanes(), st.integers(0, 5))
def test_every_unit_is_read_once_but_for_what_falls_off_at_the_ends(chunks, epoch):
    pieces = torch.cat([chunk.inputs for chunk in read(chunks, epoch)], 1)
    first = chunks.shift(epoch)
    count = chunks.lanes * chunks.lane_length(epoch)
    assert pieces.flatten().tolist() == list(range(first, first + count))
    remainder = len(chunks.ids) - 1 - first - count
    assert 0 <= remainder < chunks.lanes
    assert first == 0 if epoch == 0 else 0 <= first < chunks.steps


@given(lanes(), st.integers(0, 5))
def test_targets_are_the_inputs_shifted_by_one(chunks, epoch):
    for chunk in read(chunks, epoch):
        assert torch.equal(chunk.targets, chunk.inputs + 1)
        assert chunk.inputs.dtype == torch.int64
        assert len(chunk.inputs) == chunks.lanes


@given(lanes(), st.integers(0, 5))
def test_all_chunks_but_the_last_are_full_and_follow_each_other(chunks, epoch):
    read_in_order = read(chunks, epoch)
    assert all(chunk.inputs.shape[1] == chunks.steps for chunk in read_in_order[:-1])
    assert 1 <= read_in_order[-1].inputs.shape[1] <= chunks.steps
    for before, after in pairwise(read_in_order):
        assert torch.equal(before.targets[:, -1], after.inputs[:, 0])


@given(lanes(), st.integers(0, 5), st.data())
def test_a_chunk_is_a_function_of_seed_epoch_and_position_alone(chunks, epoch, data):
    position = data.draw(st.integers(0, chunks.chunks(epoch) - 1))
    wanted = chunks.chunk(epoch, position)
    other = Lanes(chunks.ids.numpy(), lanes=chunks.lanes, steps=chunks.steps, seed=chunks.seed)
    read(other, epoch + 1)
    np.random.seed(data.draw(st.integers(0, 9)))
    again = other.chunk(epoch, position)
    assert torch.equal(wanted.inputs, again.inputs)
    assert torch.equal(wanted.targets, again.targets)


def test_epochs_and_seeds_shift_differently():
    def shifts(seed: int) -> list[int]:
        return [Lanes(units(1000), lanes=2, steps=50, seed=seed).shift(epoch) for epoch in range(8)]

    assert len(set(shifts(0))) > 4
    assert shifts(0) != shifts(1)
    assert shifts(0) == shifts(0)


@pytest.mark.parametrize("length", [0, 1, 6])
def test_a_text_shorter_than_a_chunk_is_refused_with_the_sizes(length):
    message = rf"the training text has {length} units, less than one chunk of 2 lanes × 3 steps and one more; .*--lanes"
    with pytest.raises(DataError, match=message):
        Lanes(units(length), lanes=2, steps=3)


def test_the_shortest_text_is_one_chunk_in_every_epoch():
    chunks = Lanes(units(7), lanes=2, steps=3)
    assert [(chunks.shift(epoch), chunks.chunks(epoch)) for epoch in range(5)] == [(0, 1)] * 5


@given(st.integers(1, 6), st.integers(1, 4), st.data())
def test_a_chunk_splits_into_groups_of_lanes(rows, steps, data):
    parts = data.draw(st.integers(1, rows))
    chunk = Chunk(torch.arange(rows * steps).view(rows, steps), torch.arange(rows * steps).view(rows, steps) + 1)
    groups = chunk.split(parts)
    assert len(groups) <= parts
    assert torch.equal(torch.cat([group.inputs for group in groups]), chunk.inputs)
    assert torch.equal(torch.cat([group.targets for group in groups]), chunk.targets)


@given(st.integers(1, 80), st.integers(1, 9), st.integers(1, 9), st.integers(0, 20))
def test_reading_scores_every_unit_exactly_once(length, rows, steps, warm):
    reading = Reading(units(length), start=length, lanes=rows, steps=steps, warm=warm)
    chunks = list(reading)
    scored = torch.cat([chunk.targets.flatten() for chunk in chunks])
    assert sorted(scored[scored != UNSCORED].tolist()) == list(range(length))
    assert all(chunk.inputs.shape == chunk.targets.shape for chunk in chunks)
    assert all(1 <= chunk.inputs.shape[1] <= steps for chunk in chunks)
    assert reading.lanes <= rows


@given(st.integers(1, 80), st.integers(1, 9), st.integers(1, 9), st.integers(0, 20))
def test_reading_goes_in_order_and_warms_up_before_it_scores(length, rows, steps, warm):
    reading = Reading(units(length), start=length, lanes=rows, steps=steps, warm=warm)
    for inputs, targets in zip(reading.inputs.tolist(), reading.targets.tolist(), strict=True):
        places = [-1 if unit == length else unit for unit in inputs]
        assert places == list(range(places[0], places[0] + len(places)))
        for place, target in zip(places, targets, strict=True):
            assert target in (UNSCORED, place + 1)
        first = next(i for i, target in enumerate(targets) if target != UNSCORED)
        assert first >= warm or places[0] == -1, "a lane begins at the beginning or has read `warm` units"
