import numpy as np
import pytest
import torch

from throughtime import Padded
from throughtime.data.lanes import UNSCORED
from throughtime.data.masking import HIDDEN, MASKED, OTHER, MaskedPieces, hide, masked_reading
from throughtime.errors import DataError

IDS = np.arange(1000, dtype=np.int32)


def same(a, b) -> bool:
    return torch.equal(a.inputs.data, b.inputs.data) and torch.equal(a.targets, b.targets)


def test_shares_are_those_of_the_paper_and_nothing_else_is_touched():
    pieces = Padded.full(torch.randint(1000, (200, 100)))
    batch = hide(pieces, 1000, np.random.default_rng(3))
    hidden, shown = batch.targets != UNSCORED, batch.inputs.data
    assert torch.equal(shown[~hidden], pieces.data[~hidden])
    assert torch.equal(batch.targets[hidden], pieces.data[hidden])
    assert float(hidden.float().mean()) == pytest.approx(HIDDEN, abs=0.01)
    masked, kept = shown[hidden] == 1000, shown[hidden] == pieces.data[hidden]
    assert float(masked.float().mean()) == pytest.approx(MASKED, abs=0.02)
    assert float((~masked & ~kept).float().mean()) == pytest.approx(OTHER, abs=0.02)
    assert int(shown.max()) == 1000


def test_padding_is_never_hidden_and_something_always_is():
    for seed in range(30):
        pieces = Padded(torch.tensor([[5, 6, 0, 0, 0], [0, 0, 0, 0, 0]]), torch.tensor([2, 0]))
        batch = hide(pieces, 9, np.random.default_rng(seed))
        assert (batch.targets[~pieces.mask] == UNSCORED).all()
        assert not batch.inputs.data[~pieces.mask].any()
        assert (batch.targets >= 0).sum() >= 1


def test_a_batch_is_a_function_of_seed_epoch_and_position_alone():
    first, again = (MaskedPieces(IDS, 1000, rows=4, steps=10, seed=5) for _ in range(2))
    for epoch in (2, 0, 1):
        for position in (7, 3):
            assert same(first.chunk(epoch, position), again.chunk(epoch, position))
    other = MaskedPieces(IDS, 1000, rows=4, steps=10, seed=6)
    assert not same(first.chunk(1, 3), other.chunk(1, 3))
    assert not same(first.chunk(1, 3), first.chunk(2, 3))


def test_an_epoch_reads_each_piece_once_and_pieces_are_of_the_text():
    pieces = MaskedPieces(IDS, 5000, rows=3, steps=10, seed=1)
    for epoch in (0, 1):
        batches = [pieces.chunk(epoch, position) for position in range(pieces.chunks(epoch))]
        true = torch.cat([torch.where(b.targets >= 0, b.targets, b.inputs.data) for b in batches])
        assert (true.diff(dim=1) == 1).all()
        begins = true[:, 0].sort().values
        assert torch.equal(begins, torch.arange(len(begins)) * 10 + pieces.shift(epoch))
        assert len(begins) == (1000 - pieces.shift(epoch)) // 10
    assert pieces.shift(0) == 0
    assert len({pieces.shift(epoch) for epoch in range(9)}) > 3


def test_groups_of_a_batch_have_all_of_it():
    batch = MaskedPieces(IDS, 1000, rows=5, steps=10).chunk(0, 0)
    parts = batch.split(2)
    assert [len(part.targets) for part in parts] == [3, 2]
    assert torch.equal(torch.cat([part.inputs.data for part in parts]), batch.inputs.data)
    assert torch.equal(torch.cat([part.targets for part in parts]), batch.targets)
    assert len(batch.split(9)) == 5


def test_a_reading_goes_through_the_whole_text_and_is_always_the_same():
    first, again = (list(masked_reading(IDS[:47], 1000, steps=10, rows=2)) for _ in range(2))
    assert all(map(same, first, again))
    true = [torch.where(b.targets >= 0, b.targets, b.inputs.data)[b.inputs.mask] for b in first]
    assert torch.cat(true).tolist() == list(range(47))


def test_a_text_shorter_than_a_piece_is_refused():
    MaskedPieces(IDS[:10], 1000, rows=4, steps=10)
    with pytest.raises(DataError, match="has 9 units, less than one piece of 10 steps; give a longer text, or smaller"):
        MaskedPieces(IDS[:9], 1000, rows=4, steps=10)
