"""The recipe of a language model: every setting, and what `fit` and the commands ask of it.

Which settings go together is in `language_checks.py`, the model is made in `language_parts.py`; what is said of a run
is in `language_notes.py`. torch is imported where it is used, so that the command line can show its help at once.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field, model_validator

from throughtime.errors import DataError
from throughtime.recipes import fields, language_checks, language_notes
from throughtime.recipes.cells import CellName
from throughtime.recipes.parts import device_of
from throughtime.recipes.read import OptionalPlace, Place
from throughtime.recipes.transfer import Taken, Transfer

if TYPE_CHECKING:
    from torch import nn

    from throughtime.data.lanes import Lanes
    from throughtime.data.masking import MaskedPieces
    from throughtime.data.read import Text
    from throughtime.data.units import Ids, Units, WordUnits
    from throughtime.models import LanguageModel, Scores, Writer
    from throughtime.models.masked import Filler, MaskedModel, MaskedScores

QUICK_UNITS = 200_000  # about so many of the held-out part, to the end of a line, are scored while training


@dataclass(frozen=True)
class LanguageData:
    """A text, cut and counted."""

    units: Units
    train: Ids
    valid: Ids
    valid_bytes: int
    quick: Ids  # the beginning of the held-out part, scored while training
    quick_bytes: int
    facts: dict[str, Any]  # where it came from and what was counted: data.json
    taken: Taken | None = None  # from a table of word vectors


class Language(Transfer):
    """A language model of a text: it learns to say what comes next, or what is hidden."""

    makes: ClassVar[str] = "a language model"
    judged_by: ClassVar[tuple[str, ...]] = ("text",)
    shows: ClassVar[str] = "it writes"
    places: ClassVar[frozenset[str]] = frozenset({"text", "valid"})
    bound: ClassVar[dict[str, Any]] = {"minutes": 10.0}

    application: Literal["language"] = Field("language", description="which recipe this is")
    text: Place = Field(description="the text to learn from: a UTF-8 file")
    valid: OptionalPlace = Field(None, description="a text to validate on, instead of the end of --text")
    held_out: float = Field(0.1, gt=0, lt=1, description="share of --text, at its end, that is held out to validate on")
    invalid_bytes: Literal["refuse", "skip"] = Field(
        "refuse", description="what to do with bytes that are not UTF-8: refuse the file, or skip and count them"
    )

    unit: Literal["character", "word", "subword", "byte"] = Field("character", description="what the text is cut into")
    minimum_count: int = Field(1, ge=1, description="units seen less often in training are <unk>")
    maximum_vocab: int | None = Field(
        None, ge=1, le=1_000_000, description="most units of the vocabulary, the rest is <unk> (subword: 4096)"
    )

    objective: Literal["next", "masked"] = Field(
        "next", description="what is learned: the unit that comes next, or those that are hidden (to start others from)"
    )
    core: Literal["recurrent", "window"] = Field("recurrent", description="a recurrent memory, or the last units alone")
    cell: CellName | Literal["self-attention"] = Field("lstm", description="the recurrent cell, or a transformer")
    heads: fields.Heads = 4
    positions: fields.Positions = Field(
        "rotary",
        description="of self-attention: how places are told: by turns of queries and keys, by what is added "
        "(sinusoidal, learnt: of the place modulo --context, so that a part of a text reads otherwise by itself), not",
    )
    context: int = Field(
        128, ge=1, le=65536, description="of self-attention: the last units that a layer sees; layers add up"
    )
    window: int = Field(5, ge=1, le=1024, description="units that --core window sees; 1 is the neural bigram")
    hidden: fields.Hidden = 256
    layers: fields.Layers = 2
    embedding: int | None = Field(
        None,
        ge=1,
        le=65536,
        description="width of embeddings (that of --vectors; else 64 for characters and bytes, else hidden)",
    )
    residual: bool = Field(False, description="add each layer's input to its output")
    tied: bool = Field(False, description="one matrix for embedding and softmax (embedding = hidden)")
    adaptive: tuple[int, ...] = Field((), description="adaptive softmax: the ids, rising, at which its bands begin")

    dropout: fields.Rate = Field(
        0.2,
        description="of embeddings, between layers and before the softmax; a row's mask is the same at all steps",
    )
    recurrent_dropout: fields.Rate = Field(
        0.0, description="of the hidden state in the recurrent products; one mask a row"
    )
    zoneout: fields.Rate = Field(0.0, description="chance that a hidden unit keeps its old value at a step")

    lanes: int = Field(32, ge=1, le=65536, description="readers side by side (the batch)")
    steps: int = Field(64, ge=1, le=65536, description="units that gradients flow back through (the chunk)")
    minutes: fields.Minutes = Field(
        None, description="bound on the time, evaluations included (10 when neither bound is given)"
    )
    epochs: fields.Epochs = Field(None, description="bound on the passes over the text")
    learning_rate: fields.LearningRate = 0.004
    warmup_steps: fields.WarmupSteps = 100
    evaluate_every: fields.EvaluateEvery = 250

    @model_validator(mode="after")
    def _consistent(self) -> Language:
        language_checks.check(self)
        return self

    @property
    def item(self) -> str:  # type: ignore[override]  # it depends on the unit
        """What is counted and judged, one by one."""
        return f"masked {self.unit}" if self.objective == "masked" else self.unit

    @property
    def reads(self) -> Path:
        """What is read."""
        return self.text

    def advice(self, out: Path) -> tuple[str, ...]:
        """What may be done with a run."""
        if self.objective == "masked":
            ways = f"stream {out}", f"evaluate {out}", f"train classify --train FILE --pretrained {out}"
            return tuple(f"throughtime {way}" for way in ways)
        say = f"throughtime generate {out} --length 1000 --temperature 0.8"
        return say, f"throughtime evaluate {out}", f"throughtime show {out}"

    @property
    def width(self) -> int:
        """The width of the embeddings; where a table of vectors decides, only of a recipe that is `settled`."""
        if self.embedding is not None:
            return self.embedding
        if self.tied:
            return self.seen
        return min(64, self.hidden) if self.unit in ("character", "byte") else self.hidden

    @property
    def seen(self) -> int:
        """The width of what the softmax sees."""
        return 2 * self.hidden if self.objective == "masked" and self.cell != "self-attention" else self.hidden

    @property
    def made_of(self) -> str:
        """The core, for people."""
        return language_notes.made_of(self)

    def data(self) -> LanguageData:
        """Reads the text, learns the units of its training part, and counts what they lack.

        Raises `DataError` when a file is missing, not text, or too short for one chunk.
        """
        from throughtime.data.read import beginning, encoded
        from throughtime.data.units import learn_units, unknown_among

        source = self.read(self.text)
        if self.valid is None:
            train, valid = source.split(self.held_out)
            held_out = source
        else:
            held_out = self.read(self.valid)
            train, valid = source.text, held_out.text
        units = learn_units(self.unit, train, minimum_count=self.minimum_count, maximum_vocab=self.maximum_vocab)
        train_ids, valid_ids = units.encode(train), units.encode(valid)
        if not len(valid_ids):
            raise DataError(f"{self.valid or self.text} leaves no {self.unit}s to validate on; give a longer text")
        facts = {
            "text": str(self.text),
            "text_sha256": source.sha256,
            "text_bytes": source.bytes,
            "valid": str(self.valid) if self.valid else f"the last {100 * self.held_out:g}% of the text",
            "valid_sha256": held_out.sha256,
            "train_sha256": hashlib.sha256(encoded(train)).hexdigest(),
            "skipped_bytes": source.skipped_bytes + (held_out.skipped_bytes if self.valid else 0),
            "vocab": len(units),
            "train_units": len(train_ids),
            "train_unknown": unknown_among(train_ids, units.unknown),
            "valid_units": len(valid_ids),
            "valid_unknown": unknown_among(valid_ids, units.unknown),
        }
        quick = beginning(valid, QUICK_UNITS / len(valid_ids))
        sizes = len(encoded(valid)), len(encoded(quick))
        data = LanguageData(units, train_ids, valid_ids, sizes[0], units.encode(quick), sizes[1], facts)
        self.batches(data)
        return data

    def begin(self, data: LanguageData, kept: Path | None) -> LanguageData:
        """The data, with the vectors that the embeddings begin with, if with any."""
        return self.taking(data, cast("WordUnits", data.units).words, kept) if self.vectors else data

    def read(self, path: Path) -> Text:
        """A text file, read as this recipe reads them."""
        from throughtime.data.read import read_raw, read_text

        return read_raw(path) if self.unit == "byte" else read_text(path, self.invalid_bytes)

    def batches(self, data: LanguageData) -> Lanes | MaskedPieces:
        """The training part in lanes, or in pieces with units hidden."""
        from throughtime.data.lanes import Lanes
        from throughtime.data.masking import MaskedPieces

        if self.objective == "masked":
            return MaskedPieces(data.train, len(data.units), rows=self.lanes, steps=self.steps, seed=self.seed)
        return Lanes(data.train, lanes=self.lanes, steps=self.steps, seed=self.seed)

    def model(self, data: LanguageData) -> LanguageModel | MaskedModel:
        """A new model, on the device; its embeddings are the vectors that were taken, if any were."""
        model = self.settled(data).model_of(len(data.units))
        if data.taken is not None:
            data.taken.fill(model.embedding)
        return model.to(device_of(self.device))

    def model_of(self, vocab: int) -> LanguageModel | MaskedModel:
        """A new model for a vocabulary of that size."""
        from throughtime.recipes.language_parts import model_of

        return model_of(self, vocab)

    def frozen(self, model: LanguageModel | MaskedModel, step: int) -> tuple[nn.Parameter, ...]:
        """The embeddings, as long as they are frozen."""
        return self.frozen_of(model.embedding, step)

    def states(self, model: LanguageModel | MaskedModel) -> list[Any]:
        """States like those carried from chunk to chunk, one for each group of lanes; pieces carry none."""
        if self.objective == "masked":
            return []
        return [cast("LanguageModel", model).initial(self.lanes // self.accumulate) for _ in range(self.accumulate)]

    def reader(self, model: LanguageModel | MaskedModel, units: Units) -> Writer | Filler:
        """The model with its units: what writes, or what fills in."""
        from throughtime.models import Writer
        from throughtime.models.masked import Filler, MaskedModel

        return Filler(model, units, steps=self.steps) if isinstance(model, MaskedModel) else Writer(model, units)

    def score(self, model: LanguageModel | MaskedModel, data: LanguageData, *, quick: bool) -> Scores | MaskedScores:
        """How well the held-out part is predicted; `quick` looks at its first 200,000 units or so."""
        from throughtime.models import Writer

        ids, size = (data.quick, data.quick_bytes) if quick else (data.valid, data.valid_bytes)
        reader = self.reader(model, data.units)
        return reader.score_ids(ids, size) if isinstance(reader, Writer) else reader.score_ids(ids)

    def sample(self, model: LanguageModel | MaskedModel, data: LanguageData, *, final: bool) -> str:
        """A few lines that the model writes or fills in, always the same, so that they can be seen to improve."""
        from throughtime.models import Writer

        reader = self.reader(model, data.units)
        if not isinstance(reader, Writer):
            return reader.show(data.quick, most=16 if final else 4)
        length = (240 if self.unit in ("character", "byte") else 60) * (4 if final else 1)
        return reader.generate(length=length, temperature=0.8, seed=self.seed)

    def tell(self, score: Scores | MaskedScores) -> tuple[str, str]:
        """What was judged, and how well it did."""
        return language_notes.tell(self, score)

    def notes(self, data: LanguageData) -> tuple[str, ...]:
        """What was cut, counted and taken from vectors, and the bytes that were skipped, if any."""
        return language_notes.notes(self, data)

    def files(self, data: LanguageData) -> dict[str, bytes]:
        """recipe.json, vocabulary.json and data.json."""
        contents = {
            "recipe.json": json.loads(self.settled(data).model_dump_json()),
            "vocabulary.json": data.units.to_json(),
            "data.json": data.facts,
        }
        return {
            name: (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
            for name, content in contents.items()
        }

    def card(self, model: LanguageModel | MaskedModel, data: LanguageData, score: Any) -> str:
        """What the model is, what it was made from, and how good it is."""
        return language_notes.card(self, model, data, score)
