"""Runs of taggers: the tags of sentences, as they lie in files or as they come, and how often they are true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

from pydantic import AfterValidator, BaseModel, Field

from throughtime.data.conll import Sentence, Sentences
from throughtime.data.lines import Lines, kind_of
from throughtime.errors import ArgumentError, DataError, printable
from throughtime.folder import STRICT
from throughtime.metrics.schemes import Scheme
from throughtime.recipes.fields import MOST_CLASSES
from throughtime.recipes.tag import Tag, listed
from throughtime.recipes.tagged import TaggedFile, check_length, in_letters, read_tagged
from throughtime.recipes.transfer import Sha256, VectorFacts
from throughtime.runs.asked import Asked, Judged
from throughtime.runs.classify import distinct
from throughtime.runs.folders import Count, changed, check_unchanged, facts_of, filled
from throughtime.runs.language import vector_rows
from throughtime.runs.mistakes import Mistakes, TaggedSentences, Wanted, of_tagger

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from throughtime.models.tagger import Tagged, Tagger, TaggingScore

PICTURES: dict[str, Any] = {}
BLOCK_TOKENS, BLOCK = 2**16, 4096  # tokens and sentences held at a time, at most


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
    vectors: VectorFacts | None = None
    vectors_sha256: Sha256 | None = None


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
    }


def evaluate(home: Path, recipe: Tag, asked: Asked) -> Judged:
    """How well tagged sentences are tagged: those of a file, or those that the run held out."""
    if asked.missing is not None:
        raise ArgumentError(f"missing is for tables: a token without a tag is refused; got --missing {asked.missing}")
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
    facts = facts_of(home, Facts)
    sources = (recipe.train, facts.train_bytes), (recipe.valid or recipe.train, facts.valid_bytes)
    for path, size in sources:
        check_unchanged(path, size, home, "data")
    found = recipe.divided()
    hashes = (found.train.sha256, facts.train_sha256), (found.valid.sha256, facts.valid_sha256)
    for (path, _), (now, then) in zip(sources, hashes, strict=True):
        if now != then:
            raise changed(path, home, "data")
    return found.valid


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
        told[name.replace("_", " ")] = f"{value:,}" if isinstance(value, int) else _share(value)
    told["unknown"] = f"{unknown:,} tokens"
    for table in score.tables.values():
        for name, one in table.items():
            said = "  ".join(f"{what} {_share(one[what])}" for what in ("precision", "recall", "f1"))
            told[f"  {printable(name)}"] = (
                f"{said}  of {one['support']:,}{'' if one.get('learned', True) else '  (never learned)'}"
            )
    return told


def _share(share: float | None) -> str:
    return "—" if share is None else f"{share:.4f}"


class Said(NamedTuple):
    """A sentence and what is said of it."""

    sentence: Sentence
    tagged: Tagged
    shares: NDArray[Any] | None  # of every tag at each token, when asked for


class TagAnswers:
    """What a tagger says of the sentences of a file."""

    item = "sentence"
    head: str | None = None

    def __init__(self, tagger: Tagger, recipe: Tag, asked: Asked) -> None:
        file = asked.file
        if file is None or file.is_dir() or str(file) == "-":
            raise ArgumentError(f"{file} is no file; give one with a sentence a line (.txt) or a token a line (CoNLL)")
        self.tagger, self.recipe, self.file, self.every = tagger, recipe, file, asked.probabilities
        self.lines = Lines(file) if kind_of(file) == ".txt" else None
        column = recipe.token_column if asked.column is None else asked.column
        self.source = Sentences(file, token=column, tagged=False)
        self.sentences = self.tokens = self.unknown = self.empty = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """How the file is read."""
        letters = self.recipe.unit == "character"
        if self.lines is None:
            return (self.source.chosen + (", each letter one of its own" if letters else ""),)
        return ("a line is a sentence, its " + ("letters" if letters else "words between white space") + " are tokens",)

    def __iter__(self) -> Iterator[list[Said]]:
        """The answers, a block of sentences at a time."""
        for block in _blocks(self._checked()):
            tokens = [sentence.tokens for sentence in block]
            found = self.tagger.tag(tokens)
            shares = self.tagger.probabilities(tokens) if self.every else [None] * len(block)
            self.sentences += len(block)
            self.tokens += sum(map(len, tokens))
            self.unknown += self.tagger.unknown(tokens)
            yield [Said(*one) for one in zip(block, found, shares, strict=True)]

    def _checked(self) -> Iterator[Sentence]:
        for sentence in self._read():
            check_length(len(sentence.tokens), self.recipe.longest, f"{self.file}, line {sentence.line}")
            yield sentence

    def _read(self) -> Iterator[Sentence]:
        """The sentences; of text a line without a word is one without tokens, so that answers stand as lines do."""
        letters = self.recipe.unit == "character"
        if self.lines is None:
            yield from (in_letters(sentence) if letters else sentence for sentence in self.source)
            return
        for number, line in enumerate(self.lines, 1):
            tokens = _tokens(line, letters)
            self.empty += not tokens
            yield Sentence(number, tokens, [])
        if not self.sentences and not self.lines.bytes:
            raise DataError(f"{self.file} is empty; give a file with a sentence a line")

    def plain(self, answer: Said) -> str:
        """A line for each token, its tag after a tab; and an empty line at the end."""
        return _lines(answer.sentence.tokens, answer.tagged.tags)

    def facts(self, answer: Said) -> dict[str, Any]:
        """Tokens, tags and entities; when asked for, how likely each tag is at each token."""
        line = _sentence_facts(answer.sentence.tokens, answer.tagged, self.tagger)
        if answer.shares is not None:
            names = self.tagger.tags
            line["probabilities"] = [dict(zip(names, map(float, row), strict=True)) for row in answer.shares]
        return line

    def told(self) -> str:
        """How many sentences there were, and how many words were unknown."""
        empty = f", {self.empty:,} of them empty" if self.empty else ""
        return f"{self.sentences:,} sentences{empty}; {self.unknown:,} of {self.tokens:,} tokens unknown"


def _tokens(line: str, letters: bool) -> list[str]:
    return [letter for word in line.split() for letter in word] if letters else line.split()


def _lines(tokens: list[str], tags: list[str]) -> str:
    return "".join(f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True))


def _sentence_facts(tokens: list[str], tagged: Tagged, tagger: Tagger) -> dict[str, Any]:
    facts: dict[str, Any] = {"tokens": tokens, "tags": tagged.tags}
    if tagger.scheme is not None:
        facts["spans"] = [
            {"type": name, "start": start, "stop": stop, "tokens": tokens[start:stop]}
            for name, start, stop in tagged.spans
        ]
    return facts


def _blocks(sentences: Iterable[Sentence]) -> Iterator[list[Sentence]]:
    """Sentences in blocks of so many tokens that a block is no burden, and of one sentence at least."""
    stream, block, tokens = iter(sentences), list[Sentence](), 0
    for sentence in stream:
        block.append(sentence)
        tokens += len(sentence.tokens)
        if tokens >= BLOCK_TOKENS or len(block) == BLOCK:
            yield block
            block, tokens = [], 0
    if block:
        yield block


def predict(trained: Tagger, recipe: Tag, asked: Asked) -> TagAnswers:
    """What the tagger says of each sentence of a file. Raises `ArgumentError` for what is no file."""
    return TagAnswers(trained, recipe, asked)


class SentenceLive:
    """A tagger that is given a sentence a line."""

    def __init__(self, tagger: Tagger, recipe: Tag) -> None:
        self.tagger, self.recipe = tagger, recipe
        self.letters = recipe.unit == "character"
        self.wants = f"a sentence ({tagger.waits})"

    def take(self, line: str) -> dict[str, Any] | None:
        """The tags of a sentence; nothing for a line without words."""
        tokens = _tokens(line, self.letters)
        check_length(len(tokens), self.recipe.longest, "this line")
        return _sentence_facts(tokens, self.tagger.tag([tokens])[0], self.tagger) if tokens else None

    def plain(self, facts: dict[str, Any]) -> str:
        """A line for each token, its tag after a tab; and an empty line at the end."""
        return _lines(facts["tokens"], facts["tags"])


class TokenLive:
    """A tagger that reads forward: given a token a line it answers at once; an empty line begins a new sentence."""

    def __init__(self, tagger: Tagger) -> None:
        self.tagger, self.state = tagger, cast(Any, None)
        self.wants = "a token; an empty line begins a new sentence"

    def take(self, line: str) -> dict[str, Any] | None:
        """The tag of the next token. Raises `DataError` for a line with several."""
        words = line.split()
        if not words:
            self.state = None
            return None
        if len(words) > 1:
            raise DataError(f"{line.strip()!a:.60} is {len(words)} tokens; give one a line, and an empty line between")
        tag, share, self.state = self.tagger.step(words[0], self.state)
        return {"token": words[0], "tag": tag, "probability": share}

    def plain(self, facts: dict[str, Any]) -> str:
        """The token and its tag."""
        return f"{facts['token']}\t{facts['tag']}"


def stream(trained: Tagger, recipe: Tag) -> SentenceLive | TokenLive:
    """The tagger, a sentence a line, or where each word can be tagged at once a word a line."""
    return TokenLive(trained) if trained.waits is None else SentenceLive(trained, recipe)
