"""Reading text files: whole, or not at all."""

import hashlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Literal

from throughtime.errors import DataError, nearest


@dataclass(frozen=True)
class Text:
    """A text and what is known of the file it came from."""

    text: str
    bytes: int  # of the file
    sha256: str  # of the file
    skipped_bytes: int = 0  # that were not UTF-8

    def split(self, held_out: float) -> tuple[str, str]:
        """The first part and the last `held_out` of the characters.

        >>> Text("abcdefghij", 10, "").split(0.2)
        ('abcdefgh', 'ij')
        """
        cut = round(len(self.text) * (1 - held_out))
        return self.text[:cut], self.text[cut:]


def beginning(text: str, share: float) -> str:
    """About that share of a text from its beginning on: to the end of a line, if one ends in the second half of it.

    >>> beginning("one\\ntwo\\nthree\\nfour\\n", 0.75)
    'one\\ntwo\\nthree\\n'
    """
    cut = round(len(text) * share)
    return text if share >= 1 else text[: text.rfind("\n", cut // 2, cut) + 1 or cut]


def encoded(text: str) -> bytes:
    """The bytes of a text that was read here: UTF-8, and whatever else the file held.

    >>> encoded("é\\udcff")
    b'\\xc3\\xa9\\xff'
    """
    return text.encode("utf-8", "surrogateescape")


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """A file that exists, open to be read.

    Raises `DataError` when there is no such file, it is a folder, a pipe or a device, or cannot be read, also later.
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise DataError(f"{path} is a pipe or a device, which may have no end; write it to a file and give that")
        file = path.open("rb")
    except FileNotFoundError:
        beside = sorted(entry.name for entry in path.parent.glob("*") if entry.is_file())
        hint = nearest(path.name, beside[:50]) if beside else f"{path.parent} holds no files"
        raise DataError(f"no such file: {path}; {hint}") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder; give a text file") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # a name that no file can have; our own errors are such too
        raise error if isinstance(error, DataError) else DataError(f"cannot read {str(path)!r}: {error}") from None
    with file:
        try:
            yield file
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from None


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that exists and holds some.

    Raises `DataError` as `opened` does, and when the file is empty.
    """
    with opened(path) as file:
        content = file.read()
    if not content:
        raise DataError(f"{path} is empty; give a file with text in it")
    return content


def binary(origin: Path | str, place: int, otherwise: str = "") -> DataError:
    """What to raise when there is a zero byte in the text of a file."""
    return DataError(f"{origin} is binary (a zero byte at {place}); give UTF-8 text{otherwise}")


def not_utf8(origin: Path | str, byte: int, offset: int, line: int) -> DataError:
    """What to raise when a text has a byte that does not fit, where."""
    return DataError(
        f"{origin} is not UTF-8: byte 0x{byte:02x} at offset {offset}, line {line}; "
        "convert it (iconv -t utf-8), or leave such bytes out with --invalid-bytes skip"
    )


def read_raw(path: Path) -> Text:
    """Any file, as text from which `encode("utf-8", "surrogateescape")` gives its bytes back.

    Raises `DataError` as `read_bytes` does.
    """
    content = read_bytes(path)
    return Text(content.decode(errors="surrogateescape"), len(content), hashlib.sha256(content).hexdigest())


def read_text(path: Path, invalid: Literal["refuse", "skip"] = "refuse") -> Text:
    """The text of a UTF-8 file, to the last character; a byte order mark is not part of it.

    With invalid="skip", bytes that are not UTF-8 are left out and counted.

    Raises `DataError` as `read_bytes` does, and when the file is binary or (invalid="refuse") not UTF-8, saying where.
    """
    content = read_bytes(path)
    if b"\0" in content[:65536]:
        raise binary(path, content.index(0), ", or read it with --unit byte")
    digest = hashlib.sha256(content).hexdigest()
    body = content.removeprefix(b"\xef\xbb\xbf")
    if not body:
        raise DataError(f"{path} is empty but for a byte order mark; give a file with text in it")
    try:
        return Text(body.decode(), len(content), digest)
    except UnicodeDecodeError as error:
        if invalid == "refuse":
            line = body.count(b"\n", 0, error.start) + 1
            raise not_utf8(path, body[error.start], error.start + len(content) - len(body), line) from None
    kept = body.decode(errors="ignore")
    skipped = len(body) - len(kept.encode())
    if not kept:
        raise DataError(f"{path} has no UTF-8 text in it: all {skipped} bytes were skipped")
    return Text(kept, len(content), digest, skipped)
