"""Trees in brackets: whether a line is one, and precision, recall and F1 of its labelled brackets.

(S (NP (DT the) (NN cat)) (VP sat))     a bracket has a label, and holds words and brackets
(S (NP the cat )NP (VP sat )VP )S       the label may stand again where a bracket ends
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DataError
from throughtime.metrics.bootstrap import Interval
from throughtime.metrics.intervals import sum_interval
from throughtime.metrics.scores import Score, f1s

OUTERMOST = frozenset({"", "top", "root", "s1"})  # labels that every tree has around it, in small letters
PART = re.compile(r"\(([^\s()]*)|\)([^\s()]*)|[^\s()]+")


class Constituent(NamedTuple):
    """A bracket: its label, and its words, from `start` to before `stop`."""

    label: str
    start: int
    stop: int


@dataclass(frozen=True)
class Tree:
    """What stands in brackets: the words, and the constituents in the order in which they end."""

    words: tuple[str, ...]
    constituents: tuple[Constituent, ...]
    tags: tuple[Constituent, ...]  # those of `constituents` that hold a single word and no bracket


@dataclass(frozen=True)
class BracketScores:
    """How well trees were written."""

    items: int
    well_formed: int
    fitting: int  # well formed, and with as many words as the tree that was wanted
    exact: int  # the very words and constituents
    brackets: Score
    words: Score  # leaves, each at its place; none is right where a line does not fit
    counts: NDArray[np.int64] = field(repr=False, compare=False)  # (items, 3): brackets right, written, wanted

    @property
    def f1(self) -> float | None:
        """Of all labelled brackets together; None where there are none."""
        return self.brackets.f1

    def f1_interval(self, *, seed: int = 0) -> Interval | None:
        """Between which 95 % of the F1 lies when items are drawn again."""
        return sum_interval(lambda sums: f1s(*sums.T), self.counts, seed=seed)

    def to_json(self) -> dict[str, Any]:
        """The counts and the shares."""
        shares = {name: getattr(self, name) / self.items for name in ("well_formed", "fitting", "exact") if self.items}
        scores = {"precision": self.brackets.precision, "recall": self.brackets.recall, "f1": self.f1}
        return {
            "items": self.items,
            **shares,
            **{f"bracket_{name}": value for name, value in scores.items()},
            "bracket_f1_interval": self.f1_interval(),
            "leaf_accuracy": self.words.recall,
        }


def parse_brackets(line: str) -> Tree:
    """The tree that a line writes.

    Raises `DataError` for a line that is none: a bracket that is not closed or never opened, holds nothing, ends with
    another label than it begins with, or has none within another; words beside brackets; several trees.

    >>> parse_brackets("(S (NP the cat) (VP sat))").constituents
    (Constituent(label='NP', start=0, stop=2), Constituent(label='VP', start=2, stop=3), Constituent(label='S', ...
    """
    words: list[str] = []
    open_: list[tuple[str, int, int]] = []  # label, first word, how many constituents there were
    closed: list[Constituent] = []
    tags: list[Constituent] = []
    for part in PART.finditer(line):
        if closed and not open_:
            raise DataError(f"place {part.start() + 1}: {part[0]!a:.40} stands after the end of the tree")
        if part[0][0] == "(" and open_ and not part[1]:
            raise DataError(f"place {part.start() + 1}: a bracket has no label")
        if part[0][0] == "(":
            open_.append((part[1], len(words), len(closed)))
            continue
        if not open_:
            raise DataError(f"place {part.start() + 1}: {part[0]!a:.40} stands in no bracket")
        if part[0][0] != ")":
            words.append(part[0])
            continue
        label, start, before = open_.pop()
        if start == len(words):
            raise DataError(f"place {part.start() + 1}: the bracket {label!a:.40} holds no word")
        if part[2] not in ("", label):
            raise DataError(f"place {part.start() + 1}: the bracket {label!a:.40} ends with {part[2]!a:.40}")
        closed.append(Constituent(label, start, len(words)))
        if len(words) == start + 1 and len(closed) == before + 1:
            tags.append(closed[-1])
    if open_ or not closed:
        raise DataError(f"{len(open_):,} brackets are not closed" if open_ else "there is no bracket")
    return Tree(tuple(words), tuple(closed), tuple(tags))


def bracket_scores(predicted: Sequence[str], references: Sequence[str], *, tagged: bool = False) -> BracketScores:
    """How well lines write the trees that references write.

    A bracket is right if its label and its words' places are; brackets alike count as often as both trees have them.
    Outermost brackets without a label or with that of a root (TOP, ROOT, S1) do not count. With `tagged`, a bracket
    around a single word is a part of speech, and does not count either.

    Source: Black et al. (1991); Collins (1997), section 5, as evalb counts. Where we differ: evalb leaves out lines
    that are no tree or have another number of words, here they have no bracket right, and the brackets of the latter
    count as written; evalb's settings leave out punctuation and take ADVP and PRT for one, here nothing is; it wants
    the very words, here their number, and how many of them are right is told beside.

    Raises `ArgumentError` where there are not as many, `DataError` for a reference that is no tree, naming it.

    >>> scores = bracket_scores(["(S (NP a) (VP b c))", "(S (NP a"], ["(S (NP a b) (VP c))", "(S (NP a))"])
    >>> scores.well_formed, scores.brackets
    (1, Score(right=1, predicted=3, support=5))
    """
    if len(predicted) != len(references):
        raise ArgumentError(f"{len(predicted):,} lines are predicted and there are {len(references):,} references")
    rows = []
    for number, (said, wanted) in enumerate(zip(predicted, references, strict=True), 1):
        try:
            true = parse_brackets(wanted)
        except DataError as error:
            raise DataError(f"reference {number} is no tree: {error}") from None
        rows.append(_row(_parsed(said), true, tagged))
    counts = np.array(rows, dtype=np.int64).reshape(-1, 9)
    formed, fitting, exact, *totals = (int(total) for total in counts.sum(axis=0))
    return BracketScores(len(rows), formed, fitting, exact, Score(*totals[:3]), Score(*totals[3:]), counts[:, 3:6])


def _row(found: Tree | None, true: Tree, tagged: bool) -> tuple[int, ...]:
    """Whether a line is a tree, fits, is the very tree; then brackets right, written and wanted; then words so."""
    there, taken = _counted(true, tagged), _counted(found, tagged)
    if found is None or len(found.words) != len(true.words):
        words = 0 if found is None else len(found.words)
        return found is not None, False, False, 0, taken.total(), there.total(), 0, words, len(true.words)
    right = sum(one == other for one, other in zip(found.words, true.words, strict=True))
    same = right == len(true.words) and Counter(found.constituents) == Counter(true.constituents)
    brackets = (there & taken).total(), taken.total(), there.total()
    return True, True, same, *brackets, right, len(found.words), len(true.words)


def _parsed(line: str) -> Tree | None:
    try:
        return parse_brackets(line)
    except DataError:
        return None


def _counted(tree: Tree | None, tagged: bool) -> Counter[Constituent]:
    """How often there is each constituent that counts."""
    if tree is None:
        return Counter()
    found = Counter(tree.constituents)
    if tagged:
        found -= Counter(tree.tags)
    for one in reversed(tree.constituents):  # from the outermost
        if one.label.casefold() not in OUTERMOST or one.stop - one.start < len(tree.words):
            break
        found -= Counter([one])
    return found
