"""Runs of language models: a writer, its scores, its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from pydantic import BaseModel

from throughtime.errors import ArgumentError
from throughtime.folder import STRICT, Count, Sha256
from throughtime.recipes.language import Language, LanguageData
from throughtime.recipes.transfer import VectorFacts
from throughtime.runs.asked import Asked, Judged
from throughtime.runs.folders import Source, changed, facts_of, filled, read_again, units_of

if TYPE_CHECKING:
    from throughtime.models import Scores, Writer
    from throughtime.models.masked import Filler, MaskedScores

MASK = "<mask>"  # for people: a unit that is hidden


class Facts(BaseModel):
    """What data.json tells of the text that a run was made from."""

    model_config = STRICT

    text: str
    text_sha256: Sha256
    text_bytes: Count
    valid: str
    valid_sha256: Sha256
    train_sha256: Sha256 | None = None
    skipped_bytes: Count
    vocab: Count
    train_units: Count
    train_unknown: Count
    valid_units: Count
    valid_unknown: Count
    vectors: VectorFacts | None = None
    vectors_sha256: Sha256 | None = None


def load(home: Path, recipe: Language) -> Writer | Filler:
    """The language model of a whole folder. Raises `RunError` as `runs.load` does."""
    units = units_of(home, recipe.unit)
    return recipe.reader(filled(lambda: recipe.model_of(len(units)), home), units)


def data_of(home: Path, recipe: Language, writer: Writer | Filler) -> LanguageData:
    """The data that a run was made from, read again.

    Raises `RunError` when they are not what they were, and `DataError` when they cannot be read.
    """
    facts = facts_of(home, Facts)
    sources = (
        Source(recipe.text, facts.text_bytes, facts.text_sha256),
        Source(recipe.valid or recipe.text, None, facts.valid_sha256),
    )
    hashes = ("text_sha256", "valid_sha256")
    data = read_again(home, recipe.data, sources, lambda data: [data.facts[name] for name in hashes], option="text")
    if len(data.units) != len(writer.units):
        raise changed(recipe.text, home, "text")
    return data


def rows(facts: Facts, recipe: Language, weights: int) -> dict[str, str]:
    """What there is to tell of the model and its text."""
    return {
        "model": f"{recipe.made_of}, {weights:,} weights",
        "units": f"{recipe.unit}, a vocabulary of {facts.vocab:,}",
        "text": f"{facts.text} ({facts.text_bytes:,} bytes, {facts.skipped_bytes:,} skipped)",
        "sha256": facts.text_sha256,
        "training": f"{facts.train_units:,} {recipe.unit}s, {facts.train_unknown:,} unknown",
        "held out": f"{facts.valid}: {facts.valid_units:,} {recipe.unit}s, {facts.valid_unknown:,} unknown",
        **vector_rows(facts.vectors, facts.vectors_sha256),
    }


def vector_rows(vectors: VectorFacts | None, sha256: str | None) -> dict[str, str]:
    """What there is to tell of the vectors that a run began with."""
    return {"vectors": vectors.sentence(), "their sha256": sha256 or "—"} if vectors else {}


def evaluate(home: Path, recipe: Language, asked: Asked) -> Judged:
    """How well a text is predicted."""
    asked.only("a language model, which reads a text as a whole")
    from throughtime.models import Writer

    reader = load(home, recipe)
    if asked.file is not None:
        read = recipe.read(asked.file)
        skipped, scores = read.skipped_bytes, reader.score(read.text)
    else:
        data = data_of(home, recipe, reader)
        skipped = data.facts["skipped_bytes"]
        if isinstance(reader, Writer):
            scores = reader.score_ids(data.valid, data.valid_bytes)
        else:
            scores = reader.score_ids(data.valid)
    notes = (f"{skipped:,} bytes that are not UTF-8 were skipped",) if skipped else ()
    return Judged({**scores.to_json(), "skipped_bytes": skipped}, _told(recipe, scores), notes)


def _told(recipe: Language, scores: Scores | MaskedScores) -> dict[str, str]:
    """Scores, for people."""
    from throughtime.models import Scores

    told = {
        f"nats per {recipe.item}": f"{scores.nats_per_unit:.4f}",
        f"bits per {recipe.item}": f"{scores.bits_per_unit:.4f}",
        "perplexity": f"{scores.perplexity:.3f}",
    }
    if isinstance(scores, Scores):
        told["bits per byte"] = f"{scores.bits_per_byte:.4f}"
        return told | {f"{recipe.item}s": f"{scores.units:,}", "of them unknown": f"{scores.unknown:,}"}
    return told | {f"{recipe.item}s": f"{scores.units:,}", "of them right": f"{100 * scores.accuracy:.2f} %"}


def predict(trained: Writer | Filler, recipe: Language, asked: Asked) -> NoReturn:
    """Refuses: a language model writes, and one of masked units is for others to begin with."""
    if recipe.objective == "masked":
        raise ArgumentError(
            "predict is for models that say something of a file: begin one with --pretrained RUN; "
            f"stream fills in what stands as {MASK}"
        )
    raise ArgumentError("predict is for models that say something of a file, and a language model writes: try generate")


def stream(trained: Writer | Filler, recipe: Language) -> FillerLive:
    """What is hidden in each line. Refuses a model of what comes next, which writes."""
    if recipe.objective == "masked":
        return FillerLive(cast("Filler", trained))
    raise ArgumentError("stream is for models that answer, and a language model writes: try throughtime generate")


class FillerLive:
    """A model of masked units that is given a line with some of them hidden; nothing is carried from line to line."""

    def __init__(self, filler: Filler) -> None:
        self.filler, self.wants = filler, f"a line with {MASK} in it"

    def take(self, line: str) -> dict[str, Any] | None:
        """The line with the likeliest units in their places, these, and how many units are unknown; nothing for an
        empty line.
        """
        if not line:
            return None
        first, *others = line.split(MASK)
        pieces: list[str | None] = [first]
        for piece in others:
            pieces += [None, piece]
        if self.filler.units.kind == "subword":  # of which the space before a word is the first letter
            pieces[:-1] = [piece and piece.removesuffix(" ") for piece in pieces[:-1]]
        filled = self.filler.fill(pieces)
        unknown = sum(self.filler.unknown(piece) for piece in pieces if piece)
        return {"text": "".join(filled), "filled": filled[1::2], "unknown": unknown}

    def plain(self, facts: dict[str, Any]) -> str:
        """The line; a unit that is the end of one shows, and how many are unknown stands after a tab if any are."""
        text = str(facts["text"]).replace("\n", "⏎")
        return f"{text}\t{facts['unknown']:,} unknown" if facts["unknown"] else text


def draw_gradients_of(home: Path, recipe: Language, path: Path) -> None:
    """How far gradients reach back in time."""
    from throughtime.inspect.draw import draw_gradients
    from throughtime.inspect.measure import gradient_by_distance

    writer: Any = load(home, recipe)
    if recipe.objective == "masked":
        raise ArgumentError("gradients by distance are of models that read forward: this one sees both sides of a unit")
    batches: Any = recipe.batches(data_of(home, recipe, writer))
    norms: Any = gradient_by_distance(writer.model, batches.chunk(0, 0))
    draw_gradients(norms.tolist(), path, title=f"{home.absolute().name}: gradient by distance")


PICTURES = {"gradients": draw_gradients_of}
