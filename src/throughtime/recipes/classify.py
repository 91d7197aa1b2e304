"""The recipe of a classifier of sequences: every setting, and what `fit` and the commands ask of it.

Which settings go together is in `class_checks.py`. Its data are made in `class_data.py`, its model in `class_parts.py`;
what is said of a run is in `class_notes.py`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field, model_validator

from throughtime.errors import plural
from throughtime.recipes import class_checks, class_notes, fields
from throughtime.recipes.cells import CellName
from throughtime.recipes.parts import device_of
from throughtime.recipes.pretrained import Pretrainable
from throughtime.recipes.read import OptionalPlace, Place

if TYPE_CHECKING:
    from torch import Tensor, nn

    from throughtime.data.batches import Batches
    from throughtime.data.encoders import TextEncoder
    from throughtime.data.records import Labelled
    from throughtime.data.sources import Reading
    from throughtime.models.bag import BagOfWords
    from throughtime.models.classifier import Classifier
    from throughtime.models.text_classifier import ClassificationScore, TextClassifier
    from throughtime.recipes.class_data import ClassifyData
    from throughtime.recipes.labelled import Divided

CoreName = CellName | Literal["self-attention", "convolution", "average", "bag"]


class Classify(Pretrainable):
    """A classifier of texts, of letters or of numbers in time: which class, which classes, or which place in an order.

    What is read decides: texts, in tables or in a folder per class; sequences of letters, in FASTA files or in tables
    with --unit character; numbers in time, in .ts and .npy files, or in tables with --id-column (a row is a time) or
    --windows (a row is a series).
    """

    makes: ClassVar[str] = "a classifier"
    shows: ClassVar[str] = "its worst mistakes"
    places: ClassVar[frozenset[str]] = frozenset({"train", "valid", "label_file", "pretrained"})

    application: Literal["classify"] = Field("classify", description="which recipe this is")
    train: Place = Field(
        description="what has labels: .csv .tsv .jsonl .parquet .fasta .ts .npy (.gz too), or a folder per class"
    )
    valid: OptionalPlace = Field(None, description="what to validate on, instead of a part of --train")
    held_out: float = Field(0.1, gt=0, lt=1, description="share of --train, of each class, held out to validate on")
    text_column: str | None = Field(None, description="the column of texts, by name or number (found if there is one)")
    label_column: str | None = Field(
        None, description="the column of labels, or the part of a FASTA header (found if there is one choice; 1)"
    )
    group_column: str | None = Field(
        None, description="of what is held out together, such as a person (what is equal, if not given)"
    )
    header: bool | None = Field(
        None,
        description="--header or --no-header: the first line is names (found out; not if columns are numbers alone)",
    )
    labels: Literal["single", "ordinal", "multiple"] = Field(
        "single", description="one class each; one of several that stand in an order (numbers); any number of them"
    )
    separator: str | None = Field(None, description="of --labels multiple: what stands between labels in a cell")
    missing: Literal["refuse", "skip"] = Field(
        "refuse", description="rows without a text or label, series without a value: refuse, or skip"
    )
    label_file: OptionalPlace = Field(
        None, description="labels of .fasta by name in a table; of .npy in an array (NAME.labels.npy beside NAME.npy)"
    )
    header_separator: str | None = Field(
        None, description="what stands between the parts of a FASTA header (white space)"
    )
    alphabet: str | None = Field(
        None, description="dna, protein or the letters themselves: checked, and made capitals (any, as they are)"
    )
    id_column: str | None = Field(None, description="of numbers in time: the column that tells series apart")
    time_column: str | None = Field(None, description="of them: the column of times (found if one is of dates)")
    value_columns: tuple[str, ...] = Field((), description="of them: the columns of values (all others)")
    windows: int | None = Field(
        None, ge=1, le=65536, description="numbers of a time, where a row of a table is a whole series"
    )
    order: Literal["time", "channel"] = Field(
        "time", description="of --windows: a row has all numbers of a time after another, or all times of a channel"
    )

    unit: class_checks.UnitName | None = Field(
        None, description="what texts are cut into (word; character of FASTA and with --alphabet)"
    )
    minimum_count: int = Field(2, ge=1, description="units seen less often in training are <unk>")
    maximum_vocab: int | None = Field(None, ge=1, le=1_000_000, description="most units of the vocabulary")

    core: CoreName = Field(
        "lstm",
        description="a recurrent cell, self-attention, a convolution, the mean of inputs, or a perceptron over words",
    )
    both: bool = Field(True, description="of a recurrent core: read from both ends")
    hidden: fields.Hidden = 128
    layers: fields.Layers = 1
    heads: fields.Heads = 4
    positions: fields.Positions = "rotary"
    widths: tuple[int, ...] = Field((3, 4, 5), description="of a convolution: steps that its filters see")
    bag: Literal["binary", "counts"] = Field(
        "binary", description="of --core bag: whether a text has a word, or how often"
    )
    dense: tuple[int, ...] = Field((), description="of --core bag: units of each hidden layer, such as 64,32")
    aligned: int = Field(
        0, ge=0, le=65536, description="of letters whose place counts: so many places have embeddings, which are added"
    )
    pool: Literal["maximum", "mean", "last", "attention"] | None = Field(
        None, description="from all steps to one vector (mean of --core average, else maximum)"
    )
    dropout: fields.Rate = Field(0.5, description="of embeddings and of the vector that is classified")
    word_dropout: fields.Rate | None = Field(
        None, description="units that are read as <unk> while training (0.1 of words and characters)"
    )
    smoothing: fields.Rate = Field(0.0, description="of targets: share that goes to all classes alike")
    balanced: bool = Field(False, description="classes weigh alike, however rare they are")

    best: Literal["accuracy", "nats"] = Field(
        "accuracy", description="what the weights that are kept are best at (of --labels multiple always nats)"
    )
    rows: int = Field(32, ge=1, le=65536, description="sequences of a batch")

    @model_validator(mode="before")
    @classmethod
    def _found(cls, values: Any) -> Any:
        """The unit, by what is read, and the share of units that are dropped, by the unit."""
        if not isinstance(values, dict):
            return values
        given = {name: value for name, value in values.items() if value is not None or name != "word_dropout"}
        unit = values.get("unit") or class_checks.unit_of(values)
        return {"word_dropout": 0.0 if unit in class_checks.WITHOUT_UNKNOWN else 0.1} | given | {"unit": unit}

    @model_validator(mode="after")
    def _consistent(self) -> Classify:
        class_checks.check(self)
        return self

    @property
    def of_series(self) -> bool:
        """Whether numbers in time are read, not texts or letters."""
        return class_checks.unit_of(self.__dict__) is None

    @property
    def item(self) -> str:  # type: ignore[override]  # it depends on what is read
        """What is counted."""
        return "series" if self.of_series else "text"

    @property
    def score_unit(self) -> str:
        """Of that by which the best weights are chosen."""
        if self.best == "nats" or self.labels == "multiple":
            return super().score_unit
        return f"share of wrong {plural(self.item)}"

    @property
    def reads(self) -> Path:
        """What is read."""
        return self.train

    def advice(self, out: Path) -> tuple[str, ...]:
        """What may be done with a run."""
        return tuple(f"throughtime {words}" for words in (f"predict {out} FILE", f"evaluate {out}", f"show {out}"))

    @property
    def made_of(self) -> str:
        """The core, for people."""
        return class_notes.made_of(self)

    def data(self) -> ClassifyData:
        """Reads what has labels, learns the units or scales of the training part, and counts what they lack.

        Raises `DataError` when a file is missing or malformed, and as `divide` does.
        """
        from throughtime.recipes.class_data import learned

        return learned(self, self.divided())

    def divided(self) -> Divided:
        """The examples to learn from and those that are held out.

        Raises `DataError` as `data` does, `ArgumentError` for a setting that a folder does not take.
        """
        from throughtime.recipes.labelled import divide

        if self.train.is_dir():
            class_checks.check_kind(self, class_checks.FOLDER)
        other = self.read(self.valid) if self.valid else None
        return divide(self.read(self.train), other, self.labels, held_out=self.held_out, seed=self.seed)

    def read(self, path: Path) -> Labelled:
        """Labelled texts or series, read as this recipe reads them."""
        from throughtime.data.examples import open_examples
        from throughtime.data.records import read_records
        from throughtime.data.sources import content_of

        reading = self.reading()
        if path != self.train and content_of(path) == "series":  # another array has other labels
            reading = replace(reading, letters=replace(reading.letters, labels=None))
        return read_records(open_examples(path, reading, series=self.of_series))

    def reading(self, *, labelled: bool = True) -> Reading:
        """How files are read."""
        from throughtime.recipes.class_data import reading_of

        return reading_of(self, labelled=labelled)

    def begin(self, data: ClassifyData, kept: Path | None) -> ClassifyData:
        """The data, with the vectors or the pretrained run that the model begins with, if with any."""
        if (begun := self.begun(kept)) is not None:
            from throughtime.recipes.class_data import recoded

            return recoded(data, begun)
        if self.vectors is None:
            return data
        return self.taking(data, cast("Any", cast("TextEncoder", data.encoder).units).words, kept)

    def batches(self, data: ClassifyData) -> Batches:
        """Sequences of about the same length."""
        from throughtime.data.batches import Batches

        return Batches(data.train.sequences, data.train.targets, rows=self.rows, seed=self.seed)

    def model(self, data: ClassifyData) -> Classifier | BagOfWords:
        """A new model, on the device; its embeddings are the vectors that were taken, if any were."""
        weights = None
        if self.balanced:
            counts = data.train.targets.bincount(minlength=len(data.classes))
            weights = counts.sum() / (len(counts) * counts)
        encoder = data.encoder
        model = self.settled(data).model_of(encoder.vocab, len(data.classes), weights, channels=encoder.width)
        if data.taken is not None:
            data.taken.fill(cast("Any", model).embedding)
        if data.pretrained is not None:
            data.pretrained.fill(cast("Any", model).embedding, cast("Any", model).core)
        return model.to(device_of(self.device))

    def model_of(
        self, vocab: int | None, classes: int, weights: Tensor | None = None, *, channels: int | None = None
    ) -> Classifier | BagOfWords:
        """A new model for so many classes, of a vocabulary of that size, or of so many channels of numbers."""
        from throughtime.recipes.class_parts import model_of

        return model_of(self, vocab, classes, weights, channels=channels)

    def frozen(self, model: Classifier | BagOfWords, step: int) -> tuple[nn.Parameter, ...]:
        """The embeddings, as long as they are frozen."""
        return self.frozen_of(getattr(model, "embedding", None), step)  # a bag has none

    def score(self, model: Classifier | BagOfWords, data: ClassifyData, *, quick: bool) -> ClassificationScore:
        """How well the held-out part is classified; `quick` looks at 2,000 of it at most."""
        part = data.valid.thinned(class_notes.QUICK) if quick else data.valid
        score = self.reader(model, data).score_encoded(part.sequences, part.targets)
        return replace(score, best=self.best)

    def sample(self, model: Classifier | BagOfWords, data: ClassifyData, *, final: bool) -> str:
        """The mistakes about the held-out part of which the model is surest; of 256 at most while training."""
        return class_notes.mistakes(self.reader(model, data), data.valid, final=final)

    def reader(self, model: Classifier | BagOfWords, data: ClassifyData) -> TextClassifier:
        """The model with what encodes items, and the names of the classes."""
        from throughtime.models.text_classifier import TextClassifier

        return TextClassifier(model, data.encoder, data.classes, self.labels)

    def tell(self, score: ClassificationScore) -> tuple[str, str]:
        """What was judged, and how well it did."""
        return f"{score.items:,} held-out {plural(self.item)}", score.sentence()

    def notes(self, data: ClassifyData) -> tuple[str, ...]:
        """What was read, counted and taken from vectors."""
        return class_notes.notes(self, data)

    def files(self, data: ClassifyData) -> dict[str, bytes]:
        """recipe.json, data.json, and vocabulary.json or scales.json."""
        from throughtime.folder import to_bytes

        return {
            "recipe.json": to_bytes(json.loads(self.settled(data).model_dump_json())),
            data.encoder.file: to_bytes(data.encoder.to_json()),
            "data.json": to_bytes(data.facts),
        }

    def card(self, model: Classifier | BagOfWords, data: ClassifyData, score: Any) -> str:
        """What the model is, what it was made from, and how good it is."""
        size = sum(parameter.numel() for parameter in model.parameters())
        return class_notes.card(self.settled(data), data, size, score)
