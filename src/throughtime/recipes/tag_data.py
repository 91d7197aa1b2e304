"""The data of the recipe of a tagger: sentences, the vocabularies of their words, and what was counted in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, Field

from throughtime.errors import ArgumentError
from throughtime.folder import STRICT, TEXT_LIMIT, check_form, read_json
from throughtime.recipes.tagged import Learned, TaggedFile

if TYPE_CHECKING:
    from torch import Tensor

    from throughtime.data.lexicon import Lexicon
    from throughtime.metrics import Scheme
    from throughtime.recipes.pretrained import Pretrained
    from throughtime.recipes.tag import Tag
    from throughtime.recipes.transfer import Taken


@dataclass(frozen=True)
class Part:
    """Some of the sentences."""

    tokens: list[list[str]]
    tags: list[list[str]]  # by the scheme of the file

    def thinned(self, most: int) -> Part:
        """Sentences in even distances, of about so many tokens at most."""
        step = -(-sum(map(len, self.tokens)) // most)
        return Part(self.tokens[::step], self.tags[::step])


@dataclass(frozen=True)
class TagData:
    """Tagged sentences and their vocabularies."""

    lexicon: Lexicon
    tags: list[str]  # that are learned, by the scheme of learning
    scheme: Scheme | None  # of the file
    learned: Scheme | None
    train: Part
    valid: Part
    facts: dict[str, Any]  # where they came from and what was counted: data.json
    chosen: str  # which columns were read
    taken: Taken | None = None
    pretrained: Pretrained | None = None

    @property
    def units_of_rows(self) -> Tensor:
        """Of each number of a word, that of the same word in the vocabulary of the pretrained run."""
        import torch

        rows = torch.arange(len(self.lexicon), device="cpu")
        between = len(self.pretrained.units) - len(self.lexicon) if self.pretrained else 0  # the end of lines
        return torch.where(rows > 0, rows + between, rows)


def learn(recipe: Tag, found: Learned) -> TagData:
    """The vocabularies and tags of sentences that were read, by the settings of a recipe.

    Raises `DataError` when no word is left, `ArgumentError` for tags that cannot be converted.
    """
    from throughtime.metrics import convert_tags

    learned = cast("Scheme", recipe.convert.upper()) if recipe.convert else found.scheme
    if learned is not None and found.scheme is None:
        raise ArgumentError(
            f"convert needs tags of entities; those of {recipe.train} are of none ({found.train.chosen})"
        )
    if recipe.recall and found.scheme is None:
        raise ArgumentError(
            f"recall needs tags of entities; those of {recipe.train} are of none ({found.train.chosen})"
        )
    parts = [_part(file) for file in (found.train, found.valid)]
    tags = {tag for some in parts[0].tags for tag in some}
    if found.scheme is not None and learned is not None:  # O, too, so that a sentence of any length has some tags
        tags = {"O"} | {t for some in parts[0].tags for t in convert_tags(some, found.scheme, learned)}
    lexicon = _lexicon(recipe, parts[0])
    facts = {**_facts(found, lexicon, parts), "tags": sorted(tags), "scheme": found.scheme, "learned": learned}
    facts["valid"] = facts["valid"] if recipe.valid else f"{100 * recipe.held_out:g}% of the sentences"
    return TagData(lexicon, sorted(tags), found.scheme, learned, parts[0], parts[1], facts, found.train.chosen)


class Known(BaseModel):
    """The part of data.json that is about a table of words and not about its vectors."""

    model_config = STRICT

    unlisted_words: Annotated[int, Field(ge=0, lt=2**53)]


def knowing(recipe: Tag, data: TagData, words: Sequence[str]) -> TagData:
    """The data, where words of a table are known too, as many as a vocabulary takes: later sentences may have them."""
    lexicon = _lexicon(recipe, data.train, words)
    seen = {lexicon.seen(word) for word in words}
    return _with(data, lexicon, unlisted=len(seen.difference(lexicon.words)))


def known_before(data: TagData, kept: Path) -> TagData:
    """The data, with the vocabulary of a run that began with a table. Raises `RunError` where it does not read."""
    from throughtime.data.lexicon import Lexicon

    content, facts = (read_json(kept, name, TEXT_LIMIT) for name in ("vocabulary.json", "data.json"))
    if "unlisted_words" not in facts:
        return data  # of another run, which is refused
    known = check_form(Known, {name: facts.get(name) for name in Known.model_fields}, Path("data.json"))
    return _with(data, Lexicon.from_json(content, kept / "vocabulary.json"), unlisted=known.unlisted_words)


def recoded(data: TagData, begun: Pretrained) -> TagData:
    """The data, with the words or letters that a pretrained run knows, as it sees them."""
    from throughtime.data.lexicon import Lexicon, View

    units: Any = begun.units
    known = units.words[2:] if units.kind == "word" else list(units.characters)
    lexicon = Lexicon(View(plain=False, casing=False, affixes=0, letters=False), known, [], "")
    facts = {**data.facts, **_unknown(lexicon, data.train, data.valid), **begun.to_json(), "shortened_words": 0}
    return replace(data, lexicon=lexicon, facts=facts, pretrained=begun)


def _with(data: TagData, lexicon: Lexicon, *, unlisted: int) -> TagData:
    facts = {**data.facts, **_unknown(lexicon, data.train, data.valid), "unlisted_words": unlisted}
    return replace(data, lexicon=lexicon, facts=facts)


def _lexicon(recipe: Tag, part: Part, more: Sequence[str] = ()) -> Lexicon:
    from throughtime.data.lexicon import Lexicon

    counts = Counter(token for tokens in part.tokens for token in tokens)
    least, most = recipe.minimum_count, recipe.maximum_vocab
    return Lexicon.learn(counts, recipe.view, minimum_count=least, maximum_vocab=most, more=more)


def _unknown(lexicon: Lexicon, *parts: Part) -> dict[str, int]:
    """How many words are known, and how many of those to learn from and of those held out are not."""
    facts = {"vocab": len(lexicon)}
    for name, part in zip(("train", "valid"), parts, strict=True):
        words = Counter(token for tokens in part.tokens for token in tokens)
        facts[f"{name}_unknown"] = sum(count for word, count in words.items() if not lexicon.features(word)[0])
    return facts


def _part(file: TaggedFile) -> Part:
    return Part([sentence.tokens for sentence in file.sentences], [sentence.tags for sentence in file.sentences])


def _facts(found: Learned, lexicon: Lexicon, parts: list[Part]) -> dict[str, Any]:
    """Where sentences came from, and what was counted in them."""
    facts: dict[str, Any] = {**_unknown(lexicon, *parts), "unlisted_words": 0}
    known = {tag for some in parts[0].tags for tag in some}
    for name, file, part in zip(("train", "valid"), (found.train, found.valid), parts, strict=True):
        facts |= {
            name: str(file.path),
            f"{name}_sha256": file.sha256,
            f"{name}_bytes": file.bytes,
            f"{name}_sentences": len(part.tokens),
            f"{name}_tokens": sum(map(len, part.tokens)),
        }
    own = set(map(tuple, parts[0].tokens))
    facts["shared"] = sum(tuple(tokens) in own for tokens in parts[1].tokens)
    every = (token for part in parts for tokens in part.tokens for token in tokens)
    facts["shortened_words"] = sum(map(lexicon.shortens, every))
    facts["valid_unlearned"] = sum(tag not in known for some in parts[1].tags for tag in some)
    files = (found.train,) if found.train.path == found.valid.path else (found.train, found.valid)
    facts["repaired_tags"] = sum(file.repaired for file in files)
    return facts | {what: sum(file.left_out[what] for file in files) for what in found.train.left_out}
