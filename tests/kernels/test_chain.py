"""The loops of conditional random fields at their door: digits, threads and memory. Their laws are the head's."""

import pytest
import torch

from throughtime.errors import ArgumentError
from throughtime.heads import paths
from throughtime.kernels import chain
from throughtime.kernels.chain import Scores

LABELS, STEPS = 3, 5


def drawn(labels=LABELS, steps=STEPS, batch=2, dtype=torch.float64):
    return Scores(
        *(torch.randn(shape, dtype=dtype) for shape in ((batch, steps, labels), (labels, labels), (labels,), (labels,)))
    )


def test_a_way_through_what_has_vanished_is_found():
    """The only way from 0 on leads by a label whose share, e^-2000, is no number."""
    start, end = torch.tensor([0.0, -2000.0]).double(), torch.zeros(2).double()
    transitions = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]]).double()
    emissions = torch.zeros(1, 3, 2).double()
    emissions[0, 2, 0] = -torch.inf
    scores, lengths = Scores(emissions, transitions, start, end), torch.tensor([3])
    assert paths.best_paths(scores, lengths)[0].tolist() == [[1, 1, 1]]
    assert paths.marginals(scores, lengths)[0].tolist() == [[0, 1]] * 3
    sums = chain.sum_paths(scores, lengths, None, gradients=True)
    assert sums.values.tolist() == [-2000.0]
    assert sums.gradients.transitions.tolist() == [[0, 0], [0, 2]]


def test_a_long_row_loses_nothing_in_single_precision():
    scores, lengths = drawn(4, 1000, 1, dtype=torch.float32), torch.tensor([1000])
    ours = chain.sum_paths(scores, lengths, None, gradients=True)
    wanted = paths.plain_log_partition(Scores(*(part.double() for part in scores)), lengths)
    torch.testing.assert_close(ours.values, wanted, rtol=1e-12, atol=0)
    torch.testing.assert_close(ours.gradients.emissions.sum(-1), torch.ones(1, 1000), rtol=1e-6, atol=0)


def test_as_many_threads_as_one_likes_give_the_same_bits(monkeypatch):
    scores, lengths = drawn(batch=40), torch.randint(STEPS + 1, (40,))
    targets = torch.randint(LABELS, (40, STEPS))
    once = chain.sum_paths(scores, lengths, targets, gradients=True)
    monkeypatch.setattr(chain, "PARALLEL", 0)
    monkeypatch.setattr(chain.launch, "threads", lambda: 3)
    again = chain.sum_paths(scores, lengths, targets, gradients=True)
    assert torch.equal(once.values, again.values)
    assert all(torch.equal(a, b) for a, b in zip(once.gradients, again.gradients, strict=True))


def test_memory_that_is_not_there_is_not_read():
    scores, lengths = drawn(batch=2), torch.tensor([5, 5])
    with pytest.raises(ArgumentError, match=r"shapes .* are not B T K, K K, K, K, B and B T, the last two"):
        chain.sum_paths(scores._replace(end=scores.end[:2]), lengths, None, gradients=False)
    with pytest.raises(ArgumentError, match=r"shapes .* the last two int64 on the CPU"):
        chain.sum_paths(scores, lengths, torch.zeros(2, 5), gradients=False)
    with pytest.raises(ArgumentError, match=r"lengths must be in 0\.\.5; got \[5, 6\]"):
        chain.find_paths(scores, torch.tensor([5, 6]))
