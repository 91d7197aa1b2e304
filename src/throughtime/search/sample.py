"""Sampling: one symbol at a time, fed back."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from throughtime.errors import ArgumentError, DivergedError
from throughtime.search.ranking import Hypothesis, Ranking
from throughtime.search.rules import Rules
from throughtime.search.stepper import Stepper
from throughtime.search.walk import walk

X = TypeVar("X")
S = TypeVar("S")


def truncate(
    log_probabilities: Float[Tensor, "*rows V"],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Float[Tensor, "*rows V"]:
    """The distribution sharpened by a temperature and cut to its head, as log-probabilities that sum to one.

    Formula: log p / temperature, normalised; then the `top_k` likeliest alone; of those the smallest set, likeliest
    first, whose probabilities reach `top_p` of the whole; normalised. Temperature 0 leaves the likeliest alone.
    Symbols as likely as the last one kept by `top_k` are kept too.

    Raises `ArgumentError` for a temperature below 0, a top_k below 1, a top_p outside of (0, 1].

    Source: Fan et al. (2018) for top k; Holtzman et al. (2020) for top p.

    >>> truncate(torch.tensor([0.5, 0.3, 0.2]).log(), top_k=2).exp().tolist()
    [0.625, 0.375, 0.0]
    """
    if not 0 <= temperature < float("inf"):
        raise ArgumentError(f"temperature must be at least 0 and finite; got {temperature}")
    if top_k is not None and top_k < 1:
        raise ArgumentError(f"top_k must be at least 1; got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ArgumentError(f"top_p must be in (0, 1]; got {top_p}")
    if temperature < torch.finfo(log_probabilities.dtype).tiny:
        likeliest = torch.full_like(log_probabilities, -torch.inf)
        return likeliest.scatter_(-1, log_probabilities.argmax(-1, keepdim=True), 0.0)
    below = log_probabilities - log_probabilities.amax(-1, keepdim=True)  # so that nothing finite is left out
    scores = torch.log_softmax(below / temperature, -1)
    if top_k is not None and top_k < scores.shape[-1]:
        least = scores.topk(top_k).values[..., -1:]
        scores = scores.masked_fill(scores < least, -torch.inf).log_softmax(-1)
    if top_p is not None and top_p < 1:
        ordered, places = scores.sort(descending=True, dim=-1, stable=True)
        before = ordered.exp().cumsum(-1) - ordered.exp()
        dropped = torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, places, before >= top_p)
        scores = scores.masked_fill(dropped, -torch.inf).log_softmax(-1)
    return scores


@torch.no_grad()
def sample(
    stepper: Stepper[Tensor, S],
    prompt: Sequence[int],
    *,
    length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: int | None = None,
    forbidden: Sequence[int] = (),
    seed: int | None = None,
) -> Iterator[int]:
    """Up to `length` symbols, each drawn given all before it, as they are drawn; ends after `stop`.

    Time and memory for a symbol do not grow. The same seed gives the same symbols. `forbidden` symbols are never
    drawn.

    Raises `ArgumentError` as `truncate` does, and for an empty prompt.
    """
    if not len(prompt):
        raise ArgumentError("prompt is empty: begin with the units' start symbol")
    generator = _generator(seed)
    scores, state = stepper.start(torch.tensor(prompt)[None])
    for made in range(length):
        allowed = scores.index_fill(-1, torch.tensor(forbidden).to(scores.device), -torch.inf) if forbidden else scores
        token = _drawn(allowed, generator, temperature, top_k, top_p)
        yield int(token)
        if int(token) == stop or made == length - 1:
            return
        scores, state = stepper.step(token, state)


@dataclass(frozen=True)
class Sampling:
    """How targets are drawn: `copies` of each source, from a distribution that `truncate` has cut.

    Raises `ArgumentError` for fewer copies than one and a seed below 0; drawing raises what `truncate` does.
    """

    copies: int = 1
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise ArgumentError(f"copies must be at least 1; got {self.copies}")
        if self.seed is not None and self.seed < 0:
            raise ArgumentError(f"seed must be at least 0; got {self.seed}")


def sampled(
    stepper: Stepper[X, S],
    source: X,
    *,
    rules: Rules | Sequence[Rules],
    longest: Sequence[int],
    prefixes: Sequence[Sequence[int]] | None = None,
    settings: Sampling = Sampling(),
    numbers: Sequence[int] | None = None,
) -> list[list[Hypothesis]]:
    """Targets of each source whose every symbol was drawn given all before it, in the order drawn.

    `longest` is a limit for each source, `rules` are for all of them or one for each. Scores are log-probabilities of
    the model, whatever the distribution was cut to. Chances are those of the seed and of a source's number (its place,
    if `numbers` are not given), whatever stands beside it.

    Raises `ArgumentError` as `greedy` and `truncate` do, `DivergedError` for probabilities that are not numbers.
    """
    seed = secrets.randbits(63) if settings.seed is None else settings.seed
    generators = [np.random.default_rng([seed, number]) for number in numbers or range(len(longest))]
    if len(generators) != len(longest):
        raise ArgumentError(f"there are {len(generators)} numbers for {len(longest)} sources: give one for each")

    def choose(log_probabilities: Tensor, rows: Tensor) -> Tensor:
        nothing = log_probabilities.amax(-1, keepdim=True) == -torch.inf  # then anything will do: it stays at -inf
        chances = _chances(
            log_probabilities.masked_fill(nothing, 0.0), settings.temperature, settings.top_k, settings.top_p
        )
        sources = (rows[:: settings.copies] // settings.copies).tolist()
        places = np.concatenate([generators[source].random(settings.copies) for source in sources])
        return _at(chances, torch.from_numpy(places)).to(log_probabilities.device)

    found = walk(
        stepper,
        source,
        choose,
        rules=rules,
        longest=longest,
        prefixes=prefixes,
        copies=settings.copies,
        ranking=Ranking(alpha=0.0),
    )
    return [found[at : at + settings.copies] for at in range(0, len(found), settings.copies)]


def _generator(seed: int | None) -> torch.Generator:
    generator = torch.Generator()
    generator.seed() if seed is None else generator.manual_seed(seed)
    return generator


def _drawn(
    log_probabilities: Tensor, generator: torch.Generator, temperature: float, top_k: int | None, top_p: float | None
) -> Tensor:
    """A symbol for each row (N V)."""
    chances = _chances(log_probabilities, temperature, top_k, top_p)
    return torch.multinomial(chances, 1, generator=generator)[:, 0].to(log_probabilities.device)


def _chances(log_probabilities: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """The chance of each symbol (N V), on the CPU, so that a seed draws the same on every device."""
    scores = log_probabilities.float().cpu()
    chances = truncate(scores, temperature=temperature, top_k=top_k, top_p=top_p).exp()
    if not bool(torch.isfinite(chances).all()):
        raise DivergedError("the model's probabilities are not numbers: its weights are too large or broken")
    return chances


def _at(chances: Tensor, places: Tensor) -> Tensor:
    """The symbol in whose part of a line of all chances (N V) a place (N, of 0 to 1) is; never one without a chance."""
    ends = chances.double().cumsum(-1)
    whole = ends[:, -1]
    below = torch.minimum(places * whole, torch.nextafter(whole, torch.zeros_like(whole)))
    return torch.searchsorted(ends, below[:, None], right=True)[:, 0]
