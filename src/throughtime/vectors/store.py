"""A table as a folder: vectors.safetensors, table.json, a manifest with sha256, and a mark that is written last."""

import json
import math
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from pydantic_core import from_json

from throughtime.errors import ArgumentError, DataError, RunError, nearest
from throughtime.folder import (
    MANIFEST,
    STRICT,
    TEXT_LIMIT,
    Body,
    check_files,
    check_form,
    read_json,
    read_manifest,
    to_bytes,
    write_files,
    write_new,
)
from throughtime.vectors.table import Table

TENSORS = "vectors.safetensors"
TABLE = "table.json"
HEADER_LIMIT = 2**20  # bytes of a header of safetensors that we are willing to read
TYPES = {"F32": np.float32, "F64": np.float64, "F16": np.float16, "I64": np.int64, "I32": np.int32, "U8": np.uint8}
NAMES = {np.dtype(kind): name for name, kind in TYPES.items()}


class SubwordSettings(BaseModel):
    """What table.json says of subwords."""

    model_config = STRICT

    shortest: Annotated[int, Field(ge=1, lt=2**31)]
    longest: Annotated[int, Field(ge=1, lt=2**31)]
    buckets: Annotated[int, Field(ge=1, lt=2**31)]


class Content(BaseModel):
    """What table.json holds."""

    model_config = STRICT

    kind: Literal["table"]
    words: list[str]
    facts: dict[str, Any]
    subwords: SubwordSettings | None


def save(table: Table, folder: Path) -> None:
    """Writes a table as a folder, whole or not at all; over another table, but over nothing else.

    Raises `ArgumentError` when something else is there, `StorageError` when the disk refuses.
    """
    settings = None
    arrays: dict[str, NDArray[Any]] = {"vectors": table.vectors}
    if table.counts is not None:
        arrays = {"counts": table.counts, **arrays}  # the wider first, so that every array lies on a whole multiple
    if table.subwords is not None:
        parts = table.subwords
        settings = {"shortest": parts.shortest, "longest": parts.longest, "buckets": parts.buckets}
        arrays |= {"subwords.vectors": parts.vectors, "subwords.kept": parts.kept}
    content = {"kind": "table", "facts": _checked_facts(table.facts), "subwords": settings, "words": table.words}
    files: dict[str, Body] = {TABLE: to_bytes(content), TENSORS: tensor_parts(arrays)}
    if _may_write_over(folder):
        write_files(folder, files, status="finished")
    else:
        write_new(folder, files, status="finished")


def load(folder: Path) -> Table:
    """The table in a folder, its vectors mapped into memory after they were compared with their checksum.

    Raises `RunError` when the folder is not whole, was changed, or holds something else.
    """
    missing = {TABLE, TENSORS} - set(read_manifest(folder).files)
    if missing:
        raise RunError(f"{folder} has no {min(missing)}: it is not a table of vectors")
    check_files(folder)
    content = check_form(Content, read_json(folder, TABLE, TEXT_LIMIT), folder / TABLE)
    try:
        arrays = map_tensors(folder / TENSORS)
        return Table(
            content.words,
            arrays["vectors"],
            counts=arrays.get("counts"),
            subwords=_subwords(content.subwords, arrays),
            facts=content.facts,
        )
    except KeyError as error:
        raise RunError(f"{folder / TENSORS} has no tensor {error}; it is not a table of vectors") from None
    except (ArgumentError, DataError) as error:
        raise RunError(f"{folder} does not hold a table: {error}") from None


def _subwords(settings: SubwordSettings | None, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if settings is None:
        return None
    from throughtime.vectors.subwords import Subwords

    kept, vectors = arrays["subwords.kept"], arrays["subwords.vectors"]
    if (
        settings.longest < settings.shortest
        or kept.dtype != np.int32
        or kept.ndim != 1
        or vectors.dtype != np.float32
        or vectors.ndim != 2
        or len(kept) != len(vectors)
        or (np.diff(kept) <= 0).any()
        or (len(kept) and not 0 <= kept[0] <= kept[-1] < settings.buckets)
        or not np.isfinite(vectors).all()
    ):
        raise ArgumentError("its subwords do not fit together")
    return Subwords(settings.shortest, settings.longest, settings.buckets, kept, vectors)


def _checked_facts(facts: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(facts, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"the table's facts are not JSON: {error}; give text, finite numbers, lists, dicts"
        ) from None
    return facts


def _may_write_over(folder: Path) -> bool:
    """Whether a table is there already; not whether nothing is. Raises `ArgumentError` when something else is."""
    if not folder.exists() and not folder.is_symlink():
        return False
    if folder.is_dir() and not any(folder.iterdir()):
        return False
    if all((folder / name).is_file() for name in (TABLE, TENSORS, MANIFEST)):
        return True
    raise ArgumentError(f"{folder} exists and is not a table of vectors; choose another --out")


def tensor_parts(arrays: Mapping[str, NDArray[Any]]) -> list[bytes | memoryview]:
    """Arrays as the parts of a safetensors file, of which the large ones are not copied."""
    header, start = {}, 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, start + array.nbytes],
        }
        start += array.nbytes
    described = json.dumps(header).encode()
    described += b" " * (-len(described) % 8)
    parts: list[bytes | memoryview] = [struct.pack("<Q", len(described)) + described]
    return parts + [np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for array in arrays.values()]


def map_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file, read only and mapped into memory.

    Raises `DataError` when the file does not read as one, or holds types of numbers that no table has.
    """
    header, start, size = _read_header(path)
    arrays: dict[str, NDArray[Any]] = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        try:
            kind, shape, (first, last) = np.dtype(TYPES[about["dtype"]]), tuple(about["shape"]), about["data_offsets"]
            if not all(type(number) is int and 0 <= number < 2**48 for number in (*shape, first, last)):
                raise ValueError("sizes that are no numbers")
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} does not read as safetensors: tensor {name!a:.80}: {error!r:.120}") from None
        if last - first != math.prod(shape) * kind.itemsize or start + last > size:
            raise DataError(
                f"{path} is damaged or cut short: tensor {name!a:.80} of shape {shape!s:.80} should lie in bytes "
                f"{first:,} to {last:,} of the {size - start:,} that hold numbers"
            )
        if last == first:
            arrays[name] = np.empty(shape, kind)
        else:
            arrays[name] = np.memmap(path, kind, mode="r", offset=start + first, shape=shape)
    return arrays


def _read_header(path: Path) -> tuple[dict[str, Any], int, int]:
    """The header of a safetensors file, where the numbers start, and the file's size."""
    size = file_size(path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            body = file.read(length) if size >= 8 and length <= min(size - 8, HEADER_LIMIT) else b""
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    try:
        header = from_json(body, allow_inf_nan=False)
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise DataError(f"{path} does not read as safetensors: it has no header, or one over {HEADER_LIMIT:,} bytes")
    return header, 8 + length, size


def file_size(path: Path) -> int:
    """Bytes of a regular file. Raises `DataError` when there is none, it is a pipe or a device, or it is empty."""
    try:
        about = path.stat()
    except FileNotFoundError:
        beside = sorted(entry.name for entry in path.parent.glob("*"))
        hint = nearest(path.name, beside[:50]) if beside else f"{path.parent} holds no files"
        raise DataError(f"no such file: {path}; {hint}") from None
    except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
        raise DataError(f"cannot read {str(path)!a}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(about.st_mode):
        raise DataError(f"{path} is not a regular file; write the table to a file and give that")
    if not about.st_size:
        raise DataError(f"{path} is empty; give a file with vectors in it")
    return about.st_size
