"""Forced decoding: how likely a model finds targets that are given."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from throughtime import tree
from throughtime.errors import ArgumentError, DivergedError
from throughtime.padded import Padded
from throughtime.search.ranking import Hypothesis, Ranking
from throughtime.search.stepper import Stepper

X = TypeVar("X")
S = TypeVar("S")


def forced(stepper: Stepper[X, S], source: X, targets: Sequence[Sequence[int]], *, end: int) -> Padded:
    """log p of every symbol of the targets, one target a source, and of the end after each (B T+1, float64).

    Their sum over T is the log-probability of the target.

    Raises `ArgumentError` for targets that are not one a source, or have symbols that are not the model's or the end.
    """
    lengths = torch.tensor([len(target) + 1 for target in targets], dtype=torch.int64)
    data = torch.zeros(len(targets), int(lengths.max()) if len(targets) else 0, dtype=torch.float64)
    for time, alive, log_p, _ in _steps(stepper, source, targets, end):
        data[alive, time] = log_p
    return Padded(data, lengths)


def rescored(
    stepper: Stepper[X, S],
    source: X,
    targets: Sequence[Sequence[int]],
    *,
    end: int,
    ranking: Ranking = Ranking(),  # noqa: B008 - frozen
) -> list[Hypothesis]:
    """The targets as a search would return them, had it found them: their log-probabilities and scores.

    Raises `ArgumentError` as `forced` does.
    """
    totals = torch.zeros(len(targets), dtype=torch.float64)
    scores = torch.zeros_like(totals)
    for time, alive, log_p, state in _steps(stepper, source, targets, end):
        totals[alive] += log_p
        covered = ranking.coverage_of(stepper, state)
        scores[alive] = ranking.scores(totals[alive], time + 1, None if covered is None else covered.cpu())
    found = zip(targets, totals.tolist(), scores.tolist(), strict=True)
    return [Hypothesis(tuple(map(int, target)), total, score, True) for target, total, score in found]


@torch.no_grad()
def _steps(
    stepper: Stepper[X, S], source: X, targets: Sequence[Sequence[int]], end: int
) -> Iterator[tuple[int, Tensor, Tensor, Any]]:
    """Of every step: its number, the targets that have a symbol there, log p of these, and the state they stand in."""
    log_p, state = stepper.start(source)
    _check(targets, end, log_p)
    given = [torch.tensor([*target, end]) for target in targets]
    symbols = torch.nn.utils.rnn.pad_sequence(given, batch_first=True) if given else torch.zeros(0, 0).long()
    lengths, alive = torch.tensor([len(target) for target in given], dtype=torch.int64), torch.arange(len(given))
    for time in range(symbols.shape[1]):
        tokens = symbols[alive, time].to(log_p.device)
        gained = log_p.gather(1, tokens[:, None])[:, 0].double().cpu()
        if bool(gained.isnan().any()):
            raise DivergedError("the model's probabilities are not numbers: its weights are too large or broken")
        yield time, alive, gained, state
        staying = (lengths[alive] > time + 1).nonzero()[:, 0]
        if len(staying) < len(alive):
            rows, alive = staying.to(log_p.device), alive[staying]
            state, tokens = tree.take(state, rows, rows), tokens[rows]
        if len(alive):
            log_p, state = stepper.step(tokens, state)


def _check(targets: Sequence[Sequence[int]], end: int, log_p: Tensor) -> None:
    sources, vocab = log_p.shape
    if len(targets) != sources:
        raise ArgumentError(f"there are {len(targets)} targets for {sources} sources")
    if not 0 <= end < vocab:
        raise ArgumentError(f"the end symbol {end} is none of the model's: they are 0 to {vocab - 1}")
    for place, target in enumerate(targets):
        outside = [symbol for symbol in target if not 0 <= symbol < vocab]
        if outside:
            raise ArgumentError(f"target {place} has the symbol {outside[0]}; the model's are 0 to {vocab - 1}")
        if end in target:
            raise ArgumentError(f"target {place} has the end symbol {end}, which is added here: leave it out")
