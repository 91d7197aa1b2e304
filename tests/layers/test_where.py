import pytest
import torch

from throughtime.errors import ArgumentError
from throughtime.layers import Global, Local, LocalPredicted

MASK = torch.arange(6) < torch.tensor([6, 3, 0])[:, None]
PLACES = torch.tensor([[0, 4], [1, 7], [0, 1]])


def given(heads: int = 2) -> tuple[torch.Tensor, ...]:
    """Scores, mask, queries and places of three sources and two queries."""
    return torch.randn(3, 2, heads, 6).double(), MASK, torch.randn(3, 2, 4).double(), PLACES


def test_global_weights_are_a_softmax_over_real_places():
    scores, *rest = given()
    used, chances = Global()(scores, *rest)
    torch.testing.assert_close(used[0], torch.softmax(scores[0], -1))
    torch.testing.assert_close(used[1, ..., :3], torch.softmax(scores[1, ..., :3], -1))
    assert not used[1, ..., 3:].any()
    assert not used[2].any()
    assert chances is used


@pytest.mark.parametrize("window", [0, 1, 2, 9])
def test_local_weights_are_a_softmax_over_the_window_around_the_step(window):
    scores, *rest = given()
    used, _ = Local(window)(scores, *rest)
    for row, length in ((0, 6), (1, 3)):
        for step, place in enumerate(PLACES[row].tolist()):
            centre = min(place, length - 1)
            near = slice(max(0, centre - window), min(length, centre + window + 1))
            torch.testing.assert_close(used[row, step, :, near], torch.softmax(scores[row, step, :, near], -1))
            torch.testing.assert_close(used[row, step].sum(-1), torch.ones(2).double())
    assert not used[2].any()


def test_local_weights_around_a_predicted_place_are_the_formula():
    where = LocalPredicted(4, 2, 3).double()
    scores, mask, queries, places = given()
    used, _ = where(scores, mask, queries, places)
    for row, length in ((0, 6), (1, 3)):
        for step in range(2):
            asked = torch.tanh(where.ask.weight @ queries[row, step])
            centre = length * torch.sigmoid(where.point.weight[0] @ asked)
            s = torch.arange(length).double()
            near = (s - centre).abs() <= 2
            wanted = torch.softmax(scores[row, step, :, :length].masked_fill(~near, -torch.inf), -1)
            wanted = wanted * torch.exp(-((s - centre) ** 2) / (2 * (2 / 2) ** 2))
            torch.testing.assert_close(used[row, step, :, :length], wanted)
            assert not used[row, step, :, length:].any()
    assert not used[2].any()
    assert (where.centres(queries, mask) <= mask.sum(1, keepdim=True)).all()


def test_the_place_is_learnt_through_the_bell():
    where = LocalPredicted(4, 2).double()
    scores, mask, queries, places = given()
    leaves = [scores.requires_grad_(), queries.requires_grad_(), *where.parameters()]
    assert torch.autograd.gradcheck(lambda e, q, *_: where(e, mask, q, places).used, leaves)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Local(-1), "window must be at least 0; got -1"),
        (lambda: LocalPredicted(4, 0), "window must be at least 1; got 0"),
        (lambda: LocalPredicted(0, 2), "query must be at least 1; got 0"),
        (lambda: LocalPredicted(4, 2, 0), "hidden must be at least 1; got 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(make, message):
    with pytest.raises(ArgumentError) as refused:
        make()
    assert str(refused.value) == message
