"""Taking an inventory of texts, of tagged sentences, of series.

The parts of a split are taken in together, the one that is learnt from first. Rows stream; of each one only two hashes
and its length are kept, and of the first part its vocabulary.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.data.conll import Sentence
from throughtime.data.inventory import Inventory, Lengths, Part, evenness
from throughtime.data.records import Record
from throughtime.data.series import SeriesSet
from throughtime.errors import ArgumentError, DataError


def inventory_of_records(
    parts: Mapping[str, Iterable[Record]],
    *,
    units: Callable[[str], Sequence[str]] = str.split,
    limit: int | None = None,
) -> Inventory:
    """What is in labelled texts, which `units` cuts into units; `limit` is a length beyond which they would be cut.

    Raises `DataError` when a part has no rows.
    """
    return _take(
        "units" if units is not str.split else "words",
        {
            name: (
                _Item(record.text.encode("utf-8", "surrogatepass"), units(record.text), record.labels)
                for record in part
            )
            for name, part in parts.items()
        },
        limit,
    )


def inventory_of_sentences(parts: Mapping[str, Iterable[Sentence]], *, limit: int | None = None) -> Inventory:
    """What is in tagged sentences: units are tokens, labels their tags.

    Raises `DataError` when a part has no sentences.
    """
    return _take(
        "tokens",
        {
            name: (
                _Item(
                    "\0".join(sentence.tokens).encode("utf-8", "surrogatepass"), sentence.tokens, tuple(sentence.tags)
                )
                for sentence in part
            )
            for name, part in parts.items()
        },
        limit,
    )


def inventory_of_series(parts: Mapping[str, SeriesSet], *, limit: int | None = None) -> Inventory:
    """What is in numeric series: lengths are times, and there is no vocabulary.

    Raises `DataError` when a part has no series.
    """
    found = _take(
        "times",
        {
            name: (_Item(series.values.tobytes(), (), series.labels, len(series.values)) for series in part.series)
            for name, part in parts.items()
        },
        limit,
    )
    whole = {
        name: Part(**(vars(found.parts[name]) | {"missing": part.checks.missing, "non_finite": part.checks.non_finite}))
        for name, part in parts.items()
    }
    return Inventory(found.unit, whole, found.across)


class _Item(NamedTuple):
    """A row as it is taken in."""

    content: bytes
    units: Sequence[str]
    labels: tuple[str, ...]
    length: int | None = None  # where units are not looked at


class _Seen:
    """What was seen of a part."""

    def __init__(self) -> None:
        self.contents, self.labellings = array("Q"), array("Q")
        self.lengths, self.classes = Counter[int](), Counter[str]()
        self.unlabelled = self.unknown = self.units = 0

    def take(self, items: Iterable[_Item], vocabulary: set[str], *, learn: bool) -> None:
        for content, units, labels, length in items:
            self.contents.append(_hash(content))
            self.labellings.append(_hash("\0".join(labels).encode("utf-8", "surrogatepass")))
            self.lengths[len(units) if length is None else length] += 1
            self.classes.update(labels)
            self.unlabelled += not labels
            self.units += len(units) if length is None else length
            if learn:
                vocabulary.update(units)
            else:
                self.unknown += sum(unit not in vocabulary for unit in units)

    def hashes(self) -> NDArray[np.uint64]:
        return np.frombuffer(self.contents, np.uint64)

    def contradictions(self) -> int:
        """Contents that come with different labels."""
        contents, labellings = self.hashes(), np.frombuffer(self.labellings, np.uint64)
        order = np.lexsort((labellings, contents))
        contents, labellings = contents[order], labellings[order]
        differ = (contents[1:] == contents[:-1]) & (labellings[1:] != labellings[:-1])
        return len(np.unique(contents[1:][differ]))


def _take(unit: str, parts: Mapping[str, Iterable[_Item]], limit: int | None) -> Inventory:
    if limit is not None and limit < 1:
        raise ArgumentError(f"limit is a length, at least 1; got {limit}")
    vocabulary, seen, found = set[str](), dict[str, _Seen](), dict[str, Part]()
    known: set[str] | None = None
    for name, items in parts.items():
        seen[name] = part = _Seen()
        part.take(items, vocabulary, learn=known is None)
        if not part.contents:
            raise DataError(f"the part {name!a:.40} has no rows; give some")
        known = set(part.classes) if known is None else known
        found[name] = _part(part, len(vocabulary), known, limit)
    pairs = [(later, name) for i, name in enumerate(seen) for later in list(seen)[i + 1 :]]
    across = {
        f"{later} in {name}": int(np.isin(seen[later].hashes(), seen[name].hashes()).sum()) for later, name in pairs
    }
    return Inventory(unit, found, across)


def _part(seen: _Seen, vocabulary: int, known: set[str], limit: int | None) -> Part:
    rows = len(seen.contents)
    classes = dict(sorted(seen.classes.items(), key=lambda item: (-item[1], item[0])))
    return Part(
        rows,
        seen.lengths[0],
        seen.unlabelled,
        Lengths.of(seen.lengths, limit),
        classes,
        evenness(classes),
        rows - len(np.unique(seen.hashes())),
        seen.contradictions(),
        seen.units,
        vocabulary,
        seen.unknown,
        {label: count for label, count in classes.items() if label not in known},
    )


def _hash(content: bytes) -> int:
    """64 bits: among ten million rows two different ones are taken for the same with a chance of 3 in a million."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
