"""Entities in tags: read, held to their scheme, repaired, written by another."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from throughtime.errors import ArgumentError, DataError
from throughtime.metrics.schemes import (
    OUTSIDE,
    Rules,
    Scheme,
    Tag,
    continues,
    has_letter,
    may_begin,
    may_end,
    parse_tags,
    rules_of,
)

Fault = Literal["strange letter", "I after O", "type change", "I after an end", "needless B", "needless E", "no end"]


class Span(NamedTuple):
    """An entity: its type, and its tokens, from `start` to before `stop`."""

    type: str
    start: int
    stop: int


class TagError(NamedTuple):
    """A tag that its scheme does not allow where it stands."""

    place: int  # of its token, from 0
    tag: str
    fault: Fault


@dataclass(frozen=True)
class TagErrors:
    """How well the tags of sentences keep to their scheme."""

    sentences: int
    broken: int  # sentences with an error
    faults: dict[Fault, int]  # errors of each kind
    first: tuple[int, TagError] | None  # the first of all, and the number of its sentence, from 0


def spans(tags: Sequence[str], scheme: Scheme | None = None) -> list[Span]:
    """The entities in the tags of a sentence, in their order.

    Without a scheme, tags are read as conlleval and seqeval do: any B or S begins an entity, any E or S ends one, and
    so does a change of type; an I or E with nothing to go on with begins one. With a scheme, only those of these
    entities count that begin and end as it says, which is what seqeval calls strict.

    Raises `DataError` for what is no tag, and for letters that the scheme has not.

    >>> spans(["B-PER", "I-PER", "O", "I-LOC"])
    [Span(type='PER', start=0, stop=2), Span(type='LOC', start=3, stop=4)]
    >>> spans(["B-PER", "I-PER", "O", "I-LOC"], "BIO")
    [Span(type='PER', start=0, stop=2)]
    """
    parsed = parse_tags(tags)
    if scheme is None:
        return _chunks(parsed)
    rules = rules_of(scheme)
    for place, tag in enumerate(parsed):
        if not has_letter(rules, tag):
            raise DataError(f"token {place + 1}: the tag {tags[place]!a:.60} has a letter that {scheme} has not")
    edged = [OUTSIDE, *parsed, OUTSIDE]
    return [
        span
        for span in _chunks(parsed)
        if may_begin(rules, edged[span.start], edged[span.start + 1])
        and may_end(rules, edged[span.stop], edged[span.stop + 1])
    ]


def write_tags(entities: Iterable[Span], length: int, scheme: Scheme) -> list[str]:
    """The tags of a sentence of so many tokens with these entities.

    Raises `ArgumentError` for entities that overlap, are empty or leave the sentence.

    >>> write_tags([Span("PER", 0, 2), Span("PER", 2, 3)], 4, "IOB1")
    ['I-PER', 'I-PER', 'B-PER', 'O']
    """
    rules, tags = rules_of(scheme), ["O"] * length
    ordered = [Span("", 0, 0), *sorted(entities, key=lambda span: span.start), Span("", length, length)]
    for before, span, after in zip(ordered, ordered[1:-1], ordered[2:], strict=False):
        if not before.stop <= span.start < span.stop <= length:
            raise ArgumentError(f"{span} is empty, overlaps another or leaves the sentence of {length} tokens")
        letters = ["I"] * (span.stop - span.start)
        if _marks_first(rules, before, span):
            letters[0] = "B"
        if _marks_last(rules, span, after):
            letters[-1] = "S" if len(letters) == 1 and "S" in rules.letters else "E"
        for place, letter in enumerate(letters, span.start):
            spelled = {"E": "L", "S": "U"}.get(letter, letter) if rules.bilou else letter
            tags[place] = f"{spelled}-{span.type}" if span.type else spelled
    return tags


def tag_errors(tags: Sequence[str], scheme: Scheme) -> list[TagError]:
    """Every place where the tags of a sentence are not what their scheme would write.

    A tag with a letter of another scheme is a "strange letter", and where it stands nothing else is looked for.

    Raises `DataError` for what is no tag.

    >>> tag_errors(["O", "I-PER", "I-LOC", "E-LOC"], "BIO")[0]
    TagError(place=1, tag='I-PER', fault='I after O')
    >>> [(error.place, error.fault) for error in tag_errors(["O", "I-PER", "I-LOC", "E-LOC"], "BIO")]
    [(1, 'I after O'), (2, 'type change'), (3, 'strange letter')]
    """
    rules, parsed = rules_of(scheme), parse_tags(tags)
    edged = [OUTSIDE, *parsed, OUTSIDE]
    found: list[TagError] = []
    for place, tag in enumerate(parsed):
        faults = _faults(rules, edged[place], tag, edged[place + 2])
        found.extend(TagError(place, tags[place], fault) for fault in faults)
    return found


def count_errors(sentences: Iterable[Sequence[str]], scheme: Scheme) -> TagErrors:
    """How many tags of sentences are not what their scheme would write, by what is wrong with them.

    Raises `DataError` for what is no tag, naming the sentence.

    >>> count_errors([["O"], ["O", "I-PER", "I-PER"], ["I-PER"]], "BIO")  # doctest: +ELLIPSIS
    TagErrors(sentences=3, broken=2, faults={'I after O': 2}, first=(1, TagError(place=1, tag='I-PER', ...)))
    """
    faults: Counter[Fault] = Counter()
    broken, first, count = 0, None, 0
    for count, tags in enumerate(sentences, 1):
        try:
            errors = tag_errors(tags, scheme)
        except DataError as error:
            raise DataError(f"sentence {count}, {error}") from None
        faults.update(error.fault for error in errors)
        broken += bool(errors)
        if errors and first is None:
            first = (count - 1, errors[0])
    return TagErrors(count, broken, dict(faults), first)


def fitting_schemes(sentences: Iterable[Sequence[str]]) -> list[Scheme]:
    """The schemes that all tags of sentences keep to, in the order of BIO, IOB1, IOE, IOE1, IOBES, BILOU.

    More than one may be: of sentences without entities all are.

    >>> fitting_schemes([["I-PER", "O"], ["I-PER", "B-PER"]])
    ['IOB1']
    """
    fitting: list[Scheme] = ["BIO", "IOB1", "IOE", "IOE1", "IOBES", "BILOU"]
    for tags in sentences:
        fitting = [scheme for scheme in fitting if not tag_errors(tags, scheme)]
    return fitting


def convert_tags(tags: Sequence[str], source: Scheme, target: Scheme, *, repair: bool = False) -> list[str]:
    """The tags of a sentence, written by another scheme.

    Tags that do not keep to their scheme are refused, or with `repair` read as `spans` reads tags without a scheme;
    `tag_errors` finds them, to be counted. With `source` as the target it only repairs.

    Raises `DataError` for tags that do not keep to their scheme.

    >>> convert_tags(["B-PER", "I-PER", "O", "B-LOC"], "BIO", "IOBES")
    ['B-PER', 'E-PER', 'O', 'S-LOC']
    >>> convert_tags(["O", "I-PER", "I-LOC"], "BIO", "BIO", repair=True)
    ['O', 'B-PER', 'B-LOC']
    """
    errors = [] if repair else tag_errors(tags, source)
    if errors:
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        place, tag, fault = errors[0]
        raise DataError(f"token {place + 1}: {tag!a:.60} breaks {source}, {fault}{more}; mend it or ask for repair")
    rules_of(source)
    return write_tags(spans(tags), len(tags), target)


def _chunks(tags: list[Tag]) -> list[Span]:
    """The entities of tags, whatever the scheme: runs of tags that go on with each other."""
    found, start = [], 0
    for place, (tag, after) in enumerate(pairwise([*tags, OUTSIDE])):
        if not continues(tag, after):
            if tag.letter != "O":
                found.append(Span(tag.type, start, place + 1))
            start = place + 1
    return found


def _marks_first(rules: Rules, before: Span, span: Span) -> bool:
    """Whether the first token of an entity is written otherwise than one inside."""
    return _touch(before, span) if rules.between == "B" else "B" in rules.letters


def _marks_last(rules: Rules, span: Span, after: Span) -> bool:
    return _touch(span, after) if rules.between == "E" else "E" in rules.letters


def _touch(before: Span, span: Span) -> bool:
    """Whether nothing tells two entities apart but a mark."""
    real = before.start < before.stop and span.start < span.stop  # and not the ends of the sentence
    return real and before.stop == span.start and before.type == span.type


def _faults(rules: Rules, before: Tag, tag: Tag, after: Tag) -> list[Fault]:
    """What is wrong with a tag between two others."""
    if not has_letter(rules, tag):
        return ["strange letter"]
    found: list[Fault] = []
    if tag.letter == "O":
        return found
    if not continues(before, tag) and not may_begin(rules, before, tag):
        if tag.letter == "B":
            found.append("needless B")
        elif before.letter == "O":
            found.append("I after O")
        else:
            found.append("type change" if before.type != tag.type else "I after an end")
    if not continues(tag, after) and not may_end(rules, tag, after):
        found.append("needless E" if tag.letter == "E" else "no end")
    return found
