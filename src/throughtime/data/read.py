"""Reading text files: whole, or not at all."""

import hashlib
from dataclasses import dataclass
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


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that exists and holds some.

    Raises `DataError` when there is no such file, it is a folder, cannot be read or is empty.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        beside = sorted(entry.name for entry in path.parent.glob("*") if entry.is_file())
        hint = nearest(path.name, beside[:50]) if beside else f"{path.parent} holds no files"
        raise DataError(f"no such file: {path}; {hint}") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder; give a text file") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if not content:
        raise DataError(f"{path} is empty; give a file with text in it")
    return content


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
        raise DataError(
            f"{path} is binary (a zero byte at {content.index(0)}); give UTF-8 text, or read it with --unit byte"
        )
    digest = hashlib.sha256(content).hexdigest()
    body = content.removeprefix(b"\xef\xbb\xbf")
    if not body:
        raise DataError(f"{path} is empty but for a byte order mark; give a file with text in it")
    try:
        return Text(body.decode(), len(content), digest)
    except UnicodeDecodeError as error:
        if invalid == "refuse":
            line = body.count(b"\n", 0, error.start) + 1
            offset = error.start + len(content) - len(body)
            raise DataError(
                f"{path} is not UTF-8: byte 0x{body[error.start]:02x} at offset {offset}, line {line}; "
                "convert it (iconv -t utf-8), or leave such bytes out with --invalid-bytes skip"
            ) from None
    kept = body.decode(errors="ignore")
    skipped = len(body) - len(kept.encode())
    if not kept:
        raise DataError(f"{path} has no UTF-8 text in it: all {skipped} bytes were skipped")
    return Text(kept, len(content), digest, skipped)
