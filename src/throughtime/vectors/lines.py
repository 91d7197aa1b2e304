"""Word vectors in lines of text: a word and its numbers, as word2vec, fastText and GloVe write them."""

import gzip
import os
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import DataError
from throughtime.vectors.store import file_size

T = TypeVar("T")
CHUNK = 8 * 2**20  # bytes of lines that one thread reads at once; no line is longer
INFLATED = 1100  # bytes that one byte of gzip can become: 1,032 at most
ROWS_AT_ONCE = 2048  # of a table that is written
HEADER = re.compile(rb" *(\d{1,15}) +(\d{1,15}) *\r?\n?")
NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
NOT_FINITE = re.compile(rb"[+-]?(nan|inf|infinity)", re.IGNORECASE)


class MalformedError(Exception):
    """What is wrong with a line, by its row in the block of lines that it stands in."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


class Block(NamedTuple):
    """Words and their vectors."""

    words: list[str]
    vectors: NDArray[np.float32]


class Growing:
    """Words and vectors that come block by block; the array grows where it lies, so that it is never held twice."""

    def __init__(self, rows: int, dimension: int) -> None:
        self.words: list[str] = []
        self._vectors = np.empty((rows, dimension), np.float32)

    def add(self, block: Block) -> None:
        """Takes a block."""
        first, last = len(self.words), len(self.words) + len(block.words)
        if last > len(self._vectors):
            self._vectors.resize((last + last // 2, self._vectors.shape[1]), refcheck=False)
        self._vectors[first:last] = block.vectors
        self.words += block.words

    def whole(self) -> Block:
        """All that was added."""
        self._vectors.resize((len(self.words), self._vectors.shape[1]), refcheck=False)
        return Block(self.words, self._vectors)


def read_lines(path: Path, *, header: bool, tell: Callable[[int, int], None] | None = None) -> Block:
    """The words and vectors of a text file, of a `.gz` too; `header` says whether its first line tells their numbers.

    Without a header the first line tells how many numbers there are, and what stands before so many is the word, spaces
    and all, as in files that Stanford gives out. With one, a word has no spaces.

    Raises `DataError` with the number of the first line that is malformed.
    """
    size = file_size(path)
    with opened(path) as file:
        start = file.readline(CHUNK)
        rows, dimension = _shape(path, start, header)
        if rows * (2 * dimension + 1) > size * (INFLATED if path.suffix == ".gz" else 1):
            raise DataError(f"{path}, line 1: {rows:,} words of {dimension:,} numbers do not fit into {size:,} bytes")
        grown = Growing(rows or 1 + size // len(start), dimension)
        try:
            chunks = _chunks(file, b"" if header else start)
            for block in _in_order(partial(_parsed, chunk, dimension, not header) for chunk in chunks):
                grown.add(block)
                if header and len(grown.words) > rows:
                    raise DataError(f"{path}, line {rows + 2:,}: its header, line 1, says there are {rows:,} words")
                if tell is not None:
                    tell(_position(file), size)
        except MalformedError as error:
            line = len(grown.words) + error.row + (2 if header else 1)
            raise DataError(f"{path}, line {line:,}: {error}") from None
    if header and len(grown.words) < rows:
        raise DataError(f"{path} has {len(grown.words):,} words, its header says {rows:,}: it was cut short")
    return grown.whole()


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file of bytes, unpacked where it is gzip. Raises `DataError` when it cannot be read or unpacked."""
    try:
        with path.open("rb") as packed:
            yield cast(IO[bytes], gzip.GzipFile(fileobj=packed)) if path.suffix == ".gz" else packed
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} does not unpack as gzip: {error}; it was damaged or cut short") from None
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None


def _position(file: IO[bytes]) -> int:
    """How many bytes of the file on the disk were read."""
    packed: IO[bytes] = getattr(file, "fileobj", file)
    return packed.tell()


def header_of(path: Path, line: bytes) -> tuple[int, int]:
    """How many words and how many numbers a header tells. Raises `DataError` when the line is none."""
    found = HEADER.fullmatch(line)
    if found is None:
        raise DataError(
            f"{path}, line 1: {_shown(line)} is not a header such as '400000 100'; "
            "name a text file without a header .glove.txt"
        )
    rows, dimension = int(found[1]), int(found[2])
    if not rows or not dimension:
        raise DataError(f"{path}, line 1: the header says {rows:,} words of {dimension:,} numbers; there must be some")
    return rows, dimension


def _shape(path: Path, line: bytes, header: bool) -> tuple[int, int]:
    """How many rows to expect, and how many numbers a row has."""
    if header:
        return header_of(path, line)
    if HEADER.fullmatch(line):
        raise DataError(f"{path}, line 1: {_shown(line)} looks like a header; name a text file that has one .txt")
    dimension = len(line.split()) - 1
    if dimension < 1 or len(line) == CHUNK:
        raise DataError(f"{path}, line 1: {_shown(line)} is not a word and its numbers")
    return 0, dimension


def _chunks(file: IO[bytes], kept: bytes) -> Iterator[bytes]:
    """The rest of a file in pieces of whole lines."""
    while len(kept) <= CHUNK and (piece := file.read(CHUNK)):
        piece = kept + piece
        end = piece.rfind(b"\n") + 1
        kept = piece[end:]
        if end:
            yield piece[:end]
    if kept:
        yield kept if kept.endswith(b"\n") else kept + b"\n"


