"""Rules: what a target has to keep to."""

from collections.abc import Sequence
from dataclasses import dataclass

from throughtime.errors import ArgumentError

Phrase = tuple[int, ...]


@dataclass(frozen=True)
class Rules:
    """What a target has to keep to: it has `shortest` symbols or more, says no forbidden word and all required ones.

    A word is a symbol, or several that follow each other. `end` is the symbol that ends a target; it is not counted.

    >>> Rules(end=0, required=[4, (5, 6)]).phrases("required")
    ((4,), (5, 6))
    """

    end: int
    shortest: int = 0
    forbidden: Sequence[int | Sequence[int]] = ()
    required: Sequence[int | Sequence[int]] = ()

    def __post_init__(self) -> None:
        if self.end < 0:
            raise ArgumentError(f"the end symbol must be at least 0; got {self.end}")
        if self.shortest < 0:
            raise ArgumentError(f"shortest must be at least 0; got {self.shortest}")
        for kind in ("forbidden", "required"):
            for phrase in self.phrases(kind):
                if not phrase:
                    raise ArgumentError(f"a {kind} word has no symbols: leave it out")
                if self.end in phrase:
                    raise ArgumentError(f"the {kind} word {_shown(phrase)} has the end symbol, which rules do not name")
                if min(phrase) < 0:
                    raise ArgumentError(f"the {kind} word {_shown(phrase)} has a symbol below 0")
        self._agree()

    def phrases(self, kind: str) -> tuple[Phrase, ...]:
        """The words that are `forbidden` or `required`, each once, as tuples of symbols."""
        words = getattr(self, kind)
        return tuple(dict.fromkeys(tuple(word) if isinstance(word, Sequence) else (int(word),) for word in words))

    def check(self, longest: int, prefix: Sequence[int], source: int) -> None:
        """Raises `ArgumentError` when these rules, a limit and a forced prefix contradict each other."""
        where = f" (source {source})"
        if longest < 0:
            raise ArgumentError(f"longest must be at least 0; got {longest}{where}")
        if self.shortest > longest:
            raise ArgumentError(f"shortest {self.shortest} is over longest {longest}{where}: change one of them")
        if len(prefix) > longest:
            raise ArgumentError(f"the prefix has {len(prefix)} symbols, over longest {longest}{where}")
        if self.end in prefix:
            raise ArgumentError(f"the prefix {_shown(prefix)} has the end symbol {self.end}{where}")
        for phrase in self.phrases("forbidden"):
            if within(phrase, prefix):
                raise ArgumentError(f"the prefix {_shown(prefix)} says the forbidden word {_shown(phrase)}{where}")
        needed = _least(self.phrases("required"))
        if needed > longest:
            raise ArgumentError(
                f"the required words need {needed} symbols, over longest {longest}{where}: raise it or require fewer"
            )

    def check_symbols(self, prefix: Sequence[int], vocab: int) -> None:
        """Raises `ArgumentError` for symbols that a model of this vocabulary does not have."""
        words = self.phrases("forbidden") + self.phrases("required")
        named = [self.end, *prefix, *(symbol for phrase in words for symbol in phrase)]
        outside = [symbol for symbol in named if not 0 <= symbol < vocab]
        if outside:
            raise ArgumentError(f"the symbol {outside[0]} is none of the model's: they are 0 to {vocab - 1}")

    def _agree(self) -> None:
        for required in self.phrases("required"):
            for forbidden in self.phrases("forbidden"):
                if within(forbidden, required):
                    raise ArgumentError(
                        f"the required word {_shown(required)} says the forbidden word {_shown(forbidden)}: drop one"
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


def _least(phrases: Sequence[Phrase]) -> int:
    """So many symbols at least has what says all these phrases, which may overlap."""
    alone = [p for p in phrases if not any(p != other and within(p, other) for other in phrases)]
    new = sum(len(p) - max((_overlap(other, p) for other in alone if other != p), default=0) for p in alone)
    return max(new, *map(len, alone), 0)


def _overlap(before: Phrase, after: Phrase) -> int:
    """With how many of the first symbols of one the other ends."""
    return max(size for size in range(min(len(before), len(after))) if before[len(before) - size :] == after[:size])


def _shown(phrase: Sequence[int]) -> str:
    return " ".join(map(str, phrase))
