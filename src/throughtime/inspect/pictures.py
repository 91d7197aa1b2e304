"""Maps of words as pictures, drawn with matplotlib."""

import io
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from unicodedata import bidirectional

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import MissingExtraError, printable
from throughtime.inspect.labels import Box, place_labels
from throughtime.inspect.layout import Layout, Lean
from throughtime.inspect.maps import COLOURS, DIVERGING, Colour, caption, cut, lean_limit

INK, SOFT, FIELD = "#1b1f27", "#5b6472", "#f7f8fa"
SHAPES = ["o", "s", "^"]
FAMILIES = [  # the first writes most; the others stand in for letters that it has not, where they are installed
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Microsoft YaHei",
    "Arial Unicode MS",
]
# Typographic points from here on.
WIDTH = 864.0  # of the map; its height follows from where the words are
LOWEST, HIGHEST = 480.0, 864.0
EDGE, TITLE, ROW, FONT = 24.0, 64.0, 17.0, 10.0
LONGEST = 28  # letters of a label


class Picture(NamedTuple):
    """A file with a map in it, and what of it could not be written."""

    body: bytes
    labelled: int  # words with a label
    unwritable: int  # words without one because no font here has their letters


@dataclass(frozen=True)
class Fonts:
    """The fonts that are here, and the letters that they have."""

    families: list[str]
    letters: frozenset[int]
    joined: bool  # whether what is written from right to left comes out so

    def can_write(self, text: str) -> bool:
        """Whether every letter of a text is in one of the fonts, and comes where it should."""
        here = all(ord(letter) in self.letters for letter in text)
        return here and (self.joined or not any(bidirectional(letter) in ("R", "AL") for letter in text))

    def replace(self, text: str) -> str:
        """The text, with control characters and letters that no font has written out."""
        shown = printable(text)
        return "".join(letter if ord(letter) in self.letters else f"\\u{ord(letter):04x}" for letter in shown)


