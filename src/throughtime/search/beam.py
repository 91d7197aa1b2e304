"""Beam search: the likeliest few hypotheses of every source go on, all sources at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from throughtime import tree
from throughtime.errors import ArgumentError, DivergedError
from throughtime.search.allowed import Allowed
from throughtime.search.choice import Chosen, Proposed, banked, best, diverse
from throughtime.search.ended import Ended
from throughtime.search.history import History
from throughtime.search.likeliest import likeliest
from throughtime.search.ranking import Hypothesis, Ranking
from throughtime.search.rules import Rules, each
from throughtime.search.stepper import Stepper

X = TypeVar("X")
S = TypeVar("S")


@dataclass(frozen=True)
class Beam:
    """How wide a beam is, how many of its hypotheses are kept, and by what they are ranked.

    With `groups` the beam is in as many parts, one after the other; a symbol loses `diversity` (nats) for each time
    that parts before chose it at that step. What is lost counts for the choice alone.

    Raises `ArgumentError` for numbers that do not fit each other.

    Source: Vijayakumar et al. (2018), Hamming diversity.
    """

    width: int = 5
    keep: int = 1
    ranking: Ranking = field(default_factory=Ranking)
    groups: int = 1
    diversity: float = 0.0

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ArgumentError(f"width must be at least 1; got {self.width}")
        if not 1 <= self.keep <= self.width:
            raise ArgumentError(f"keep must be in 1..{self.width}, the width of the beam; got {self.keep}")
        if self.groups < 1 or self.width % self.groups:
            raise ArgumentError(f"groups must divide the width {self.width}; got {self.groups}")
        if not 0 <= self.diversity < float("inf"):
            raise ArgumentError(f"diversity must be at least 0 and finite; got {self.diversity}")
        if (self.groups > 1) != (self.diversity > 0):
            raise ArgumentError(
                f"groups above 1 and a diversity above 0 go together; got {self.groups} and {self.diversity}"
            )


class Candidates(NamedTuple):
    """What one step chose from, for who watches. A row is a place in the beam.

    Shapes: B' sources that are still searched, M candidates each: of every row its best few and its end.
    """

    time: int  # symbols said before this step
    sources: Tensor  # B', which they are
    parents: Tensor  # B' M, the row they go on from
    tokens: Tensor  # B' M, the end among them
    log_probabilities: Tensor  # B' M, of all so far; -inf where impossible
    scores: Tensor  # B' M, as if they ended here
    coverage: Tensor  # B' M, the part of the score that is for coverage
    kept: Tensor  # B' M, the row from now on; -1 where there is none
    ended: Tensor  # B' M, whether the hypothesis is finished here


Watch = Callable[[Candidates], None]


@torch.no_grad()
def beam(
    stepper: Stepper[X, S],
    source: X,
    *,
    rules: Rules | Sequence[Rules],
    longest: Sequence[int],
    prefixes: Sequence[Sequence[int]] | None = None,
    settings: Beam = Beam(),
    watch: Watch | None = None,
) -> list[list[Hypothesis]]:
    """The hypotheses that rank best of each source, best first, at most `keep` and no two alike.

    `longest` is a limit for each source, `rules` are for all of them or one for each. A hypothesis is finished where
    its end is among the `width` best candidates of its beam, whose place it takes. A beam ends when a bound
    proves that nothing that goes on can rank among the kept, and not when many have ended: those may all be bad. The
    bound knows of a limit alone, so an alpha above 0 takes the longer the further off that is. At the limit all that
    remain end. What has probability zero is not given, so there are fewer, or none, where fewer are possible.

    Required words are kept to by banks: the places of a beam are shared evenly by how much of them was said, so it
    should be wider than they have symbols.

    Raises `ArgumentError` where rules, limits, prefixes and settings contradict each other, and `DivergedError` for
    probabilities that are not numbers.

    Source: Post and Vilar (2018) for the banks; here they are the ones that have candidates, and places that a bank
    cannot fill go to the best of all. Wu et al. (2016) for the ranking.
    """
    each_rules, begins = each(rules, longest, prefixes)
    if settings.groups > 1 and any(one.required for one in each_rules):
        raise ArgumentError("required words and diverse groups do not go together: leave one of them out")
    log_probabilities, state = stepper.start(source)
    search = _Search(Allowed.of(each_rules, longest, begins, log_probabilities), log_probabilities, settings)
    if settings.groups > 1:
        rows = torch.arange(len(longest), device=log_probabilities.device).repeat_interleave(settings.groups)
        log_probabilities, state = log_probabilities[rows], tree.take(state, rows)
    while search.alive.numel():
        covered = settings.ranking.coverage_of(stepper, state)
        tokens, rows, groups = search.advance(log_probabilities, covered, watch)
        if search.alive.numel():
            log_probabilities, state = stepper.step(tokens, tree.take(state, rows, groups))
    return search.ended.hypotheses(search.history, settings.groups, settings.keep)


class _Search:
    """The beams of all sources: G a source, one after the other, each with W rows."""

    def __init__(self, allowed: Allowed, first: Tensor, settings: Beam) -> None:
        sources, self.vocab = first.shape
        self.settings, self.allowed, self.time = settings, allowed, 0
        self.part = settings.width // settings.groups  # W
        beams = sources * settings.groups
        self.alive = torch.arange(sources, device=first.device)  # the sources that are still searched
        self.history = History(beams, self.vocab)
        self.ended = Ended(beams, settings.keep, self.part, first.device)
        self.total = torch.zeros(beams, 1, dtype=torch.float64, device=first.device)  # log p of each row
        self.said = tree.take(allowed.begin(), self.alive.repeat_interleave(settings.groups))

    def advance(
        self, log_probabilities: Tensor, covered: Tensor | None, watch: Watch | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """One step: the symbols that are said, the rows that say them, and the groups that stay (None for all)."""
        proposed = self._propose(log_probabilities)
        if bool(torch.isnan(proposed.totals.sum() + proposed.ends.sum())):
            raise DivergedError("the model's probabilities are not numbers: its weights are too large or broken")
        limit = self._of_beams(self.allowed.longest)
        chosen = self._choose(proposed, limit)
        coverage = None if covered is None else self.settings.ranking.covering(covered).view_as(proposed.ends)
        ended, beams = chosen.ended, self._beams()
        total = proposed.totals.gather(1, chosen.places).masked_fill(~chosen.going, -torch.inf)
        if self.time >= self.allowed.first_limit:
            at_limit = (limit == self.time)[:, None]
            ended = ended | (at_limit & (proposed.ends > -torch.inf))
            total = total.masked_fill(at_limit, -torch.inf)
        if bool(ended.any()):
            scores = self._scores(proposed.ends, coverage).masked_fill(~ended, -torch.inf)
            self.ended.add(beams, self.time, scores, proposed.ends, chosen.ended)
        done = self._are_done(beams, total, limit)
        total = total.masked_fill(done[:, None], -torch.inf)
        if watch is not None:
            watch(self._candidates(proposed, chosen.places, ended, total, coverage))
        return self._go_on(proposed, chosen.places, total, done)

    def _propose(self, log_probabilities: Tensor) -> Proposed:
        (beams, rows), end, required = self.total.shape, self.allowed.end, self.allowed.required
        table = log_probabilities
        if self.allowed.restricts(self.time):
            table = log_probabilities.clone()
            self.allowed.restrict(table, self.said, self.time)
        ends = self.total + table[:, end].view(beams, rows)
        if required is not None:  # all of their symbols are candidates of every row, beside its best others
            named = table[:, required.symbols]
            table.index_fill_(1, required.symbols, -torch.inf)
        values, tokens = likeliest(table, min(self.settings.width + 1, self.vocab))
        values = values.masked_fill(tokens == end, -torch.inf)
        if required is not None:
            values = torch.cat((values, named), 1)
            tokens = torch.cat((tokens, required.symbols.expand(len(tokens), -1)), 1)
        totals = self.total[..., None] + values.view(beams, rows, -1)
        return Proposed(totals.flatten(1), tokens.view(beams, -1), ends)

    def _choose(self, proposed: Proposed, limit: Tensor) -> Chosen:
        if self.allowed.required is not None:
            return banked(proposed, self.part, self.allowed.required, self.said, limit - self.time - 1)
        if self.settings.groups > 1:
            return diverse(proposed, self.part, self.settings.groups, self.settings.diversity)
        return best(proposed.totals, proposed.ends, self.part)

    def _are_done(self, beams: Tensor, total: Tensor, limit: Tensor) -> Tensor:
        """Which beams nothing can come of: nothing goes on, or a bound proves that nothing can rank among the kept."""
        best = total.amax(1)
        if not self.ended.some:
            return best == -torch.inf
        return self.ended.least(beams) >= self.settings.ranking.bound(best, limit)  # -inf where nothing goes on

    def _go_on(
        self, proposed: Proposed, places: Tensor, total: Tensor, done: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Notes the symbols that were said, and lets the sources leave that are done."""
        (beams, before), groups = proposed.ends.shape, None
        parents = places // (proposed.totals.shape[1] // before)
        tokens = proposed.tokens.gather(1, places)
        self.history.add(parents, tokens, self._beams())
        rows = parents + before * torch.arange(beams, device=parents.device)[:, None]
        leaving = done.view(-1, self.settings.groups).all(1)
        if bool(leaving.any()):
            groups = (~leaving).nonzero()[:, 0]
            staying = self._of_beams(~leaving)
            rows, tokens, total = rows[staying], tokens[staying], total[staying]
            self.alive, self.allowed = self.alive[groups], self.allowed.take(groups)
        self.total, self.time = total, self.time + 1
        rows, tokens = rows.flatten(), tokens.flatten()
        self.said = self.allowed.follow(tree.take(self.said, rows), tokens)
        return tokens, rows, groups

    def _beams(self) -> Tensor:
        """The numbers of the beams that are still searched."""
        groups = self.settings.groups
        if groups == 1:
            return self.alive
        return (self.alive[:, None] * groups + torch.arange(groups, device=self.alive.device)).flatten()

    def _of_beams(self, of_sources: Tensor) -> Tensor:
        """What sources have, for each of their beams."""
        return of_sources if self.settings.groups == 1 else of_sources.repeat_interleave(self.settings.groups)

    def _scores(self, log_probabilities: Tensor, coverage: Tensor | None) -> Tensor:
        """What these would score if they ended after the symbols said so far."""
        scores = self.settings.ranking.scores(log_probabilities, self.time + 1)
        return scores if coverage is None else scores + coverage

    def _candidates(
        self, proposed: Proposed, places: Tensor, ended: Tensor, total: Tensor, coverage: Tensor | None
    ) -> Candidates:
        """All that this step chose from, for who watches; the rows of a source's beams are numbered through."""
        groups, (beams, before), width = self.settings.groups, proposed.ends.shape, places.shape[1]
        part = (torch.arange(beams, device=places.device) % groups)[:, None]
        row = torch.arange(before, device=places.device)
        going = proposed.totals.shape[1]
        parents = torch.cat((row.repeat_interleave(going // before), row)) + part * before
        ends = torch.full_like(proposed.ends, self.allowed.end, dtype=torch.int64)
        totals = torch.cat((proposed.totals, proposed.ends), 1)
        cover = torch.zeros_like(proposed.ends) if coverage is None else coverage
        covers = torch.cat((cover.repeat_interleave(going // before, 1), cover), 1)
        rank = (torch.arange(width, device=places.device) + part * width).masked_fill(total == -torch.inf, -1)
        kept = torch.full_like(parents, -1).scatter_(1, places, rank)
        is_end = torch.cat((torch.zeros_like(proposed.totals, dtype=torch.bool), ended), 1)
        columns = (parents, torch.cat((proposed.tokens, ends), 1), totals, self._scores(totals, covers), covers)
        shaped = [column.reshape(len(self.alive), -1) for column in (*columns, kept, is_end)]
        return Candidates(self.time, self.alive, *shaped)
