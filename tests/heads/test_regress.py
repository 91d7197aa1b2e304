import numpy as np
import pytest
import torch

from throughtime.errors import ArgumentError
from throughtime.heads import Quantiles, Regression
from throughtime.tally import Tally

HIDDEN, NUMBERS, LEVELS = 3, 2, (0.1, 0.5, 0.9)
HEADS = {
    "squares": lambda: Regression(HIDDEN, NUMBERS),
    "Huber": lambda: Regression(HIDDEN, NUMBERS, delta=0.7),
    "quantiles": lambda: Quantiles(HIDDEN, NUMBERS, levels=LEVELS),
    "one quantile": lambda: Quantiles(HIDDEN, NUMBERS, levels=(0.3,)),
}


def features(*rows: int) -> torch.Tensor:
    return torch.randn(*rows, HIDDEN, dtype=torch.float64, requires_grad=True)


def targets(*rows: int) -> torch.Tensor:
    return 2 * torch.randn(*rows, NUMBERS, dtype=torch.float64)


@pytest.fixture(params=HEADS)
def head(request):
    return HEADS[request.param]().double()


@pytest.mark.parametrize("rows", [(1,), (5,), (2, 3)])
def test_outputs_have_the_rows_of_the_features(head, rows):
    outputs = head(features(*rows))
    assert outputs.shape[: len(rows) + 1] == (*rows, NUMBERS)
    assert outputs.shape[len(rows) + 1 :] == ((len(head.levels),) if isinstance(head, Quantiles) else ())


def test_the_loss_of_many_rows_is_that_of_each(head):
    x, truth = features(2, 3), targets(2, 3)
    whole = head.loss(x, truth)
    assert whole.count == 2 * 3 * NUMBERS
    flat, wanted = x.flatten(0, 1), truth.flatten(0, 1)
    for order in (range(6), (5, 2, 0, 4, 1, 3)):
        added = sum((head.loss(flat[row : row + 1], wanted[row : row + 1]) for row in order), Tally(0.0, 0))
        assert added.count == whole.count
        torch.testing.assert_close(added.total, whole.total)


def test_a_target_that_is_nan_is_not_scored_and_gives_no_gradient(head):
    x, truth = features(4), targets(4)
    truth[1] = torch.nan
    truth[2, 0] = torch.nan
    tally = head.loss(x, truth)
    assert tally.count == 5
    alone = torch.full((5, *truth.shape), torch.nan, dtype=torch.float64)  # each time one number is there
    for one, place in zip(alone, [(0, 0), (0, 1), (2, 1), (3, 0), (3, 1)], strict=True):
        one[place] = truth[place]
    added = sum((head.loss(x, one) for one in alone), Tally(0.0, 0))
    assert added.count == 5
    torch.testing.assert_close(added.total, tally.total)
    gradients = torch.autograd.grad(tally.total, [x, *head.parameters()])
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert [bool(row.any()) for row in gradients[0]] == [True, False, True, True]


def test_nothing_scored_is_a_loss_of_zero_that_can_be_differentiated(head):
    x = features(3)
    tally = head.loss(x, torch.full_like(targets(3), torch.nan))
    assert (tally.count, float(tally.total.detach())) == (0, 0.0)
    assert not torch.autograd.grad(tally.total, x)[0].any()


def test_gradients_are_finite_differences(head):
    truth = targets(5)
    truth[3, 1] = torch.nan
    assert torch.autograd.gradcheck(lambda x, *_: head.loss(x, truth).total, (features(5), *head.parameters()))


def test_every_weight_receives_gradient(head):
    torch.autograd.backward(head.loss(features(5), targets(5)).total)
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in head.parameters())


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
def test_sums_are_in_single_precision_at_least(head, kind):
    head, wanted = head.to(kind), torch.promote_types(kind, torch.float32)
    assert head(features(5).to(kind)).dtype == wanted
    assert head.loss(features(5).to(kind), targets(5)).total.dtype == wanted


@pytest.mark.parametrize("delta", [None, 0.5, 3.0])
def test_regression_is_its_formula(delta):
    head = Regression(HIDDEN, NUMBERS, delta=delta).double()
    x, truth = features(20), targets(20)
    far = (x @ head.linear.weight.T + head.linear.bias - truth).abs()
    if delta is None:
        wanted = far**2
    else:
        assert (far < delta).any()
        assert (far > delta).any()
        wanted = torch.where(far < delta, far**2 / 2, delta * (far - delta / 2))
    torch.testing.assert_close(head.loss(x, truth).total, wanted.sum())


