"""Texts of any size, block by block: from a file, compressed or not, a column of a table, a folder, the standard input.

A few megabytes of them are held in memory at a time.
"""

import codecs
import hashlib
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import Any, Literal, cast

from throughtime.data.read import binary, not_utf8, opened
from throughtime.data.tables import LINE_LIMIT, csv_cells, json_cells, parquet_cells
from throughtime.errors import ArgumentError, DataError

BLOCK = 2**20  # bytes read at a time; a block is about as long
WORD_LIMIT = 2**20  # characters without white space that are refused
STDIN = "the standard input"
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


class Texts:
    """Blocks of about a megabyte of text, in which a newline ends a text and no word straddles two blocks.

    Joined, the blocks are everything. What a file holds, its name tells: `.csv`, `.tsv`, `.jsonl`, `.ndjson` and
    `.parquet` are tables, in which a cell of one column is a text; anything else is UTF-8, in which a line is a text.
    All but Parquet may be compressed (`.gz`). The counts are of what was read so far.

    Raises `DataError`, when read, for what is unreadable, binary, not UTF-8, malformed or without any text.
    """

    def __init__(
        self,
        source: Path | None,
        paths: Sequence[Path | None],  # of the files in it; None is the standard input
        *,
        column: str | None = None,
        invalid_bytes: Literal["refuse", "skip"] = "refuse",
        hidden: int = 0,
    ) -> None:
        self.source, self.paths, self.column, self.invalid_bytes = source, paths, column, invalid_bytes
        self.hidden = hidden  # files and folders that were passed over, as their names begin with a dot
        self._spent = False
        self._begin()

    def _begin(self) -> None:
        self.files = 0  # that were opened
        self.bytes = 0  # of the files as they lie on the disk
        self.skipped_bytes = 0  # that were not UTF-8
        self.null_cells = 0  # of tables: missing or empty
        self._digest = hashlib.sha256()

    @classmethod
    def open(
        cls,
        source: Path | None,
        *,
        column: str | None = None,
        invalid_bytes: Literal["refuse", "skip"] = "refuse",
    ) -> "Texts":
        """The texts of a file, of all files in a folder in the order of their names, or of the standard input (None).

        Raises `DataError` when there is nothing to read, `ArgumentError` when `column` is given and nothing is a table.
        """
        paths: Sequence[Path | None] = [source]
        hidden = 0
        if source is not None and source.is_dir():
            paths, hidden = _files(source)
        elif source is not None:
            with opened(source):
                pass
        if column is not None and not any(path and _kind(path) in TABLES for path in paths):
            raise ArgumentError(
                f"column {column!r} is of a table, and {source or STDIN} is none; leave it out, "
                f"or give a file that ends in {', '.join(TABLES)}"
            )
        return cls(source, paths, column=column, invalid_bytes=invalid_bytes, hidden=hidden)

    @property
    def sha256(self) -> str:
        """Of the bytes read so far, of one file after the other."""
        return self._digest.hexdigest()

    @cached_property
    def size(self) -> int | None:
        """How many bytes there are to be read; None of the standard input."""
        try:
            return sum(path.stat().st_size for path in self.paths if path) or None
        except OSError:  # whoever reads the file will be told
            return None

    def __iter__(self) -> Iterator[str]:
        self._begin()
        some, ended = False, True
        for path in self.paths:
            if not ended:
                yield "\n"
            ended = True
            for block in self._stdin() if path is None else self._file(path):
                some, ended = some or not block.isspace(), block.endswith("\n")
                yield block
        if not some:
            raise DataError(
                f"there is no text in {self.source or STDIN}: {self.bytes:,} bytes were read, of which "
                f"{self.skipped_bytes:,} are not UTF-8, and {self.null_cells:,} cells without text"
            )

    def _stdin(self) -> Iterator[str]:
        if self._spent:
            raise DataError(f"{STDIN} was read before and cannot be read again: write it to a file and give that")
        self._spent = True
        self.files += 1
        yield from _blocks(self._pieces(_Seen(sys.stdin.buffer, self._count), STDIN), STDIN, "line")

    def _file(self, path: Path) -> Iterator[str]:
        self.files += 1
        kind, origin = _kind(path), str(path)
        with opened(path) as file:
            raw = _Seen(file, self._count)
            if kind == ".parquet":
                while raw.read(BLOCK):
                    pass
                yield from _blocks(self._joined(parquet_cells(path, self.column)), origin, "row")
                return
            pieces = self._pieces(_Unpacked(raw, origin) if _is_packed(path) else raw, origin)
            if kind in (".csv", ".tsv"):
                separator = "," if kind == ".csv" else "\t"
                cells = csv_cells(_lines(pieces, origin), separator, self.column, origin)
                yield from _blocks(self._joined(cells), origin, "row")
            elif kind in TABLES:
                cells = json_cells(_lines(pieces, origin), self.column, origin)
                yield from _blocks(self._joined(cells), origin, "row")
            else:
                yield from _blocks(pieces, origin, "line")

    def _count(self, content: bytes) -> None:
        self.bytes += len(content)
        self._digest.update(content)

    def _pieces(self, file: "_Seen | _Unpacked", origin: str) -> Iterator[str]:
        """The text of a file, cut anywhere between two characters."""
        errors = "strict" if self.invalid_bytes == "refuse" else "ignore"
        decoder = codecs.getincrementaldecoder("utf-8")(errors)
        offset = line = 0
        content = b"unread"
        while content != b"":
            content = file.read(BLOCK)
            if not offset and b"\0" in content[:65536]:
                raise binary(origin, content.index(0))
            held = len(decoder.getstate()[0])
            try:
                piece = decoder.decode(content, final=not content)
            except UnicodeDecodeError as error:
                place, before = error.start, error.object[: error.start]
                raise not_utf8(
                    origin, error.object[place], offset - held + place, line + before.count(b"\n") + 1
                ) from None
            if errors == "ignore":
                self.skipped_bytes += held + len(content) - len(piece.encode()) - len(decoder.getstate()[0])
            yield piece if offset else piece.removeprefix("\ufeff")
            offset += len(content)
            line += content.count(b"\n")

    def _joined(self, cells: Iterable[str | None]) -> Iterator[str]:
        """Cells as lines, in pieces that are no longer than a block."""
        rows, size = list[str](), 0
        for cell in cells:
            self.null_cells += not cell
            rows.append((cell or "").replace("\n", " ") + "\n")
            size += len(rows[-1])
            if size >= BLOCK:
                text = "".join(rows)
                yield from (text[start : start + BLOCK] for start in range(0, size, BLOCK))
                rows, size = [], 0
        yield "".join(rows)


