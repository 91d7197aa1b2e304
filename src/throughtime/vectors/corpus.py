"""A text as numbers: its vocabulary, and the ids of its words in a file that need not fit in memory.

One pass over the text numbers the words in the order of their first appearance and counts them; then one pass over
the numbers renumbers them by frequency and leaves out what is not in the vocabulary.

    ids.int32      little-endian int32, one a word, -1 at the end of each text
    corpus.json    words, counts, and what is known of the text
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from throughtime.data.texts import Texts
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.folder import STRICT, TEXT_LIMIT, Sha256, check_files, check_form, read_json, write_new
from throughtime.vectors.numbering import KIND, Numbering, append, splitter, temporary_file, without_empty, words_of
from throughtime.vectors.vocabulary import Vocabulary, check_cut, join_vocabularies

__all__ = [
    "Corpus",
    "Counted",
    "Vocabulary",
    "corpus_of",
    "count_words",
    "join_vocabularies",
    "open_corpus",
    "read_corpus",
]

IDS, FACTS = "ids.int32", "corpus.json"
END, LEFT_OUT = -1, -2  # among ids: a text ends here; a word that the vocabulary lacks
BLOCK = 2**20  # ids at a time
Tell = Callable[[int, int], None]  # how much is done, and of how much


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text as the ids of its words."""

    vocabulary: Vocabulary
    ids: NDArray[np.int32]  # read-only; -1 ends a text; words that are not in the vocabulary are left out
    words: int  # that were read
    unknown: int  # of them, those that are not in the vocabulary
    texts: int  # in which there was a word
    skipped_bytes: int  # that were not UTF-8
    sha256: str  # of the bytes that were read
    null_cells: int = 0  # of tables: missing or empty


