"""Runs of policies: played in their environment, judged by demonstrations, asked what they would do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BaseModel, Field

from throughtime.data.scale import Deviations, Means
from throughtime.errors import ArgumentError, DataError, RunError, printable
from throughtime.folder import STRICT, Count, Sha256
from throughtime.recipes.act import Act
from throughtime.runs.asked import Asked, Judged
from throughtime.runs.folders import Source, facts_of, filled, read_again
from throughtime.runs.numbers import check_answer, numbers_in
from throughtime.runs.shown import csv_row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from throughtime.data.episodes import Episode
    from throughtime.data.rows import Row, Table
    from throughtime.models.policy import Imitation, Policy

PICTURES: dict[str, Any] = {}
BLOCK = 2048  # observations held at a time
MOST = 4096  # numbers of an observation, and of an action
READS = "a policy, which reads numbers and acts"
MOST_EPISODES = 1_000_000  # that are played when asked

Size = Annotated[int, Field(ge=1, le=MOST)]


class Facts(BaseModel):
    """What data.json tells of the demonstrations that a policy was made from."""

    model_config = STRICT

    demonstrations: str | None
    environment: str | None
    demonstrations_sha256: Sha256
    demonstrations_bytes: Count | None
    names: Annotated[list[str], Field(min_length=1, max_length=MOST)]
    discrete: bool
    actions: Size
    mean: Annotated[Means, Field(max_length=MOST)]
    deviation: Annotated[Deviations, Field(max_length=MOST)]
    action_mean: Annotated[Means, Field(max_length=MOST)]
    action_deviation: Annotated[Deviations, Field(max_length=MOST)]
    train_episodes: Count
    train_steps: Count
    valid_episodes: Count
    valid_steps: Count
    corrected_episodes: Count


def load(home: Path, recipe: Act) -> Policy:
    """The policy of a whole folder. Raises `RunError` as `runs.load` does."""
    facts = facts_of(home, Facts)
    seen, acted = len(facts.names) - len(recipe.hide), 0 if facts.discrete else facts.actions
    sizes = [len(some) for some in (facts.mean, facts.deviation, facts.action_mean, facts.action_deviation)]
    if sizes != [seen, seen, acted, acted] or seen < 1 or max(recipe.hide, default=0) >= len(facts.names):
        raise RunError(f"data.json in {home} does not fit its recipe: {sizes} numbers for {seen} observations")
    known = facts.model_dump()
    return recipe.policy(filled(lambda: recipe.model_of(known), home), known)


def rows(facts: Facts, recipe: Act, weights: int) -> dict[str, str]:
    """What there is to tell of the policy and its demonstrations."""
    what = f"one of {facts.actions:,}" if facts.discrete else f"{facts.actions:,} numbers"
    hidden = ", ".join(map(str, recipe.hide)) or "none"
    corrected = f", {facts.corrected_episodes:,} of them corrected" if facts.corrected_episodes else ""
    return {
        "model": f"{recipe.made_of}, {weights:,} weights",
        "acts in": facts.environment or "no environment",
        "observations": f"{len(facts.names)} numbers: {', '.join(facts.names[:12])}; hidden: {hidden}",
        "actions": what,
        "learned from": facts.demonstrations or f"a demonstrator, with noise {recipe.noise:g}",
        "sha256": facts.demonstrations_sha256,
        "training": f"{facts.train_episodes:,} episodes{corrected}, {facts.train_steps:,} steps",
        "held out": f"{facts.valid_episodes:,} episodes, {facts.valid_steps:,} steps",
    }


def evaluate(home: Path, recipe: Act, asked: Asked) -> Judged:
    """What the policy is returned in episodes that it plays, and how like demonstrations it acts.

    Played are `asked.episodes` of them, always the same ones, of which nothing was learnt. Demonstrations are those
    of a file; where there is no environment, those that the run held out.
    """
    from throughtime.models.policy import told

    asked.only(READS, "episodes")
    if asked.episodes is not None and not 1 <= asked.episodes <= MOST_EPISODES:
        raise ArgumentError(f"--episodes must be from 1 to {MOST_EPISODES:,}; got {asked.episodes}")
    if asked.episodes is not None and recipe.env is None:
        raise ArgumentError(f"--episodes is for runs with an environment, and {home} has none: give --data FILE")
    policy, facts, shown, notes = load(home, recipe), dict[str, Any](), dict[str, str](), tuple[str, ...]()
    if recipe.env is not None and (asked.file is None or asked.episodes is not None):
        returns = recipe.rolled(policy, episodes=asked.episodes)
        facts |= returns.to_json()
        shown |= {"environment": recipe.env, "returns": told(returns)}
    if asked.file is not None or recipe.env is None:
        episodes, notes = _demonstrated(home, recipe, policy, asked.file)
        imitation = policy.imitation(episodes)
        facts |= imitation.to_json()
        shown |= _imitated(imitation)
    return Judged(facts, shown, notes)


def _imitated(imitation: Imitation) -> dict[str, str]:
    return {
        "imitation": imitation.sentence(),
        "of": f"{imitation.episodes:,} demonstrated episodes, {imitation.steps:,} steps",
    }


def _demonstrated(home: Path, recipe: Act, policy: Policy, path: Path | None) -> tuple[list[Episode], tuple[str, ...]]:
    """The episodes of a file, or those that the run held out; without what the policy does not see."""
    from throughtime.data.episode_files import read_episodes
    from throughtime.data.episodes import Episode

    if path is None:
        facts, source = facts_of(home, Facts), recipe.demonstrations
        assert source is not None
        before = Source(source, facts.demonstrations_bytes, facts.demonstrations_sha256)
        data = read_again(home, recipe.data, [before], lambda data: [data.facts["demonstrations_sha256"]])
        return data.valid, ()
    found = read_episodes(path)
    ours, theirs = (policy.discrete, policy.actions), (found.discrete, found.actions)
    if ours[0] != theirs[0] or theirs[1] > ours[1] or (not ours[0] and ours[1] != theirs[1]):
        kinds = [f"one of {actions}" if discrete else f"{actions} numbers" for discrete, actions in (theirs, ours)]
        raise DataError(f"{path}: its actions are {kinds[0]}, and those of the policy {kinds[1]}")
    return [Episode(policy.picked(one.observations), one.actions) for one in found.episodes], (found.chosen,)


class Said(NamedTuple):
    """A row of observations and what answers it."""

    row: int
    answers: NDArray[np.float32]  # log p of every action; or the action, where it is numbers


class ActionAnswers:
    """What a policy does about the observations of a file, row by row, with its state carried from one to the next.

    Where a column is called `episode`, every episode begins with a fresh state; else all rows are one.
    """

    item = "observation"

    def __init__(self, policy: Policy, asked: Asked) -> None:
        if policy.discrete:
            asked.only(READS, "probabilities")
        else:
            asked.only("a policy whose actions are numbers")
        self.file = asked.path("a table with an observation a row (.csv .tsv .parquet)")
        self.policy, self.every = policy, asked.probabilities
        self.notes: tuple[str, ...] = ()
        names = ["action", "probability"] if policy.discrete else [f"action_{i}" for i in range(policy.actions)]
        every = [f"probability_{i}" for i in range(policy.actions)] if self.every else []
        self.head: str | None = csv_row(["row", *names, *every])
        self.rows = self.episodes = 0

    def __iter__(self) -> Iterator[list[Said]]:
        """The answers, a block of rows at a time."""
        import numpy as np

        from throughtime.data.rows import open_table

        table = open_table(self.file)
        episode, places = self._columns(table)
        stream, state, before = table.rows(places if episode is None else [*places, episode]), None, object()
        while block := list(islice(stream, BLOCK)):
            names = [row.cells[-1] if episode is not None else None for row in block]
            begins = np.array([name != last for name, last in zip(names, [before, *names[:-1]], strict=True)])
            before = names[-1]
            observations = np.array([self._numbers(row, table, len(places)) for row in block], np.float32)
            answers, state = self.policy.follow(observations, state, begins)
            self.rows, self.episodes = self.rows + len(block), self.episodes + int(begins.sum())
            yield [Said(row.number, one) for row, one in zip(block, answers, strict=True)]

    def _columns(self, table: Table) -> tuple[int | None, list[int]]:
        """The column of episodes, if there is one, and those that the policy sees."""
        from throughtime.data.episode_files import EPISODE, action_columns

        lower = [name.lower() for name in table.names] if table.header else []
        episode = lower.index(EPISODE) if EPISODE in lower else None
        left_out = {episode, *action_columns(lower)}
        others = [place for place in range(len(table.names)) if place not in left_out]
        policy = self.policy
        wanted = [policy.names[place] for place in policy.seen]
        if table.header and set(wanted) <= set(table.names):
            chosen, how = [table.place(name) for name in wanted], "by name"
        elif len(others) == len(policy.names):
            chosen, how = [others[place] for place in policy.seen], "in their order"
        elif len(others) == len(wanted):
            chosen, how = others, "in their order"
        else:
            raise DataError(f"{table.file} has {len(others)} columns of numbers: {table.shown()}; give {policy.wants}")
        apart = "a column of episodes" if episode is not None else "no column 'episode': one episode"
        shown = ", ".join(printable(table.names[place])[:40] for place in chosen[:12])
        self.notes = (f"reading columns {shown}, {how}; {apart}",)
        return episode, chosen

    def _numbers(self, row: Row, table: Table, count: int) -> list[float]:
        from math import isfinite

        from throughtime.data.precision import numbers

        found = numbers(row.cells[:count], f"{table.origin} {row.number}, number ", range(count))
        if not all(map(isfinite, found)):
            raise DataError(f"{table.origin} {row.number}: an observation is missing or infinite; fill it in")
        return found

    def plain(self, answer: Said) -> str:
        """A row of CSV."""
        return ",".join(map(str, self._cells(answer)))

    def _cells(self, answer: Said) -> list[Any]:
        if not self.policy.discrete:
            return [answer.row, *(f"{number:.6g}" for number in answer.answers)]
        shares = [f"{share:.6g}" for share in _shares(answer.answers)]
        best = int(answer.answers.argmax())
        return [answer.row, best, shares[best], *(shares if self.every else [])]

    def facts(self, answer: Said) -> dict[str, Any]:
        """The row, the action, and how likely it was."""
        if not self.policy.discrete:
            return {"row": answer.row, "action": answer.answers.tolist()}
        shares, best = _shares(answer.answers), int(answer.answers.argmax())
        line = {"row": answer.row, "action": best, "probability": shares[best]}
        return {**line, "probabilities": shares} if self.every else line

    def told(self) -> str:
        """How many observations and episodes there were."""
        return f"{self.rows:,} observations of {self.episodes:,} episodes"


def _shares(logs: NDArray[np.float32]) -> list[float]:
    import numpy as np

    shares: list[float] = np.exp(logs).tolist()
    return shares


def predict(trained: Policy, recipe: Act, asked: Asked) -> ActionAnswers:
    """What the policy does about each observation of a file. Raises `ArgumentError` for what is no file."""
    return ActionAnswers(trained, asked)


class PolicyLive:
    """A policy that is given an observation a line; an empty line begins a new episode."""

    def __init__(self, policy: Policy) -> None:
        self.player = policy.player()
        self.policy, self.wants = policy, f"an observation, {policy.wants}; an empty line begins a new episode"

    def take(self, line: str) -> dict[str, Any] | None:
        """The action, and the probability of every one; nothing for the line that begins a new episode.

        Raises `DataError` when a line is not as many numbers as an observation has, or one is not finite.
        """
        if not line.strip():
            self.player.begin()
            return None
        before = self.player.state
        try:
            choice = self.player.choose(numbers_in(line))
            check_answer(choice.action if choice.probabilities is None else choice.probabilities, self.policy.wants)
        except (ArgumentError, DataError) as error:
            self.player.state = before
            raise DataError(str(error)) from None
        if isinstance(choice.action, int):
            shares = [] if choice.probabilities is None else choice.probabilities.tolist()
            return {"action": choice.action, "probabilities": shares}
        return {"action": choice.action.tolist()}

    def plain(self, facts: dict[str, Any]) -> str:
        """The action."""
        action = facts["action"]
        return " ".join(f"{number:.6g}" for number in action) if isinstance(action, list) else str(action)


def stream(trained: Policy, recipe: Act) -> PolicyLive:
    """The policy, an observation a line."""
    return PolicyLive(trained)
