"""Runs of taggers: the tags of sentences, as they lie in files or as they come, and how often they are true."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from throughtime.errors import DataError
from throughtime.folder import STRICT, Count, Sha256
from throughtime.metrics.schemes import Scheme
from throughtime.recipes.cards import listed
from throughtime.recipes.fields import MOST_CLASSES
from throughtime.recipes.tag import Tag
from throughtime.recipes.tagged import TaggedFile, read_tagged
from throughtime.recipes.transfer import VectorFacts
from throughtime.runs.asked import Asked, Judged
from throughtime.runs.classify import distinct
from throughtime.runs.folders import facts_of, filled, read_again, sources_of
from throughtime.runs.language import vector_rows
from throughtime.runs.mistakes import Mistakes, TaggedSentences, Wanted, of_tagger
from throughtime.runs.shown import class_rows, figure
from throughtime.runs.tag_answers import READS, SentenceLive, TagAnswers, TokenLive

if TYPE_CHECKING:
    from throughtime.models.tagger import Tagger, TaggingScore

PICTURES: dict[str, Any] = {}


class Facts(BaseModel):
    """What data.json tells of the sentences that a tagger was made from."""

    model_config = STRICT

    train: str
    train_sha256: Sha256
    train_bytes: Count
    train_sentences: Count
    train_tokens: Count
    train_unknown: Count
    valid: str
    valid_sha256: Sha256
    valid_bytes: Count
    valid_sentences: Count
    valid_tokens: Count
    valid_unknown: Count
    valid_unlearned: Count
    vocab: Count
    tags: Annotated[list[str], Field(min_length=2, max_length=MOST_CLASSES), AfterValidator(distinct)]
    scheme: Scheme | None
    learned: Scheme | None
    repaired_tags: Count
    ranges: Count
    empty_nodes: Count
    unspecified_tags: Count
    shortened_words: Count = 0
    unlisted_words: Count = 0
    vectors: VectorFacts | None = None
    vectors_sha256: Sha256 | None = None
    pretrained: str | None = None
    pretrained_sha256: Sha256 | None = None


def load(home: Path, recipe: Tag) -> Tagger:
    """The tagger of a whole folder. Raises `RunError` as `runs.load` does."""
    from throughtime import folder
    from throughtime.data.lexicon import Lexicon
    from throughtime.errors import RunError
    from throughtime.models.tagger import Tagger

    facts = facts_of(home, Facts)
    content = folder.read_json(home, "vocabulary.json", folder.TEXT_LIMIT)
    lexicon = Lexicon.from_json(content, home / "vocabulary.json")
    if lexicon.view != recipe.view or len(lexicon.affixes) != 2 * recipe.affixes:
        raise RunError(f"the vocabulary in {home} does not look at words as its recipe says")
    try:
        model = filled(lambda: recipe.model_of(lexicon.sizes, facts.tags, facts.learned), home)
    except DataError as error:  # tags that are none of the scheme
        raise RunError(f"{home / 'data.json'} does not hold what a run needs: {error}") from None
    return Tagger(model, lexicon, facts.tags, scheme=facts.scheme, learned=facts.learned)


def rows(facts: Facts, recipe: Tag, weights: int) -> dict[str, str]:
    """What there is to tell of the model and its sentences."""
    parts = {
        "training": (facts.train, facts.train_sentences, facts.train_tokens, facts.train_unknown),
        "held out": (facts.valid, facts.valid_sentences, facts.valid_tokens, facts.valid_unknown),
    }
    scheme = "of no entities" if facts.scheme is None else f"of entities, by {facts.scheme}"
    if facts.learned != facts.scheme:
        scheme += f", learned by {facts.learned}"
    return {
        "model": f"{recipe.made_of}, {weights:,} weights",
        "tags": f"{listed(facts.tags)} ({scheme})",
        "words": f"a vocabulary of {facts.vocab:,}",
        "sha256": facts.train_sha256,
        **{
            name: f"{what}: {sentences:,} sentences, {unknown:,} of {tokens:,} tokens unknown"
            for name, (what, sentences, tokens, unknown) in parts.items()
        },
        "mended": f"{facts.repaired_tags:,} tags",
        **vector_rows(facts.vectors, facts.vectors_sha256),
        **({"begun with": facts.pretrained} if facts.pretrained else {}),
    }


def evaluate(home: Path, recipe: Tag, asked: Asked) -> Judged:
    """How well tagged sentences are tagged: those of a file, or those that the run held out."""
    asked.only(READS, "column", "label_column")
    tagger, (file, notes) = load(home, recipe), _judged_by(home, recipe, asked)
    tokens = [sentence.tokens for sentence in file.sentences]
    try:
        score = tagger.score(tokens, [sentence.tags for sentence in file.sentences])
    except DataError as error:
        raise DataError(f"{file.path}: {error}; the tagger learned those of {tagger.scheme}") from None
    unknown = tagger.unknown(tokens)
    facts = {**score.to_json(), **score.tables, "unknown_tokens": unknown, **file.left_out}
    return Judged(facts, _told(score, unknown), notes + _warned(score))


def mistakes(home: Path, recipe: Tag, asked: Asked, wanted: Wanted) -> Mistakes:
    """The sentences with the surest wrong tags, of a file or of those that the run held out."""
    asked.only(READS, "column", "label_column")
    tagger, (file, notes) = load(home, recipe), _judged_by(home, recipe, asked)
    sentences = file.sentences
    given = TaggedSentences(
        [f"{file.path}, line {sentence.line}" for sentence in sentences],
        [sentence.tokens for sentence in sentences],
        [sentence.tags for sentence in sentences],
    )
    return of_tagger(tagger, given, wanted, notes)


def _judged_by(home: Path, recipe: Tag, asked: Asked) -> tuple[TaggedFile, tuple[str, ...]]:
    """The tagged sentences of a file, or those that the run held out; and how they were read."""
    if asked.file is None:
        return _held_out(home, recipe), ()
    reading = recipe.reading
    token, tag = asked.column or reading.token_column, asked.label_column or reading.column
    file = read_tagged(asked.file, replace(reading, token_column=token, column=tag))
    return file, (file.chosen,)


def _held_out(home: Path, recipe: Tag) -> TaggedFile:
    """The sentences that a run held out, read again. Raises `RunError` when they are not what they were."""
    sources = sources_of(recipe, facts_of(home, Facts))
    return read_again(home, recipe.divided, sources, lambda found: [found.train.sha256, found.valid.sha256]).valid


def _warned(score: TaggingScore) -> tuple[str, ...]:
    """What was met that no tagger could have right, or that breaks the scheme."""
    notes = []
    if score.facts["unlearned_tokens"]:
        many = f"{score.facts['unlearned_tags']:,} tags were never learned"
        notes.append(f"{many}, so that the {score.facts['unlearned_tokens']:,} tokens that have them count as wrong")
    if score.facts.get("broken_tags"):
        notes.append(f"{score.facts['broken_tags']:,} true tags break the scheme; they are read as conlleval does")
    return tuple(notes)


def _told(score: TaggingScore, unknown: int) -> dict[str, str]:
    """A score for people; then each tag, and each type of entities."""
    told = {"sentences": f"{score.sentences:,}", "tokens": f"{score.tokens:,}"}
    for name, value in score.facts.items():
        told[name.replace("_", " ")] = f"{value:,}" if isinstance(value, int) else figure(value)
    return told | {"unknown": f"{unknown:,} tokens"} | class_rows(score.tables)


def predict(trained: Tagger, recipe: Tag, asked: Asked) -> TagAnswers:
    """What the tagger says of each sentence of a file. Raises `ArgumentError` for what is no file."""
    return TagAnswers(trained, recipe, asked)


def stream(trained: Tagger, recipe: Tag) -> SentenceLive | TokenLive:
    """The tagger, a sentence a line, or where each word can be tagged at once a word a line."""
    return TokenLive(trained, recipe) if trained.waits is None else SentenceLive(trained, recipe)
