"""Actors and policies: one answer however it is asked for, and a loss whose gradient is right."""

import numpy as np
import pytest
import torch

from throughtime.cells import GRU, LSTM
from throughtime.data.environments import Player, Returns
from throughtime.data.episodes import Episode, EpisodeLanes
from throughtime.errors import ArgumentError
from throughtime.layers import Bidirectional, Recurrent, Stack, check_core
from throughtime.layers.feedforward import Feedforward
from throughtime.models.actor import Actor, Scaling
from throughtime.models.policy import ActingScore, Imitation, Policy, told
from throughtime.padded import Padded

CORES = {
    "recurrent": lambda: Stack([Recurrent(LSTM(2, 3)), Recurrent(GRU(3, 4))]),
    "without state": lambda: Feedforward(2, 4, layers=2),
}
NAMES = ("x", "v", "angle", "turn")


@pytest.fixture(autouse=True)
def _imitated(imitated):
    """No compiler."""


def made(core="recurrent", *, discrete=True) -> Policy:
    acting = None if discrete else Scaling([1.0, -1.0], [2.0, 0.5])
    model = Actor(CORES[core](), Scaling([0.5, 0.0], [2.0, 1.0]), actions=3 if discrete else 2, acting=acting)
    return Policy(model, NAMES, (1, 3))


def some(sizes=(4, 7, 2, 5), *, discrete=True, width=2) -> list[Episode]:
    chance = np.random.default_rng(0)
    return [
        Episode(
            chance.normal(size=(steps, width)).astype(np.float32),
            chance.integers(3, size=steps) if discrete else chance.normal(size=(steps, 2)).astype(np.float32),
        )
        for steps in sizes
    ]


@pytest.mark.parametrize("discrete", [True, False])
@pytest.mark.parametrize("core", CORES)
def test_an_answer_is_the_same_step_by_step_at_play_and_for_a_whole_file(core, discrete):
    policy, episodes = made(core, discrete=discrete), some(width=4)
    player, wanted = policy.player(), []
    assert isinstance(player, Player)
    for episode in episodes:
        state = policy.start()
        player.begin()
        for seen in episode.observations:
            choice = policy.act(seen, state)
            at_play, state = player.choose(seen[[0, 2]]), choice.state
            answers = choice.action if choice.probabilities is None else np.log(choice.probabilities)
            theirs = at_play.action if at_play.probabilities is None else np.log(at_play.probabilities)
            np.testing.assert_allclose(answers, theirs, atol=1e-5)
            assert discrete == (isinstance(choice.action, int) and choice.action == int(np.argmax(answers)))
            wanted.append(answers)
    observations = np.concatenate([episode.observations for episode in episodes])
    begins = np.concatenate([np.arange(len(episode)) == 0 for episode in episodes])
    for cut in (0, 6, 11):
        first, state = policy.follow(observations[:cut], None, begins[:cut]) if cut else ([], None)
        rest, _ = policy.follow(observations[cut:], state, begins[cut:])
        np.testing.assert_allclose([*first, *rest], wanted, atol=1e-5)


@pytest.mark.parametrize("discrete", [True, False])
def test_an_imitation_is_what_is_counted_episode_by_episode(discrete):
    policy, episodes = made(discrete=discrete), some(discrete=discrete)
    loss, right, count = 0.0, 0, 0
    for episode in episodes:
        answers, _ = policy.follow(episode.observations, None, np.arange(len(episode)) == 0)
        if discrete:
            loss -= float(answers[np.arange(len(episode)), episode.actions].sum())
            right += int((answers.argmax(1) == episode.actions).sum())
        else:
            loss += float((((answers - episode.actions) / [2.0, 0.5]) ** 2).sum())
        count += episode.actions.size
    found = policy.imitation(episodes)
    assert (found.episodes, found.steps) == (4, 18)
    assert found.loss == pytest.approx(loss / count, rel=1e-4)
    assert found.accuracy == (right / count if discrete else None)
    assert policy.model.training, "judging leaves the model as it was"
    assert set(found.to_json()) == {
        "held_out_episodes",
        "held_out_steps",
        *(("nats_per_step", "accuracy") if discrete else ("error",)),
    }


@pytest.mark.parametrize("discrete", [True, False])
def test_chunks_of_lanes_have_the_loss_and_gradient_of_whole_episodes(discrete):
    model, episodes = made(discrete=discrete).model.double(), some(discrete=discrete)

    def gradients(lanes: EpisodeLanes):
        total, state = 0.0, None
        for position in range(lanes.chunks(0)):
            chunk = lanes.chunk(0, position)
            chunk = type(chunk)(chunk.inputs.replace(chunk.inputs.data.double()), chunk.targets, chunk.resets)
            tally, state = model.loss(chunk, state)
            total = total + tally.total
        return [total, *torch.autograd.grad(total, list(model.parameters()))]

    whole = gradients(EpisodeLanes(episodes, lanes=4, steps=7))
    for lanes, steps in ((2, 3), (1, 18), (5, 2)):
        torch.testing.assert_close(gradients(EpisodeLanes(episodes, lanes=lanes, steps=steps)), whole)


def test_a_core_without_state_keeps_the_laws_of_cores():
    check_core(Feedforward(3, 4, layers=2))
    with pytest.raises(ArgumentError, match=r"inputs \(1, 2, 4\) do not fit Feedforward: inputs is B T D with D = 3"):
        Feedforward(3, 4)(Padded.full(torch.zeros(1, 2, 4)))
    with pytest.raises(ArgumentError, match="layers must be at least 1; got 0"):
        Feedforward(3, 4, layers=0)


def test_the_mean_return_decides_and_the_imitation_where_returns_are_equal():
    def score(returns, nats):
        return ActingScore(Imitation(1, 9, nats, 0.5, None), returns and Returns(returns, (1,) * len(returns), 0)).loss

    assert score((3.0, 5.0), 9.0) < score((3.0, 4.0), 0.1)
    assert score((3.0, 5.0), 0.1) < score((4.0, 4.0), 0.2)
    assert score(None, 0.7) == 0.7
    assert "1 stopped as they had no end" in told(Returns((1.0,), (9,), 1))


REFUSED = {
    "too many": (lambda policy: policy.act([1, 2, 3], policy.start()), "an observation of 3 numbers.*all 4, of which"),
    "none": (lambda policy: policy.act(1.0, policy.start()), r"of 0 numbers.*give 2 numbers \(x, angle\)"),
    "not a number": (lambda policy: policy.player().act([np.nan, 0]), "missing or infinite"),
    "too large": (lambda policy: policy.act([1e39, 0], policy.start()), "missing or infinite"),
    "other names": (lambda policy: Policy(policy.model, NAMES[:3], (1, 2)), "sees 2 numbers, not the 1 of the names"),
    "the future": (
        lambda policy: Actor(Bidirectional(GRU(2, 3), GRU(2, 3)), policy.model.seeing, actions=2),
        "must be causal",
    ),
    "another width": (
        lambda policy: Actor(Feedforward(3, 2), policy.model.seeing, actions=2),
        "2 numbers does not fit a core of 3",
    ),
    "no deviation": (lambda policy: Scaling([0.0], [0.0]), "deviations, which are above 0; got"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case):
    ask, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message):
        ask(made())
