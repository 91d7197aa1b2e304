"""Rounds of correction: a learner acts, the demonstrator tells what to do, and a new one learns from all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from throughtime.recipes.demonstrated import counted, measured, without

if TYPE_CHECKING:
    from throughtime.data.environments import Environment
    from throughtime.models.policy import Playing
    from throughtime.recipes.act import Act, ActData

EPOCHS = 4  # that the learner of a round learns for


def corrected_rounds(recipe: Act, environment: Environment, data: ActData) -> ActData:
    """The data, with the episodes that learners acted in, one after the other, each with the right actions.

    A round: a new policy learns from all there is for a few epochs, plays episodes, and these are added with the
    demonstrator's choice at every step.
    Source: Ross, Gordon and Bagnell (2011), DAgger, algorithm 3.1 with β_1 = 1 and β_i = 0 after it.
    """
    import hashlib

    from throughtime.data.demonstrators import corrected
    from throughtime.data.episodes import digest_of

    seen = [place for place in range(environment.observations) if place not in recipe.hide]
    for round_ in range(recipe.corrections):
        learner = _learner(recipe, data, round_)
        first = round_ * recipe.corrected_episodes
        found, played = corrected(environment, learner, recipe.corrected_episodes, seed=recipe.seed, first=first)
        some = [without(episode, seen) for episode in found]
        train = [*data.train, *some]
        known = data.facts["demonstrations_sha256"] + digest_of(some)
        facts = {
            **data.facts,
            **measured(train, discrete=True),
            **counted("train", train),
            "demonstrations_sha256": hashlib.sha256(known.encode()).hexdigest(),
            "corrected_episodes": len(some) + data.facts["corrected_episodes"],
        }
        mean = sum(one.returned for one in played) / len(played)
        told = f"round {round_ + 1} of correction: {len(some):,} episodes, mean return of the learner {mean:.1f}"
        data = replace(data, train=train, facts=facts, told=(*data.told, told))
    return data


def _learner(recipe: Act, data: ActData, round_: int) -> Playing:
    """A policy at play that has learned from what there is so far."""
    import torch

    from throughtime.train.descend import descend

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed + round_)
        model = recipe.model(data)
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
