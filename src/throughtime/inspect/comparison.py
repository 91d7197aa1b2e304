"""What several ways of training came to: numbers by run, their means, and how sure the differences are."""

from dataclasses import asdict, dataclass, field
from statistics import fmean, stdev
from typing import Any


@dataclass(frozen=True)
class Measure:
    """A number that runs are judged by."""

    name: str  # as a run's evaluation calls it
    share: bool = True  # of 1, shown in percent
    rising: bool = True  # more is better

    @property
    def title(self) -> str:
        """Its name, for people.

        >>> Measure("macro_f1").title
        'macro F1'
        """
        return self.name.replace("_", " ").replace("f1", "F1")

    def shown(self, value: float) -> str:
        """A value, for people.

        >>> Measure("accuracy").shown(0.75678), Measure("mean_absolute_error", share=False).shown(0.31)
        ('75.68', '0.3100')
        """
        return f"{100 * value:.2f}" if self.share else f"{value:.4f}"


@dataclass(frozen=True)
class Judged:
    """A run that came to its end."""

    seed: int
    values: dict[str, float | None]  # by measure, on the part that no training has seen
    seconds: float  # of training
    updates: int
    curve: list[tuple[float, float]]  # seconds, and what evaluations found while training


@dataclass(frozen=True)
class Standing:
    """What one way of training came to."""

    name: str
    settings: dict[str, Any]
    runs: list[Judged]  # by seed
    failed: dict[int, str] = field(default_factory=dict)  # why, by seed
    weights: int | None = None
    bytes: int | None = None  # of a run folder
    item_seconds: float | None = None  # to answer
    difference: tuple[float, float] | None = None  # from the best, between which 95 % of it lies

    def values(self, measure: Measure) -> list[float]:
        """What its runs have of a measure."""
        found = (run.values.get(measure.name) for run in self.runs)
        return [value for value in found if value is not None]

    def mean(self, measure: Measure) -> float | None:
        """Over runs; None where none came to its end."""
        values = self.values(measure)
        return fmean(values) if values else None

    def deviation(self, measure: Measure) -> float | None:
        """The standard deviation over runs, of one fewer than there are; None for fewer than two."""
        values = self.values(measure)
        return stdev(values) if len(values) > 1 else None

    @property
    def seconds(self) -> float | None:
        """Of training, on average."""
        return fmean(run.seconds for run in self.runs) if self.runs else None

    @property
    def is_within_noise(self) -> bool | None:
        """Whether the difference from the best may be none; None of the best, and where it is not known."""
        return None if self.difference is None else self.difference[0] <= 0 <= self.difference[1]


@dataclass(frozen=True)
class Comparison:
    """Several ways of training, judged by the same items."""

    measures: list[Measure]  # the first decides
    standings: list[Standing]
    item: str  # what is judged, such as "text"
    items: int  # of them in the part that no training has seen
    terms: str  # what was equal
    curves: str  # what the curves are of
    notes: list[str]

    @property
    def best(self) -> Standing | None:
        """The one with the best mean; the first of equals; None where no run came to its end."""
        measure, sign = self.measures[0], 1 if self.measures[0].rising else -1
        found = [(sign * value, s) for s in self.standings if (value := s.mean(measure)) is not None]
        return max(found, key=lambda pair: pair[0], default=(0.0, None))[1]

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        best = self.best
        return {
            "item": self.item,
            "items": self.items,
            "terms": self.terms,
            "measures": [asdict(measure) for measure in self.measures],
            "best": best.name if best else None,
            "standings": [self._standing(one) for one in self.standings],
            "curves": self.curves,
            "notes": self.notes,
        }

    def _standing(self, one: Standing) -> dict[str, Any]:
        return {
            "name": one.name,
            "settings": one.settings,
            "mean": {measure.name: one.mean(measure) for measure in self.measures},
            "standard_deviation": {measure.name: one.deviation(measure) for measure in self.measures},
            "weights": one.weights,
            "bytes": one.bytes,
            "training_seconds": one.seconds,
            "item_seconds": one.item_seconds,
            "difference": one.difference,
            "within_noise": one.is_within_noise,
            "failed": {str(seed): why for seed, why in one.failed.items()},
            "runs": [asdict(run) for run in one.runs],
        }


def columns(comparison: Comparison) -> list[str]:
    """The headings of the table."""
    spread = [f"{m.title}{', %' if m.share else ''}" for m in comparison.measures]
    return ["name", *spread, "against the best", "weights", "on disk", "training", f"a {comparison.item}"]


def cells(comparison: Comparison, one: Standing) -> list[str]:
    """A row of the table, for people; a dash is what is not known.

    Each measure is the mean over runs ± the standard deviation, which one run alone has not.
    """
    spread = []
    for measure in comparison.measures:
        mean, deviation = one.mean(measure), one.deviation(measure)
        shown = "–" if mean is None else measure.shown(mean)
        spread.append(
            f"{shown} ± {'–' if deviation is None else measure.shown(deviation)}" if mean is not None else "–"
        )
    return [
        one.name,
        *spread,
        against(comparison, one),
        "–" if one.weights is None else f"{one.weights:,}",
        "–" if one.bytes is None else size_of(one.bytes),
        "–" if one.seconds is None else time_of(one.seconds),
        "–" if one.item_seconds is None else time_of(one.item_seconds),
    ]


def against(comparison: Comparison, one: Standing) -> str:
    """How it stands beside the best: by how much, between which bounds, and whether that may be chance."""
    measure, best = comparison.measures[0], comparison.best
    mean, most = one.mean(measure), best.mean(measure) if best else None
    if best is None or one is best or mean is None or most is None:
        return "best" if one is best else "–"
    said = signed(measure, mean - most)
    if one.difference is None:
        return said
    low, high = (signed(measure, bound) for bound in one.difference)
    return f"{said} ({low} to {high}){', within noise' if one.is_within_noise else ''}"


def signed(measure: Measure, value: float) -> str:
    """A difference, for people.

    >>> signed(Measure("accuracy"), -0.0123)
    '−1.23'
    """
    shown = measure.shown(abs(value))
    return f"{'−' if value < 0 and shown.strip('0.') else '+'}{shown}"


def size_of(count: int) -> str:
    """Bytes, for people.

    >>> size_of(2_345_678)
    '2.3 MB'
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def time_of(seconds: float) -> str:
    """A time, for people.

    >>> [time_of(seconds) for seconds in (4e-5, 0.0023, 2.5, 754)]
    ['40 µs', '2.3 ms', '2.5 s', '12:34 min']
    """
    if seconds >= 100:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}:{rest:02} min"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.2g} µs"
