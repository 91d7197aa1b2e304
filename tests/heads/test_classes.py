import pytest
import torch
from torch import nn

from throughtime.errors import ArgumentError
from throughtime.heads import Classes, Ordinal, Several
from throughtime.tally import Tally

HIDDEN, CLASSES = 3, 4
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 4.0])
HEADS = {
    "classes": lambda: Classes(HIDDEN, CLASSES),
    "classes smoothed": lambda: Classes(HIDDEN, CLASSES, smoothing=0.2),
    "classes weighted": lambda: Classes(HIDDEN, CLASSES, weights=WEIGHTS),
    "classes smoothed and weighted": lambda: Classes(HIDDEN, CLASSES, smoothing=0.2, weights=WEIGHTS),
    "several": lambda: Several(HIDDEN, CLASSES),
    "ordinal": lambda: Ordinal(HIDDEN, CLASSES),
    "ordinal of two": lambda: Ordinal(HIDDEN, 2),
}


def features(*rows: int) -> torch.Tensor:
    return torch.randn(*rows, HIDDEN, dtype=torch.float64, requires_grad=True)


def targets_for(head: nn.Module, rows: int = 6) -> torch.Tensor:
    """Targets that fit a head, every class among them."""
    if isinstance(head, Several):
        return torch.arange(rows * CLASSES).view(rows, CLASSES) % 3 % 2
    classes = CLASSES if isinstance(head, Classes) else len(head.borders) + 1
    return torch.arange(rows) % classes


@pytest.fixture(params=HEADS)
def head(request):
    return HEADS[request.param]().double()


def test_the_loss_of_many_rows_is_that_of_each(head):
    x, targets = features(6), targets_for(head)
    whole = head.loss(x, targets)
    assert whole.count == 6
    for order in (torch.arange(6), torch.tensor([5, 2, 0, 4, 1, 3])):
        parts = [head.loss(x[row : row + 1], targets[row : row + 1]) for row in order]
        added = sum(parts, Tally(0.0, 0))
        assert added.count == 6
        torch.testing.assert_close(added.total, whole.total)


def test_any_negative_target_is_not_scored(head):
    x, targets = features(6), targets_for(head)
    hidden = targets.clone()
    hidden[[1, 4]] = torch.tensor(-1)
    hidden[2] = -100
    kept = [0, 3, 5]
    some, alone = head.loss(x, hidden), head.loss(x[kept], targets[kept])
    assert some.count == alone.count == 3
    torch.testing.assert_close(some.total, alone.total)
    (gradient,) = torch.autograd.grad(some.total, x)
    assert [bool(row.any()) for row in gradient] == [True, False, False, True, False, True]


def test_nothing_scored_is_a_loss_of_zero_that_can_be_differentiated(head):
    x = features(6)
    tally = head.loss(x, torch.full_like(targets_for(head), -1))
    assert (tally.count, float(tally.total.detach())) == (0, 0.0)
    assert not torch.autograd.grad(tally.total, x)[0].any()


def test_gradients_are_finite_differences(head):
    targets = targets_for(head)
    assert torch.autograd.gradcheck(lambda x, *_: head.loss(x, targets).total, (features(6), *head.parameters()))
    assert torch.autograd.gradcheck(lambda x, *_: head.log_probabilities(x), (features(2), *head.parameters()))


def test_every_weight_receives_gradient(head):
    torch.autograd.backward(head.loss(features(6), targets_for(head)).total)
    assert all(p.grad is not None and p.grad.any() for p in head.parameters() if p.numel())


def test_descent_lowers_the_loss(head):
    x, targets = features(6).detach(), targets_for(head)
    optimiser = torch.optim.SGD(head.parameters(), 0.05)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = head.loss(x, targets)
        torch.autograd.backward(loss.total)
        optimiser.step()
        losses.append(loss.mean)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.01


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
def test_sums_are_in_single_precision_at_least(head, kind):
    head = head.to(kind)
    x, wanted = features(6).to(kind), torch.promote_types(kind, torch.float32)
    assert head.log_probabilities(x).dtype == wanted
    assert head.loss(x, targets_for(head)).total.dtype == wanted


@pytest.mark.parametrize("name", [name for name in HEADS if name != "several"])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_probabilities_of_classes_sum_to_one(name, scale):
    head = HEADS[name]().double()
    probabilities = head.log_probabilities(features(50) * scale).exp()
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(50, dtype=torch.float64))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_classes_are_their_formula_and_torchs_cross_entropy(smoothing, weights):
    head = Classes(HIDDEN, CLASSES, smoothing=smoothing, weights=weights).double()
    x, targets = features(2, 3), torch.tensor([[0, 3, -1], [2, 1, 3]])
    total = 0.0
    for h, target in zip(x.flatten(0, 1), targets.flatten().tolist(), strict=True):
        scores = (head.linear.weight @ h + head.linear.bias).exp()
        for k in range(CLASSES if target >= 0 else 0):
            share = (1 - smoothing) * (k == target) + smoothing / CLASSES
            total -= (1.0 if weights is None else float(weights[k])) * share * (scores[k] / scores.sum()).log()
    tally = head.loss(x, targets)
    assert tally.count == 5
    torch.testing.assert_close(tally.total, total)
    criterion = nn.CrossEntropyLoss(
        None if weights is None else weights.double(), label_smoothing=smoothing, ignore_index=-1, reduction="sum"
    )
    torch.testing.assert_close(criterion(head.linear(x).flatten(0, 1), targets.flatten()), tally.total)


