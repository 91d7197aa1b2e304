"""Importances as a picture."""

import pytest

from throughtime.errors import ArgumentError
from throughtime.inspect.importance import draw_importances


@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_a_bar_for_each_setting(tmp_path, ending):
    path = tmp_path / f"some{ending}"
    draw_importances({"learning_rate": 0.75, "$x_{1}$ <b>": 0.25}, path, title="12 trials", note="a hint at most")
    assert path.stat().st_size > 1000
    if ending == ".png":
        from matplotlib.image import imread

        pixels = imread(path)[..., :3]
        blue = (abs(pixels - [11 / 255, 79 / 255, 138 / 255]).max(-1) < 0.02).sum(1)
        widths = [int(count) for count in sorted(set(blue[blue > 20].tolist()))]
        assert widths[-1] == pytest.approx(3 * widths[0], rel=0.05)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"drawings go into a \.png, .svg or .pdf file"):
        draw_importances({"a": 1.0}, tmp_path / "some.gif")
