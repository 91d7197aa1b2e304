"""A confusion matrix as a picture: which classes are taken for which."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from throughtime.errors import ArgumentError
from throughtime.inspect.draw import blank_figure, save_figure
from throughtime.inspect.maps import cut
from throughtime.inspect.pictures import INK, SOFT, find_fonts
from throughtime.metrics.classes import cells_of
from throughtime.metrics.scores import ratio

MOST = 100  # classes: beyond, neither names nor counts would be legible
LONGEST = 24  # letters of a name
RIGHT, WRONG, EMPTY = "#0b4f8a", "#b3400a", "#f4f5f7"
DARK = 0.2  # luminance below which white is read more easily than ink


def draw_confusion(matrix: ArrayLike, names: Sequence[str], path: Path, *, title: str = "") -> None:
    """Draws a confusion matrix (K K), rows the true classes, into a .png, .svg or .pdf file.

    A cell has its count, and the darker it is the larger a share of its row that is: blue where the class is right,
    orange where it is wrong. Beside each row stands the recall of the class, above each column its precision.

    Raises `ArgumentError` for another kind of file, for names that do not fit the matrix and for more classes than
    are legible; `MissingExtraError` without matplotlib.
    """
    cells = cells_of(matrix)
    if len(names) != len(cells):
        raise ArgumentError(f"{len(cells)} classes need as many names; got {len(names)}")
    if len(cells) > MOST:
        raise ArgumentError(f"a picture of {len(cells)} classes is not legible; draw {MOST} of them at the most")
    size, font = _sizes(len(cells))
    figure = blank_figure(path, (1, 1))
    import matplotlib as mpl

    fonts = find_fonts()
    shown = [fonts.replace(cut(str(name), LONGEST)) for name in names]
    with mpl.rc_context({"font.family": fonts.families, "svg.hashsalt": "throughtime"}):
        room = _widest(figure, shown, font + 1)
        turned = room > size - 0.1
        side = size * len(cells)
        figure.set_size_inches(max(side + room + 1.4, 3.6), side + (room if turned else 0.2) + 1.8)
        axes = figure.add_subplot(aspect="equal")
        shares = ratio(cells, cells.sum(axis=1, keepdims=True))
        colours = _colours(shares)
        axes.imshow(colours, interpolation="nearest")
        _write_counts(axes, cells, colours, font)
        _name_axes(axes, shown, font + 1, turned=turned)
        _write_rates(axes, cells, font)
        heading = cut(fonts.replace(title), int(9 * figure.get_figwidth()))
        figure.suptitle(heading, parse_math=False, fontsize=12, color=INK)
        save_figure(figure, path)


def _sizes(classes: int) -> tuple[float, float]:
    """The side of a cell in inches, and the size of its text in points."""
    for most, size, font in [(3, 1.0, 11.0), (6, 0.75, 10.0), (12, 0.6, 9.0), (30, 0.42, 7.5)]:
        if classes <= most:
            return size, font
    return 0.3, 6.0


def _colours(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K K 3) the colour of each cell, by the root of its share: so a few mistakes among many are to be seen."""
    from matplotlib.colors import to_rgb

    strength = np.sqrt(np.nan_to_num(shares))[..., None]
    full = np.where(np.eye(len(shares), dtype=bool)[..., None], to_rgb(RIGHT), to_rgb(WRONG))
    mixed: NDArray[np.float64] = np.array(to_rgb(EMPTY)) * (1 - strength) + full * strength
    return mixed


def _write_counts(axes: Any, cells: NDArray[Any], colours: NDArray[np.float64], font: float) -> None:
    luminance = colours**2.2 @ (0.2126, 0.7152, 0.0722)
    style = {"size": font, "ha": "center", "va": "center", "parse_math": False, "in_layout": False}
    for row, column in np.argwhere(cells > 0).tolist():
        text = short(float(cells[row, column]))
        axes.text(column, row, text, color="white" if luminance[row, column] < DARK else INK, **style)


def _widest(figure: Any, names: list[str], font: float) -> float:
    """How many inches the widest name takes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.font_manager import FontProperties

    canvas: Any = FigureCanvasAgg(figure)
    renderer, properties = canvas.get_renderer(), FontProperties(size=font)
    widths = [renderer.get_text_width_height_descent(name, properties, ismath=False)[0] for name in names]
    return float(max(widths) / figure.dpi)


def _name_axes(axes: Any, names: list[str], font: float, *, turned: bool) -> None:
    places, style = range(len(names)), {"fontsize": font, "color": INK, "parse_math": False}
    axes.set_xticks(places, names, rotation=90 if turned else 0, **style)
    axes.set_yticks(places, names, **style)
    axes.set_xlabel("predicted", color=SOFT, fontsize=11)
    axes.set_ylabel("true", color=SOFT, fontsize=11)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    edges = np.arange(len(names) + 1) - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)


def _write_rates(axes: Any, cells: NDArray[Any], font: float) -> None:
    """Recall on the right, precision above."""
    right = np.diagonal(cells)
    places = range(len(cells))
    style = {"fontsize": font, "color": SOFT}
    above, beside = axes.secondary_xaxis("top"), axes.secondary_yaxis("right")
    above.set_xticks(places, _percents(right, cells.sum(axis=0)), **style)
    beside.set_yticks(places, _percents(right, cells.sum(axis=1)), **style)
    above.set_xlabel("precision, %", color=SOFT, fontsize=9)
    beside.set_ylabel("recall, %", color=SOFT, fontsize=9)
    for axis in (above, beside):
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)


def _percents(part: NDArray[Any], whole: NDArray[Any]) -> list[str]:
    return ["–" if np.isnan(share) else f"{100 * share:.0f}" for share in ratio(part, whole)]


def short(count: float) -> str:
    """A count in four letters or so.

    >>> [short(count) for count in (7, 1234, 12345, 4e6, 2.5)]
    ['7', '1234', '12k', '4M', '2.5']
    """
    if count >= 1e6:
        return f"{count / 1e6:.3g}M"
    if count >= 1e4:
        return f"{count / 1e3:.0f}k"
    return f"{count:.0f}" if count == round(count) or count >= 100 else f"{count:.2g}"
