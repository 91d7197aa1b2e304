"""Whether probabilities are what they say: of all that is predicted with 80 %, 80 % should be right."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from throughtime.errors import ArgumentError
from throughtime.metrics.bootstrap import number
from throughtime.metrics.given import logits_of, numbers_of, probabilities_of, same_length
from throughtime.metrics.scores import ratio

Binning = Literal["width", "mass"]

BINS = 15  # as Guo et al. (2017)
STEPS = 200  # of Newton or bisection, which end far sooner
EXACT = 1e-12  # relative, of a temperature
FAR = 1e18  # where logits, scaled to 1, that are not alike are too far apart for anything to change


class Bin(NamedTuple):
    """The predictions whose confidence lies above `low` and not above `high`; the first bin holds its low end too."""

    low: float
    high: float
    items: int
    confidence: float | None  # their mean; None where there are none
    accuracy: float | None

    @property
    def gap(self) -> float:
        """How far accuracy and confidence are apart; 0 where there are no predictions."""
        return 0.0 if self.accuracy is None or self.confidence is None else abs(self.accuracy - self.confidence)


@dataclass(frozen=True)
class Reliability:
    """How right predictions are, by how sure they are."""

    binning: Binning
    bins: list[Bin]

    @property
    def items(self) -> int:
        """How many predictions there are."""
        return sum(bin.items for bin in self.bins)

    @property
    def expected_error(self) -> float | None:
        """The expected calibration error: the mean gap of the bins, each by its share of items; None without items.

        Source: Guo et al. (2017), "On calibration of modern neural networks", equation 3.
        """
        return sum(bin.items * bin.gap for bin in self.bins) / self.items if self.items else None

    @property
    def maximum_error(self) -> float | None:
        """The maximum calibration error: the largest gap of a bin; None without items."""
        return max(bin.gap for bin in self.bins) if self.items else None


def reliability(
    confidence: ArrayLike, right: ArrayLike, *, bins: int = BINS, binning: Binning = "width"
) -> Reliability:
    """How often predictions are right (N), by the probabilities that they were given (N).

    Bins of one width cut 0 to 1 into equal parts. Bins of one mass hold as many items each as can be: they are cut
    at quantiles of the confidence, and items of the same confidence stay together, so some may hold more and others
    be missing.

    Raises `ArgumentError` for lengths that differ and for a confidence outside 0 to 1.

    >>> table = reliability([0.95, 0.95, 0.65, 0.65], [True, True, True, False], bins=10)
    >>> table.bins[9].accuracy, round(table.expected_error, 3)
    (1.0, 0.1)
    """
    sure, correct = numbers_of(confidence, "confidence"), numbers_of(right, "right")
    same_length(sure, correct, ("confidences", "right"))
    if sure.ndim != 1 or correct.ndim != 1:
        raise ArgumentError(f"confidence and right must be rows (N); got the shapes {sure.shape} and {correct.shape}")
    if len(sure) and not 0 <= sure.min() <= sure.max() <= 1 + 1e-6:
        raise ArgumentError(f"confidences lie between 0 and 1; got {sure.min():g} to {sure.max():g}")
    if not np.isin(correct, (0, 1)).all():
        raise ArgumentError(
            f"right says whether each prediction is: 0 or 1; got {correct.min():g} to {correct.max():g}"
        )
    if not 1 <= bins <= 10_000:
        raise ArgumentError(f"bins must be from 1 to 10,000; got {bins}")
    edges = _edges(sure, bins, binning)
    place = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, len(edges) - 2)
    counts = np.bincount(place, minlength=len(edges) - 1)
    means = [ratio(np.bincount(place, values, len(edges) - 1), counts).tolist() for values in (sure, correct)]
    rows = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), *means, strict=True)
    return Reliability(
        binning, [Bin(low, high, items, number(mean), number(share)) for low, high, items, mean, share in rows]
    )


def top_label(probabilities: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(N) how probable the most probable class of each item is, and whether it is the right one.

    Raises `ArgumentError` for probabilities (N K) that do not sum to 1, or do not fit the labels (N).
    """
    shares, true = probabilities_of(probabilities, labels)
    best = shares.argmax(axis=1)
    return shares[np.arange(len(true)), best], best == true


def expected_calibration_error(
    probabilities: ArrayLike, labels: ArrayLike, *, bins: int = BINS, binning: Binning = "width"
) -> float | None:
    """How far the probability of the most probable class is from how often it is right; None without items.

    >>> expected_calibration_error([[0.75, 0.25]] * 4, [0, 0, 0, 1])
    0.0
    """
    confidence, right = top_label(probabilities, labels)
    return reliability(confidence, right, bins=bins, binning=binning).expected_error


