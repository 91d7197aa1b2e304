"""Drawings of alignments: a matrix for each head, the units of the source across and those of the target down."""

from pathlib import Path
from typing import Any, NamedTuple

from throughtime.data.alignments import Alignment
from throughtime.data.line_units import SPACE
from throughtime.errors import ArgumentError
from throughtime.inspect.draw import blank_figure, check_picture, save_figure
from throughtime.inspect.maps import cut
from throughtime.inspect.mistakes import legible
from throughtime.inspect.pictures import INK, SOFT
from throughtime.inspect.scripts import fonts_for, is_right_to_left, writable

MOST_UNITS = 400  # of a side; the labels of more cannot be read on any paper
MOST_HEADS = 16
LONGEST = 24  # letters of a label
BLUES = ["#ffffff", "#c6dcf2", "#5a9bd8", "#0b4f9e", "#06264f"]
# Inches from here on.
CELL, SMALLEST = 0.27, 0.09
WIDEST = 16.0  # of a row of matrices
BAR = 4.0  # the bar of colours, at most


class Plan(NamedTuple):
    """How large things are."""

    across: float  # of a cell
    down: float
    left: float  # for the labels of the target
    above: float  # for those of the source
    columns: int  # of matrices
    rows: int
    slant: int  # degrees of the labels above


def draw_alignment(alignment: Alignment, path: Path, *, title: str = "") -> list[str]:
    """Draws an alignment into a .png, .svg or .pdf file, its heads side by side; tells what no font could write.

    A source that runs from right to left stands so. All heads have the same colours, from zero to the next round
    number above the largest weight.

    Raises `ArgumentError` for another kind of file, a side of over 400 units, over 16 heads or none, an empty source;
    `MissingExtraError` without matplotlib; `StorageError` where the file cannot be written.
    """
    check_picture(path)
    alignment = alignment.characters()
    _check(alignment)
    blank_figure(path, (1, 1))  # or fonts would be looked for without anything to draw with
    import matplotlib as mpl

    title = legible(title)
    sides = [[_shown(unit) for unit in side] for side in (alignment.source, alignment.target)]
    fonts, notes = fonts_for("".join([title, *sides[0], *sides[1]]))
    source, target = ([writable(unit, fonts) for unit in side] for side in sides)
    with mpl.rc_context({"font.family": fonts.families, "svg.hashsalt": "throughtime"}):
        plan = _plan(source, target, len(alignment.weights))
        figure = blank_figure(path, _size(alignment, plan, titled=bool(title)))
        _draw(figure, alignment, (source, target), plan)
        if title:
            figure.suptitle(writable(title, fonts), x=0.02, ha="left", color=INK, size=12, parse_math=False)
        save_figure(figure, path)
    return notes


def _check(alignment: Alignment) -> None:
    """Refuses what no picture can show."""
    heads, down, across = alignment.weights.shape
    if not heads:
        raise ArgumentError("there is no attention to draw: the model has none; train one with --attention additive")
    if not across:
        raise ArgumentError("an empty source has nothing to look at; choose another line")
    if max(across, down) > MOST_UNITS:
        raise ArgumentError(
            f"a picture shows at most {MOST_UNITS} units of a side; got {across:,} of the source and {down:,} of the "
            "target: choose a shorter line"
        )
    if heads > MOST_HEADS:
        raise ArgumentError(f"a picture shows at most {MOST_HEADS} heads; got {heads}: draw some of them")


def _shown(unit: str) -> str:
    """The name of a unit as a label: white space is seen."""
    return SPACE * len(unit) if unit.isspace() else cut(legible(unit), LONGEST)


