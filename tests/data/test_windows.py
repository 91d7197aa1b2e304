"""Windows: those that enumeration finds, no target outside of its part, an order that is a function, no copies."""

import numpy as np
import pytest
import torch

from throughtime.data.scale import Scale
from throughtime.data.tracks import Stretch, Track
from throughtime.data.windows import WindowBatches, Windows, learned_scale
from throughtime.errors import ArgumentError, DataError


def track(rows, channels=2, known=1, ahead=0, seed=0):
    chance = np.random.default_rng(seed)
    numbers = [
        chance.normal(size=(n, width)).astype(np.float32) for n, width in ((rows, channels), (rows + ahead, known))
    ]
    return Track(f"series {seed}", *numbers, np.zeros((rows + ahead, 0), np.float32), None)


def plain(channels=3):
    return Scale(np.zeros(channels), np.ones(channels))


@pytest.mark.parametrize(("context", "horizon", "stride"), [(3, 2, 1), (1, 1, 1), (4, 3, 2), (5, 1, 7)])
def test_the_windows_are_those_that_enumeration_finds(context, horizon, stride):
    tracks = [track(12, seed=0), track(4, seed=1), track(9, seed=2)]
    stretches = [Stretch(2, 11), Stretch(0, 4), Stretch(0, 9)]
    windows = Windows(tracks, stretches, plain(), targets=1, context=context, horizon=horizon, stride=stride)
    found = [windows.place(index) for index in range(len(windows))]
    wanted = []
    for number, (first, last) in enumerate(stretches):
        begins = [b for b in range(first, last) if b >= context and b + horizon <= last]
        wanted += [(number, b) for b in begins if (b - begins[0]) % stride == 0]
    assert found == wanted
    assert windows.without == len(stretches) - len({number for number, _ in wanted})
    batch = windows.batch(np.arange(len(windows)))
    for row, (number, begin) in enumerate(wanted):
        one = tracks[number]
        assert torch.equal(batch.history[row], torch.from_numpy(one.values[begin - context : begin]))
        assert torch.equal(batch.known[row], torch.from_numpy(one.known[begin - context : begin + horizon]))
        assert torch.equal(batch.targets[row], torch.from_numpy(one.values[begin : begin + horizon, :1]))


def test_no_target_lies_in_two_parts_and_a_context_may_reach_back():
    tracks, seen = [track(20)], []
    for first, last in ((0, 10), (10, 15), (15, 20)):
        windows = Windows(tracks, [Stretch(first, last)], plain(), targets=2, context=4, horizon=3)
        places = [windows.place(index)[1] for index in range(len(windows))]
        seen.append({place + step for place in places for step in range(3)})
    assert seen == [set(range(4, 10)), set(range(10, 15)), set(range(15, 20))]


def test_nothing_is_copied_before_a_batch_is_asked_for():
    one = track(50)
    windows = Windows([one], [Stretch(0, 50)], plain(), targets=1, context=5, horizon=2)
    assert all(np.shares_memory(windows.raw(index), one.values) for index in (0, 20, len(windows) - 1))


def test_scales_are_those_of_what_is_learnt_from_and_what_is_always_the_same_stays():
    tracks = [track(30, seed=0), track(20, seed=1)]
    tracks[0].values[:, 1] = tracks[1].values[:, 1] = 5000.25
    stretches = [Stretch(0, 20), Stretch(0, 10)]
    scales = learned_scale(tracks, stretches)
    rows = np.concatenate(
        [np.concatenate([t.values[:n], t.known[:n]], 1) for t, n in zip(tracks, (20, 10), strict=True)]
    )
    rows = rows.astype(np.float64)
    np.testing.assert_allclose(scales.mean, rows.mean(0), rtol=1e-10)
    np.testing.assert_allclose(scales.deviation[[0, 2]], rows.std(0)[[0, 2]], rtol=1e-10)
    assert scales.deviation[1] == 1
    windows = Windows(tracks, stretches, scales, targets=2, context=3, horizon=2)
    batch = windows.batch(np.array([4]))
    place = windows.place(4)[1]
    wanted = (tracks[0].values[place : place + 2, 0] - scales.mean[0]) / scales.deviation[0]
    np.testing.assert_allclose(batch.targets[0, :, 0], wanted, rtol=1e-5)
    assert batch.history[0, :, 1].abs().max() == 0
    assert (
        Scale(**{name: np.array(one) for name, one in scales.to_json().items()}).mean.tolist() == scales.mean.tolist()
    )


def test_a_mean_far_from_zero_costs_no_digits():
    one = Track("", (1e4 + np.arange(64) % 2)[:, None].astype(np.float32), *[np.zeros((64, 0), np.float32)] * 2, None)
    assert learned_scale([one], [Stretch(0, 64)]).deviation[0] == pytest.approx(0.5, rel=1e-9)


def test_the_order_is_a_function_of_seed_epoch_and_position():
    windows = Windows([track(30)], [Stretch(0, 30)], plain(), targets=1, context=4, horizon=2)
    one, other = (WindowBatches(windows, rows=4, seed=7) for _ in range(2))
    assert one.chunks(0) == 7
    later = other.chunk(3, 5)  # asked first, which changes nothing
    assert torch.equal(other.chunk(0, 2).history, one.chunk(0, 2).history)
    assert torch.equal(one.chunk(3, 5).history, later.history)
    sizes = [len(one.chunk(1, position).history) for position in range(7)]
    assert sizes == [4] * 6 + [1]
    firsts = torch.cat([one.chunk(1, position).targets[:, 0, 0] for position in range(7)])
    assert sorted(firsts.tolist()) == sorted(windows.batch(np.arange(25)).targets[:, 0, 0].tolist())
    assert not torch.equal(one.chunk(0, 0).history, one.chunk(1, 0).history)
    assert not torch.equal(one.chunk(0, 0).history, WindowBatches(windows, rows=4, seed=8).chunk(0, 0).history)


def test_a_batch_splits_into_its_rows_and_windows_thin_out_evenly():
    windows = Windows([track(30)], [Stretch(0, 30)], plain(), targets=1, context=4, horizon=2)
    batch = windows.batch(np.arange(5))
    groups = batch.to(torch.device("cpu")).split(2)
    assert [len(group.history) for group in groups] == [3, 2]
    assert torch.equal(torch.cat([group.known for group in groups]), batch.known)
    assert len(batch.split(99)) == 5
    assert np.concatenate(windows.in_order(2, most=5)).tolist() == [0, 5, 10, 15, 20]
    assert np.concatenate(windows.in_order(4)).tolist() == list(range(25))


def test_what_cannot_be_is_told():
    tracks, stretches = [track(6)], [Stretch(0, 6)]
    with pytest.raises(
        DataError, match=r"\('series 0'\) has 6 rows, 6 of them in this part.*context of 5.*horizon of 2"
    ):
        Windows(tracks, stretches, plain(), targets=1, context=5, horizon=2)
    for name in ("context", "horizon", "stride", "targets"):
        with pytest.raises(ArgumentError, match=f"{name} must be at least 1; got 0"):
            Windows(tracks, stretches, plain(), **({"targets": 1, "context": 1, "horizon": 1} | {name: 0}))
    with pytest.raises(ArgumentError, match="rows must be at least 1; got 0"):
        WindowBatches(Windows(tracks, stretches, plain(), targets=1, context=1, horizon=1), rows=0)
