"""The recipe of a translator: every setting, and how the parts of a run are made from it.

Its data are made in `translate_data.py`, its model in `translate_parts.py`, what is said of a run in
`translate_notes.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from throughtime.recipes import fields, translate_checks, translate_notes
from throughtime.recipes.cells import CellName
from throughtime.recipes.parts import device_of
from throughtime.recipes.read import OptionalPlace
from throughtime.recipes.training import Training
from throughtime.recipes.translate_presets import PRESETS, PresetName, with_preset

if TYPE_CHECKING:
    from throughtime.data.line_units import LineUnits
    from throughtime.data.pair_batches import PairBatches
    from throughtime.models.sought import Search
    from throughtime.models.translation import TranslationModel
    from throughtime.models.translator import Translator
    from throughtime.recipes.translate_data import TranslateData, TranslationScore

Unit = Literal["subword", "character", "word", "byte"]


class Translate(Training):
    """A translator: it learns to make one line of another: translations, dates, spellings, summaries, commands."""

    makes: ClassVar[str] = "a translator"
    shows: ClassVar[str] = "some translations"
    item: ClassVar[str] = "symbol"
    judged_by: ClassVar[tuple[str, ...]] = ("pairs", "source", "target")
    places: ClassVar[frozenset[str]] = frozenset(
        {"source", "target", "pairs", "valid_source", "valid_target", "valid_pairs"}
    )
    presets: ClassVar[dict[str, dict[str, Any]]] = PRESETS

    application: Literal["translate"] = Field("translate", description="which recipe this is")
    source: OptionalPlace = Field(None, description="what to translate, a line each (.gz too); with --target")
    target: OptionalPlace = Field(None, description="the translations of those lines, a line each")
    pairs: OptionalPlace = Field(None, description="instead of the two: .tsv .csv .jsonl .parquet with two columns")
    valid_source: OptionalPlace = Field(None, description="lines to validate on, instead of a part of the pairs")
    valid_target: OptionalPlace = Field(None, description="their translations")
    valid_pairs: OptionalPlace = Field(None, description="pairs to validate on, instead of a part of the pairs")
    source_column: str | None = Field(None, description="of --pairs: the column of sources, by name or number")
    target_column: str | None = Field(None, description="of --pairs: the column of targets")
    header: bool | None = Field(
        None, description="--header or --no-header: the first line of --pairs is names (found out)"
    )
    missing: Literal["refuse", "skip"] = Field("refuse", description="pairs with one empty side: refuse, or skip them")
    invalid_bytes: Literal["refuse", "skip"] = Field(
        "refuse", description="what to do with bytes that are not UTF-8: refuse the file, or skip and count them"
    )
    held_out: float = Field(0.05, gt=0, lt=1, description="share of the pairs held out to validate on")
    preset: PresetName | None = Field(None, description="settings that suit a task; any of them may be given besides")

    unit: Unit = Field("subword", description="what lines are cut into")
    source_unit: Unit | None = Field(None, description="of sources, where it is another one")
    target_unit: Unit | None = Field(None, description="of targets, where it is another one")
    shared: bool = Field(False, description="one vocabulary for both sides")
    minimum_count: int = Field(1, ge=1, description="units seen less often in training are <unk>")
    maximum_vocab: int | None = Field(
        None, ge=1, le=200_000, description="most units of a vocabulary, the rest is <unk> (subword: 4096)"
    )
    longest: int = Field(1000, ge=1, le=2**20, description="units of a source or target, at most: none is cut")
    too_long: Literal["refuse", "skip"] = Field("refuse", description="pairs with more: refuse them, or skip and count")

    encoder: CellName | Literal["self-attention"] = Field("gru", description="the cell that reads sources")
    decoder: CellName | Literal["self-attention"] = Field("gru", description="the cell that writes targets")
    both: bool = Field(True, description="sources are read from both ends")
    attention: Literal["additive", "dot", "general", "scaled", "cosine", "none"] = Field(
        "general", description="how a step scores the places of the source; none: it sees the last state alone"
    )
    attend: Literal["global", "local", "local-predicted", "hard", "hard-reinforce"] = Field(
        "global", description="to all places, to a window, or to one"
    )
    window: int = Field(5, ge=1, le=4096, description="of --attend local: places to each side of its centre")
    heads: int | None = Field(
        None, ge=1, le=64, description="of attention, each with its own scores (1); of self-attention (4)"
    )
    positions: fields.Positions = "sinusoidal"
    join: Literal["sum", "concatenate"] = Field("concatenate", description="what becomes of the heads' vectors")
    coverage: bool = Field(False, description="scores (additive, general, dot) see what was looked at before (slower)")
    feeding: bool = Field(False, description="a step reads what the step before saw as well (slower)")

    hidden: fields.Hidden = 256
    layers: fields.Layers = Field(1, description="of the encoder, and of the decoder")
    embedding: int = Field(256, ge=1, le=65536, description="width of embeddings")
    tied: bool = Field(True, description="one matrix for the target's embedding and softmax; of --shared, the source's")
    dropout: fields.Rate = Field(0.2, description="of features; a row's mask is the same at all steps")
    word_dropout: fields.Rate = Field(0.0, description="symbols that are not seen while training")
    smoothing: fields.Rate = Field(0.1, description="of labels: share of the target's chance that all symbols get")
    feedback: fields.Rate = Field(0.0, description="symbols of its own that the decoder reads in training, all along")

    tokens: int = Field(4096, ge=1, le=2**24, description="symbols of a batch, padding and both sides included")
    best: Literal["nats", "exact", "bleu"] = Field("nats", description="how weights are chosen (exact: then by nats)")
    beam: int = Field(5, ge=1, le=1000, description="hypotheses of the search; for translate, unless it says another")
    alpha: float = Field(0.7, ge=0, le=10, description="of lengths in the search: log p / T^alpha ranks hypotheses")
    bound: ClassVar[dict[str, Any]] = {"epochs": 10}
    evaluate_every: fields.EvaluateEvery = 500

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, values: Any) -> Any:
        """The settings of a preset, where no others are given."""
        if isinstance(values, dict) and values.get("preset") in PRESETS:
            return with_preset(values["preset"], values)
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Translate:
        translate_checks.check(self)
        return self

    @property
    def reads(self) -> Path:
        """What is read."""
        return self.pairs or self.source or Path()

    @property
    def units(self) -> tuple[Unit, Unit]:
        """What sources are cut into, and targets."""
        return self.source_unit or self.unit, self.target_unit or self.unit

    @property
    def score_unit(self) -> str:
        """Of that by which the best weights are chosen."""
        return {"nats": "nats per symbol", "exact": "share of inexact lines", "bleu": "1 − BLEU / 100"}[self.best]

    def advice(self, out: Path) -> tuple[str, ...]:
        """What may be done with a run."""
        return tuple(f"throughtime {words}" for words in (f"translate {out} FILE", f"evaluate {out}", f"show {out}"))

    @property
    def made_of(self) -> str:
        """The model, for people."""
        return translate_notes.made_of(self)

    @property
    def attend_heads(self) -> int:
        """Heads by which a recurrent decoder looks at the source: one where its scores have no weights."""
        return 1 if self.attention in ("dot", "none") else self.heads or 1

    @property
    def self_heads(self) -> int:
        """Heads of each layer of self-attention."""
        return self.heads or 4

    def data(self) -> TranslateData:
        """Reads the pairs, holds some out, learns the units, and counts what they lack.

        Raises `DataError` when a file is missing or malformed, sides do not match, or pairs are too long.
        """
        from throughtime.recipes.translate_data import learn

        return learn(self)

    def batches(self, data: TranslateData) -> PairBatches:
        """The training part in batches of about the same length."""
        from throughtime.data.pair_batches import PairBatches

        return PairBatches(data.train.source_ids, data.train.target_ids, tokens=self.tokens, seed=self.seed)

    def model(self, data: TranslateData) -> TranslationModel:
        """A new model, on the device."""
        return self.model_of(data.source_units, data.target_units).to(device_of(self.device))

    def model_of(self, source: LineUnits, target: LineUnits) -> TranslationModel:
        """A new model for these units."""
        from throughtime.recipes.translate_parts import translation_model

        return translation_model(self, len(source), len(target), target.end)

    def translator(self, model: TranslationModel, data: TranslateData) -> Translator:
        """The model with its units; its weights must not change any more."""
        from throughtime.models.translator import Translator

        return Translator(
            model,
            data.source_units,
            data.target_units,
            lengths=data.lengths,
            search=self.search(),
        )

    def search(self, *, width: int | None = None) -> Search:
        """How translations are searched for, unless something else is asked."""
        from throughtime.models.sought import Search

        return Search(width=width or self.beam, alpha=self.alpha)

    def score(self, model: TranslationModel, data: TranslateData, *, quick: bool) -> TranslationScore:
        """How well the held-out pairs are translated; `quick` looks at 500 of them at most, greedily."""
        from throughtime.recipes.translate_data import score

        return score(self, self.translator(model, data), data, quick=quick)

    def sample(self, model: TranslationModel, data: TranslateData, *, final: bool) -> str:
        """Translations of some held-out lines."""
        return translate_notes.translations(self, self.translator(model, data), data, final=final)

    def tell(self, score: TranslationScore) -> tuple[str, str]:
        """What was judged, and how well it did."""
        return f"{score.pairs:,} held-out pairs", score.sentence()

    def notes(self, data: TranslateData) -> tuple[str, ...]:
        """What was read, counted and left out."""
        return translate_notes.notes(self, data)

    def files(self, data: TranslateData) -> dict[str, bytes]:
        """recipe.json, vocabulary.json and data.json."""
        from throughtime.folder import to_bytes

        return {
            "recipe.json": to_bytes(json.loads(self.model_dump_json())),
            "vocabulary.json": to_bytes(data.vocabularies()),
            "data.json": to_bytes(data.facts),
        }

    def card(self, model: TranslationModel, data: TranslateData, score: Any) -> str:
        """What the model is, what it was made from, and how good it is."""
        return translate_notes.card(self, model, data, score)
