"""Beam trees as pictures: what each step kept and pruned, which way the translation went, where the reference fell off.

Steps go from left to right, in as many lines as they need; a line begins with the last step of the one before. In a
step the likeliest hypothesis stands on top. In a box are the symbol, log P of all so far, and the score it would have
if it ended there.
"""

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

from throughtime.errors import ArgumentError
from throughtime.inspect.beam_chart import BESIDE, Box, Chart, Kind, Place, chart_of, verdict
from throughtime.inspect.draw import blank_figure, save_figure
from throughtime.inspect.mistakes import legible
from throughtime.inspect.pictures import INK, SOFT, Fonts
from throughtime.inspect.scripts import fonts_for, writable
from throughtime.models.beam_tree import BeamTree

FACES: dict[Kind, tuple[str, str, float]] = {  # fill, edge, width of the edge in points
    "both": ("#dff0e4", "#1f6f43", 1.3),
    "translation": ("#dbe9f8", "#0b4f8a", 1.3),
    "reference": ("#fdeadd", "#b3400a", 1.3),
    "kept": ("#ffffff", "#9aa7b5", 0.8),
    "pruned": ("#f4f5f7", "#d5dae1", 0.6),
}
NAMES: dict[Kind, str] = {
    "both": "translation and reference",
    "translation": "translation",
    "reference": "reference (dashed: off the beam)",
    "kept": "kept",
    "pruned": "pruned",
}
# Inches.
WIDTH, NARROW = 13.0, 9.5  # of a page, at most and at least
EDGE, CELL, ROW, GAP, HEAD, LINE = 0.35, 0.34, 0.42, 0.36, 0.36, 0.2
NARROWEST, WIDEST = 0.8, 1.6  # of a box
TOKEN, NUMBER, TEXT = 8.5, 6.2, 9.5  # points
DASHES = (0, (3, 2))
Point = tuple[float, float]


def draw_beam_tree(tree: BeamTree, path: Path, *, title: str = "") -> list[str]:
    """Draws a beam tree into a .png, .svg or .pdf file; tells what no font could write.

    What is left out for want of room is counted below it.

    Raises `ArgumentError` for another kind of file or a tree without steps, `MissingExtraError` without matplotlib.
    """
    figure = blank_figure(path, (WIDTH, 4))
    if not tree.branches:
        raise ArgumentError("the search took no step: there is no beam to draw")
    import matplotlib as mpl

    chart, heading = chart_of(tree), _heading(tree, title)
    texts = [text for text, _ in heading] + [box.token for box in chart.boxes.values()]
    fonts, notes = fonts_for(legible("".join(texts)))
    with mpl.rc_context({"font.family": fonts.families, "svg.hashsalt": "throughtime"}):
        sheet = _sheet(figure, chart, fonts, heading)
        for number, times in enumerate(sheet.bands):
            _draw_band(sheet, number, times)
        _draw_legend(sheet)
        save_figure(figure, path)
    return notes


class _Sheet(NamedTuple):
    """A page measured in inches from the lower left."""

    axes: Any
    chart: Chart
    fonts: Fonts
    ruler: "_Ruler"
    bands: list[range]
    cell: float  # the width of a box
    top: float  # of the first band

    def at(self, band: int, place: Place) -> tuple[float, float]:
        """The middle of the left side of a box."""
        row = self.chart.rows(self.bands[band]) if place.row == BESIDE else place.row
        below = self.top - sum(_height(self.chart, times) for times in self.bands[:band]) - HEAD
        return EDGE + (place.time - self.bands[band].start) * (self.cell + GAP), below - (row + 0.5) * ROW

    def write(self, x: float, y: float, text: str, size: float = TEXT, **style: Any) -> None:
        style = {"color": INK, "va": "center_baseline", **style}
        self.axes.text(x, y, text, size=size, parse_math=False, **style)


class _Ruler:
    """How texts are written, and how wide they are then."""

    def __init__(self, figure: Any, fonts: Fonts) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas: Any = FigureCanvasAgg(figure)
        self.renderer, self.dpi, self.fonts = canvas.get_renderer(), figure.dpi, fonts

    def shown(self, text: str) -> str:
        """A text in letters that can be written."""
        return writable(legible(text), self.fonts)

    def width(self, text: str, size: float) -> float:
        """In inches."""
        from matplotlib.font_manager import FontProperties

        wide = self.renderer.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)[0]
        return float(wide) / float(self.dpi)

    def fit(self, text: str, width: float, size: float) -> str:
        """As much of a text as fits into a width, in letters that can be written."""
        shown = self.shown(text[:200])
        if self.width(shown, size) <= width:
            return shown
        most = bisect_right(range(len(shown)), width, key=lambda n: self.width(shown[:n] + "…", size)) - 1
        return f"{shown[: max(most, 1)]}…"


def _heading(tree: BeamTree, title: str) -> list[tuple[str, str]]:
    """The lines above: a text each, and its colour."""
    told = [(title, INK)] if title else []
    told.append((f"Beam of {tree.width}, ranked with alpha {tree.alpha:g}. {verdict(tree)}", INK))
    colours = SOFT, FACES["translation"][1], FACES["reference"][1]
    for name, text, colour in zip(("source", "translation", "reference"), tree.texts, colours, strict=True):
        told.append((f"{name}:  {text}", colour))
    return told


