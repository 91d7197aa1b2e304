"""Every error that Throughtime raises on purpose, drawn as a tree.

    ThroughtimeError            anything a user can put right
    ├── ArgumentError           an argument, option or recipe does not fit       (also a ValueError)
    ├── DataError               a file of data is missing, empty, malformed      (also a ValueError)
    ├── RunError                a run folder is absent, incomplete, altered, from another version
    ├── StorageError            the disk refused: full, read-only, not a folder  (also an OSError)
    ├── DivergedError           a loss or a gradient stopped being a number
    ├── LawError                a cell or core breaks a law it is held to       (also an AssertionError)
    ├── UntraceableError        a step does what no compiled sweep can do       (caught: the plain loop runs)
    └── MissingExtraError       an optional dependency is not installed          (also an ImportError)

A message names what was given, the value that came, what fits, and the way out. The command line prints it
as one line and exits with status 2.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ThroughtimeError(Exception):
    """Anything a user can put right; the root of the tree."""


class ArgumentError(ThroughtimeError, ValueError):
    """An argument, option or recipe does not fit."""


class DataError(ThroughtimeError, ValueError):
    """A file of data is missing, empty or malformed."""


class RunError(ThroughtimeError):
    """A run folder is absent, incomplete, altered or from another version."""


class StorageError(ThroughtimeError, OSError):
    """The disk refused: full, read-only, or not a folder."""


class DivergedError(ThroughtimeError):
    """A loss or a gradient stopped being a number."""


class LawError(ThroughtimeError, AssertionError):
    """A cell or core breaks a law that it is held to."""


class UntraceableError(ThroughtimeError):
    """A step does what no compiled sweep can do; the plain loop runs instead."""


class MissingExtraError(ThroughtimeError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"this needs the package '{package}': pip install 'throughtime[{extra}]'")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that ends a sentence about an unknown name.

    >>> nearest("lsmt", ["gru", "lstm"])
    "did you mean 'lstm'?"
    >>> nearest("xyz", ["gru", "lstm"])
    'known: gru, lstm'
    """
    known = list(known)
    close = get_close_matches(name, known, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return "known: " + ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")


def plural(item: str) -> str:
    """Several of what has that name.

    >>> plural("text"), plural("series")
    ('texts', 'series')
    """
    return item if item.endswith("s") else f"{item}s"


def printable(text: str) -> str:
    """The text with its control characters written out, so that no name from a file can steer a terminal.

    >>> printable("red\\x1b[31m")
    'red\\\\u001b[31m'
    """
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
