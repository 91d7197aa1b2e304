"""What a model is wrong about: the surest mistakes first, each with the words, or the times, that mattered."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, groupby
from re import finditer
from typing import Any, NamedTuple
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from throughtime.data.units import Units
from throughtime.errors import printable
from throughtime.inspect.attribution import Claim, before, odds
from throughtime.inspect.questions import By
from throughtime.metrics.mistakes import Wrong

JOINED = 12  # units between white space that are marked as one word
STRONG = 0.2  # share of the strongest weight below which a word is not marked
MARKED = 5  # words of a line of text, at most
SHORT, AROUND = 160, 16  # pieces of a text that is shown whole, and those around each mark in a longer one
STRETCHES = 20  # of time, of which the strongest are named


class Word(NamedTuple):
    """A piece of a text and how much it moved the answer."""

    text: str
    weight: float
    place: int  # of its first unit; -1 of what is no unit


def claim_of(wrong: Wrong) -> Claim:
    """How far an answer is before the truth, in nats."""
    return odds(wrong.label, denied=wrong.denied) if wrong.rival is None else before(wrong.label, wrong.rival)


@dataclass(frozen=True)
class Mistake:
    """A mistake, and what speaks for it and against it.

    parts     the units as they stand in the text, or the tokens of a sentence; none of a series
    weights   T, or T D of a series: nats that each moved the answer away from the truth
    spaced    whether there is white space between parts
    unknown   the places of parts that the vocabulary lacks
    at        the place of the part that is answered wrongly, where each has an answer of its own
    values    T D, of a series
    """

    where: str
    answer: str
    truth: str
    probability: float
    by: By
    weights: NDArray[np.float64]
    residual: float
    parts: tuple[str, ...] = ()
    spaced: bool = True
    unknown: tuple[int, ...] = ()
    at: int | None = None
    values: NDArray[np.float32] | None = None
    channels: tuple[str, ...] = ()

    def words(self) -> list[Word]:
        """The text in pieces: words, the weights of their units added up, and white space."""
        if self.spaced:
            return _spaced([Word(*part) for part in zip(self.parts, self.weights.tolist(), count())])
        units = [Word(*part) for part in zip(self.parts, self.weights.tolist(), count())]
        words = list[Word]()
        for _, run in groupby(units, key=lambda unit: unit.text.isspace()):
            some = list(run)
            joined = 1 < len(some) <= JOINED and len(some) < len(units)
            text, weight = "".join(unit.text for unit in some), sum(unit.weight for unit in some)
            words += [Word(text, weight, some[0].place)] if joined else some
        return words

    def strongest(self, most: int) -> list[Word]:
        """The words that mattered most, or the times of a series, the strongest first; weak ones are left out."""
        words = self._times() if self.values is not None else self.words()
        words = [word for word in words if word.weight and not word.text.isspace()]
        words.sort(key=lambda word: -abs(word.weight))
        return [word for word in words[:most] if abs(word.weight) >= STRONG * abs(words[0].weight)]

    def _times(self) -> list[Word]:
        """Each channel over each stretch of time."""
        edges = np.linspace(0, len(self.weights), min(STRETCHES, len(self.weights)) + 1).round().astype(int).tolist()
        sums = np.add.reduceat(self.weights, edges[:-1], axis=0)
        return [
            Word(f"{name} {first}" + (f" to {last - 1}" if last - first > 1 else ""), weight, first)
            for first, last, row in zip(edges[:-1], edges[1:], sums.tolist(), strict=True)
            for name, weight in zip(self.channels, row, strict=True)
        ]

    def plain(self) -> str:
        """What is wrong, and below it the text with its strongest words marked; what is far from them is left out."""
        said = f"said {legible(self.answer)} {percent(self.probability)}, truly {legible(self.truth)}"
        head = f"{said} ({printable(self.where)})"
        strong = self.strongest(MARKED)
        if self.values is not None:
            return f"{head}\n" + "; ".join(f"[{legible(word.text)} {word.weight:+.2f}]" for word in strong)
        words, marked = self.words(), {word.place for word in strong}
        middle = [i for i, word in enumerate(words) if word.place in marked or word.place == self.at is not None]
        near = (
            {i for place in middle for i in range(place - AROUND, place + AROUND + 1)} if len(words) > SHORT else None
        )
        pieces = list[str]()
        for i, word in enumerate(words):
            if near is not None and i not in near:
                pieces += ["…"] if not pieces or pieces[-1] != "…" else []
                continue
            text = legible(word.text).replace("\n", " ↵ ")
            named = f">{text}<" if word.place == self.at is not None else text
            pieces.append(f"[{named} {word.weight:+.2f}]" if word.place in marked else named)
        return f"{head}\n{''.join(pieces)}"

    def facts(self) -> dict[str, Any]:
        """All there is, as JSON has it."""
        found: dict[str, Any] = {"where": self.where, "answer": self.answer, "truth": self.truth}
        found |= {"probability": self.probability, "by": self.by, "residual": self.residual}
        if self.values is None:
            found |= {"units": list(self.parts), "unknown": list(self.unknown)}
        else:
            found |= {"channels": list(self.channels)}
        if self.at is not None:
            found["at"] = self.at
        return {**found, "weights": self.weights.tolist()}


def _spaced(words: list[Word]) -> list[Word]:
    """Words with white space between them, but for where a line ends."""
    pieces = words[:1]
    for word in words[1:]:
        gap = [] if "\n" in (word.text, pieces[-1].text) else [Word(" ", 0.0, -1)]
        pieces += [*gap, word]
    return pieces


def settled(parts: Sequence[str], weights: NDArray[np.float64]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Parts of a text without those that are empty, whose weights go to the next, or at the end to the one before.

    >>> settled(["", "é", "a", ""], np.array([1.0, 2.0, 3.0, 4.0]))
    (('é', 'a'), array([3., 7.]))
    """
    full = [i for i, part in enumerate(parts) if part]
    if len(full) == len(parts) or not full:
        return tuple(parts), weights
    begins = [0, *(place + 1 for place in full[:-1])]
    return tuple(parts[i] for i in full), np.add.reduceat(weights, begins)


def spelled(units: Units, text: str) -> tuple[str, ...]:
    """What each unit of a text is there, also where the vocabulary lacks it.

    A unit that ends no letter, as a byte within one, is empty: what it says belongs to the next that does.

    >>> from throughtime.data.units import WordUnits
    >>> spelled(WordUnits(["fine"]), "a fine\\nday")
    ('a', 'fine', '\\n', 'day')
    """
    if units.kind == "word":
        return tuple(match.group() for match in finditer(r"\n|\S+", text))
    if units.kind == "character":
        return tuple(text)
    ids = units.encode(text)
    return tuple(piece for piece, _ in zip(units.pieces(int(i) for i in ids), ids, strict=False))


def legible(text: str) -> str:
    """A text with what steers a terminal, or turns the order of letters around, written out; spaces and joiners stay.

    >>> legible("a\\u202eb\\u3000c\\x1b")
    'a\\\\u202eb\\u3000c\\\\u001b'
    """
    kept = "\n\u200c\u200d"
    return "".join(
        letter if letter.isprintable() or letter in kept or category(letter) == "Zs" else f"\\u{ord(letter):04x}"
        for letter in text
    )


def percent(share: float) -> str:
    """A probability in percent, never rounded to what it is not.

    >>> percent(0.9996), percent(0.5), percent(1.0)
    ('99.96 %', '50 %', '100 %')
    """
    for digits in range(5):
        text = f"{100 * share:.{digits}f}"
        if float(text) < 100 or share == 1:
            return f"{text} %"
    return "over 99.999 %"
