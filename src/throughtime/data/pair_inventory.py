"""An inventory of pairs: lengths of both sides, how they go together, copies, repeats, what is empty or unknown."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from throughtime.data.inventory import Lengths
from throughtime.data.pairs import Pairs
from throughtime.errors import ArgumentError

FAR = 3  # times by which a ratio of lengths is far from the median
SHOWN = 3  # lines of what is odd that are told


@dataclass(frozen=True)
class Side:
    """What is in the sources of a part, or in its targets.

    lengths      how long they are
    units        all in them
    vocabulary   different ones of the part that is learnt from
    unknown      units that are not in the vocabulary
    """

    lengths: Lengths
    units: int
    vocabulary: int
    unknown: int


@dataclass(frozen=True)
class PairPart:
    """What is in one part of the pairs.

    pairs        that have a source and a target
    both_empty   pairs without either
    one_empty    pairs without one of them
    ratio        the median of units of a target over units of its source, both and one more
    far          lines, or rows of Parquet, where the ratio is over 3 times as large or as small
    copies       lines where the target is the source
    repeats      pairs that an earlier one is equal to
    several      sources that come with different targets
    """

    pairs: int
    both_empty: int
    one_empty: int
    sources: Side
    targets: Side
    ratio: float
    far: tuple[int, ...]
    copies: tuple[int, ...]
    repeats: int
    several: int


@dataclass(frozen=True)
class PairInventory:
    """What is in each part of pairs, by name, and which of a part another part has.

    unit      what lengths are counted in
    parts     by name, the one that is learnt from first
    sources   by the names of two parts, "test in train": pairs of the former whose source is in the latter
    pairs     the same, of pairs whose source and target are
    """

    unit: str
    parts: dict[str, PairPart]
    sources: dict[str, int]
    pairs: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Lines for people."""
        for name, part in self.parts.items():
            yield from _told(name, part, self.unit)
        for which, count in self.sources.items():
            yield f"{which}: {count:,} sources are in both, {self.pairs[which]:,} pairs"


def inventory_of_pairs(
    parts: Mapping[str, Pairs], *, units: Callable[[str], Sequence[str]] = str.split, limit: int | None = None
) -> PairInventory:
    """What is in pairs, whose lines `units` cuts into units; `limit` is a length, and longer ones are counted.

    Raises `ArgumentError` when there are no parts.
    """
    if not parts:
        raise ArgumentError("there are no pairs to look at; give some")
    first = next(iter(parts.values()))
    known = [{unit for line in side for unit in units(line)} for side in (first.sources, first.targets)]
    found = {name: _part(part, units, known, limit) for name, part in parts.items()}
    names = list(parts)
    of_two = [(later, name) for i, name in enumerate(names) for later in names[i + 1 :]]
    contents = {name: set(zip(part.sources, part.targets, strict=True)) for name, part in parts.items()}
    sources = {name: set(part.sources) for name, part in parts.items()}
    return PairInventory(
        "words" if units is str.split else "characters",
        found,
        {f"{later} in {name}": sum(line in sources[name] for line in parts[later].sources) for later, name in of_two},
        {
            f"{later} in {name}": sum(
                pair in contents[name] for pair in zip(parts[later].sources, parts[later].targets, strict=True)
            )
            for later, name in of_two
        },
    )


def _part(part: Pairs, units: Callable[[str], Sequence[str]], known: list[set[str]], limit: int | None) -> PairPart:
    sides, counts = [], []
    for lines, vocabulary in zip((part.sources, part.targets), known, strict=True):
        cut = [units(line) for line in lines]
        lengths = [len(line) for line in cut]
        unknown = sum(unit not in vocabulary for line in cut for unit in line)
        sides.append(Side(Lengths.of(Counter(lengths), limit), sum(lengths), len(vocabulary), unknown))
        counts.append(np.array(lengths, np.float64) + 1)
    ratios = counts[1] / counts[0]
    median = float(np.median(ratios))
    far = np.flatnonzero((ratios > FAR * median) | (ratios * FAR < median)).tolist()
    pairs = list(zip(part.sources, part.targets, strict=True))
    different = set(pairs)
    return PairPart(
        len(pairs),
        part.both_empty,
        part.one_empty,
        sides[0],
        sides[1],
        median,
        tuple(part.lines[row] for row in far),
        tuple(line for line, (source, target) in zip(part.lines, pairs, strict=True) if source == target),
        len(pairs) - len(different),
        sum(count > 1 for count in Counter(source for source, _ in different).values()),
    )


def _told(name: str, part: PairPart, unit: str) -> Iterator[str]:
    yield f"{name}: {part.pairs:,} pairs; {part.both_empty:,} empty, {part.one_empty:,} with one side empty"
    for what, side in (("sources", part.sources), ("targets", part.targets)):
        lengths = side.lengths
        spread = f"median {lengths.median:,g}, mean {lengths.mean:,.1f}"
        yield f"  {what}: {lengths.least:,} to {lengths.most:,} {unit}, {spread}, {side.units:,} in all"
        if lengths.limit is not None:
            beyond = f"{lengths.units_over:,} {unit} beyond it"
            yield f"    longer than {lengths.limit:,}: {lengths.over:,}, with {beyond}"
        if side.unknown:
            share = side.unknown / max(side.units, 1)
            yield f"    not in the vocabulary of {side.vocabulary:,}: {side.unknown:,} {unit} ({share:.2%})"
    yield f"  a target has {part.ratio:.2f} times the {unit} of its source; {FAR} times off: {_counted(part.far)}"
    yield f"  copies of the source: {_counted(part.copies)}"
    yield f"  repeats: {part.repeats:,} pairs; sources with different targets: {part.several:,}"


def _counted(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:SHOWN])) + (", ..." if len(lines) > SHOWN else "")
    return f"{len(lines):,}" + (f" (line {shown})" if lines else "")
