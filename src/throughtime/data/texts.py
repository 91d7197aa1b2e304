"""Texts of any size, block by block: from a file, a compressed file, a folder, or the standard input."""

import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from throughtime.errors import DataError

BLOCK = 2**20  # bytes read at a time


class Texts:
    """Blocks of about a megabyte of text, in which a newline ends a text and no word straddles two blocks."""

    def __init__(self, source: Path | None, column: str | None, invalid_bytes: Literal["refuse", "skip"]) -> None:
        self.source, self.column, self.invalid_bytes = source, column, invalid_bytes
        self.files = self.bytes = self.skipped_bytes = 0
        self._digest = hashlib.sha256()

    @classmethod
    def open(
        cls,
        source: Path | None,
        *,
        column: str | None = None,
        invalid_bytes: Literal["refuse", "skip"] = "refuse",
    ) -> "Texts":
        """The texts of a file or a folder, or of the standard input (None)."""
        if source is not None and not source.exists():
            raise DataError(f"no such file: {source}")
        return cls(source, column, invalid_bytes)

    @property
    def sha256(self) -> str:
        """Of the bytes read so far."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[str]:
        if self.source is None:
            yield from self._blocks(sys.stdin.buffer)
            return
        with self.source.open("rb") as file:
            if self.source.suffix == ".gz":
                try:
                    yield from self._blocks(io.BufferedReader(gzip.GzipFile(fileobj=file)))
                except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                    raise DataError(f"{self.source} is not whole gzip: {error}") from None
            else:
                yield from self._blocks(file)

    def _blocks(self, file: "BinaryIO | io.BufferedReader") -> Iterator[str]:
        self.files += 1
        carried = b""
        while chunk := file.read(BLOCK):
            self.bytes += len(chunk)
            self._digest.update(chunk)
            whole = carried + chunk
            cut = 1 + (whole.rfind(b"\n") if b"\n" in chunk else max(whole.rfind(b" "), whole.rfind(b"\t")))
            carried = whole[cut:]
            if cut:
                yield self._decoded(whole[:cut])
        if carried:
            yield self._decoded(carried)

    def _decoded(self, content: bytes) -> str:
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            if self.invalid_bytes == "refuse":
                raise DataError(f"{self.source} is not UTF-8: {error}") from None
        kept = content.decode(errors="ignore")
        self.skipped_bytes += len(content) - len(kept.encode())
        return kept
