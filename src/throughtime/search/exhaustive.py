"""Exhaustive search: every target there is, for problems that are tiny; what other searches are held to."""

from collections.abc import Sequence
from itertools import product
from typing import TypeVar

import torch
from torch import Tensor

from throughtime import tree
from throughtime.errors import ArgumentError
from throughtime.search.allowed import Allowed
from throughtime.search.ranking import Hypothesis, Ranking
from throughtime.search.rules import Rules, each, within
from throughtime.search.stepper import Stepper

X = TypeVar("X")
S = TypeVar("S")
MOST = 1_000_000  # targets of all sources together


@torch.no_grad()
def exhaustive(
    stepper: Stepper[X, S],
    source: X,
    *,
    rules: Rules | Sequence[Rules],
    longest: Sequence[int],
    prefixes: Sequence[Sequence[int]] | None = None,
    keep: int = 1,
    ranking: Ranking = Ranking(),  # noqa: B008 - frozen
) -> list[list[Hypothesis]]:
    """The `keep` hypotheses of each source that rank best of all there are, best first.

    Raises `ArgumentError` where rules, limits and prefixes contradict each other, and for more than a million targets.
    """
    each_rules, begins = each(rules, longest, prefixes)
    log_p, state = stepper.start(source)
    sources, vocab = log_p.shape
    Allowed.of(each_rules, longest, begins, log_p)  # which checks that they fit the model
    if sources * vocab ** max(longest, default=0) > MOST:
        raise ArgumentError(
            f"{sources} sources of up to {max(longest)} of {vocab} symbols are over {MOST:,} targets: search by a beam"
        )
    symbols = torch.tensor([symbol for symbol in range(vocab) if symbol != each_rules[0].end], device=log_p.device)
    found: list[list[Hypothesis]] = [[] for _ in longest]
    totals = torch.zeros(sources, 1, dtype=torch.float64, device=log_p.device)
    for time in range(max(longest, default=-1) + 1):
        log_p = log_p.view(sources, -1, vocab)
        ends = totals + log_p[:, :, each_rules[0].end]
        scores = ranking.scores(ends, time + 1, _covered(ranking, stepper, state, sources))
        for place, tokens in enumerate(product(symbols.tolist(), repeat=time)):
            for at, (one, begin) in enumerate(zip(each_rules, begins, strict=True)):
                if time <= longest[at] and _keeps(tokens, one, begin) and float(ends[at, place]) > -torch.inf:
                    found[at].append(Hypothesis(tokens, float(ends[at, place]), float(scores[at, place]), True))
        if time == max(longest):
            break
        totals = (totals[..., None] + log_p[:, :, symbols]).flatten(1)
        rows = torch.arange(sources * log_p.shape[1], device=log_p.device).repeat_interleave(len(symbols))
        log_p, state = stepper.step(symbols.repeat(sources * log_p.shape[1]), tree.take(state, rows))
    return [sorted(several, key=lambda hypothesis: -hypothesis.score)[:keep] for several in found]


def _covered(ranking: Ranking, stepper: Stepper[X, S], state: S, sources: int) -> Tensor | None:
    covered = ranking.coverage_of(stepper, state)
    return None if covered is None else covered.view(sources, -1, covered.shape[-1])


def _keeps(tokens: tuple[int, ...], rules: Rules, prefix: Sequence[int]) -> bool:
    """Whether a whole target keeps to the rules and begins as it should."""
    return (
        len(tokens) >= rules.shortest
        and tokens[: len(prefix)] == tuple(prefix)
        and rules.says(tokens, ended=True) is None
        and all(any(within(phrase, tokens) for phrase in word) for word in rules.wanted)
    )
