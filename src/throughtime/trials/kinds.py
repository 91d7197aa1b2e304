"""What comparing and tuning ask of an application: its items as they lie in files, and how its runs are judged."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.inspect.comparison import Measure
from throughtime.recipes.training import Training
from throughtime.runs import Asked, application_of

KNOWN = ("classify", "tag")  # that have a module here


@dataclass(frozen=True)
class Items:
    """What a file has to learn from, such as texts with their labels, in the order of the file, to be written anew."""

    bodies: list[bytes]  # each as it will stand in a file
    head: bytes  # what stands above them
    ending: str  # of the file's name
    reading: dict[str, Any]  # settings by which the recipe reads such a file
    labels: list[tuple[str, ...]]  # of which each part has its share; none where they are not of whole items
    keys: list[Hashable]  # equal of items that must not be torn apart
    are_groups: bool  # whether keys are groups that were given, of any size; else they are what is equal
    told: str  # how the file was read


@dataclass(frozen=True)
class Counts:
    """What a run makes of each item, in counts of which the deciding measure is a statistic."""

    rows: NDArray[np.float64]  # N C
    statistic: Callable[[NDArray[Any]], NDArray[np.float64]]  # of sums (R C), to (R)


@runtime_checkable
class Kind(Protocol):
    """What a module of this package gives for an application."""

    def items(self, recipe: Any, path: Path) -> Items:
        """The items of a file, read as the recipe reads it. Raises `DataError` as that does."""
        ...

    def measures(self, recipe: Any, facts: Mapping[str, Any]) -> list[Measure]:
        """What its runs are judged by, of the facts that evaluating one gave; the first decides."""
        ...

    def counts(self, trained: Any, recipe: Any, path: Path) -> Counts:
        """What a trained model makes of the items of a file."""
        ...


def kind_of(recipe: type[Training]) -> Kind:
    """The module for a recipe. Raises `ArgumentError` for one that cannot be compared or tuned."""
    name = str(recipe.model_fields["application"].default)
    if name not in KNOWN:
        raise ArgumentError(f"runs of {name} are not compared or tuned here; known: {', '.join(KNOWN)}")
    return cast(Kind, import_module(f"throughtime.trials.{name}"))


def answered(trained: Any, recipe: Training, path: Path) -> Iterator[dict[str, Any]]:
    """What a trained model says of each item of a file, by name."""
    answers = application_of(recipe).predict(trained, recipe, asked_of(recipe, path))
    for block in answers:
        yield from map(answers.facts, block)


def asked_of(recipe: Training, path: Path) -> Asked:
    """How a file is read: as the recipe says."""
    column = getattr(recipe, "text_column", None) or getattr(recipe, "token_column", None)
    return Asked(file=path, column=column)
