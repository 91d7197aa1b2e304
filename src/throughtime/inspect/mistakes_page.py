"""The page of mistakes: one HTML file with the texts, or the curves, and what mattered in them shaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import printable
from throughtime.inspect.mistakes import Mistake, legible, percent
from throughtime.inspect.pages import render

SHADES = 8  # of each colour, as in mistakes.css
NAMED = 6  # words that stand below a text
CURVES = 12  # channels of a series that are drawn: those that mattered most
WIDTH, HEIGHT, EDGE = 720.0, 44.0, 4.0  # of a curve
COLUMNS = 180  # into which the times of a series are gathered, at most


@dataclass(frozen=True)
class Heading:
    """What stands above the mistakes."""

    name: str  # of the run
    judged: int  # items that were looked at
    wrong: int  # of them
    items: str  # what they are, such as texts
    notes: tuple[str, ...] = ()

    @property
    def counted(self) -> str:
        """How many there were and how many of them are wrong."""
        share = f" ({100 * self.wrong / self.judged:.1f} %)" if self.judged else ""
        return f"{self.judged:,} {self.items}, {self.wrong:,} of them wrong{share}"


def page(mistakes: Sequence[Mistake], heading: Heading) -> str:
    """One HTML page that asks nothing of any network and runs no script.

    Red words spoke for the wrong answer, blue ones for the true one; the darker the more they did, beside the
    strongest word of the same text. What comes from files is text there and nothing else.
    """
    values = {
        "title": f"{printable(heading.name)}: {len(mistakes)} mistakes",
        "heading": heading,
        "name": printable(heading.name),
        "marks": _marks(mistakes),
        "notes": [printable(note) for note in heading.notes],
        "mistakes": [_shown(mistake) for mistake in mistakes],
        "ways": " or ".join(sorted({_WAYS[mistake.by] for mistake in mistakes})) or _WAYS["occlusion"],
        "shades": range(1, SHADES + 1),
    }
    return render("mistakes", values)


_WAYS = {"occlusion": "occlusion", "gradients": "integrated gradients"}


def _marks(mistakes: Sequence[Mistake]) -> str:
    """What lines and boxes around words mean, where there are some."""
    lined = "Dotted words are not in the vocabulary. " if any(mistake.unknown for mistake in mistakes) else ""
    boxed = "A box is around the word whose answer is wrong." if any(one.at is not None for one in mistakes) else ""
    return (lined + boxed).strip()


def _shown(mistake: Mistake) -> dict[str, Any]:
    """A mistake as the template wants it."""
    shown = {
        "where": printable(mistake.where),
        "answer": legible(mistake.answer),
        "truth": legible(mistake.truth),
        "percent": percent(mistake.probability),
        "by": _WAYS[mistake.by],
        "residual": f"{mistake.residual:+.3g}",
    }
    if mistake.values is not None:
        return shown | {"curves": curves(mistake), "hidden": max(0, len(mistake.channels) - CURVES), "words": []}
    return shown | {"curves": [], "words": _words(mistake), "named": _named(mistake)}


def shade(weight: float, most: float) -> str:
    """The class of a word: `f` and a number for the answer, `a` and one against it; none where it is faint.

    >>> shade(2.0, 2.0), shade(-0.5, 2.0), shade(0.001, 2.0)
    ('f8', 'a2', '')
    """
    level = round(SHADES * abs(weight) / most) if most > 0 else 0
    return f"{'f' if weight > 0 else 'a'}{min(level, SHADES)}" if level else ""


def _words(mistake: Mistake) -> list[dict[str, Any]]:
    """Each part with its colour, and what a pointer that rests on it is told."""
    most = float(abs(mistake.weights).max(initial=0.0))
    words = []
    for place, (part, weight) in enumerate(zip(mistake.parts, mistake.weights.tolist(), strict=True)):
        at, broken = place == mistake.at, part == "\n"
        names = [shade(weight, most), "unknown" if place in mistake.unknown else "", "at" if at else ""]
        gap = mistake.spaced and place > 0 and not broken and mistake.parts[place - 1] != "\n"
        words.append(
            {
                "text": "↵" if broken else legible(part),
                "classes": " ".join(filter(None, names)),
                "told": f"{weight:+.3f}" + (", not in the vocabulary" if place in mistake.unknown else ""),
                "gap": " " if gap else "",
                "broken": broken,
            }
        )
    return words


def _named(mistake: Mistake) -> list[dict[str, str]]:
    strongest = mistake.strongest(NAMED)
    placed = not mistake.spaced  # where letters are weighed, the same one may stand anywhere
    return [
        {
            "text": legible(word.text),
            "place": f"at {word.place + 1}" if placed else "",
            "weight": f"{word.weight:+.2f}",
            "side": "f" if word.weight > 0 else "a",
        }
        for word in strongest
    ]


def curves(mistake: Mistake) -> list[dict[str, Any]]:
    """The channels that mattered most, in their order: a line through the values, and columns of shaded time."""
    assert mistake.values is not None
    weights, starts = gathered(mistake.weights)
    most = float(abs(weights).max(initial=0.0))
    order = np.argsort(-abs(mistake.weights).sum(0), kind="stable")[:CURVES]
    wide = WIDTH / len(mistake.values)
    drawn = []
    for channel in sorted(order.tolist()):
        columns = [
            {
                "x": f"{start * wide:.1f}",
                "width": f"{(stop - start) * wide:.1f}",
                "shade": name,
                "told": f"{weight:+.3f}",
            }
            for start, stop, weight in zip(starts[:-1], starts[1:], weights[:, channel].tolist(), strict=True)
            if (name := shade(weight, most))
        ]
        drawn.append(
            {
                "name": legible(mistake.channels[channel]),
                "columns": columns,
                "line": _line(mistake.values[:, channel]),
                "weight": f"{mistake.weights[:, channel].sum():+.2f}",
            }
        )
    return drawn


def gathered(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[int]]:
    """(C D) the weights (T D) of neighbouring times added up, and the C + 1 times at which columns begin and end.

    >>> gathered(np.ones((3, 1)))[1]
    [0, 1, 2, 3]
    """
    count = min(len(weights), COLUMNS)
    edges = np.linspace(0, len(weights), count + 1).round().astype(int)
    return np.add.reduceat(weights, edges[:-1], axis=0), edges.tolist()


def _line(values: NDArray[np.float32]) -> str:
    """The points of a line through values, the lowest and highest of each column of times where there are many."""
    low, high = float(values.min()), float(values.max())
    tall = (HEIGHT - 2 * EDGE) / (high - low) if high > low else 0.0
    wide = WIDTH / len(values)
    places = np.arange(len(values))
    if len(values) > 4 * COLUMNS:
        pieces = np.array_split(places, 2 * COLUMNS)
        ends = [sorted({int(some[values[some].argmin()]), int(some[values[some].argmax()])}) for some in pieces]
        places = np.array([place for some in ends for place in some])
    points = [((place + 0.5) * wide, HEIGHT - EDGE - (float(values[place]) - low) * tall) for place in places.tolist()]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
