"""Greedy search: the likeliest symbol at every step."""

from collections.abc import Sequence
from typing import TypeVar

from torch import Tensor

from throughtime.search.likeliest import likeliest
from throughtime.search.ranking import Hypothesis, Ranking
from throughtime.search.rules import Rules
from throughtime.search.stepper import Stepper
from throughtime.search.walk import walk

X = TypeVar("X")
S = TypeVar("S")


def greedy(
    stepper: Stepper[X, S],
    source: X,
    *,
    rules: Rules | Sequence[Rules],
    longest: Sequence[int],
    prefixes: Sequence[Sequence[int]] | None = None,
    ranking: Ranking = Ranking(),  # noqa: B008 - frozen
) -> list[Hypothesis]:
    """The hypothesis of each source whose every symbol is the likeliest of those allowed: a beam of width 1.

    `longest` is a limit for each source, `rules` are for all of them or one for each. One that nothing was possible
    for has what was said until there and a log-probability of -inf.

    Raises `ArgumentError` where rules, limits and prefixes contradict each other and for required words, and
    `DivergedError` for probabilities that are not numbers.
    """

    def choose(log_probabilities: Tensor, _: Tensor) -> Tensor:
        return likeliest(log_probabilities, 1)[1][:, 0]

    return walk(stepper, source, choose, rules=rules, longest=longest, prefixes=prefixes, copies=1, ranking=ranking)
