"""Environments and demonstrators: spaces that fit, seeds that never meet, a pole that stays up."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from scipy.linalg import solve_discrete_are

from throughtime.data.demonstrators import Recorder, cart_pole_gains, corrected, demonstrator_of, recorded
from throughtime.data.environments import Environment, Player, Returns, seed_of
from throughtime.errors import ArgumentError, DataError, MissingExtraError

LINE = Box(-1, 1, (2,), np.float32)


class Toy(gymnasium.Env):
    """Two numbers; over after five steps; the reward is the action."""

    made = 0

    def __init__(self, seen=LINE, done=None, reward=None, value=0.5):
        self.observation_space, self.action_space = seen, done or Discrete(3, start=4)
        self.reward, self.value, self.steps, self.got = reward, value, 0, []
        Toy.made += 1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps, self.got = 0, []
        return np.full(2, self.value, np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action)
        self.steps += 1
        self.got.append(action)
        reward = float(np.sum(action)) if self.reward is None else self.reward
        return np.full(2, self.value, np.float32), reward, self.steps == 5, False, {}

    def close(self):
        Toy.made -= 1


@pytest.fixture
def toy():
    """Registers a toy of that kind, for this test alone."""
    names = []

    def register(**changes):
        names.append(f"Toy-v{len(names)}")
        gymnasium.register(names[-1], entry_point=lambda **_: Toy(**changes))
        return names[-1]

    yield register
    for name in names:
        del gymnasium.registry[name]
    assert Toy.made == 0, "all were closed"


def test_actions_come_from_the_first_and_numbers_stay_within_their_bounds(toy):
    with Environment(toy()) as environment:
        assert (environment.observations, environment.discrete, environment.actions) == (2, True, 3)
        assert environment.play(lambda seen: 2, 0) == (30.0, 5, False)
    with Environment(toy(done=Box(-2, 2, (3,), np.float32))) as environment:
        assert (environment.discrete, environment.actions) == (False, 3)
        assert environment.play(lambda seen: np.array([9.0, -9.0, 1.0], np.float32), 0).returned == 5.0


def test_returns_are_counted(toy):
    class Always:
        begun = 0

        def begin(self):
            self.begun += 1

        def act(self, observation):
            return self.begun % 2

    player = Always()
    assert isinstance(player, Player)
    with Environment(toy()) as environment:
        found = environment.rolled(player, [1, 2, 3, 4])
    assert found == Returns((25.0, 20.0, 25.0, 20.0), (5, 5, 5, 5), 0)
    facts = found.to_json()
    assert (facts["mean_return"], facts["min"], facts["max"], facts["steps"]) == (22.5, 20.0, 25.0, 5.0)
    assert facts["sd"] == pytest.approx(np.std([25, 20, 25, 20], ddof=1))


def test_an_environment_without_an_end_is_stopped_and_told(toy, monkeypatch):
    monkeypatch.setattr("throughtime.data.environments.LONGEST", 3)
    with Environment(toy()) as environment:
        assert environment.play(lambda seen: 0, 0) == (12.0, 3, True)


SPACES = {
    "a dictionary": ({"seen": Dict({"x": LINE})}, "has observations Dict.*a Box of one dimension"),
    "an image": ({"seen": Box(0, 1, (2, 2))}, r"has observations Box \(2, 2\); a policy sees a Box of one dimension"),
    "a number": ({"seen": Discrete(3)}, r"has observations Discrete\(3\)"),
    "several": ({"done": MultiDiscrete([2, 2])}, r"has actions MultiDiscrete \(2,\); a policy gives Discrete ones"),
    "a table": ({"done": Box(0, 1, (2, 2))}, r"has actions Box \(2, 2\)"),
    "one": ({"done": Discrete(1)}, r"has actions Discrete\(1\)"),
}


@pytest.mark.parametrize("case", SPACES)
def test_other_spaces_are_refused_and_the_environment_is_closed(toy, case):
    changes, message = SPACES[case]
    with pytest.raises(ArgumentError, match=message):
        Environment(toy(**changes))


def test_what_is_not_finite_is_refused(toy):
    with Environment(toy(value=np.nan)) as one, pytest.raises(DataError, match="after 0 steps is not finite"):
        one.play(lambda seen: 0, 0)
    with Environment(toy(reward=np.inf)) as one, pytest.raises(DataError, match="episode of seed 7 add up to inf"):
        one.play(lambda seen: 0, 7)


def test_a_wrong_name_offers_the_nearest_and_imports_nothing(monkeypatch):
    with pytest.raises(ArgumentError, match="no environment 'CartPol-v1'; did you mean 'CartPole-v1'"):
        Environment("CartPol-v1")
    with pytest.raises(ArgumentError, match="no environment 'antigravity:Sky-v0'"):
        Environment("antigravity:Sky-v0")
    monkeypatch.setitem(__import__("sys").modules, "gymnasium", None)
    with pytest.raises(MissingExtraError, match=r"'gymnasium': pip install 'throughtime\[act\]'"):
        Environment("CartPole-v1")


def test_an_environment_that_cannot_be_made_is_one_line():
    def refuse(**_):
        raise RuntimeError("no\nengine")

    gymnasium.register("Broken-v0", entry_point=refuse)
    try:
        with pytest.raises(ArgumentError, match=r"the environment Broken-v0 cannot be made: no.*engine; see"):
            Environment("Broken-v0")
    finally:
        del gymnasium.registry["Broken-v0"]


def test_seeds_of_different_purposes_never_meet():
    found = [
        {seed_of(purpose, place, seed) for place in range(50) for seed in range(5)}
        for purpose in ("recorded", "validation", "judged", "corrected")
    ]
    assert [len(seeds) for seeds in found] == [250, 50, 50, 250], "two of them are the same for all runs"
    assert len(set.union(*found)) == 600


def test_gains_are_those_of_the_regulator_of_the_environments_own_steps():
    cart = gymnasium.make("CartPole-v1").unwrapped
    cart.reset(seed=0)

    def step(state, push):
        cart.state, cart.force_mag = np.array(state, np.float64), push
        cart.step(1)
        return np.array(cart.state)

    near, size = np.zeros(4), 1e-5
    A = np.stack([(step(near + d, 0.0) - step(near - d, 0.0)) / (2 * size) for d in size * np.eye(4)], 1)
    B = (step(near, 10.0) - step(near, -10.0))[:, None] / 2
    P = solve_discrete_are(A, B, np.eye(4), np.eye(1))
    wanted = np.linalg.solve(1 + B.T @ P @ B, B.T @ P @ A)[0]
    cart.force_mag = 10.0
    np.testing.assert_allclose(cart_pole_gains(cart), wanted, rtol=1e-4)


def test_the_demonstrator_balances_also_where_chance_acts_now_and_then():
    with Environment("CartPole-v1") as environment:
        (calm,), (one,) = recorded(environment, 1, noise=0.0, seed=3)
        noisy, played = recorded(environment, 2, noise=0.2, seed=3)
        assert one == (500.0, 500, False)
        assert min(each.returned for each in played) > 200
        says = demonstrator_of(environment)
        for episode in (calm, *noisy):
            assert [says(seen) for seen in episode.observations] == episode.actions.tolist(), "labels stay its own"
        again, _ = recorded(environment, 2, noise=0.2, seed=3)
        assert all(np.array_equal(a.observations, b.observations) for a, b in zip(noisy, again, strict=True))
        other, _ = recorded(environment, 1, noise=0.2, seed=4)
        assert not np.array_equal(other[0].observations[0], noisy[0].observations[0])
        assert noisy[0].observations[:, 3].std() > 1.1 * calm.observations[:, 3].std(), "noise leads further away"


def test_a_learner_acts_and_the_demonstrator_tells_what_it_would_have_done():
    class Right:
        def begin(self):
            self.steps = 0

        def act(self, observation):
            self.steps += 1
            return 1

    learner = Right()
    with Environment("CartPole-v1") as environment:
        (episode,), (played,) = corrected(environment, learner, 1, seed=0)
        assert played.steps == learner.steps == len(episode) < 20, "pushing to one side tips it over"
        says = demonstrator_of(environment)
        assert [says(seen) for seen in episode.observations] == episode.actions.tolist()
        assert 0 in episode.actions
        later, _ = corrected(environment, learner, 1, seed=0, first=1)
        assert not np.array_equal(later[0].observations, episode.observations)
        episode, played = Recorder(environment, noise=0.5, learner=learner).episode(0)
        assert played.steps == learner.steps == len(episode), "it sees also what chance answers"


def test_where_nobody_knows_how_to_act_a_file_is_asked_for(toy):
    with Environment(toy()) as environment, pytest.raises(ArgumentError, match=r"--demonstrations FILE.*CartPole-v1"):
        demonstrator_of(environment)
