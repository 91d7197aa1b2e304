import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from throughtime import Padded
from throughtime.errors import ArgumentError

LENGTHS = st.lists(st.integers(0, 6), min_size=1, max_size=5)


def sequences(lengths: list[int], width: int = 2) -> list[Tensor]:
    """Distinct numbers, none of them zero."""
    total = sum(lengths) * width
    return list(torch.arange(1, total + 1).view(-1, width).split(lengths))


def rows(batch: Padded) -> list[list[list[int]]]:
    return [row[:length].tolist() for row, length in zip(batch.data, batch.lengths.tolist(), strict=True)]


def same(a: Padded, b: Padded) -> bool:
    return torch.equal(a.data, b.data) and torch.equal(a.lengths, b.lengths)


@given(LENGTHS)
def test_of_keeps_every_item_and_pads_with_zeros(lengths):
    batch = Padded.of(sequences(lengths))
    assert rows(batch) == [sequence.tolist() for sequence in sequences(lengths)]
    assert batch.steps == max(lengths)
    assert not batch.data[~batch.mask].any()


@given(LENGTHS, st.integers(0, 2))
def test_mask_is_true_at_real_positions_alone(lengths, more):
    batch = Padded.of([*sequences(lengths), torch.ones(max(lengths) + more, 2).long()])
    assert batch.mask.sum(1).tolist() == batch.lengths.tolist()
    assert (batch.mask.int().diff(dim=1) <= 0).all()
    assert batch.is_full == bool(batch.mask.all())


@given(LENGTHS)
def test_flip_is_its_own_inverse_and_reverses_inside_each_length(lengths):
    batch = Padded.of(sequences(lengths))
    assert rows(batch.flip()) == [row[::-1] for row in rows(batch)]
    assert not batch.flip().data[~batch.mask].any()
    assert same(batch.flip().flip(), batch)


@given(LENGTHS, st.integers(0, 8))
def test_split_cuts_time_in_two_and_loses_nothing(lengths, step):
    batch = Padded.of(sequences(lengths))
    before, after = batch.split(step)
    assert torch.equal(torch.cat([before.data, after.data], 1), batch.data)
    assert torch.equal(before.lengths + after.lengths, batch.lengths)
    assert [a + b for a, b in zip(rows(before), rows(after), strict=True)] == rows(batch)


@given(LENGTHS)
def test_zeroed_clears_the_padding_and_nothing_else(lengths):
    clean = Padded.of(sequences(lengths))
    dirty = clean.replace(clean.data + (~clean.mask)[..., None].long())
    assert same(dirty.zeroed(), clean)


@given(LENGTHS, st.data())
def test_take_gives_rows_with_their_lengths(lengths, data):
    batch = Padded.of(sequences(lengths))
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=4))
    assert rows(batch.take(torch.tensor(chosen))) == [rows(batch)[row] for row in chosen]


@given(st.integers(1, 4), st.integers(0, 4))
def test_full_fills_its_rows(batch, steps):
    full = Padded.full(torch.zeros(batch, steps, 2))
    assert full.is_full
    assert full.lengths.tolist() == [steps] * batch


REFUSED = {
    "no time axis": (torch.zeros(2), torch.tensor([1, 1]), r"lengths \(2,\) do not fit data \(2,\)"),
    "a row too many": (torch.zeros(2, 3), torch.tensor([1, 1, 1]), r"lengths \(3,\) do not fit data \(2, 3\)"),
    "short integers": (torch.zeros(2, 3), torch.tensor([1, 1], dtype=torch.int32), "int64 on the CPU; got torch.int32"),
    "too long": (torch.zeros(2, 3), torch.tensor([1, 4]), r"must be in 0..3; got \[1, 4\]"),
    "negative": (torch.zeros(2, 3), torch.tensor([-1, 3]), r"must be in 0..3; got \[-1, 3\]"),
    "elsewhere": (torch.zeros(2, 3), torch.tensor([1, 1], device="meta"), "on the CPU; got torch.int64 on meta"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_lengths_that_do_not_fit_are_refused_with_what_came(case):
    data, lengths, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message):
        Padded(data, lengths)


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ArgumentError, match="sequences is empty: a batch has at least one row"):
        Padded.of([])
