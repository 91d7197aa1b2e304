"""Heads over classes: one of several, any of several, and one of several in an order."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from throughtime.cells.cell import check_rate
from throughtime.errors import ArgumentError
from throughtime.heads.softmax import wide
from throughtime.tally import Tally

FARTHEST = 80.0  # e^±80 are numbers in float32, e^±90 are not


class Classes(nn.Module):
    """One of K classes for each feature vector.

    Formula: p = softmax(W h + b); loss −Σ_k w_k q_k log p_k, w the weights and q the target smoothed: 1 − s + s/K for
    its class and s/K for the others.
    Shapes: features ... H, targets ... (a negative target is not scored), weights K.
    Source: Szegedy et al. (2016), section 7, for the smoothing.

    >>> head = Classes(4, 3)
    >>> head.loss(torch.zeros(2, 4), torch.tensor([1, -1])).count
    1
    """

    def __init__(self, hidden: int, classes: int, *, smoothing: float = 0.0, weights: Tensor | None = None) -> None:
        super().__init__()
        _check_sizes(hidden=hidden, classes=classes)
        check_rate("smoothing", smoothing)
        if weights is not None:
            _check_weights(weights, classes)
        self.linear, self.smoothing = nn.Linear(hidden, classes), smoothing
        self.register_buffer("weights", weights, persistent=False)

    def loss(self, features: Float[Tensor, "*rows H"], targets: Int[Tensor, "*rows"]) -> Tally:
        """The sum over scored targets, and their count."""
        logits = wide(self.linear(features)).flatten(0, -2)
        flat = targets.flatten()
        total = F.cross_entropy(
            logits,
            flat.clamp(min=-1),
            weight=self.get_buffer("weights").to(logits) if self.weights is not None else None,
            ignore_index=-1,
            reduction="sum",
            label_smoothing=self.smoothing,
        )
        return Tally(total, int((flat >= 0).sum()))

    def log_probabilities(self, features: Float[Tensor, "*rows H"]) -> Float[Tensor, "*rows K"]:
        """log p of every class."""
        return F.log_softmax(wide(self.linear(features)), -1)


class Several(nn.Module):
    """Any of K labels for each feature vector, each for itself.

    Formula: p_k = σ(w_k · h + b_k); loss −Σ_k [y_k log p_k + (1 − y_k) log (1 − p_k)].
    Shapes: features B H, targets B K of 0 and 1 (a negative one is not scored).

    >>> Several(4, 3).loss(torch.zeros(2, 4), torch.tensor([[1, 0, 1], [0, 0, 0]])).count
    2
    """

    def __init__(self, hidden: int, labels: int) -> None:
        super().__init__()
        _check_sizes(hidden=hidden, labels=labels)
        self.linear = nn.Linear(hidden, labels)

    def loss(self, features: Float[Tensor, "B H"], targets: Int[Tensor, "B K"]) -> Tally:
        """The sum over scored labels, and the count of rows that have any."""
        scored = targets >= 0
        logits = wide(self.linear(features))
        truth = targets.clamp(min=0).to(logits)
        total = F.binary_cross_entropy_with_logits(logits, truth, scored.to(logits), reduction="sum")
        return Tally(total, int(scored.any(1).sum()))

    def log_probabilities(self, features: Float[Tensor, "B H"]) -> Float[Tensor, "B K"]:
        """log p of every label."""
        return F.logsigmoid(wide(self.linear(features)))


class Ordinal(nn.Module):
    """One of K classes that stand in an order, such as stars: one score, and the borders between the classes.

    Formula: p(class ≤ k) = σ(c_k − w · h), c_1 < c_2 < ...; the loss is −log p(target).
    Shapes: features B H, targets B in 0..K−1 (a negative target is not scored).
    Source: McCullagh (1980), proportional odds; the borders are kept in order as a first one and the logarithms of the
    distances between them.

    >>> head = Ordinal(4, 5)
    >>> head.log_probabilities(torch.zeros(1, 4)).exp().sum(-1).round(decimals=4).tolist()
    [1.0]
    """

    def __init__(self, hidden: int, classes: int) -> None:
        super().__init__()
        _check_sizes(hidden=hidden)
        if classes < 2:
            raise ArgumentError(f"an order needs two classes at least; got {classes}")
        self.linear = nn.Linear(hidden, 1, bias=False)
        even = torch.arange(1, classes) / classes  # the borders at which all classes are equally likely
        borders = torch.logit(even)
        self.first, self.log_steps = nn.Parameter(borders[:1].clone()), nn.Parameter(borders.diff().log())

    @property
    def steps(self) -> Float[Tensor, " steps"]:
        """The K − 2 distances from border to border: above 0, and finite, whatever an optimiser does."""
        return wide(self.log_steps).clamp(-FARTHEST, FARTHEST).exp()

    @property
    def borders(self) -> Float[Tensor, " borders"]:
        """c, K − 1 numbers, rising."""
        first = wide(self.first)
        return torch.cat([first, first + self.steps.cumsum(0)])

    def loss(self, features: Float[Tensor, "B H"], targets: Int[Tensor, " B"]) -> Tally:
        """The sum of −log p over scored targets, and their count."""
        found = self.log_probabilities(features)
        total = F.nll_loss(found, targets.clamp(min=-1), ignore_index=-1, reduction="sum")
        return Tally(total, int((targets >= 0).sum()))

    def log_probabilities(self, features: Float[Tensor, "B H"]) -> Float[Tensor, "B K"]:
        """log p of every class, as a difference of two σ that does not cancel.

        Formula: log (σ(u) − σ(v)) = log σ(u) + log σ(−v) + log (1 − e^(v − u)), v < u, u − v a step.
        """
        below = self.borders - wide(self.linear(features))
        between = torch.log(-torch.expm1(-self.steps))  # the outer classes have one border, and no such term
        return F.pad(F.logsigmoid(below), (0, 1)) + F.pad(F.logsigmoid(-below), (1, 0)) + F.pad(between, (1, 1))


def _check_sizes(**sizes: int) -> None:
    for name, value in sizes.items():
        if value < 1:
            raise ArgumentError(f"{name} must be at least 1; got {value}")


def _check_weights(weights: Tensor, classes: int) -> None:
    if weights.shape != (classes,):
        raise ArgumentError(f"weights must be {classes} numbers, one a class; got {tuple(weights.shape)}")
    wrong = torch.nonzero(~((weights > 0) & weights.isfinite())).flatten().tolist()
    if wrong:
        raise ArgumentError(f"weights must be finite and above 0; got {float(weights[wrong[0]])} for class {wrong[0]}")
