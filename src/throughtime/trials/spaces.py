"""Which settings of a recipe are searched, and between which bounds."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from throughtime.errors import ArgumentError
from throughtime.recipes.training import Training
from throughtime.trials.parts import settings_of

Takes = Callable[[Any], bool]  # whether the recipe takes a value of the setting


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

    def within(self, takes: Takes) -> "Dimension | None":
        """What is left to search where not all values fit the other settings; None where that is no choice."""
        ...


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    name: str
    values: tuple[str, ...]

    def suggested(self, trial: Any) -> Any:
        """One of them."""
        return trial.suggest_categorical(self.name, list(self.values))

    def within(self, takes: Takes) -> "Choice | None":
        """Those that fit, if they are two or more."""
        left = tuple(filter(takes, self.values))
        return replace(self, values=left) if len(left) > 1 else None


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

    def within(self, takes: Takes) -> "Whole | None":
        """All between the bounds, if both of them fit, and not only numbers that something divides."""
        return self if all(map(takes, (self.low, self.low + 1, self.high))) else None


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

    def within(self, takes: Takes) -> "Real | None":
        """All between the bounds, if both of them fit."""
        return self if takes(self.low) and takes(self.high) else None


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
    """What is searched where some settings are given: of the others, the values that go together with them.

    Raises `ArgumentError` when nothing is left.
    """
    known = [one for one in space_of(type(recipe)).dimensions if one.name not in given]
    found = tuple(left for one in known if (left := one.within(_takes(recipe, one.name))))
    if not found:
        raise ArgumentError(
            f"nothing is left to search: {', '.join(sorted(given))} are given; leave out those that are to be searched"
        )
    return found


def _takes(recipe: Training, name: str) -> Takes:
    """Whether a recipe takes a value of a setting beside all its others."""

    def takes(value: Any) -> bool:
        try:
            settings_of(recipe, {name: value})
        except ArgumentError:
            return False
        return True

    return takes
