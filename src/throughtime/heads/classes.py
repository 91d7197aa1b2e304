"""Heads over classes: one of several, any of several, and one of several in an order."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from throughtime.errors import ArgumentError
from throughtime.tally import Tally


class Classes(nn.Module):
    """One of K classes for each feature vector.

    Formula: p = softmax(W h + b); loss −Σ_k q_k log p_k, q the target smoothed: 1 − s + s/K for its class and s/K for
    the others; times the weight of the target's class.
    Shapes: features ... H, targets ... (a negative target is not scored), weights K.
    Source: Szegedy et al. (2016), section 7, for the smoothing.

    >>> head = Classes(4, 3)
    >>> head.loss(torch.zeros(2, 4), torch.tensor([1, -1])).count
    1
    """

    def __init__(self, hidden: int, classes: int, *, smoothing: float = 0.0, weights: Tensor | None = None) -> None:
        super().__init__()
        if not 0 <= smoothing < 1:
            raise ArgumentError(f"smoothing must be in 0..1; got {smoothing}")
        if weights is not None and (weights.shape != (classes,) or not bool((weights > 0).all())):
            raise ArgumentError(f"weights must be {classes} numbers above 0; got {weights.tolist()}")
        self.linear, self.smoothing = nn.Linear(hidden, classes), smoothing
        self.register_buffer("weights", weights, persistent=False)

    def loss(self, features: Float[Tensor, "*rows H"], targets: Int[Tensor, "*rows"]) -> Tally:
        """The sum over scored targets, and their count."""
        logits = self.linear(features).flatten(0, -2).float()
        flat = targets.flatten()
        total = F.cross_entropy(
            logits,
            flat.clamp(min=-1),
            weight=self.get_buffer("weights") if self.weights is not None else None,
            ignore_index=-1,
            reduction="sum",
            label_smoothing=self.smoothing,
        )
        return Tally(total, int((flat >= 0).sum()))

    def log_probabilities(self, features: Float[Tensor, "*rows H"]) -> Float[Tensor, "*rows K"]:
        """log p of every class."""
        return F.log_softmax(self.linear(features).float(), -1)


class Several(nn.Module):
    """Any of K labels for each feature vector, each for itself.

    Formula: p_k = σ(w_k · h + b_k); loss −Σ_k y_k log p_k + (1 − y_k) log (1 − p_k).
    Shapes: features B H, targets B K of 0 and 1.

    >>> Several(4, 3).loss(torch.zeros(2, 4), torch.tensor([[1, 0, 1], [0, 0, 0]])).count
    2
    """

    def __init__(self, hidden: int, labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, labels)

    def loss(self, features: Float[Tensor, "B H"], targets: Int[Tensor, "B K"]) -> Tally:
        """The sum over all labels, and the count of rows."""
        logits = self.linear(features).float()
        return Tally(F.binary_cross_entropy_with_logits(logits, targets.to(logits), reduction="sum"), len(targets))

    def log_probabilities(self, features: Float[Tensor, "B H"]) -> Float[Tensor, "B K"]:
        """log p of every label."""
        return F.logsigmoid(self.linear(features).float())


class Ordinal(nn.Module):
    """One of K classes that stand in an order, such as stars: one score, and the borders between the classes.

    Formula: p(class ≤ k) = σ(c_k − w · h), c_1 < c_2 < ...; the loss is −log p(target).
    Shapes: features B H, targets B in 0..K−1.
    Source: McCullagh (1980), proportional odds; the borders are kept in order as a first one and the logarithms of the
    distances between them.

    >>> head = Ordinal(4, 5)
    >>> head.log_probabilities(torch.zeros(1, 4)).exp().sum(-1).round(decimals=4).tolist()
    [1.0]
    """

    def __init__(self, hidden: int, classes: int) -> None:
        super().__init__()
        if classes < 2:
            raise ArgumentError(f"an order needs two classes at least; got {classes}")
        self.linear = nn.Linear(hidden, 1, bias=False)
        even = torch.arange(1, classes) / classes  # the borders at which all classes are equally likely
        borders = torch.logit(even)
        self.first, self.log_steps = nn.Parameter(borders[:1].clone()), nn.Parameter(borders.diff().log())

    @property
    def borders(self) -> Float[Tensor, " K-1"]:
        """c, rising."""
        return torch.cat([self.first, self.first + self.log_steps.exp().cumsum(0)])

    def loss(self, features: Float[Tensor, "B H"], targets: Int[Tensor, " B"]) -> Tally:
        """The sum of −log p, and the count of rows."""
        return Tally(F.nll_loss(self.log_probabilities(features), targets, reduction="sum"), len(targets))

    def log_probabilities(self, features: Float[Tensor, "B H"]) -> Float[Tensor, "B K"]:
        """log p of every class, as a difference of two σ that does not cancel.

        Formula: log (σ(u) − σ(v)) = log σ(u) + log σ(−v) + log (1 − e^(v − u)), v < u.
        """
        below = self.borders - self.linear(features).float()
        upper = F.pad(below, (0, 1), value=torch.inf)
        lower = F.pad(below, (1, 0), value=-torch.inf)
        return F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(lower - upper))
