"""Lines to translate, from stdin one at a time, or from a file in blocks; what does not fit is refused or counted."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from throughtime.errors import DataError, printable

if TYPE_CHECKING:
    from throughtime.models.translator import Translator

BLOCK, HELD = 1024, 2**18  # lines and characters of a block, at most; no fewer than one line
LIMIT = 2**20  # characters of a line that we are willing to cut into units


class Line(NamedTuple):
    """A line without the white space around it; one that was left out has no text."""

    number: int
    text: str


Block = list[Line]


@dataclass
class Source:
    """Whether lines fit a translator, and what was counted of them."""

    translator: "Translator"
    on_error: Literal["stop", "skip"]
    lines: int = 0
    empty: int = 0
    units: int = 0
    unknown: int = 0
    skipped: int = 0  # lines that could not be read
    skipped_bytes: int = 0
    bytes: int = 0  # of the file, read so far
    size: int = 0  # of the file
    origin: str = field(default="line", init=False)  # what errors call a line, before its number

    def line(self, number: int, text: str | None) -> Line:
        """A line, counted. `text` is None for one that was left out already.

        Raises `DataError` for one with too many units, or (skip) tells of it and leaves it out.
        """
        self.lines = number
        if text is None:
            return Line(number, "")
        text = text.strip()
        try:
            if len(text) > LIMIT:
                raise DataError(f"it has {len(text):,} characters, and {LIMIT:,} is the limit: part it")
            units, unknown = len(self.translator.read(text)) - 1, self.translator.unknown(text)
        except DataError as error:
            self.refuse(number, error)
            return Line(number, "")
        self.empty += not text
        self.units += units
        self.unknown += unknown
        return Line(number, text)

    def refuse(self, number: int, error: DataError) -> None:
        """Raises the error with the line's number, or (skip) tells it and counts."""
        told = f"{self.origin} {number}: {error}"
        if self.on_error == "stop":
            raise DataError(f"{told}; or leave its row empty with --on-error skip") from None
        self.skipped += 1
        sys.stderr.write(f"throughtime: {printable(' '.join(told.split()))}; its row is empty\n")

    def counted(self) -> str:
        """How many lines there were, and of how many units."""
        kind = self.translator.source_units.kind
        return f"{self.lines:,} lines, {self.empty:,} of them empty; {self.units:,} {kind}s"

    def told(self) -> list[str]:
        """What was met and is not there as it was, in sentences."""
        notes = []
        if self.unknown:
            kind = self.translator.source_units.kind
            notes.append(f"{self.unknown:,} of {self.units:,} source {kind}s are not in the vocabulary: read as <unk>")
        if self.skipped:
            notes.append(f"{self.skipped:,} lines could not be read; their rows are empty")
        if self.skipped_bytes:
            notes.append(f"{self.skipped_bytes:,} bytes that are not UTF-8 were skipped")
        return notes


def of_stdin(source: Source) -> Iterator[Block]:
    """Each line of stdin as a block of its own; a line that is left out has its block too.

    Raises `DataError` as `Source` does, and for what is not UTF-8.
    """
    from throughtime.cli.stream import Lines

    lines = Lines(sys.stdin.buffer, source.on_error)
    for text in lines:
        yield from _left_out(source, lines.number - 1)
        yield [source.line(lines.number, text)]
    yield from _left_out(source, lines.number)
    source.skipped += lines.skipped


def _left_out(source: Source, until: int) -> Iterator[Block]:
    """The lines that could not be read, from after the last one on."""
    for number in range(source.lines + 1, until + 1):
        yield [source.line(number, None)]


def of_file(source: Source, path: Path, invalid_bytes: Literal["refuse", "skip"]) -> Iterator[Block]:
    """The lines of a file in blocks, however many there are.

    Raises `DataError` for a file that is missing, a folder, binary, not UTF-8, or empty, and as `Source` does.
    """
    from throughtime.data.lines import Lines

    lines = Lines(path, invalid_bytes=invalid_bytes)
    source.origin = lines.origin
    source.size = path.stat().st_size if path.is_file() else 0
    block, held = list[Line](), 0
    for number, text in enumerate(lines, 1):
        block.append(source.line(number, text))
        held += len(block[-1].text)
        source.bytes, source.skipped_bytes = lines.bytes, lines.skipped_bytes
        if len(block) == BLOCK or held >= HELD:
            yield block
            block, held = [], 0
    if not source.lines:
        raise DataError(f"{path} is empty; give a file with a line to translate in it")
    if block:
        yield block


def one_line(text: str) -> str:
    """A text with spaces for whatever would end its line or cell: a model of characters may say anything.

    >>> one_line("a\\nb\\tc")
    'a b c'
    """
    return text.replace("\n", " ").replace("\r", " ").replace("\t", " ")
