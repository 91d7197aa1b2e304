"""A toy of motion: balls that bounce about in a box, of which nothing but the positions is seen."""

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError

Positions = NDArray[np.float64]


def bouncing_balls(
    balls: int, steps: int, *, seed: int = 0, speed: float = 0.08, noise: float = 0.0, radius: float = 0.05
) -> Positions:
    """(balls steps 2) where each ball is at each step, in a box from 0 to 1 whose walls it leaves as it meets them.

    Formula: p_t = fold(p_0 + t v), where fold mirrors at radius and at 1 − radius; plus noise of that deviation.
    Directions and places are by chance, and speeds from half of `speed` to one and a half of it, in boxes a step.

    Raises `ArgumentError` for sizes that do not fit.

    >>> places = bouncing_balls(2, 50, seed=1)
    >>> places.shape, bool((places >= 0.05).all() and (places <= 0.95).all())
    ((2, 50, 2), True)
    """
    if min(balls, steps) < 1:
        raise ArgumentError(f"balls and steps must be at least 1; got {balls} and {steps}")
    if not 0 <= seed < 2**63:
        raise ArgumentError(f"seed is a whole number from 0 to 2^63 − 1; got {seed}")
    if not 0 <= radius < 0.5 or not 0 <= noise < np.inf or not 0 < speed < np.inf:
        raise ArgumentError(
            f"radius is in 0..0.5, noise at least 0 and speed above 0; got {radius:g}, {noise:g} and {speed:g}"
        )
    chance = np.random.default_rng(seed)
    room = 1 - 2 * radius
    start = chance.random((balls, 1, 2)) * room
    angle, pace = 2 * np.pi * chance.random((balls, 1)), speed * (0.5 + chance.random((balls, 1)))
    velocity = np.stack([np.cos(angle), np.sin(angle)], -1) * pace[..., None]
    way = np.mod(start + np.arange(steps)[:, None] * velocity, 2 * room)
    seen: Positions = radius + np.where(way > room, 2 * room - way, way)
    return seen + noise * chance.standard_normal(seen.shape) if noise else seen
