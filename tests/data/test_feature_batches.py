"""Batches of feature vectors: every row once an epoch, by seed, epoch and position alone."""

import pytest
import torch

from throughtime.data.feature_batches import FeatureBatches
from throughtime.errors import ArgumentError, DataError

INPUTS, TARGETS = torch.arange(14.0).view(7, 2), torch.arange(7)


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (100, [7])])
def test_every_row_comes_once_an_epoch_with_its_target(rows, sizes):
    batches = FeatureBatches(INPUTS, TARGETS, rows=rows, seed=3)
    for epoch in range(2):
        found = [batches.chunk(epoch, i) for i in range(batches.chunks(epoch))]
        assert [len(batch.targets) for batch in found] == sizes
        assert sorted(torch.cat([batch.targets for batch in found]).tolist()) == list(range(7))
        assert all(torch.equal(batch.inputs[:, 0], 2.0 * batch.targets) for batch in found)


def test_what_comes_when_depends_on_seed_epoch_and_position_alone():
    one, other = FeatureBatches(INPUTS, TARGETS, rows=3, seed=3), FeatureBatches(INPUTS, TARGETS, rows=3, seed=3)
    later = other.chunk(1, 1).targets
    assert [other.chunk(0, 0).targets.tolist(), later.tolist()] == [
        one.chunk(0, 0).targets.tolist(),
        one.chunk(1, 1).targets.tolist(),
    ]
    orders = [
        [FeatureBatches(INPUTS, TARGETS, rows=7, seed=seed).chunk(epoch, 0).targets.tolist() for epoch in range(2)]
        for seed in range(2)
    ]
    assert len({tuple(order) for some in orders for order in some}) == 4


def test_groups_are_the_batch_in_parts():
    batch = FeatureBatches(INPUTS, TARGETS, rows=5).chunk(0, 0)
    parts = batch.split(8)
    assert [len(part.targets) for part in parts] == [1] * 5
    assert torch.equal(torch.cat([part.inputs for part in parts]), batch.inputs)
    assert batch.to(torch.device("cpu")).inputs.shape == (5, 2)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="no feature vectors"):
        FeatureBatches(INPUTS[:0], TARGETS[:0], rows=1)
    with pytest.raises(ArgumentError, match="rows must be at least 1; got 0"):
        FeatureBatches(INPUTS, TARGETS, rows=0)
    with pytest.raises(ArgumentError, match="7 and 6 do not fit"):
        FeatureBatches(INPUTS, TARGETS[1:], rows=1)
