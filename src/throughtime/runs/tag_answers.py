"""What a tagger says of the sentences of a file, of a line, or of a word as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from throughtime.data.conll import Sentence, Sentences
from throughtime.data.lines import Lines, kind_of
from throughtime.errors import DataError
from throughtime.recipes.tag import Tag
from throughtime.recipes.tag_notes import SHORTENED
from throughtime.recipes.tagged import check_length, in_letters
from throughtime.runs.asked import Asked, most_held

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from throughtime.models.tagger import Tagged, Tagger

BLOCK_TOKENS, BLOCK = 2**16, 4096  # tokens and sentences held at a time, at most
READS = "a tagger, which reads tokens"


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
        file = asked.path("one with a sentence a line (.txt) or a token a line (CoNLL)")
        self.tagger, self.recipe, self.file, self.every = tagger, recipe, file, asked.probabilities
        self.lines = Lines(file) if kind_of(file) == ".txt" else None
        if self.lines is None:
            asked.only(READS, "probabilities", "column")
        else:
            asked.only("a text, where a line is a sentence", "probabilities")
        column = recipe.token_column if asked.column is None else asked.column
        self.source = Sentences(file, token=column, tagged=False)
        self.sentences = self.tokens = self.unknown = self.empty = self.shortened = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """How the file is read."""
        letters = self.recipe.unit == "character"
        if self.lines is None:
            return (self.source.chosen + (", each letter one of its own" if letters else ""),)
        return ("a line is a sentence, its " + ("letters" if letters else "words between white space") + " are tokens",)

    def __iter__(self) -> Iterator[list[Said]]:
        """The answers, a block of sentences at a time."""
        most = most_held(BLOCK_TOKENS, len(self.tagger.tags)) if self.every else BLOCK_TOKENS
        for block in _blocks(self._checked(), most):
            tokens = [sentence.tokens for sentence in block]
            found = self.tagger.tag(tokens)
            shares = self.tagger.probabilities(tokens) if self.every else [None] * len(block)
            self.sentences += len(block)
            self.tokens += sum(map(len, tokens))
            self.unknown += self.tagger.unknown(tokens)
            self.shortened += sum(self.tagger.lexicon.shortens(token) for some in tokens for token in some)
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
        shortened = f"; {self.shortened:,} {SHORTENED}" if self.shortened else ""
        return f"{self.sentences:,} sentences{empty}; {self.unknown:,} of {self.tokens:,} tokens unknown{shortened}"


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


def _blocks(sentences: Iterable[Sentence], most: int) -> Iterator[list[Sentence]]:
    """Sentences in blocks of so many tokens that a block is no burden, and of one sentence at least."""
    stream, block, tokens = iter(sentences), list[Sentence](), 0
    for sentence in stream:
        block.append(sentence)
        tokens += len(sentence.tokens)
        if tokens >= most or len(block) == BLOCK:
            yield block
            block, tokens = [], 0
    if block:
        yield block


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

    def __init__(self, tagger: Tagger, recipe: Tag) -> None:
        self.tagger, self.state = tagger, cast(Any, None)
        self.letters = recipe.unit == "character"
        self.item = "letter" if self.letters else "token"
        self.wants = f"a {self.item}; an empty line begins a new sentence"

    def take(self, line: str) -> dict[str, Any] | None:
        """The tag of the next token. Raises `DataError` for a line with several."""
        tokens = _tokens(line, self.letters)
        if not tokens:
            self.state = None
            return None
        if len(tokens) > 1:
            many = f"{len(tokens)} {self.item}s"
            raise DataError(f"{line.strip()!a:.60} is {many}; give one a line, and an empty line between sentences")
        tag, share, self.state = self.tagger.step(tokens[0], self.state)
        return {"token": tokens[0], "tag": tag, "probability": share}

    def plain(self, facts: dict[str, Any]) -> str:
        """The token and its tag."""
        return f"{facts['token']}\t{facts['tag']}"
