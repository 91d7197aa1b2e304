"""What is said of a tagger while it learns and after: its data, its surest mistakes, a page about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughtime.recipes import cards

if TYPE_CHECKING:
    from throughtime.models.tagger import Tagger
    from throughtime.models.tagging import TaggingModel
    from throughtime.recipes.tag import Tag
    from throughtime.recipes.tag_data import TagData

SAMPLE_SENTENCES = 64  # among which mistakes are looked for while training; at the end sixteen times as many
SHORTENED = "words of over 64 letters, of which those at both ends are seen"


def mistakes(tagger: Tagger, data: TagData, *, final: bool) -> str:
    """The mistakes of which the model is surest, in some of the held-out sentences."""
    step = -(-len(data.valid.tokens) // (16 if final else 1) // SAMPLE_SENTENCES) or 1
    tokens, tags = data.valid.tokens[::step], data.valid.tags[::step]
    found = []
    for words, true, one in zip(tokens, tags, tagger.tag(tokens), strict=True):
        for place, (tag, said) in enumerate(zip(true, one.tags, strict=True)):
            if tag != said:
                found.append((float(one.probabilities[place]), f"{said}, truly {tag}: {_around(words, place)}"))
    found.sort(key=lambda mistake: -mistake[0])
    return "\n".join(f"{share:.2f} {what}" for share, what in found[: 20 if final else 3]) or "none"


def _around(words: list[str], place: int) -> str:
    """A word between brackets, and some that stand beside it."""
    before, after = words[max(0, place - 4) : place], words[place + 1 : place + 4]
    return " ".join([*before, f"[{words[place]}]", *after])


def notes(recipe: Tag, data: TagData) -> tuple[str, ...]:
    """What was read, counted and taken from vectors."""
    facts = data.facts
    if data.scheme is None:
        scheme = "tags are of no entities"
    else:
        scheme = f"tags are of entities, by {data.scheme}"
        scheme += f", learned by {data.learned}" if data.learned != data.scheme else ""
        scheme += f"; {facts['repaired_tags']:,} were mended" if recipe.repair else ""
    left = {"ranges": "multiword tokens left out", "empty_nodes": "empty nodes left out"}
    left |= {"unspecified_tags": "tags that are _", "shortened_words": SHORTENED}
    left |= {"shared": "held-out sentences are among those to train on as well"}
    left |= {"unlisted_words": "words of the vectors left out, for the vocabulary is full"}
    seen = "".join(f"; {facts[name]:,} {what}" for name, what in left.items() if facts[name])
    return (
        f"{data.chosen}; {scheme}{seen}",
        f"{facts['train_sentences']:,} sentences to train on ({facts['train_tokens']:,} tokens, "
        f"{facts['train_unknown']:,} unknown); {facts['valid_sentences']:,} held out ({facts['valid_tokens']:,}, "
        f"{facts['valid_unknown']:,} unknown, {facts['valid_unlearned']:,} with a tag that is not learned); "
        f"{len(data.tags):,} tags, a vocabulary of {facts['vocab']:,}",
        *(data.taken.notes(recipe.frozen_updates) if data.taken else ()),
        *(data.pretrained.notes() if data.pretrained else ()),
    )


def card(recipe: Tag, model: TaggingModel, data: TagData, score: Any) -> str:
    """What the model is, what it was made from, and how good it is."""
    size, facts = sum(parameter.numel() for parameter in model.parameters()), data.facts
    rows = {
        "model": f"{recipe.made_of}, {size:,} weights",
        "tags": cards.listed(data.tags),
        "words": f"a vocabulary of {facts['vocab']:,}",
        "trained on": f"{facts['train']}: {facts['train_tokens']:,} tokens (sha256 {facts['train_sha256'][:12]}…)",
        "validated on": f"{facts['valid']}: {facts['valid_tokens']:,} tokens",
        "tags mended": f"{facts['repaired_tags']:,}",
        **({"embeddings": data.taken.notes(recipe.frozen_updates)[0]} if data.taken else {}),
        **({"begun with": data.pretrained.notes()[0]} if data.pretrained else {}),
    }
    return cards.card("A tagger", rows, None if score is None else score.sentence())
