"""Rules: what a target has to keep to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from throughtime.errors import ArgumentError

Phrase = tuple[int, ...]
MOST_REQUIRED = 256  # symbols of all spellings of all required words; the banks of a beam grow with them
BREAK, WORD, GOES_ON = 0, 1, 2  # what a letter does: it stands between words, within one, or goes on as before


def _kinds() -> list[int]:
    """What each byte of UTF-8 does; the first byte of a character speaks for all of them.

    Words are of letters and digits; punctuation stands between them, and so do characters of scripts that put no space
    between words (Chinese, Japanese).
    """
    of_bytes = [WORD if chr(byte).isalnum() else BREAK for byte in range(128)]
    of_bytes += [GOES_ON] * 64  # continuation bytes
    alone = {0xC2, 0xE2, *range(0xE3, 0xEA), 0xEE, 0xEF}  # « ¿, quotes and dashes, kana and ideographs, wide forms
    return of_bytes + [BREAK if byte in alone or byte >= 0xF0 else WORD for byte in range(0xC0, 0x100)]


KINDS = np.array(_kinds(), dtype=np.int64)


@dataclass(frozen=True)
class Rules:
    """What a target has to keep to: it has `shortest` symbols or more, says no forbidden word and all required ones.

    A word is a symbol, or several that follow each other; a required one may also be several spellings, any of which
    will do. `end` is the symbol that ends a target; it is not counted.

    With `spelling`, the bytes that each symbol adds to a text, forbidden words are UTF-8 text: none is said, however it
    is cut into symbols, where it stands as a word, so between what is not of letters and digits. Longer words that it
    is a part of are allowed.

    >>> rules = Rules(end=0, required=[4, (5, 6), [(7, 8), (9,)]])
    >>> rules.wanted
    (((4,),), ((5, 6),), ((7, 8), (9,)))
    >>> text = Rules(end=0, forbidden=[b"he"], spelling=(b"", b"h", b"he", b"e", b" ", b"y"))
    >>> text.says((1, 3), ended=True), text.says((1, 3, 5), ended=True)
    ((104, 101), None)
    """

    end: int
    shortest: int = 0
    forbidden: Sequence[int | Sequence[int]] = ()
    required: Sequence[int | Sequence[int] | Sequence[Sequence[int]]] = ()
    spelling: tuple[bytes, ...] | None = None

    def __post_init__(self) -> None:
        if self.end < 0:
            raise ArgumentError(f"the end symbol must be at least 0; got {self.end}")
        if self.shortest < 0:
            raise ArgumentError(f"shortest must be at least 0; got {self.shortest}")
        spelt = [("required", phrase) for word in self.wanted for phrase in word or ((),)]
        for kind, phrase in [("forbidden", phrase) for phrase in self.refused] + spelt:
            if not phrase:
                raise ArgumentError(f"a {kind} word has no symbols: leave it out")
            if kind == "forbidden" and self.spelling is not None:
                continue  # letters, not symbols
            if self.end in phrase:
                raise ArgumentError(f"the {kind} word {_shown(phrase)} has the end symbol, which rules do not name")
            if min(phrase) < 0:
                raise ArgumentError(f"the {kind} word {_shown(phrase)} has a symbol below 0")
        if (symbols := sum(len(phrase) for _, phrase in spelt)) > MOST_REQUIRED:
            raise ArgumentError(f"required words have {symbols} symbols, over the limit of {MOST_REQUIRED}: fewer")
        self._agree()

    @cached_property
    def refused(self) -> tuple[Phrase, ...]:
        """The forbidden words, each once, as tuples of symbols, or of letters where there is a spelling."""
        return tuple(dict.fromkeys(_phrase(word) for word in self.forbidden))

    @cached_property
    def wanted(self) -> tuple[tuple[Phrase, ...], ...]:
        """The required words, each once, as their spellings."""
        return tuple(dict.fromkeys(_spellings(word) for word in self.required))

    def says(self, tokens: Sequence[int], *, ended: bool) -> Phrase | None:
        """A forbidden word that these symbols say, if they do; one at their end may go on, unless they have ended."""
        if self.spelling is None:
            return next((phrase for phrase in self.refused if within(phrase, tokens)), None)
        text = b"".join(self.spelling[symbol] for symbol in tokens if symbol < len(self.spelling))
        return next((word for word in self.refused if _stands(bytes(word), text, ended)), None)

    def check(self, longest: int, prefix: Sequence[int], source: int | None = None) -> None:
        """Raises `ArgumentError` when these rules, a limit and a forced prefix contradict each other."""
        where = "" if source is None else f" (source {source})"
        if longest < 0:
            raise ArgumentError(f"longest must be at least 0; got {longest}{where}")
        if self.shortest > longest:
            raise ArgumentError(f"shortest {self.shortest} is over longest {longest}{where}: change one of them")
        if len(prefix) > longest:
            raise ArgumentError(f"the prefix has {len(prefix)} symbols, over longest {longest}{where}")
        if self.end in prefix:
            raise ArgumentError(f"the prefix {_shown(prefix)} has the end symbol {self.end}{where}")
        if word := self.says(prefix, ended=False):
            raise ArgumentError(f"the prefix {_shown(prefix)} says the forbidden word {self.named(word)}{where}")
        if self.wanted and (needed := _least(self.wanted, tuple(prefix))) > longest:
            after = f" after a prefix of {len(prefix)}" if prefix else ""
            raise ArgumentError(
                f"the required words need {needed - len(prefix)} symbols{after}, over longest {longest}{where}: "
                "raise it or require fewer"
            )

    def check_symbols(self, prefix: Sequence[int], vocab: int) -> None:
        """Raises `ArgumentError` for symbols that a model of this vocabulary does not have."""
        if self.spelling is not None and len(self.spelling) != vocab:
            raise ArgumentError(f"the spelling is of {len(self.spelling)} symbols, and the model has {vocab}")
        words = (*(phrase for word in self.wanted for phrase in word), *(self.refused if self.spelling is None else ()))
        named = [self.end, *prefix, *(symbol for phrase in words for symbol in phrase)]
        outside = [symbol for symbol in named if not 0 <= symbol < vocab]
        if outside:
            raise ArgumentError(f"the symbol {outside[0]} is none of the model's: they are 0 to {vocab - 1}")

    def named(self, word: Phrase) -> str:
        """A forbidden word, for people."""
        return _shown(word) if self.spelling is None else ascii(bytes(word).decode(errors="replace"))

    def _agree(self) -> None:
        for word in self.wanted:
            said = [self.says(phrase, ended=False) for phrase in word]
            if all(said) and said[0] is not None:
                raise ArgumentError(
                    f"the required word {_shown(word[0])} says the forbidden word {self.named(said[0])}: drop one"
                )


def each(
    rules: Rules | Sequence[Rules], longest: Sequence[int], prefixes: Sequence[Sequence[int]] | None
) -> tuple[list[Rules], list[Phrase]]:
    """The rules and the prefix of each source, which agree with each other.

    Raises `ArgumentError` where they do not, or where their numbers differ.
    """
    several = [rules] * len(longest) if isinstance(rules, Rules) else list(rules)
    begins: list[Phrase] = [()] * len(longest)
    if prefixes is not None:
        begins = [tuple(int(symbol) for symbol in prefix) for prefix in prefixes]
    for name, given in (("rules", several), ("prefixes", begins)):
        if len(given) != len(longest):
            raise ArgumentError(f"there are {len(given)} {name} for {len(longest)} sources (one longest each)")
    if len({one.end for one in several}) > 1:
        raise ArgumentError(f"all rules need the same end symbol; got {sorted({one.end for one in several})}")
    for source, (one, limit, begin) in enumerate(zip(several, longest, begins, strict=True)):
        one.check(limit, begin, source)
    return several, begins


def within(phrase: Sequence[int], tokens: Sequence[int]) -> bool:
    """Whether the phrase stands somewhere in the tokens, unbroken.

    >>> within((1, 2), (0, 1, 2)), within((1, 2), (1, 0, 2))
    (True, False)
    """
    size, phrase, tokens = len(phrase), tuple(phrase), tuple(tokens)
    return any(tokens[at : at + size] == phrase for at in range(len(tokens) - size + 1))


def _phrase(word: int | Sequence[int]) -> Phrase:
    return tuple(map(int, word)) if isinstance(word, Sequence) else (int(word),)


def _spellings(word: int | Sequence[int] | Sequence[Sequence[int]]) -> tuple[Phrase, ...]:
    """The spellings of a required word: those given, or it alone."""
    if not isinstance(word, Sequence):
        return ((int(word),),)
    several = [_phrase(part) for part in word if isinstance(part, Sequence)]
    return tuple(dict.fromkeys(several)) or (tuple(int(part) for part in word if not isinstance(part, Sequence)),)


def _stands(word: bytes, text: bytes, ended: bool) -> bool:
    """Whether a word stands in a text as a word."""
    at = text.find(word)
    while at >= 0:
        stop = at + len(word)
        begins = at == 0 or not (_in_word(text, at - 1) and _in_word(text, at))
        goes_on = not ended if stop == len(text) else _in_word(text, stop)
        if begins and not (_in_word(text, stop - 1) and goes_on):
            return True
        at = text.find(word, at + 1)
    return False


def _in_word(text: bytes, at: int) -> bool:
    """Whether the character of this byte is a part of words."""
    while 0 < at < len(text) and KINDS[text[at]] == GOES_ON:
        at -= 1
    return at < len(text) and bool(KINDS[text[at]] == WORD)


@lru_cache(maxsize=64)
def _least(wanted: tuple[tuple[Phrase, ...], ...], prefix: Phrase) -> int:
    """So many symbols at least has what begins so and says a spelling of each of these words, which may overlap."""
    lacking = [word for word in wanted if not any(within(phrase, prefix) for phrase in word)]
    alone = [w for w in lacking if not any(w != o and within(p, other) for p in w for o in lacking for other in o)]
    new = sum(
        min(
            len(p) - max((_overlap(q, p) for q in (prefix, *(q for o in alone if o != word for q in o))), default=0)
            for p in word
        )
        for word in alone
    )
    shortest = max((min(map(len, word)) for word in wanted), default=0)
    return max(len(prefix) + new, shortest)


def _overlap(before: Phrase, after: Phrase) -> int:
    """With how many of the first symbols of one, though not all, the other ends."""
    sizes = range(min(len(before) + 1, len(after)))
    return max(size for size in sizes if before[len(before) - size :] == after[:size])


def _shown(phrase: Sequence[int]) -> str:
    return " ".join(map(str, phrase))
