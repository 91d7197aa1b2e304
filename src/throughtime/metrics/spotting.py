"""Judging entities: precision, recall and F1 of whole spans, as conlleval and seqeval count them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DataError
from throughtime.metrics.bootstrap import Interval
from throughtime.metrics.entities import spans
from throughtime.metrics.intervals import sum_interval
from throughtime.metrics.schemes import Scheme
from throughtime.metrics.scores import Score, f1s, macro_f1, weighted_f1


@dataclass(frozen=True)
class EntityScores:
    """How well entities were found: one is right if its first token, its last and its type are."""

    types: dict[str, Score]  # by name, of all types that occur, as true ones or predicted ones
    total: Score  # of all types together
    sentences: int
    tokens: int
    right_tags: int
    counts: NDArray[np.int64] = field(
        repr=False, compare=False
    )  # (sentences, 3) of each: entities right, predicted, true

    @property
    def f1(self) -> float | None:
        """Of all types together, as conlleval's last word; None where there are no entities, true or predicted."""
        return self.total.f1

    @property
    def macro_f1(self) -> float | None:
        """The plain mean over types."""
        return macro_f1(self.types.values())

    @property
    def weighted_f1(self) -> float | None:
        """The mean over types, weighted by how many true entities are of each."""
        return weighted_f1(self.types.values())

    @property
    def tag_accuracy(self) -> float | None:
        """The share of tokens whose tag is right, O's too; None without tokens."""
        return self.right_tags / self.tokens if self.tokens else None

    def f1_interval(self, *, seed: int = 0) -> Interval | None:
        """Between which 95 % of the F1 lies when sentences are drawn again."""
        return sum_interval(lambda sums: f1s(*sums.T), self.counts, seed=seed)

    def to_json(self) -> dict[str, Any]:
        """Everything but the counts by sentence."""
        return {
            "sentences": self.sentences,
            "tokens": self.tokens,
            "tag_accuracy": self.tag_accuracy,
            "total": self.total.to_json(),
            "macro_f1": self.macro_f1,
            "weighted_f1": self.weighted_f1,
            "types": {name: score.to_json() for name, score in self.types.items()},
        }


def entity_scores(
    labels: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], *, scheme: Scheme | None = None
) -> EntityScores:
    """How well the entities of sentences were found, from true tags and predicted ones.

    Without a scheme, as conlleval counts and seqeval by default; with one, as seqeval in strict mode: see
    `entities.spans`. Where conlleval has 0 for a ratio of nothing, here is None. In strict mode, for tags that break
    IOB1 or IOE1, seqeval counts by a table of its own; here a broken entity counts for nothing.

    Raises `ArgumentError` for sentences that do not fit, `DataError` for what is no tag, naming the sentence.

    >>> scores = entity_scores([["B-PER", "I-PER", "O"]], [["B-PER", "I-PER", "B-LOC"]])
    >>> scores.total.precision, scores.total.recall, sorted(scores.types)
    (0.5, 1.0, ['LOC', 'PER'])
    """
    _check_lengths(labels, predicted)
    kept = []
    for number, (true, taken) in enumerate(zip(labels, predicted, strict=True), 1):
        try:
            actual, found = set(spans(true, scheme)), set(spans(taken, scheme))
        except DataError as error:
            raise DataError(f"sentence {number}, {error}") from None
        kept.append((actual & found, found, actual))
    counts = np.array([[len(found) for found in triple] for triple in kept], dtype=np.int64).reshape(-1, 3)
    right, given, there = (Counter(span.type for triple in kept for span in triple[which]) for which in range(3))
    return EntityScores(
        {name: Score(right[name], given[name], there[name]) for name in sorted(given | there)},
        Score(*counts.sum(axis=0).tolist()),
        len(kept),
        sum(map(len, labels)),
        sum(one == other for pair in zip(labels, predicted, strict=True) for one, other in zip(*pair, strict=True)),
        counts,
    )


def _check_lengths(labels: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> None:
    if len(labels) != len(predicted):
        raise ArgumentError(f"labels have {len(labels)} sentences and predicted {len(predicted)}; each needs both")
    for number, (true, taken) in enumerate(zip(labels, predicted, strict=True), 1):
        if isinstance(true, str) or isinstance(taken, str):
            raise ArgumentError(f"sentence {number} is a text; a sentence is a list of tags")
        if len(true) != len(taken):
            raise ArgumentError(f"sentence {number} has {len(true)} tags in labels and {len(taken)} in predicted")
