"""The recipe of a policy: every setting, and how the parts are made from it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from throughtime.errors import ArgumentError, DataError, printable
from throughtime.recipes import fields
from throughtime.recipes.cards import card
from throughtime.recipes.cells import CellName
from throughtime.recipes.parts import device_of
from throughtime.recipes.read import OptionalPlace
from throughtime.recipes.training import Training

if TYPE_CHECKING:
    from throughtime.data.environments import Environment, Returns
    from throughtime.data.episode_files import Demonstrations
    from throughtime.data.episodes import Episode, EpisodeLanes
    from throughtime.layers import Core
    from throughtime.models.actor import Actor
    from throughtime.models.policy import ActingScore, Policy

CoreName = CellName | Literal["none"]
QUICK_STEPS = 20_000  # of held-out episodes, about, that are judged while training
SHOWN = 64  # actions of a sample
EPISODES, NOISE, CORRECTED, ROLLOUTS, VALIDATION_ROLLOUTS = 100, 0.3, 20, 100, 10  # where nothing else is said


@dataclass(frozen=True)
class ActData:
    """Demonstrations, of which all is left out that the policy is not to see."""

    train: list[Episode]  # of a run that goes on, without those that learners acted in
    valid: list[Episode]
    facts: dict[str, Any]  # where they came from and what was counted: data.json
    told: tuple[str, ...]  # how they were made, for people


class Act(Training):
    """A policy: it learns from demonstrations which action answers what was seen so far."""

    makes: ClassVar[str] = "a policy"
    shows: ClassVar[str] = "the demonstrator's actions, and its own"
    item: ClassVar[str] = "step"
    loss_unit: ClassVar[str] = "loss"
    judged_by: ClassVar[tuple[str, ...]] = ("episodes", "data")
    places: ClassVar[frozenset[str]] = frozenset({"demonstrations"})
    bound: ClassVar[dict[str, Any]] = {"epochs": 20}

    application: Literal["act"] = Field("act", description="which recipe this is")
    env: str | None = Field(None, description="the gymnasium environment to act in, such as CartPole-v1")
    demonstrations: OptionalPlace = Field(
        None, description="recorded episodes: .jsonl .npz .csv .tsv .parquet (else they are made, in CartPole-v1)"
    )
    held_out: float = Field(0.1, gt=0, lt=1, description="share of the episodes held out to validate on")
    hide: tuple[int, ...] = Field(
        (), description="numbers of an observation, from 0, that the policy does not see, such as 1,3"
    )
    episodes: int = Field(EPISODES, ge=2, le=100_000, description="episodes that are made, without --demonstrations")
    noise: fields.Rate = Field(NOISE, description="share of actions, while episodes are made, that are left to chance")
    corrections: int = Field(0, ge=0, le=100, description="rounds in which the learner acts and is corrected")
    corrected_episodes: int = Field(CORRECTED, ge=1, le=100_000, description="episodes of such a round")

    core: CoreName = Field("lstm", description="a recurrent cell, or none: the same policy without a state")
    hidden: fields.Hidden = 32
    layers: fields.Layers = 1

    lanes: int = Field(16, ge=1, le=65536, description="episodes that are read side by side")
    steps: int = Field(50, ge=1, le=65536, description="steps of a chunk, through which gradients go back")
    rollouts: int = Field(ROLLOUTS, ge=1, le=100_000, description="episodes that the policy plays at the end")
    validation_rollouts: int = Field(
        VALIDATION_ROLLOUTS, ge=1, le=10_000, description="and at evaluations, to find the best weights"
    )
    epochs: fields.Epochs = Field(None, description="bound on the passes over the episodes (20 when none is given)")
    learning_rate: fields.LearningRate = 0.005
    evaluate_every: fields.EvaluateEvery = 200

    @field_validator("hide")
    @classmethod
    def _in_order(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if min(value, default=0) < 0:
            raise ValueError("the numbers of an observation are counted from 0 on")
        return tuple(sorted(set(value)))

    @model_validator(mode="after")
    def _consistent(self) -> Act:
        if self.env is None and self.demonstrations is None:
            raise ValueError("env and demonstrations are both missing: give --env CartPole-v1 or --demonstrations FILE")
        if self.corrections and (self.env is None or self.demonstrations is not None):
            raise ValueError("corrections need a demonstrator: give --env CartPole-v1, and no --demonstrations")
        if self.demonstrations is not None and (self.episodes, self.noise) != (EPISODES, NOISE):
            raise ValueError("episodes and noise are for demonstrations that are made; got --demonstrations with them")
        if self.corrected_episodes != CORRECTED and not self.corrections:
            raise ValueError(f"corrected_episodes needs --corrections; got {self.corrected_episodes} and none")
        if self.env is None and (self.rollouts, self.validation_rollouts) != (ROLLOUTS, VALIDATION_ROLLOUTS):
            raise ValueError("rollouts and validation_rollouts are for an environment; give --env, or leave them out")
        if self.accumulate > self.lanes:
            raise ValueError(f"accumulate is at most lanes, {self.lanes}; got {self.accumulate}")
        return self

    @property
    def reads(self) -> Path | str:
        """What is read."""
        return self.demonstrations or self.env or ""

    @property
    def score_unit(self) -> str:
        """Of that by which the best weights are chosen."""
        return "minus the mean return" if self.env else super().score_unit

    def advice(self, out: Path) -> tuple[str, ...]:
        """What may be done with a run."""
        play = ("--episodes 100",) if self.env else ("--data FILE",)
        words = *(f"evaluate {out} {option}" for option in play), f"stream {out}", f"show {out}"
        return tuple(f"throughtime {word}" for word in words)

    @property
    def made_of(self) -> str:
        """The core, for people."""
        return f"{'without state' if self.core == 'none' else self.core}, {self.layers} × {self.hidden}"

    def data(self) -> ActData:
        """Reads or makes the demonstrations, and counts them.

        Raises `DataError` when a file is missing, malformed, or of another environment, `ArgumentError` as
        `Environment` does, and where there is nobody to demonstrate.
        """
        from throughtime.data.environments import Environment

        with Environment(self.env) if self.env else nullcontext() as environment:
            if self.demonstrations is not None:
                return self._read(self.demonstrations, environment)
            assert environment is not None
            return self._made(environment)

    def _read(self, path: Path, environment: Environment | None) -> ActData:
        from throughtime.data.episode_files import read_episodes
        from throughtime.recipes.demonstrated import check_fits

        found = read_episodes(path)
        if environment is not None:
            check_fits(found, environment)
        actions = found.actions if environment is None else environment.actions
        return self._divided(found, actions, (found.chosen,))

    def _made(self, environment: Environment) -> ActData:
        from throughtime.data.demonstrators import recorded
        from throughtime.data.episode_files import Demonstrations

        episodes, played = recorded(environment, self.episodes, noise=self.noise, seed=self.seed)
        names = tuple(map(str, range(environment.observations)))
        mean = sum(one.returned for one in played) / len(played)
        told = (
            f"{len(episodes):,} episodes of {environment.name} made, with noise {self.noise:g}: mean return {mean:.1f}"
        )
        return self._divided(Demonstrations(episodes, names, told), environment.actions, (told,))

    def _divided(self, found: Demonstrations, actions: int, told: tuple[str, ...]) -> ActData:
        """Some of the episodes held out, all without what is hidden, and what there is to know of them."""
        from throughtime.recipes.demonstrated import counted, divided, measured, seen_of

        seen = seen_of(found.names, self.hide)
        if found.discrete and actions < 2:
            raise DataError("the demonstrations have one action only, 0: nothing is to be told apart")
        learned, judged = divided(found.episodes, seen, held_out=self.held_out, seed=self.seed)
        facts = {
            "demonstrations": str(self.demonstrations) if self.demonstrations else None,
            "environment": self.env,
            "demonstrations_sha256": found.sha256,
            "demonstrations_bytes": self.demonstrations.stat().st_size if self.demonstrations else None,
            "names": list(found.names),
            "discrete": found.discrete,
            "actions": actions,
            **measured(learned, discrete=found.discrete),
            **counted("train", learned),
            **counted("valid", judged),
            "corrected_episodes": 0,
            "learner_returns": [],
        }
        return ActData(learned, judged, facts, told)

    def begin(self, data: ActData, kept: Path | None) -> ActData:
        """The data, with the episodes that learners acted in; of a run that is there already, what is known of them."""
        from throughtime.recipes.correct import corrected_rounds, known_before

        if not self.corrections:
            return data
        return corrected_rounds(self, data) if kept is None else known_before(data, kept)

    def batches(self, data: ActData) -> EpisodeLanes:
        """The training part in lanes; of a run that goes on, with episodes that learners act in once more."""
        from throughtime.data.episodes import EpisodeLanes
        from throughtime.recipes.correct import corrected_rounds

        if data.facts["train_episodes"] > len(data.train):
            data = corrected_rounds(self, data)
        return EpisodeLanes(data.train, lanes=self.lanes, steps=self.steps, seed=self.seed)

    def model(self, data: ActData) -> Actor:
        """A new model, on the device."""
        return self.model_of(data.facts).to(device_of(self.device))

    def model_of(self, facts: dict[str, Any]) -> Actor:
        """A new model for observations and actions of which these facts are known."""
        from throughtime.models.actor import Actor, Scaling

        seeing = Scaling(facts["mean"], facts["deviation"])
        acting = None if facts["discrete"] else Scaling(facts["action_mean"], facts["action_deviation"])
        return Actor(self._core(len(facts["mean"])), seeing, actions=facts["actions"], acting=acting)

    def _core(self, width: int) -> Core[Any]:
        from throughtime.layers.feedforward import Feedforward
        from throughtime.recipes.parts import one_way

        if self.core == "none":
            return Feedforward(width, self.hidden, layers=self.layers)
        return one_way(self.core, width, self.hidden, self.layers)

    def states(self, model: Actor) -> list[Any]:
        """States like those carried from chunk to chunk, one for each group of lanes."""
        if self.core == "none":
            return []
        sizes = [len(range(group, self.lanes, self.accumulate)) for group in range(self.accumulate)]
        return [model.initial(size) for size in sizes]

    def policy(self, model: Actor, facts: dict[str, Any]) -> Policy:
        """The model as a policy."""
        from throughtime.models.policy import Policy

        return Policy(model, facts["names"], self.hide)

    def score(self, model: Actor, data: ActData, *, quick: bool) -> ActingScore:
        """What the policy is returned in its environment, and how like the held-out episodes it acts.

        At the end it plays episodes of their own seeds; while training, a few others, the same at every evaluation:
        the weights with the highest mean return are the best, and of equal ones those that imitate better.
        """
        from throughtime.models.policy import ActingScore
        from throughtime.recipes.demonstrated import first_steps

        policy = self.policy(model, data.facts)
        imitation = policy.imitation(first_steps(data.valid, QUICK_STEPS) if quick else data.valid)
        return ActingScore(imitation, self.rolled(policy, quick=quick) if self.env else None)

    def rolled(self, policy: Policy, *, quick: bool = False, episodes: int | None = None) -> Returns:
        """Episodes that a policy plays in the environment, with seeds that nothing was learnt from."""
        from throughtime.data.environments import Environment, seed_of

        with Environment(self.env or "") as environment:
            fits = environment.observations, environment.discrete, environment.actions
            if fits != (len(policy.names), policy.discrete, policy.actions):
                raise ArgumentError(f"{self.env} is not the environment that this policy learned to act in")
            count = episodes or (self.validation_rollouts if quick else self.rollouts)
            seeds = [seed_of("validation" if quick else "judged", place) for place in range(count)]
            return environment.rolled(policy.player(), seeds)

    def sample(self, model: Actor, data: ActData, *, final: bool) -> str:
        """The demonstrator's actions in the beginning of a held-out episode, and those of the policy."""
        import numpy as np

        from throughtime.recipes.demonstrated import shown

        policy, one = self.policy(model, data.facts), data.valid[0]
        begins = np.arange(len(one)) == 0
        said, _ = policy.follow(one.observations[:SHOWN], None, begins[:SHOWN])
        if not policy.discrete:
            pairs = zip(one.actions[:4], said[:4], strict=True)
            return "\n".join(f"{shown(theirs)}  {shown(ours)}" for theirs, ours in pairs)
        gap = "" if policy.actions <= 10 else " "
        return "\n".join(gap.join(map(str, some)) for some in (one.actions[:SHOWN], said.argmax(-1)))

    def tell(self, score: ActingScore) -> tuple[str, str]:
        """What was judged, and how well it did."""
        return f"{score.imitation.steps:,} held-out steps", score.sentence()

    def notes(self, data: ActData) -> tuple[str, ...]:
        """What was read or made, and counted."""
        facts = data.facts
        names = [printable(name)[:40] for place, name in enumerate(facts["names"]) if place not in self.hide]
        seen = f"{len(names)} of {len(facts['names'])} numbers seen ({', '.join(names[:12])})"
        what = f"one of {facts['actions']:,}" if facts["discrete"] else f"{facts['actions']:,} numbers"
        rounds = (
            f"round {round_} of correction: {self.corrected_episodes:,} episodes, mean return of the learner {mean:.1f}"
            for round_, mean in enumerate(facts["learner_returns"], 1)
        )
        return (
            *data.told,
            *rounds,
            f"{facts['train_episodes']:,} episodes to train on, {facts['train_steps']:,} steps; "
            f"{facts['valid_episodes']:,} held out, {facts['valid_steps']:,} steps; {seen}; an action is {what}",
        )

    def files(self, data: ActData) -> dict[str, bytes]:
        """recipe.json and data.json."""
        from throughtime.folder import to_bytes

        return {
            "recipe.json": to_bytes(json.loads(self.model_dump_json())),
            "data.json": to_bytes(data.facts),
        }

    def card(self, model: Actor, data: ActData, score: Any) -> str:
        """What the policy is, what it was made from, and how good it is."""
        size = sum(parameter.numel() for parameter in model.parameters())
        rows = {
            "model": f"{self.made_of}, {size:,} weights",
            "acts in": self.env or "no environment: it imitates",
            **{f"data {place}": note for place, note in enumerate(self.notes(data), 1)},
            "hidden from it": ", ".join(map(str, self.hide)) or "nothing",
        }
        return card("A policy", rows, None if score is None else score.sentence())
