"""Several ways of training, compared on equal terms: the same data, seeds and bounds, judged by the same items."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from throughtime.errors import ArgumentError, DivergedError
from throughtime.recipes.training import Training
from throughtime.train import Progress, fit
from throughtime.trials.parts import settings_of

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
RUNS = "runs"  # the folder of them
CONTENTS = ("data", RUNS, "comparison.json", "comparison.html")


@dataclass(frozen=True)
class Run:
    """One of the runs that are to be."""

    name: str  # of the variation
    seed: int
    recipe: Any  # a Training, and a Recipe
    home: Path


@dataclass(frozen=True)
class Step:
    """An update of one of the runs, or that it was finished before, or how it failed."""

    run: Run
    place: int  # of the run among all, from 0
    of: int
    progress: Progress | None = None
    failure: str = ""

    @property
    def done(self) -> float:
        """The share of all the work that is over."""
        return (self.place + (self.progress.done if self.progress else 1.0)) / self.of


def planned(
    recipe: Training, variations: Mapping[str, Mapping[str, Any]], seeds: Sequence[int], out: Path
) -> list[Run]:
    """The runs of each variation of a recipe with each seed, a seed after the other: so what is done is always fair.

    A variation is a name and the settings that are its own.

    Raises `ArgumentError` for settings that do not fit, for names that no folder can have, and for none at all.
    """
    if not variations:
        raise ArgumentError("there is nothing to compare; give two variations or more")
    for name in variations:
        if not NAME.fullmatch(name):
            raise ArgumentError(
                f"{name!a:.80} names no variation: letters, digits, and _ . - after the first, up to 80"
            )
    if len(set(seeds)) < len(seeds):
        raise ArgumentError(f"a seed is there twice; got {list(seeds)}")
    runs = []
    for seed in seeds:
        for name, changes in variations.items():
            try:
                own = settings_of(recipe, {**changes, "seed": seed})
            except ArgumentError as error:
                raise ArgumentError(f"{name} cannot be compared: {error}") from None
            runs.append(Run(name, seed, own, out / RUNS / f"{name}-{seed}"))
    return runs


def trained(runs: Sequence[Run]) -> Iterator[Step]:
    """Trains runs, one after the other, telling of every update; those that are finished are left as they are.

    Leaving the loop early keeps all that was done, and the same runs go on from there. A run that diverges is told of,
    and the others go on.

    Raises as `fit` does, but for `DivergedError`.
    """
    for place, run in enumerate(runs):
        told = False
        try:
            for progress in fit(run.recipe, run.home):
                told = True
                yield Step(run, place, len(runs), progress)
        except DivergedError as error:
            yield Step(run, place, len(runs), None, str(error))
            continue
        if not told:
            yield Step(run, place, len(runs))
