"""Demonstrations as recipes take them: checked against an environment, without what is hidden, measured and counted."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.data.environments import Environment
from throughtime.data.episode_files import Demonstrations
from throughtime.data.episodes import Episode
from throughtime.data.scale import Scale
from throughtime.data.splits import shuffled
from throughtime.errors import ArgumentError, DataError


def check_fits(found: Demonstrations, environment: Environment) -> None:
    """Raises `DataError` unless demonstrations are of that environment."""
    if len(found.names) != environment.observations:
        raise DataError(
            f"the demonstrations have {len(found.names)} numbers a step, and {environment.name} shows "
            f"{environment.observations}; give all of them (--hide leaves some out), or another --env"
        )
    of_one = found.discrete == environment.discrete and found.actions <= environment.actions
    if not of_one or (not found.discrete and found.actions != environment.actions):
        ours, theirs = (_described(one.discrete, one.actions) for one in (found, environment))
        raise DataError(
            f"the demonstrations have actions that are {ours}, and those of {environment.name} are {theirs}; whole "
            "numbers without a point are one of several"
        )


def _described(discrete: bool, actions: int) -> str:
    return f"one of {actions}" if discrete else f"{actions} numbers"


def seen_of(names: Sequence[str], hide: Sequence[int]) -> list[int]:
    """The numbers of an observation that are not hidden.

    >>> seen_of(("x", "v", "angle"), (1,))
    [0, 2]

    Raises `ArgumentError` for what is hidden and not there, and where nothing is left.
    """
    beyond = [place for place in hide if place >= len(names)]
    if beyond:
        last = len(names) - 1
        raise ArgumentError(f"hide {beyond[0]} is beyond the {len(names)} numbers of an observation, 0 to {last}")
    if len(hide) == len(names):
        raise ArgumentError(f"hide leaves nothing to see: all {len(names)} numbers of an observation are in it")
    return [place for place in range(len(names)) if place not in hide]


def divided(
    episodes: Sequence[Episode], seen: Sequence[int], *, held_out: float, seed: int
) -> tuple[list[Episode], list[Episode]]:
    """Episodes to learn from and those that are held out, one of each at least, without what is not seen.

    Raises `DataError` when there are too few.
    """
    if len(episodes) < 2:
        raise DataError("one episode is too few to hold some out; give two at least")
    count = min(max(1, round(held_out * len(episodes))), len(episodes) - 1)
    order = shuffled(len(episodes), seed).tolist()
    learned, judged = sorted(order[count:]), sorted(order[:count])
    parts = ([without(episodes[place], seen) for place in places] for places in (learned, judged))
    return next(parts), next(parts)


def without(episode: Episode, seen: Sequence[int]) -> Episode:
    """An episode of which only some numbers of an observation are seen."""
    return Episode(np.ascontiguousarray(episode.observations[:, list(seen)]), episode.actions)


def first_steps(episodes: list[Episode], most: int) -> list[Episode]:
    """The first episodes that have so many steps together, about; one at least."""
    before = np.cumsum([0, *map(len, episodes)])[:-1]
    return [episode for episode, steps in zip(episodes, before, strict=True) if steps < most]


def counted(name: str, episodes: list[Episode]) -> dict[str, int]:
    """How many episodes and steps there are."""
    return {f"{name}_episodes": len(episodes), f"{name}_steps": sum(map(len, episodes))}


def measured(episodes: list[Episode], *, discrete: bool) -> dict[str, Any]:
    """The mean and the standard deviation of each number of an observation, and of an action where it is numbers.

    What does not vary has the deviation 1.
    """
    seen = Scale.learn(episode.observations for episode in episodes).to_json()
    acted = {"mean": [], "deviation": []} if discrete else Scale.learn(one.actions for one in episodes).to_json()
    return {**seen, **{f"action_{name}": numbers for name, numbers in acted.items()}}


def shown(numbers: NDArray[Any]) -> str:
    """Some numbers, for people.

    >>> shown(np.array([0.5, 1.25]))
    '0.500 1.250'
    """
    return " ".join(f"{number:.3f}" for number in numbers[:6]) + (" ..." if len(numbers) > 6 else "")
