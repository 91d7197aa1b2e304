"""Folders that are whole or absent, and hold no code: how runs and checkpoints lie on the disk.

    weights.safetensors  recipe.json  ...       the files
    manifest.json                               format, status, and the sha256 and size of every file
    COMPLETE                                    written last: a folder without it is not one

Everything is written under a temporary name, flushed to the disk, and renamed. What is read is checked against the
manifest before it is used. Tensors are safetensors, the rest is JSON; nothing is ever unpickled.

A folder may come from anyone: a manifest can agree with files that were made to harm. So what is read is bounded in
size, only regular files are read, and whatever does not have the form that we write is a `RunError`.
"""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from throughtime.errors import RunError, StorageError

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
MARK = "COMPLETE"
MANIFEST = "manifest.json"
JSON_LIMIT = 2**20  # bytes of a JSON file that we are willing to read
TEXT_LIMIT = 256 * 2**20  # bytes of a file that grows with the vocabulary or with time
STRICT = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)  # of the forms of our JSON files
Count = Annotated[int, Field(ge=0, lt=2**53)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

M = TypeVar("M", bound=BaseModel)
Body = (
    bytes | Sequence[bytes | memoryview]
)  # what a file holds: bytes, or several buffers one after the other, such as large arrays


class Entry(BaseModel):
    """What a manifest says of a file."""

    model_config = STRICT

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0, lt=2**62)]


class Manifest(BaseModel):
    """What a folder holds."""

    model_config = STRICT

    format: Annotated[int, Field(ge=1)]
    status: Literal["finished", "stopped", "unfinished"]
    files: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=255)], Entry]


def write_files(folder: Path, files: Mapping[str, Body], *, status: str) -> None:
    """Makes `folder` hold exactly these files, whole; other files and folders in it stay.

    Raises `StorageError` when the disk refuses; the folder then has no mark.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unmark(folder)
        _fill(folder, files, status)
        _write(folder / MARK, b"")
    except OSError as error:
        raise cannot_write(folder, error) from error


def write_new(folder: Path, files: Mapping[str, Body], *, status: str) -> None:
    """Like `write_files`, for a folder that appears under its name only when all its files are in it."""
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        _fill(temporary, files, status)
        temporary.rename(folder)
        _write(folder / MARK, b"")
        _flush(folder.parent)
    except BaseException as error:  # Ctrl-C too
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise cannot_write(folder, error) from error
        raise


def _fill(folder: Path, files: Mapping[str, Body], status: str) -> None:
    described = {name: _described(body) for name, body in files.items()}
    manifest = {"format": FORMAT, "status": status, "files": described}
    for name, body in {**files, MANIFEST: to_bytes(manifest)}.items():
        _write(folder / name, body)


def _described(body: Body) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    for part in _parts(body):
        digest.update(part)
        size += len(part)
    return {"sha256": digest.hexdigest(), "bytes": size}


def _parts(body: Body) -> list[memoryview]:
    return [memoryview(part).cast("B") for part in ([body] if isinstance(body, bytes) else body)]


def write_file(path: Path, body: Body) -> None:
    """Writes a file whole, or not at all. Raises `StorageError` when the disk refuses."""
    try:
        _write(path, body)
    except OSError as error:
        raise cannot_write(path, error) from error


def is_whole(folder: Path) -> bool:
    """Whether the folder was written to its end."""
    return os.path.isfile(folder / MARK)


def unmark(folder: Path) -> None:
    """Declares a folder unfinished, before it is changed."""
    (folder / MARK).unlink(missing_ok=True)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a whole folder.

    Raises `RunError` when the folder is not whole, or comes from a newer version.
    """
    if not is_whole(folder):
        raise RunError(f"{folder} is not a finished run folder: it has no {MARK} mark")
    content = _json(folder, MANIFEST, read_bounded(folder / MANIFEST, JSON_LIMIT))
    version = content.get("format")
    if not isinstance(version, int) or version > FORMAT:
        raise RunError(
            f"{folder} has format {version!a:.80}, and this version of Throughtime reads up to {FORMAT}: "
            "upgrade Throughtime"
        )
    return check_form(Manifest, content, folder / MANIFEST)


def read_file(folder: Path, name: str, limit: int = TEXT_LIMIT) -> bytes:
    """The bytes of one of a folder's files.

    Raises `RunError` when the file is not in the manifest, is missing, has over `limit` bytes, or is not what was
    written.
    """
    entry = read_manifest(folder).files.get(name)
    if entry is None:
        raise RunError(f"{folder} has no {name}: it is not the kind of folder that is needed here")
    body = read_bounded(folder / name, min(entry.bytes, limit))
    if hashlib.sha256(body).hexdigest() != entry.sha256:
        raise _changed(folder / name)
    return body


def check_files(folder: Path) -> None:
    """Raises `RunError` unless every file of a whole folder is what was written. Holds none of them in memory."""
    for name, entry in read_manifest(folder).files.items():
        with _opened(folder / name) as (file, size):
            if size != entry.bytes or hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
                raise _changed(folder / name)


def read_json(folder: Path, name: str, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """One of a folder's JSON files, checked. Raises `RunError` as `read_file` does."""
    return _json(folder, name, read_file(folder, name, limit))


def read_tensors(folder: Path, name: str, limit: int) -> "dict[str, Tensor]":
    """One of a folder's safetensors files, checked. Raises `RunError` as `read_file` does."""
    from safetensors.torch import load

    body = read_file(folder, name, limit)
    try:
        return load(body)
    except Exception as error:  # the library raises its own and, for types that torch lacks, several of Python's
        raise RunError(f"{folder}/{name} does not read as safetensors: {error}") from None


def read_bounded(path: Path, limit: int) -> bytes:
    """The bytes of a regular file. Raises `RunError` when it has more than `limit`, or cannot be read."""
    with _opened(path) as (file, size):
        body = file.read(size + 1) if size <= limit else b""
    if size > limit or len(body) > size:
        raise RunError(f"{path} is over {limit:,} bytes: larger than what it should hold, or than its manifest says")
    return body


def check_form(form: type[M], content: Any, origin: Path) -> M:
    """Content as a model of its form. Raises `RunError` that names the first field that does not fit."""
    try:
        return form.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        what = f"{problem['msg'][0].lower()}{problem['msg'][1:]}"
        raise RunError(f"{origin} does not hold what a run needs: {place!a:.120}: {what:.200}") from None


def tensor_bytes(tensors: "dict[str, Tensor]") -> bytes:
    """Tensors as a safetensors file."""
    from safetensors.torch import save

    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def to_bytes(content: Any) -> bytes:
    """JSON as it lies in our files."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def cannot_write(path: Path, error: OSError) -> StorageError:
    """What to raise when the disk refused."""
    return StorageError(f"cannot write {path}: {error.strerror or error}; free some space or choose another --out")


def _changed(path: Path) -> RunError:
    return RunError(f"{path} was changed after it was written: it is not what the manifest says")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BufferedReader, int]]:
    """A regular file, open, and its size; nothing else is opened, and a pipe is not waited for."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise RunError(f"{path} is not a regular file; the run folder is damaged")
            yield file, about.st_size
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}; the run folder is damaged") from None


def _json(folder: Path, name: str, body: bytes) -> dict[str, Any]:
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RunError(f"{folder}/{name} does not read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise RunError(f"{folder}/{name} should hold a JSON object")
    return content


def _write(path: Path, body: Body) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with temporary.open("wb") as file:
            for part in _parts(body):
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _flush(path.parent)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
