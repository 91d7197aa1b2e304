"""Words as numbers, in the order of their first appearance, and files of numbers."""

import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DataError
from throughtime.folder import cannot_write

KIND = np.dtype("<i4")  # of numbers in files
ENDED = "\n"  # among words: a text ends here, as no word is a newline; its number is 0
KINDS_LIMIT = 2**31 - 1  # of words that int32 can number


class Numbering:
    """Numbers for words by their first appearance, and how often each came; an end of a text is number 0."""

    def __init__(self) -> None:
        self._table: defaultdict[str, int] = defaultdict(count().__next__)
        self._last = self._table[ENDED]
        self._amounts = np.zeros(1, dtype=np.int64)

    def ids(self, words: list[str], *, check: bool) -> NDArray[np.int32]:
        """The numbers of words and of ends of texts, without the ends of texts that have no words."""
        known = len(self._table)
        numbers = np.fromiter(map(self._table.__getitem__, words), KIND, len(words))
        if len(self._table) - 1 > KINDS_LIMIT:
            raise DataError(f"the text has over {KINDS_LIMIT:,} kinds of words; split them finer with --token")
        if check:
            _check_words(words[i] for i in np.flatnonzero(numbers >= known))
        numbers, self._last = without_empty(numbers, self._last, 0)
        if len(self._table) > len(self._amounts):
            self._amounts = np.concatenate([self._amounts, np.zeros(len(self._table), dtype=np.int64)])
        np.add.at(self._amounts, numbers, 1)
        return numbers

    def end(self) -> NDArray[np.int32]:
        """The end of the last text, unless it has been."""
        return self.ids([ENDED], check=False)

    def seen(self) -> tuple[list[str], NDArray[np.int64]]:
        """Each kind of word, and how many ends and words of each kind there were."""
        return list(self._table)[1:], self._amounts[: len(self._table)]


def words_of(lines: list[str], number: int, share: tuple[int, int], split: Callable[[str], list[str]]) -> list[str]:
    """The words of those lines that belong to a share, the first line being that number, and the ends of all but the
    last line."""
    rank, ranks = share
    found: list[str] = []
    for line in lines[(rank - number) % ranks :: ranks]:
        found += split(line)
        found.append(ENDED)
    if found and (len(lines) - 1 + number - rank) % ranks == 0:
        found.pop()
    return found


def splitter(token: str | None) -> Callable[[str], list[str]]:
    """What cuts a text into words: at white space, or by a regular expression. Raises `ArgumentError` for a bad one."""
    if token is None:
        return str.split
    try:
        expression = re.compile(token)
    except (re.error, RecursionError, OverflowError) as error:
        raise ArgumentError(f"token {token!r} is not a regular expression: {error}") from None
    if expression.groups:
        raise ArgumentError(f"token {token!r} has groups, which would be taken for words; write (?:...) for (...)")
    return expression.findall


def _check_words(words: Iterable[str]) -> None:
    for word in words:
        if word.split() != [word]:
            raise ArgumentError(
                f"token finds {word[:40]!r}: a word is one character at least and has no white space in it; "
                "choose another expression"
            )


def without_empty(ids: NDArray[np.int32], last: int, end: int) -> tuple[NDArray[np.int32], int]:
    """The ids without the ends of texts in which there is nothing, and the last of them; `last` came before them."""
    if not len(ids):
        return ids, last
    ended = ids == end
    before = np.empty(len(ids), dtype=bool)
    before[0] = last == end
    before[1:] = ended[:-1]
    return ids[~(ended & before)], int(ids[-1])


def temporary_file(folder: Path) -> IO[bytes]:
    """A file without a name, beside where the folder will be: whatever happens, it is gone when it is closed."""
    beside = next(path for path in folder.absolute().parents if path.is_dir())
    try:
        return tempfile.TemporaryFile(buffering=0, dir=beside)
    except OSError as error:
        raise cannot_write(folder, error) from None


def append(file: IO[bytes], ids: NDArray[np.int32], folder: Path) -> None:
    """Writes ids at the end of a file that is for a folder. Raises `StorageError` when the disk refuses."""
    rest = ids.tobytes()
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise cannot_write(folder, error) from None
