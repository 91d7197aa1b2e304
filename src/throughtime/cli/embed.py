"""throughtime embed RUN FILE: the vector of each line of a file, in their order."""

import heapq
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from throughtime.cli.bar import bar
from throughtime.cli.listen import leaving
from throughtime.cli.parse import parse
from throughtime.errors import ArgumentError, DataError, StorageError, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from throughtime.data.lines import Lines
    from throughtime.runs.embeddings import Vectors

BLOCK, HELD = 1024, 2**20  # lines and characters of a block, at most; no fewer than one line
LIMIT = 2**17  # characters of a line that we are willing to embed

Block = tuple[int, list[str], "NDArray[np.float32]"]  # the place of the first line, the lines, and their vectors


@dataclass
class Options:
    """Gives the vector of each line of a file: a line each on stdout, or an array; an empty line has zeros."""

    run: Annotated[
        tyro.conf.Positional[Path],
        tyro.conf.arg(metavar="RUN", help="a run of train sentences, or classify, translate"),
    ]
    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE", help="a sentence a line (.gz too)")]
    out: Annotated[Path | None, tyro.conf.arg(help="write the vectors into this .npy file, a row each")] = None
    normalise: Annotated[bool, tyro.conf.arg(help="make each vector of length one")] = False
    nearest: Annotated[
        str | None, tyro.conf.arg(help="give the lines whose vectors are nearest to that of this text, by the cosine")
    ] = None
    count: Annotated[int | None, tyro.conf.arg(help="of --nearest: how many lines (10)")] = None
    invalid_bytes: Annotated[
        Literal["refuse", "skip"], tyro.conf.arg(help="bytes that are not UTF-8: refuse the file, or skip them")
    ] = "refuse"
    json: Annotated[bool, tyro.conf.arg(help="JSON lines, each with its text")] = False


def command(words: list[str]) -> int:
    """Embeds."""
    options = parse(Options, words, "embed")
    _check(options)
    from throughtime.data.lines import Lines
    from throughtime.runs.embeddings import vectors_of

    vectors = vectors_of(options.run)
    lines = Lines(options.file, invalid_bytes=options.invalid_bytes)
    count = sum(1 for _ in lines)
    if not count:
        raise DataError(f"{options.file} is empty; give a file with a sentence a line")
    told = _Told(lines, count)
    with leaving(), bar("embedding") as tell:
        blocks = told.watched(_blocks(vectors, lines, normalise=options.normalise), tell)
        if options.nearest is not None:
            _say_nearest(_nearest(vectors, blocks, options.nearest, options.count or 10), as_json=options.json)
        elif options.out is not None:
            with _array(options.out, count, vectors.width) as array:
                for first, texts, found in blocks:
                    array[first : first + len(texts)] = found
        else:
            for block in blocks:
                _say(block, as_json=options.json)
    sys.stdout.flush()
    sys.stderr.write(f"{told.sentence()}, {vectors.width:,} numbers each\n")
    return 0


def _check(options: Options) -> None:
    """Refuses before any work what does not go together, or cannot be written."""
    if options.count is not None and options.nearest is None:
        raise ArgumentError(f"--count {options.count} is of --nearest, which is not given")
    if options.count is not None and options.count < 1:
        raise ArgumentError(f"--count must be at least 1; got {options.count}")
    if options.nearest is not None and not options.nearest.strip():
        raise ArgumentError("--nearest has no words; give it a sentence")
    for name, value in (("out", options.out), ("normalise", options.normalise or None)):
        if options.nearest is not None and value is not None:
            raise ArgumentError(f"--nearest gives lines and no vectors: leave --{name} out")
    out = options.out
    if out is not None and options.json:
        raise ArgumentError("--json is of what stdout gets, and --out writes an array: leave one of them out")
    if out is not None and out.suffix.lower() != ".npy":
        raise ArgumentError(f"--out is an .npy file; got {str(out)!a:.120}")
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        problem = "it is a folder" if out.is_dir() else f"there is no folder {out.parent}"
        raise StorageError(f"cannot write {out}: {problem}; choose another --out")


