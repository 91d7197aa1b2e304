"""Labelled items as recipes take them: their labels checked, some of them held out, their classes in order."""

import hashlib
import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from throughtime.data import splits
from throughtime.data.records import Example, Labelled, ordinal_of
from throughtime.errors import DataError
from throughtime.recipes.classes import check_classes, check_known

Kind = Literal["single", "ordinal", "multiple"]
Pair = tuple[Any, tuple[str, ...]]  # an item and its labels


@dataclass(frozen=True)
class Divided:
    """Examples to learn from and examples that are held out, each with its labels."""

    train: list[Example]
    train_labels: list[tuple[str, ...]]
    valid: list[Example]
    valid_labels: list[tuple[str, ...]]
    classes: list[str]  # in their order
    facts: dict[str, Any]  # where the examples came from, their hashes and sizes, and what was skipped or repeated
    chosen: str  # which columns were read, and why


def divide(train: Labelled, valid: Labelled | None, kind: Kind, *, held_out: float, seed: int) -> Divided:
    """Examples to learn from, and those that are held out: of another source, or a share of each class.

    What is held out by chance is so with its group, or, where there are no groups, with all examples that are equal,
    unless fewer than 20 are different.

    Raises `DataError` where labels do not fit the kind, there are fewer than two classes or too many, too few examples
    to hold some out, or a class that is held out and cannot be learned.
    """
    examples, labels = list(train.records), [labels for _, labels in pairs_of(train, kind)]
    classes = _classes(labels, kind)
    if valid is None:
        groups = [example.group or place for place, example in enumerate(examples)]
        learned, judged = splits.held_out(
            [_content(example) for example in examples],
            held_out,
            seed,
            what="examples",
            labels=splits.rarest(labels),
            groups=groups if any(example.group for example in examples) else None,
        )
        others, other_labels = [examples[i] for i in judged], [labels[i] for i in judged]
        examples, labels = [examples[i] for i in learned], [labels[i] for i in learned]
    else:
        others, other_labels = list(valid.records), [labels for _, labels in pairs_of(valid, kind)]
    check_known({label for some in labels for label in some}, {label for some in other_labels for label in some})
    own, theirs = [{_content(example) for example in some} for some in (examples, others)]
    source = train if valid is None else valid
    facts = {
        "train_sha256": _hash(train),
        "train_bytes": train.counts.bytes,
        "valid_sha256": _hash(source),
        "valid_bytes": source.counts.bytes,
        "skipped_rows": train.counts.skipped + (valid.counts.skipped if valid else 0),
        "unlabelled_rows": sum(not some for some in (*labels, *other_labels)),
        "repeats": len(examples) + len(others) - len(own) - len(theirs),
        "shared": sum(_content(example) in own for example in others),
    }
    return Divided(examples, labels, others, other_labels, classes, facts, train.chosen)


def pairs_of(read: Labelled, kind: Kind) -> list[Pair]:
    """Each item with its labels; those in an order as whole numbers are written, so that 1.0 and 01 are 1.

    Raises `DataError`, with its line, for several labels where one is wanted, and for an ordinal one that is none.
    """
    if kind == "ordinal":
        return [(record.item, (str(ordinal_of(record)),)) for record in read.records]
    for record in read.records:
        if kind == "single" and len(record.labels) != 1:
            many = f"{len(record.labels)} labels, and --labels single takes one"
            raise DataError(f"{record.where} has {many}; give --labels multiple, or leave all but one out")
    return [(record.item, record.labels) for record in read.records]


def _classes(labels: Sequence[tuple[str, ...]], kind: Kind) -> list[str]:
    """The classes in the order of their names, or of their numbers."""
    seen = {label for some in labels for label in some}
    check_classes(seen, way="give another --label-column")
    return sorted(seen, key=int) if kind == "ordinal" else sorted(seen)


def _content(example: Example) -> Hashable:
    """What is equal where items are, and differs where they do."""
    return example.item if isinstance(example.item, str) else (example.item.shape, example.item.tobytes())


def _hash(read: Labelled) -> str:
    """The sha256 of what was read: items, labels and groups in their order."""
    digest = hashlib.sha256()
    for record in read.records:
        item = record.item
        said = item if isinstance(item, str) else [*item.shape, hashlib.sha256(item.tobytes()).hexdigest()]
        digest.update(json.dumps([said, record.labels, *([record.group] if record.group else [])]).encode())
    return digest.hexdigest()
