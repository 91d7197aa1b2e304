"""The plane of two features as a perceptron sees it: the border between classes, and the rows it learned from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, printable
from throughtime.inspect.draw import blank_figure, save_figure
from throughtime.inspect.maps import COLOURS, cut
from throughtime.inspect.pictures import INK, SOFT, find_fonts
from throughtime.models.feature_reader import FeatureReader

CELLS = 240  # of the plane, in each direction
MARGIN = 0.06  # of the rows' spread, that is shown beyond them
MOST_CLASSES = 8  # that have a colour of their own
MOST_ROWS = 5000  # that are drawn, in even distances
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")


def draw_boundary(
    reader: FeatureReader, values: NDArray[Any], labels: Sequence[str], path: Path, *, title: str = ""
) -> None:
    """Draws the plane of two features into a .png, .svg or .pdf file, with rows N 2 and their labels on it.

    A place has the colour of its likeliest class, the stronger the surer that is; the border is where two classes are
    equally likely; of two classes thin lines tell where one has a probability of 0.1, 0.25, 0.75 and 0.9.

    Raises `ArgumentError` where there are not two features or no classes to be parted, or more than 8 of these, for
    another kind of file, and `MissingExtraError` without matplotlib.
    """
    _check(reader, values)
    figure = blank_figure(path, (7.2, 5.4))
    import matplotlib as mpl

    fonts = find_fonts()
    with mpl.rc_context({"font.family": fonts.families, "svg.hashsalt": "throughtime"}):
        axes = figure.add_subplot()
        sides = [_side(values[:, column]) for column in range(2)]
        _draw_plane(axes, reader, sides)
        told = _draw_rows(axes, reader, values, np.asarray(labels, object), fonts)
        axes.set(xlim=sides[0][[0, -1]], ylim=sides[1][[0, -1]])
        for name, write in zip(reader.names, (axes.set_xlabel, axes.set_ylabel), strict=True):
            write(cut(fonts.replace(name), 60), color=INK, parse_math=False)
        axes.tick_params(colors=SOFT)
        axes.spines[:].set_color("#c9ced6")
        axes.set_title(told, fontsize=9, color=SOFT, parse_math=False)
        figure.suptitle(cut(fonts.replace(title), 60), parse_math=False, fontsize=12, color=INK)
        legend = figure.legend(loc="outside lower center", ncols=4, frameon=False, labelcolor=INK)
        for text in legend.get_texts():
            text.set_parse_math(False)
        save_figure(figure, path)


def _check(reader: FeatureReader, values: NDArray[Any]) -> None:
    """Refuses what has no boundary that can be drawn."""
    if reader.classes is None:
        raise ArgumentError("it foretells a number, and a boundary is between classes; give --loss cross_entropy")
    if len(reader.names) != 2:
        shown = printable(", ".join(reader.names[:12])) + (", ..." if len(reader.names) > 12 else "")
        raise ArgumentError(
            f"a boundary is drawn in the plane of two features, and there are {len(reader.names)} ({shown}); "
            "train with two of them by --features"
        )
    if len(reader.classes) > MOST_CLASSES:
        raise ArgumentError(f"{len(reader.classes)} classes have no colour each; there are {MOST_CLASSES}")
    if not len(values):
        raise ArgumentError("there are no rows to draw; give one at least")


def _side(column: NDArray[Any]) -> NDArray[np.float64]:
    """The places of the plane along one feature: all rows, and a margin."""
    low, high = float(column.min()), float(column.max())
    margin = MARGIN * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, CELLS)


def _draw_plane(axes: Any, reader: FeatureReader, sides: list[NDArray[np.float64]]) -> None:
    """Colours, and the border."""
    from matplotlib.colors import to_rgb

    plane = np.stack(np.meshgrid(*sides), -1).reshape(-1, 2)
    shares = np.exp(reader.outputs(plane)).reshape(CELLS, CELLS, -1)
    colours = np.array([to_rgb(COLOURS[i]) for i in range(shares.shape[-1])])
    best = shares.max(-1, keepdims=True)
    least = 1 / shares.shape[-1]
    strength = 0.08 + 0.42 * (best - least) / (1 - least)
    image = 1 - strength * (1 - colours[shares.argmax(-1)])
    extent = [bound for side in sides for bound in side[[0, -1]]]
    axes.imshow(image, origin="lower", extent=extent, aspect="auto", interpolation="bilinear")
    if shares.shape[-1] == 2:
        _draw_levels(axes, sides, shares[..., 1], [0.1, 0.25, 0.75, 0.9], colors=SOFT, linewidths=0.6)
    for one in range(shares.shape[-1] if shares.shape[-1] > 2 else 1):
        others = np.delete(shares, one, -1).max(-1)
        _draw_levels(axes, sides, shares[..., one] - others, [0.0], colors=INK, linewidths=1.8)


def _draw_levels(
    axes: Any, sides: list[NDArray[np.float64]], heights: NDArray[np.float64], levels: list[float], **style: Any
) -> None:
    """Lines of equal height, where there are any."""
    within = [level for level in levels if heights.min() < level < heights.max()]
    if within:
        lines = axes.contour(*sides, heights, within, **style)
        if len(levels) > 1:
            axes.clabel(lines, fmt="%g", fontsize=8)


def _draw_rows(axes: Any, reader: FeatureReader, values: NDArray[Any], labels: NDArray[Any], fonts: Any) -> str:
    """The rows as points, those that are taken for another class with a cross; what there is to say of them."""
    assert reader.classes is not None
    step = -(-len(values) // MOST_ROWS)
    some, names = values[::step], labels[::step]
    said = np.array(reader.classes, object)[reader.outputs(some).argmax(1)]
    for number, name in enumerate(reader.classes):
        inside = some[names == name]
        style = {"s": 26, "edgecolors": "white", "linewidths": 0.7, "zorder": 3}
        label = cut(fonts.replace(name), 24)
        label = f" {label}" if label.startswith("_") else label  # which matplotlib would leave out
        axes.scatter(*inside.T, color=COLOURS[number], marker=SHAPES[number], label=label, **style)
    wrong = some[said != names]
    if len(wrong):
        axes.scatter(*wrong.T, marker="x", s=24, color=INK, linewidths=1.1, zorder=4, label="taken for another")
    told = f"{len(some):,} rows to learn from, {len(wrong):,} taken for another class"
    told += f"; {len(values) - len(some):,} are not drawn" if step > 1 else ""
    second = cut(fonts.replace(reader.classes[1]), 24)
    return f"{told}; thin lines: probability of {second}" if len(reader.classes) == 2 else told
