"""A walk: every row says one symbol a step, taken by whoever walks; the loop of greedy search and of sampling."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from throughtime import tree
from throughtime.errors import ArgumentError, DivergedError
from throughtime.search.allowed import Allowed
from throughtime.search.ranking import Hypothesis, Ranking
from throughtime.search.rules import Rules, each
from throughtime.search.stepper import Stepper

X = TypeVar("X")
S = TypeVar("S")


@torch.no_grad()
def walk(
    stepper: Stepper[X, S],
    source: X,
    choose: Callable[[Tensor, Tensor], Tensor],
    *,
    rules: Rules | Sequence[Rules],
    longest: Sequence[int],
    prefixes: Sequence[Sequence[int]] | None,
    copies: int,
    ranking: Ranking,
) -> list[Hypothesis]:
    """A hypothesis for each of `copies` rows a source, whose symbols `choose` takes.

    It is given log-probabilities (N V), and which of all rows these are (N): those of a source stand together.

    Raises `ArgumentError` for required words, which one row alone cannot be held to.
    """
    each_rules, begins = each(rules, longest, prefixes)
    if any(one.required for one in each_rules):
        raise ArgumentError("required words need a beam: search with one that is wider than they have symbols")
    log_p, state = stepper.start(source)
    rows = torch.arange(len(log_p), device=log_p.device).repeat_interleave(copies)
    walker = _Walker(Allowed.of(each_rules, longest, begins, log_p), rows, copies)
    if copies > 1:
        log_p, state = log_p[rows], tree.take(state, rows)
    while walker.rows.numel():
        tokens, ended = walker.say(log_p, choose)
        if bool(ended.any()):
            walker.end(ended, ranking, ranking.coverage_of(stepper, state))
            tokens, staying, groups = walker.leave(tokens)
            if groups is not None:
                state = tree.take(state, staying, groups)
        if walker.rows.numel():
            log_p, state = stepper.step(tokens, state)
    return walker.hypotheses()


class _Walker:
    """What each row has said; `rows` are the numbers of those that are still stepped."""

    def __init__(self, allowed: Allowed, rows: Tensor, copies: int) -> None:
        self.allowed, self.copies, self.time = allowed, copies, -1
        self.said = tree.take(allowed.begin(), rows)
        self.rows = torch.arange(len(rows), device=rows.device)
        self.going = torch.ones_like(self.rows, dtype=torch.bool)
        self.total = torch.zeros(len(rows), dtype=torch.float64, device=rows.device)  # log p
        self.finished = torch.zeros_like(self.going)
        self.tokens: list[Tensor] = []  # of all rows that began
        self.results = torch.zeros(4, len(rows), dtype=torch.float64, device=rows.device)

    def say(self, log_p: Tensor, choose: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """One symbol a row, and which rows end with it: at an end, at the limit, where nothing is possible."""
        self.time += 1
        if self.allowed.restricts(self.time):
            log_p = log_p.clone()
            self.allowed.restrict(log_p, self.said, self.time)
        tokens = choose(log_p, self.rows)
        self.finished = tokens == self.allowed.end
        if self.time >= self.allowed.first_limit:
            at_limit = (self.allowed.longest == self.time).repeat_interleave(self.copies)
            tokens = tokens.masked_fill(at_limit, self.allowed.end)
        gained = log_p.gather(1, tokens[:, None])[:, 0]
        if bool(torch.isnan(gained).any()):
            raise DivergedError("the model's probabilities are not numbers: its weights are too large or broken")
        self.total = self.total + gained
        self.finished = self.finished & (self.total > -torch.inf)
        self.said = self.allowed.follow(self.said, tokens)
        everyone = tokens if len(tokens) == self.results.shape[1] else self.rows.new_zeros(self.results.shape[1])
        self.tokens.append(everyone if everyone is tokens else everyone.index_copy_(0, self.rows, tokens))
        return tokens, self.going & ((tokens == self.allowed.end) | (self.total == -torch.inf))

    def end(self, ended: Tensor, ranking: Ranking, covered: Tensor | None) -> None:
        """Notes the rows that end here."""
        scores = ranking.scores(self.total, self.time + 1, covered)
        lengths = torch.full_like(self.total, self.time)
        columns = torch.stack((self.total, lengths, self.finished.double(), scores))
        self.results[:, self.rows[ended]] = columns[:, ended]
        self.going = self.going & ~ended

    def leave(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """The symbols of the rows that stay, these rows, and the sources that stay (None for all)."""
        staying = self.going.view(-1, self.copies).any(1)
        rows = staying.repeat_interleave(self.copies).nonzero()[:, 0]
        if len(rows) == len(tokens):
            return tokens, rows, None
        self.rows, self.going, self.total, self.said = tree.take((self.rows, self.going, self.total, self.said), rows)
        groups = staying.nonzero()[:, 0]
        self.allowed = self.allowed.take(groups)
        return tokens[rows], rows, groups

    def hypotheses(self) -> list[Hypothesis]:
        """What was said, a row each."""
        said = torch.stack(self.tokens, 1).tolist() if self.tokens else []
        return [
            Hypothesis(tuple(tokens[: int(length)]), log_p, score, finished == 1)
            for tokens, (log_p, length, finished, score) in zip(said, self.results.T.tolist(), strict=True)
        ]
