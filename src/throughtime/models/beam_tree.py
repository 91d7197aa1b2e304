"""What a beam search considered for one source, step by step, and where a reference fell off it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch

from throughtime.models.diagnosis import limit_of, plain
from throughtime.models.sought import Search
from throughtime.models.translator import Translator, padded
from throughtime.padded import Padded
from throughtime.search import Candidates, Rules, beam

Fall = Literal["pruned", "stopped"]


class Branch(NamedTuple):
    """A hypothesis that a step considered: one symbol more than its parent, which was kept."""

    time: int  # symbols before this one
    parent: int  # the place of the branch it goes on from; -1 at the beginning
    token: int
    log_probability: float  # of all so far
    score: float  # as if it ended here
    coverage: float  # the part of the score that is for coverage
    kept: bool  # it goes on, or ended here
    ended: bool


class Scored(NamedTuple):
    """A symbol of a reference, scored as if it had been found."""

    token: int
    log_probability: float
    score: float
    coverage: float
    branch: int  # the place of the branch that it is; -1 where it was not among the candidates


@dataclass(frozen=True)
class BeamTree:
    """A beam search of one source, with the translation that it chose and with a reference.

    The reference was "pruned" at `fell` if its first symbols, that one included, were not kept there. It was "stopped"
    if the search ended before it could go on: enough others had ended, or none that went on could rank higher.
    """

    width: int
    alpha: float
    branches: tuple[Branch, ...]
    best: tuple[int, ...]  # the places of the branches that made the translation, its end included
    reference: tuple[Scored, ...]  # its end included
    fell: int | None  # from 0; None where the reference ended on the beam
    how: Fall | None
    names: dict[int, str]  # of the tokens, for people
    texts: tuple[str, str, str]  # of the source, of the translation, of the reference

    @property
    def steps(self) -> int:
        """Of the search, or of the reference if that is longer."""
        return max(1 + max((branch.time for branch in self.branches), default=-1), len(self.reference))

    def kept(self, time: int) -> list[int]:
        """The places of the branches that a step kept, the likeliest first."""
        places = [place for place, one in enumerate(self.branches) if one.time == time and one.kept]
        return sorted(places, key=lambda place: -self.branches[place].log_probability)


def beam_tree(translator: Translator, source: str, reference: str, search: Search) -> BeamTree:
    """What a search considered for a source, and where a reference fell off. Raises as `translate` does."""
    search, units = plain(search), translator.target_units
    read = translator.read(source)
    watched = _Watched(units.end)
    with translator.ready():
        found = beam(
            translator.stepper(search),
            padded([read]),
            rules=Rules(units.end, shortest=search.shortest),
            longest=[limit_of(translator, source, search)],
            settings=search.beam,
            watch=watched,
        )
        said = _scored(translator, padded([read]), [*units.encode(reference).tolist(), units.end], search)
    wanted = [(*hypotheses[0].tokens, units.end) for hypotheses in found if hypotheses]
    followed = watched.follow([one.token for one in said])
    fell = next((time for time, place in enumerate(followed) if not watched.kept(place)), None)
    how: Fall | None = None
    if fell is not None:
        how = "stopped" if watched.was_stopped(fell, followed[fell], search.width) else "pruned"
    tokens = {branch.token for branch in watched.branches} | {one.token for one in said}
    return BeamTree(
        width=search.width,
        alpha=search.alpha,
        branches=tuple(watched.branches),
        best=tuple(watched.follow(wanted[0])) if wanted else (),
        reference=tuple(one._replace(branch=place) for one, place in zip(said, followed, strict=True)),
        fell=fell,
        how=how,
        names={token: units.names([token])[0] for token in sorted(tokens)},
        texts=(source, units.decode(wanted[0]) if wanted else "", reference),
    )


class _Watched:
    """The branches of a search of one source, as its steps are told."""

    def __init__(self, end: int) -> None:
        self.branches: list[Branch] = []
        self.end, self.steps = end, 0
        self._rows: dict[int, int] = {}  # of the beam: the branch in each
        self._children: dict[tuple[int, int], int] = {}  # by parent and token

    def __call__(self, candidates: Candidates) -> None:
        columns = [getattr(candidates, name)[0].tolist() for name in candidates._fields[2:]]
        before, self._rows, self.steps = self._rows, {}, candidates.time + 1
        for parent, token, log_probability, score, coverage, row, ended in zip(*columns, strict=True):
            if log_probability == float("-inf"):
                continue
            come_from, place = before.get(parent, -1), len(self.branches)
            kept = row >= 0 or ended
            branch = Branch(candidates.time, come_from, token, log_probability, score, coverage, kept, ended)
            self.branches.append(branch)
            self._children[come_from, token] = place
            if row >= 0:
                self._rows[row] = place

    def follow(self, tokens: Sequence[int]) -> list[int]:
        """The places of the branches that say these tokens; -1 from where there is none."""
        places: list[int] = []
        place = -1
        for token in tokens:
            on = not places or place >= 0
            place = self._children.get((place, token), -1) if on else -1
            places.append(place)
        return places

    def kept(self, place: int) -> bool:
        return place >= 0 and self.branches[place].kept

    def was_stopped(self, time: int, place: int, width: int) -> bool:
        """Whether a branch that was not kept would have been, had the search not ended with that step."""
        if time >= self.steps:
            return True
        if time < self.steps - 1 or place < 0 or self.branches[place].token == self.end:
            return False
        going = [one for one in self.branches if one.time == time and one.token != self.end]
        ahead = sum(one.log_probability > self.branches[place].log_probability for one in going)
        return not any(one.kept for one in going) and ahead < width


def _scored(translator: Translator, source: Padded, tokens: Sequence[int], search: Search) -> list[Scored]:
    """The symbols of a reference, each with what it would have on a beam."""
    stepper, ranking, total = translator.stepper(search), search.ranking, 0.0
    logs, state = stepper.start(source)
    said = []
    for time, token in enumerate(tokens):
        total += float(logs[0, token].double())
        covered = ranking.coverage_of(stepper, state)
        coverage = 0.0 if covered is None else float(ranking.covering(covered)[0])
        score = float(ranking.scores(torch.tensor([total], dtype=torch.float64), time + 1, covered)[0])
        said.append(Scored(token, total, score, coverage, -1))
        if time + 1 < len(tokens):
            logs, state = stepper.step(torch.tensor([token], device=logs.device), state)
    return said
