"""Maps of words: a layout as one HTML page that needs no network, or as a picture."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from throughtime.errors import ArgumentError, printable
from throughtime.inspect.layout import METHODS, Layout, Lean
from throughtime.inspect.pages import embedded, render

Colour = Literal["cluster", "bias"]
PAGE = ".html"
PICTURES = (".png", ".svg")
# As in page.css and map.css; eight that the colour-blind tell apart, and the ends and the middle of a bias.
COLOURS = ["#0072b2", "#d98200", "#009e73", "#c63f0b", "#3fa7e0", "#b8558f", "#8c8400", "#6b7280"]
DIVERGING = ["#1f66b1", "#b3b8c0", "#c2570c"]


def kind_of(path: Path) -> str:
    """The ending of a file that maps can be drawn into.

    Raises `ArgumentError` for any other.

    >>> kind_of(Path("words.HTML"))
    '.html'
    """
    kind = path.suffix.lower()
    if kind not in (PAGE, *PICTURES):
        raise ArgumentError(f"maps go into a .html, .png or .svg file; got {str(path)!a:.120}")
    return kind


def caption(layout: Layout) -> str:
    """What a map shows, in a sentence or two."""
    shown = f"{METHODS[layout.method]} of {len(layout.words):,} of {layout.vocabulary:,} words"
    said = f"{shown}, {layout.dimension} dimensions."
    if layout.explained is not None:
        first, second = (f"{100 * share:.1f} %" for share in layout.explained)
        said += f" Across: {first} of the variance, up: {second}."
    return f"{said} Seed {layout.seed}."


def cut(text: str, most: int) -> str:
    """A text of at most so many letters.

    >>> cut("constantinople", 9)
    'constant…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def lean_limit(lean: Lean) -> float:
    """Where the colours of a bias end, on both sides of 0: 99 % of the words lie within."""
    return float(np.sort(np.abs(lean.values))[int(0.99 * (len(lean.values) - 1))]) + 1e-9


def page(layout: Layout, *, name: str, colour: Colour = "cluster") -> str:
    """One HTML page with the map, all its words and our script in it; it asks nothing of any network.

    Words are data there: JSON in which no "<" is left, put on the page as text.
    """
    from markupsafe import Markup

    name = printable(name)
    values = {
        "title": f"{name}: {METHODS[layout.method]} of {len(layout.words):,} words",
        "name": name,
        "caption": caption(layout),
        "words": f"{len(layout.words):,}",
        "notes": layout.notes,
        "data": Markup(embedded(content(layout, colour))),
    }
    return render("map", values)


def content(layout: Layout, colour: Colour) -> dict[str, Any]:
    """What the page's script reads. Cosines are in thousandths, as whole numbers are shorter."""
    lean = None
    if layout.lean is not None:
        lean = {
            "values": np.round(layout.lean.values, 4).tolist(),
            "low": layout.lean.low,
            "high": layout.lean.high,
            "pairs": layout.lean.pairs,
            "limit": lean_limit(layout.lean),
        }
    return {
        "words": layout.words,
        "points": np.round(layout.points, 5).ravel().tolist(),
        "members": layout.members.tolist(),
        "clusters": [[cluster.size, cluster.central] for cluster in layout.clusters],
        "near": layout.neighbours.shape[1],
        "neighbours": layout.neighbours.ravel().tolist(),
        "cosines": np.round(1000 * layout.cosines).astype(np.int64).ravel().tolist(),
        "lean": lean,
        "colour": colour,
    }
