import pytest
import torch

from throughtime import Padded
from throughtime.cells import GRU, LSTM
from throughtime.errors import ArgumentError
from throughtime.layers import AttentivePool, Bidirectional, LastPool, MaximumPool, MeanPool, Recurrent

POOLS = {
    "last": LastPool,
    "last of both": lambda: LastPool(both=True),
    "mean": MeanPool,
    "maximum": MaximumPool,
    "attentive": lambda: AttentivePool(4, 3),
}
LENGTHS = (5, 0, 3, 1)


@pytest.fixture(params=POOLS)
def pool(request):
    return POOLS[request.param]().double()


def outputs(lengths: tuple[int, ...] = LENGTHS, steps: int = 5) -> Padded:
    data = torch.randn(len(lengths), steps, 4, dtype=torch.float64)
    return Padded(data, torch.tensor(lengths)).zeroed()


def pooled(pool: torch.nn.Module, given: Padded) -> tuple[torch.Tensor, ...]:
    """What a pool gives, and the gradients of what it is given and of its weights."""
    data = given.data.clone().requires_grad_()
    hidden = pool(given.replace(data))
    total = (hidden * torch.linspace(0.5, 1.5, 4).to(hidden)).sum()
    return hidden.detach(), *torch.autograd.grad(total, [data, *pool.parameters()])


def test_padding_changes_nothing_whatever_stands_in_it(pool):
    given = outputs()
    wanted, gradient, *rest = pooled(pool, given)
    for padding in (0.0, -3.0, 1e6, torch.inf):
        data = torch.nn.functional.pad(given.data, (0, 0, 0, 3))
        more = Padded(data, given.lengths)
        more = more.replace(data.masked_fill(~more.mask[..., None], padding))
        hidden, wider, *others = pooled(pool, more)
        torch.testing.assert_close(hidden, wanted)
        torch.testing.assert_close(wider[:, :5], gradient)
        assert not wider[~more.mask].any()
        torch.testing.assert_close(others, rest)


def test_the_order_and_number_of_rows_change_nothing(pool):
    given = outputs()
    wanted = pool(given)
    for rows in (torch.tensor([2, 0, 3, 1]), torch.tensor([2]), torch.tensor([1])):
        torch.testing.assert_close(pool(given.take(rows)), wanted[rows])


def test_a_sequence_of_no_steps_gives_zeros_and_no_gradient(pool):
    hidden, gradient, *rest = pooled(pool, outputs((0, 2)))
    assert not hidden[0].any()
    assert hidden[1].all()
    assert not gradient[0].any()
    assert all(part.isfinite().all() for part in (gradient, *rest))


@pytest.mark.parametrize("steps", [0, 3])
def test_nothing_but_sequences_of_no_steps_gives_zeros(pool, steps):
    hidden, gradient, *rest = pooled(pool, outputs((0, 0), steps))
    assert hidden.tolist() == [[0.0] * 4] * 2
    assert not any(part.any() for part in (gradient, *rest))


def test_gradients_are_finite_differences(pool):
    given = outputs()
    leaves = [given.data.clone().requires_grad_(), *pool.parameters()]
    assert torch.autograd.gradcheck(lambda x, *_: pool(given.replace(x)), leaves)


def test_every_weight_receives_gradient(pool):
    _, *gradients = pooled(pool, outputs())
    assert all(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
def test_the_type_of_the_numbers_is_kept(pool, kind):
    given = outputs()
    assert pool.to(kind)(given.replace(given.data.to(kind))).dtype == kind


def test_mean_maximum_and_last_are_those_of_each_row_alone():
    given = outputs((5, 2, 4, 1))
    rows = [data[:length] for data, length in zip(given.data, given.lengths.tolist(), strict=True)]
    torch.testing.assert_close(MeanPool()(given), torch.stack([row.mean(0) for row in rows]))
    torch.testing.assert_close(MaximumPool()(given), torch.stack([row.amax(0) for row in rows]))
    torch.testing.assert_close(LastPool()(given), torch.stack([row[-1] for row in rows]))


@pytest.mark.parametrize("kind", [GRU, LSTM])
def test_the_last_of_a_core_is_its_final_state(kind):
    inputs = Padded(torch.randn(4, 5, 3, dtype=torch.float64), torch.tensor(LENGTHS)).zeroed()
    one, two = kind(3, 2).double(), kind(3, 2).double()
    read, state = Recurrent(one)(inputs)
    torch.testing.assert_close(LastPool()(read), state.hidden)
    read, states = Bidirectional(one, two)(inputs)
    wanted = torch.cat([states.forward.hidden, states.backward.hidden], 1)
    torch.testing.assert_close(LastPool(both=True)(read), wanted)
    assert not torch.allclose(LastPool()(read), wanted), "the backward cell ends at the first place"


def test_weights_of_attention_sum_to_one_over_real_steps_and_are_zero_elsewhere():
    given, pool = outputs(), AttentivePool(4, 3).double()
    weights = pool.weights(given)
    assert not weights[~given.mask].any()
    assert (weights[given.mask] > 0).all()
    assert weights[given.mask].std() > 0.01
    torch.testing.assert_close(weights.sum(1), torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64))


def test_attention_is_its_formula():
    given, pool = outputs((3,), 3), AttentivePool(4, 2).double()
    scores = [pool.query @ torch.tanh(pool.key.weight @ h + pool.key.bias) for h in given.data[0]]
    shares = torch.stack(scores).exp()
    shares = shares / shares.sum()
    torch.testing.assert_close(pool.weights(given)[0], shares)
    torch.testing.assert_close(pool(given)[0], shares @ given.data[0])


def test_attention_to_scores_far_apart_is_one_step():
    pool = AttentivePool(1, 1)
    torch.nn.init.constant_(pool.query, 1e30)
    torch.nn.init.ones_(pool.key.weight)
    given = Padded(torch.tensor([[[-1.0], [2.0], [0.0]]]), torch.tensor([2]))
    assert pool.weights(given).tolist() == [[0.0, 1.0, 0.0]]
    torch.nn.init.constant_(pool.query, -1e30)
    assert pool.weights(given).tolist() == [[1.0, 0.0, 0.0]]


REFUSED = {
    "no features": (lambda: AttentivePool(0, 3), "hidden and width must be at least 1; got 0 and 3"),
    "no width": (lambda: AttentivePool(3, 0), "hidden and width must be at least 1; got 3 and 0"),
    "halves of an odd number": (
        lambda: LastPool(both=True)(Padded.full(torch.zeros(1, 2, 3))),
        "both directions are two halves of the features, of which there are 3",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_what_came(case):
    construct, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message):
        construct()
