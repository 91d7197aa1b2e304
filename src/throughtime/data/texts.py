"""Texts of any size, block by block: from a file, compressed or not, a column of a table, a folder, the standard input.

A few megabytes of them are held in memory at a time.
"""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from throughtime.data.lines import LINE_LIMIT, Readable, Seen, files_in, kind_of, pieces, unpacked, whole_lines
from throughtime.data.read import opened
from throughtime.data.tables import csv_cells, json_cells, parquet_cells
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
            paths, hidden = files_in(source)
        elif source is not None:
            with opened(source):
                pass
        if column is not None and not any(path and kind_of(path) in TABLES for path in paths):
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
        yield from _blocks(self._pieces(Seen(sys.stdin.buffer, self._count), STDIN), STDIN, "line")

    def _file(self, path: Path) -> Iterator[str]:
        self.files += 1
        kind, origin = kind_of(path), str(path)
        with opened(path) as file:
            raw = Seen(file, self._count)
            if kind == ".parquet":
                while raw.read(BLOCK):
                    pass
                yield from _blocks(self._joined(parquet_cells(path, self.column)), origin, "row")
                return
            text = self._pieces(unpacked(raw, path), origin)
            if kind in (".csv", ".tsv"):
                separator = "," if kind == ".csv" else "\t"
                cells = csv_cells(whole_lines(text, origin, LINE_LIMIT), separator, self.column, origin)
                yield from _blocks(self._joined(cells), origin, "row")
            elif kind in TABLES:
                cells = json_cells(whole_lines(text, origin, LINE_LIMIT), self.column, origin)
                yield from _blocks(self._joined(cells), origin, "row")
            else:
                yield from _blocks(text, origin, "line")

    def _count(self, content: bytes) -> None:
        self.bytes += len(content)
        self._digest.update(content)

    def _skip(self, count: int) -> None:
        self.skipped_bytes += count

    def _pieces(self, file: Readable, origin: str) -> Iterator[str]:
        """The text of a file, cut anywhere between two characters."""
        return pieces(file, origin, invalid_bytes=self.invalid_bytes, skip=self._skip, size=BLOCK)

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
