"""The page of alignments: pairs of lines, where a pointer on a word lights up what it looked at, and the reverse."""

import base64
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.data.alignments import Alignment
from throughtime.data.line_units import SPACE
from throughtime.data.units import Kind
from throughtime.errors import printable
from throughtime.inspect.mistakes import legible
from throughtime.inspect.pages import embedded, render

MOST_PAIRS = 2000
MOST_WEIGHTS = 2**24  # of all pairs together: a page of some 25 megabytes, which browsers still open


class Pair(NamedTuple):
    """A pair on the page."""

    alignment: Alignment
    where: str  # it stands, such as "line 3"
    told: str = ""  # what else there is to say of it, such as a score


@dataclass
class Pairs:
    """The pairs of a page, as many as it has room for; the others are counted."""

    shown: list[Pair] = field(default_factory=list)
    left_out: int = 0
    weights: int = 0

    def add(self, pair: Pair) -> None:
        """Takes a pair, if there is room; after the first for which there is none, no other is taken."""
        pair = pair._replace(alignment=pair.alignment.characters())
        size = pair.alignment.weights.size
        if self.left_out or len(self.shown) == MOST_PAIRS or self.weights + size > MOST_WEIGHTS:
            self.left_out += 1
            return
        self.shown.append(pair)
        self.weights += size


@dataclass(frozen=True)
class Heading:
    """What stands above the pairs."""

    name: str  # of the run
    source: Kind  # of the units
    target: Kind
    notes: tuple[str, ...] = ()


def page(pairs: Pairs, heading: Heading) -> str:
    """One HTML page with the pairs and our script in it; it asks nothing of any network.

    Units are texts on it and nothing else; weights are numbers from 0 to 255.
    """
    from markupsafe import Markup

    count, heads = len(pairs.shown), max((len(pair.alignment.weights) for pair in pairs.shown), default=0)
    notes = [*heading.notes]
    if pairs.left_out:
        notes.append(f"{pairs.left_out:,} more pairs are not on this page: it would be too large to be opened")
    values = {
        "title": f"{printable(heading.name)}: {count:,} alignments",
        "name": printable(heading.name),
        "count": count,
        "heads": heads if heads > 1 else 0,
        "units": heading.target if heading.target == heading.source else f"{heading.source} and {heading.target}",
        "notes": [printable(note) for note in notes],
        "pairs": [_shown(pair, heading) for pair in pairs.shown],
        "data": Markup(embedded([_packed(pair.alignment.weights) for pair in pairs.shown])),
    }
    return render("alignments", values)


def _shown(pair: Pair, heading: Heading) -> dict[str, Any]:
    """A pair as the template wants it."""
    found = pair.alignment
    return {
        "where": legible(pair.where),
        "told": legible(pair.told),
        "source": units(found.source[: len(found.source) - found.ends], heading.source),
        "ends": found.ends,
        "target": units(found.target[:-1], heading.target),
    }


def units(names: tuple[str, ...], kind: Kind) -> list[tuple[str, str]]:
    """Each unit as it stands in its line, behind the gap before it.

    >>> units(("un", "told", "␣joy"), "subword")
    [('', 'un'), ('', 'told'), (' ', 'joy')]
    """
    shown = [legible(name).replace(SPACE, " ") for name in names]
    if kind != "subword":
        gaps = [" " if kind == "word" else ""] * len(names)
        return list(zip(chain([""], gaps[1:]), shown, strict=False))
    # White space that begins a subword stands before it; alone it is seen as a dot, or there would be nothing to touch.
    gaps = [" " if name.startswith(" ") else "" for name in shown]
    return [
        (gap if place else "", name.strip() or "·") for place, (gap, name) in enumerate(zip(gaps, shown, strict=True))
    ]


def _packed(weights: NDArray[np.float32]) -> list[int | str]:
    """Heads, units of the target and of the source, and the weights as bytes in base64."""
    levels = np.round(255 * np.clip(weights, 0, 1)).astype(np.uint8)
    return [*map(int, weights.shape), base64.b64encode(levels.tobytes()).decode()]