def _in_order(calls: Iterator[Callable[[], T]]) -> Iterator[T]:
    """What each call gives, in order; some calls run at the same time."""
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque[Future[T]]()
        for call in calls:
            waiting.append(pool.submit(call))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _parsed(chunk: bytes, dimension: int, spaced: bool) -> Block:
    """The words and vectors of some lines. Raises `MalformedError` for the first line that has not the form."""
    from throughtime.kernels.decimal import read_lines

    text = np.frombuffer(chunk, np.uint8)
    rows = min(chunk.count(b"\n"), len(chunk) // (2 * dimension + 1) + 1)
    vectors, spelled = np.empty((rows, dimension), np.float32), np.empty(len(chunk), np.uint8)
    place = row = letters = 0
    while True:
        place, row, letters = read_lines(text, place, vectors, row, spelled, letters)
        if place == len(chunk) or not chunk[place:].strip(b"\r\n"):
            break
        end = chunk.index(b"\n", place)
        word, numbers = parse_line(chunk[place:end], dimension, spaced, row)
        vectors[row] = numbers
        spelled[letters : letters + len(word) + 1] = np.frombuffer(word + b"\n", np.uint8)
        place, row, letters = end + 1, row + 1, letters + len(word) + 1
    return Block(decoded(spelled[:letters].tobytes()), vectors[:row])


def decoded(spelled: bytes) -> list[str]:
    """Words, of which each ends with a newline. Raises `MalformedError` for one that is not UTF-8."""
    try:
        return spelled.decode().split("\n")[:-1]
    except UnicodeDecodeError as error:
        row = spelled.count(b"\n", 0, error.start)
        word = spelled.split(b"\n", row + 1)[row]
        raise MalformedError(row, f"the word {_shown(word)} is not UTF-8; convert the file (iconv -t utf-8)") from None


def parse_line(line: bytes, dimension: int, spaced: bool, row: int = 0) -> tuple[bytes, NDArray[np.float32]]:
    """The word and the numbers of one line, by Python's own reading of numbers: what the compiled loop is held to.

    Raises `MalformedError` that says what is wrong.

    >>> parse_line(b"New York 1 -2.5e-1", 2, spaced=True)
    (b'New York', array([ 1.  , -0.25], dtype=float32))
    """
    fields = line.rstrip(b"\r").rstrip(b" ").split(b" ")
    if not fields[0] and not (spaced and any(fields)):
        raise MalformedError(row, "it is empty" if len(fields) == 1 else "it begins with a space: its word is empty")
    first = 1
    if spaced:  # the numbers are the last fields that are not empty
        full = [i for i, field in enumerate(fields) if field]
        first = full[-dimension] if len(full) > dimension else 1
        if first > 1 and NUMBER.fullmatch(fields[first - 1]):
            first = 1
    word, numbers = b" ".join(fields[:first]), [field for field in fields[first:] if field]
    if not word.strip(b" "):
        raise MalformedError(row, "it begins with a space: its word is empty")
    if len(numbers) != dimension:
        raise MalformedError(row, f"it has {len(numbers):,} numbers where there should be {dimension:,}")
    for field in numbers:
        if NOT_FINITE.fullmatch(field):
            raise MalformedError(row, f"{_shown(field)} is not finite; mend the number, or leave out the line")
        if not NUMBER.fullmatch(field):
            raise MalformedError(row, f"{_shown(field)} is not a number")
    with np.errstate(over="ignore"):
        values = np.array([float(field) for field in numbers]).astype(np.float32)
    if not np.isfinite(values).all():
        field = numbers[int(np.argmin(np.isfinite(values)))]
        raise MalformedError(row, f"{_shown(field)} is too large for single precision")
    return word, values


def write_lines(block: Block, *, header: bool, tell: Callable[[int, int], None] | None = None) -> Iterator[bytes]:
    """The lines of a text file, in pieces; numbers as short as they go and still read as the same.

    >>> b"".join(write_lines(Block(["a", "é"], np.array([[1, 0.1], [-2e-9, 0]], np.float32)), header=True)).decode()
    '2 2\\na 1 0.1\\né -2e-09 0\\n'
    """
    words, vectors = block
    if header:
        yield b"%d %d\n" % vectors.shape
    rows = max(1, min(ROWS_AT_ONCE, CHUNK // (100 * vectors.shape[1])))
    parts = [slice(start, min(start + rows, len(words))) for start in range(0, len(words), rows)]
    pieces = _in_order(partial(_written, words[part], vectors[part]) for part in parts)
    for part, piece in zip(parts, pieces, strict=True):
        yield piece
        if tell is not None:
            tell(part.stop, len(words))


def _written(words: list[str], vectors: NDArray[np.float32]) -> bytes:
    """The lines of some words."""
    from throughtime.kernels.decimal import LONGEST, write_numbers

    text, ends = np.empty(LONGEST * vectors.size, np.uint8), np.empty(len(words), np.int64)
    write_numbers(np.array(vectors), text, ends)  # a copy: one kind of array, compiled once
    numbers, places = text[: ends[-1]].tobytes(), [0, *ends.tolist()]
    lines = [word.encode() + numbers[places[i] : places[i + 1]] for i, word in enumerate(words)]
    return b"\n".join([*lines, b""])


def _shown(content: bytes) -> str:
    return ascii(content[:40].decode(errors="replace")) + ("..." if len(content) > 40 else "")
