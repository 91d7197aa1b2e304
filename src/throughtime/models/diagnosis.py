"""Whose fault a wrong translation is: the search's, which missed what ranks higher, or the model's, which prefers it.

y* is the reference of a source x, ŷ the translation that was found. The reference is scored as if it had been found,
by forced decoding. Where P(y*|x) > P(ŷ|x), the model knew better and the search did not find it; else no search would
have helped. A search that ranks by another score than log P looks for the highest of those: so the fault is told by
scores, which is what the search can be blamed for, and by probabilities beside it. Where scores blame the model and
probabilities the search, it is the ranking that turned the two round.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from throughtime.errors import ArgumentError
from throughtime.models.sought import NOTHING, Search, Translation
from throughtime.models.translator import Translator

Fault = Literal["search", "model", "tie", "unsayable"]
By = Literal["score", "probability"]
FAULTS: tuple[Fault, ...] = ("search", "model", "tie", "unsayable")
CLOSE = 1e-5  # nats: what rounding may do to a sum; two that are as close are a tie


@dataclass(frozen=True)
class Verdict:
    """What is to blame for one wrong translation.

    A tie is the model's fault by the rule: it does not prefer the reference; it is counted by itself. A reference is
    unsayable if it has units that the vocabulary lacks, or more of them than the search may say: no search finds it.
    """

    item: int  # from 0
    translation: Translation
    reference: Translation  # of several, the sayable one that ranks highest
    by_score: Fault
    by_probability: Fault


@dataclass(frozen=True)
class Diagnosis:
    """What is to blame for all wrong translations of a beam of one width, ranked with one alpha."""

    width: int
    alpha: float
    items: int
    wrong: tuple[Verdict, ...]
    unfinished: int  # translations that had no end where the search gave up, right or wrong
    length: float | None  # symbols of translations, over those of references

    def faults(self, by: By = "score") -> dict[Fault, int]:
        """How many errors each is to blame for, all four of them."""
        found = Counter(verdict.by_score if by == "score" else verdict.by_probability for verdict in self.wrong)
        return {fault: found[fault] for fault in FAULTS}

    def shares(self, by: By = "score") -> dict[Fault, float | None]:
        """The share of errors that each is to blame for; None where there are none."""
        return {fault: count / len(self.wrong) if self.wrong else None for fault, count in self.faults(by).items()}

    @property
    def turned(self) -> int:
        """Errors of which the probability prefers the reference, and the ranking the translation."""
        return sum(one.by_probability == "search" and one.by_score == "model" for one in self.wrong)

    def to_json(self) -> dict[str, Any]:
        """All numbers, without the items."""
        return {
            "beam": self.width,
            "alpha": self.alpha,
            "items": self.items,
            "errors": len(self.wrong),
            **{f"{fault}_errors": count for fault, count in self.faults().items()},
            **{f"{fault}_share": share for fault, share in self.shares().items()},
            **{f"{fault}_errors_by_probability": count for fault, count in self.faults("probability").items()},
            **{f"{fault}_share_by_probability": share for fault, share in self.shares("probability").items()},
            "turned_by_ranking": self.turned,
            "unfinished": self.unfinished,
            "length_ratio": self.length,
        }


def diagnose(
    translator: Translator, sources: Sequence[str], references: Sequence[Sequence[str]], search: Search
) -> Diagnosis:
    """What is to blame for the wrong translations that a search makes; references has a list for each source.

    A translation is wrong if it is none of its references. Of `search` the width, the ranking and the limits count.

    Raises `ArgumentError` for a source that is empty or has no reference, and as `translate` does.

    Source: Germann et al. (2001), section 6, tell errors of the search from those of the model. The reference finds
    no more than a part of the search's: what it missed may be no reference either (Stahlberg and Byrne, 2019).
    """
    search = plain(search)
    return _blamed(translator, sources, _Forced(translator, sources, references, search), search)


def sweep(
    translator: Translator,
    sources: Sequence[str],
    references: Sequence[Sequence[str]],
    search: Search,
    *,
    widths: Sequence[int],
    alphas: Sequence[float],
) -> Iterator[Diagnosis]:
    """What is to blame, for every alpha and every width of the beam, as each is known. Raises as `diagnose` does."""
    for alpha in alphas:
        ranked = plain(replace(search, alpha=alpha))
        forced = _Forced(translator, sources, references, ranked)
        for width in widths:
            yield _blamed(translator, sources, forced, replace(ranked, width=width))


def plain(search: Search) -> Search:
    """The same beam, ranking and limits, without what asks for several translations or for words."""
    return Search(
        width=search.width,
        alpha=search.alpha,
        form=search.form,
        coverage=search.coverage,
        shortest=search.shortest,
        longest=search.longest,
    )


def limit_of(translator: Translator, source: str, search: Search) -> int:
    """The most symbols that a search may say of a source."""
    return translator.limits([translator.read(source)], plain(search))[0]


def sayable(translator: Translator, source: str, reference: str, search: Search) -> bool:
    """Whether a search may say a reference: it has no unknown units, and neither too many nor too few."""
    ids = translator.target_units.encode(reference).tolist()
    unknown = translator.target_units.unknown
    return unknown not in ids and search.shortest <= len(ids) <= limit_of(translator, source, search)


class _Forced:
    """The references of each source, scored: of several the one that counts, and whether it can be said."""

    def __init__(
        self, translator: Translator, sources: Sequence[str], references: Sequence[Sequence[str]], search: Search
    ) -> None:
        if len(sources) != len(references) or not all(map(len, references)):
            raise ArgumentError(f"{len(sources):,} sources need as many lists of references, none of them empty")
        empty = next((item for item, source in enumerate(sources) if not source.strip()), None)
        if empty is not None:
            raise ArgumentError(f"source {empty} is empty, for which nothing is searched: leave it out")
        self.texts = references
        flat = [(item, text) for item, texts in enumerate(references) for text in texts]
        scored = translator.score([sources[item] for item, _ in flat], [text for _, text in flat], search)
        self.best: list[tuple[bool, Translation]] = [(False, NOTHING)] * len(sources)
        for (item, text), one in zip(flat, scored, strict=True):
            candidate = sayable(translator, sources[item], text, search), one
            if self.best[item][1] is NOTHING or _rank(candidate) > _rank(self.best[item]):
                self.best[item] = candidate


def _rank(candidate: tuple[bool, Translation]) -> tuple[bool, float]:
    return candidate[0], candidate[1].score


def _blamed(translator: Translator, sources: Sequence[str], forced: _Forced, search: Search) -> Diagnosis:
    wrong, unfinished, said, wanted = [], 0, 0, 0
    for item, found in enumerate(translator.translate(sources, search)):
        translation = found[0] if found else NOTHING
        can, reference = forced.best[item]
        unfinished += not translation.finished
        said, wanted = said + len(translation.ids) + 1, wanted + len(reference.ids) + 1
        judged = translator.target_units.judged
        if judged(translation.text) not in map(judged, forced.texts[item]):
            by_score = _fault(can, reference.score, translation.score)
            by_probability = _fault(can, reference.log_probability, translation.log_probability)
            wrong.append(Verdict(item, translation, reference, by_score, by_probability))
    return Diagnosis(
        search.width, search.alpha, len(sources), tuple(wrong), unfinished, said / wanted if wanted else None
    )


def _fault(can: bool, reference: float, translation: float) -> Fault:
    if not can:
        return "unsayable"
    if reference == translation or abs(reference - translation) <= CLOSE:
        return "tie"
    return "search" if reference > translation else "model"
