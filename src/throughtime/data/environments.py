"""Environments of gymnasium: made with care, and played episode by episode by whoever acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DataError, MissingExtraError, nearest, printable

MOST_NUMBERS = 4096  # of an observation, and of an action
LONGEST = 100_000  # steps of an episode, which an environment without an end is stopped at
PURPOSES = ("recorded", "validation", "judged", "corrected")

Observation = NDArray[np.float32]  # D
Action = int | NDArray[np.float32]  # one of K from 0 on, or A numbers
Choose = Callable[[Observation], Action]
Purpose = Literal["recorded", "validation", "judged", "corrected"]


class Played(NamedTuple):
    """What came of an episode."""

    returned: float  # the sum of its rewards
    steps: int
    stopped: bool  # by us, after LONGEST steps


@runtime_checkable
class Player(Protocol):
    """Whoever acts, with a memory of the episode."""

    def begin(self) -> None:
        """Forgets the episode before."""
        ...

    def act(self, observation: Observation) -> Action:
        """The action that answers an observation."""
        ...


@dataclass(frozen=True)
class Returns:
    """What came of several episodes, in their order."""

    returns: tuple[float, ...]
    steps: tuple[int, ...]
    stopped: int  # episodes without an end of their own

    def to_json(self) -> dict[str, Any]:
        """The mean of the returns, their standard deviation, the lowest and highest, and the steps on average.

        >>> Returns((1.0, 3.0), (5, 7), 0).to_json()["mean_return"]
        2.0
        """
        returns = np.array(self.returns)
        return {
            "episodes": len(returns),
            "mean_return": float(returns.mean()),
            "sd": float(returns.std(ddof=1)) if len(returns) > 1 else 0.0,
            "min": float(returns.min()),
            "max": float(returns.max()),
            "steps": float(np.mean(self.steps)),
            "stopped": self.stopped,
        }


def seed_of(purpose: Purpose, place: int, seed: int = 0) -> int:
    """The seed of an episode's environment; those of two purposes are never the same.

    Episodes for validation and judging have the same seeds in all runs, whatever theirs is, so that runs are compared
    on the same episodes; those that are learnt from are made of the run's seed.

    >>> [seed_of("judged", i) for i in range(3)], seed_of("recorded", 0, 7) % 4
    ([2, 6, 10], 0)
    """
    if purpose in ("recorded", "corrected"):
        place = int(np.random.SeedSequence((seed, place)).generate_state(1)[0]) >> 3
    return len(PURPOSES) * place + PURPOSES.index(purpose)


class Environment:
    """An environment whose observations are D numbers and whose actions are one of K, or A numbers.

    Only environments that gymnasium knows are made: nothing is imported because of a name. It is closed at the end of
    `with`.

    Raises `MissingExtraError` without gymnasium, `ArgumentError` for a name it does not know (with the nearest), an
    environment that cannot be made, and spaces that are something else.
    """

    def __init__(self, name: str) -> None:
        self.name, self._made = name, _made(name)
        try:
            self.observations = _numbers(self._made.observation_space, name)
            self.discrete, self.actions, self._first = _actions(self._made.action_space, name)
        except ArgumentError:
            self.close()
            raise

    def __enter__(self) -> Environment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives back what the environment holds."""
        self._made.close()

    @property
    def unwrapped(self) -> Any:
        """The environment itself, as its author wrote it."""
        return self._made.unwrapped

    def play(self, choose: Choose, seed: int) -> Played:
        """One episode, from the start that a seed gives to its end."""
        seen, _ = self._made.reset(seed=seed)
        returned, steps, over = 0.0, 0, False
        while not over and steps < LONGEST:
            action = self._fitting(choose(self._observation(seen, steps)))
            seen, reward, terminated, truncated, _ = self._made.step(action)
            returned, steps, over = returned + float(reward), steps + 1, bool(terminated or truncated)
        if not np.isfinite(returned):
            raise DataError(f"{self.name}: the rewards of the episode of seed {seed} add up to {returned}")
        return Played(returned, steps, not over)

    def rolled(self, player: Player, seeds: Iterable[int]) -> Returns:
        """Episodes that a player plays, one a seed."""
        played = []
        for seed in seeds:
            player.begin()
            played.append(self.play(player.act, seed))
        found = tuple(one.returned for one in played), tuple(one.steps for one in played)
        return Returns(*found, sum(one.stopped for one in played))

    def _observation(self, seen: Any, step: int) -> Observation:
        observation = np.array(seen, np.float32)
        if not np.isfinite(observation).all():
            raise DataError(f"{self.name}: the observation after {step:,} steps is not finite; nothing can act on it")
        return observation

    def _fitting(self, action: Action) -> Any:
        """An action as the environment wants it; numbers beyond its bounds are the bounds."""
        space = self._made.action_space
        if self.discrete:
            return np.int64(self._first + int(action))
        return np.clip(action, space.low, space.high).astype(space.dtype)


def _made(name: str) -> Any:
    try:
        import gymnasium
    except ImportError:
        raise MissingExtraError("gymnasium", "act") from None
    if name not in gymnasium.registry:
        raise ArgumentError(f"gymnasium has no environment {name!a:.80}; {nearest(name, gymnasium.registry)}")
    try:
        return gymnasium.make(name, disable_env_checker=True)
    except Exception as error:  # whatever an environment needs and does not find
        why = " ".join(printable(str(error)).split())
        raise ArgumentError(f"the environment {name} cannot be made: {why:.200}; see gymnasium's pages of it") from None


def _numbers(space: Any, name: str) -> int:
    from gymnasium.spaces import Box

    if not isinstance(space, Box) or len(space.shape) != 1 or not 1 <= space.shape[0] <= MOST_NUMBERS:
        raise ArgumentError(
            f"{name} has observations {_shown(space)}; a policy sees a Box of one dimension, of 1 to {MOST_NUMBERS:,} "
            "numbers; choose another --env"
        )
    return int(space.shape[0])


def _actions(space: Any, name: str) -> tuple[bool, int, int]:
    """Whether actions are one of several, how many or of how many numbers, and the first."""
    from gymnasium.spaces import Box, Discrete

    if isinstance(space, Discrete) and 2 <= space.n <= MOST_NUMBERS:
        return True, int(space.n), int(space.start)
    continuous = isinstance(space, Box) and len(space.shape) == 1 and np.issubdtype(space.dtype, np.floating)
    if continuous and 1 <= space.shape[0] <= MOST_NUMBERS:
        return False, int(space.shape[0]), 0
    raise ArgumentError(
        f"{name} has actions {_shown(space)}; a policy gives Discrete ones, 2 to {MOST_NUMBERS:,}, or a Box of numbers "
        "of one dimension; choose another --env"
    )


def _shown(space: Any) -> str:
    return f"{type(space).__name__} {space.shape}" if space.shape else str(space)[:60]
