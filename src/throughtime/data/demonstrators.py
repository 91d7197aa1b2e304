"""Demonstrators: who knows how to act in an environment, recorded so that a policy can learn from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.data.environments import Action, Choose, Environment, Observation, Played, Player, seed_of
from throughtime.data.episodes import Episode
from throughtime.errors import ArgumentError

KNOWN = "CartPole-v1"  # the environment that has a demonstrator of its own
Gains = NDArray[np.float64]


def demonstrator_of(environment: Environment) -> Choose:
    """Who demonstrates in an environment: of the cart with a pole, a linear feedback controller.

    Raises `ArgumentError` for any other environment.
    """
    if type(environment.unwrapped).__name__ != "CartPoleEnv" or environment.observations != 4:
        raise ArgumentError(
            f"nobody here knows how to act in {environment.name}; give recorded episodes with --demonstrations FILE "
            f"(an environment with a demonstrator of its own: {KNOWN})"
        )
    return Feedback(cart_pole_gains(environment.unwrapped))


class Feedback:
    """Pushes to one side or the other by the sign of a linear function of what is seen.

    Formula: action = 1 if −K s > 0 else 0

    >>> Feedback(np.array([-1.0, 0.0]))(np.array([2.0, 5.0], np.float32))
    1
    """

    def __init__(self, gains: Gains) -> None:
        self.gains = gains

    def __call__(self, observation: Observation) -> int:
        """The action."""
        return int(-self.gains @ observation > 0)


def cart_pole_gains(cart: Any) -> Gains:
    """The gains K of a linear feedback u = −K s that balances the pole in the middle of the track.

    Formula: upright and slow (sin θ ≈ θ, cos θ ≈ 1), with the masses and lengths of the environment, M all of the mass
    and l half the pole: θ̈ = (g θ − F/M) / (l (4/3 − m/M)) and ẍ = F/M − (m l/M) θ̈, by Euler's steps of τ seconds;
    K = (R + B'PB)⁻¹ B'PA, where P solves the Riccati equation of the cost Σ s's + u², u in units of the push.
    Source: Barto, Sutton and Anderson (1983) for the system; Kalman (1960) for the regulator. The environment pushes
    with full force to either side, so that of u only the sign is used.
    """
    slowness = cart.length * (4 / 3 - cart.masspole / cart.total_mass)
    lever = cart.polemass_length / cart.total_mass
    turning, pushing = cart.gravity / slowness, cart.force_mag / cart.total_mass
    A = np.eye(4)  # noqa: N806  (the letters of the formula)
    A[0, 1] = A[2, 3] = cart.tau
    A[3, 2], A[1, 2] = cart.tau * turning, -cart.tau * lever * turning
    B = cart.tau * pushing * np.array([0, 1 + lever / slowness, 0, -1 / slowness])  # noqa: N806
    P = np.eye(4)  # noqa: N806
    gains = np.zeros(4)
    for _ in range(10_000):
        gains = np.asarray((B @ P @ A) / (1 + B @ P @ B))
        before, P = P, np.eye(4) + A.T @ P @ (A - np.outer(B, gains))  # noqa: N806
        if np.abs(P - before).max() < 1e-9 * np.abs(P).max():
            break
    return gains


class Recorder:
    """Notes what is seen and what the demonstrator would do, while somebody acts: it, something else, or chance.

    With `noise`, an action is now and then one by chance, each as likely; what is noted stays the demonstrator's own
    choice, so that a learner sees how to come back from where noise leads to. Where a learner acts, the demonstrator
    corrects what it does.

    Source: Laskey et al. (2017), DART, for the noise (theirs is tuned to the learner's errors, ours is given); Ross,
    Gordon and Bagnell (2011), DAgger, for the corrections.
    """

    def __init__(self, environment: Environment, *, noise: float = 0.0, learner: Player | None = None) -> None:
        self.demonstrator = demonstrator_of(environment)
        self.environment, self.noise, self.learner = environment, noise, learner
        self._seen: list[Observation] = []
        self._said: list[Action] = []
        self._chance = np.random.default_rng(0)

    def episode(self, seed: int) -> tuple[Episode, Played]:
        """An episode from the start that a seed gives, which decides the noise too, and what came of it."""
        self._seen, self._said, self._chance = [], [], np.random.default_rng(seed)
        if self.learner is not None:
            self.learner.begin()
        played = self.environment.play(self._choose, seed)
        return Episode(np.stack(self._seen), np.array(self._said)), played

    def _choose(self, observation: Observation) -> Action:
        said = self.demonstrator(observation)
        self._seen.append(observation)
        self._said.append(said)
        done = said if self.learner is None else self.learner.act(observation)  # a learner sees all there is
        if self._chance.random() < self.noise:
            return int(self._chance.integers(self.environment.actions))
        return done


def recorded(environment: Environment, episodes: int, *, noise: float, seed: int) -> tuple[list[Episode], list[Played]]:
    """Episodes that the demonstrator acted in, and what came of them."""
    recorder = Recorder(environment, noise=noise)
    return _unzipped([recorder.episode(seed_of("recorded", place, seed)) for place in range(episodes)])


def corrected(
    environment: Environment, learner: Player, episodes: int, *, seed: int, first: int = 0
) -> tuple[list[Episode], list[Played]]:
    """Episodes that a learner acted in, from number `first` on, with what the demonstrator would have done instead."""
    recorder = Recorder(environment, learner=learner)
    places = range(first, first + episodes)
    return _unzipped([recorder.episode(seed_of("corrected", place, seed)) for place in places])


def _unzipped(found: Sequence[tuple[Episode, Played]]) -> tuple[list[Episode], list[Played]]:
    return [episode for episode, _ in found], [played for _, played in found]
