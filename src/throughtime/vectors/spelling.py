"""Words that are spelled like a word, out of very many."""

from collections.abc import Sequence
from difflib import get_close_matches
from heapq import nlargest

CANDIDATES = 300  # words that are compared letter by letter
PAIRS = 16  # most pairs of letters of the word that are looked for


def nearest_spellings(word: str, known: Sequence[str], count: int = 3) -> list[str]:
    """The known words that are spelled most like a word, the nearest first; none if none is near.

    Words of about the same length that share most pairs of letters with it are compared letter by letter: comparing
    every one of 400,000 words would take many seconds.

    >>> nearest_spellings("recieve", ["receive", "recipe", "table"])
    ['receive', 'recipe']
    """
    folded = word.casefold()[:100]
    bounded = f" {folded} "
    pairs = sorted({bounded[i : i + 2] for i in range(len(bounded) - 1)})[:PAIRS]
    least, most = len(folded) - 2, len(folded) + 2

    def shared(candidate: str) -> int:
        text = f" {candidate.casefold()} "
        return sum(pair in text for pair in pairs)

    near = nlargest(CANDIDATES, (other for other in known if least <= len(other) <= most), key=shared)
    spelled: dict[str, str] = {}
    for candidate in near:
        spelled.setdefault(candidate.casefold(), candidate)
    return [spelled[close] for close in get_close_matches(folded, spelled, n=count, cutoff=0.6)]
