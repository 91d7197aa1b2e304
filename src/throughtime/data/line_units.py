"""What a line is cut into, and back: units with an end, for lines that are read and lines that are written."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np

from throughtime.data.units import (
    END,
    UNKNOWN,
    Ids,
    Kind,
    SubwordUnits,
    Units,
    learn_units,
    units_from_json,
    unknown_among,
)
from throughtime.errors import ArgumentError, DataError, printable

SPACE = "\N{OPEN BOX}"  # which shows where a space is


class LineUnits:
    """Units of lines; the end of a line is one of the V ids, and stands before the first unit of a target as well.

    Where the units have no end of their own, it is one id more. Characters that are known, subwords and bytes give a
    line back as it was, words with one space between; what is unknown comes back as U+FFFD or `<unk>`.

    >>> units = LineUnits.learn("character", ["abba", "cab"])
    >>> units.encode("cab?").tolist(), units.end, len(units), units.decode([3, 1, 2, 4, 1])
    ([3, 1, 2, 0], 4, 5, 'cab')
    """

    def __init__(self, units: Units) -> None:
        self.units, self.kind, self.unknown = units, units.kind, units.unknown
        self.end = len(units) if units.end is None else units.end

    @classmethod
    def learn(
        cls, kind: Kind, lines: Iterable[str], *, minimum_count: int = 1, maximum_vocab: int | None = None
    ) -> "LineUnits":
        """Units of a kind, learned from lines. Raises as `learn_units` does."""
        text = ("" if kind == "character" else "\n").join(lines)
        return cls(learn_units(kind, text, minimum_count=minimum_count, maximum_vocab=maximum_vocab))

    def __len__(self) -> int:
        return len(self.units) + (self.units.end is None)

    def encode(self, line: str) -> Ids:
        """The ids of a line, without the end; an end that is written out in it (`<eos>` among words) is unknown.

        Raises `DataError` for a line feed, and as the units do.
        """
        if "\n" in line:
            raise DataError(f"a line ends at its line feed, and {printable(line)[:80]!r} goes on after one; part it")
        ids = self.units.encode(line)
        return np.where(ids == self.end, np.int32(0), ids) if self.kind == "word" else ids

    def ended(self, ids: Ids) -> Ids:
        """The ids of a line and its end."""
        return np.append(ids, np.int32(self.end))

    def decode(self, ids: Iterable[int] | Ids) -> str:
        """The line of ids, up to its end if that is among them."""
        return "".join(self.units.pieces(takewhile(lambda i: i != self.end, map(int, ids))))

    def judged(self, line: str) -> tuple[str, ...]:
        """What a line is compared by and its errors are counted in: characters where these are the units, or words.

        >>> LineUnits.learn("word", ["a"]).judged("a  cat"), LineUnits.learn("character", ["a"]).judged("cat")
        (('a', 'cat'), ('c', 'a', 't'))
        """
        return tuple(line) if self.kind == "character" else tuple(line.split())

    @cached_property
    def spelling(self) -> tuple[bytes, ...]:
        """The bytes that each id adds to a line, in UTF-8; before words a space, of the end none.

        >>> LineUnits.learn("word", ["the cat"]).spelling
        (b' <unk>', b'', b' cat', b' the')
        """
        return tuple(b"" if i == self.end else self._raw(i) for i in range(len(self)))

    def _raw(self, i: int) -> bytes:
        if isinstance(self.units, SubwordUnits):
            return self.units.raw(i)
        text = "".join(self.units.pieces([i])).encode("utf-8", "surrogatepass")
        return bytes([i]) if self.kind == "byte" else b" " + text if self.kind == "word" else text

    def names(self, ids: Iterable[int] | Ids) -> list[str]:
        """What each id is called, for people: spaces are seen, and bytes that are no character are numbers.

        >>> LineUnits.learn("byte", []).names([97, 32, 195, 256])
        ['a', '␣', '0xc3', '<eos>']
        """
        return [self._name(int(i)) for i in ids]

    def _name(self, i: int) -> str:
        if i == self.end:
            return END
        if i == self.unknown:
            return UNKNOWN
        if self.kind in ("byte", "subword"):
            raw = self._raw(i)
            try:
                text = raw.decode()
            except UnicodeDecodeError:
                return f"0x{raw.hex()}"
        else:
            text = "".join(self.units.pieces([i]))
        return printable(text.replace(" ", SPACE))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return self.units.to_json()

    @classmethod
    def from_json(cls, content: Any) -> "LineUnits":
        """Units as `to_json` gave them. Raises `RunError` for anything else."""
        return cls(units_from_json(content))


def learn_both(
    kinds: tuple[Kind, Kind],
    sources: Sequence[str],
    targets: Sequence[str],
    *,
    shared: bool = False,
    minimum_count: int = 1,
    maximum_vocab: int | None = None,
) -> tuple[LineUnits, LineUnits]:
    """Units of sources and of targets, learned from each; shared, the same ones from both.

    >>> source, target = learn_both(("character", "word"), ["abe"], ["EY B"])
    >>> len(source), len(target)
    (5, 4)

    Raises `ArgumentError` when kinds that differ are to be shared, else as `learn_units` does.
    """
    if shared and kinds[0] != kinds[1]:
        raise ArgumentError(f"units that are shared are of one kind; got {kinds[0]} and {kinds[1]}: leave sharing out")
    if shared:
        both = LineUnits.learn(kinds[0], [*sources, *targets], minimum_count=minimum_count, maximum_vocab=maximum_vocab)
        return both, both
    source, target = (
        LineUnits.learn(kind, lines, minimum_count=minimum_count, maximum_vocab=maximum_vocab)
        for kind, lines in zip(kinds, (sources, targets), strict=True)
    )
    return source, target


class Encoded(NamedTuple):
    """Lines as ids, and what was met in them."""

    ids: list[Ids]  # of each line, without its end
    units: int  # of all lines, without their ends
    unknown: int  # of these
    longest: int  # units of the longest line; 0 of none

    def facts(self) -> dict[str, int]:
        """The counts by name."""
        return {"units": self.units, "unknown": self.unknown, "longest": self.longest}


def encode_lines(units: LineUnits, lines: Iterable[str]) -> Encoded:
    """Lines as ids, counted.

    >>> encode_lines(LineUnits.learn("word", ["the cat"]), ["the dog", "cat"]).facts()
    {'units': 3, 'unknown': 1, 'longest': 2}
    """
    ids = [units.encode(line) for line in lines]
    lengths = [len(line) for line in ids]
    unknown = sum(unknown_among(line, units.unknown) for line in ids)
    return Encoded(ids, sum(lengths), unknown, max(lengths, default=0))
