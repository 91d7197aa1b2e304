"""Series to forecast: what X may be, and which of their rows are held out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from throughtime.data.splits import shuffled
from throughtime.errors import ArgumentError
from throughtime.estimators.given import forget_table, to_series

Numbers = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Histories:
    """Series T D, and the form in which they came and answers go."""

    series: list[Numbers]
    many: bool = False  # a list of series
    flat: bool = False  # a series of one channel, without a dimension for it

    def ends(self, rows: int) -> "Histories":
        """The last rows of each."""
        return replace(self, series=[one[-rows:].copy() for one in self.series])

    def answer(self, found: list[Numbers]) -> Any:
        """What was found for each series, in the form of these."""
        if self.many:
            return found
        return found[0][:, 0] if self.flat else found[0]


def read_histories(estimator: Any, X: Any, *, reset: bool) -> Histories:
    """X as series: T, T D, or several of them; `reset` where they are learned from.

    A table T D is checked by scikit-learn, and later ones have as many columns; after one, a series T is refused.

    Raises `ArgumentError` for what is none of these, and where something is not finite.
    """
    listed = isinstance(X, list | tuple)
    dimensions = getattr(X, "ndim", None)
    flat = dimensions == 1 or (listed and len(X) > 0 and all(isinstance(value, Number) for value in X))
    if dimensions == 3:
        found = Histories(to_series(check_array(X, allow_nd=True, dtype=np.float32, input_name="X")), many=True)
    elif listed and any(isinstance(one, np.ndarray) for one in X):
        found = Histories(to_series(X), many=True)
    elif flat and (reset or not hasattr(estimator, "n_features_in_")):
        found = Histories(to_series([np.asarray(X)]), flat=True)
    else:
        return Histories([validate_data(estimator, X, reset=reset, dtype=np.float32)])
    if reset:
        forget_table(estimator)
    return found


@dataclass(frozen=True)
class Parts:
    """Series to learn from, and series whose last rows are held out, each with a context before these."""

    learned: list[Numbers]
    held: list[Numbers]
    rows: int  # that are held out

    @property
    def sizes(self) -> str:
        """How many series each part of a recipe has: its third, which is to judge by, is one of the second."""
        return f"{len(self.learned)},{len(self.held)},1"

    def in_places(self, seed: int) -> list[Numbers]:
        """All of them in the order in which a recipe that parts by series gives each to its part."""
        every = [*self.learned, *self.held, self.held[0]]
        places = shuffled(len(every), seed)
        found = list(every)
        for series, place in zip(every, places.tolist(), strict=True):
            found[place] = series
        return found


def divide(series: Sequence[Numbers], context: int, horizon: int, share: float) -> Parts:
    """Holds out the last rows of each series, that share of them and at least a horizon.

    Of a series that is too short for that none are; if all are, what is learned from is also what is chosen by.

    Raises `ArgumentError` for a series that is too short to learn from.
    """
    learned, held, rows = list[Numbers](), list[Numbers](), 0
    for place, one in enumerate(series):
        if len(one) < context + horizon:
            what = f"series {place}" if len(series) > 1 else "the series"
            raise ArgumentError(
                f"{what} has {len(one)} rows (n_samples={len(one)}): a context of {context:,} and a horizon of "
                f"{horizon:,} need {context + horizon:,}; give a longer one, or a smaller context or horizon"
            )
        last = max(horizon, round(share * len(one))) if share else 0
        if not last or len(one) - last < context + horizon:
            learned.append(one)
            continue
        learned.append(one[:-last])
        held.append(one[len(one) - last - context :])
        rows += last
    return Parts(learned, held or learned, rows)
