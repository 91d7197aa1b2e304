"""Units: what a text is cut into, and the numbers they go by.

Four kinds with one face: characters, words, subwords, bytes. Each is learned from a text, encodes text to ids and
ids back to text, piece by piece as they come, and is kept as JSON.
"""

import codecs
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import ArgumentError, DataError, MissingExtraError, RunError

Kind = Literal["character", "word", "subword", "byte"]
Ids = NDArray[np.int32]

UNKNOWN, END = "<unk>", "<eos>"
VOCAB_LIMIT = 200_000


@runtime_checkable
class Units(Protocol):
    """What a text is cut into."""

    kind: Kind
    start: int  # the id that stands before a text begins
    end: int | None  # the id at which generation may stop, if there is one
    unknown: int | None  # the id of whatever the vocabulary lacks, if anything can be lacking

    def __len__(self) -> int:
        """V, how many ids there are."""
        ...

    def encode(self, text: str) -> Ids:
        """The ids of a text."""
        ...

    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """The text of ids, as they come; joined, the pieces are the text."""
        ...

    def to_json(self) -> dict[str, Any]:
        """What `units_from_json` takes."""
        ...


class CharacterUnits:
    """Unicode characters; id 0 is `<unk>`.

    >>> units = CharacterUnits.learn("hello")
    >>> units.encode("hole!").tolist(), "".join(units.pieces([3, 4]))
    ([2, 4, 3, 1, 0], 'lo')
    """

    kind: Kind = "character"
    end: int | None = None
    unknown: int | None = 0

    def __init__(self, characters: str) -> None:
        self.characters = characters
        codes = np.array([ord(c) for c in characters], dtype=np.uint32)
        self._table = np.zeros(int(codes.max(initial=0)) + 2, dtype=np.int32)
        self._table[codes] = np.arange(1, len(codes) + 1)
        self.start = 1 + characters.index("\n") if "\n" in characters else 0

    @classmethod
    def learn(cls, text: str, *, minimum_count: int = 1, maximum_vocab: int | None = None) -> "CharacterUnits":
        """The characters of a text, in the order of their code points."""
        return cls("".join(sorted(_frequent(Counter(text), "characters", minimum_count, maximum_vocab))))

    def __len__(self) -> int:
        return len(self.characters) + 1

    def encode(self, text: str) -> Ids:
        """The ids of a text."""
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        return self._table[np.minimum(codes, len(self._table) - 1)]

    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """One character each; U+FFFD for the unknown."""
        for i in ids:
            yield self.characters[i - 1] if i else "\ufffd"

    def to_json(self) -> dict[str, Any]:
        """The characters."""
        return {"kind": self.kind, "characters": self.characters}


class WordUnits:
    """Words between white space, and `<eos>` at the end of each line; id 0 is `<unk>`, id 1 `<eos>`.

    >>> units = WordUnits.learn("the cat\\nthe dog\\n")
    >>> units.encode("the bird\\n").tolist(), "".join(units.pieces([2, 3, 1, 2]))
    ([2, 0, 1], 'the cat\\nthe')
    """

    kind: Kind = "word"
    start = 1
    end: int | None = 1
    unknown: int | None = 0

    def __init__(self, words: list[str]) -> None:
        self.words = [UNKNOWN, END, *words]
        self._ids = {word: i for i, word in enumerate(self.words)}

    @classmethod
    def learn(cls, text: str, *, minimum_count: int = 1, maximum_vocab: int | None = None) -> "WordUnits":
        """The words of a text, the most frequent first; `<unk>` and `<eos>` in the text are those."""
        counts = Counter(text.split())
        for name in (UNKNOWN, END):
            counts.pop(name, None)
        return cls(_frequent(counts, "words", minimum_count, maximum_vocab))

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text: str) -> Ids:
        """The ids of a text; each line ends with `<eos>`, the last one only if it has its newline."""
        lines = text.split("\n")
        get, ids = self._ids.get, list[int]()
        for i, line in enumerate(lines):
            ids.extend(get(word, 0) for word in line.split())
            if i < len(lines) - 1:
                ids.append(1)
        return np.array(ids, dtype=np.int32)

    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """Words with a space between, `<eos>` as a newline."""
        fresh = True
        for i in ids:
            yield "\n" if i == 1 else self.words[i] if fresh else " " + self.words[i]
            fresh = i == 1

    def to_json(self) -> dict[str, Any]:
        """The words."""
        return {"kind": self.kind, "words": self.words[2:]}


