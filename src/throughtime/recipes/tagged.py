"""Tagged sentences as recipes take them: read, held to the scheme of their tags, some of them held out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from throughtime.data import splits
from throughtime.data.conll import Sentence, Sentences
from throughtime.errors import DataError
from throughtime.recipes.classes import check_classes

if TYPE_CHECKING:
    from throughtime.metrics import Scheme

SchemeName = Literal["bio", "iob1", "ioe", "ioe1", "iobes", "bilou"]


@dataclass(frozen=True)
class Reading:
    """How a file of sentences is read."""

    token_column: str | None
    column: str | None  # of tags
    letters: bool  # whether each letter of a token is one of its own
    longest: int


@dataclass(frozen=True)
class TaggedFile:
    """The sentences of a file, and what was met in it."""

    path: Path
    sentences: list[Sentence]
    sha256: str  # of tokens and tags
    bytes: int
    chosen: str  # which columns were read
    left_out: dict[str, int]  # multiword tokens and empty nodes of CoNLL-U; tags that are "_", which are read as such
    repaired: int = 0  # tags


@dataclass(frozen=True)
class Learned:
    """Sentences to learn from and sentences that are held out."""

    train: TaggedFile
    valid: TaggedFile
    scheme: Scheme | None  # that the tags keep to; None where they are of no entities


def read_tagged(path: Path, reading: Reading) -> TaggedFile:
    """The sentences of a file with their tags.

    Raises `DataError` as `Sentences` does, and for a sentence that is too long, with its line.
    """
    source = Sentences(path, token=reading.token_column, tag=reading.column)
    sentences, digest = list[Sentence](), hashlib.sha256()
    for sentence in source:
        digest.update(json.dumps([sentence.tokens, sentence.tags]).encode())
        seen = in_letters(sentence) if reading.letters else sentence
        check_length(len(seen.tokens), reading.longest, f"{path}, line {seen.line}")
        sentences.append(seen)
    counts = source.counts
    left_out = {"ranges": counts.ranges, "empty_nodes": counts.empty_nodes, "unspecified_tags": counts.unspecified}
    return TaggedFile(path, sentences, digest.hexdigest(), counts.bytes, source.chosen, left_out)


def check_length(tokens: int, longest: int, where: str) -> None:
    """Raises `DataError` for a sentence of more tokens than are taken, for none is cut."""
    if tokens > longest:
        raise DataError(
            f"{where}: the sentence has {tokens:,} tokens, over --longest {longest:,}, and none is cut; "
            "part it by an empty line, or raise --longest in training"
        )


def in_letters(sentence: Sentence) -> Sentence:
    """A sentence whose tokens are the letters of its tokens, each with the tag of its token; none between tokens.

    Entities stay one each: a B or S goes to their first letter, an E or S to their last.

    >>> in_letters(Sentence(1, ["Ada", "is"], ["S-PER", "O"])).tags
    ['B-PER', 'I-PER', 'E-PER', 'O', 'O']
    """
    tags = list[str]()
    for token, tag in zip(sentence.tokens, sentence.tags or [""] * len(sentence.tokens), strict=True):
        tags += _spread(tag, len(token)) if tag[1:2] == "-" else [tag] * len(token)
    tokens = [letter for token in sentence.tokens for letter in token]
    return Sentence(sentence.line, tokens, tags if sentence.tags else [])


def _spread(tag: str, count: int) -> list[str]:
    """The tag of an entity, or of its part, over the letters of a token."""
    letter, rest = tag[0], tag[1:]
    first = {"S": "B", "U": "B", "E": "I", "L": "I"}.get(letter, letter)
    last = {"S": "E", "U": "L", "B": "I"}.get(letter, letter)
    return [tag] if count == 1 else [first + rest, *["I" + rest] * (count - 2), last + rest]


def divide(train: TaggedFile, valid: TaggedFile | None, *, held_out: float, seed: int) -> tuple[TaggedFile, TaggedFile]:
    """Sentences to learn from, and those to validate on: of another file, or some by chance, equal ones together.

    Raises `DataError` where there is one tag only, or too many, or too few sentences to hold some out.
    """
    if valid is None:
        keys = [tuple(sentence.tokens) for sentence in train.sentences]
        parts = splits.held_out(keys, held_out, seed, what="sentences")
        train, valid = (replace(train, sentences=[train.sentences[place] for place in part]) for part in parts)
    tags = {tag for sentence in train.sentences for tag in sentence.tags}
    check_classes(tags, what=("tag", "tags"), way=f"{train.chosen}; give another --column")
    return train, valid


def settle(
    files: Sequence[TaggedFile], asked: SchemeName | Literal["none"] | None, *, repair: bool
) -> tuple[list[TaggedFile], Scheme | None]:
    """The same files, and the scheme that all their tags keep to: the one that was asked for, or the first that fits.

    Tags look like those of entities if each is O, or a letter of B I E S L U with a dash and a type, one at least. Of
    tags that keep to no scheme the errors are counted, and refused, or with `repair` mended: read as conlleval reads
    them, and written again.

    Raises `DataError` with the first error and its place.
    """
    from throughtime.metrics import fitting_schemes

    every = [sentence.tags for file in files for sentence in file.sentences]
    if asked == "none" or (asked is None and not _are_entities(tag for tags in every for tag in tags)):
        return list(files), None
    if asked is not None:
        scheme = cast("Scheme", asked.upper())
    elif fitting := fitting_schemes(every):
        return list(files), fitting[0]
    else:
        scheme = _nearest(every)
    return [_held_to(file, scheme, repair=repair, asked=asked is not None) for file in files], scheme


def _are_entities(tags: Iterable[str]) -> bool:
    from throughtime.metrics.schemes import parse_tag

    found = False
    for tag in set(tags):
        try:
            found |= parse_tag(tag).type != ""
        except DataError:
            return False
    return found


def _nearest(tags: list[list[str]]) -> Scheme:
    """The scheme that the fewest tags break."""
    from throughtime.metrics import count_errors

    schemes: tuple[Scheme, ...] = ("BIO", "IOB1", "IOE", "IOE1", "IOBES", "BILOU")
    return min(schemes, key=lambda scheme: sum(count_errors(tags, scheme).faults.values()))


def _held_to(file: TaggedFile, scheme: Scheme, *, repair: bool, asked: bool) -> TaggedFile:
    """The file with its tags as the scheme writes them. Raises `DataError` for others, unless they are to be mended."""
    from throughtime.metrics import convert_tags, count_errors

    try:
        errors = count_errors((sentence.tags for sentence in file.sentences), scheme)
    except DataError as error:
        raise DataError(f"{file.path}: {error}; give --scheme none if tags are of no entities") from None
    if errors.first is None:
        return file
    many, (number, first) = sum(errors.faults.values()), errors.first
    if not repair:
        line = file.sentences[number].line
        kept = f"--scheme {scheme.lower()}" if asked else f"any scheme, {scheme} being the nearest"
        raise DataError(
            f"{file.path}: tags do not keep to {kept}: {many:,} are wrong in {errors.broken:,} sentences, the first "
            f"{first.tag!a:.60} ({first.fault}) at token {first.place + 1} of the sentence of line {line}; "
            "mend it, or give --repair, or --scheme none"
        )
    return replace(file, sentences=list(_mended(file.sentences, scheme, convert_tags)), repaired=many)


def _mended(sentences: list[Sentence], scheme: Scheme, convert: Any) -> Iterator[Sentence]:
    for sentence in sentences:
        yield sentence._replace(tags=convert(sentence.tags, scheme, scheme, repair=True))
