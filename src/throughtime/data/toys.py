"""Small sets of data that are made here: what they are, and the file of each. The same call makes the same bytes."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from throughtime.data.balls import bouncing_balls
from throughtime.errors import ArgumentError, StorageError, nearest


class Toy(NamedTuple):
    """A set of data that can be made."""

    name: str
    about: str
    make: Callable[[], tuple[list[str], Iterable[Iterable[Any]]]]  # the names of columns, and rows


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


TOYS = (
    Toy("passing", "hours of study and lectures attended of 200 students, and who passed", passing),
    Toy("balls", "where 200 balls that bounce about in a box are at 60 moments", balls),
)


def make_toy(name: str, out: Path) -> Path:
    """Makes a set of data as a CSV file in a folder, and tells where it lies.

    Raises `ArgumentError` for a name that is not known, `StorageError` when the file cannot be written.
    """
    toy = next((toy for toy in TOYS if toy.name == name), None)
    if toy is None:
        raise ArgumentError(f"no data {name!a:.80} can be made; {nearest(name, [toy.name for toy in TOYS])}")
    path = out / f"{name}.csv"
    names, rows = toy.make()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([names, *rows])
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; choose another --out") from error
    return path
