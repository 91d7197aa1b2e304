"""Numbers made comparable: each column less its mean, over its deviation, as learned from what is learned from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, FiniteFloat

from throughtime.errors import ArgumentError

Means = list[FiniteFloat]  # in a file of a run
Deviations = list[Annotated[FiniteFloat, Field(gt=0)]]
STILL = 1e-7  # deviation over mean, up to which a column does not change: what single precision leaves of it


@dataclass(frozen=True)
class Scale:
    """The mean and the standard deviation of each of D columns.

    Formula: z = (x − mean) / deviation, with a deviation of 1 for a column that does not change
    Shapes: x ... D

    >>> scale = Scale.learn([np.array([[1.0, 5.0], [3.0, 5.0]])])
    >>> scale.apply(np.array([[3.0, 6.0]])).tolist(), scale.undo([[1.0, 1.0]]).tolist()
    ([[1.0, 1.0]], [[3.0, 6.0]])
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def learn(cls, parts: Iterable[NDArray[Any]]) -> "Scale":
        """That of all rows of all parts (N D).

        Raises `ArgumentError` when there are none.
        """
        middle: Any = None  # the first row: what is near it loses no digits, and what never changes has no deviation
        total = squares = np.zeros(1)
        count = 0
        for part in parts:
            if not len(part):
                continue
            middle = part[0].astype(np.float64) if middle is None else middle
            away = part.astype(np.float64) - middle
            total, squares, count = total + away.sum(0), squares + np.square(away).sum(0), count + len(part)
        if middle is None:
            raise ArgumentError("there are no rows to learn means and deviations from; give one at least")
        shift = total / count
        mean, deviation = middle + shift, np.sqrt(np.maximum(squares / count - np.square(shift), 0.0))
        return cls(mean, np.where(deviation <= STILL * np.abs(mean), 1.0, deviation))

    def apply(self, values: ArrayLike) -> NDArray[np.float32]:
        """z, in single precision.

        Raises `ArgumentError` for what is no number there: it is too far from what was learned from.
        """
        given = np.asarray(values, np.float64)
        with np.errstate(over="ignore"):
            scaled = ((given - self.mean) / self.deviation).astype(np.float32)
        wrong = ~np.isfinite(scaled)
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            mean, deviation = self.mean[place[-1]], self.deviation[place[-1]]
            raise ArgumentError(
                f"{given[place]:.6g} is too far from what was learned, {mean:.6g} ± {deviation:.6g}; correct it, or "
                "leave it out"
            )
        return scaled

    def undo(self, scaled: ArrayLike) -> NDArray[np.float64]:
        """x again."""
        return np.asarray(scaled, np.float64) * self.deviation + self.mean

    def to_json(self) -> dict[str, list[float]]:
        """Means and deviations."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}
