"""Numeric series in files of their own kinds: `.ts` of the UEA archive, and arrays of NumPy (`.npy`)."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.data.lines import Lines
from throughtime.data.precision import Gaps, checked, numbers, whole
from throughtime.data.read import opened
from throughtime.data.series import Series, SeriesSet
from throughtime.errors import DataError, nearest, printable


@dataclass
class _Head:
    """What stands above the data of a `.ts` file."""

    words: dict[str, list[str]] = field(default_factory=dict)  # of a key in lower case

    def says(self, key: str) -> bool:
        return self.words.get(key, ["false"])[:1] == ["true"]

    @property
    def has_label(self) -> bool:
        return self.says("classlabel") or self.says("targetlabel")


def read_ts(path: Path, *, missing: Gaps = "refuse") -> SeriesSet:
    """The series of a `.ts` file: a line is a series, a colon parts its channels, a comma values; its label is last.

    Raises `DataError` when a line does not fit its head or itself, has times besides its values, or (missing="refuse")
    lacks a value, with its number.
    """
    lines = Lines(path)
    head, values, sizes, labels, where = _Head(), array("d"), list[int](), list[tuple[str, ...]](), list[int]()
    channels = 0
    for number, line in _data(lines, head):
        parts, label = _parts(line, head, f"{lines.origin} {number}")
        channels = channels or len(parts)
        if len(parts) != channels:
            raise DataError(f"{lines.origin} {number} has {len(parts)} channels, the first series {channels}")
        series = _channels(parts, f"{lines.origin} {number}, channel ")
        _check_length(series.shape[1], head, f"{lines.origin} {number}")
        values.frombytes(series.T.tobytes())
        sizes.append(series.shape[1])
        labels.append(label)
        where.append(number)
    if not sizes:
        raise DataError(f"{path} has no series after a line '@data'")
    bounds = np.cumsum([0, *sizes])

    def place(row: int, channel: int) -> str:
        index = int(np.searchsorted(bounds, row, "right")) - 1
        return f"{lines.origin} {where[index]}, channel {channel}, value {row - int(bounds[index]) + 1}"

    single, checks = checked(np.frombuffer(values).reshape(-1, channels), place, missing)
    found = [Series(str(where[i]), single[bounds[i] : bounds[i + 1]], None, labels[i]) for i in range(len(sizes))]
    names = tuple(f"channel {i}" for i in range(channels))
    return SeriesSet(found, names, f"a line is a series of {channels:,} channels", checks)


def _data(lines: Lines, head: _Head) -> Iterator[tuple[int, str]]:
    """The lines of data with their numbers; what stands above them goes into the head."""
    began = False
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line or line.startswith(("#", "%")):
            continue
        if began:
            yield number, line
        elif line.startswith("@"):
            key, *words = line[1:].split()
            began = key.lower() == "data"
            head.words[key.lower()] = [word if i else word.lower() for i, word in enumerate(words)]
        else:
            raise DataError(f"{lines.origin} {number}: {line[:20]!a} stands before a line '@data'; it begins with '@'")
        if began and head.says("timestamps"):
            raise DataError(
                f"{lines.path} has times beside its values (@timeStamps true), which are not read; drop them"
            )


def _parts(line: str, head: _Head, where: str) -> tuple[list[str], tuple[str, ...]]:
    """The channels of a series, and its label."""
    parts = line.split(":")
    if not head.has_label:
        return parts, ()
    if len(parts) < 2:
        raise DataError(f"{where} has no label after a last colon, as the head says it has")
    label = parts.pop().strip()
    known = head.words.get("classlabel", [])[1:]
    if known and label not in (*known, "", "?"):
        raise DataError(f"{where}: label {label!a:.40} is none of the head's; {nearest(label, map(printable, known))}")
    return parts, (label,) if label and label != "?" else ()


def _channels(parts: list[str], where: str) -> NDArray[np.float64]:
    """The values of a series, D T."""
    rows = []
    for channel, part in enumerate(parts):
        cells = part.split(",")
        rows.append(numbers(cells, f"{where}{channel}, value ", range(1, len(cells) + 1)))
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise DataError(f"{where.removesuffix(', channel ')}: its channels have {lengths} values; all have as many")
    return np.array(rows)


def _check_length(length: int, head: _Head, where: str) -> None:
    told = (head.words.get("serieslength") or [""])[0]
    if head.says("equallength") and told.isdecimal() and whole(told) != length:
        raise DataError(f"{where} has {length:,} values a channel, the head says {told:.20} (@seriesLength)")


def read_npy(path: Path, *, labels: Path | None = None, missing: Gaps = "refuse") -> SeriesSet:
    """The series of a `.npy` file: an array T or T D is one of them, N T D is N; `labels` is one of N labels.

    Nothing is unpickled, and an array is as large as its file.

    Raises `DataError` for other arrays, and (missing="refuse") when a value is missing, with its place.
    """
    array = read_array(path)
    if array.dtype.kind not in "fiub" or not 1 <= array.ndim <= 3 or not array.size:
        raise DataError(
            f"{path} holds {array.dtype} of shape {array.shape}; give numbers T, T D or N T D, at least one"
        )
    raw = array.reshape(1, -1, 1) if array.ndim == 1 else array.reshape(-1, *array.shape[-2:])
    count, steps, channels = raw.shape

    def where(row: int, channel: int) -> str:
        return f"{path}, row {row // steps}, time {row % steps}, channel {channel} (from 0)"

    flat, checks = checked(raw.reshape(-1, channels).astype(np.float64), where, missing)
    single = flat.reshape(raw.shape)
    words = [()] * count if labels is None else _labels(labels, count)
    series = [Series(str(i), single[i], None, words[i]) for i in range(count)]
    names = tuple(f"channel {i}" for i in range(channels))
    return SeriesSet(series, names, f"an array of {count:,} series, {steps:,} times and {channels:,} channels", checks)


def read_header(file: Any) -> tuple[int, int]:
    """How many values an array has by its header, and the bytes of each. Raises `ValueError` for objects."""
    version = np.lib.format.read_magic(file)
    reads = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = reads[version](file)
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError("it is of objects, which are not read" if dtype.hasobject else f"no array has shape {shape}")
    return prod(int(n) for n in shape), int(dtype.itemsize)


def read_array(path: Path) -> NDArray[Any]:
    """The array in a `.npy` file. Nothing is unpickled, and an array is as large as its file.

    Raises `DataError` for what does not read as one.
    """
    with opened(path) as file:
        size = path.stat().st_size
        try:
            count, each = read_header(file)
            if (needed := count * each + file.tell()) > size:
                raise DataError(f"{path}: its header says that it holds {needed:,} bytes, and has {size:,}")
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, KeyError, EOFError, TypeError, SyntaxError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} does not read as a .npy file: {printable(str(error)):.200}") from None


def _labels(path: Path, count: int) -> list[tuple[str, ...]]:
    array = read_array(path)
    if array.shape != (count,) or array.dtype.kind not in "iubU":
        raise DataError(f"{path} holds {array.dtype} of shape {array.shape}; give {count:,} labels, numbers or words")
    return [(str(label),) for label in array.tolist()]
