"""Which settings of a recipe are searched, and between which bounds."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from throughtime.errors import ArgumentError
from throughtime.recipes.training import Training


@runtime_checkable
class Dimension(Protocol):
    """A setting that is searched."""

    @property
    def name(self) -> str:
        """The setting."""
        ...

    def suggested(self, trial: Any) -> Any:
        """The value that an optuna trial is to have."""
        ...


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    name: str
    values: tuple[str, ...]

    def suggested(self, trial: Any) -> Any:
        """One of them."""
        return trial.suggest_categorical(self.name, list(self.values))


@dataclass(frozen=True)
class Whole:
    """A whole number; where `ratios`, the lower half by ratio is as likely as the upper one."""

    name: str
    low: int
    high: int
    ratios: bool = False

    def suggested(self, trial: Any) -> Any:
        """A number between the bounds."""
        return trial.suggest_int(self.name, self.low, self.high, log=self.ratios)


@dataclass(frozen=True)
class Real:
    """A number, likewise."""

    name: str
    low: float
    high: float
    ratios: bool = False

    def suggested(self, trial: Any) -> Any:
        """A number between the bounds."""
        return trial.suggest_float(self.name, self.low, self.high, log=self.ratios)


@dataclass(frozen=True)
class Space:
    """What is searched of an application."""

    source: str  # the setting that says where the data are
    dimensions: tuple[Dimension, ...]


RATE = Real("learning_rate", 3e-4, 2e-2, ratios=True)
SPACES = {
    "classify": Space(
        "train",
        (
            Choice("core", ("lstm", "gru")),
            Whole("hidden", 32, 256, ratios=True),
            Whole("layers", 1, 2),
            Real("dropout", 0.0, 0.7),
            RATE,
            Real("word_dropout", 0.0, 0.4),
            Choice("pool", ("maximum", "mean", "last", "attention")),
        ),
    ),
    "tag": Space(
        "train",
        (
            Choice("core", ("lstm", "gru")),
            Whole("hidden", 32, 256, ratios=True),
            Whole("layers", 1, 2),
            Real("dropout", 0.0, 0.7),
            RATE,
            Real("word_dropout", 0.0, 0.4),
            Choice("head", ("softmax", "crf")),
        ),
    ),
    "forecast": Space(
        "series",
        (
            Choice("core", ("lstm", "gru")),
            Whole("hidden", 16, 256, ratios=True),
            Whole("layers", 1, 2),
            Real("dropout", 0.0, 0.5),
            RATE,
            Choice("normalise", ("last", "mean", "none")),
        ),
    ),
    "language": Space(
        "text",
        (
            Choice("cell", ("lstm", "gru")),
            Whole("hidden", 64, 512, ratios=True),
            Whole("layers", 1, 3),
            Real("dropout", 0.0, 0.6),
            RATE,
            Real("recurrent_dropout", 0.0, 0.5),
        ),
    ),
}


def space_of(recipe: type[Training]) -> Space:
    """What is searched of a recipe. Raises `ArgumentError` for one of which nothing is."""
    name = str(recipe.model_fields["application"].default)
    if name not in SPACES:
        raise ArgumentError(f"tune does not search settings of {name}; known: {', '.join(SPACES)}")
    return SPACES[name]


def searched(recipe: Training, given: Collection[str]) -> tuple[Dimension, ...]:
    """What is searched where some settings are given, and where others leave no choice.

    Raises `ArgumentError` when nothing is left.
    """
    without = {*given}
    if getattr(recipe, "unit", "") in ("subword", "byte"):
        without.add("word_dropout")  # no unit of these is ever unknown
    found = tuple(one for one in space_of(type(recipe)).dimensions if one.name not in without)
    if not found:
        raise ArgumentError(
            f"nothing is left to search: {', '.join(sorted(given))} are given; leave out those that are to be searched"
        )
    return found
