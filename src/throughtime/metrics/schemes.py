"""Schemes of tags: entities written on tokens, one tag each, and read back.

A tag is O, outside of entities, or a letter with a type: B-PER. The schemes differ in which tokens of an entity
they tell apart:

    tokens          Ada   Byron saw   Paris Rome
    BIO, or IOB2    B-PER I-PER O     B-LOC B-LOC      B begins every entity
    IOB1            I-PER I-PER O     I-LOC B-LOC      B only begins one right after another of its type
    IOE, or IOE2    I-PER E-PER O     E-LOC E-LOC      E ends every entity
    IOE1            I-PER I-PER O     E-LOC I-LOC      E only ends one right before another of its type
    IOBES           B-PER E-PER O     S-LOC S-LOC      B begins, E ends, S is a whole entity
    BILOU           B-PER L-PER O     U-LOC U-LOC      as IOBES, by other letters

Source: Ramshaw and Marcus (1995); Tjong Kim Sang and Veenstra (1999).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DataError, nearest

Scheme = Literal["BIO", "IOB1", "IOB2", "IOE", "IOE1", "IOE2", "IOBES", "BILOU"]
SPELLED = {"L": "E", "U": "S"}  # letters of BILOU, and those of IOBES


class Tag(NamedTuple):
    """A tag in its parts. `letter` is one of O B I E S, whatever BILOU writes for it."""

    letter: str
    type: str
    bilou: bool  # whether it is written with a letter that only BILOU has


@dataclass(frozen=True)
class Rules:
    """What a scheme allows: its letters, and with which of them an entity may begin and end."""

    letters: str
    first: str  # letters that an entity begins with
    last: str  # and ends with
    between: str = ""  # the letter that stands only between two entities of a type that touch
    bilou: bool = False


_BIO, _IOE = Rules("BI", "B", "BI"), Rules("IE", "IE", "E")
_RULES = {
    "BIO": _BIO,
    "IOB2": _BIO,
    "IOB1": Rules("BI", "BI", "BI", between="B"),
    "IOE": _IOE,
    "IOE2": _IOE,
    "IOE1": Rules("IE", "IE", "IE", between="E"),
    "IOBES": Rules("BIES", "BS", "ES"),
    "BILOU": Rules("BIES", "BS", "ES", bilou=True),
}
LETTERS = "OBIES"
LONGEST = 1000  # letters of a tag
MOST = 10_000  # labels between which transitions are told
OUTSIDE = Tag("O", "", False)


class Forbidden(NamedTuple):
    """Which tags may not follow which (K K, rows what comes first), not begin (K) and not end (K) a sentence."""

    between: NDArray[np.bool_]
    start: NDArray[np.bool_]
    end: NDArray[np.bool_]

    @property
    def whole(self) -> NDArray[np.bool_]:
        """(K+1 K+1) all in one, as a CRF takes it: the start as the last row, the end as the last column."""
        table = np.zeros((len(self.start) + 1, len(self.start) + 1), dtype=bool)
        table[:-1, :-1], table[-1, :-1], table[:-1, -1] = self.between, self.start, self.end
        return table


def rules_of(scheme: str) -> Rules:
    """What a scheme allows. Raises `ArgumentError` for a name that is none."""
    if scheme not in _RULES:
        raise ArgumentError(f"scheme is {scheme!a:.40}; {nearest(str(scheme), get_args(Scheme))}")
    return _RULES[scheme]


@lru_cache(maxsize=4096)
def parse_tag(tag: str) -> Tag:
    """A tag in its parts; a letter without a type has the empty one.

    Raises `DataError` for what is no tag of any scheme.

    >>> parse_tag("L-PER")
    Tag(letter='E', type='PER', bilou=True)
    """
    letter, dash, kind = tag[:1], tag[1:2], tag[2:]
    if tag == "O":
        return OUTSIDE
    if len(tag) > LONGEST:
        raise DataError(f"the tag {tag[:20]!a:.60}... has {len(tag):,} letters; {LONGEST:,} are the most")
    if letter not in tuple("BIESLU") or (dash and (dash != "-" or not kind)):
        raise DataError(f"the tag {tag!a:.60} is of no scheme; tags are O, or B I E S L U with a type, as B-PER")
    return Tag(SPELLED.get(letter, letter), kind, letter in SPELLED)


def parse_tags(tags: Sequence[str]) -> list[Tag]:
    """Tags in their parts. Raises `DataError` for what is none, naming its place."""
    parsed = []
    for place, tag in enumerate(tags):
        try:
            parsed.append(parse_tag(tag))
        except DataError as error:
            raise DataError(f"token {place + 1}: {error}") from None
    return parsed


def continues(before: Tag, tag: Tag) -> bool:
    """Whether a tag goes on with the entity of the tag before it, in every scheme."""
    return before.letter in ("B", "I") and tag.letter in ("I", "E") and before.type == tag.type


def may_begin(rules: Rules, before: Tag, tag: Tag) -> bool:
    """Whether an entity may begin with a tag, after another tag that it does not go on with."""
    if tag.letter == rules.between == "B":
        return before.letter != "O" and before.type == tag.type
    return tag.letter in rules.first


def may_end(rules: Rules, tag: Tag, after: Tag) -> bool:
    """Whether an entity may end with a tag, before another tag that does not go on with it."""
    if tag.letter == rules.between == "E":
        return after.letter != "O" and after.type == tag.type
    return tag.letter in rules.last


def has_letter(rules: Rules, tag: Tag) -> bool:
    """Whether a scheme has the letter of a tag, as it is written."""
    spelled = tag.letter in ("O", "B", "I") or tag.bilou == rules.bilou
    return tag.letter == "O" or (tag.letter in rules.letters and spelled)


def may_follow(rules: Rules, before: Tag, tag: Tag) -> bool:
    """Whether a tag may follow another. Before and after a sentence it is as if there stood O."""
    if continues(before, tag):
        return True
    ends = before.letter == "O" or may_end(rules, before, tag)
    return ends and (tag.letter == "O" or may_begin(rules, before, tag))


def transitions(labels: Sequence[str], scheme: Scheme) -> Forbidden:
    """Which of K tags may not follow which, begin or end a sentence, as a CRF is to be told.

    A sentence without a forbidden transition is one that the scheme's writing gives, and the other way round.
    Tags with letters that the scheme has not may stand nowhere.

    Raises `DataError` for labels that are no tags, `ArgumentError` for more than can be told.

    >>> transitions(["O", "B-PER", "I-PER"], "BIO").between.astype(int).tolist()
    [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    """
    rules, tags = rules_of(scheme), parse_tags(labels)
    if len(tags) > MOST:
        raise ArgumentError(f"{len(tags):,} labels are too many to tell all transitions of; {MOST:,} are the most")
    letters = np.array([LETTERS.index(tag.letter) for tag in tags], dtype=np.int64)
    types = np.unique([tag.type for tag in tags], return_inverse=True)[1].astype(np.int64)
    strange = np.array([not has_letter(rules, tag) for tag in tags], dtype=bool)
    follows, outside = _follows(rules), LETTERS.index("O")
    between = ~follows[letters[:, None], letters, (types[:, None] == types).astype(np.int64)]
    start, end = ~follows[outside, letters, 0], ~follows[letters, outside, 0]
    return Forbidden(between | strange | strange[:, None], start | strange, end | strange)


def _follows(rules: Rules) -> NDArray[np.bool_]:
    """(5 5 2) whether a letter may follow another, of another type and of the same."""
    pairs = [
        [[may_follow(rules, Tag(a, "x", False), Tag(b, c, False)) for c in "yx"] for b in LETTERS] for a in LETTERS
    ]
    return np.array(pairs, dtype=bool)
