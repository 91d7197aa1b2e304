"""How much each setting mattered in a search, as a picture."""

from collections.abc import Mapping
from pathlib import Path

from throughtime.inspect.draw import blank_figure, save_figure
from throughtime.inspect.pictures import INK, SOFT, find_fonts

BAR = "#0b4f8a"


def draw_importances(importances: Mapping[str, float], path: Path, *, title: str = "", note: str = "") -> None:
    """Draws a bar for each setting into a .png, .svg or .pdf file, the largest on top.

    Raises `ArgumentError` for another kind of file, `MissingExtraError` without matplotlib.
    """
    figure = blank_figure(path, (7.0, 1.3 + 0.34 * len(importances)))
    import matplotlib as mpl

    fonts = find_fonts()
    names = [fonts.replace(name.replace("_", " ")) for name in importances]
    shares = [100 * share for share in importances.values()]
    with mpl.rc_context({"font.family": fonts.families, "svg.hashsalt": "throughtime"}):
        axes = figure.add_subplot()
        axes.barh(range(len(names)), shares, color=BAR, height=0.66)
        axes.set_yticks(range(len(names)), names, color=INK, fontsize=10, parse_math=False)
        axes.invert_yaxis()
        for place, share in enumerate(shares):
            axes.text(share, place, f" {share:.0f} %", va="center", color=SOFT, fontsize=9)
        axes.set_xlim(0, 1.12 * max([*shares, 1.0]))
        axes.set_xlabel("share of what sets good trials apart, %", color=SOFT, fontsize=9)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False, colors=SOFT, labelsize=9)
        axes.tick_params(axis="y", labelcolor=INK, labelsize=10)
        axes.set_title(fonts.replace(title), loc="left", fontsize=12, color=INK, parse_math=False)
        if note:
            figure.supxlabel(fonts.replace(note), x=0.01, ha="left", fontsize=8.5, color=SOFT, parse_math=False)
        save_figure(figure, path)
