"""Forecasts as a picture: what was seen, what came, what was said, and how sure that was."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.inspect.draw import blank_figure, save_figure
from throughtime.inspect.maps import cut
from throughtime.inspect.pictures import INK, SOFT, find_fonts

PAST, TRUTH, SAID = "#6b7785", "#1f2933", "#c2410c"
MOST = 24  # windows: beyond, a page is not legible
LONGEST = 70  # letters of a title


@dataclass(frozen=True)
class Drawn:
    """A window of one variable.

    history    L'    what was seen last
    truth      H     what came
    forecast   H
    quantiles  H Q   rising; None where there are none
    """

    title: str
    history: NDArray[Any]
    truth: NDArray[Any]
    forecast: NDArray[Any]
    quantiles: NDArray[Any] | None = None


def draw_forecasts(windows: Sequence[Drawn], path: Path, *, title: str = "", levels: Sequence[float] = ()) -> None:
    """Draws windows one below the other into a .png, .svg or .pdf file; quantiles are bands, the inner ones darker.

    Raises `ArgumentError` for no windows or too many, for lengths that do not fit and for another kind of file,
    `MissingExtraError` without matplotlib.
    """
    if not 0 < len(windows) <= MOST:
        raise ArgumentError(f"a picture has 1 to {MOST} windows; got {len(windows)}")
    for window in windows:
        steps, many = len(window.truth), window.quantiles
        if len(window.forecast) != steps or (many is not None and many.shape != (steps, len(levels))):
            raise ArgumentError(
                f"{window.title!a:.60} has {steps} steps that came, {len(window.forecast)} that were forecast and "
                f"{'no quantiles' if many is None else f'quantiles {many.shape}'}; they are to fit {len(levels)} levels"
            )
    figure = blank_figure(path, (7.5, 0.6 + 2.0 * len(windows)))
    import matplotlib as mpl

    fonts = find_fonts()
    with mpl.rc_context({"font.family": fonts.families, "svg.hashsalt": "throughtime"}):
        for axes, window in zip(figure.subplots(len(windows), 1, squeeze=False)[:, 0], windows, strict=True):
            _draw(axes, window, levels)
            axes.set_title(
                cut(fonts.replace(window.title), LONGEST), fontsize=9, color=SOFT, loc="left", parse_math=False
            )
        figure.axes[0].legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
        figure.axes[-1].set_xlabel("steps from the end of what was seen", color=SOFT, fontsize=9)
        figure.suptitle(cut(fonts.replace(title), LONGEST), parse_math=False, fontsize=12, color=INK)
        save_figure(figure, path)


def _draw(axes: Any, window: Drawn, levels: Sequence[float]) -> None:
    before, ahead = np.arange(1 - len(window.history), 1), np.arange(1, len(window.truth) + 1)
    if window.quantiles is not None:
        for low in range(len(levels) // 2):
            high = len(levels) - 1 - low
            label = f"{levels[low]:g} to {levels[high]:g}"
            band = window.quantiles[:, low], window.quantiles[:, high]
            axes.fill_between(ahead, *band, color=SAID, alpha=0.18, linewidth=0, label=label)
    last = window.history[-1:]  # so that lines begin where the history ends
    axes.plot(before, window.history, color=PAST, linewidth=1.0)
    axes.plot([0, *ahead], [*last, *window.truth], color=TRUTH, linewidth=1.2, label="came")
    axes.plot([0, *ahead], [*last, *window.forecast], color=SAID, linewidth=1.6, label="forecast")
    axes.axvline(0, color=SOFT, linewidth=0.6, linestyle=":")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
