"""Emitted source to machine code: written to the cache folder, imported from there, compiled once a machine.

The cache is a folder of readable `.py` files, with Numba's compiled code beside them. It is this user's own, as
`__pycache__` is: a folder that others may write to is not used. Without a usable folder, sources are compiled in
memory.
"""

import functools
import hashlib
import importlib.metadata
import linecache
import os
import re
import stat
import sys
import tempfile
import types
import warnings
from pathlib import Path
from typing import Any

from throughtime.errors import StorageError

ENVIRONMENT = "THROUGHTIME_CACHE"


def cache_folder() -> Path:
    """Where compiled sweeps are kept: $THROUGHTIME_CACHE, or the user's cache folder."""
    named = os.environ.get(ENVIRONMENT) or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "throughtime")
    return Path(os.path.expanduser(named))  # leaves a home that there is not as it stands; `refusal` says so


@functools.cache
def toolchain() -> str:
    """A name for all that machine code depends on besides its source: this package, Numba, and the processor."""
    from llvmlite import binding

    here = Path(__file__).parent
    parts = [path.read_bytes() for path in sorted(here.glob("*.py"))]
    parts += [importlib.metadata.version(name).encode() for name in ("numba", "llvmlite")]
    parts += [
        sys.version.encode(),
        binding.get_host_cpu_name().encode(),
        binding.get_host_cpu_features().flatten().encode(),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def module(source: str, name: str) -> types.ModuleType:
    """The module of a source, from the cache where it is there; `name` says what it is to whoever looks there."""
    key, known = hashlib.sha256(source.encode()).hexdigest()[:16], re.sub(r"[^a-z0-9_]", "_", name.lower())[:60]
    return _module(source, f"{known}_{key}", str(cache_folder()))


@functools.cache
def _module(source: str, name: str, root: str) -> types.ModuleType:
    try:
        path = _written(source, Path(root) / toolchain(), name)
        return _kept(source, name, path)
    except OSError as error:  # full, read-only, another's: all the work is done, and nothing is kept
        _say_once(root, str(error))
    text = source.replace("cache=True", "cache=False")
    return _import(text, name, f"<sweep {name}>")


def _kept(source: str, name: str, path: Path) -> types.ModuleType:
    """The module of a file of the cache; machine code beside it that cannot be read is made anew."""
    try:
        return _import(source, name, str(path))
    except OSError:
        raise
    except Exception as error:  # a disk was full, a machine stopped: pickles may raise anything
        broken = list((path.parent / "__pycache__").glob(f"{name}.*.nb[ci]"))
        if not broken:
            raise
        for file in broken:
            file.unlink(missing_ok=True)
        warnings.warn(f"{path.name} is compiled anew, for what is kept of it cannot be read: {error!r}", stacklevel=2)
    return _import(source, name, str(path))


_said: set[str] = set()


def _say_once(root: str, reason: str) -> None:
    """Says why nothing is kept in a folder, the first time."""
    if root not in _said:
        _said.add(root)
        warnings.warn(f"compiled sweeps are not kept in {root}: {reason}", stacklevel=4)


def _written(source: str, folder: Path, name: str) -> Path:
    """The source as a file of the cache: whole or absent, whoever else writes it at the same time."""
    if not refusal(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if reason := refusal(folder):
        raise StorageError(reason)
    path, text = folder / f"{name}.py", source.encode()
    if not path.exists() or path.read_bytes() != text:
        handle, part = tempfile.mkstemp(dir=folder, prefix=f".{name}")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text)
            if not path.exists() or path.read_bytes() != text:  # else another was first, and its machine code fits it
                Path(part).replace(path)
        finally:
            Path(part).unlink(missing_ok=True)
    return path


def refusal(folder: Path) -> str | None:
    """Why a folder, there or not, is not used."""
    if str(folder).startswith("~"):
        return f"there is no home folder for {folder}"
    if not folder.exists() or not hasattr(os, "getuid"):
        return None
    mode = folder.stat()
    if mode.st_uid != os.getuid() or mode.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{folder} belongs to another user or may be written by others"
    return None


def _import(source: str, name: str, path: str) -> types.ModuleType:
    """Runs the source as a module of that path."""
    made: Any = types.ModuleType(f"throughtime_sweep_{name}")
    made.__file__ = path
    sys.modules[made.__name__] = made  # Numba finds the globals of cached code by the name of its module
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    exec(compile(source, path, "exec"), made.__dict__)  # noqa: S102  # the source is ours, emitted this moment
    return made  # type: ignore[no-any-return]
