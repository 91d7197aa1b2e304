"""A comparison as one HTML page that needs no network: a table that sorts, bars with whiskers, curves over time."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from throughtime.errors import plural, printable
from throughtime.inspect.comparison import Comparison, Measure, Standing, cells, columns, signed, time_of
from throughtime.inspect.maps import cut
from throughtime.inspect.pages import render

# Units of the drawings from here on, of which a screen may make what it likes.
LABEL, FIELD, ROOM, ROW, HEIGHT = 150.0, 480.0, 130.0, 34.0, 260.0
MOST_POINTS = 300  # of a curve
COLOURS = 8  # of page.css


class Bar(NamedTuple):
    """A bar with a whisker, and a dot for each run."""

    name: str
    colour: int
    y: float
    width: float
    whisker: tuple[float, float] | None
    dots: list[float]
    shown: str


class Tick(NamedTuple):
    """A number on an axis."""

    at: float
    shown: str


@dataclass(frozen=True)
class Bars:
    """Bars of a measure, one below the other; or, where `zero` is not at the edge, differences from the best."""

    title: str
    height: float
    ticks: list[Tick]
    bars: list[Bar]
    zero: float = LABEL


class Line(NamedTuple):
    """A curve of a run."""

    name: str
    colour: int
    points: str


@dataclass(frozen=True)
class Curves:
    """What evaluations found while training, over time."""

    title: str
    across: list[Tick]
    up: list[Tick]
    lines: list[Line]


def page(comparison: Comparison, *, title: str) -> str:
    """One HTML page with the comparison and our script in it; it asks nothing of any network."""
    standings = comparison.standings
    values = {
        "title": printable(title),
        "comparison": comparison,
        "best": comparison.best,
        "items": plural(comparison.item),
        "columns": [printable(column) for column in columns(comparison)],
        "rows": [(one, list(zip(cells(comparison, one), keys(comparison, one), strict=True))) for one in standings],
        "colours": {one.name: place % COLOURS for place, one in enumerate(standings)},
        "charts": [bars(comparison, measure) for measure in comparison.measures] + differences(comparison),
        "curves": curves(comparison),
        "size": {"width": LABEL + FIELD + ROOM, "label": LABEL, "field": FIELD, "row": ROW, "curves": HEIGHT},
    }
    return render("comparison", values)


def keys(comparison: Comparison, one: Standing) -> list[float | str]:
    """What each cell of a row is sorted by; what is not known comes last."""
    means = [one.mean(measure) for measure in comparison.measures]
    known = [*means, means[0], one.weights, one.bytes, one.seconds, one.item_seconds]
    return [one.name, *("" if value is None else value for value in known)]


def bars(comparison: Comparison, measure: Measure) -> Bars:
    """The mean of a measure with a whisker of a standard deviation to each side, from zero on."""
    values = [value for one in comparison.standings for value in one.values(measure)]
    spread = [(one.mean(measure) or 0.0) + (one.deviation(measure) or 0.0) for one in comparison.standings]
    ticks = round_numbers(0.0, max([*values, *spread, 1e-9]))
    scale = FIELD / ticks[-1]
    drawn = []
    for place, one in enumerate(comparison.standings):
        mean, deviation = one.mean(measure), one.deviation(measure)
        ends = None
        if mean is not None and deviation is not None:
            ends = (LABEL + scale * max(0.0, mean - deviation), LABEL + scale * (mean + deviation))
        shown = "–" if mean is None else measure.shown(mean) + (f" ± {measure.shown(deviation)}" if deviation else "")
        dots = [LABEL + scale * value for value in one.values(measure)]
        name = cut(printable(one.name), 20)
        drawn.append(Bar(name, place % COLOURS, ROW * place, scale * (mean or 0.0), ends, dots, shown))
    title = f"{measure.title[0].upper()}{measure.title[1:]}{', %' if measure.share else ''}: mean ± standard deviation"
    factor = 100 if measure.share else 1
    marks = [Tick(LABEL + scale * tick, f"{factor * tick:g}") for tick in ticks]
    return Bars(title, ROW * len(drawn) + 24, marks, drawn)


def differences(comparison: Comparison) -> list[Bars]:
    """How far each one is from the best, with what lies between 95 % of differences; nothing where none is known."""
    measure, best = comparison.measures[0], comparison.best
    others = [
        (place, one, one.difference)
        for place, one in enumerate(comparison.standings)
        if one is not best and one.difference is not None
    ]
    if best is None or not others:
        return []
    most = best.mean(measure) or 0.0
    bounds = [bound for _, _, difference in others for bound in difference]
    ticks = round_numbers(min([*bounds, 0.0]), max([*bounds, 0.0]))
    scale = FIELD / (ticks[-1] - ticks[0])
    drawn = []
    for row, (place, one, (low, high)) in enumerate(others):
        apart = (one.mean(measure) or 0.0) - most
        ends = (LABEL + scale * (low - ticks[0]), LABEL + scale * (high - ticks[0]))
        shown = signed(measure, apart) + (" (noise?)" if one.is_within_noise else "")
        dots = [LABEL + scale * (apart - ticks[0])]
        drawn.append(Bar(cut(printable(one.name), 20), place % COLOURS, ROW * row, 0.0, ends, dots, shown))
    factor = 100 if measure.share else 1
    marks = [Tick(LABEL + scale * (tick - ticks[0]), f"{factor * tick:g}") for tick in ticks]
    title = f"{measure.title[0].upper()}{measure.title[1:]} against {printable(best.name)}: 95 % of the differences"
    return [Bars(title, ROW * len(drawn) + 24, marks, drawn, LABEL - scale * ticks[0])]


def curves(comparison: Comparison) -> Curves | None:
    """The curves of all runs; None where there is none."""
    runs = [(place, one.name, run.curve) for place, one in enumerate(comparison.standings) for run in one.runs]
    points = [point for _, _, curve in runs for point in curve]
    if not points:
        return None
    across = round_numbers(0.0, max(*(seconds for seconds, _ in points), 1e-9))
    up = round_numbers(min(value for _, value in points), max(value for _, value in points))
    wide, high = (FIELD + ROOM) / across[-1], HEIGHT / (up[-1] - up[0])

    def place_of(seconds: float, value: float) -> str:
        return f"{LABEL / 2 + wide * seconds:.1f},{HEIGHT - high * (value - up[0]):.1f}"

    lines = []
    for place, name, curve in runs:
        step = -(-len(curve) // MOST_POINTS) or 1
        thinned = [*curve[::step], *curve[-1:]]
        lines.append(Line(printable(name), place % COLOURS, " ".join(place_of(*point) for point in thinned)))
    return Curves(
        f"{comparison.curves[0].upper()}{comparison.curves[1:]} while training",
        [Tick(LABEL / 2 + wide * tick, time_of(tick) if tick else "0") for tick in across],
        [Tick(HEIGHT - high * (tick - up[0]), f"{tick:g}") for tick in up],
        lines,
    )


def round_numbers(low: float, high: float) -> list[float]:
    """Round numbers in even distances, from one that is not above `low` to one that is not below `high`.

    >>> round_numbers(0.0, 0.83), round_numbers(-0.031, 0.004)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [-0.04, -0.03, -0.02, -0.01, 0.0, 0.01])
    """
    reach = (high - low) or max(abs(low), 1.0) * 0.1
    rough = reach / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return [round(place * step, 12) for place in range(first, last + 1)]
