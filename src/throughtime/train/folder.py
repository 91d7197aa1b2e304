"""Folders that are whole or absent, and hold no code: how runs and checkpoints lie on the disk.

    weights.safetensors  recipe.json  ...       the files
    manifest.json                               format, status, and the sha256 and size of every file
    COMPLETE                                    written last: a folder without it is not one

Everything is written under a temporary name, flushed to the disk, and renamed. What is read is checked against the
manifest before it is used. Tensors are safetensors, the rest is JSON; nothing is ever unpickled.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from throughtime.errors import RunError, StorageError

FORMAT = 1
MARK = "COMPLETE"
MANIFEST = "manifest.json"
JSON_LIMIT = 256 * 2**20  # bytes of a JSON file that we are willing to read


def write_files(folder: Path, files: dict[str, bytes], *, status: str) -> None:
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


def write_new(folder: Path, files: dict[str, bytes], *, status: str) -> None:
    """Like `write_files`, for a folder that appears under its name only when all its files are in it."""
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        _fill(temporary, files, status)
        temporary.rename(folder)
        _write(folder / MARK, b"")
        _flush(folder.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise cannot_write(folder, error) from error


def _fill(folder: Path, files: dict[str, bytes], status: str) -> None:
    described = {name: {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)} for name, body in files.items()}
    manifest = {"format": FORMAT, "status": status, "files": described}
    for name, body in {**files, MANIFEST: to_bytes(manifest)}.items():
        _write(folder / name, body)


def is_whole(folder: Path) -> bool:
    """Whether the folder was written to its end."""
    return (folder / MARK).is_file()


def unmark(folder: Path) -> None:
    """Declares a folder unfinished, before it is changed."""
    (folder / MARK).unlink(missing_ok=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a whole folder.

    Raises `RunError` when the folder is not whole, or comes from a newer version.
    """
    if not is_whole(folder):
        raise RunError(f"{folder} is not a finished run folder: it has no {MARK} mark")
    manifest = _json(folder, MANIFEST, _bounded(folder / MANIFEST, 2**20))
    version = manifest.get("format")
    if not isinstance(version, int) or version > FORMAT:
        raise RunError(
            f"{folder} has format {version}, and this version of Throughtime reads up to {FORMAT}: upgrade Throughtime"
        )
    files = manifest.get("files")
    if not isinstance(files, dict) or any("/" in name or name.startswith(".") for name in files):
        raise RunError(f"{folder}/{MANIFEST} does not list the files of a run")
    return manifest


def read_file(folder: Path, name: str) -> bytes:
    """The bytes of one of a folder's files.

    Raises `RunError` when the file is not in the manifest, is missing, or is not what was written.
    """
    entry = read_manifest(folder)["files"].get(name)
    if not isinstance(entry, dict):
        raise RunError(f"{folder} has no {name}: it is not the kind of folder that is needed here")
    body = _bounded(folder / name, int(entry.get("bytes", 0)))
    if hashlib.sha256(body).hexdigest() != entry.get("sha256"):
        raise RunError(f"{folder}/{name} was changed after it was written: its sha256 is not the manifest's")
    return body


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """One of a folder's JSON files, checked. Raises `RunError` as `read_file` does."""
    if (folder / name).is_file() and (folder / name).stat().st_size > JSON_LIMIT:
        raise RunError(f"{folder}/{name} is over {JSON_LIMIT:,} bytes: too large for what it should hold")
    return _json(folder, name, read_file(folder, name))


def read_tensors(folder: Path, name: str) -> dict[str, Tensor]:
    """One of a folder's safetensors files, checked. Raises `RunError` as `read_file` does."""
    try:
        return load_tensors(read_file(folder, name))
    except SafetensorError as error:
        raise RunError(f"{folder}/{name} does not read as safetensors: {error}") from None


def tensor_bytes(tensors: dict[str, Tensor]) -> bytes:
    """Tensors as a safetensors file."""
    return save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def to_bytes(content: Any) -> bytes:
    """JSON as it lies in our files."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def cannot_write(path: Path, error: OSError) -> StorageError:
    """What to raise when the disk refused."""
    return StorageError(f"cannot write {path}: {error.strerror or error}; free some space or choose another --out")


def _bounded(path: Path, size: int) -> bytes:
    """The bytes of a file that must have at most so many."""
    try:
        if path.stat().st_size > size:
            raise RunError(f"{path} is larger than the manifest says: it was changed after it was written")
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}; the run folder is damaged") from None


def _json(folder: Path, name: str, body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError as error:
        raise RunError(f"{folder}/{name} does not read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise RunError(f"{folder}/{name} should hold a JSON object")
    return content


def _write(path: Path, body: bytes) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with temporary.open("wb") as file:
            file.write(body)
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
