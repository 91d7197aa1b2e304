"""Sought: what is asked of a translation, in words, and the rules in symbols that come of it."""

import math
from dataclasses import dataclass
from typing import Literal

from throughtime.data.line_units import LineUnits
from throughtime.data.pair_lengths import TARGET_LIMIT
from throughtime.errors import ArgumentError
from throughtime.search import Beam, Ranking, Rules


@dataclass(frozen=True)
class Search:
    """How translations are searched for, in words.

    `width`, `keep` (translations of a line), `alpha`, `form` and `coverage` (of the ranking), `groups` and `diversity`
    are the beam's, as `throughtime.search` has them. No translation has fewer symbols than `shortest`; the search
    gives up at `longest` (None: what targets in training were like, and what is asked for here besides). Words or
    phrases of `forbidden` never come as words, though perhaps within longer ones; all of `required` do, perhaps as a
    part of a longer word; and `prefix` is what translations begin with.
    """

    width: int = 5
    keep: int = 1
    alpha: float = 0.7
    form: Literal["power", "wu"] = "power"
    coverage: float = 0.0
    groups: int = 1
    diversity: float = 0.0
    shortest: int = 0
    longest: int | None = None
    forbidden: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    prefix: str = ""

    def __post_init__(self) -> None:
        _ = self.beam  # which checks its own numbers
        if self.shortest < 0:
            raise ArgumentError(f"shortest must be at least 0; got {self.shortest}")
        if self.longest is not None and not 1 <= self.longest <= TARGET_LIMIT:
            raise ArgumentError(f"longest must be in 1..{TARGET_LIMIT:,}; got {self.longest}")

    @property
    def ranking(self) -> Ranking:
        """How hypotheses are compared."""
        return Ranking(alpha=self.alpha, form=self.form, coverage=self.coverage)

    @property
    def beam(self) -> Beam:
        """The settings of the beam."""
        return Beam(self.width, self.keep, self.ranking, self.groups, self.diversity)


@dataclass(frozen=True)
class Translation:
    """A line that was made of another."""

    text: str
    ids: tuple[int, ...]  # its symbols, without the end
    log_probability: float  # nats, the end included
    score: float  # by which it was ranked
    finished: bool  # whether it ended by itself: neither where the search gave up nor where nothing is possible


NOTHING = Translation("", (), -math.inf, -math.inf, False)  # where nothing is possible


def rules_of(search: Search, units: LineUnits) -> tuple[Rules, list[int]]:
    """What may be said, and how it begins.

    Raises `ArgumentError` for words that the vocabulary lacks, and for what no translation of any line can keep to.
    """
    required = tuple(_spelt(words, "required", units) for words in search.required)
    for words in search.forbidden:
        _spelt(words, "forbidden", units)  # which refuses what could never be said
    forbidden = tuple((" ".join(words.split()) or words).encode() for words in search.forbidden)
    spelling = units.spelling if forbidden else None
    rules = Rules(units.end, search.shortest, forbidden, required, spelling)
    prefix = _spelt(search.prefix, "prefix", units)[-1] if search.prefix else ()
    rules.check(TARGET_LIMIT if search.longest is None else search.longest, prefix)
    return rules, list(prefix)


def _spelt(words: str, what: str, units: LineUnits) -> list[tuple[int, ...]]:
    """How words can be spelt in symbols: within a line, and at its begin where that is another way."""
    spaced = [" " + words, words] if units.kind == "subword" else [words]
    found = [tuple(units.encode(one).tolist()) for one in spaced]
    if any(not ids or units.unknown in ids for ids in found):
        raise ArgumentError(f"{what} {words!a:.80} has {units.kind}s that the vocabulary lacks, or none")
    return list(dict.fromkeys(found))
