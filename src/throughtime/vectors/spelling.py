"""Words that are spelled like a word, out of very many."""

from collections.abc import Sequence
from difflib import get_close_matches
from heapq import nlargest

CANDIDATES = 200  # words that are compared letter by letter
PAIRS = 8  # most pairs of letters of the word that are looked for


def nearest_spellings(word: str, known: Sequence[str], count: int = 3) -> list[str]:
    """The known words that are spelled most like a word, the nearest first; none if none is near.

    Only words of about the same length that share most pairs of letters with it are compared letter by letter:
    comparing every one of 400,000 words would take many seconds.

    >>> nearest_spellings("recieve", ["receive", "recipe", "table"])
    ['receive', 'recipe']
    """
    folded = word[:100].casefold()
    pairs = [folded[i : i + 2] for i in range(len(folded) - 1)] or [folded]
    pairs = pairs[:: -(-len(pairs) // PAIRS)]
    size = range(len(folded) - 2, len(folded) + 3)
    alike = [(sum([pair in other for pair in pairs]), other) for other in known if len(other) in size]
    if not folded.islower() or any(letter.isupper() for letter in word):
        alike += [(PAIRS, other) for other in known if other.casefold() == folded]
    spelled: dict[str, str] = {}
    for _, candidate in nlargest(CANDIDATES, alike, key=lambda pair: pair[0]):
        spelled.setdefault(candidate.casefold(), candidate)
    return [spelled[close] for close in get_close_matches(folded, spelled, n=count)]
