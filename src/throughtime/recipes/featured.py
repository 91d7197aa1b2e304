"""Feature vectors as a recipe takes them: their labels checked, some of them held out, the scale of all."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.data import splits
from throughtime.data.feature_table import FeatureBlock, FeatureTable
from throughtime.data.precision import Values, whole
from throughtime.data.scale import Scale
from throughtime.errors import DataError, printable
from throughtime.recipes.classes import check_classes, check_known, size_of

MOST_FEATURES = 8192
NAME_BYTES = 2**18  # of the names of all features: data.json, which has them, is bounded
SHOWN = 12  # names that a note lists


@dataclass(frozen=True)
class FeaturePart:
    """Some of the rows."""

    rows: NDArray[np.int64]  # N, where they stand
    values: Values  # N D
    labels: list[str]  # N
    targets: NDArray[Any]  # N, the numbers of the classes, or the scaled numbers


@dataclass(frozen=True)
class Featured:
    """Rows to learn from and rows that are held out."""

    names: tuple[str, ...]  # of the features, D
    label: str  # the name of its column
    classes: list[str] | None  # in their order; None where labels are numbers
    scale: Scale  # of the features, by the rows to learn from
    target: Scale | None  # of the numbers, by the same
    train: FeaturePart
    valid: FeaturePart
    facts: dict[str, Any]  # all that data.json tells of them
    chosen: str  # which columns were read, and why

    def notes(self) -> tuple[str, ...]:
        """What was read and counted, for people."""
        facts = self.facts
        if self.classes is None:
            assert self.target is not None
            mean, deviation = float(self.target.mean[0]), float(self.target.deviation[0])
            told = f"{printable(self.label)} is {mean:.5g} ± {deviation:.5g}, and losses are in units of the latter"
        else:
            counts = np.bincount(self.train.targets, minlength=len(self.classes))
            told = ", ".join(f"{name} {n:,}" for name, n in list(zip(self.classes, counts, strict=True))[:SHOWN])
            told += f", ... {len(self.classes):,} in all" if len(self.classes) > SHOWN else ""
        notes = [
            self.chosen,
            f"{facts['train_rows']:,} rows to train on ({told}); {facts['valid_rows']:,} held out; "
            f"{facts['skipped_rows']:,} rows skipped",
        ]
        if constant := facts["constant"]:
            shown = ", ".join(constant[:SHOWN]) + (", ..." if len(constant) > SHOWN else "")
            notes.append(f"{len(constant):,} features are the same in all rows and tell nothing: {shown}")
        if facts["shared"]:
            notes.append(f"{facts['shared']:,} held-out rows are among those to train on as well: no test of it")
        if facts["rounded"]:
            notes.append(f"{facts['rounded']:,} whole numbers are beyond single precision and were rounded")
        return tuple(notes)


def featured(train: FeatureTable, valid: FeatureTable | None, *, classes: bool, held_out: float, seed: int) -> Featured:
    """Rows to learn from, and those that are held out: of another table, or a share of each class.

    Raises `DataError` where labels are not classes, or not numbers, there are fewer than two or too many of them, too
    few rows to hold some out, or a class that is held out and cannot be learned.
    """
    if len(train.names) > MOST_FEATURES or size_of(train.names) > NAME_BYTES:
        raise DataError(
            f"{len(train.names):,} features with {size_of(train.names):,} bytes of names are over {MOST_FEATURES:,} or "
            f"{NAME_BYTES:,}; choose some with --features"
        )
    names = _classes(train) if classes else None
    blocks = _held_out(train.rows, classes, held_out, seed) if valid is None else (train.rows, valid.rows)
    target = None
    if names is not None:
        targets = _numbered(blocks, names)
    else:
        origins = train.origin, train.origin if valid is None else valid.origin
        numbers = [numbers_of(some.labels, origin, some.numbers) for some, origin in zip(blocks, origins, strict=True)]
        target = Scale.learn([numbers[0][:, None]])
        targets = [target.apply(some[:, None])[:, 0] for some in numbers]
    learned, judged = (FeaturePart(*block, some) for block, some in zip(blocks, targets, strict=True))
    scale = Scale.learn([learned.values])
    facts = {
        **_counted(train, valid, learned, judged),
        "classes": names,
        **scale.to_json(),
        "target_mean": None if target is None else float(target.mean[0]),
        "target_deviation": None if target is None else float(target.deviation[0]),
    }
    return Featured(train.names, train.label or "", names, scale, target, learned, judged, facts, train.chosen)


def _numbered(blocks: Sequence[FeatureBlock], names: list[str]) -> list[NDArray[Any]]:
    """The numbers of the classes of rows to learn from, and of rows that are held out."""
    learned, judged = blocks
    check_known(set(learned.labels), set(judged.labels))
    number = {name: i for i, name in enumerate(names)}
    return [np.array([number[label] for label in block.labels], np.int64) for block in blocks]


def _classes(table: FeatureTable) -> list[str]:
    """The classes in the order of their names, or of their numbers where all are whole ones."""
    seen = set(table.rows.labels)
    fraction = next((label for label in table.rows.labels if _is_fraction(label)), None)
    if fraction is not None:
        raise DataError(f"label {fraction!a:.40} is a number with a fraction, no class; give --loss mse (or huber)")
    check_classes(seen, way="give another --label-column, or --loss mse for numbers")
    numbers = all(whole(label.removeprefix("-")) is not None for label in seen)
    return sorted(seen, key=int) if numbers else sorted(seen)


def _is_fraction(label: str) -> bool:
    try:
        return math.isfinite(float(label)) and not float(label).is_integer()
    except ValueError:
        return False


def numbers_of(labels: list[str], where: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Labels as numbers. Raises `DataError`, with its line, for what is no finite number; `where` stands before it."""
    values = np.empty(len(labels))
    for place, (label, row) in enumerate(zip(labels, rows, strict=True)):
        try:
            values[place] = float(label)
        except ValueError:
            values[place] = math.nan
        if not math.isfinite(values[place]):
            raise DataError(
                f"{where} {row}: label {label!a:.40} is no number, which this loss wants; "
                "correct it, or give --loss cross_entropy for classes"
            )
    return values