class Sheet:
    """An empty figure with the field of the map, and around it a page that is measured in points from below."""

    def __init__(self, fonts: Fonts, height: float, below: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.fonts = fonts
        self.field, self.below = height, EDGE + below
        self.size = (WIDTH + 2 * EDGE, self.below + height + TITLE)
        self.figure = Figure(figsize=(self.size[0] / 72, self.size[1] / 72), facecolor="white")
        canvas: Any = FigureCanvasAgg(self.figure)
        self.renderer = canvas.get_renderer()
        self.page = self._axes((0, 0, *self.size))
        self.map = self._axes((EDGE, self.below, WIDTH, height))
        self.page.axis("off")
        self.map.set_facecolor(FIELD)

    def _axes(self, place: Box) -> Any:
        left, bottom, width, height = place
        whole, high = self.size
        axes = self.figure.add_axes((left / whole, bottom / high, width / whole, height / high))
        axes.set(xlim=(0, width), ylim=(0, height), xticks=[], yticks=[], autoscale_on=False)
        axes.spines[:].set_visible(False)
        return axes

    def write(self, x: float, y: float, text: str, *, size: float = FONT, color: str = INK, ha: str = "left") -> None:
        """A line of text on the page."""
        self.page.text(x, y, self.fonts.replace(text), size=size, color=color, ha=ha, va="center", parse_math=False)

    def fit(self, text: str, width: float, size: float = FONT) -> str:
        """As much of a text as fits into a width."""
        whole, most = self.fonts.replace(text[: int(width)]), width * FONT / size  # no letter is below a point wide
        if self.width(whole) <= most:
            return whole
        return f"{whole[: bisect_right(range(len(whole)), most, key=lambda n: self.width(whole[:n] + '…')) - 1]}…"

    def width(self, text: str) -> float:
        """How wide a label is."""
        from matplotlib.font_manager import FontProperties

        wide = self.renderer.get_text_width_height_descent(text, FontProperties(size=FONT), ismath=False)[0]
        return float(wide) * 72 / self.figure.dpi


def picture(layout: Layout, kind: str, *, name: str, colour: Colour = "cluster") -> Picture:
    """A .png or .svg of a layout: each word a dot, and as many labels as have room, those of frequent words first.

    The caption says how many words have a dot and no label. `name` is what the title calls the table.

    Raises `MissingExtraError` without matplotlib.
    """
    fonts = find_fonts()
    import matplotlib as mpl

    rows = 2 if colour == "bias" else -(-len(layout.clusters) // 4)
    below = ROW * (rows + 2 + bool(layout.notes))
    with mpl.rc_context({"font.family": fonts.families, "svg.hashsalt": "throughtime"}):
        sheet = Sheet(fonts, _height(layout.points), below)
        points = _in_points(layout.points, sheet.field)
        _draw_dots(sheet, layout, points, colour)
        labelled, unwritable = _draw_labels(sheet, layout.words, points)
        if colour == "bias" and layout.lean is not None:
            _explain_lean(sheet, layout.lean)
        else:
            _explain_clusters(sheet, layout)
        title = sheet.fit(name, 0.9 * WIDTH, size=20)  # bold letters are wider than those that are measured
        sheet.page.text(EDGE, sheet.size[1] - 26, title, size=20, weight="bold", **PLAIN)
        sheet.write(EDGE, sheet.size[1] - 50, caption(layout), size=11.5, color=SOFT)
        for place, line in enumerate([_told(len(points), labelled, unwritable), "; ".join(layout.notes)]):
            sheet.write(EDGE, EDGE + ROW * (bool(layout.notes) - place), sheet.fit(line, WIDTH), color=SOFT)
        body = io.BytesIO()
        metadata = {"Date": None} if kind == ".svg" else {"Software": "throughtime"}
        sheet.figure.savefig(body, format=kind[1:], dpi=150, metadata=metadata)
    return Picture(body.getvalue(), labelled, unwritable)


PLAIN: dict[str, Any] = {"color": INK, "va": "center", "parse_math": False}


@lru_cache(maxsize=1)
def find_fonts() -> Fonts:
    """The fonts of our list that are installed. Raises `MissingExtraError` without matplotlib."""
    try:
        import matplotlib as mpl
        from matplotlib import font_manager
    except ImportError:
        raise MissingExtraError("matplotlib", "draw") from None

    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    families = [family for family in FAMILIES if family in installed]
    letters: set[int] = set()
    for family in families:
        letters |= set(font_manager.get_font(font_manager.findfont(family)).get_charmap())
    joined = tuple(int(part) for part in mpl.__version__.split(".")[:2]) >= (3, 11)  # the first with a text shaper
    return Fonts(families, frozenset(letters), joined)


def _height(points: NDArray[np.float64]) -> float:
    """Of a field that the words fill."""
    wide, high = np.maximum(np.abs(points).max(axis=0), 1e-9)
    return float(np.clip((WIDTH - 80) * high / wide + 40, LOWEST, HIGHEST))


def _in_points(points: NDArray[np.float64], height: float) -> NDArray[np.float64]:
    """The words' places on the field, as large as it lets them be, with the same scale for both axes."""
    reach = np.maximum(np.abs(points).max(axis=0), 1e-9)
    scale = min((WIDTH / 2 - 40) / reach[0], (height / 2 - 20) / reach[1])
    return np.asarray(points * scale + np.array([WIDTH, height]) / 2)


def _radius(count: int) -> float:
    return float(np.clip(54 / np.sqrt(count), 0.8, 3.2))


def _draw_dots(sheet: Sheet, layout: Layout, points: NDArray[np.float64], colour: Colour) -> None:
    style = {"s": (2 * _radius(len(points))) ** 2, "linewidths": 0, "alpha": 0.9}
    if colour == "bias" and layout.lean is not None:
        limit = lean_limit(layout.lean)
        sheet.map.scatter(*points.T, c=layout.lean.values, cmap=_diverging(), vmin=-limit, vmax=limit, **style)
        return
    for number in range(len(layout.clusters)):
        inside = points[layout.members == number]
        sheet.map.scatter(*inside.T, color=COLOURS[number % 8], marker=SHAPES[number // 8], **style)


def _diverging() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("bias", DIVERGING)


def _draw_labels(sheet: Sheet, words: list[str], points: NDArray[np.float64]) -> tuple[int, int]:
    """Writes labels where there is room; how many, and how many words no font can write."""
    from matplotlib import patheffects

    texts = [cut(printable(word), LONGEST) for word in words]
    sizes = [(sheet.width(text) + 3, 1.25 * FONT) if sheet.fonts.can_write(text) else None for text in texts]
    boxes = place_labels(points, sizes, area=(WIDTH, sheet.field), radius=_radius(len(points)))
    style = {**PLAIN, "size": FONT, "ha": "center", "va": "center_baseline"}
    halo = [patheffects.withStroke(linewidth=2, foreground=FIELD)]
    for text, box in zip(texts, boxes, strict=True):
        if box is not None:
            sheet.map.text((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, text, path_effects=halo, **style)
    return sum(box is not None for box in boxes), sizes.count(None)


def _told(words: int, labelled: int, unwritable: int) -> str:
    if labelled == words:
        return "Every word has a label."
    told = f"{labelled:,} words have a label; {words - labelled:,} have a dot alone"
    if not unwritable:
        return f"{told}, for want of room."
    return f"{told}: {words - labelled - unwritable:,} for want of room, {unwritable:,} for want of a font."


def _explain_clusters(sheet: Sheet, layout: Layout) -> None:
    """Below the map: a dot of each cluster, its central words, its size."""
    for number, cluster in enumerate(layout.clusters):
        x, y = EDGE + 6 + number % 4 * WIDTH / 4, sheet.below - ROW * (number // 4 + 1)
        sheet.page.scatter([x], [y], s=36, color=COLOURS[number % 8], marker=SHAPES[number // 8], linewidths=0)
        sheet.write(x + 9, y, f"{sheet.fit(', '.join(cluster.central), WIDTH / 4 - 60)} ({cluster.size:,})")


def _explain_lean(sheet: Sheet, lean: Lean) -> None:
    """Below the map: the colours from one side to the other."""
    limit, middle, y = lean_limit(lean), sheet.size[0] / 2, sheet.below - ROW
    ramp = np.linspace(0, 1, 256)[None]
    sheet.page.imshow(ramp, cmap=_diverging(), extent=(middle - 140, middle + 140, y - 5, y + 5), aspect="auto")
    sheet.write(middle - 148, y, f"{sheet.fit(lean.low, 200)} −{limit:.2f}", ha="right")
    sheet.write(middle + 148, y, f"{sheet.fit(lean.high, 200)} +{limit:.2f}")
    told = f"cosine with the direction of {lean.pairs} pairs of words; 99 % of the words are within the colours' ends"
    sheet.write(middle, y - ROW, told, color=SOFT, ha="center")
