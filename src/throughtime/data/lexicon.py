"""The vocabularies of tagging, and what they make of words: numbers for a word itself, its writing and its letters."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, Field

from throughtime.data.shapes import CASINGS, affixes_of, casing_of, plain_of
from throughtime.data.units import UNKNOWN, VOCAB_LIMIT
from throughtime.errors import ArgumentError, DataError
from throughtime.folder import STRICT, check_form

LETTERS = 64  # of a word that are looked at; of a longer one the first 32 and the last
LONGEST_AFFIX = 8
RARE = 2  # an affix or a letter that is not seen more often than this is unknown, so that the unknown is learned
NEW_ROWS = 1024  # of a table, at first


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("a name is there twice")
    return names


Names = Annotated[list[str], Field(max_length=4 * VOCAB_LIMIT), AfterValidator(_distinct)]


class View(BaseModel):
    """What is looked at in a word."""

    model_config = STRICT

    plain: bool  # the word in small letters and its digits as 0, or as it is
    casing: bool
    affixes: Annotated[int, Field(ge=0, le=LONGEST_AFFIX)]  # up to how many letters from each end; 0: none
    letters: bool


class LexiconForm(BaseModel):
    """A lexicon in vocabulary.json."""

    model_config = STRICT

    view: View
    words: Annotated[Names, Field(min_length=1)]
    affixes: Annotated[list[Names], Field(max_length=2 * LONGEST_AFFIX)]
    letters: Annotated[str, Field(max_length=0x110000)]


@dataclass(frozen=True)
class Sizes:
    """How many numbers there are for each thing that is looked at, the unknown among them."""

    words: int
    features: tuple[int, ...]  # casing, affixes: what else has one number a word
    letters: int  # 0 where letters are not looked at


class Lexicon:
    """Vocabularies of words, of their first and last letters, and of letters; number 0 of each is the unknown.

    >>> view = View(plain=True, casing=True, affixes=2, letters=True)
    >>> lexicon = Lexicon.learn(Counter({"The": 3, "the": 4, "cat": 3}), view)
    >>> lexicon.words, lexicon.sizes.features, lexicon.features("THE")
    (['the', 'cat'], (10, 3, 3, 3, 3), [1, 2, 1, 1, 1, 1])
    """

    def __init__(self, view: View, words: Sequence[str], affixes: Sequence[Sequence[str]], letters: str) -> None:
        self.view, self.words, self.affixes, self.letters = view, list(words), [list(some) for some in affixes], letters
        self._word, self._affix = _numbers(self.words), [_numbers(some) for some in self.affixes]
        self._letter = _numbers(letters)

    @classmethod
    def learn(
        cls,
        counts: Mapping[str, int],
        view: View,
        *,
        minimum_count: int = 1,
        maximum_vocab: int | None = None,
        more: Iterable[str] = (),
    ) -> "Lexicon":
        """The vocabularies of words that were counted; `more` are words that are known besides, such as a table's, the
        first of them that there is room for.

        Raises `DataError` when no word is left, or too many are.
        """
        words, letters = Counter[str](), Counter[str]()
        affixes = [Counter[str]() for _ in range(2 * view.affixes)]
        for form, count in counts.items():
            word = plain_of(form) if view.plain else form
            words[word] += count
            for letter in set(form) if view.letters else ():
                letters[letter] += count
            for seen, affix in zip(affixes, affixes_of(word, view.affixes), strict=True):
                seen[affix] += count
        kept = _frequent(words, minimum_count)[:maximum_vocab]
        if not kept:
            raise DataError(
                f"no words are left: {len(words):,} seen, none of them {minimum_count} times; give more sentences, or "
                "a lower --minimum-count"
            )
        if len(kept) > VOCAB_LIMIT:
            raise DataError(
                f"the vocabulary has {len(kept):,} words, over the limit of {VOCAB_LIMIT:,}: cut it with "
                "--maximum-vocab or --minimum-count"
            )
        kept = list(dict.fromkeys([*kept, *(plain_of(word) if view.plain else word for word in more)]))[:VOCAB_LIMIT]
        return cls(view, kept, [_frequent(seen, RARE + 1) for seen in affixes], "".join(_frequent(letters, RARE + 1)))

    @classmethod
    def from_json(cls, content: Any, origin: Path) -> "Lexicon":
        """A lexicon as `to_json` gave it. Raises `RunError` for anything else."""
        form = check_form(LexiconForm, content, origin)
        return cls(form.view, form.words, form.affixes, form.letters)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        view = self.view.model_dump()
        return {"view": view, "words": self.words, "affixes": self.affixes, "letters": self.letters}

    def __len__(self) -> int:
        return len(self.words) + 1

    @property
    def listed(self) -> list[str]:
        """A word for each number."""
        return [UNKNOWN, *self.words]

    @property
    def sizes(self) -> Sizes:
        """How many numbers there are for each thing that is looked at."""
        casing = (len(CASINGS),) if self.view.casing else ()
        features = *casing, *(len(some) + 1 for some in self.affixes)
        return Sizes(len(self), features, len(self.letters) + 1 if self.view.letters else 0)

    def seen(self, form: str) -> str:
        """A word as it is looked up."""
        return plain_of(form) if self.view.plain else form

    def features(self, form: str) -> list[int]:
        """The numbers of a word: itself, then its casing and its affixes, as far as they are looked at."""
        word = self.seen(form)
        found = [self._word.get(word, 0)]
        if self.view.casing:
            found.append(CASINGS.index(casing_of(form)))
        affixes = affixes_of(word, self.view.affixes)
        return found + [known.get(affix, 0) for known, affix in zip(self._affix, affixes, strict=True)]

    def shortens(self, form: str) -> bool:
        """Whether a word has more letters than are looked at."""
        return self.view.letters and len(form) > LETTERS

    def spelled(self, form: str) -> list[int]:
        """The numbers of its letters, none where they are not looked at; of a long word those at both ends."""
        if not self.view.letters:
            return []
        seen = form[: LETTERS // 2] + form[-LETTERS // 2 :] if self.shortens(form) else form
        return [self._letter.get(letter, 0) for letter in seen]


class WordTable:
    """What a lexicon makes of each word that was met, worked out once: a table that grows.

    features  W F  the numbers of each word
    letters   W C  those of its letters, zero past their count
    counts    W    how many letters that are

    >>> table = WordTable(Lexicon(View(plain=True, casing=False, affixes=0, letters=True), ["a", "cat"], [], "act"))
    >>> table.rows(["a", "Cat", "tac", "a"]).tolist(), table.features.tolist(), table.letters[1, :4].tolist()
    ([0, 1, 2, 0], [[1], [2], [0]], [0, 1, 3, 0])
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon, self._index = lexicon, _Index(self._add)
        width = 1 + len(lexicon.sizes.features)
        self._features = np.zeros((NEW_ROWS, width), np.int64)
        self._letters = np.zeros((NEW_ROWS, LETTERS if lexicon.view.letters else 1), np.int32)
        self._counts = np.zeros(NEW_ROWS, np.int64)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def features(self) -> NDArray[np.int64]:
        """W F."""
        return self._features[: len(self)]

    @property
    def letters(self) -> NDArray[np.int32]:
        """W C."""
        return self._letters[: len(self)]

    @property
    def counts(self) -> NDArray[np.int64]:
        """W."""
        return self._counts[: len(self)]

    def rows(self, tokens: Sequence[str]) -> NDArray[np.int64]:
        """The row of each word of a sentence. Raises `ArgumentError` for what is no sentence of words."""
        if isinstance(tokens, str) or not all(isinstance(token, str) for token in tokens):
            raise ArgumentError(f"a sentence is a list of words; got {tokens!a:.60}: split it first")
        return np.array(list(map(self._index.__getitem__, tokens)), np.int64)

    def _add(self, form: str) -> int:
        row = len(self._index)
        if row == len(self._features):
            self._features, self._letters = _doubled(self._features), _doubled(self._letters)
            self._counts = _doubled(self._counts)
        self._features[row] = self.lexicon.features(form)
        spelled = self.lexicon.spelled(form)
        self._letters[row, : len(spelled)] = spelled
        self._counts[row] = len(spelled)
        return row


class _Index(dict[str, int]):
    """Rows by word; a word that is not there yet is added."""

    def __init__(self, add: Callable[[str], int]) -> None:
        super().__init__()
        self._add = add

    def __missing__(self, form: str) -> int:
        self[form] = row = self._add(form)
        return row


def _doubled(array: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([array, np.zeros_like(array)])


def _numbers(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names, 1)}


def _frequent(counts: Mapping[str, int], least: int) -> list[str]:
    """The names seen so often at least, the most frequent first, ties in alphabetical order."""
    return sorted((name for name, n in counts.items() if n >= least), key=lambda name: (-counts[name], name))