@dataclass(frozen=True, eq=False)
class Counted:
    """A text of which the words are numbered by their first appearance and counted; a vocabulary is yet to be chosen.

    To be closed, as it holds a file (without a name) of as many int32 as there are words.
    """

    words: list[str]  # each kind of word once
    counts: NDArray[np.int64]
    file: IO[bytes]  # numbers, 1 for the first kind of word, 0 at the end of a text
    folder: Path  # of the corpus that is to be
    texts: int
    skipped_bytes: int
    sha256: str
    null_cells: int

    def __enter__(self) -> "Counted":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def corpus(
        self,
        vocabulary: Vocabulary | None = None,
        *,
        minimum_count: int = 5,
        maximum_vocab: int | None = None,
    ) -> Corpus:
        """The corpus over a vocabulary, by default the one of its own words; its folder appears when it is whole.

        Raises `DataError` as `Vocabulary.of` does, and when no word is in the vocabulary; `StorageError` when the disk
        refuses.
        """
        if vocabulary is None:
            vocabulary = Vocabulary.of(
                self.words, self.counts, minimum_count=minimum_count, maximum_vocab=maximum_vocab
            )
        index = vocabulary.index
        chosen = (index.get(word, LEFT_OUT) for word in self.words)
        numbers = np.fromiter(chain([END], chosen), np.int32, len(self.words) + 1)
        known = int(self.counts[numbers[1:] >= 0].sum())
        if not known:
            raise DataError(f"none of the {len(self.words):,} kinds of words of this share is in the vocabulary")
        words = int(self.counts.sum())
        facts = _Facts(
            words=vocabulary.words,
            counts=vocabulary.counts.tolist(),
            read=words,
            unknown=words - known,
            texts=self.texts,
            skipped_bytes=self.skipped_bytes,
            sha256=self.sha256,
            null_cells=self.null_cells,
        )
        with temporary_file(self.folder) as file:
            for ids in self._renumbered(numbers):
                append(file, ids, self.folder)
            body = memoryview(np.memmap(file, dtype=KIND, mode="r"))  # type: ignore[arg-type]
            write_new(self.folder, {IDS: [body], FACTS: facts.to_bytes()}, status="finished")
        return facts.corpus(vocabulary, np.asarray(np.memmap(self.folder / IDS, dtype=KIND, mode="r")))

    def _renumbered(self, numbers: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
        """The ids of the words that are left, block by block."""
        last = END
        self.file.seek(0)
        while part := self.file.read(BLOCK * KIND.itemsize):
            ids = numbers[np.frombuffer(part, dtype=KIND)]
            ids, last = without_empty(ids[ids != LEFT_OUT], last, END)
            yield ids


def read_corpus(
    texts: Iterable[str],
    folder: Path,
    *,
    token: str | None = None,
    lower: bool = False,
    minimum_count: int = 5,
    maximum_vocab: int | None = None,
    share: tuple[int, int] = (0, 1),
    tell: Tell | None = None,
) -> Corpus:
    """The corpus of a text that comes in blocks, in which a newline ends a text and no word straddles two blocks.

    Words stand between white space, or are what the regular expression `token` finds. Of all texts, the share of
    `rank` among `ranks` are those whose number leaves `rank` when divided by `ranks`. The corpus is kept in `folder`.

    Raises `ArgumentError` when `folder` exists or an option does not fit, `DataError` when fewer than two words are
    left, `StorageError` when the disk refuses; there is no folder then.
    """
    check_cut(minimum_count, maximum_vocab)
    with count_words(texts, folder, token=token, lower=lower, share=share, tell=tell) as counted:
        return counted.corpus(minimum_count=minimum_count, maximum_vocab=maximum_vocab)


def count_words(
    texts: Iterable[str],
    folder: Path,
    *,
    token: str | None = None,
    lower: bool = False,
    share: tuple[int, int] = (0, 1),
    tell: Tell | None = None,
) -> Counted:
    """The first half of `read_corpus`, for shares that are to have one vocabulary.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, count_words(["b a\\nb c"], Path(folder) / "corpus") as counted:
    ...     counted.words, counted.counts.tolist(), counted.texts
    (['b', 'a', 'c'], [2, 1, 1], 2)
    """
    split = splitter(token)
    if not 0 <= share[0] < share[1]:
        raise ArgumentError(f"share must be (rank, ranks) with 0 <= rank < ranks; got {share}")
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise ArgumentError(f"{folder} exists already: remove it, or choose another folder for the corpus")
    numbering, origin, line = Numbering(), _Origin(texts), 0
    file = temporary_file(folder)
    try:
        for block in texts:
            lines = (block.lower() if lower else block).split("\n")
            append(file, numbering.ids(words_of(lines, line, share, split), check=token is not None), folder)
            line += len(lines) - 1
            origin.follow(block, tell)
        append(file, numbering.end(), folder)
    except BaseException:
        file.close()
        raise
    words, amounts = numbering.seen()
    facts = origin.skipped_bytes, origin.sha256, origin.null_cells
    return Counted(words, amounts[1:], file, folder, int(amounts[0]), *facts)


def open_corpus(folder: Path) -> Corpus:
    """A corpus that was read before; its ids are mapped, not read into memory.

    Raises `RunError` when it is not whole, was changed, or does not hold together.
    """
    check_files(folder)
    facts = check_form(_Facts, read_json(folder, FACTS, TEXT_LIMIT), folder / FACTS)
    size = (folder / IDS).stat().st_size if (folder / IDS).is_file() else 0
    if not size or size % KIND.itemsize:
        raise RunError(f"{folder}/{IDS} is missing or no file of int32: read the text again")
    ids = np.asarray(np.memmap(folder / IDS, dtype=KIND, mode="r"))
    vocabulary = Vocabulary(facts.words, np.array(facts.counts, dtype=np.int64))
    if not facts.holds() or not _are_ids(ids, len(vocabulary)):
        raise RunError(f"{folder} does not hold a corpus: its words, counts and ids disagree; read the text again")
    return facts.corpus(vocabulary, ids)


def corpus_of(texts: Iterable[Iterable[str]], *, minimum_count: int = 1, maximum_vocab: int | None = None) -> Corpus:
    """A corpus in memory, of texts that are words already.

    >>> corpus_of([["a", "b", "a"], ["b", "a"]]).ids
    array([ 0,  1,  0, -1,  1,  0, -1], dtype=int32)
    """
    lists = [words for words in map(list, texts) if words]
    counts = Counter(word for words in lists for word in words)
    vocabulary = join_vocabularies([counts], minimum_count=minimum_count, maximum_vocab=maximum_vocab)
    index = vocabulary.index
    numbers = np.array([i for words in lists for i in [*(index.get(w, LEFT_OUT) for w in words), END]], dtype=np.int32)
    ids, _ = without_empty(numbers[numbers != LEFT_OUT], END, END)
    ids.flags.writeable = False  # as those of a file, so that kernels see the same kind of array
    digest = hashlib.sha256("".join(" ".join(words) + "\n" for words in lists).encode("utf-8", "surrogatepass"))
    total, known = counts.total(), int(vocabulary.counts.sum())
    return Corpus(vocabulary, ids, total, total - known, len(lists), 0, digest.hexdigest())


class _Facts(BaseModel):
    """What `corpus.json` holds."""

    model_config = STRICT

    words: Annotated[list[str], Field(min_length=2)]
    counts: list[Annotated[int, Field(ge=1, lt=2**53)]]
    read: Annotated[int, Field(ge=0)]
    unknown: Annotated[int, Field(ge=0)]
    texts: Annotated[int, Field(ge=0)]
    skipped_bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256
    null_cells: Annotated[int, Field(ge=0)]

    def corpus(self, vocabulary: Vocabulary, ids: NDArray[np.int32]) -> Corpus:
        seen = self.read, self.unknown, self.texts
        return Corpus(vocabulary, ids, *seen, self.skipped_bytes, self.sha256, self.null_cells)

    def holds(self) -> bool:
        """Whether the words are words, each of them once, with a count, the most frequent first."""
        distinct = len(set(self.words)) == len(self.words) == len(self.counts)
        return distinct and " ".join(self.words).split() == self.words and sorted(self.counts)[::-1] == self.counts

    def to_bytes(self) -> bytes:
        """The file; no larger than what `open_corpus` reads."""
        body = (json.dumps(self.model_dump(), ensure_ascii=False) + "\n").encode()
        if len(body) > TEXT_LIMIT:
            raise DataError(
                f"a vocabulary of {len(self.words):,} words takes {len(body):,} bytes, over the limit of "
                f"{TEXT_LIMIT:,}: raise --minimum-count, or cut it with --maximum-vocab"
            )
        return body


class _Origin:
    """What is known of the text that comes in blocks."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts if isinstance(texts, Texts) else None
        self._digest = hashlib.sha256()

    def follow(self, block: str, tell: Tell | None) -> None:
        """To be called after each block."""
        if self._texts is None:
            try:
                self._digest.update(block.encode())
            except UnicodeEncodeError as error:
                raise DataError(f"the text has {block[error.start]!a} in it, which is not in UTF-8") from None
        elif tell is not None and (size := self._texts.size):
            tell(self._texts.bytes, max(size, self._texts.bytes))

    @property
    def skipped_bytes(self) -> int:
        return self._texts.skipped_bytes if self._texts else 0

    @property
    def null_cells(self) -> int:
        return self._texts.null_cells if self._texts else 0

    @property
    def sha256(self) -> str:
        return self._texts.sha256 if self._texts else self._digest.hexdigest()


def _are_ids(ids: NDArray[np.int32], vocab: int) -> bool:
    """Whether ids are those of `vocab` words, and texts that are not empty end where they should."""
    last = END
    for start in range(0, len(ids), BLOCK):
        block = ids[start : start + BLOCK]
        kept, last = without_empty(block, last, END)
        if len(kept) < len(block) or block.min() < END or block.max() >= vocab:
            return False
    return last == END