class _Seen:
    """A file whose bytes are shown to someone as they are read."""

    def __init__(self, file: Any, show: Callable[[bytes], None]) -> None:
        self._file, self._show = file, show

    def read(self, size: int = -1) -> bytes:
        content: bytes = self._file.read(size)
        self._show(content)
        return content


class _Unpacked:
    """What a compressed file holds, in pieces of what was asked for: how much there is in all plays no part."""

    def __init__(self, file: _Seen, origin: str) -> None:
        self._file, self._origin = GzipFile(fileobj=cast(Any, file)), origin

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except (BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{self._origin} is not a whole gzip file: {error}") from None


def _files(folder: Path) -> tuple[list[Path], int]:
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


def _kind(path: Path) -> str:
    """The ending that tells what a file holds."""
    return (path.with_suffix("") if _is_packed(path) else path).suffix.lower()


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _lines(pieces: Iterable[str], origin: str) -> Iterator[str]:
    """The lines of a text, whole; all but the last end with a newline."""
    carried, size, number = list[str](), 0, 1
    for piece in pieces:
        head, *rest = piece.split("\n")
        carried.append(head)
        size += len(head)
        if size > LINE_LIMIT:
            raise DataError(
                f"{origin}, line {number} has over {LINE_LIMIT:,} characters, too many for a row of a table"
            )
        if rest:
            yield "".join(carried) + "\n"
            yield from (line + "\n" for line in rest[:-1])
            carried, size, number = [rest[-1]], len(rest[-1]), number + len(rest)
    if size:
        yield "".join(carried)


def _blocks(pieces: Iterable[str], origin: str, place: str) -> Iterator[str]:
    """Pieces of text cut anew: after the last newline, or else the last white space."""
    carried, number = "", 1
    for piece in pieces:
        whole = carried + piece
        cut = whole.rfind("\n") + 1 or _after_space(whole)
        carried = whole[cut:]
        number += whole.count("\n", 0, cut)
        if len(carried) > WORD_LIMIT:
            raise DataError(
                f"{origin}, {place} {number}: over {WORD_LIMIT:,} characters without white space, from "
                f"{carried[:20]!a} on; put some between its words"
            )
        if cut:
            yield whole[:cut]
    if carried:
        yield carried


def _after_space(text: str) -> int:
    """The place after the last white space, 0 if there is none."""
    words = text.rsplit(maxsplit=1)
    return len(text) if text[-1:].isspace() else len(text) - len(words[-1]) if words else 0
