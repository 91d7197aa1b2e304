import io

import numpy as np
import pytest
from matplotlib.image import imread

from throughtime.errors import ArgumentError
from throughtime.inspect.projections import TOP, projections

WORDS = ["nurse", "captain", "a $x_1$ \\frac", "長い", "x" * 60, "\x1b[31m"]
BEFORE, AFTER = [-0.2, 0.3, 0.0, 0.1, -0.4, 0.2], [0.0] * 6


@pytest.mark.parametrize("after", [AFTER, BEFORE])
def test_pictures_hold_a_dot_before_and_one_after_for_each_word(after):
    body = projections(WORDS, BEFORE, after, kind="png", ends=("he", "she"), title="$ 漢", subtitle="of words")
    assert body == projections(WORDS, BEFORE, after, kind="png", ends=("he", "she"), title="$ 漢", subtitle="of words")
    pixels = imread(io.BytesIO(body))[..., :3]
    orange = np.abs(pixels - np.array([0xC2, 0x41, 0x0C]) / 255).max(axis=2) < 0.02
    dots = orange[round(TOP * 150) :]  # below the line that explains them
    assert (np.diff(dots.any(axis=1).astype(int)) == 1).sum() == len(WORDS)
    spread = np.ptp(np.flatnonzero(dots.any(axis=0)))
    assert spread < 20 if after is AFTER else spread > 600


def test_svg_is_the_same_each_time():
    bodies = {projections(WORDS, BEFORE, AFTER, kind="svg", ends=("he", "she")) for _ in range(2)}
    assert len(bodies) == 1
    assert bodies.pop().startswith(b"<?xml")


def test_one_word_that_does_not_lean():
    assert projections(["x"], [0.0], [0.0], kind="png", ends=("a", "b")).startswith(b"\x89PNG")


def test_no_words_are_no_picture():
    with pytest.raises(ArgumentError, match="there are no words to draw"):
        projections([], [], [], kind="png", ends=("a", "b"))
