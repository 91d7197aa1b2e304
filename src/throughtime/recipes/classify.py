"""The recipe of a classifier of texts: every setting, and how the parts are made from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, get_args

from pydantic import Field, model_validator

from throughtime.errors import printable
from throughtime.recipes import fields
from throughtime.recipes.cells import CellName
from throughtime.recipes.parts import device_of
from throughtime.recipes.read import OptionalPlace, Place, make_recipe
from throughtime.recipes.training import Training
from throughtime.recipes.transfer import FrozenUpdates, Taken, VectorsPath, is_frozen, take

if TYPE_CHECKING:
    from torch import Tensor, nn

    from throughtime.data.batches import Batches
    from throughtime.data.records import Labelled
    from throughtime.data.units import Units, WordUnits
    from throughtime.layers import Core
    from throughtime.models.classifier import Classifier
    from throughtime.models.text_classifier import ClassificationScore, TextClassifier
    from throughtime.recipes.labelled import Divided, Pair

CoreName = CellName | Literal["convolution", "average"]
QUICK_TEXTS = 2000  # of the held-out part, at most, that are judged while training
SAMPLE_TEXTS = 256  # and among which mistakes are looked for
WITHOUT_UNKNOWN = ("subword", "byte")  # units
NAMES = 50  # classes that a page lists
WIDEST = 1024  # steps that a filter may see


@dataclass(frozen=True)
class Part:
    """Some of the texts: as they are, as numbers, and what is to be said of them."""

    texts: list[str]
    labels: list[tuple[str, ...]]
    sequences: list[Tensor]
    targets: Tensor


@dataclass(frozen=True)
class ClassifyData:
    """Labelled texts, cut and counted."""

    units: Units
    classes: list[str]
    train: Part
    valid: Part
    facts: dict[str, Any]  # where they came from and what was counted: data.json
    chosen: str  # which columns were read, and why
    taken: Taken | None = None


class Classify(Training):
    """A classifier of texts: it learns which class a text has, which classes, or which place in an order."""

    makes: ClassVar[str] = "a classifier"
    shows: ClassVar[str] = "its worst mistakes"
    item: ClassVar[str] = "text"
    places: ClassVar[frozenset[str]] = frozenset({"train", "valid"})

    application: Literal["classify"] = Field("classify", description="which recipe this is")
    train: Place = Field(description="texts with labels: .csv .tsv .jsonl .parquet (.gz too), or a folder per class")
    valid: OptionalPlace = Field(None, description="texts to validate on, instead of a part of --train")
    held_out: float = Field(0.1, gt=0, lt=1, description="share of --train, of each class, held out to validate on")
    text_column: str | None = Field(None, description="the column of texts, by name or number (found if there is one)")
    label_column: str | None = Field(None, description="the column of labels (found if there is one choice)")
    labels: Literal["single", "ordinal", "multiple"] = Field(
        "single", description="one class a text; one of several that stand in an order (numbers); any number of them"
    )
    separator: str | None = Field(None, description="of --labels multiple: what stands between labels in a cell")
    missing: Literal["refuse", "skip"] = Field("refuse", description="rows without a text or label: refuse, or skip")

    unit: Literal["word", "character", "subword", "byte"] = Field("word", description="what texts are cut into")
    minimum_count: int = Field(2, ge=1, description="units seen less often in training are <unk>")
    maximum_vocab: int | None = Field(None, ge=1, le=1_000_000, description="most units of the vocabulary")
    vectors: VectorsPath = None
    frozen_updates: FrozenUpdates = 0

    core: CoreName = Field("lstm", description="a recurrent cell, a convolution, or the mean of the embeddings")
    both: bool = Field(True, description="of a recurrent core: read from both ends")
    hidden: fields.Hidden = 128
    layers: fields.Layers = 1
    widths: tuple[int, ...] = Field((3, 4, 5), description="of a convolution: steps that its filters see")
    embedding: int | None = Field(None, ge=1, le=65536, description="width of embeddings (that of --vectors, else 100)")
    pool: Literal["maximum", "mean", "last", "attention"] | None = Field(
        None, description="from all steps to one vector (mean of --core average, else maximum)"
    )
    dropout: fields.Rate = Field(0.5, description="of embeddings and of the vector that is classified")
    word_dropout: fields.Rate | None = Field(
        None, description="units that are read as <unk> while training (0.1 of words and characters)"
    )
    smoothing: fields.Rate = Field(0.0, description="of targets: share that goes to all classes alike")
    balanced: bool = Field(False, description="classes weigh alike, however rare they are")

    rows: int = Field(32, ge=1, le=65536, description="texts of a batch")

    @model_validator(mode="before")
    @classmethod
    def _dropped(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        given = {name: value for name, value in values.items() if value is not None or name != "word_dropout"}
        return {"word_dropout": 0.0 if values.get("unit") in WITHOUT_UNKNOWN else 0.1} | given

    @model_validator(mode="after")
    def _consistent(self) -> Classify:
        recurrent = self.core in get_args(CellName)
        if self.separator and self.labels != "multiple":
            raise ValueError(f"separator is for --labels multiple; got --labels {self.labels}")
        if (self.smoothing or self.balanced) and self.labels != "single":
            raise ValueError(f"smoothing and balanced are for --labels single; got --labels {self.labels}")
        if self.vectors and self.unit != "word":
            raise ValueError(f"vectors needs --unit word, for they are of words; got --unit {self.unit}")
        if self.frozen_updates and not self.vectors:
            raise ValueError(f"frozen_updates needs --vectors; got {self.frozen_updates} and none")
        if not recurrent and (self.layers > 1 or not self.both or self.pool == "last"):
            raise ValueError(f"layers, --no-both and --pool last are for recurrent cores; got --core {self.core}")
        if self.core == "average" and self.hidden != 128:
            raise ValueError(f"hidden is for cores that have units, an average has none; got {self.hidden}")
        if self.core != "convolution" and self.widths != (3, 4, 5):
            raise ValueError(f"widths is for --core convolution; got --core {self.core}")
        if not self.widths or len(set(self.widths)) < len(self.widths) or set(self.widths) - set(range(1, WIDEST + 1)):
            raise ValueError(f"widths must be different numbers from 1 to {WIDEST}; got {list(self.widths)}")
        if self.word_dropout and self.unit in WITHOUT_UNKNOWN:
            what = f"units that can be unknown, which {self.unit}s cannot be; got {self.word_dropout}"
            raise ValueError(f"word_dropout needs {what}")
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """The settings, as recipe.json has them, that make a run the run it is: all but where files lie and `device`.

        Which texts these are is said by `train_sha256` and `valid_sha256` of data.json, which vectors by
        `vectors_sha256`.
        """
        settings = super().identity
        if self.vectors:
            del settings["vectors"]
            if self.embedding is None:  # the table decides
                del settings["embedding"]
        return settings

    @property
    def source(self) -> Path:
        """What is read."""
        return self.train

    def advice(self, out: Path) -> tuple[str, ...]:
        """What may be done with a run."""
        return tuple(f"throughtime {words}" for words in (f"predict {out} FILE", f"evaluate {out}", f"show {out}"))

    @property
    def made_of(self) -> str:
        """The core, for people."""
        if self.core == "average":
            return "average of embeddings"
        if self.core == "convolution":
            return f"convolution, {self.hidden} filters of each of {', '.join(map(str, self.widths))} steps"
        return f"{self.core}, {self.layers} × {self.hidden}{', from both ends' if self.both else ''}"

    def data(self) -> ClassifyData:
        """Reads the texts, learns the units of the training part, and counts what they lack.

        Raises `DataError` when a file is missing or malformed, and as `divide` does.
        """
        from throughtime.data.units import learn_units

        texts = self.divided()
        joined = "\n".join(text for text, _ in texts.train)
        units = learn_units(self.unit, joined, minimum_count=self.minimum_count, maximum_vocab=self.maximum_vocab)
        learned, judged = (self._part(units, texts.classes, some) for some in (texts.train, texts.valid))
        facts = {
            "train": str(self.train),
            "valid": str(self.valid) if self.valid else f"{100 * self.held_out:g}% of the texts, of each class",
            **texts.facts,
            "classes": texts.classes,
            "vocab": len(units),
            **_counts("train", learned, units),
            **_counts("valid", judged, units),
        }
        return ClassifyData(units, texts.classes, learned, judged, facts, texts.chosen)

    def divided(self) -> Divided:
        """The texts to learn from and those that are held out. Raises `DataError` as `data` does."""
        from throughtime.recipes.labelled import divide

        other = self.read(self.valid) if self.valid else None
        return divide(self.read(self.train), other, self.labels, held_out=self.held_out, seed=self.seed)

    def read(self, path: Path) -> Labelled:
        """Labelled texts, read as this recipe reads them."""
        from throughtime.data.class_files import ClassFolder
        from throughtime.data.records import Layout, Records, read_records

        if path.is_dir():
            return read_records(ClassFolder(path, missing=self.missing))
        layout = Layout(text=self.text_column, label=self.label_column, separator=self.separator, missing=self.missing)
        return read_records(Records(path, layout))

    def _part(self, units: Units, classes: list[str], pairs: list[Pair]) -> Part:
        from throughtime.models.text_classifier import encode, targets_of

        texts, labels = [text for text, _ in pairs], [labels for _, labels in pairs]
        return Part(texts, labels, encode(units, texts), targets_of(labels, classes, self.labels))

    def begin(self, data: ClassifyData, kept: dict[str, Any] | None) -> ClassifyData:
        """The data, with the vectors that the embeddings begin with."""
        from dataclasses import replace

        if not self.vectors:
            return data
        words = cast("WordUnits", data.units).words
        width = self.embedding if kept is None else None
        taken = take(self.vectors, words, width=width, kept=kept)
        return replace(data, taken=taken, facts={**data.facts, **taken.to_json()})

    def settled(self, data: ClassifyData) -> Classify:
        """The recipe, with the width of the embeddings that the vectors say."""
        if data.taken is None:
            return self
        return make_recipe(Classify, {**self.model_dump(), "embedding": data.taken.facts.dimension})

    def batches(self, data: ClassifyData) -> Batches:
        """The training part in batches of about the same length."""
        from throughtime.data.batches import Batches

        return Batches(data.train.sequences, data.train.targets, rows=self.rows, seed=self.seed)

    def model(self, data: ClassifyData) -> Classifier:
        """A new model, on the device; its embeddings are the vectors that were taken, if any were."""
        weights = None
        if self.balanced:
            counts = data.train.targets.bincount(minlength=len(data.classes))
            weights = counts.sum() / (len(counts) * counts)
        model = self.settled(data).model_of(len(data.units), len(data.classes), weights)
        if data.taken is not None:
            data.taken.fill(cast("nn.Embedding", model.embedding))
        return model.to(device_of(self.device))

    def model_of(self, vocab: int, classes: int, weights: Tensor | None = None) -> Classifier:
        """A new model for a vocabulary and classes of that number."""
        from throughtime.heads import classes as heads
        from throughtime.models.classifier import Classifier

        core = self._core()
        head: Any
        if self.labels == "single":
            head = heads.Classes(core.hidden, classes, smoothing=self.smoothing, weights=weights)
        else:
            head = (heads.Ordinal if self.labels == "ordinal" else heads.Several)(core.hidden, classes)
        dropped = self.word_dropout or 0.0
        return Classifier(vocab, core, self._pool(core.hidden), head, dropout=self.dropout, word_dropout=dropped)

    def _core(self) -> Core[Any]:
        from throughtime.layers.convolve import Convolution, Direct
        from throughtime.recipes.parts import both_ways, one_way

        width = self.embedding or 100
        if self.core == "convolution":
            return Convolution(width, self.hidden, widths=self.widths)
        if self.core == "average":
            return Direct(width)
        make = both_ways if self.both else one_way
        return make(self.core, width, self.hidden, self.layers, dropout=self.dropout)

    def _pool(self, hidden: int) -> nn.Module:
        from throughtime.layers.pool import AttentivePool, LastPool, MaximumPool, MeanPool

        pool = self.pool or ("mean" if self.core == "average" else "maximum")
        if pool == "last":
            return LastPool(both=self.both)
        if pool == "attention":
            return AttentivePool(hidden, 64)
        return MaximumPool() if pool == "maximum" else MeanPool()

    def frozen(self, model: Classifier, step: int) -> tuple[nn.Parameter, ...]:
        """The embeddings, as long as they are frozen."""
        embedding = cast("nn.Embedding", model.embedding)
        return (cast("nn.Parameter", embedding.weight),) if is_frozen(self.frozen_updates, step) else ()

    def score(self, model: Classifier, data: ClassifyData, *, quick: bool) -> ClassificationScore:
        """How well the held-out texts are classified; `quick` looks at 2,000 of them at most."""
        part = _thinned(data.valid, QUICK_TEXTS) if quick else data.valid
        return self._reader(model, data).score_encoded(part.sequences, part.targets)

    def sample(self, model: Classifier, data: ClassifyData, *, final: bool) -> str:
        """The mistakes among the held-out texts of which the model is surest; of 256 at most while training."""
        part, lines = data.valid if final else _thinned(data.valid, SAMPLE_TEXTS), []
        count, length = (20, 100) if final else (3, 24)
        for place, said, share in self._reader(model, data).worst(part.sequences, part.targets, count):
            text = " ".join(part.texts[place].split())
            text = text if len(text) <= length else text[: length - 1] + "…"
            lines.append(f"{share:.2f} {said}, truly {', '.join(part.labels[place])}: {text}")
        return "\n".join(lines) or "none"

    def _reader(self, model: Classifier, data: ClassifyData) -> TextClassifier:
        from throughtime.models.text_classifier import TextClassifier

        return TextClassifier(model, data.units, data.classes, self.labels)

    def tell(self, score: ClassificationScore) -> tuple[str, str]:
        """What was judged, and how well it did."""
        return f"{score.texts:,} held-out texts", score.sentence()

    def notes(self, data: ClassifyData) -> tuple[str, ...]:
        """What was read, counted and taken from vectors."""
        facts, sizes = data.facts, data.train.targets
        shares = sizes.bincount(minlength=len(data.classes)) if sizes.dim() == 1 else sizes.sum(0)
        told = ", ".join(f"{name} {int(n):,}" for name, n in list(zip(data.classes, shares, strict=True))[:12])
        more = f", ... {len(data.classes):,} in all" if len(data.classes) > 12 else ""
        return (
            data.chosen,
            f"{facts['train_texts']:,} texts to train on ({told}{more}), {facts['train_unknown']:,} of "
            f"{facts['train_units']:,} {self.unit}s unknown; {facts['valid_texts']:,} held out, "
            f"{facts['valid_unknown']:,} of {facts['valid_units']:,} unknown; a vocabulary of {facts['vocab']:,}; "
            f"{facts['skipped_rows']:,} rows skipped",
            *(data.taken.notes(self.frozen_updates) if data.taken else ()),
        )

    def files(self, data: ClassifyData) -> dict[str, bytes]:
        """recipe.json, vocabulary.json and data.json."""
        from throughtime.folder import to_bytes

        return {
            "recipe.json": to_bytes(json.loads(self.settled(data).model_dump_json())),
            "vocabulary.json": to_bytes(data.units.to_json()),
            "data.json": to_bytes(data.facts),
        }

    def card(self, model: Classifier, data: ClassifyData, score: Any) -> str:
        """What the model is, what it was made from, and how good it is."""
        size, facts = sum(parameter.numel() for parameter in model.parameters()), data.facts
        rows = {
            "model": f"{self.made_of}, {size:,} weights",
            "classes": listed(data.classes),
            "units": f"{self.unit}, a vocabulary of {len(data.units):,}",
            "trained on": f"{facts['train']}: {facts['train_texts']:,} texts (sha256 {facts['train_sha256'][:12]}…)",
            "validated on": f"{facts['valid']}: {facts['valid_texts']:,} texts",
            "rows skipped": f"{facts['skipped_rows']:,}",
            **({"embeddings": data.taken.notes(self.frozen_updates)[0]} if data.taken else {}),
            "validation": "training was stopped before its end" if score is None else score.sentence(),
        }
        lines = [f"| {name} | {printable(value).replace('|', chr(92) + '|')} |" for name, value in rows.items()]
        return "\n".join(["# A classifier of texts", "", "| what | value |", "| --- | --- |", *lines, ""])


def listed(classes: list[str]) -> str:
    """The names of classes, the first 50 of them.

    >>> listed(["bad", "good"])
    'bad, good'
    """
    return ", ".join(classes[:NAMES]) + (f", ... {len(classes):,} in all" if len(classes) > NAMES else "")


def _thinned(part: Part, most: int) -> Part:
    """Texts in even distances, no more than that."""
    step = -(-len(part.texts) // most)
    return Part(part.texts[::step], part.labels[::step], part.sequences[::step], part.targets[::step])


def _counts(name: str, part: Part, units: Units) -> dict[str, int]:
    unknown = sum(int((ids == units.unknown).sum()) for ids in part.sequences) if units.unknown is not None else 0
    sizes = {"texts": len(part.texts), "units": sum(len(ids) for ids in part.sequences), "unknown": unknown}
    return {f"{name}_{what}": size for what, size in sizes.items()}
