"""The lines of a text file, compressed or not, one after the other: what it holds beyond a line is not in memory."""

import codecs
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import Any, Literal, Protocol, cast, runtime_checkable

from throughtime.data.read import binary, not_utf8, opened
from throughtime.errors import DataError

BLOCK = 2**20  # bytes read at a time
LINE_LIMIT = 2**28  # characters of a line or a cell that we are willing to hold

Encoding = Literal["utf-8", "latin-1"]
InvalidBytes = Literal["refuse", "skip"]


class Lines:
    """The lines of a UTF-8 or Latin-1 file, which may be compressed (`.gz`), without their ends.

    Only a line feed ends a line, with or without a carriage return before it. The counts are of what was read so far.

    Raises `DataError`, when read, for what is unreadable, binary, not in its encoding, or without an end of a line.
    """

    def __init__(self, path: Path, *, encoding: Encoding = "utf-8", invalid_bytes: InvalidBytes = "refuse") -> None:
        self.path, self.encoding, self.invalid_bytes = path, encoding, invalid_bytes
        self._begin()

    def _begin(self) -> None:
        self.bytes = 0  # of the file as it lies on the disk
        self.skipped_bytes = 0  # that were not UTF-8
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of the bytes read so far."""
        return self._digest.hexdigest()

    @property
    def origin(self) -> str:
        """What errors and records call a line of it, before its number."""
        return f"{self.path}, line"

    def __iter__(self) -> Iterator[str]:
        for line in self.whole():
            yield line.removesuffix("\n").removesuffix("\r")

    def whole(self) -> Iterator[str]:
        """The lines with their ends, as a reader of CSV wants them."""
        self._begin()
        with opened(self.path) as file:
            content = unpacked(Seen(file, self._count), self.path)
            yield from whole_lines(
                pieces(
                    content, str(self.path), encoding=self.encoding, invalid_bytes=self.invalid_bytes, skip=self._skip
                ),
                str(self.path),
            )

    def _count(self, content: bytes) -> None:
        self.bytes += len(content)
        self._digest.update(content)

    def _skip(self, count: int) -> None:
        self.skipped_bytes += count


@runtime_checkable
class Readable(Protocol):
    """What gives some bytes of a file."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, as many as that at most; none at the end."""
        ...


class Seen:
    """A file whose bytes are shown to someone as they are read."""

    def __init__(self, file: Any, show: Callable[[bytes], None]) -> None:
        self._file, self._show = file, show

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        content: bytes = self._file.read(size)
        self._show(content)
        return content


class _Unpacked:
    """What a compressed file holds, in pieces of what was asked for: how much there is in all plays no part."""

    def __init__(self, file: Seen, origin: str) -> None:
        self._file, self._origin = GzipFile(fileobj=cast(Any, file)), origin

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except (BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{self._origin} is not a whole gzip file: {error}") from None


def unpacked(file: Seen, path: Path) -> Readable:
    """What a file holds, unpacked if its name ends in `.gz`."""
    return _Unpacked(file, str(path)) if _is_packed(path) else file


def kind_of(path: Path) -> str:
    """The ending that tells what a file holds.

    >>> kind_of(Path("a/reviews.CSV.gz"))
    '.csv'
    """
    return (path.with_suffix("") if _is_packed(path) else path).suffix.lower()


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def pieces(
    file: Readable,
    origin: str,
    *,
    encoding: Encoding = "utf-8",
    invalid_bytes: InvalidBytes = "refuse",
    skip: Callable[[int], None],
    size: int | None = None,
) -> Iterator[str]:
    """The text of a file, cut anywhere between two characters; `skip` is told how many bytes were left out.

    Raises `DataError` when the file is binary, or not UTF-8, with the place.
    """
    errors = "strict" if invalid_bytes == "refuse" else "ignore"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    offset = line = 0
    content = b"unread"
    while content != b"":
        content = file.read(size or BLOCK)
        if not offset and b"\0" in content[:65536]:
            raise binary(origin, content.index(0))
        held = len(decoder.getstate()[0])
        try:
            piece = decoder.decode(content, final=not content)
        except UnicodeDecodeError as error:
            place, before = error.start, error.object[: error.start]
            raise not_utf8(origin, error.object[place], offset - held + place, line + before.count(b"\n") + 1) from None
        if errors == "ignore":
            skip(held + len(content) - len(piece.encode(encoding)) - len(decoder.getstate()[0]))
        yield piece if offset else piece.removeprefix("\ufeff")
        offset += len(content)
        line += content.count(b"\n")


def whole_lines(parts: Iterable[str], origin: str, limit: int | None = None) -> Iterator[str]:
    """The lines of a text, whole; all but the last end with a newline. Raises `DataError` for one without end."""
    carried, size, number = list[str](), 0, 1
    for piece in parts:
        head, *rest = piece.split("\n")
        carried.append(head)
        size += len(head)
        if size > (limit or LINE_LIMIT):
            raise DataError(
                f"{origin}, line {number} has over {limit or LINE_LIMIT:,} characters, too many for a row of a table"
            )
        if rest:
            yield "".join(carried) + "\n"
            yield from (line + "\n" for line in rest[:-1])
            carried, size, number = [rest[-1]], len(rest[-1]), number + len(rest)
    if size:
        yield "".join(carried)


def files_in(folder: Path) -> tuple[list[Path], int]:
    """All files in a folder in the order of their names, and how many names were passed over as hidden."""
    found, hidden, waiting = list[Path](), 0, [folder]
    while waiting:
        path = waiting.pop()
        if path.is_symlink() and path.is_dir() and path != folder:
            raise DataError(f"{path} is a link to a folder, which is not followed; put the folder itself there")
        if not path.is_dir():
            found.append(path)
            continue
        try:
            names = sorted(os.listdir(path), reverse=True)
        except OSError as error:
            raise DataError(f"cannot read the folder {path}: {error.strerror}") from None
        seen = [name for name in names if not name.startswith(".")]
        hidden += len(names) - len(seen)
        waiting.extend(path / name for name in seen)
    if not found:
        raise DataError(f"{folder} holds no files (and {hidden} hidden names, which are not read); give one with texts")
    return found, hidden