def _sheet(figure: Any, chart: Chart, fonts: Fonts, heading: Sequence[tuple[str, str]]) -> _Sheet:
    """The page with its heading."""
    ruler = _Ruler(figure, fonts)
    tokens = {ruler.shown(box.token[:20]) for box in chart.boxes.values()}
    numbers = {box.numbers for box in chart.boxes.values()}
    widths = [ruler.width(token, TOKEN) for token in tokens] + [ruler.width(some, NUMBER) for some in numbers]
    cell = min(max(NARROWEST, max(widths) + 0.14), WIDEST)
    bands = list(chart.bands(int((WIDTH - 2 * EDGE + GAP) // (cell + GAP))))
    wide = max(NARROW, 2 * EDGE + max(map(len, bands)) * (cell + GAP) - GAP)
    lines = [(part, colour) for text, colour in heading for part in _wrapped(ruler, text, wide - 2 * EDGE)]
    above, below = EDGE + LINE * len(lines) + 0.1, 2 * LINE + EDGE
    height = above + sum(_height(chart, times) for times in bands) + below
    figure.set_layout_engine("none")
    figure.set_size_inches(wide, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, wide), ylim=(0, height), autoscale_on=False)
    axes.axis("off")
    sheet = _Sheet(axes, chart, fonts, ruler, bands, cell, height - above)
    for number, (line, colour) in enumerate(lines):
        sheet.write(EDGE, height - EDGE - LINE * number, line, color=colour)
    return sheet


def _height(chart: Chart, times: range) -> float:
    """Of a band."""
    beside = any(Place(time, BESIDE) in chart.boxes for time in times)
    return HEAD + (chart.rows(times) + beside) * ROW + 0.2


def _wrapped(ruler: _Ruler, text: str, width: float) -> list[str]:
    """A text in lines of a width, three at most."""
    shown = ruler.shown(text[:2000])
    fitting = max(20, int(0.97 * len(shown) * width / max(ruler.width(shown, TEXT), 1e-9)))
    return wrap(shown, fitting, max_lines=3, placeholder=" …", subsequent_indent="    ") or [""]


def _draw_band(sheet: _Sheet, band: int, times: range) -> None:
    for time in times:
        x, y = sheet.at(band, Place(time, 0))
        told = "begin" if time < 0 else f"length {time + 1}"
        middle = x + sheet.cell / (1 if time < 0 else 2)
        sheet.write(middle, y + ROW / 2 + 0.12, told, size=7.5, ha="center", color=SOFT)
    boxes = {place: box for place, box in sheet.chart.boxes.items() if place.time in times}
    for place, box in boxes.items():
        if box.parent is not None and box.parent.time in times:
            _draw_edge(sheet, sheet.at(band, place), box, sheet.at(band, box.parent))
    for place, box in boxes.items():
        _draw_box(sheet, band, place, box, faint=band > 0 and place.time == times.start)
    if times.start < 0:
        x, y = sheet.at(band, Place(-1, 0))
        sheet.axes.plot([x + sheet.cell], [y], "o", color=INK, markersize=7, zorder=5)
    _mark_fall(sheet, band, times)


def _draw_edge(sheet: _Sheet, end: Point, box: Box, begin: Point) -> None:
    """A curve from the right of the parent to the left of its child."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    left, middle = begin[0] + sheet.cell, end[0] - GAP / 2
    points = [(left, begin[1]), (middle, begin[1]), (middle, end[1]), end]
    _, colour, wide = FACES[box.kind]
    style = {"linestyle": DASHES if box.gone else "solid"}
    curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    sheet.axes.add_patch(PathPatch(curve, fill=False, edgecolor=colour, linewidth=wide, zorder=1 + wide, **style))


def _draw_box(sheet: _Sheet, band: int, place: Place, box: Box, *, faint: bool) -> None:
    x, y = sheet.at(band, place)
    alpha = 0.5 if faint else 1.0
    for inset in (0, 0.025)[: 1 + box.ended]:  # what ended has a second frame
        frame = _frame((x + inset, y - CELL / 2 + inset), (sheet.cell - 2 * inset, CELL - 2 * inset), box.kind)
        frame.set(alpha=alpha, zorder=4, linestyle=DASHES if box.gone else "solid")
        sheet.axes.add_patch(frame)
    style = {"ha": "center", "zorder": 5, "alpha": alpha}
    token = sheet.ruler.fit(box.token, sheet.cell - 0.1, TOKEN)
    ink = SOFT if box.kind == "pruned" else INK
    sheet.write(x + sheet.cell / 2, y + 0.065, token, size=TOKEN, color=ink, **style)
    sheet.write(x + sheet.cell / 2, y - 0.085, box.numbers, size=NUMBER, color=SOFT, **style)


def _frame(corner: Point, size: Point, kind: Kind) -> Any:
    from matplotlib.patches import FancyBboxPatch

    fill, edge, wide = FACES[kind]
    shape = "round,pad=0,rounding_size=0.05"
    return FancyBboxPatch(corner, *size, boxstyle=shape, facecolor=fill, edgecolor=edge, linewidth=wide)


def _mark_fall(sheet: _Sheet, band: int, times: range) -> None:
    """A cross on the edge where the reference left the beam."""
    tree = sheet.chart.tree
    if tree.fell is None or tree.fell not in times or tree.fell == times.start:
        return
    x, y = sheet.at(band, Place(tree.fell, BESIDE))
    sheet.axes.plot([x - 0.09], [y], "X", color=FACES["reference"][1], markersize=8, zorder=6, markeredgecolor="white")


def _draw_legend(sheet: _Sheet) -> None:
    """What the colours mean, and what has no box."""
    x, y = EDGE, EDGE + LINE
    for kind, name in NAMES.items():
        sheet.axes.add_patch(_frame((x, y - 0.06), (0.22, 0.12), kind))
        sheet.write(x + 0.3, y, name, size=8, color=SOFT)
        x += 0.3 + sheet.ruler.width(name, 8) + 0.3
    sheet.write(x, y, "double frame: ended", size=8, color=SOFT)
    sheet.write(EDGE, EDGE, sheet.chart.told(), size=8, color=SOFT)
