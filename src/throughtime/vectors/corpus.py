"""A text as numbers: its vocabulary, and the ids of its words in a file that need not fit in memory.

One pass over the text numbers the words in the order of their first appearance and counts them; then one pass over
the numbers renumbers them by frequency and leaves out what is not in the vocabulary.

    ids.int32      little-endian int32, one a word, -1 at the end of each text
    corpus.json    words, counts, and what is known of the text
"""

import hashlib
import json
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import IO, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from throughtime.data.texts import Texts
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.folder import STRICT, TEXT_LIMIT, cannot_write, check_files, check_form, read_json, write_new

IDS, FACTS = "ids.int32", "corpus.json"
END = -1  # in ids: a text ends here
ENDED = "\n"  # in the table of provisional numbers, where it is number 0: no word is a newline
KINDS_LIMIT = 2**31 - 1
BLOCK = 2**20  # ids renumbered at a time


@dataclass(frozen=True)
class Vocabulary:
    """Words, the most frequent first, ties in alphabetical order; and how often each was seen.

    >>> Vocabulary.of(Counter({"a": 2, "c": 1, "b": 1}))
    Vocabulary(words=['a', 'b', 'c'], counts=array([2, 1, 1]))
    """

    words: list[str]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def index(self) -> dict[str, int]:
        """The id of each word."""
        return {word: i for i, word in enumerate(self.words)}

    @classmethod
    def of(cls, counts: Counter[str], *, minimum_count: int = 1, maximum_vocab: int | None = None) -> "Vocabulary":
        """The words seen at least `minimum_count` times, at most `maximum_vocab` of them.

        Raises `DataError` when fewer than two are left, `ArgumentError` when `maximum_vocab` is under two.
        """
        if maximum_vocab is not None and maximum_vocab < 2:
            raise ArgumentError(f"maximum_vocab must be at least 2, as vectors tell words apart; got {maximum_vocab}")
        if not counts:
            raise DataError("the text has no words in it; give a text with words")
        kept = sorted(
            (word for word, n in counts.items() if n >= minimum_count), key=lambda word: (-counts[word], word)
        )
        if not kept:
            raise DataError(
                f"no words are left: {len(counts):,} kinds of words were seen, none of them {minimum_count} times "
                f"(the most frequent {max(counts.values()):,} times); lower --minimum-count or give a longer text"
            )
        if len(kept) == 1:
            raise DataError(
                f"only one word is left, {kept[0]!a:.80}: vectors need two at least; lower --minimum-count "
                "or give a longer text"
            )
        kept = kept[:maximum_vocab]
        return cls(kept, np.array([counts[word] for word in kept], dtype=np.int64))


@dataclass(frozen=True)
class Corpus:
    """A text as the ids of its words."""

    vocabulary: Vocabulary
    ids: NDArray[np.int32]  # -1 ends a text; words that are not in the vocabulary are left out
    words: int  # that were read
    unknown: int  # of them, those that are not in the vocabulary
    texts: int  # with a word in them
    skipped_bytes: int  # that were not UTF-8
    sha256: str  # of the bytes that were read


@dataclass(frozen=True)
class Counted:
    """A text as it was read, before a vocabulary is chosen: its words as numbers by their first appearance."""

    counts: Counter[str]  # of every kind of word, in the order of first appearance
    ids: IO[bytes]  # int32: 0 ends a text, 1 is the first kind of word
    folder: Path
    texts: int
    skipped_bytes: int
    sha256: str

    def corpus(
        self,
        vocabulary: Vocabulary | None = None,
        *,
        minimum_count: int = 5,
        maximum_vocab: int | None = None,
    ) -> Corpus:
        """The corpus over a vocabulary, by default the one of its own words; written to the folder."""
        if vocabulary is None:
            vocabulary = Vocabulary.of(self.counts, minimum_count=minimum_count, maximum_vocab=maximum_vocab)
        words, known = self.counts.total(), sum(self.counts[word] for word in vocabulary.words)
        facts = {
            "words": vocabulary.words,
            "counts": vocabulary.counts.tolist(),
            "read": words,
            "unknown": words - known,
            "texts": self.texts,
            "skipped_bytes": self.skipped_bytes,
            "sha256": self.sha256,
        }
        body = (json.dumps(facts, ensure_ascii=False) + "\n").encode()
        try:
            with _temporary(self.folder) as file:
                for part in _renumbered(self._blocks(), self._numbers(vocabulary)):
                    file.write(part.data)
                file.flush()
                size = file.tell()
                ids = np.memmap(file, dtype="<i4", mode="r") if size else np.zeros(0, np.int32)
                write_new(self.folder, {IDS: [memoryview(ids)], FACTS: body}, status="finished")
        except OSError as error:
            raise cannot_write(self.folder, error) from None
        return Corpus(
            vocabulary,
            _mapped(self.folder),
            words,
            words - known,
            self.texts,
            self.skipped_bytes,
            self.sha256,
        )

    def _numbers(self, vocabulary: Vocabulary) -> NDArray[np.int32]:
        index = vocabulary.index
        return np.array([END, *(index.get(word, -2) for word in self.counts)], dtype=np.int32)

    def _blocks(self) -> Iterator[NDArray[np.int32]]:
        self.ids.seek(0)
        while part := self.ids.read(4 * BLOCK):
            yield np.frombuffer(part, dtype=np.int32)


