"""The surest mistakes of a run, each with what mattered for it: of classifiers, and of taggers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from throughtime.errors import ArgumentError
from throughtime.runs.asked import Asked

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from throughtime.inspect.mistakes import Mistake
    from throughtime.metrics.mistakes import Wrong
    from throughtime.models.tagger import Tagged, Tagger
    from throughtime.models.text_classifier import TextClassifier

By = Literal["occlusion", "gradients"]


@dataclass(frozen=True)
class Wanted:
    """Which mistakes are looked for, and how they are explained."""

    count: int = 20
    by: By = "occlusion"

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 1000:
            raise ArgumentError(f"count must be from 1 to 1,000 mistakes; got {self.count}")


@dataclass(frozen=True)
class Mistakes:
    """The surest mistakes, and among how many items they were looked for."""

    mistakes: list[Mistake]
    judged: int
    wrong: int
    items: str  # what they are, such as texts
    notes: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """What else a person should know: how the file was read, and what was not explained as was asked."""
        other = sum(mistake.by == "gradients" for mistake in self.mistakes)
        if not other or other == len(self.mistakes):
            return self.notes
        return *self.notes, f"{other:,} {self.items} are too long for occlusion, and explained by gradients"


@runtime_checkable
class Mistaken(Protocol):
    """A module of this package whose runs choose among classes, so that they can be wrong."""

    def mistakes(self, home: Path, recipe: Any, asked: Asked, wanted: Wanted) -> Mistakes:
        """The surest mistakes about a file, or about what the run held out."""
        ...


@dataclass(frozen=True)
class Items:
    """Items to classify: texts, or series; where each stands, and what it truly is."""

    wheres: Sequence[str]
    items: Sequence[Any]
    sequences: Sequence[Tensor]
    truth: NDArray[np.int64]  # N, or N K of 0 and 1
    labels: Sequence[tuple[str, ...]]


def of_classifier(classifier: TextClassifier, given: Items, logs: NDArray[np.float64], wanted: Wanted) -> list[Mistake]:
    """The surest mistakes of a classifier, by log p of every class (N K)."""
    from throughtime.layers.rest import at_rest
    from throughtime.metrics.mistakes import surest

    wrongs, _ = surest(logs, given.truth, wanted.count)
    with at_rest(classifier.model):
        return [_item(classifier, given, wrong, wanted.by) for wrong in wrongs]


def _item(classifier: TextClassifier, given: Items, wrong: Wrong, by: By) -> Mistake:
    from throughtime.data.encoders import SeriesEncoder, TextEncoder
    from throughtime.inspect.mistakes import Mistake, claim_of, settled, spelled
    from throughtime.inspect.questions import explain, of_classifier

    sequence, item = given.sequences[wrong.place], given.items[wrong.place]
    encoder = classifier.encoder
    units = encoder.units if isinstance(encoder, TextEncoder) else None
    channels = encoder.channels if isinstance(encoder, SeriesEncoder) else ()
    unknown = None if units is None else units.unknown
    found, way = explain(of_classifier(classifier.model, sequence, claim_of(wrong), unknown), by)
    answer, truth = wrong.said(classifier.classes), ", ".join(given.labels[wrong.place]) or "none"
    head = (given.wheres[wrong.place], answer, truth, wrong.probability, way)
    if units is None:
        return Mistake(*head, found.weights, found.residual, values=np.asarray(item, np.float32), channels=channels)
    parts, weights = spelled(units, item) or ("",), found.by_step  # a text of no units has one that is made up
    missing = tuple(np.flatnonzero(sequence.numpy() == unknown).tolist()) if unknown is not None else ()
    parts, weights = settled(parts, weights)
    return Mistake(*head, weights, found.residual, parts, units.kind == "word", missing)


@dataclass(frozen=True)
class TaggedSentences:
    """TaggedSentences to tag: where each stands, its words, its true tags."""

    wheres: Sequence[str]
    tokens: Sequence[Sequence[str]]
    tags: Sequence[Sequence[str]]


def of_tagger(tagger: Tagger, given: TaggedSentences, wanted: Wanted, notes: tuple[str, ...] = ()) -> Mistakes:
    """The sentences of which one tag is wrong and was given with most certainty; the words that mattered for it."""
    from throughtime.layers.rest import at_rest

    said = tagger.tag(given.tokens)
    places = list(_wrong_tags(given, said))
    order = sorted(places, key=lambda place: -float(said[place[0]].probabilities[place[1]]))
    with at_rest(tagger.model):
        mistakes = [_sentence(tagger, given, place, said[place[0]], wanted.by) for place in order[: wanted.count]]
    return Mistakes(mistakes, len(given.tokens), len(places), "sentences", notes)


def _wrong_tags(given: TaggedSentences, said: Sequence[Tagged]) -> Iterator[tuple[int, int]]:
    """The sentences with wrong tags, and in each the place of the surest."""
    for number, (one, true) in enumerate(zip(said, given.tags, strict=True)):
        wrong = [place for place, (tag, truth) in enumerate(zip(one.tags, true, strict=True)) if tag != truth]
        if wrong:
            yield number, max(wrong, key=lambda place: float(one.probabilities[place]))


def _sentence(tagger: Tagger, given: TaggedSentences, place: tuple[int, int], said: Tagged, by: By) -> Mistake:
    import torch

    from throughtime.data.lexicon import WordTable
    from throughtime.data.tokens import words_of
    from throughtime.inspect.attribution import at_step, before
    from throughtime.inspect.mistakes import Mistake
    from throughtime.inspect.questions import explain, of_tagger

    number, at = place
    tokens, true = given.tokens[number], given.tags[number]
    answer, rival = (_number(tagger, tags, at) for tags in (said.tags, true))
    table = WordTable(tagger.lexicon)
    rows = table.rows(tokens)
    with torch.no_grad():
        device = next(tagger.model.parameters()).device
        vectors = tagger.model.words(words_of(table, rows).to(device))
    claim = at_step(before(answer or 0, rival), at)
    found, way = explain(of_tagger(tagger.model, vectors, claim), by)
    missing = tuple(np.flatnonzero(table.features[rows, 0] == 0).tolist())
    head = (given.wheres[number], said.tags[at], true[at], float(said.probabilities[at]), way)
    return Mistake(*head, found.by_step, found.residual, tuple(tokens), True, missing, at)


def _number(tagger: Tagger, tags: Sequence[str], at: int) -> int | None:
    """The number of a tag among those that were learned; None where it was not, so that nothing can be said of it."""
    from throughtime.errors import DataError
    from throughtime.metrics import convert_tags

    tag = tags[at]
    if tagger.scheme is not None and tagger.learned is not None and tagger.learned != tagger.scheme:
        try:
            tag = convert_tags(tags, tagger.scheme, tagger.learned)[at]
        except DataError:
            return None
    return tagger.tags.index(tag) if tag in tagger.tags else None


def mistakes_of(run: Path, asked: Asked, wanted: Wanted) -> Mistakes:
    """The surest mistakes of a run about a file, or about what it held out.

    Raises `RunError` as `runs.load` does, and `ArgumentError` where answers are not of some classes.
    """
    from throughtime import folder
    from throughtime.runs import application_of, find_whole, recipe_of

    home = find_whole(run)
    folder.check_files(home)
    recipe = recipe_of(home)
    application = application_of(recipe)
    if not isinstance(application, Mistaken):
        raise ArgumentError(
            f"mistakes is for classifiers of sequences and for taggers, and {run} holds {recipe.makes}: try evaluate"
        )
    return application.mistakes(home, recipe, asked, wanted)
