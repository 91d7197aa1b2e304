"""Judging tables: analogy questions and word similarity, with coverage and bootstrap intervals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError
from throughtime.metrics.bootstrap import Interval, accuracy_interval, correlation_intervals, correlations, number
from throughtime.vectors.debias import units
from throughtime.vectors.lookup import ABSENT, Lookup
from throughtime.vectors.questions import Pairs, Questions, read_pairs, read_questions
from throughtime.vectors.table import Table

__all__ = [
    "AnalogyScore",
    "Pairs",
    "Questions",
    "Share",
    "SimilarityScore",
    "common",
    "judge_analogies",
    "judge_similarity",
    "read_pairs",
    "read_questions",
]

By = Literal["addition", "multiplication"]
Asked = TypeVar("Asked", Questions, Pairs)

BLOCK = 65_536  # pairs whose vectors are held at once
MAXIMUM_VOCAB = 300_000  # of the most frequent words, as gensim's judging


@dataclass(frozen=True)
class Share:
    """How many questions were answered right."""

    name: str
    questions: int
    covered: int  # of them, those all of whose four words are in the table
    right: int  # of those
    interval: Interval | None  # of the accuracy: 95 % of the bootstrap

    @property
    def accuracy(self) -> float | None:
        """Right answers among the questions that are covered; None where none is."""
        return self.right / self.covered if self.covered else None

    def to_json(self) -> dict[str, Any]:
        """Everything, the accuracy too."""
        return asdict(self) | {"accuracy": self.accuracy}


@dataclass(frozen=True)
class AnalogyScore:
    """What a table answered to analogy questions."""

    by: By
    lower: bool  # whether words were folded to lower case
    words: int  # of the table, among which answers were sought
    total: Share
    semantic: Share
    syntactic: Share
    categories: list[Share]

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        shares = {"total": self.total, "semantic": self.semantic, "syntactic": self.syntactic}
        return {
            "by": self.by,
            "lower": self.lower,
            "words": self.words,
            **{name: share.to_json() for name, share in shares.items()},
            "categories": [share.to_json() for share in self.categories],
        }


@dataclass(frozen=True)
class SimilarityScore:
    """How a table's cosines go with people's scores; a correlation is None where one side does not vary."""

    name: str
    lower: bool  # whether words were folded to lower case
    pairs: int
    covered: int  # of them, those both of whose words are in the table, or composed
    composed: int  # of those, the ones with a word that is composed of its parts
    spearman: float | None  # ties get the mean of their ranks
    spearman_interval: Interval | None  # 95 % of the bootstrap
    pearson: float | None
    pearson_interval: Interval | None

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return asdict(self)


def common(
    tables: Sequence[Table], asked: Asked, *, lower: bool | None = None, maximum_vocab: int = MAXIMUM_VOCAB
) -> Asked:
    """The questions, or the pairs, all of whose words every table has: on these alone their scores compare."""
    present = np.ones(len(asked.words), dtype=bool)
    for table in tables:
        present &= _present(_rows(Lookup.of(table, lower=lower, maximum_vocab=maximum_vocab), asked))
    return asked.select(present)


def judge_analogies(
    table: Table,
    questions: Questions,
    *,
    by: By = "addition",
    lower: bool | None = None,
    maximum_vocab: int = MAXIMUM_VOCAB,
    seed: int = 0,
) -> AnalogyScore:
    """How many questions a table answers right: its best word besides the three given is the fourth.

    Questions with a word outside the table's first `maximum_vocab` words are not asked, and counted. Words are folded
    to lower case if `lower`, or if it is None and the table has no capitals; then no other spelling of the three
    given words is an answer either. Categories whose name begins with "gram" are syntactic, the others semantic.

    Source: Mikolov et al. (2013), "Efficient estimation", section 4.1; by multiplication, Levy and Goldberg (2014).
    """
    lookup = Lookup.of(table, lower=lower, maximum_vocab=_at_least_one(maximum_vocab))
    rows = _rows(lookup, questions)
    present = _present(rows)
    right = np.zeros(len(rows), dtype=bool)
    right[present] = _answered(table, rows[present], lookup, by, maximum_vocab)
    chance = np.random.default_rng(seed)
    syntactic = np.array([name.startswith("gram") for name in questions.categories])[questions.category]

    def share(name: str, which: NDArray[np.bool_]) -> Share:
        covered, correct = int((which & present).sum()), int((which & right).sum())
        return Share(name, int(which.sum()), covered, correct, accuracy_interval(correct, covered, chance))

    return AnalogyScore(
        by,
        lookup.lower,
        min(len(table.words), maximum_vocab),
        share("total", np.ones(len(rows), dtype=bool)),
        share("semantic", ~syntactic),
        share("syntactic", syntactic),
        [share(name, questions.category == i) for i, name in enumerate(questions.categories)],
    )


def judge_similarity(
    table: Table,
    pairs: Pairs,
    *,
    lower: bool | None = None,
    maximum_vocab: int = MAXIMUM_VOCAB,
    compose: bool = False,
    seed: int = 0,
) -> SimilarityScore:
    """How the cosines of a table go with people's scores: Spearman's and Pearson's correlation.

    Pairs with a word outside the table's first `maximum_vocab` words are left out, and counted; with `compose`, such
    words get the vectors that the table's subwords make for them, where it has any. `lower` is as in
    `judge_analogies`. Raises `MissingExtraError` without scipy.
    """
    lookup = Lookup.of(table, lower=lower, maximum_vocab=_at_least_one(maximum_vocab))
    rows = _rows(lookup, pairs)
    cosines, present = _cosines(table, rows), _present(rows)
    composed = _composed(table, lookup, pairs, rows) if compose else {}
    places = list(composed)
    cosines[places], present[places] = list(composed.values()), True
    scores, cosines = pairs.scores[present], cosines[present]
    spearman, pearson = correlations(scores[None], cosines[None])
    spearman_interval, pearson_interval = correlation_intervals(scores, cosines, np.random.default_rng(seed))
    return SimilarityScore(
        pairs.name,
        lookup.lower,
        len(rows),
        len(scores),
        len(composed),
        number(spearman[0]),
        spearman_interval,
        number(pearson[0]),
        pearson_interval,
    )


def _at_least_one(maximum_vocab: int) -> int:
    if maximum_vocab < 1:
        raise ArgumentError(f"maximum_vocab must be at least 1; got {maximum_vocab}")
    return maximum_vocab


def _rows(lookup: Lookup, asked: Questions | Pairs) -> NDArray[np.int64]:
    """(N W) the rows of the words of each question or pair."""
    width = 4 if isinstance(asked, Questions) else 2
    return lookup.find(word for words in asked.words for word in words).reshape(-1, width)


def _present(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    present: NDArray[np.bool_] = (rows != ABSENT).all(axis=1)
    return present


def _answered(table: Table, rows: NDArray[np.int64], lookup: Lookup, by: By, maximum_vocab: int) -> NDArray[np.bool_]:
    """(N) which questions, given as rows (N 4), are answered right."""
    if len(rows) == 0:
        return np.zeros(0, dtype=bool)
    asked = table
    if maximum_vocab < len(table.words):
        asked = Table(table.words[:maximum_vocab], table.vectors[:maximum_vocab])
    best = np.asarray(asked.analogies(rows[:, :3], by=by))
    if lookup.folded is None:
        right: NDArray[np.bool_] = best == rows[:, 3]
        return right
    answers = [None if row == ABSENT else lookup.folded[row] for row in best.tolist()]
    spellings = Counter(lookup.folded)
    for i, question in enumerate(rows[:, :3].tolist()):
        given = {lookup.folded[row] for row in question}
        if answers[i] in given:  # another spelling of a word that was given
            a, b, c = (asked.words[row] for row in question)
            ranked = asked.analogy(a, b, c, 1 + sum(spellings[word] for word in given), by=by)
            answers[i] = next((word.lower() for word, _ in ranked if word.lower() not in given), None)
    return np.array([answer == lookup.folded[row] for answer, row in zip(answers, rows[:, 3].tolist(), strict=True)])


def _cosines(table: Table, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N) the cosines of pairs of rows (N 2); 0 with a vector of zeros."""
    cosines = np.empty(len(rows))
    for start in range(0, len(rows), BLOCK):
        one, other = rows[start : start + BLOCK].T
        cosines[start : start + BLOCK] = np.einsum("nd,nd->n", units(table.vectors[one]), units(table.vectors[other]))
    return cosines


def _composed(table: Table, lookup: Lookup, pairs: Pairs, rows: NDArray[np.int64]) -> dict[int, float]:
    """The cosines of pairs, by their places, that have a word which the table's subwords make a vector for."""
    if table.subwords is None:
        return {}
    found: dict[int, float] = {}
    for i in np.flatnonzero((rows == ABSENT).any(axis=1)).tolist():
        vectors = [
            table.subwords.compose(lookup.fold(word)) if row == ABSENT else table.vectors[row]
            for word, row in zip(pairs.words[i], rows[i].tolist(), strict=True)
        ]
        both = [units(vector) for vector in vectors if vector is not None]
        if len(both) == 2:
            found[i] = float(both[0] @ both[1])
    return found
