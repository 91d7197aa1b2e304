import numpy as np
import pytest
import torch
from torch import Tensor, nn

from throughtime.data.batches import POOL, Batches, SequenceBatch, gathered, in_order
from throughtime.data.lanes import UNSCORED
from throughtime.errors import ArgumentError, DataError
from throughtime.heads import Classes
from throughtime.layers import MeanPool
from throughtime.padded import Padded
from throughtime.tally import Tally
from throughtime.train.descend import Batches as Trainable

COUNTS = [(1, 1), (1, 8), (7, 3), (96, 3), (97, 3), (100, 1), (12, 4)]  # and rows


def sequences(count: int, longest: int = 30) -> list[Tensor]:
    """Sequences of ids of many lengths, from 0 on, each made of its own place."""
    lengths = np.random.default_rng(1).integers(0, longest, count).tolist()
    return [torch.full((length,), place) for place, length in enumerate(lengths)]


def made(count: int, rows: int, seed: int = 0, longest: int = 30) -> Batches:
    """Batches whose targets are the places of the sequences."""
    return Batches(sequences(count, longest), torch.arange(count), rows=rows, seed=seed)


def read(batches: Batches, epoch: int) -> list[SequenceBatch]:
    return [batches.chunk(epoch, position) for position in range(batches.chunks(epoch))]


def same(one: SequenceBatch, other: SequenceBatch) -> bool:
    pairs = [(one.inputs.data, other.inputs.data), (one.inputs.lengths, other.inputs.lengths)]
    return all(torch.equal(a, b) for a, b in [*pairs, (one.targets, other.targets)])


