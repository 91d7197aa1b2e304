"""A reliability diagram: how often predictions are right, over how sure they are."""

from pathlib import Path
from typing import Any

from throughtime.errors import ArgumentError
from throughtime.inspect.draw import blank_figure, save_figure
from throughtime.inspect.maps import cut
from throughtime.inspect.pictures import INK, SOFT, find_fonts
from throughtime.metrics.calibration import Bin, Reliability

SHARE, GAP = "#2f6fa8", "#e8a27c"


def draw_reliability(table: Reliability, path: Path, *, title: str = "") -> None:
    """Draws how right predictions are in each bin of confidence into a .png, .svg or .pdf file.

    On the diagonal accuracy and confidence are the same; the gap between them is drawn from the accuracy to the mean
    confidence of the bin. Below stands how many predictions there are in each bin.

    Raises `ArgumentError` for a table without predictions or another kind of file, `MissingExtraError` without
    matplotlib.

    Source: Guo et al. (2017), figure 1.
    """
    if not table.items:
        raise ArgumentError("there are no predictions to draw a reliability diagram of")
    figure = blank_figure(path, (5.2, 6.2))
    import matplotlib as mpl

    fonts = find_fonts()
    with mpl.rc_context({"font.family": fonts.families, "svg.hashsalt": "throughtime"}):
        rates, counts = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        filled = [bin for bin in table.bins if bin.items]
        _draw_rates(rates, filled)
        edges = {"edgecolor": "white", "linewidth": 0.6, "align": "edge"}
        counts.bar([bin.low for bin in filled], [bin.items for bin in filled], _widths(filled), color=SOFT, **edges)
        counts.set_ylabel("predictions", color=SOFT)
        counts.set_xlabel("confidence", color=SOFT)
        for axes in (rates, counts):
            axes.spines[["top", "right"]].set_visible(False)
        error, largest = table.expected_error, table.maximum_error
        told = f"expected calibration error {error:.3f}, largest gap {largest:.3f}, {table.items:,} predictions"
        rates.set_title(told, fontsize=9, color=SOFT)
        figure.suptitle(cut(fonts.replace(title), 50), parse_math=False, fontsize=12, color=INK)
        save_figure(figure, path)


def _draw_rates(axes: Any, filled: list[Bin]) -> None:
    lows, widths = [bin.low for bin in filled], _widths(filled)
    shares = [bin.accuracy or 0.0 for bin in filled]
    gaps = [(bin.confidence or 0.0) - share for bin, share in zip(filled, shares, strict=True)]
    axes.bar(lows, shares, widths, align="edge", color=SHARE, edgecolor="white", linewidth=0.6, label="accuracy")
    axes.bar(
        lows,
        gaps,
        widths,
        bottom=shares,
        align="edge",
        color=GAP,
        alpha=0.75,
        edgecolor="#b3400a",
        linewidth=0.8,
        hatch="///",
        label="gap to confidence",
    )
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_ylabel("accuracy", color=SOFT)
    axes.legend(frameon=False, loc="upper left")


def _widths(bins: list[Bin]) -> list[float]:
    return [bin.high - bin.low for bin in bins]
