"""Episodes in lanes: every step once, whole episodes one after the other, marks where they begin."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from throughtime.data.episodes import Episode, EpisodeChunk, EpisodeLanes, digest_of
from throughtime.data.lanes import UNSCORED
from throughtime.errors import ArgumentError, DataError
from throughtime.train.descend import Batches

SIZES = [5, 1, 9, 2, 7, 7, 3]


def episodes(sizes=SIZES, *, discrete=True) -> list[Episode]:
    """Episodes whose numbers tell where they stand: the place of the episode, and of the step."""
    found = []
    for place, steps in enumerate(sizes):
        observations = np.stack([np.full(steps, place), np.arange(steps)], 1).astype(np.float32)
        actions = np.arange(steps) + 10 * place
        found.append(Episode(observations, actions if discrete else actions[:, None].astype(np.float32)))
    return found


def read(lanes: EpisodeLanes, epoch: int) -> list[list[tuple[int, int, int, bool]]]:
    """What each lane reads in an epoch: episode, step, action, mark."""
    rows: list[list[tuple[int, int, int, bool]]] = [[] for _ in range(lanes.lanes)]
    for position in range(lanes.chunks(epoch)):
        chunk = lanes.chunk(epoch, position)
        for row, length in enumerate(chunk.inputs.lengths.tolist()):
            assert not chunk.inputs.data[row, length:].any()
            assert not chunk.resets[row, length:].any()
            past = chunk.targets[row, length:]
            assert (past.isnan() if past.is_floating_point() else past == UNSCORED).all()
            seen = chunk.inputs.data[row, :length].int().tolist()
            actions, marks = chunk.targets[row, :length].flatten().int().tolist(), chunk.resets[row, :length].tolist()
            rows[row] += [(*pair, action, mark) for pair, action, mark in zip(seen, actions, marks, strict=True)]
    return rows


@pytest.mark.parametrize("discrete", [True, False])
@pytest.mark.parametrize(("lanes", "steps"), [(1, 4), (2, 4), (3, 100), (3, 1), (9, 3)])
def test_every_step_comes_once_an_epoch_in_order_and_episodes_are_marked(lanes, steps, discrete):
    packed = EpisodeLanes(episodes(discrete=discrete), lanes=lanes, steps=steps, seed=1)
    assert isinstance(packed, Batches)
    for epoch in range(3):
        rows = read(packed, epoch)
        wanted = [(place, step, step + 10 * place, step == 0) for place, n in enumerate(SIZES) for step in range(n)]
        assert sorted(step for row in rows for step in row) == wanted
        for row in rows:
            for before, after in pairwise(row):
                assert after[3] or after[:2] == (before[0], before[1] + 1), "a lane reads whole episodes"


def test_a_chunk_is_a_function_of_seed_epoch_and_position_alone():
    first = EpisodeLanes(episodes(), lanes=2, steps=3, seed=4)
    wanted = {(e, p): first.chunk(e, p) for e in range(3) for p in range(first.chunks(e))}
    other = EpisodeLanes(episodes(), lanes=2, steps=3, seed=4)
    for epoch, position in reversed(wanted):
        np.random.seed(position)
        one, two = other.chunk(epoch, position), wanted[epoch, position]
        assert torch.equal(one.inputs.data, two.inputs.data)
        assert torch.equal(one.targets, two.targets)
        assert torch.equal(one.resets, two.resets)


def test_epochs_and_seeds_bring_other_orders_and_none_keeps_them():
    def orders(seed):
        return [str(EpisodeLanes(episodes(), lanes=2, steps=3, seed=seed).dealt(epoch)) for epoch in range(3)]

    assert len({*orders(0), *orders(1)}) == 6
    assert len(set(orders(None))) == 1
    assert [lane.tolist() for lane in EpisodeLanes(episodes(), lanes=2, steps=3, seed=None).dealt(0)] == [
        [0, 3, 4, 6],
        [1, 2, 5],
    ]


def test_lanes_are_about_as_long_as_each_other():
    packed = EpisodeLanes(episodes([5] * 20), lanes=4, steps=7)
    assert [int(packed.sizes[lane].sum()) for lane in packed.dealt(3)] == [25] * 4


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_a_chunk_splits_into_groups_of_the_same_lanes(parts):
    chunk = EpisodeLanes(episodes(), lanes=3, steps=8).chunk(0, 0)
    groups = chunk.to(torch.device("cpu")).split(parts)
    assert len(groups) == min(parts, 3)
    for name in ("targets", "resets"):
        assert torch.equal(torch.cat([getattr(group, name) for group in groups]), getattr(chunk, name))
    assert torch.equal(torch.cat([group.inputs.data for group in groups]), chunk.inputs.data)
    assert all(isinstance(group, EpisodeChunk) for group in groups)


def test_the_digest_tells_apart_what_is_cut_at_another_place():
    one, two = episodes([4]), episodes([4])
    assert digest_of(one) == digest_of(two)
    cut = [Episode(one[0].observations[:2], one[0].actions[:2]), Episode(one[0].observations[2:], one[0].actions[2:])]
    assert len({digest_of(some) for some in (one, cut, episodes([5]), episodes([4], discrete=False))}) == 4


def test_what_does_not_fit_is_refused():
    with pytest.raises(ArgumentError, match=r"an episode has observations T D and T actions.*got \(3, 2\) and \(2,\)"):
        Episode(np.zeros((3, 2), np.float32), np.zeros(2, np.int64))
    with pytest.raises(ArgumentError, match=r"T at least 1; got \(0, 2\) and \(0,\)"):
        Episode(np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
    with pytest.raises(DataError, match="there are no episodes to learn from"):
        EpisodeLanes([], lanes=1, steps=1)
    with pytest.raises(ArgumentError, match="lanes and steps must be at least 1; got 0 and 3"):
        EpisodeLanes(episodes(), lanes=0, steps=3)