def _held_out(rows: FeatureBlock, classes: bool, share: float, seed: int) -> tuple[FeatureBlock, FeatureBlock]:
    """Rows to learn from, and a share of each class, or of all."""
    labels = rows.labels if classes else None
    learned, judged = splits.held_out(_keys(rows.values), share, seed, what="rows", labels=labels)
    return _taken(rows, learned), _taken(rows, judged)


def _keys(values: Values) -> list[bytes]:
    """What is equal where rows are."""
    return [row.tobytes() for row in values]


def _taken(rows: FeatureBlock, places: NDArray[np.int64]) -> FeatureBlock:
    return FeatureBlock(rows.numbers[places], rows.values[places], [rows.labels[place] for place in places])


def _counted(
    train: FeatureTable, valid: FeatureTable | None, learned: FeaturePart, judged: FeaturePart
) -> dict[str, Any]:
    """What was read, by name, and how much of it."""
    own = set(_keys(learned.values))
    same, other = np.flatnonzero((learned.values == learned.values[:1]).all(0)), train if valid is None else valid
    return {
        "train_sha256": _hash(train),
        "train_bytes": train.bytes,
        "valid_sha256": _hash(other),
        "valid_bytes": other.bytes,
        "features": list(train.names),
        "label": train.label,
        "constant": [train.names[place] for place in same],
        "shared": sum(key in own for key in _keys(judged.values)),
        "train_rows": len(learned.targets),
        "valid_rows": len(judged.targets),
        "skipped_rows": train.counts.skipped + (valid.counts.skipped if valid is not None else 0),
        "rounded": train.counts.rounded + (valid.counts.rounded if valid is not None else 0),
    }


def _hash(table: FeatureTable) -> str:
    """The sha256 of what was read: names, numbers and labels in their order."""
    digest = hashlib.sha256(json.dumps([table.names, table.label, table.rows.labels]).encode())
    digest.update(np.ascontiguousarray(table.rows.values).tobytes())
    return digest.hexdigest()
