"""Pictures of forecasts: what is drawn, and what cannot be."""

import numpy as np
import pytest

from throughtime.errors import ArgumentError
from throughtime.inspect.forecasts import Drawn, draw_forecasts


def window(title="load", steps=4, quantiles=None):
    line = np.arange(float(steps))
    return Drawn(title, np.arange(6.0), line, line + 1, quantiles)


def test_windows_and_their_bands_are_drawn_and_names_are_no_formulas(tmp_path):
    band = np.arange(4.0)[:, None] + np.array([-2.0, -1, 0, 1, 2])
    path = tmp_path / "forecast.svg"
    draw_forecasts(
        [window("$load", quantiles=band), window()], path, title="a run", levels=(0.05, 0.25, 0.5, 0.75, 0.95)
    )
    drawn = path.read_text()
    for word in ("$load", "a run", "came", "forecast", "0.05 to 0.95", "0.25 to 0.75"):
        assert f"<!-- {word} -->" in drawn
    assert drawn.count('id="FillBetweenPolyCollection') == 2


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([], "a picture has 1 to 24 windows; got 0"),
        ([window()] * 25, "a picture has 1 to 24 windows; got 25"),
        (
            [Drawn("x", np.zeros(3), np.zeros(4), np.zeros(5))],
            "4 steps that came, 5 that were forecast and no quantiles",
        ),
        ([window(quantiles=np.zeros((4, 2)))], r"quantiles \(4, 2\); they are to fit 3 levels"),
    ],
)
def test_windows_that_do_not_fit_are_told(windows, message, tmp_path):
    with pytest.raises(ArgumentError, match=message):
        draw_forecasts(windows, tmp_path / "f.png", levels=(0.1, 0.5, 0.9))
