"""Classes, or tags, that are to be learned: some and not too many, and none that is held out only."""

from __future__ import annotations

import json
from collections.abc import Collection

from throughtime.errors import DataError
from throughtime.recipes.fields import MOST_CLASSES

NAME_BYTES = 2**19  # of the names of all of them: data.json, which has them, is bounded


def size_of(names: Collection[str]) -> int:
    """The bytes that names take in data.json."""
    return sum(len(json.dumps(name)) for name in names)


def check_classes(names: Collection[str], *, way: str, what: tuple[str, str] = ("class", "classes")) -> None:
    """Raises `DataError` for fewer than two classes, or for too many, with a way out.

    >>> check_classes({"good", "bad"}, way="give another --label-column")
    """
    if len(names) < 2:
        name = f", {min(names)!a:.80}" if names else ""
        raise DataError(f"what is to be learned from has one {what[0]} only{name}: nothing is to be told apart; {way}")
    size, many = size_of(names), what[1]
    if len(names) > MOST_CLASSES or size > NAME_BYTES:
        raise DataError(
            f"{len(names):,} {many} with {size:,} bytes of names are over {MOST_CLASSES:,} or {NAME_BYTES:,}: "
            f"{many} are few and short; {way}"
        )


def check_known(learned: Collection[str], others: Collection[str], where: str = "the held-out part") -> None:
    """Raises `DataError` for a label of others that cannot be learned."""
    new = min(set(others).difference(learned), default=None)
    if new is not None:
        raise DataError(
            f"label {new!a:.80} is in {where} only, so that it cannot be learned: "
            "add examples that have it to learn from, or leave it out"
        )
