"""Runs of encoders of sentences: vectors, and how much these tell of the sentences beside theirs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import BaseModel

from throughtime.errors import ArgumentError
from throughtime.folder import STRICT, Count, Sha256
from throughtime.recipes.sentence_data import counted
from throughtime.recipes.sentences import Sentences
from throughtime.recipes.transfer import VectorFacts
from throughtime.runs.asked import Asked, Judged
from throughtime.runs.folders import Source, facts_of, filled, read_again, units_of
from throughtime.runs.language import vector_rows
from throughtime.runs.numbers import check_answer

if TYPE_CHECKING:
    from throughtime.data.neighbours import Neighbours
    from throughtime.models.sentence_encoder import SentenceEncoder

PICTURES: dict[str, Any] = {}


class Facts(BaseModel):
    """What data.json tells of the text that a run was made from."""

    model_config = STRICT

    text: str
    text_sha256: Sha256
    text_bytes: Count
    valid: str
    valid_sha256: Sha256
    skipped_bytes: Count
    vocab: Count
    train_sentences: Count
    train_documents: Count
    train_left_out: Count
    train_alone: Count
    train_units: Count
    train_unknown: Count
    valid_sentences: Count
    valid_documents: Count
    valid_left_out: Count
    valid_alone: Count
    valid_units: Count
    valid_unknown: Count
    vectors: VectorFacts | None = None
    vectors_sha256: Sha256 | None = None


def load(home: Path, recipe: Sentences) -> SentenceEncoder:
    """The encoder of a whole folder. Raises `RunError` as `runs.load` does."""
    from throughtime.models.sentence_encoder import SentenceEncoder

    units = units_of(home, recipe.unit)
    return SentenceEncoder(filled(lambda: recipe.model_of(units), home), units)


def rows(facts: Facts, recipe: Sentences, weights: int) -> dict[str, str]:
    """What there is to tell of the model and its text."""
    told = facts.model_dump()
    return {
        "model": f"{recipe.made_of}, {weights:,} weights",
        "units": f"{recipe.unit}, a vocabulary of {facts.vocab:,}",
        "text": f"{facts.text} ({facts.text_bytes:,} bytes, {facts.skipped_bytes:,} skipped)",
        "sha256": facts.text_sha256,
        "training": counted(recipe, told, "train"),
        "held out": f"{facts.valid}: {counted(recipe, told, 'valid')}",
        **vector_rows(facts.vectors, facts.vectors_sha256),
    }


def evaluate(home: Path, recipe: Sentences, asked: Asked) -> Judged:
    """How well the neighbours of sentences are told by their vectors: of a file, or of what the run held out."""
    asked.only("an encoder of sentences, which reads a text as a whole")
    encoder = load(home, recipe)
    neighbours, notes = _judged_by(home, recipe, asked, encoder)
    score = encoder.score(neighbours)
    told = {
        f"nats per {recipe.unit}": f"{score.nats.mean:.4f}",
        "of the sentence before": f"{score.before.mean:.4f}",
        "of the sentence after": f"{score.after.mean:.4f}",
        "by vectors of others": f"{score.shuffled.mean:.4f}" if score.shuffled.count else "—",
        f"{recipe.unit}s": f"{score.nats.count:,}, the ends of sentences among them",
        "of them unknown": f"{score.unknown:,}",
        "sentences": f"{score.sentences:,}, {neighbours.left_out:,} left out",
    }
    return Judged({**score.to_json(), "left_out": neighbours.left_out}, told, notes)


def _judged_by(
    home: Path, recipe: Sentences, asked: Asked, encoder: SentenceEncoder
) -> tuple[Neighbours, tuple[str, ...]]:
    """The sentences of a file, or those that the run held out; and how they were read."""
    from throughtime.data.neighbours import Neighbours

    if asked.file is not None:
        text = recipe.read(asked.file)
        skipped = text.skipped_bytes
        notes = (f"{skipped:,} bytes that are not UTF-8 were skipped",) if skipped else ()
        return Neighbours.of(text, encoder.units, longest=recipe.longest), notes
    facts = facts_of(home, Facts)
    sources = (
        Source(recipe.text, facts.text_bytes, facts.text_sha256),
        Source(recipe.valid or recipe.text, None, facts.valid_sha256),
    )
    names = ("text_sha256", "valid_sha256")
    data = read_again(home, recipe.data, sources, lambda data: [data.facts[name] for name in names], option="text")
    return data.valid, ()


def predict(trained: SentenceEncoder, recipe: Sentences, asked: Asked) -> NoReturn:
    """Refuses: there are vectors, and `embed` gives them."""
    raise ArgumentError("predict is for models that say something of a file; vectors come from throughtime embed")


def embed(trained: SentenceEncoder, recipe: Sentences) -> SentenceEncoder:
    """The encoder itself."""
    return trained


def stream(trained: SentenceEncoder, recipe: Sentences) -> VectorLive:
    """The vector of each line."""
    return VectorLive(trained)


class VectorLive:
    """An encoder that is given a sentence a line; nothing is carried from line to line."""

    def __init__(self, encoder: SentenceEncoder) -> None:
        self.encoder, self.wants = encoder, "a sentence"

    def take(self, line: str) -> dict[str, Any] | None:
        """The vector of a sentence; nothing for a line without words."""
        if not line.strip():
            return None
        (vector,) = self.encoder.embed([line])
        check_answer(vector, "sentences")
        return {"vector": vector.tolist()}

    def plain(self, facts: dict[str, Any]) -> str:
        """The numbers, with tabs between."""
        return "\t".join(f"{number:.9g}" for number in facts["vector"])