def read_corpus(
    texts: Iterable[str],
    folder: Path,
    *,
    token: str | None = None,
    lower: bool = False,
    minimum_count: int = 5,
    maximum_vocab: int | None = None,
    share: tuple[int, int] = (0, 1),
) -> Corpus:
    """The corpus of blocks of text in which newlines end texts, kept in a folder that must not hold anything yet."""
    counted = count_words(texts, folder, token=token, lower=lower, share=share)
    return counted.corpus(minimum_count=minimum_count, maximum_vocab=maximum_vocab)


def count_words(
    texts: Iterable[str],
    folder: Path,
    *,
    token: str | None = None,
    lower: bool = False,
    share: tuple[int, int] = (0, 1),
) -> Counted:
    """The words of blocks of text, numbered and counted in one pass."""
    split: Callable[[str], list[str]] = str.split
    if token is not None:
        try:
            split = re.compile(token).findall
        except re.error as error:
            raise ArgumentError(f"token {token!r} is not a regular expression: {error}") from None
    rank, ranks = share
    numbers = count()
    table: defaultdict[str, int] = defaultdict(numbers.__next__)
    ended = table[ENDED]
    amounts = np.zeros(1, np.int64)
    digest, number, last, ends = hashlib.sha256(), 0, ended, 0
    file = _temporary(folder)
    for block in texts:
        digest.update(block.encode())
        found: list[str] = []
        lines = (block.lower() if lower else block).split("\n")
        for i, line in enumerate(lines):
            if (number + i) % ranks == rank:
                found += split(line)
                if i < len(lines) - 1:
                    found.append(ENDED)
        number += len(lines) - 1
        ids = np.fromiter(map(table.__getitem__, found), np.int32, len(found))
        ids, last = _without_empty(ids, last, ended)
        amounts.resize(len(table), refcheck=False)
        np.add.at(amounts, ids, 1)
        file.write(ids.data)
    if last != ended:
        file.write(np.array([ended], dtype=np.int32).data)
        amounts[ended] += 1
    ends = int(amounts[ended])
    counts = Counter(dict(zip(table, amounts.tolist(), strict=True)))
    del counts[ENDED]
    known = isinstance(texts, Texts)
    return Counted(
        counts,
        file,
        folder,
        ends,
        texts.skipped_bytes if known else 0,
        texts.sha256 if known else digest.hexdigest(),
    )


def join_vocabularies(vocabularies: Sequence[Vocabulary]) -> Vocabulary:
    """One vocabulary of all the words of several, with their counts added."""
    joined: Counter[str] = Counter()
    for vocabulary in vocabularies:
        joined.update(dict(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True)))
    return Vocabulary.of(joined)


def open_corpus(folder: Path) -> Corpus:
    """A corpus that was read before."""
    check_files(folder)
    facts = check_form(_Facts, read_json(folder, FACTS, TEXT_LIMIT), folder / FACTS)
    vocabulary = Vocabulary(facts.words, np.array(facts.counts, dtype=np.int64))
    return Corpus(
        vocabulary, _mapped(folder), facts.read, facts.unknown, facts.texts, facts.skipped_bytes, facts.sha256
    )


def corpus_of(texts: Iterable[Iterable[str]], *, minimum_count: int = 1, maximum_vocab: int | None = None) -> Corpus:
    """A corpus in memory, of texts that are words already.

    >>> corpus_of([["a", "b", "a"], ["b", "a"]]).ids
    array([ 0,  1,  0, -1,  1,  0, -1], dtype=int32)
    """
    lists = [words for words in map(list, texts) if words]
    counts = Counter(word for words in lists for word in words)
    vocabulary = Vocabulary.of(counts, minimum_count=minimum_count, maximum_vocab=maximum_vocab)
    index = vocabulary.index
    numbers = np.array([i for words in lists for i in [*(index.get(word, -2) for word in words), END]], dtype=np.int32)
    ids, _ = _without_empty(numbers[numbers != -2], END, END)
    digest = hashlib.sha256("".join(" ".join(words) + "\n" for words in lists).encode())
    total, known = counts.total(), int(vocabulary.counts.sum())
    return Corpus(vocabulary, ids, total, total - known, len(lists), 0, digest.hexdigest())


class _Facts(BaseModel):
    model_config = STRICT

    words: list[str]
    counts: list[Annotated[int, Field(ge=1, lt=2**62)]]
    read: int
    unknown: int
    texts: int
    skipped_bytes: int
    sha256: str


def _renumbered(blocks: Iterator[NDArray[np.int32]], numbers: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    last = END
    for block in blocks:
        ids = numbers[block]
        ids, last = _without_empty(ids[ids != -2], last, END)
        yield ids


def _without_empty(ids: NDArray[np.int32], last: int, end: int) -> tuple[NDArray[np.int32], int]:
    """The ids without the ends of texts in which there is nothing, and the last of them; `last` came before them."""
    if not len(ids):
        return ids, last
    ended = ids == end
    before = np.empty(len(ids), dtype=bool)
    before[0] = last == end
    before[1:] = ended[:-1]
    return ids[~(ended & before)], int(ids[-1])


def _temporary(folder: Path) -> IO[bytes]:
    """A file without a name, beside where the folder will be: it is gone when it is closed."""
    beside = next(path for path in folder.absolute().parents if path.is_dir())
    try:
        return tempfile.TemporaryFile(dir=beside)
    except OSError as error:
        raise cannot_write(folder, error) from None


def _mapped(folder: Path) -> NDArray[np.int32]:
    path = folder / IDS
    if not path.stat().st_size:
        raise RunError(f"{path} is empty")
    return np.memmap(path, dtype="<i4", mode="r")
