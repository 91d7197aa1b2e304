"""What tables are judged on: analogy questions, and pairs of words with what people say of them."""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import DataError
from throughtime.vectors.lists import text_of


@dataclass(frozen=True)
class Questions:
    """Analogy questions: a is to b as c is to d, each of a category."""

    categories: list[str]
    category: NDArray[np.int64]  # (N) the place of each question's category
    words: list[tuple[str, str, str, str]]

    def select(self, which: NDArray[np.bool_]) -> "Questions":
        """Some of the questions, under the same categories."""
        return Questions(self.categories, self.category[which], [self.words[i] for i in np.flatnonzero(which).tolist()])


@dataclass(frozen=True)
class Pairs:
    """Pairs of words with what people say of their similarity."""

    name: str
    words: list[tuple[str, str]]
    scores: NDArray[np.float64]
    header: str | None = None  # a first line that was taken for the names of the columns

    def select(self, which: NDArray[np.bool_]) -> "Pairs":
        """Some of the pairs."""
        words = [self.words[i] for i in np.flatnonzero(which).tolist()]
        return Pairs(self.name, words, self.scores[which], self.header)


def read_questions(path: Path) -> Questions:
    """The questions of a file: lines of four words, under lines ": category".

    Raises `DataError` for a line that is neither, with its number, and for a file without questions.
    """
    numbers: dict[str, int] = {}
    category, words, current = list[int](), list[tuple[str, str, str, str]](), -1
    for number, line in enumerate(text_of(path).split("\n"), 1):
        fields = line.split()
        if len(fields) == 4 and fields[0] != ":" and current >= 0:
            category.append(current)
            words.append((fields[0], fields[1], fields[2], fields[3]))
        elif len(fields) > 1 and fields[0] == ":":
            current = numbers.setdefault(" ".join(fields[1:]), len(numbers))
        elif fields:
            what = "stands before the first category" if len(fields) == 4 else f"has {len(fields)} words"
            raise DataError(f"line {number} of {path} {what}; give lines of four words under lines ': category'")
    if not words:
        raise DataError(f"{path} has no questions; give lines of four words under lines ': category'")
    return Questions(list(numbers), np.array(category, dtype=np.int64), words)


def read_pairs(path: Path) -> Pairs:
    """The pairs of a file: lines of two words and a score, tabs, commas or spaces between; a header may stand first.

    Raises `DataError` for any other line, with its number, and for a file without pairs.
    """
    words, scores, header = list[tuple[str, str]](), list[float](), None
    for number, line in enumerate(text_of(path).split("\n"), 1):
        fields = _fields(line)
        if len(fields) == 3 and fields[0] and fields[1] and _is_number(fields[2]) and isfinite(float(fields[2])):
            words.append((fields[0], fields[1]))
            scores.append(float(fields[2]))
        elif number == 1 and len(fields) == 3 and not _is_number(fields[2]):
            header = line.strip()
        elif fields:
            raise DataError(f"line {number} of {path} {_wrong(fields)}; give lines of two words and a finite number")
    if not words:
        raise DataError(f"{path} has no pairs; give lines of two words and a number")
    return Pairs(path.stem, words, np.array(scores), header)


def _fields(line: str) -> list[str]:
    """A line cut at tabs, else at commas, else at white space."""
    if not line.strip():
        return []
    for separator in ("\t", ","):
        if separator in line:
            return [field.strip() for field in line.split(separator)]
    return line.split()


def _wrong(fields: list[str]) -> str:
    if len(fields) != 3:
        return f"has {len(fields)} fields"
    return f"has the score {fields[2]!a:.40}" if fields[0] and fields[1] else "lacks a word"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