class _Told:
    """What is told while lines go by, and after the last."""

    def __init__(self, lines: "Lines", count: int) -> None:
        self.lines, self.count, self.empty = lines, count, 0

    def watched(self, blocks: Iterator[Block], tell: Any) -> Iterator[Block]:
        """The blocks. Raises `DataError` when there are not as many lines as there were at first."""
        done = 0
        for first, block, found in blocks:
            done = first + len(block)
            if done > self.count:
                break
            self.empty += sum(not line.strip() for line in block)
            yield first, block, found
            tell(done, self.count, f"{done:,} lines")
        if done != self.count:
            raise DataError(f"{self.lines.path} was changed while it was read; run this again when it is whole")

    def sentence(self) -> str:
        """How many lines there were, and what was left out of them."""
        skipped = self.lines.skipped_bytes
        told = f", {skipped:,} bytes that are not UTF-8 skipped" if skipped else ""
        return f"{self.count:,} lines, {self.empty:,} of them empty{told}"


def _blocks(vectors: "Vectors", lines: "Lines", *, normalise: bool) -> Iterator[Block]:
    """Lines in blocks, with their vectors. Raises `DataError` for one that is too long, or has no finite vector."""
    import numpy as np

    from throughtime.models.pooled import normalised

    first = 0
    for block in _gathered(lines):
        found = np.zeros((len(block), vectors.width), np.float32)
        filled = [place for place, line in enumerate(block) if line.strip()]
        if filled:
            found[filled] = _embedded(vectors, block, filled, lines, first)
        wrong = np.flatnonzero(~np.isfinite(found).all(1))
        if len(wrong):
            raise DataError(f"{lines.origin} {first + wrong[0] + 1}: its vector is no number; leave the line out")
        yield first, block, normalised(found) if normalise else found
        first += len(block)


def _embedded(vectors: "Vectors", block: list[str], filled: list[int], lines: "Lines", first: int) -> Any:
    """The vectors of some lines of a block. Raises `DataError` that tells the line, for one that cannot be read."""
    try:
        return vectors.embed([block[place] for place in filled])
    except DataError:
        for place in filled:
            try:
                vectors.embed([block[place]])
            except DataError as error:
                raise DataError(f"{lines.origin} {first + place + 1}: {error}") from None
        raise


def _gathered(lines: "Lines") -> Iterator[list[str]]:
    block, held = list[str](), 0
    for number, line in enumerate(lines, 1):
        if len(line) > LIMIT:
            many = f"{lines.origin} {number} has {len(line):,} characters"
            raise DataError(f"{many}, over the {LIMIT:,} that are read as a sentence; cut it into sentences")
        block.append(line)
        held += len(line)
        if len(block) == BLOCK or held >= HELD:
            yield block
            block, held = [], 0
    if block:
        yield block


@contextmanager
def _array(path: Path, rows: int, width: int) -> "Iterator[NDArray[np.float32]]":
    """An array on the disk to be filled, which has its name only when it is whole."""
    import numpy as np

    temporary = path.with_name(f".{path.name}.partial")
    try:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=(rows, width))
        if hasattr(os, "posix_fallocate"):  # now, for a full disk kills whoever writes into a hole of a file
            with temporary.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        yield array
        array.flush()
        temporary.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another --out") from error
    finally:
        temporary.unlink(missing_ok=True)


def _say(block: Block, *, as_json: bool) -> None:
    first, texts, found = block
    for number, text, vector in zip(range(first + 1, first + len(texts) + 1), texts, found, strict=True):
        if as_json:
            facts = {"line": number, "text": text, "vector": vector.tolist()}
            sys.stdout.write(json.dumps(facts, ensure_ascii=sys.stdout.isatty()) + "\n")
        else:
            sys.stdout.write("\t".join(f"{number:.9g}" for number in vector) + "\n")


def _nearest(vectors: "Vectors", blocks: Iterator[Block], text: str, count: int) -> list[tuple[float, int, str]]:
    """The lines that are nearest to a text, each with its cosine and its number; of as near ones the first."""
    from throughtime.models.pooled import normalised

    (wanted,) = normalised(vectors.embed([text]))
    best: list[tuple[float, int, str]] = []
    for first, texts, found in blocks:
        cosines = (normalised(found) @ wanted).tolist()
        some = ((cosine, -place, line) for place, (cosine, line) in enumerate(zip(cosines, texts, strict=True), first))
        best = heapq.nlargest(count, [*best, *(one for one in some if one[2].strip())])
    return [(cosine, 1 - place, line) for cosine, place, line in best]


def _say_nearest(found: list[tuple[float, int, str]], *, as_json: bool) -> None:
    for cosine, number, line in found:
        if as_json:
            facts = {"line": number, "text": line, "cosine": cosine}
            sys.stdout.write(json.dumps(facts, ensure_ascii=sys.stdout.isatty()) + "\n")
        else:
            safe = printable(line.expandtabs()) if sys.stdout.isatty() else line
            sys.stdout.write(f"{cosine:.4f}\t{number}\t{safe}\n")
