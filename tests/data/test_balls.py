"""Balls in a box: the folded way is that of a ball that is moved step by step and turned at the walls."""

import csv

import numpy as np
import pytest

from throughtime.data.balls import bouncing_balls
from throughtime.data.toys import make_toy
from throughtime.errors import ArgumentError


def test_they_move_evenly_and_turn_at_the_walls():
    followed = turns = 0
    for ball in bouncing_balls(20, 80, seed=3, radius=0.1):
        velocity = ball[1] - ball[0]
        if not np.allclose(ball[2], ball[1] + velocity):  # it met a wall before its velocity could be seen
            continue
        place, followed = ball[1], followed + 1
        for wanted in ball[2:]:
            place = place + velocity
            for axis in range(2):
                if not 0.1 <= place[axis] <= 0.9:
                    wall = 0.1 if place[axis] < 0.1 else 0.9
                    place[axis], velocity[axis] = 2 * wall - place[axis], -velocity[axis]
                    turns += 1
            np.testing.assert_allclose(place, wanted, atol=1e-9)
    assert followed >= 10
    assert turns >= 50


def test_noise_and_seed_say_what_comes():
    still = bouncing_balls(3, 500, seed=1)
    assert (still == bouncing_balls(3, 500, seed=1)).all()
    assert (bouncing_balls(3, 500, seed=1, noise=0.01) - still).std() == pytest.approx(0.01, rel=0.1)
    assert not (still == bouncing_balls(3, 500, seed=2)).all()


def test_they_are_written_as_a_table(tmp_path):
    with make_toy("balls", tmp_path)[0].open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["ball"], row["step"]) for row in rows] == [(str(b), str(s)) for b in range(200) for s in range(60)]
    found = [[float(row["x"]), float(row["y"])] for row in rows]
    np.testing.assert_allclose(found, bouncing_balls(200, 60).reshape(-1, 2), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"balls": 0}, "balls and steps must be at least 1; got 0 and 5"),
        ({"radius": 0.5}, "radius is in 0..0.5"),
        ({"speed": 0.0}, "speed above 0"),
        ({"noise": -1.0}, "noise at least 0"),
        ({"seed": -1}, "seed is a whole number"),
    ],
)
def test_sizes_that_do_not_fit_are_told(options, message):
    with pytest.raises(ArgumentError, match=message):
        bouncing_balls(**({"balls": 2, "steps": 5} | options))
