"""Rounds of correction: a learner acts, the demonstrator tells what to do, and a new one learns from all of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, FiniteFloat

from throughtime.data.scale import Deviations, Means
from throughtime.folder import STRICT, Count, Sha256, check_form, read_json
from throughtime.recipes.demonstrated import counted, measured, without

if TYPE_CHECKING:
    from throughtime.data.episodes import Episode
    from throughtime.models.policy import Playing
    from throughtime.recipes.act import Act, ActData

EPOCHS = 4  # that the learner of a round learns for


class Known(BaseModel):
    """The part of data.json that episodes of learners are in."""

    model_config = STRICT

    demonstrations_sha256: Sha256
    mean: Means
    deviation: Deviations
    train_episodes: Count
    train_steps: Count
    corrected_episodes: Count
    learner_returns: list[FiniteFloat]


def corrected_rounds(recipe: Act, data: ActData) -> ActData:
    """The data, with the episodes that learners acted in, one after the other, each with the right actions.

    A round: a new policy learns from all there is for a few epochs, plays episodes, and these are added with the
    demonstrator's choice at every step. All of it follows from the recorded episodes and the recipe, to the last bits
    of what learners compute, so that the hash is that of the former.
    Source: Ross, Gordon and Bagnell (2011), DAgger, algorithm 3.1 with β_1 = 1 and β_i = 0 after it.
    """
    from throughtime.data.demonstrators import corrected
    from throughtime.data.environments import Environment

    data, many = _with(data, [], []), recipe.corrected_episodes
    with Environment(recipe.env or "") as environment:
        seen = [place for place in range(environment.observations) if place not in recipe.hide]
        for round_ in range(recipe.corrections):
            learner = _learner(recipe, data, round_)
            found, played = corrected(environment, learner, many, seed=recipe.seed, first=round_ * many)
            mean = sum(one.returned for one in played) / len(played)
            some = [without(episode, seen) for episode in found]
            data = _with(data, some, [*data.facts["learner_returns"], mean])
    return data


def _with(data: ActData, some: list[Episode], returns: list[float]) -> ActData:
    """The data with some more episodes, after so many learners."""
    train = [*data.train, *some]
    facts = {
        **data.facts,
        **measured(train, discrete=True),
        **counted("train", train),
        "corrected_episodes": len(some) * len(returns),
        "learner_returns": returns,
    }
    return replace(data, train=train, facts=facts)


def known_before(data: ActData, kept: Path) -> ActData:
    """The data, with what data.json of a run that is there tells of the episodes of learners.

    Raises `RunError` when it tells of the same demonstrations, and not of those.
    """
    content = read_json(kept, "data.json")
    if content.get("demonstrations_sha256") != data.facts["demonstrations_sha256"]:
        return data  # another run, which is refused
    known = check_form(Known, {name: content.get(name) for name in Known.model_fields}, Path("data.json"))
    return replace(data, facts={**data.facts, **known.model_dump()})


def _learner(recipe: Act, data: ActData, round_: int) -> Playing:
    """A policy at play that has learned from what there is so far, on the CPU, whatever trains the policy itself."""
    import torch

    from throughtime.train.descend import descend

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed + round_)
        model = recipe.model_of(data.facts)
        batches = recipe.batches(data)
        updates = descend(
            model,
            recipe.optimiser_for(model),
            batches,
            learning_rate=lambda step: recipe.learning_rate,
            clip=recipe.clip,
        )
        for update in updates:
            if update.place.epoch >= EPOCHS:
                break
    return recipe.policy(model, data.facts).player()
