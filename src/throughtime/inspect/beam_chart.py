"""Where everything stands in the picture of a beam tree, and what is said of the reference's way."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from throughtime.models.beam_tree import BeamTree, Branch, Scored

Kind = Literal["kept", "pruned", "translation", "reference", "both"]
ROWS, PRUNED = 10, 3  # of a step that are drawn, at most: kept ones, and the best of those pruned
STEPS = 60  # that are drawn, at most
BESIDE = -1  # the row below all others, where the reference goes on beside the beam


class Place(NamedTuple):
    """Where a box stands: its step, −1 being the beginning, and its row from above."""

    time: int
    row: int


class Box(NamedTuple):
    """What is drawn of a hypothesis."""

    kind: Kind
    token: str
    numbers: str
    parent: Place | None
    ended: bool
    gone: bool  # whether the reference is followed here beside the beam


@dataclass(frozen=True)
class Chart:
    """Which boxes are drawn of a tree, and where."""

    tree: BeamTree
    boxes: dict[Place, Box]
    first: int  # of the steps that are drawn
    last: int
    hidden: int  # hypotheses that were kept, and
    pruned: int  # that were not, and have no box

    def told(self) -> str:
        """What the numbers are, and what is not drawn."""
        said = "In a box: the symbol; log P of all so far, and the score if it ended there"
        if any(branch.coverage for branch in self.tree.branches):
            said += "; c: what of it is for coverage"
        left = [f"{self.hidden:,} that were kept"] * bool(self.hidden) + [f"{self.pruned:,} pruned"] * bool(self.pruned)
        steps = self.last - self.first + 1
        if steps < self.tree.steps:
            left.append(f"all but symbols {self.first + 1:,} to {self.last + 1:,} of {self.tree.steps:,}")
        return f"{said}. Not drawn: {', '.join(left)}." if left else f"{said}."

    def rows(self, times: range) -> int:
        """How many rows these steps need, but for the one beside the beam."""
        return max(1 + place.row for place in [*self.boxes, Place(times.start, 0)] if place.time in times)

    def bands(self, columns: int) -> Iterator[range]:
        """The steps in lines of so many; each but the first repeats the last step of the one before."""
        start = self.first - 1
        while start < self.last:
            yield range(start, min(start + columns, self.last + 1))
            start += columns - 1


def chart_of(tree: BeamTree) -> Chart:
    """Where the boxes of a tree stand: kept ones above, the best of the pruned below, the reference that fell last."""
    first, last = _window(tree)
    fell = len(tree.reference) if tree.fell is None else tree.fell
    followed = {said.branch for said in tree.reference[:fell]}
    lost = {said.branch for said in tree.reference[fell:]}
    where: dict[int, Place] = {}
    hidden = 0
    for time in range(first, last + 1):
        kept, more = _kept(tree, time, followed)
        shown = [*kept, *_pruned(tree, time, lost)]
        where |= {branch: Place(time, row) for row, branch in enumerate(shown)}
        hidden += more
    boxes = {place: _box(tree, branch, where, followed) for branch, place in where.items()}
    boxes |= _beside(tree, where, range(max(first, fell), min(last + 1, len(tree.reference))))
    there = sum(first <= one.time <= last for place, one in enumerate(tree.branches) if place not in lost)
    return Chart(tree, boxes, first, last, hidden, there - len(where) - hidden)


def _window(tree: BeamTree) -> tuple[int, int]:
    """The steps that are drawn: all, or those around the place where the reference fell off."""
    if tree.steps <= STEPS:
        return 0, tree.steps - 1
    first = 0 if tree.fell is None else min(max(0, tree.fell - STEPS // 2), tree.steps - STEPS)
    return first, first + STEPS - 1


def _kept(tree: BeamTree, time: int, followed: set[int]) -> tuple[list[int], int]:
    """The kept branches that are drawn of a step, those of the two ways first of all; and how many are not."""
    kept = tree.kept(time)
    ways = [place for place in kept if place in followed or place in tree.best]
    shown = {*ways, *[place for place in kept if place not in ways][: max(0, ROWS - len(ways))]}
    return [place for place in kept if place in shown], len(kept) - len(shown)


def _pruned(tree: BeamTree, time: int, lost: set[int]) -> list[int]:
    """The likeliest branches that a step did not keep, but for the reference's."""
    branches = tree.branches
    places = [i for i, one in enumerate(branches) if one.time == time and not one.kept and i not in lost]
    return sorted(places, key=lambda place: -branches[place].log_probability)[:PRUNED]


def _box(tree: BeamTree, branch: int, where: dict[int, Place], followed: set[int]) -> Box:
    one = tree.branches[branch]
    kind: Kind = "kept" if one.kept else "pruned"
    if branch in tree.best:
        kind = "both" if branch in followed else "translation"
    elif branch in followed:
        kind = "reference"
    parent = where.get(one.parent) if one.parent >= 0 else Place(-1, 0)
    return Box(kind, tree.names[one.token], _numbers(one), parent, one.ended, False)


def _beside(tree: BeamTree, where: dict[int, Place], times: range) -> dict[Place, Box]:
    """The reference from where it fell off, in a row of its own."""
    boxes = {}
    for time in times:
        said = tree.reference[time]
        parent: Place | None = Place(time - 1, BESIDE)
        if time == tree.fell:
            parent = where.get(tree.reference[time - 1].branch) if time else Place(-1, 0)
        ended = time == len(tree.reference) - 1
        boxes[Place(time, BESIDE)] = Box("reference", tree.names[said.token], _numbers(said), parent, ended, True)
    return boxes


def _numbers(one: Branch | Scored) -> str:
    """Log P, the score, and what coverage takes from it."""
    said = f"{_signed(one.log_probability)}  {_signed(one.score)}"
    return f"{said}  c{_signed(one.coverage)}" if one.coverage else said


def _signed(value: float) -> str:
    """A number with a true minus.

    >>> _signed(-1.5), _signed(-123.4)
    ('−1.50', '−123')
    """
    return (f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}").replace("-", "\N{MINUS SIGN}")


def verdict(tree: BeamTree) -> str:
    """What became of the reference, and whose fault that was, in a sentence."""
    wanted = tree.reference[-1]
    if not tree.best or tree.best[-1] < 0:
        return "The search found no translation."
    found = tree.branches[tree.best[-1]]
    ends = f"log P {_signed(wanted.log_probability)}, score {_signed(wanted.score)}"
    if tree.best == tuple(said.branch for said in tree.reference):
        return f"The translation is the reference: {ends}."
    if tree.fell is None:
        return f"The reference ended on the beam ({ends}) and ranks below the translation: the model's fault."
    where = f"at symbol {tree.fell + 1}"
    if tree.how == "stopped":
        told = f"The search had ended {where}, where the reference was still to go on"
    else:
        here, last = tree.reference[tree.fell].log_probability, _last_kept(tree, tree.fell)
        beside = "" if last is None else f" beside {_signed(last)} of the last that was kept"
        told = f"The reference fell off the beam {where}, with log P {_signed(here)}{beside}"
    more, whose = ("higher", "search") if wanted.score > found.score else ("no higher", "model")
    return (
        f"{told}. At its end it has {ends}, {more} than the translation's {_signed(found.score)}: the {whose}'s fault."
    )


def _last_kept(tree: BeamTree, time: int) -> float | None:
    kept = tree.kept(time)
    return tree.branches[kept[-1]].log_probability if kept else None
