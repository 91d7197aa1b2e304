"""Errors of forecasts from many starts, summed up batch by batch, so that no more than a batch is ever held."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.metrics.forecasts import coverage, pinball

Numbers = NDArray[Any]


@dataclass(frozen=True)
class ForecastScores:
    """How far forecasts were from what came, over all starts, steps ahead and variables.

    mean_absolute_scaled_error   None where a scale is 0
    by_step                      the mean absolute error of each step ahead
    quantile_losses, coverage    of each level, and the share that lies between the outermost two; None without
    """

    numbers: int
    mean_absolute_error: float
    mean_squared_error: float
    mean_absolute_scaled_error: float | None
    by_step: tuple[float, ...]
    quantile_losses: tuple[float, ...] = ()
    coverage: float | None = None

    @property
    def quantile_loss(self) -> float | None:
        """The mean over the levels."""
        return sum(self.quantile_losses) / len(self.quantile_losses) if self.quantile_losses else None

    def to_json(self) -> dict[str, Any]:
        """All of it by name."""
        told: dict[str, Any] = {
            "mean_absolute_error": self.mean_absolute_error,
            "mean_squared_error": self.mean_squared_error,
            "mean_absolute_scaled_error": self.mean_absolute_scaled_error,
            "mean_absolute_error_by_step": list(self.by_step),
        }
        if self.quantile_losses:
            told |= {"quantile_loss": self.quantile_loss, "coverage": self.coverage}
        return told


class ErrorSums:
    """Sums of errors over H steps ahead; `scores` divides them.

    Formula: MASE divides each |y − ŷ| by its scale; a quantile's loss is max(q (y − ŷ), (q − 1) (y − ŷ)).
    Source: Hyndman and Koehler (2006); Koenker and Bassett (1978).

    >>> sums = ErrorSums(2)
    >>> sums.add(np.zeros((3, 2, 1)), np.array([[[1.0], [2.0]]] * 3), scale=np.full((3, 1), 2.0))
    >>> sums.scores().by_step, sums.scores().mean_absolute_scaled_error
    ((1.0, 2.0), 0.75)
    """

    def __init__(self, horizon: int, levels: Sequence[float] = ()) -> None:
        self.levels = np.asarray(levels, np.float64)
        self.absolute, self.squared, self.scaled = (np.zeros(horizon) for _ in range(3))
        self.pinball, self.inside, self.count = np.zeros(len(levels)), 0.0, 0

    def add(self, targets: Numbers, points: Numbers, *, scale: Numbers, quantiles: Numbers | None = None) -> None:
        """Forecasts (B H K) of targets (B H K), errors of which are scaled by B K; quantiles are B H K Q.

        Raises `ArgumentError` when the shapes do not fit.
        """
        steps = len(self.absolute)
        fits = targets.ndim == 3 and targets.shape[1] == steps and points.shape == targets.shape
        if not fits or scale.shape != targets.shape[::2]:
            raise ArgumentError(
                f"targets {targets.shape}, forecasts {points.shape} and scales {scale.shape} are to be "
                f"B H K, B H K and B K, with H = {steps}"
            )
        if (quantiles is None) != (not len(self.levels)):
            raise ArgumentError(f"quantiles are given with every batch or with none; these have {len(self.levels)}")
        errors = points.astype(np.float64) - targets
        absolute = abs(errors)
        self.absolute += absolute.sum((0, 2))
        self.squared += (errors**2).sum((0, 2))
        with np.errstate(divide="ignore", invalid="ignore"):
            self.scaled += (absolute / scale[:, None]).sum((0, 2))
        self.count += errors.size
        if quantiles is not None:
            self.pinball += pinball(targets[..., None], quantiles.astype(np.float64), self.levels).sum((0, 1, 2))
            self.inside += (coverage(targets, quantiles[..., 0], quantiles[..., -1]) or 0.0) * errors.size

    def scores(self) -> ForecastScores:
        """What was added, divided. Raises `ArgumentError` when that is nothing."""
        if not self.count:
            raise ArgumentError("there are no forecasts to judge; give one at least")
        scaled = float(self.scaled.sum() / self.count)
        return ForecastScores(
            self.count,
            float(self.absolute.sum() / self.count),
            float(self.squared.sum() / self.count),
            scaled if np.isfinite(scaled) else None,
            tuple((self.absolute * len(self.absolute) / self.count).tolist()),
            tuple((self.pinball / self.count).tolist()),
            self.inside / self.count if len(self.levels) > 1 else None,
        )


class ExplainedSums:
    """Sums from which `share` tells how much of what differs is forecast, with nothing held but them.

    Formula: R² = 1 − Σ (y − ŷ)² / Σ (y − mean y)² of each variable, and the mean of these; of one that never changes
    it is 1 where all of it is forecast as it is, else 0
    Source: as scikit-learn's r2_score counts it.

    >>> sums = ExplainedSums()
    >>> sums.add(np.array([[1.0], [2.0]]), np.array([[1.0], [3.0]]))
    >>> sums.add(np.array([[3.0]]), np.array([[3.0]]))
    >>> sums.share()
    0.5
    """

    def __init__(self) -> None:
        self.middle: Numbers | None = None  # the first row: what is near it loses no digits
        self.total = self.squares = self.errors = np.zeros(1)
        self.count = 0

    def add(self, targets: Numbers, points: Numbers) -> None:
        """Forecasts (N K) of targets (N K), a row at least."""
        targets = targets.astype(np.float64)
        self.middle = targets[0] if self.middle is None else self.middle
        away = targets - self.middle
        self.total, self.squares = self.total + away.sum(0), self.squares + np.square(away).sum(0)
        self.errors, self.count = self.errors + np.square(points - targets).sum(0), self.count + len(targets)

    def share(self) -> float:
        """R². Raises `ArgumentError` when nothing was added."""
        if not self.count:
            raise ArgumentError("there are no forecasts to judge; give one at least")
        spread = self.squares - np.square(self.total) / self.count
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(spread > 0, 1 - self.errors / spread, self.errors == 0)
        return float(shares.mean())