def test_weights_of_classes_are_no_part_of_the_file():
    head = Classes(HIDDEN, CLASSES, weights=WEIGHTS)
    assert set(head.state_dict()) == set(Classes(HIDDEN, CLASSES).state_dict()) == {"linear.weight", "linear.bias"}


def test_several_labels_are_each_for_itself():
    head = Several(HIDDEN, CLASSES).double()
    x, targets = features(2), torch.tensor([[1, 0, 1, 1], [0, 0, -1, 1]])
    p = 1 / (1 + (-(x @ head.linear.weight.T + head.linear.bias)).exp())
    torch.testing.assert_close(head.log_probabilities(x), p.log())
    total = -torch.where(targets == 1, p, 1 - p).log()[targets >= 0].sum()
    tally = head.loss(x, targets)
    assert tally.count == 2
    torch.testing.assert_close(tally.total, total)


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_ordinal_probabilities_are_differences_of_sigmoids(classes):
    head = Ordinal(HIDDEN, classes).double()
    nn.init.normal_(head.log_steps)
    x = features(20)
    below = torch.sigmoid(head.borders - x @ head.linear.weight.T)
    below = torch.cat([torch.zeros(20, 1), below, torch.ones(20, 1)], 1)
    torch.testing.assert_close(head.log_probabilities(x).exp(), below.diff(), rtol=1e-10, atol=1e-12)
    if classes == 2:  # logistic regression
        logits = (x @ head.linear.weight.T - head.first)[:, 0]
        torch.testing.assert_close(head.log_probabilities(x)[:, 1], nn.functional.logsigmoid(logits))


def test_an_ordinal_head_begins_with_classes_that_are_equally_likely():
    shares = Ordinal(HIDDEN, 5).log_probabilities(torch.zeros(1, HIDDEN)).exp()
    torch.testing.assert_close(shares, torch.full((1, 5), 0.2))


@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_ordinal_scores_far_from_the_borders_are_finite_with_finite_gradients(scale):
    head = Ordinal(1, 5)
    nn.init.ones_(head.linear.weight)
    x = torch.tensor([[-scale], [scale]], requires_grad=True)
    found = head.log_probabilities(x)
    assert found.isfinite().all()
    assert found.argmax(1).tolist() == [0, 4]
    gradients = torch.autograd.grad(found.sum(), [x, *head.parameters()])
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("distance", [-20.0, -60.0, -500.0, 500.0])
def test_borders_that_an_optimiser_drove_together_or_apart_stay_finite(distance):
    head = Ordinal(1, 4)
    nn.init.constant_(head.log_steps, distance)
    x = torch.tensor([[-1.0], [0.5], [2.0]], requires_grad=True)
    found = head.log_probabilities(x)
    assert found.isfinite().all()
    assert head.borders.isfinite().all()
    if -80 < distance < 0:  # too near to each other to be told apart, and still the right share
        below = (head.borders[0] - head.linear(x))[:, 0]
        slope = torch.sigmoid(below) * torch.sigmoid(-below)
        torch.testing.assert_close(found[:, 1], slope.log() + distance)
    gradients = torch.autograd.grad(found.sum(), [x, *head.parameters()])
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_an_ordinal_head_learns_an_order_and_its_borders_keep_rising():
    x = torch.linspace(-3, 3, 60)[:, None]
    wanted = torch.bucketize(x[:, 0], torch.tensor([-2.0, -0.5, 1.5]))
    head = Ordinal(1, 4)
    optimiser = torch.optim.Adam(head.parameters(), 0.3)
    for _ in range(60):
        optimiser.zero_grad()
        torch.autograd.backward(head.loss(x, wanted).total)
        optimiser.step()
        assert (head.borders.diff() > 0).all()
    assert (head.log_probabilities(x).argmax(1) == wanted).float().mean() > 0.95
    places = head.borders / head.linear.weight[0]
    torch.testing.assert_close(places, torch.tensor([-2.0, -0.5, 1.5]), rtol=0, atol=0.15)


REFUSED = {
    "no classes": (lambda: Classes(3, 0), "classes must be at least 1; got 0"),
    "no features": (lambda: Classes(0, 2), "hidden must be at least 1; got 0"),
    "no labels": (lambda: Several(3, 0), "labels must be at least 1; got 0"),
    "no features for labels": (lambda: Several(0, 3), "hidden must be at least 1; got 0"),
    "no features for an order": (lambda: Ordinal(0, 3), "hidden must be at least 1; got 0"),
    "an order of one": (lambda: Ordinal(3, 1), "an order needs two classes at least; got 1"),
    "all smoothed away": (lambda: Classes(3, 2, smoothing=1.0), r"smoothing must be in \[0, 1\); got 1.0"),
    "smoothing below nothing": (lambda: Classes(3, 2, smoothing=-0.1), r"smoothing must be in \[0, 1\); got -0.1"),
    "smoothing of no number": (lambda: Classes(3, 2, smoothing=float("nan")), r"in \[0, 1\); got nan"),
    "weights for other classes": (
        lambda: Classes(3, 2, weights=torch.ones(3)),
        r"weights must be 2 numbers, one a class; got \(3,\)",
    ),
    "a weight of nothing": (
        lambda: Classes(3, 3, weights=torch.tensor([1.0, 0.0, 2.0])),
        "weights must be finite and above 0; got 0.0 for class 1",
    ),
    "a weight without end": (
        lambda: Classes(3, 2, weights=torch.tensor([1.0, torch.inf])),
        "weights must be finite and above 0; got inf for class 1",
    ),
    "a weight that is no number": (
        lambda: Classes(3, 2, weights=torch.tensor([torch.nan, 1.0])),
        "weights must be finite and above 0; got nan for class 0",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_what_came(case):
    construct, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message):
        construct()
