"""Labelled texts as recipes take them: their labels checked, some of them held out, their classes in order."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from throughtime.data.records import Labelled, ordinal_of
from throughtime.data.splits import stratified
from throughtime.errors import ArgumentError, DataError
from throughtime.recipes.fields import MOST_CLASSES

Kind = Literal["single", "ordinal", "multiple"]
Pair = tuple[str, tuple[str, ...]]  # a text and its labels
NAME_BYTES = 2**19  # of the names of all classes: data.json, which has them, is bounded


@dataclass(frozen=True)
class Divided:
    """Texts to learn from and texts that are held out."""

    train: list[Pair]
    valid: list[Pair]
    classes: list[str]  # in their order
    facts: dict[str, Any]  # where the texts came from, their hashes and sizes, and what was skipped
    chosen: str  # which columns were read, and why


def divide(train: Labelled, valid: Labelled | None, kind: Kind, *, held_out: float, seed: int) -> Divided:
    """Texts to learn from, and those that are held out: of another source, or a share of each class.

    Raises `DataError` where labels do not fit the kind, there are fewer than two classes or too many, too few texts to
    hold some out, or a class that is held out and cannot be learned.
    """
    pairs = pairs_of(train, kind)
    classes = _classes(pairs, kind)
    pairs, others = _held_out(pairs, held_out, seed) if valid is None else (pairs, pairs_of(valid, kind))
    known = {label for _, labels in pairs for label in labels}
    new = min({label for _, labels in others for label in labels} - known, default=None)
    if new is not None:
        raise DataError(
            f"label {new!a:.80} is in the held-out texts only, so that it cannot be learned: "
            "add texts that have it, or leave it out"
        )
    judged = train if valid is None else valid
    facts = {
        "train_sha256": _hash(train),
        "train_bytes": train.counts.bytes,
        "valid_sha256": _hash(judged),
        "valid_bytes": judged.counts.bytes,
        "skipped_rows": train.counts.skipped + (valid.counts.skipped if valid else 0),
    }
    return Divided(pairs, others, classes, facts, train.chosen)


def pairs_of(read: Labelled, kind: Kind) -> list[Pair]:
    """Each text with its labels; those in an order as whole numbers are written, so that 1.0 and 01 are 1.

    Raises `DataError`, with its line, for several labels where one is wanted, and for an ordinal one that is none.
    """
    if kind == "ordinal":
        return [(record.text, (str(ordinal_of(record)),)) for record in read.records]
    for record in read.records:
        if kind == "single" and len(record.labels) != 1:
            many = f"{len(record.labels)} labels, and --labels single takes one"
            raise DataError(f"{record.where} has {many}; give --labels multiple, or leave all but one out")
    return [(record.text, record.labels) for record in read.records]


def _classes(pairs: list[Pair], kind: Kind) -> list[str]:
    """The classes in the order of their names, or of their numbers."""
    seen = {label for _, labels in pairs for label in labels}
    if len(seen) < 2:
        raise DataError(
            f"the texts to learn from have one class only, {min(seen, default='')!a:.80}: nothing is to be told apart"
        )
    size = sum(len(json.dumps(label)) for label in seen)
    if len(seen) > MOST_CLASSES or size > NAME_BYTES:
        raise DataError(
            f"{len(seen):,} classes with {size:,} bytes of names are over {MOST_CLASSES:,} or {NAME_BYTES:,}: "
            "classes are few and short; give another --label-column"
        )
    return sorted(seen, key=int) if kind == "ordinal" else sorted(seen)


def _held_out(pairs: list[Pair], share: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Pairs to learn from, and a share of each class.

    A text of several labels goes with the rarest of them, for a combination of labels may be there only once.
    """
    counts = Counter(label for _, labels in pairs for label in labels)
    rarest = [min(labels, key=lambda label: (counts[label], label)) for _, labels in pairs]
    try:
        learned, judged = stratified(rarest, (1 - share, share), seed)
    except ArgumentError:
        raise DataError(
            f"{len(pairs):,} texts are too few to hold {share:g} of each class out: "
            "give more of them, a larger --held-out, or --valid"
        ) from None
    return [pairs[place] for place in learned], [pairs[place] for place in judged]


def _hash(read: Labelled) -> str:
    """The sha256 of what was read: texts and labels in their order."""
    digest = hashlib.sha256()
    for record in read.records:
        digest.update(json.dumps([record.text, record.labels]).encode())
    return digest.hexdigest()
