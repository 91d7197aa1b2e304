"""Word vectors in word2vec's binary form: a header, and for each word its letters, a space and numbers of 4 bytes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from throughtime.errors import DataError
from throughtime.vectors.lines import Block, Growing, MalformedError, decoded, header_of, opened
from throughtime.vectors.store import file_size

CHUNK = 8 * 2**20  # bytes that are read at once
LONGEST_WORD = 2**16  # bytes
ROWS_AT_ONCE = 4096  # of a table that is written
FASTTEXT = (793712314).to_bytes(4, "little")  # the first bytes of fastText's models


def read_records(path: Path, tell: Callable[[int, int], None] | None = None) -> Block:
    """The words and vectors of a binary file of word2vec; a newline after each vector is there or not.

    Raises `DataError` with the number of the first word that is malformed, and when the file is cut short.
    """
    size = file_size(path)
    with opened(path) as file:
        start = file.readline(1024)
        if start.startswith(FASTTEXT):
            raise DataError(f"{path} is a model of fastText, not word2vec's binary form; convert its .vec file")
        rows, dimension = header_of(path, start)
        if rows * (4 * dimension + 2) > size:
            raise DataError(f"{path}: {rows:,} words of {dimension:,} numbers do not fit into {size:,} bytes")
        grown, kept = Growing(rows, dimension), b""
        while len(grown.words) < rows:
            piece = file.read(max(CHUNK, 4 * dimension + LONGEST_WORD))
            try:
                block, kept = _parsed(kept + piece, rows - len(grown.words), dimension, last=not piece)
            except MalformedError as error:
                raise DataError(f"{path}, word {len(grown.words) + error.row + 1:,}: {error}") from None
            grown.add(block)
            if tell is not None:
                tell(file.tell(), size)
        if (kept + file.read(2)).strip(b"\r\n"):
            raise DataError(f"{path} goes on after the {rows:,} words that its header tells")
    return grown.whole()


def _parsed(content: bytes, most: int, dimension: int, last: bool) -> tuple[Block, bytes]:
    """The words and vectors that are whole in these bytes, and the bytes that are left."""
    from throughtime.kernels.decimal import read_records as read

    most = min(most, len(content) // (4 * dimension + 2) + 1)
    vectors, spelled = np.empty((most, dimension), np.float32), np.empty(len(content) + 1, np.uint8)
    place, rows, letters = read(np.frombuffer(content, np.uint8), 0, vectors, 0, spelled, 0)
    words, left = decoded(spelled[:letters].tobytes()), content[place:]
    finite = np.isfinite(vectors[:rows]).all(1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise MalformedError(row, f"the vector of {words[row]!a:.80} has numbers that are not finite")
    if rows < most:
        _check_start(left.removeprefix(b"\n"), rows, last)
    return Block(words, vectors[:rows]), left


def _check_start(record: bytes, row: int, last: bool) -> None:
    """Raises `MalformedError` unless this is the beginning of a record of which more is to come."""
    word, _, _ = record[:LONGEST_WORD].partition(b" ")
    if b"\n" in word or record.startswith(b" "):
        raise MalformedError(row, f"{word[:40].decode(errors='replace')!a} is empty or has a newline in it")
    if len(word) == LONGEST_WORD:
        raise MalformedError(row, f"it has over {LONGEST_WORD:,} bytes")
    if last:
        raise MalformedError(row, "the file ends before its numbers do: it was cut short")


def write_records(block: Block, tell: Callable[[int, int], None] | None = None) -> Iterator[bytes]:
    """A binary file in pieces, with a newline after each vector, as the original program writes them."""
    words, vectors = block
    yield b"%d %d\n" % vectors.shape
    for start in range(0, len(words), ROWS_AT_ONCE):
        numbers = np.ascontiguousarray(vectors[start : start + ROWS_AT_ONCE], "<f4").tobytes()
        size = 4 * vectors.shape[1]
        some = words[start : start + ROWS_AT_ONCE]
        records = [word.encode() + b" " + numbers[i * size : (i + 1) * size] for i, word in enumerate(some)]
        yield b"\n".join([*records, b""])
        if tell is not None:
            tell(start + len(some), len(words))
