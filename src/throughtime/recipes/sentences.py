"""The recipe of vectors of sentences: every setting, and how the parts of a model are made from it.

Its data are made in `sentence_data.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field, model_validator

from throughtime.recipes import fields
from throughtime.recipes.cards import card
from throughtime.recipes.cells import CellName
from throughtime.recipes.parts import both_ways, device_of, one_way
from throughtime.recipes.read import OptionalPlace, Place
from throughtime.recipes.transfer import Transfer

if TYPE_CHECKING:
    from torch import nn

    from throughtime.data.neighbours import NeighbourBatches, SentenceText
    from throughtime.data.units import Units, WordUnits
    from throughtime.heads import AdaptiveSoftmax, Softmax
    from throughtime.layers import Core
    from throughtime.models.sentence_encoder import NeighbourScore, SentenceEncoder
    from throughtime.models.skip_thought import SkipThought
    from throughtime.recipes.sentence_data import SentenceData

QUICK_SENTENCES, COMPARED = 256, 1000  # of the held-out part, at most: those scored, and those shown, while training


class Sentences(Transfer):
    """Vectors of sentences: from a sentence's vector it learns to say the sentences before and after it."""

    makes: ClassVar[str] = "an encoder of sentences"
    judged_by: ClassVar[tuple[str, ...]] = ("text",)
    shows: ClassVar[str] = "the nearest sentences"
    places: ClassVar[frozenset[str]] = frozenset({"text", "valid"})
    bound: ClassVar[dict[str, Any]] = {"minutes": 10.0}

    application: Literal["sentences"] = Field("sentences", description="which recipe this is")
    text: Place = Field(description="sentences in their order, one a line (.gz too); an empty line ends a document")
    valid: OptionalPlace = Field(None, description="a text to validate on, instead of the end of --text")
    held_out: float = Field(
        0.1, gt=0, lt=1, description="share of --text, at its end, that is held out: whole documents if it has several"
    )
    invalid_bytes: Literal["refuse", "skip"] = Field(
        "refuse", description="what to do with bytes that are not UTF-8: refuse the file, or skip and count them"
    )

    unit: Literal["word", "subword"] = Field("word", description="what sentences are cut into")
    minimum_count: int = Field(2, ge=1, description="units seen less often in training are <unk>")
    maximum_vocab: int | None = Field(
        None, ge=1, le=200_000, description="most units of the vocabulary, the rest is <unk> (subword: 4096)"
    )
    longest: int = Field(
        60, ge=1, le=65536, description="units of a sentence that is learned from; longer ones are left out and counted"
    )

    encoder: CellName | Literal["average"] = Field("gru", description="a recurrent cell, or the mean of embeddings")
    both: bool = Field(False, description="read from both ends")
    pool: Literal["last", "mean", "maximum"] | None = Field(
        None, description="from all steps to the vector of the sentence (mean of --encoder average, else last)"
    )
    hidden: fields.Hidden = 256
    layers: fields.Layers = 1
    decoder: CellName = Field("gru", description="the cell of both decoders, which have one layer of --hidden units")
    feeding: bool = Field(True, description="decoders read the vector at each step, not at the first alone")
    tied: bool = Field(False, description="one matrix for embedding and softmax (embedding = hidden)")
    adaptive: tuple[int, ...] = Field(
        (), description="adaptive softmax, faster: the ids, rising, at which its bands begin"
    )
    dropout: fields.Rate = Field(0.1, description="of embeddings and before the softmax")

    rows: int = Field(32, ge=1, le=65536, description="sentences of a batch")
    minutes: fields.Minutes = Field(
        None, description="bound on the time, evaluations included (10 when neither bound is given)"
    )
    epochs: fields.Epochs = Field(None, description="bound on the passes over the text")
    evaluate_every: fields.EvaluateEvery = 500

    @model_validator(mode="after")
    def _consistent(self) -> Sentences:
        if self.encoder == "average" and (self.both or self.layers > 1 or self.pool == "last"):
            raise ValueError("both, layers and pool last are for an --encoder that is a cell; got average")
        if self.tied and self.frozen_updates:
            raise ValueError(
                "frozen_updates and tied exclude each other: the softmax, which must learn, has that matrix"
            )
        if self.tied and self.adaptive:
            raise ValueError("tied and adaptive exclude each other")
        if self.adaptive and self.unit != "word":
            raise ValueError("adaptive needs --unit word, whose ids are in the order of frequency")
        if self.tied and self.width != self.hidden and not (self.vectors and self.embedding is None):
            raise ValueError(f"tied needs embedding = hidden; got {self.width} and {self.hidden}")
        return self

    @property
    def item(self) -> str:  # type: ignore[override]  # it depends on the unit
        """What is counted and predicted, one by one."""
        return self.unit

    @property
    def reads(self) -> Path:
        """What is read."""
        return self.text

    def advice(self, out: Path) -> tuple[str, ...]:
        """What may be done with a run."""
        nearest = f"throughtime embed {out} FILE --nearest 'A sentence.'"
        return f"throughtime embed {out} FILE --out vectors.npy", nearest, f"throughtime evaluate {out}"

    @property
    def width(self) -> int:
        """The width of the embeddings; where a table of vectors decides, only of a recipe that is `settled`."""
        return self.embedding or (self.hidden if self.tied else 100)

    @property
    def made_of(self) -> str:
        """The model, for people."""
        what = "mean of embeddings"
        if self.encoder != "average":
            what = f"{self.encoder}, {self.layers} × {self.hidden}{', from both ends' if self.both else ''}"
        return f"{what}; two decoders, {self.decoder}, {self.hidden}"

    def data(self) -> SentenceData:
        """Reads the text, learns the units of its training part, and counts what they lack.

        Raises `DataError` when a file is missing, not text, or has too little that stands together.
        """
        from throughtime.recipes.sentence_data import learned

        return learned(self)

    def read(self, path: Path) -> SentenceText:
        """A text of sentences, read as this recipe reads them."""
        from throughtime.data.neighbours import read_sentences

        return read_sentences(path, self.invalid_bytes)

    def begin(self, data: SentenceData, kept: Path | None) -> SentenceData:
        """The data, with the vectors that the embeddings begin with, if with any."""
        return self.taking(data, cast("WordUnits", data.units).words, kept) if self.vectors else data

    def batches(self, data: SentenceData) -> NeighbourBatches:
        """The sentences of the training part that have a neighbour, in batches of about the same length."""
        from throughtime.data.neighbours import NeighbourBatches

        return NeighbourBatches(data.train, rows=self.rows, seed=self.seed)

    def model(self, data: SentenceData) -> SkipThought:
        """A new model, on the device; its embeddings are the vectors that were taken, if any were."""
        model = self.settled(data).model_of(data.units)
        if data.taken is not None:
            data.taken.fill(model.embedding)
        return model.to(device_of(self.device))

    def model_of(self, units: Units) -> SkipThought:
        """A new model for a vocabulary."""
        from torch import nn

        from throughtime.models.skip_thought import SkipThought

        embedding, encoder = nn.Embedding(len(units), self.width), self._encoder()
        nn.init.normal_(embedding.weight, std=self.width**-0.5)  # of norm 1, about, however wide
        width = self.width + encoder.hidden * self.feeding
        decoders = [one_way(self.decoder, width, self.hidden, 1) for _ in range(2)]
        head, end = self._head(embedding), cast("int", units.end)
        return SkipThought(
            embedding, encoder, self._pool(), decoders, head, end=end, feeding=self.feeding, dropout=self.dropout
        )

    def _head(self, embedding: nn.Embedding) -> Softmax | AdaptiveSoftmax:
        from throughtime.heads import AdaptiveSoftmax, Softmax

        if self.adaptive:
            return AdaptiveSoftmax(self.hidden, len(embedding.weight), cutoffs=self.adaptive)
        tied = cast("nn.Parameter", embedding.weight) if self.tied else None
        return Softmax(self.hidden, len(embedding.weight), tied=tied)

    def _encoder(self) -> Core[Any]:
        from throughtime.layers import Direct

        if self.encoder == "average":
            return Direct(self.width)
        make = both_ways if self.both else one_way
        return make(self.encoder, self.width, self.hidden, self.layers, dropout=self.dropout)

    def _pool(self) -> nn.Module:
        from throughtime.layers import LastPool, MaximumPool, MeanPool

        pool = self.pool or ("mean" if self.encoder == "average" else "last")
        return {"last": LastPool(both=self.both), "mean": MeanPool(), "maximum": MaximumPool()}[pool]

    def frozen(self, model: SkipThought, step: int) -> tuple[nn.Parameter, ...]:
        """The embeddings, as long as they are frozen."""
        return self.frozen_of(model.embedding, step)

    def reader(self, model: SkipThought, data: SentenceData) -> SentenceEncoder:
        """The model with its units."""
        from throughtime.models.sentence_encoder import SentenceEncoder

        return SentenceEncoder(model, data.units)

    def score(self, model: SkipThought, data: SentenceData, *, quick: bool) -> NeighbourScore:
        """How well the neighbours of held-out sentences are told; `quick` looks at 256 of them at most."""
        rows = data.valid.rows
        step = -(-len(rows) // QUICK_SENTENCES) if quick else 1
        return self.reader(model, data).score(data.valid, rows[::step])

    def sample(self, model: SkipThought, data: SentenceData, *, final: bool) -> str:
        """Some held-out sentences, each with that one of the others whose vector is nearest to its own."""
        import numpy as np

        from throughtime.models.pooled import normalised

        lines = data.valid_lines[:: -(-len(data.valid_lines) // COMPARED)]
        vectors = normalised(self.reader(model, data).embed(lines))
        told = []
        for place in np.linspace(0, len(lines) - 1, 6 if final else 2, dtype=int):
            others = np.where(np.arange(len(lines)) == place, -np.inf, vectors @ vectors[place])
            near = int(others.argmax())
            told.append(f"{lines[place]:.120}\n  {others[near]:.2f}  {lines[near]:.120}")
        return "\n".join(told)

    def tell(self, score: NeighbourScore) -> tuple[str, str]:
        """What was judged, and how well it did."""
        return f"{score.nats.count:,} {self.unit}s beside {score.sentences:,} held-out sentences", score.sentence()

    def notes(self, data: SentenceData) -> tuple[str, ...]:
        """What was cut, counted, left out and taken from vectors."""
        from throughtime.recipes.sentence_data import notes

        return notes(self, data)

    def files(self, data: SentenceData) -> dict[str, bytes]:
        """recipe.json, vocabulary.json and data.json."""
        from throughtime.folder import to_bytes

        return {
            "recipe.json": to_bytes(json.loads(self.settled(data).model_dump_json())),
            "vocabulary.json": to_bytes(data.units.to_json()),
            "data.json": to_bytes(data.facts),
        }

    def card(self, model: SkipThought, data: SentenceData, score: Any) -> str:
        """What the model is, what it was made from, and how good it is."""
        size, facts = sum(parameter.numel() for parameter in model.parameters()), data.facts
        rows = {
            "model": f"{self.made_of}, {size:,} weights",
            "vectors": f"{model.width:,} numbers a sentence",
            "units": f"{self.unit}, a vocabulary of {len(data.units):,}",
            "trained on": f"{facts['text']} (sha256 {facts['text_sha256'][:12]}…)",
            **{f"counted {number}": note for number, note in enumerate(self.notes(data)[:2], 1)},
            **({"embeddings": data.taken.notes(self.frozen_updates)[0]} if data.taken else {}),
        }
        return card("An encoder of sentences", rows, score and f"{self.unit}s of neighbours: {score.sentence()}")
