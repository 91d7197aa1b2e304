"""A policy: an actor that answers observation by observation, plays in environments, and is judged by both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from throughtime.data.environments import Returns
from throughtime.data.episodes import Episode, EpisodeLanes
from throughtime.errors import ArgumentError, printable
from throughtime.layers import Stream
from throughtime.layers.rest import at_rest
from throughtime.models.actor import Actor
from throughtime.padded import Padded
from throughtime.tally import Tally

LANES, STEPS = 16, 256  # of a chunk of episodes that are judged
TIE = 1e-3  # of the imitation's loss, where returns are equal

Action = int | NDArray[np.float32]


class Choice(NamedTuple):
    """What a policy answers."""

    action: Action  # one of K, or A numbers
    probabilities: NDArray[np.float32] | None  # of every action; None where actions are numbers
    state: Any  # to be given with the next observation


@dataclass(frozen=True)
class Imitation:
    """How well demonstrated actions were told from what was seen. Units: nats a step."""

    episodes: int
    steps: int
    nats: float | None  # a step; None where actions are numbers
    accuracy: float | None
    error: float | None  # the mean square of what is wrong, in units of the actions' variance

    @property
    def loss(self) -> float:
        """What training lowers."""
        return (self.nats if self.error is None else self.error) or 0.0

    def to_json(self) -> dict[str, Any]:
        """The numbers by name."""
        found = {"nats_per_step": self.nats, "accuracy": self.accuracy, "error": self.error}
        held = {"held_out_episodes": self.episodes, "held_out_steps": self.steps}
        return {name: value for name, value in found.items() if value is not None} | held

    def sentence(self) -> str:
        """For people."""
        if self.error is not None:
            return f"mean squared error {self.error:.4f} of the actions' variance"
        return f"{self.nats:.4f} nats a step, {100 * (self.accuracy or 0.0):.2f} % of the demonstrator's actions"


@dataclass(frozen=True)
class ActingScore:
    """How well a policy acts: what it is returned in its environment, and how like the demonstrator it is."""

    imitation: Imitation
    returns: Returns | None  # None without an environment

    @property
    def loss(self) -> float:
        """What decides which weights are the best: the mean return, and the imitation where returns are equal."""
        if self.returns is None:
            return self.imitation.loss
        return TIE * self.imitation.loss - float(np.mean(self.returns.returns))

    def to_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return {**(self.returns.to_json() if self.returns else {}), **self.imitation.to_json()}

    def sentence(self) -> str:
        """For people."""
        imitated = self.imitation.sentence()
        return imitated if self.returns is None else f"{told(self.returns)}; {imitated}"


def told(returns: Returns) -> str:
    """Returns, for people.

    >>> told(Returns((1.0, 3.0), (5, 7), 0))
    'mean return 2.0 ± 1.4, lowest 1.0, of 2 episodes, 6 steps each'
    """
    found = returns.to_json()
    stopped = f", {returns.stopped:,} stopped as they had no end" if returns.stopped else ""
    return (
        f"mean return {found['mean_return']:,.1f} ± {found['sd']:,.1f}, lowest {found['min']:,.1f}, of "
        f"{found['episodes']:,} episodes, {found['steps']:,.0f} steps each{stopped}"
    )


class Policy:
    """An actor, and which of an environment's observations it sees.

    >>> from throughtime.cells import GRU
    >>> from throughtime.layers import Recurrent
    >>> from throughtime.models.actor import Scaling
    >>> model = Actor(Recurrent(GRU(1, 4)), Scaling([0.0], [1.0]), actions=2)
    >>> policy = Policy(model, names=("x", "v"), hidden=(1,))
    >>> choice = policy.act([0.5], policy.start())
    >>> choice.action in (0, 1), choice.probabilities.shape
    (True, (2,))
    """

    def __init__(self, model: Actor, names: Sequence[str], hidden: Sequence[int] = ()) -> None:
        self.model, self.names, self.hidden = model, tuple(names), tuple(hidden)
        self.seen = np.array([place for place in range(len(names)) if place not in self.hidden])
        if len(self.seen) != len(model.seeing.mean):
            raise ArgumentError(
                f"the model sees {len(model.seeing.mean)} numbers, not the {len(self.seen)} of the names"
            )

    @property
    def discrete(self) -> bool:
        """Whether actions are one of several."""
        return self.model.acting is None

    @property
    def actions(self) -> int:
        """How many there are to choose from; or of how many numbers one is."""
        return self.model.head.linear.out_features

    @property
    def wants(self) -> str:
        """What an observation is, for people."""
        seen = _listed([self.names[place] for place in self.seen])
        if not self.hidden:
            return f"{len(self.seen)} numbers ({seen})"
        hidden = _listed([self.names[place] for place in self.hidden])
        return f"{len(self.seen)} numbers ({seen}), or all {len(self.names)}, of which it does not see {hidden}"

    def picked(self, observations: Any) -> NDArray[np.float32]:
        """Those of the last dimension's numbers that the policy sees, of all of them or of these alone.

        Raises `ArgumentError` when there are as many as of neither, or one is not finite.
        """
        with np.errstate(over="ignore"):
            given = np.asarray(observations, np.float32)
        width = given.shape[-1] if given.ndim else 0
        if width not in (len(self.names), len(self.seen)):
            raise ArgumentError(f"an observation of {width} numbers does not fit this policy; give {self.wants}")
        if not np.isfinite(given).all():
            raise ArgumentError("an observation is missing or infinite (NaN); a policy needs a number at every place")
        return given if width == len(self.seen) else given[..., self.seen]

    def start(self) -> Any:
        """The state at the beginning of an episode."""
        return self.model.initial(1)

    def act(self, observation: Any, state: Any) -> Choice:
        """The action that answers an observation, the likeliest one, and the state after it.

        Raises `ArgumentError` as `picked` does.
        """
        seen = torch.from_numpy(np.array(self.picked(observation), ndmin=2))
        with at_rest(self.model):
            features, state = self.model.core.step(self.model.seeing(seen.to(self._device)), state)
            return self._choice(features, state)

    def player(self) -> Playing:
        """This policy at play: it carries its state itself, and answers at once."""
        return Playing(self)

    def follow(self, observations: Any, state: Any, begins: NDArray[np.bool_]) -> tuple[NDArray[np.float32], Any]:
        """What answers observations (T D) that follow on one another, some of which begin an episode.

        Gives log p of every action (T K), or actions (T A), and the state after the last.
        """
        seen = torch.from_numpy(self.picked(observations))[None].to(self._device)
        begins = begins & (np.arange(len(begins)) > 0) if state is None else begins  # a new state is a beginning
        resets = torch.from_numpy(begins)[None].to(self._device) if begins.any() else None
        with at_rest(self.model):
            features, state = self.model.features(Padded.full(seen), state, resets)
            return self.model.answers(features.data)[0].cpu().numpy(), state

    def imitation(self, episodes: Sequence[Episode]) -> Imitation:
        """How well the actions of episodes, of which all is given that the policy sees, are told."""
        lanes = EpisodeLanes(episodes, lanes=min(LANES, len(episodes)), steps=STEPS, seed=None)
        tally, right, state = Tally(0.0, 0), 0, None
        with at_rest(self.model):
            for position in range(lanes.chunks(0)):
                chunk = lanes.chunk(0, position).to(self._device)
                features, state = self.model.features(chunk.inputs, state, chunk.resets)
                tally = tally + self.model.head.loss(features.data, self.model.targets(chunk)).detach()
                if self.discrete:
                    right += int((self.model.answers(features.data).argmax(-1) == chunk.targets).sum())
        steps = sum(map(len, episodes))
        if self.discrete:
            return Imitation(len(episodes), steps, tally.mean, right / steps, None)
        return Imitation(len(episodes), steps, None, None, tally.mean)

    def _choice(self, features: torch.Tensor, state: Any) -> Choice:
        answers = self.model.answers(features)[0].cpu()
        if self.discrete:
            return Choice(int(answers.argmax()), answers.exp().numpy(), state)
        return Choice(answers.numpy(), None, state)

    @property
    def _device(self) -> torch.device:
        return self.model.seeing.mean.device


def _listed(names: list[str]) -> str:
    return ", ".join(printable(name)[:40] for name in names[:12]) + (", ..." if len(names) > 12 else "")


class Playing:
    """A policy at play, whose state is carried inside, by a stream of its core.

    The weights are those that the policy had when this was made.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        with at_rest(policy.model):
            self._stream: Stream[Any] = Stream(policy.model.core, 1)
        self._fresh = self.state

    @property
    def state(self) -> Any:
        """What it remembers of the episode: set it to go on from there."""
        return self._stream.state

    @state.setter
    def state(self, state: Any) -> None:
        self._stream.state = state

    def begin(self) -> None:
        """Forgets the episode before."""
        self.state = self._fresh

    def act(self, observation: Any) -> Action:
        """The action that answers an observation."""
        return self.choose(observation).action

    def choose(self, observation: Any) -> Choice:
        """The action, with how likely each was, and the state after it."""
        seen = torch.from_numpy(np.array(self.policy.picked(observation), ndmin=2))
        with torch.no_grad():
            features = self._stream.step(self.policy.model.seeing(seen.to(self.policy._device)))
            return self.policy._choice(features, None)
