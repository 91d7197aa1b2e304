"""What the writing of a word shows: its casing, its letters from both ends, its form without what varies by chance."""

from typing import Literal, get_args

Casing = Literal[
    "lower", "capital", "upper", "letter", "mixed", "digits", "some digits", "punctuation", "marked", "other"
]
CASINGS: tuple[Casing, ...] = get_args(Casing)


def casing_of(word: str) -> Casing:
    """How a word is written.

    lower        letters, none of them large            upper        large letters, two at least
    capital      a large letter, then small ones        letter       one large letter
    mixed        large letters elsewhere                digits       digits, and what stands between digits
    some digits  digits and letters                     punctuation  no letter and no digit
    marked       letters with other marks, such as e-mail             other        letters that have no two sizes

    >>> [casing_of(word) for word in ("the", "Ada", "UN", "I", "iPhone", "1,000", "4th", "...", "e-mail", "語")]
    ['lower', 'capital', 'upper', 'letter', 'mixed', 'digits', 'some digits', 'punctuation', 'marked', 'other']
    """
    if any(map(str.isdigit, word)):
        return "some digits" if any(map(str.isalpha, word)) else "digits"
    if not any(map(str.isalpha, word)):
        return "punctuation"
    if word.islower():
        return "lower" if word.isalpha() else "marked"
    if word.isupper():
        return "upper" if len(word) > 1 else "letter"
    if word[:1].isupper() and word[1:].islower():
        return "capital"
    return "mixed" if word.lower() != word else "other"


def plain_of(word: str) -> str:
    """A word in small letters, each digit a 0: what its casing and the value of its digits leave.

    >>> plain_of("Flight-747B")
    'flight-000b'
    """
    small = word.lower()
    return "".join("0" if letter.isdigit() else letter for letter in small) if not small.isalpha() else small


def affixes_of(word: str, longest: int) -> tuple[str, ...]:
    """The first 1, 2, ... letters of a word, then the last 1, 2, ...; the whole word where it is shorter.

    >>> affixes_of("read", 3)
    ('r', 're', 'rea', 'd', 'ad', 'ead')
    """
    sizes = range(1, longest + 1)
    return (*(word[:size] for size in sizes), *(word[-size:] for size in sizes))