def _plan(source: list[str], target: list[str], heads: int) -> Plan:
    """Cells as large as labels need, smaller where there are many."""
    across, down = (max(SMALLEST, min(CELL, 11 / len(side))) for side in (source, target))
    longest = max(map(_width, source))
    slant = 0 if longest < 1.5 and across >= 0.2 else 45 if across >= 0.2 else 90
    rise = {0: 0.25, 45: 0.75, 90: 1.0}[slant]
    above = max(0.25, rise * longest * _points(across) / 72 + 0.1)
    left = max(map(_width, target)) * _points(down) / 72 + 0.15
    rows = -(-heads // max(1, int((WIDEST - left) / (across * len(source) + 0.3))))
    return Plan(across, down, left, above, -(-heads // rows), rows, slant)


def _width(label: str) -> float:
    """About how wide a label is, in letters of its own height."""
    return sum(1.0 if ord(letter) > 0x2E80 else 0.62 for letter in label)


def _points(cell: float) -> float:
    """The size of letters beside cells of a size."""
    return min(10.0, 0.74 * 72 * cell)


def _size(alignment: Alignment, plan: Plan, *, titled: bool) -> tuple[float, float]:
    """Of the figure: the matrices, the labels around them, and the bar of colours."""
    _, down, across = alignment.weights.shape
    spill = plan.above if plan.slant == 45 else 0.0  # of the last label, over the edge of its matrix
    width = plan.left + plan.columns * (plan.across * across + 0.3) + spill + 0.9
    height = plan.rows * (plan.down * down + plan.above + 0.35) + 0.4 * titled + 0.1
    return max(width, 3.0), max(height, 2.2)


def _draw(figure: Any, alignment: Alignment, labels: tuple[list[str], list[str]], plan: Plan) -> None:
    """Draws each head into a matrix of its own, and the bar of colours that they share."""
    from matplotlib.colors import LinearSegmentedColormap

    heads = len(alignment.weights)
    panels = figure.subplots(plan.rows, plan.columns, squeeze=False)
    colours = LinearSegmentedColormap.from_list("weight", BLUES)
    most = float(alignment.weights.max())
    top = next(top for top in (0.05, 0.1, 0.2, 0.5, 1.0, most) if top >= most - 1e-6)
    for place, axes in enumerate(panels.flat):
        if place >= heads:
            axes.set_axis_off()
            continue
        image = axes.imshow(alignment.weights[place], cmap=colours, vmin=0, vmax=top, interpolation="nearest")
        _label(axes, labels, plan, first=place % plan.columns == 0)
        if is_right_to_left("".join(alignment.source)):
            axes.invert_xaxis()
        if heads > 1:
            axes.set_xlabel(f"head {place + 1}", color=SOFT, size=10)
    wide, high = figure.get_size_inches()
    long = min(0.9, BAR / high)  # a share of the figure
    bar = figure.colorbar(image, ax=panels, fraction=0.2 / wide, pad=0.1 / wide, shrink=long, aspect=long * high / 0.13)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, color=SOFT, labelcolor=SOFT, length=2)
    bar.set_label("weight", color=SOFT, size=9)


def _label(axes: Any, labels: tuple[list[str], list[str]], plan: Plan, *, first: bool) -> None:
    """Writes the units around a matrix, those of the target beside the first of a row alone."""
    source, target = labels
    slanted: dict[str, Any] = {"rotation": plan.slant, "rotation_mode": "anchor"}
    slanted |= {"ha": "center" if plan.slant == 0 else "left", "va": "center" if plan.slant == 90 else "baseline"}
    size = _points(plan.across)
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(source)), source, parse_math=False, color=INK, size=size, **slanted)
    shown = target if first else [""] * len(target)
    axes.set_yticks(range(len(target)), shown, parse_math=False, color=INK, size=_points(plan.down))
    axes.tick_params(length=0, pad=3)
    axes.spines[:].set_color("#d9dee6")
    if min(plan.across, plan.down) > 0.15:
        axes.set_xticks([place - 0.5 for place in range(1, len(source))], minor=True)
        axes.set_yticks([place - 0.5 for place in range(1, len(target))], minor=True)
        axes.grid(which="minor", color="white", linewidth=1)
        axes.tick_params(which="minor", length=0)
