"""How far words lie along a direction, before and after it was taken out: drawn with matplotlib."""

import io
from collections.abc import Sequence
from typing import Any, Literal

from throughtime.errors import ArgumentError, printable
from throughtime.inspect.pictures import Fonts, find_fonts

BEFORE, AFTER, FAINT, INK, SOFT = "#7c8898", "#c2410c", "#e5e7eb", "#1b1f27", "#5b6472"
ROW, TOP, BELOW, LEFT, RIGHT, FIELD = 0.21, 1.15, 0.85, 1.75, 0.35, 5.2  # inches
LONGEST = 22  # letters of a word


def projections(
    words: Sequence[str],
    before: Sequence[float],
    after: Sequence[float],
    *,
    kind: Literal["png", "svg"],
    ends: tuple[str, str],
    title: str = "",
    subtitle: str = "",
) -> bytes:
    """A picture with a line for each word, from its cosine with a direction before to the one after.

    Words come in the order of their cosines before, the highest on top; `ends` says what the highest and the lowest
    are like.

    Raises `ArgumentError` without words, `MissingExtraError` without matplotlib.
    """
    if not words:
        raise ArgumentError("there are no words to draw the projections of; give some")
    fonts = find_fonts()
    import matplotlib as mpl

    order = sorted(range(len(words)), key=lambda i: -before[i])
    with mpl.rc_context({"font.family": fonts.families, "svg.hashsalt": "throughtime", "svg.fonttype": "path"}):
        axes = _field(len(words))
        _draw([before[i] for i in order], [after[i] for i in order], axes)
        _name([words[i] for i in order], axes, fonts)
        _explain(axes, fonts, ends, title, subtitle)
        body = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": "throughtime"}
        axes.figure.savefig(body, format=kind, dpi=150, metadata=metadata)
    return body.getvalue()


def _field(rows: int) -> Any:
    """Axes of so many rows, on a page with room for words and titles."""
    from matplotlib.figure import Figure

    wide, high = LEFT + FIELD + RIGHT, TOP + ROW * rows + BELOW
    figure = Figure(figsize=(wide, high), facecolor="white")
    axes = figure.add_axes((LEFT / wide, BELOW / high, FIELD / wide, ROW * rows / high))
    axes.set_ylim(rows - 0.4, -0.6)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=9, labelcolor=SOFT)
    axes.grid(axis="x", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def _draw(before: Sequence[float], after: Sequence[float], axes: Any) -> None:
    rows = range(len(before))
    reach = max(0.02, *(abs(value) for value in (*before, *after)))
    axes.set_xlim(-1.08 * reach, 1.08 * reach)
    axes.axvline(0, color=BEFORE, linewidth=0.9, zorder=1.5)
    axes.hlines(rows, before, after, color="#cbd2db", linewidth=1.6, zorder=2)
    axes.scatter(before, rows, s=26, facecolors="white", edgecolors=BEFORE, linewidths=1.4, zorder=3, label="before")
    axes.scatter(after, rows, s=26, color=AFTER, linewidths=0, zorder=4, label="after")


def _name(words: Sequence[str], axes: Any, fonts: Fonts) -> None:
    axes.set_yticks(range(len(words)), [_fit(word, fonts) for word in words], parse_math=False)
    axes.tick_params(axis="y", labelsize=9.5, labelcolor=INK, pad=8)


def _explain(axes: Any, fonts: Fonts, ends: tuple[str, str], title: str, subtitle: str) -> None:
    """What is above and below the field."""
    figure = axes.figure
    wide, high = figure.get_size_inches()
    plain = {"parse_math": False, "va": "center"}
    x = 0.25 / wide
    figure.text(x, 1 - 0.34 / high, fonts.replace(printable(title)), size=14, weight="bold", color=INK, **plain)
    figure.text(x, 1 - 0.62 / high, fonts.replace(printable(subtitle)), size=9.5, color=SOFT, **plain)
    place = {"loc": "center left", "bbox_to_anchor": (LEFT / wide - 0.01, 1 - 0.93 / high)}
    figure.legend(*axes.get_legend_handles_labels(), ncols=2, frameon=False, fontsize=9.5, labelcolor=INK, **place)
    low, middle = LEFT / wide, (LEFT + FIELD / 2) / wide
    figure.text(low, 0.42 / high, f"← {_fit(ends[1], fonts)}", size=10, color=INK, **plain)
    figure.text(low + FIELD / wide, 0.42 / high, f"{_fit(ends[0], fonts)} →", size=10, color=INK, ha="right", **plain)
    figure.text(middle, 0.42 / high, "cosine with the direction", size=9.5, color=SOFT, ha="center", **plain)


def _fit(word: str, fonts: Fonts) -> str:
    """A word that fonts can write, and that is not too long."""
    shown = fonts.replace(printable(word))
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
