"""throughtime stream RUN: a line on stdin, an answer on stdout at once, its state carried from line to line."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import tyro

from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, DataError, printable

if TYPE_CHECKING:
    from throughtime.runs import Live

LIMIT = 2**20  # bytes of a line that we are willing to hold


@dataclass
class Options:
    """Reads stdin line by line and answers each line at once; what is remembered is carried from line to line."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="a run folder")]
    on_error: Annotated[
        Literal["stop", "skip"], tyro.conf.arg(help="what a line that does not fit does: end it all, or be left out")
    ] = "stop"
    json: Annotated[bool, tyro.conf.arg(help="JSON lines, each with the number of its line of input")] = False


@dataclass
class Lines:
    """The lines of a stream of bytes, however long it goes on: no more than one is held, and of that no more than fits.

    What is no line of text is counted, and told on stderr if it is skipped.
    """

    stream: BinaryIO
    on_error: Literal["stop", "skip"]
    number: int = field(default=0, init=False)  # of the last line
    skipped: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[str]:
        while line := self.stream.readline(LIMIT + 1):
            self.number += 1
            try:
                yield self._text(line)
            except DataError as error:
                self.refuse(error)

    def _text(self, line: bytes) -> str:
        """Raises `DataError` for what is too long, or not UTF-8."""
        if len(line) > LIMIT:
            while line and not line.endswith(b"\n"):
                line = self.stream.readline(LIMIT) if self.on_error == "skip" else b""
            raise DataError(f"it has over {LIMIT:,} bytes; cut it into shorter ones")
        try:
            text = line.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"byte {line[error.start]:#04x} at {error.start + 1} is not UTF-8; write it so") from None
        return text.removesuffix("\n").removesuffix("\r")

    def refuse(self, error: DataError) -> None:
        """Raises the error with the line's number, or (skip) tells it and goes on."""
        told = f"line {self.number}: {error}"
        if self.on_error == "stop":
            raise DataError(f"{told}; or leave such lines out with --on-error skip") from None
        self.skipped += 1
        sys.stderr.write(f"throughtime: {printable(' '.join(told.split()))}; skipped\n")


def command(words: list[str]) -> int:
    """Answers."""
    options = parse(Options, words, "stream")
    if sys.stdin is None:
        raise ArgumentError("stream reads stdin, which is closed; pipe lines into it")
    from throughtime import folder
    from throughtime.runs import application_of, find_whole, recipe_of

    home = find_whole(options.run)
    folder.check_files(home)
    recipe = recipe_of(home)
    application = application_of(recipe)
    live = application.stream(application.load(home, recipe), recipe)
    if sys.stdin.isatty():
        sys.stderr.write(f"Type {live.wants} and press Enter; Ctrl-D ends.\n")
    lines = Lines(sys.stdin.buffer, options.on_error)
    answered = _answer(live, lines, json_lines=options.json)
    if lines.skipped:
        sys.stderr.write(f"{lines.number:,} lines, {answered:,} answers; {lines.skipped:,} lines skipped\n")
    return 0


def _answer(live: "Live", lines: Lines, *, json_lines: bool) -> int:
    """Says of each line what there is to say; the end ends what the lines before it began, as an empty line does."""
    answered, last = 0, ""
    for last in lines:
        answered += _say(live, last, lines, json_lines=json_lines)
    return answered + (_say(live, "", lines, json_lines=json_lines) if last else 0)


def _say(live: "Live", line: str, lines: Lines, *, json_lines: bool) -> bool:
    """Whether there was anything to say."""
    try:
        facts = live.take(line)
    except DataError as error:
        lines.refuse(error)
        return False
    if facts is None:
        return False
    terminal = sys.stdout.isatty()
    if json_lines:
        said = json.dumps({"line": lines.number, **facts}, ensure_ascii=terminal, allow_nan=False)
    else:  # a name from a file steers no terminal
        said = live.plain(facts)
        said = "\n".join(printable(row.expandtabs()) for row in said.split("\n")) if terminal else said
    sys.stdout.write(said + "\n")
    sys.stdout.flush()
    return True