def brier_score(probabilities: ArrayLike, labels: ArrayLike) -> float | None:
    """The mean squared distance of probabilities (N K) from the truth, summed over classes; None without items.

    Source: Brier (1950), equation 2: from 0 to 2, also for two classes, where many halve it.

    >>> brier_score([[1.0, 0.0], [0.5, 0.5]], [0, 0])
    0.25
    """
    shares, true = probabilities_of(probabilities, labels)
    if len(true) == 0:
        return None
    return float(((shares - np.eye(shares.shape[1])[true]) ** 2).sum(axis=1).mean())


def negative_log_likelihood(logits: ArrayLike, labels: ArrayLike) -> float | None:
    """The mean of −log p(label) in nats; None without items. Log-probabilities are logits too.

    >>> round(negative_log_likelihood([[0.0, 0.0]], [1]), 6)
    0.693147
    """
    scores, true = logits_of(logits, labels, "logits")
    return float(_losses(scores, true).mean()) if len(true) else None


def temperature(logits: ArrayLike, labels: ArrayLike) -> float | None:
    """The number T for which softmax(logits / T) gives the labels the greatest likelihood.

    Formula: with β = 1 / T, d NLL / dβ = mean(E_p[z] − z_label), which rises with β, its slope being mean(Var_p[z]).
    Its root is found by Newton's steps, and by halves where such a step leaves what brackets the root.

    None where no temperature is best: with no items, where every label has the highest logit (the colder the
    better), and where labels have no higher logits than others on average (the hotter the better).

    Source: Guo et al. (2017), section 4.2. Logits are to be of data that the model was not trained on.

    >>> logits = [[4.0, 0.0]] * 4  # sure of the first class, which is right in three of four
    >>> round(temperature(logits, [0, 0, 0, 1]) * 1.0986122886681098, 6)  # log 3
    4.0
    """
    scores, true = logits_of(logits, labels, "logits")
    if len(true) == 0:
        return None
    own = scores[np.arange(len(true)), true]
    if np.isneginf(own).any():
        place = int(np.isneginf(own).argmax())
        raise ArgumentError(f"logits[{place}] make its label {true[place]} impossible, at any temperature")
    scores = scores - own[:, None]
    largest = float(np.where(np.isinf(scores), 0, abs(scores)).max())
    if largest == 0:
        return None
    scores = scores / largest  # so that no scale of logits is out of reach
    if not (scores > 0).any() or _slopes(scores, 0.0)[0] >= 0:
        return None
    return largest / _root(scores)


def _root(scores: NDArray[np.float64]) -> float:
    """The β at which the first slope, negative at 0, is 0."""
    low, high = 0.0, 1.0
    while _slopes(scores, high)[0] < 0 and high < FAR:
        low, high = high, 2 * high
    beta = high
    for _ in range(STEPS):
        first, second = _slopes(scores, beta)
        low, high = (beta, high) if first < 0 else (low, beta)
        step = beta - first / second if second > 0 else low
        step = step if low < step < high else (low + high) / 2
        if abs(step - beta) <= EXACT * beta:
            return step
        beta = step
    return beta


def _slopes(scores: NDArray[np.float64], beta: float) -> tuple[float, float]:
    """The first and second derivative of the NLL in β, of logits (N K) less that of the label."""
    possible = np.isfinite(scores)
    finite = np.where(possible, scores, 0)
    shares = np.exp(np.where(possible, beta * (finite - scores.max(axis=1, keepdims=True)), -np.inf))
    shares /= shares.sum(axis=1, keepdims=True)
    means = (shares * finite).sum(axis=1)
    return float(means.mean()), float((shares * (finite - means[:, None]) ** 2).sum(axis=1).mean())


def _losses(scores: NDArray[np.float64], true: NDArray[np.int64]) -> NDArray[np.float64]:
    lowered = scores - scores.max(axis=1, keepdims=True)
    losses: NDArray[np.float64] = np.log(np.exp(lowered).sum(axis=1)) - lowered[np.arange(len(true)), true]
    return losses


def _edges(confidence: NDArray[np.float64], bins: int, binning: Binning) -> NDArray[np.float64]:
    """(bins + 1) where bins begin and end, rising from 0 to 1."""
    if binning == "width":
        return np.linspace(0, 1, bins + 1)
    if binning != "mass":
        raise ArgumentError(f"binning is {binning!a:.80}; choose width or mass")
    inner = np.zeros(0)
    if len(confidence):
        inner = np.quantile(confidence, np.arange(1, bins) / bins, method="inverted_cdf")
    return np.unique(np.concatenate([[0.0], inner, [1.0]]))
