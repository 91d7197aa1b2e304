"""Judging translations: BLEU, chrF and TER as sacrebleu counts them, how sure they are, and BLEU by length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, MissingExtraError
from throughtime.metrics.bootstrap import Interval, accuracy_interval
from throughtime.metrics.intervals import difference_interval, sum_interval

Kind = Literal["bleu", "chrf", "ter"]
Tokens = Literal["13a", "intl", "zh", "char", "none"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LONGEST = 100  # words of a line that TER is counted of: the search for words that moved grows with their cube
BUCKETS = 5


class Bucket(NamedTuple):
    """BLEU of the items whose sources are from `shortest` to `longest` long."""

    shortest: int
    longest: int
    items: int
    bleu: float
    interval: Interval | None


@dataclass(frozen=True)
class Measure:
    """A score of all items together, and the sums over items that it is counted from."""

    score: float  # 0 to 100; of TER, which counts edits, less is better, and more than 100 is possible
    signature: str  # what sacrebleu says of how it was counted, without which figures do not compare
    sums: NDArray[np.float64] = field(repr=False, compare=False)  # (items, C)
    metric: Any = field(repr=False, compare=False)  # sacrebleu's

    def interval(self, *, seed: int = 0) -> Interval | None:
        """Between which 95 % of the score lies when items are drawn again."""
        return sum_interval(self.statistic, self.sums, seed=seed)

    def difference(self, other: "Measure", *, seed: int = 0) -> Interval | None:
        """Between which 95 % of this score less another of the same items lies, when the same are drawn for both.

        Source: Koehn (2004), "Statistical significance tests for machine translation evaluation".
        """
        return difference_interval(self.statistic, self.sums[None], other.sums[None], seed=seed)

    def statistic(self, sums: NDArray[Any]) -> NDArray[np.float64]:
        """(R) the scores of sums (R C)."""
        return np.array([_score(self.metric, row) for row in sums], dtype=np.float64)


@dataclass(frozen=True)
class TranslationScores:
    """How good translations are."""

    items: int
    exact: int  # translations that are one of their references
    measures: dict[Kind, Measure]
    lengths: tuple[Bucket, ...] = ()  # from the shortest sources to the longest
    long: int = 0  # items with a line too long for TER, which then is not told

    def to_json(self) -> dict[str, Any]:
        """The facts by name. `signature` is that of BLEU; a score that was not counted is not there."""
        facts: dict[str, Any] = {"items": self.items}
        for kind, measure in self.measures.items():
            facts |= {
                kind: measure.score,
                f"{kind}_interval": measure.interval(),
                "signature" if kind == "bleu" else f"{kind}_signature": measure.signature,
            }
        facts |= {
            "exact": self.exact / self.items,
            "exact_interval": accuracy_interval(self.exact, self.items, np.random.default_rng(0)),
        }
        if self.long:
            facts |= {"ter": None, "too_long_for_ter": self.long}
        return facts | ({"bleu_by_length": [one._asdict() for one in self.lengths]} if self.lengths else {})


def judge_translations(
    translations: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    lengths: Sequence[int] | None = None,
    kinds: Sequence[Kind] = KINDS,
    tokens: Tokens = "13a",
) -> TranslationScores:
    """How good translations are; `references` has a list for each of them, of one at least.

    `lengths` are those of the sources: BLEU is then told by length too, in five buckets of about as many items each.
    TER takes long over long lines: where one has over 100 words it is not told, and how many have is.

    Raises `ArgumentError` for items that do not fit, `MissingExtraError` without sacrebleu.

    Source: BLEU: Papineni et al. (2002); chrF: Popović (2015); TER: Snover et al. (2006); all as in Post (2018), "A
    call for clarity in reporting BLEU scores".

    >>> scores = judge_translations(["the cat sat"], [["the cat sat", "a cat sat"]], kinds=["chrf"])
    >>> scores.exact, scores.measures["chrf"].score
    (1, 100.0)
    """
    _check(translations, references, lengths, kinds)
    exact = sum(said in wanted for said, wanted in zip(translations, references, strict=True))
    long = 0
    if "ter" in kinds:
        long = sum(_is_long([said, *wanted]) for said, wanted in zip(translations, references, strict=True))
    measures = {
        kind: _measure(kind, translations, references, tokens) for kind in kinds if not (kind == "ter" and long)
    }
    buckets: tuple[Bucket, ...] = ()
    if lengths is not None and "bleu" in measures:
        buckets = _by_length(measures["bleu"], np.asarray(lengths, dtype=np.int64))
    return TranslationScores(len(translations), exact, measures, buckets, long)


def told(facts: Mapping[str, Any]) -> dict[str, str]:
    """The facts of `TranslationScores` for people.

    >>> told({"bleu": 34.25, "bleu_interval": (33.0, 35.5), "signature": "nrefs:1", "exact": 0.5})
    {'BLEU': '34.25  (33.00 to 35.50)  nrefs:1', 'exact': '50.00 %'}
    """
    rows = {}
    for kind, name in (("bleu", "BLEU"), ("chrf", "chrF"), ("ter", "TER")):
        if facts.get(kind) is not None:
            signature = facts.get("signature" if kind == "bleu" else f"{kind}_signature", "")
            rows[name] = f"{facts[kind]:.2f}{_span(facts.get(f'{kind}_interval'))}  {signature}".rstrip()
    if facts.get("too_long_for_ter"):
        rows["TER"] = f"not counted: {facts['too_long_for_ter']:,} items have a line of over {LONGEST} words"
    if facts.get("exact") is not None:
        interval = facts.get("exact_interval")
        rows["exact"] = f"{100 * facts['exact']:.2f} %{_span(interval and [100 * end for end in interval])}"
    for one in facts.get("bleu_by_length", ()):
        name = f"  source of {one['shortest']:,} to {one['longest']:,}"
        rows[name] = f"BLEU {one['bleu']:.2f}{_span(one['interval'])}  of {one['items']:,}"
    return rows


def _span(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"  ({interval[0]:.2f} to {interval[1]:.2f})"


def _check(
    translations: Sequence[str],
    references: Sequence[Sequence[str]],
    lengths: Sequence[int] | None,
    kinds: Sequence[str],
) -> None:
    if len(translations) != len(references) or not len(translations):
        raise ArgumentError(
            f"{len(translations):,} translations and references of {len(references):,}; there must be as many, and some"
        )
    for place, wanted in enumerate(references):
        if isinstance(wanted, str) or not len(wanted):
            raise ArgumentError(f"translation {place + 1} needs a list of references, of one at least")
    if lengths is not None and len(lengths) != len(translations):
        raise ArgumentError(f"{len(lengths):,} lengths of {len(translations):,} sources; each needs one")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ArgumentError(f"a score is one of {', '.join(KINDS)}; got {unknown[0]!a:.40}")


def _measure(kind: Kind, translations: Sequence[str], references: Sequence[Sequence[str]], tokens: Tokens) -> Measure:
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
        from sacrebleu.metrics.ter import TER
    except ImportError:
        raise MissingExtraError("sacrebleu", "translate") from None
    metric: Any = CHRF() if kind == "chrf" else TER()
    if kind == "bleu":
        metric = BLEU(tokenize=tokens, force=True)  # lines that end in " ." are not warned of: they may be no language
    most = max(map(len, references))
    columns = [[wanted[i] if i < len(wanted) else None for wanted in references] for i in range(most)]
    # What each item adds up to has no public name in sacrebleu, and its own intervals are told by their width alone.
    sums = np.array(metric._extract_corpus_statistics(list(translations), columns), dtype=np.float64)
    return Measure(_score(metric, sums.sum(axis=0)), str(metric.get_signature()), sums, metric)


def _score(metric: Any, sums: NDArray[Any]) -> float:
    return float(metric._compute_score_from_stats(sums.tolist()).score)


def _is_long(lines: Sequence[str]) -> bool:
    return any(len(line.split()) > LONGEST for line in lines)


def _by_length(bleu: Measure, lengths: NDArray[np.int64]) -> tuple[Bucket, ...]:
    """BLEU in buckets of lengths; one without items is not there."""
    ends = np.unique(np.quantile(lengths, np.arange(1, BUCKETS) / BUCKETS, method="lower"))
    places = np.searchsorted(ends, lengths)
    found = []
    for place in np.unique(places):
        inside = places == place
        part = Measure(_score(bleu.metric, bleu.sums[inside].sum(axis=0)), "", bleu.sums[inside], bleu.metric)
        shortest, longest = int(lengths[inside].min()), int(lengths[inside].max())
        found.append(Bucket(shortest, longest, int(inside.sum()), part.score, part.interval()))
    return tuple(found)
