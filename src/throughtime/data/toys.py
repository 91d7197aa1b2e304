"""Small sets of data that are made here: what they are, and their files. The same call makes the same bytes."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from throughtime.data.balls import bouncing_balls
from throughtime.data.dates import date_pairs
from throughtime.data.splits import shuffled
from throughtime.errors import ArgumentError, StorageError, nearest
from throughtime.folder import cannot_write, write_file

DATES = {"train": 40_000, "valid": 2_000, "test": 2_000}  # pairs of each part
DIGITS = {"train": 20_000, "valid": 1_000, "test": 1_000}
LONGEST = 20  # digits of a line

Rows = Iterable[Iterable[Any]]


class Toy(NamedTuple):
    """A set of data that can be made."""

    name: str
    about: str
    make: Callable[[], dict[str, tuple[list[str], Rows]]]  # by the name of each file, the names of columns, and rows


def one_file(name: str, make: Callable[[], tuple[list[str], Rows]]) -> Callable[[], dict[str, tuple[list[str], Rows]]]:
    """What makes a set of data that is one file."""
    return lambda: {name: make()}


def passing() -> tuple[list[str], list[list[Any]]]:
    """Hours of study and lectures attended of 200 students, and who passed: will I pass this class?

    Formula: P(pass) = σ(0.6 hours + 0.8 lectures − 9.3); hours are uniform in 0..15, lectures in 0, 1, ..., 12.
    """
    chance = np.random.default_rng(0)
    hours, lectures = np.round(chance.uniform(0, 15, 200), 1), chance.integers(0, 13, 200)
    passed = chance.uniform(size=200) < 1 / (1 + np.exp(9.3 - 0.6 * hours - 0.8 * lectures))
    rows = zip(hours.tolist(), lectures.tolist(), passed, strict=True)
    return ["hours", "lectures", "result"], [[h, k, "pass" if well else "fail"] for h, k, well in rows]


def balls() -> tuple[list[str], list[list[Any]]]:
    """Where 200 balls that bounce about in a box are at 60 moments: where will they go next?"""
    ways = bouncing_balls(200, 60)
    return ["ball", "step", "x", "y"], [
        [ball, step, f"{x:.6f}", f"{y:.6f}"]
        for ball, way in enumerate(ways)
        for step, (x, y) in enumerate(way.tolist())
    ]


def dates() -> dict[str, tuple[list[str], Rows]]:
    """Dates in ten languages and twenty formats, and what they are in ISO 8601; no date is in two files."""
    return _files(date_pairs(DATES))


def digits(name: str, change: Callable[[list[str]], Iterable[str]]) -> dict[str, tuple[list[str], Rows]]:
    """Lines of 1 to 20 digits, and what becomes of each; all lines differ, so that none is in two files.

    Lengths take turns; lines of a length that has no more of them are missed out.
    """
    lines, turn = dict[tuple[str, ...], None](), 0
    while len(lines) < sum(DIGITS.values()):
        chance = int.from_bytes(hashlib.sha256(f"{name} {turn}".encode()).digest())
        lines[tuple(f"{chance:077d}"[-1 - turn % LONGEST :])] = None
        turn += 1
    every = list(lines)
    pairs = [(" ".join(line), " ".join(change(list(line)))) for line in (every[i] for i in shuffled(len(every), 0))]
    ends = np.cumsum(list(DIGITS.values())).tolist()
    return _files({part: pairs[end - count : end] for (part, count), end in zip(DIGITS.items(), ends, strict=True)})


def _files(parts: dict[str, list[tuple[str, str]]]) -> dict[str, tuple[list[str], Rows]]:
    return {f"{part}.tsv": (["source", "target"], pairs) for part, pairs in parts.items()}


TOYS = (
    Toy(
        "passing",
        "hours of study and lectures attended of 200 students, and who passed",
        one_file("passing.csv", passing),
    ),
    Toy("balls", "where 200 balls that bounce about in a box are at 60 moments", one_file("balls.csv", balls)),
    Toy("dates", "dates in 10 languages and 20 formats, and in ISO 8601 (train, valid, test)", dates),
    Toy("copy", "1 to 20 digits, and the same again (train, valid, test)", lambda: digits("copy", list)),
    Toy(
        "reverse",
        "1 to 20 digits, and the last first (train, valid, test)",
        lambda: digits("reverse", lambda line: line[::-1]),
    ),
    Toy("sort", "1 to 20 digits, and the smallest first (train, valid, test)", lambda: digits("sort", sorted)),
)


def make_toy(name: str, out: Path | None = None) -> list[Path]:
    """Makes a set of data in a folder, as CSV, or as TSV in which nothing is quoted, and tells where its files lie.

    The folder is `data`, and one in it for what has several files, unless it is given. Files are written whole.

    Raises `ArgumentError` for a name that is not known, `StorageError` when a file cannot be written, or is there
    already and holds something else; nothing is written then.
    """
    toy = next((toy for toy in TOYS if toy.name == name), None)
    if toy is None:
        raise ArgumentError(f"no data {name!a:.80} can be made; {nearest(name, [toy.name for toy in TOYS])}")
    files = toy.make()
    folder = out or (Path("data") / name if len(files) > 1 else Path("data"))
    bodies = {folder / file_name: _body(file_name, names, rows) for file_name, (names, rows) in files.items()}
    new = [path for path, body in bodies.items() if not _is_there(path, body)]
    for path in new:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        write_file(path, bodies[path])
    return list(bodies)


def _body(name: str, names: list[str], rows: Rows) -> bytes:
    """A file as it is written."""
    text = io.StringIO()
    if name.endswith(".tsv"):
        text.writelines("\t".join(map(str, row)) + "\n" for row in [names, *rows])
    else:
        csv.writer(text, lineterminator="\n").writerows([names, *rows])
    return text.getvalue().encode()


def _is_there(path: Path, body: bytes) -> bool:
    """Whether a file is there as it would be written. Raises `StorageError` for one that is not."""
    if not path.exists():
        return False
    if path.is_file() and path.stat().st_size == len(body) and path.read_bytes() == body:
        return True
    raise StorageError(f"{path} is there and holds something else; choose another --out, or move it away")
