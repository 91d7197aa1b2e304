"""The data of a classifier: how they are read, turned into ids or numbers, and counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from throughtime.data.encoders import Encoder, SeriesEncoder, TextEncoder
from throughtime.data.records import Example, Layout
from throughtime.data.rows import Writing
from throughtime.data.series import SeriesLayout
from throughtime.data.sources import Letters, Reading, Windows
from throughtime.data.units import learn_units
from throughtime.models.text_classifier import targets_of
from throughtime.recipes.labelled import Divided

if TYPE_CHECKING:
    from throughtime.recipes.classify import Classify
    from throughtime.recipes.pretrained import Pretrained
    from throughtime.recipes.transfer import Taken


@dataclass(frozen=True)
class Part:
    """Some of the examples: as they are, as sequences of ids or numbers, and what is to be said of them."""

    examples: list[Example]
    labels: list[tuple[str, ...]]
    sequences: list[Tensor]
    targets: Tensor

    def thinned(self, most: int) -> Part:
        """Examples in even distances, no more than that."""
        step = -(-len(self.examples) // most)
        return Part(self.examples[::step], self.labels[::step], self.sequences[::step], self.targets[::step])


@dataclass(frozen=True)
class ClassifyData:
    """Labelled examples, encoded and counted."""

    encoder: Encoder
    classes: list[str]
    train: Part
    valid: Part
    facts: dict[str, Any]  # where they came from and what was counted: data.json
    chosen: str  # how they were read, and why
    taken: Taken | None = None
    pretrained: Pretrained | None = None


def reading_of(recipe: Classify, *, labelled: bool = True) -> Reading:
    """How the files of a recipe are read."""
    label, group = recipe.label_column, recipe.group_column
    table = Layout(
        text=recipe.text_column,
        label=label if labelled else None,
        group=group if labelled else None,
        separator=recipe.separator,
        labelled=labelled,
        empty_set=recipe.labels == "multiple",
        missing=recipe.missing,
    )
    numbers = SeriesLayout(
        time=recipe.time_column, id=recipe.id_column, label=label, group=group, values=recipe.value_columns
    )
    in_tables = recipe.windows is not None or recipe.id_column is not None
    return Reading(
        table,
        Writing(header=recipe.header),
        Letters(recipe.alphabet, recipe.header_separator, recipe.label_file if labelled else None),
        numbers if in_tables else None,
        None if recipe.windows is None else Windows(recipe.windows, recipe.order),
    )


def learned(recipe: Classify, divided: Divided) -> ClassifyData:
    """The data of a recipe; units or scales are those of the part that is learned from."""
    encoder = _encoder(recipe, divided.train)

    def part(examples: list[Example], labels: list[tuple[str, ...]]) -> Part:
        sequences = encoder.encode([example.item for example in examples])
        return Part(examples, labels, sequences, targets_of(labels, divided.classes, recipe.labels))

    train, valid = part(divided.train, divided.train_labels), part(divided.valid, divided.valid_labels)
    share = f"{100 * recipe.held_out:g}% of the {encoder.items}, of each class"
    facts = {
        "train": str(recipe.train),
        "valid": str(recipe.valid) if recipe.valid else share,
        **divided.facts,
        "classes": divided.classes,
        "vocab": encoder.vocab,
        **_counts("train", train, encoder),
        **_counts("valid", valid, encoder),
    }
    return ClassifyData(encoder, divided.classes, train, valid, facts, divided.chosen)


def recoded(data: ClassifyData, begun: Pretrained) -> ClassifyData:
    """The data, cut into the units that a pretrained run knows."""
    encoder = TextEncoder(begun.units)
    train, valid = (
        replace(part, sequences=encoder.encode([example.item for example in part.examples]))
        for part in (data.train, data.valid)
    )
    facts = {
        **data.facts,
        "vocab": encoder.vocab,
        **_counts("train", train, encoder),
        **_counts("valid", valid, encoder),
        **begun.to_json(),
    }
    return replace(data, encoder=encoder, train=train, valid=valid, facts=facts, pretrained=begun)


def _encoder(recipe: Classify, examples: list[Example]) -> Encoder:
    """Units learned from texts, or scales learned from series."""
    if recipe.unit is None:
        channels: tuple[str, ...] = getattr(examples[0], "channels", ())
        return SeriesEncoder.learn([example.item for example in examples], channels)
    joined = "\n".join(example.item for example in examples)
    least, most = recipe.minimum_count, recipe.maximum_vocab
    return TextEncoder(learn_units(recipe.unit, joined, minimum_count=least, maximum_vocab=most))


def _counts(name: str, part: Part, encoder: Encoder) -> dict[str, int]:
    lengths = np.array([len(sequence) for sequence in part.sequences])
    sizes = {
        "items": len(lengths),
        "units": int(lengths.sum()),
        "unknown": encoder.unknown(part.sequences),
        "longest": int(lengths.max(initial=0)),
    }
    return {f"{name}_{what}": size for what, size in sizes.items()}