class ByteUnits:
    """The 256 bytes of UTF-8; nothing is ever unknown.

    >>> ByteUnits().encode("é").tolist(), "".join(ByteUnits().pieces([195, 169]))
    ([195, 169], 'é')
    """

    kind: Kind = "byte"
    start = ord("\n")
    end: int | None = None
    unknown: int | None = None

    def __len__(self) -> int:
        return 256

    def encode(self, text: str) -> Ids:
        """The bytes of a text. Raises `DataError` for half of a surrogate pair, which has none."""
        return np.frombuffer(_bytes(text, "surrogateescape"), dtype=np.uint8).astype(np.int32)

    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """Text as soon as its bytes are complete; U+FFFD for bytes that are not UTF-8."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for i in ids:
            yield decoder.decode(bytes([i]))
        yield decoder.decode(b"", final=True)

    def to_json(self) -> dict[str, Any]:
        """The kind is all there is."""
        return {"kind": self.kind}


class SubwordUnits:
    """Pairs of bytes merged in the order of their frequency (byte-level BPE); nothing is ever unknown.

    Source: Sennrich et al. (2016), over bytes; trained and run by the `tokenizers` library. The last id is `<eos>`,
    which stands before a text.
    """

    kind: Kind = "subword"
    unknown: int | None = None

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        tokenizer.encode_special_tokens = True  # which means: not to read one in "<eos>" written out
        names = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
        self._bytes = [b"" if name == END else bytes(_BYTE_OF[letter] for letter in name) for name in names]
        self.start = int(tokenizer.token_to_id(END))
        self.end: int | None = self.start

    @classmethod
    def learn(cls, text: str, *, minimum_count: int = 2, maximum_vocab: int | None = None) -> "SubwordUnits":
        """Merges learned from the lines of a text, up to `maximum_vocab` (4,096) subwords."""
        tokenizers = _tokenizers()
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
        wanted = maximum_vocab or 4096
        if wanted < 257:
            raise ArgumentError(f"maximum_vocab must be at least 257 for subwords (256 bytes and {END}); got {wanted}")
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=wanted,
            min_frequency=max(2, minimum_count),
            special_tokens=[END],
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
        return cls(tokenizer)

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> Ids:
        """The ids of a text; `<eos>` written out in it is text like any other. Raises `DataError` as bytes do."""
        _bytes(text, "strict")
        parts = self._tokenizer.encode_batch(text.splitlines(keepends=True), add_special_tokens=False)
        return np.concatenate([np.array(part.ids, dtype=np.int32) for part in parts] or [np.zeros(0, np.int32)])

    def pieces(self, ids: Iterable[int]) -> Iterator[str]:
        """Text as soon as its bytes are complete; U+FFFD for bytes that are not UTF-8."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for i in ids:
            yield decoder.decode(self._bytes[i])
        yield decoder.decode(b"", final=True)

    def raw(self, id: int) -> bytes:
        """The bytes of a subword, which may be a part of a character; of the end none."""
        return self._bytes[id]

    def to_json(self) -> dict[str, Any]:
        """The tokenizer's own JSON."""
        return {"kind": self.kind, "tokenizer": self._tokenizer.to_str()}


def learn_units(kind: Kind, text: str, *, minimum_count: int = 1, maximum_vocab: int | None = None) -> Units:
    """Units of a kind, learned from a text.

    Raises `DataError` when the vocabulary is empty or, with no `maximum_vocab` to cut it at, over 200,000.
    """
    if kind == "byte":
        return ByteUnits()
    learned: dict[str, Any] = {"character": CharacterUnits, "word": WordUnits, "subword": SubwordUnits}
    units: Units = learned[kind].learn(text, minimum_count=minimum_count, maximum_vocab=maximum_vocab)
    return units


def unknown_among(ids: Any, unknown: int | None) -> int:
    """How many of these ids, an array or a tensor, are the unknown one; none where nothing can be unknown.

    >>> unknown_among(np.array([3, 0, 0]), 0), unknown_among(np.array([3, 0, 0]), None)
    (2, 0)
    """
    return 0 if unknown is None else int((ids == unknown).sum())


def units_from_json(content: Any) -> Units:
    """Units as `to_json` gave them. Raises `RunError` for anything else."""
    try:
        kind = content["kind"]
        if kind == "character":
            return CharacterUnits(_distinct(content["characters"], str))
        if kind == "word":
            return WordUnits(_distinct(content["words"], list))
        if kind == "byte":
            return ByteUnits()
        if kind == "subword":
            return SubwordUnits(_tokenizer_from(content["tokenizer"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"the vocabulary does not read as one: {error!r}") from None
    raise RunError(f"the vocabulary has units of kind {kind!r}; known: character, word, subword, byte")


def _frequent(counts: Counter[str], things: str, minimum_count: int, maximum_vocab: int | None) -> list[str]:
    """The things seen often enough, the most frequent first, ties in alphabetical order."""
    kept = sorted((name for name, n in counts.items() if n >= minimum_count), key=lambda k: (-counts[k], k))
    if not kept:
        fewer = ", or a lower --minimum-count" if minimum_count > 1 else ""
        raise DataError(
            f"no {things} are left: {len(counts)} seen, none of them {minimum_count} times; give more text{fewer}"
        )
    if maximum_vocab is None and len(kept) > VOCAB_LIMIT:
        raise DataError(
            f"the vocabulary has {len(kept):,} {things}, over the limit of {VOCAB_LIMIT:,}: cut it with "
            "--maximum-vocab or --minimum-count, or choose --unit subword"
        )
    return kept[:maximum_vocab]


def _distinct(names: Any, kind: type) -> Any:
    """The names, if they are what `to_json` gives: strings, at least one, each once. Raises `ValueError`."""
    if not isinstance(names, kind):
        raise TypeError(f"names in a {type(names).__name__}")
    listed = [UNKNOWN, END, *cast(Iterable[Any], names)]
    if len(listed) == 2 or not all(isinstance(name, str) for name in listed) or len(set(listed)) < len(listed):
        raise ValueError("names that are not strings, each of them once")
    return names


def _tokenizer_from(content: Any) -> Any:
    library = _tokenizers()
    try:
        return library.Tokenizer.from_str(content)
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(error) from None


def _bytes(text: str, errors: str) -> bytes:
    try:
        return text.encode("utf-8", errors)
    except UnicodeEncodeError as error:
        raise DataError(
            f"the text has {text[error.start]!a} at character {error.start + 1}, which is not in UTF-8: leave it out"
        ) from None


def _letters_of_bytes() -> dict[str, int]:
    """The byte that each letter of byte-level BPE stands for: itself where it prints, else one from 256 on."""
    printing = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printing]
    return {chr(byte): byte for byte in printing} | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTE_OF = _letters_of_bytes()


def _tokenizers() -> Any:
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError:
        raise MissingExtraError("tokenizers", "subword") from None
    return tokenizers