def test_quantiles_are_their_formula():
    head = Quantiles(HIDDEN, NUMBERS, levels=LEVELS).double()
    x, truth = features(20), targets(20)
    outputs, total = head(x).detach(), 0.0
    for row, number, place in np.ndindex(20, NUMBERS, len(LEVELS)):
        over = float(truth[row, number] - outputs[row, number, place])
        total += LEVELS[place] * over if over > 0 else (LEVELS[place] - 1) * over
    assert head.loss(x, truth).mean == pytest.approx(total / 40, rel=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_quantiles_do_not_cross(scale):
    head = Quantiles(HIDDEN, NUMBERS, levels=(0.05, 0.2, 0.5, 0.8, 0.95))
    steps = head(features(100).float() * scale).diff(dim=-1)
    assert (steps >= 0).all()
    assert (steps > 0).float().mean() > (0.99 if scale == 1 else 0.2)


def test_the_best_constant_quantiles_are_those_of_the_data():
    data = torch.from_numpy(np.random.default_rng(0).exponential(size=(39, 1)))
    wanted = np.quantile(data.numpy(), LEVELS, method="inverted_cdf")
    head, nothing = Quantiles(1, 1, levels=LEVELS).double(), torch.zeros(39, 1, dtype=torch.float64)

    def loss(values: np.ndarray) -> float:
        steps = np.log(np.expm1(np.diff(values)))  # what softplus gives these
        head.linear.bias.data = torch.from_numpy(np.concatenate([values[:1], steps]))
        np.testing.assert_allclose(head(nothing)[0, 0].detach().numpy(), values, rtol=1e-9)
        return head.loss(nothing, data).mean

    least = loss(wanted)
    for place in range(len(LEVELS)):
        others = [value for value in data.flatten().tolist() if value != wanted[place]]
        for value in others:
            moved = wanted.copy()
            moved[place] = value
            if (np.diff(moved) > 0).all():
                assert loss(moved) > least


@pytest.mark.parametrize("name", HEADS)
def test_descent_lowers_the_loss(name):
    head = HEADS[name]()
    x, truth = features(20).detach().float(), targets(20).float()
    optimiser = torch.optim.SGD(head.parameters(), 0.002)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = head.loss(x, truth)
        torch.autograd.backward(loss.total)
        optimiser.step()
        losses.append(loss.mean)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.01


REFUSED = {
    "no numbers": (lambda: Regression(3, 0), "hidden and numbers must be at least 1; got 3 and 0"),
    "no features": (lambda: Quantiles(0, 2, levels=(0.5,)), "hidden and numbers must be at least 1; got 0 and 2"),
    "delta of nothing": (lambda: Regression(3, 1, delta=0.0), "delta must be a finite number above 0; got 0.0"),
    "delta without end": (lambda: Regression(3, 1, delta=float("inf")), "finite number above 0; got inf"),
    "delta that is no number": (lambda: Regression(3, 1, delta=float("nan")), "finite number above 0; got nan"),
    "no levels": (lambda: Quantiles(3, 1, levels=()), r"levels must rise within 0..1; got \(\)"),
    "the lowest level": (lambda: Quantiles(3, 1, levels=(0.0, 0.5)), r"must rise within 0..1; got \(0.0, 0.5\)"),
    "the highest level": (lambda: Quantiles(3, 1, levels=(0.5, 1.0)), r"must rise within 0..1; got \(0.5, 1.0\)"),
    "falling levels": (lambda: Quantiles(3, 1, levels=(0.5, 0.1)), r"must rise within 0..1; got \(0.5, 0.1\)"),
    "a level twice": (lambda: Quantiles(3, 1, levels=(0.5, 0.5)), r"must rise within 0..1; got \(0.5, 0.5\)"),
    "a level that is no number": (
        lambda: Quantiles(3, 1, levels=(0.1, float("nan"), 0.9)),
        r"must rise within 0..1; got \(0.1, nan, 0.9\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_what_came(case):
    construct, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message):
        construct()


@pytest.mark.parametrize(("shape", "name"), [((4, 1), "squares"), ((4, 1), "quantiles")])
def test_targets_that_would_be_spread_over_the_outputs_are_refused(shape, name):
    with pytest.raises(ArgumentError, match=rf"targets \({shape[0]}, {shape[1]}\) do not fit outputs of \(4, 2\)"):
        HEADS[name]().loss(torch.zeros(4, HIDDEN), torch.zeros(shape))
