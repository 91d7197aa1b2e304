"""What y may be: a class a row, or an indicator matrix; and which rows are held out."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from throughtime.data.splits import Indices, numbered, stratified
from throughtime.errors import ArgumentError


@dataclass(frozen=True)
class Targets:
    """The classes in order, and which of them each row has: their numbers (N), or 0 and 1 (N K)."""

    classes: NDArray[Any]
    numbers: NDArray[np.int64]

    @property
    def several(self) -> bool:
        """Whether a row may have any number of classes."""
        return self.numbers.ndim == 2

    def names(self, *, ordinal: bool, unfit: str = "") -> list[str]:
        """What the classes are called in files: as they are written, unless that would confuse or hide them.

        If so they are numbered, as they are where one has a letter that is `unfit`.

        Raises `ArgumentError` where `ordinal` classes are not whole numbers.
        """
        if ordinal:
            if self.several or self.classes.dtype.kind not in "iuf" or (self.classes % 1 != 0).any():
                raise ArgumentError(
                    f"ordinal is for one whole number a row, such as 1 to 5 stars; got {self.classes[:5].tolist()}"
                )
            return [str(int(each)) for each in self.classes]
        names = [str(each).strip() for each in self.classes.tolist()]
        fit = len(set(names)) == len(names) and all(_fits(name, unfit) for name in names)
        return names if fit else [str(number) for number in range(len(names))]

    def labels(self, names: list[str]) -> list[list[str]]:
        """The names that each row has."""
        if self.several:
            return [[names[k] for k in np.flatnonzero(row)] for row in self.numbers]
        return [[names[k]] for k in self.numbers]

    def divided(self, count: int, contents: Sequence[Hashable], seed: int) -> tuple[Indices, Indices]:
        """Rows to learn from and, about so many, rows that are held out: of each class or combination of classes.

        Rows of equal contents stay together. Each class is among those to learn from; where that cannot be, or there
        are fewer to hold out than classes, none are.
        """
        every = np.arange(len(self.numbers))
        if count >= len(self.classes):
            same, _ = numbered(contents)
            first = np.unique(same, return_index=True)[1]
            kinds = [tuple(np.atleast_1d(row)) for row in self.numbers[first].tolist()]
            share = count / len(every)
            try:
                learned = np.isin(same, stratified(kinds, (1 - share, share), seed)[0])
            except ArgumentError:  # every combination is there once
                return every, every[:0]
            if self._present(every[learned]) == self._present(every):
                return every[learned], every[~learned]
        return every, every[:0]

    def _present(self, rows: Indices) -> list[int]:
        """The classes that some rows have."""
        found = np.flatnonzero(self.numbers[rows].any(0)) if self.several else np.unique(self.numbers[rows])
        return [int(number) for number in found]


def _fits(name: str, unfit: str) -> bool:
    return bool(name) and name.isprintable() and not any(letter in name for letter in unfit)


def read_targets(y: Any, rows: int) -> Targets:
    """The classes of so many rows.

    Raises `ArgumentError` where there is one class only, and scikit-learn's `ValueError` for what is not classes.
    """
    if y is None:
        raise ArgumentError("a classifier requires y to be passed, but the target y is None; give a class for each row")
    y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
    check_consistent_length(np.empty(rows), y)
    check_classification_targets(y)
    if type_of_target(y) == "multilabel-indicator":
        return Targets(np.arange(y.shape[1]), (y != 0).astype(np.int64))
    classes, numbers = np.unique(column_or_1d(y, warn=True), return_inverse=True)
    if len(classes) < 2:
        raise ArgumentError(f"y has one class only, {classes.tolist()[0]!r:.60}: nothing is to be told apart")
    return Targets(classes, numbers)
