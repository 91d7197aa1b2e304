"""An inventory of data: lengths, classes, repeats, what is unknown, missing or would be cut."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import printable

SHOWN = 20  # labels that a line tells


class Bin(NamedTuple):
    """How many lengths lie from one to another, both among them."""

    first: int
    last: int
    rows: int


@dataclass(frozen=True)
class Lengths:
    """How long rows are, in units; the bins of the histogram double in width."""

    least: int
    median: float
    mean: float
    most: int
    histogram: tuple[Bin, ...]
    limit: int | None = None
    over: int = 0  # rows that are longer than the limit
    units_over: int = 0  # units of them beyond it, which would be cut

    @classmethod
    def of(cls, counts: Mapping[int, int], limit: int | None = None) -> "Lengths":
        """The lengths that occur so often.

        >>> Lengths.of({1: 2, 3: 1, 9: 1}, limit=4)
        ... # doctest: +NORMALIZE_WHITESPACE, +ELLIPSIS
        Lengths(least=1, median=2.0, mean=3.5, most=9, histogram=(Bin(first=1, last=1, rows=2), Bin(first=2, last=3,
        rows=1), Bin(first=4, last=7, rows=0), Bin(first=8, last=15, rows=1)), limit=4, over=1, units_over=5)
        """
        lengths = np.array(sorted(counts), np.int64)
        often = np.array([counts[int(length)] for length in lengths], np.int64)
        ends, rows = np.cumsum(often), int(often.sum())
        middle = [int(lengths[np.searchsorted(ends, place, "right")]) for place in ((rows - 1) // 2, rows // 2)]
        over = lengths > (lengths[-1] if limit is None else limit)
        return cls(
            int(lengths[0]),
            sum(middle) / 2,
            float((lengths * often).sum() / rows),
            int(lengths[-1]),
            tuple(_histogram(lengths, often)),
            limit,
            int(often[over].sum()),
            int(((lengths[over] - (limit or 0)) * often[over]).sum()),
        )


@dataclass(frozen=True)
class Part:
    """What is in one part of the data.

    rows             of it
    empty            rows without units
    unlabelled       rows without a label
    lengths          how long rows are
    classes          how often each label occurs, the most frequent first
    evenness         entropy of the labels over what it would be if all were as frequent: 1 is balanced, 0 is one class
    repeats          rows whose content an earlier row of the part has
    contradictions   contents that come with different labels
    units            all in it
    vocabulary       different ones of the part that is learnt from
    unknown          units that are not in the vocabulary
    unseen_labels    labels that the part which is learnt from lacks, with how often they occur here
    missing          values that are not there
    non_finite       values that are infinite
    """

    rows: int
    empty: int
    unlabelled: int
    lengths: Lengths
    classes: dict[str, int]
    evenness: float
    repeats: int
    contradictions: int
    units: int
    vocabulary: int
    unknown: int
    unseen_labels: dict[str, int]
    missing: int = 0
    non_finite: int = 0

    @property
    def majority(self) -> float:
        """The share of the most frequent label: what always saying it gets right."""
        return max(self.classes.values(), default=0) / max(sum(self.classes.values()), 1)

    @property
    def unknown_share(self) -> float:
        """Of the units, those that are not in the vocabulary."""
        return self.unknown / max(self.units, 1)


@dataclass(frozen=True)
class Inventory:
    """What is in each part of the data, by name, and rows of a part whose content another part has.

    unit     what lengths are counted in
    parts    by name, the one that is learnt from first
    across   by the names of two parts, "test in train": rows of the former whose content is in the latter
    """

    unit: str
    parts: dict[str, Part]
    across: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Everything, and shares, as JSON has it."""
        found = asdict(self)
        for name, part in self.parts.items():
            content = found["parts"][name]
            content["lengths"]["histogram"] = [bin._asdict() for bin in part.lengths.histogram]
            content |= {"majority": part.majority, "unknown_share": part.unknown_share}
        return found

    def lines(self) -> Iterator[str]:
        """Lines for people."""
        for name, part in self.parts.items():
            yield from _told(name, part, self.unit)
        for pair, rows in self.across.items():
            yield f"{pair}: {rows:,} rows are in both"


def evenness(classes: Mapping[str, int]) -> float:
    """The entropy of labels that occur so often, over what it would be if all were as frequent.

    >>> evenness({"a": 3, "b": 3}), evenness({"a": 3})
    (1.0, 0.0)
    """
    total = sum(classes.values())
    entropy = -sum(count / total * log(count / total) for count in classes.values())
    return entropy / log(len(classes)) if len(classes) > 1 else 0.0


def _histogram(lengths: NDArray[np.int64], often: NDArray[np.int64]) -> Iterator[Bin]:
    first = last = 0
    while first <= lengths[-1]:
        inside = (first <= lengths) & (lengths <= last)
        if inside.any() or first > lengths[0]:
            yield Bin(first, last, int(often[inside].sum()))
        first, last = last + 1, 2 * last + 1


def _told(name: str, part: Part, unit: str) -> Iterator[str]:
    lengths = part.lengths
    lacking = f"{part.empty:,} empty, {part.unlabelled:,} without a label"
    yield f"{name}: {part.rows:,} rows, {part.units:,} {unit}; {lacking}"
    yield (
        f"  lengths: {lengths.least:,} to {lengths.most:,} {unit}, median {lengths.median:,g}, mean {lengths.mean:,.1f}"
    )
    yield "  histogram: " + ", ".join(f"{bin.first:,}-{bin.last:,}: {bin.rows:,}" for bin in lengths.histogram)
    if lengths.limit is not None:
        cut = f"{lengths.units_over:,} {unit} of them would be cut"
        yield f"  longer than {lengths.limit:,}: {lengths.over:,} rows; {cut}"
    shown = list(part.classes.items())[:SHOWN]
    if shown:
        more = f", ... {len(part.classes):,} in all" if len(part.classes) > SHOWN else ""
        yield "  labels: " + ", ".join(f"{printable(label)} {count:,}" for label, count in shown) + more
        yield f"  the most frequent label: {part.majority:.1%}; evenness {part.evenness:.3f} (1 is balanced)"
    yield f"  repeats: {part.repeats:,} rows; contents with different labels: {part.contradictions:,}"
    if part.unknown:
        yield f"  not in the vocabulary of {part.vocabulary:,}: {part.unknown:,} {unit} ({part.unknown_share:.2%})"
    if part.unseen_labels:
        names = ", ".join(f"{printable(label)} {count:,}" for label, count in list(part.unseen_labels.items())[:SHOWN])
        yield f"  labels that were never learnt: {names}"
    if part.missing or part.non_finite:
        yield f"  values: {part.missing:,} missing, {part.non_finite:,} infinite"