@pytest.mark.parametrize(("count", "rows"), COUNTS)
def test_every_sequence_comes_once_an_epoch_with_its_target(count, rows):
    given, batches = sequences(count), made(count, rows)
    assert isinstance(batches, Trainable)
    for epoch in range(3):
        seen = read(batches, epoch)
        assert sorted(torch.cat([batch.targets for batch in seen]).tolist()) == list(range(count))
        sizes = sorted(len(batch.targets) for batch in seen)
        assert sizes == sorted([rows] * (count // rows) + ([count % rows] if count % rows else []))
        for batch in seen:
            for data, length, place in zip(batch.inputs.data, batch.inputs.lengths, batch.targets, strict=True):
                assert torch.equal(data[:length], given[place])
                assert not data[length:].any()


def test_a_batch_is_a_function_of_seed_epoch_and_position_alone():
    wanted = {(e, p): made(50, 4, seed=3).chunk(e, p) for e in range(3) for p in range(13)}
    one = made(50, 4, seed=3)
    for epoch, position in np.random.default_rng(0).permutation(list(wanted)).tolist():
        np.random.seed(position)
        torch.manual_seed(position)
        assert same(one.chunk(epoch, position), wanted[epoch, position])


def test_epochs_and_seeds_bring_other_batches_in_another_order():
    def orders(seed: int) -> list[list[list[int]]]:
        return [[rows.tolist() for rows in made(200, 4, seed, longest=5).order(epoch)] for epoch in range(3)]

    first, second = orders(0), orders(1)
    assert first == orders(0)
    assert all(a != b for a, b in zip(first, second, strict=True))
    assert len({str(order) for order in first}) == 3
    assert len({str(sorted(map(sorted, order))) for order in first}) == 3, "not only the order of the batches"


def test_short_and_long_come_mixed():
    batches = made(4 * POOL, 4)
    means = [float(batches.lengths[rows].mean()) for rows in batches.order(0)]
    assert sorted(means) not in (means, means[::-1])


@pytest.mark.parametrize("rows", [4, 16])
def test_padding_is_much_less_than_with_random_batches(rows):
    count = rows * POOL * 2
    lengths = torch.tensor([len(sequence) for sequence in sequences(count, 100)])
    sorted_by_length = sum(batch.inputs.data.numel() for batch in read(made(count, rows, longest=100), 0))
    randomly = sum(int(lengths[part].max()) * len(part) for part in torch.randperm(count).split(rows))
    real = int(lengths.sum())
    assert sorted_by_length - real < 0.1 * (randomly - real)


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 6, 9])
def test_a_batch_splits_into_even_groups_of_the_same_rows(parts):
    batch = made(6, 6).chunk(0, 0)
    groups = batch.split(parts)
    sizes = [len(group.targets) for group in groups]
    assert len(groups) == min(parts, 6)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1
    joined = Padded(
        torch.cat([group.inputs.data for group in groups]), torch.cat([group.inputs.lengths for group in groups])
    )
    assert same(SequenceBatch(joined, torch.cat([group.targets for group in groups])), batch)
    assert same(batch.to(torch.device("cpu")), batch)


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_micro_batches_add_up_to_the_batch(parts):
    embedding, head = nn.Embedding(7, 3).double(), Classes(3, 7).double()
    weights = [*embedding.parameters(), *head.parameters()]

    def loss(batch: SequenceBatch) -> Tally:
        inputs = batch.inputs.replace(embedding(batch.inputs.data)).zeroed()
        return head.loss(MeanPool()(inputs), batch.targets)

    batch = made(7, 7).chunk(0, 0)
    whole, added = loss(batch), sum((loss(group) for group in batch.split(parts)), Tally(0.0, 0))
    assert added.count == whole.count == 7
    torch.testing.assert_close(added.total, whole.total)
    gradients = [torch.autograd.grad(tally.total, weights) for tally in (added, whole)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(("count", "rows"), COUNTS)
def test_in_order_gives_all_sequences_by_length_and_the_places_to_put_answers(count, rows):
    given = sequences(count)
    batches = in_order(given, torch.arange(count), rows=rows)
    lengths = torch.cat([batch.inputs.lengths for _, batch in batches])
    assert lengths.tolist() == sorted(len(sequence) for sequence in given)
    assert all(len(batch.targets) == rows for _, batch in batches[:-1])
    answers = torch.full((count,), -1)
    for where, batch in batches:
        answers[where] = batch.targets
    assert answers.tolist() == list(range(count))


def test_in_order_of_nothing_is_nothing():
    assert in_order([], torch.zeros(0), rows=3) == []


def test_targets_of_steps_are_unscored_past_a_length():
    ids = [torch.tensor([1, 2, 3]), torch.tensor([4]), torch.zeros(0, dtype=torch.int64)]
    batch = gathered(ids, [ids_ + 10 for ids_ in ids], np.array([1, 0, 2]))
    assert batch.inputs.data.tolist() == [[4, 0, 0], [1, 2, 3], [0, 0, 0]]
    assert batch.targets.tolist() == [[14, UNSCORED, UNSCORED], [11, 12, 13], [UNSCORED] * 3]


def test_numbers_of_steps_are_unscored_past_a_length():
    points = [torch.ones(2, 3), torch.ones(1, 3)]
    targets = Batches(points, [torch.ones(2, 4), torch.ones(1, 4)], rows=2).chunk(0, 0).targets
    assert targets.shape == (2, 2, 4)
    assert int(targets.isnan().sum()) == 4
    assert targets.nansum() == 12


def test_targets_of_a_row_may_be_several():
    targets = torch.arange(6.0).view(3, 2)
    batch = gathered(sequences(3), targets, np.array([2, 0]))
    assert batch.targets.tolist() == [[4, 5], [0, 1]]


REFUSED = {
    "no sequences": (lambda: Batches([], torch.zeros(0), rows=2), DataError, "no sequences to make batches of"),
    "no rows": (lambda: made(3, 0), ArgumentError, "rows must be at least 1; got 0"),
    "no rows in order": (
        lambda: in_order(sequences(3), torch.arange(3), rows=0),
        ArgumentError,
        "rows must be at least 1; got 0",
    ),
    "too few targets": (
        lambda: Batches(sequences(3), torch.arange(2), rows=2),
        ArgumentError,
        "every sequence has a target: 3 and 2 do not fit",
    ),
    "too many targets": (
        lambda: in_order(sequences(3), torch.arange(4), rows=2),
        ArgumentError,
        "every sequence has a target: 3 and 4 do not fit",
    ),
    "steps without targets": (
        lambda: Batches([torch.ones(2), torch.ones(3)], [torch.ones(2), torch.ones(2)], rows=2),
        ArgumentError,
        "sequence 1 has 3 steps and 2 targets, not one each",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_what_came(case):
    construct, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message):
        construct()
