"""An automaton that reads letters and knows which of several words it has read."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.search.rules import BREAK, GOES_ON, WORD, Phrase

NOTHING = 3  # the column of no letter at all: it leads nowhere
OWN = 4  # the column of the first letter that some word has; those before it are of all other letters, by their kind
STOPPED = 0  # the state that nothing leads out of


class Automaton(NamedTuple):
    """States are what was read last, as far as a word begins so; each set of words has states of its own.

    A set begins in its root; the state after it is the root within a word, where only what breaks words can begin one.

    Source: Aho and Corasick (1975), with words that begin and end where words do.
    """

    following: NDArray[np.int64]  # M C, the next state by each column
    roots: list[int]  # of each set
    waiting: NDArray[np.bool_]  # M, whether a word ends here unless it goes on
    order: list[tuple[int, int]]  # states that are not roots, and where each falls back to, which stands before it

    @classmethod
    def of(cls, sets: Sequence[Sequence[Phrase]], kinds: NDArray[np.int64], *, stops: bool) -> "Automaton":
        """The automaton of words of columns, whose kinds are these (C). It `stops` at a whole word, if asked to."""
        size = 1 + sum(2 + sum(map(len, words)) for words in sets)
        following = np.zeros((size, len(kinds)), np.int64)
        waiting, done = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
        roots, order, first = list[int](), list[tuple[int, int]](), 1
        for words in sets:
            roots.append(first)
            children, ends = _trie(words, first)
            _roots(following, children[first], kinds, first)
            falls, letters = {first: first}, {first: BREAK}
            queue = [first]
            for state in queue:  # it grows, the shorter beginnings first
                for column, child in children[state].items():
                    kind = int(kinds[column])
                    letters[child] = letters[state] if kind == GOES_ON else kind
                    root = first + (letters[child] == WORD)
                    falls[child] = root if state == first else int(following[falls[state], column])
                    ends[child] = ends.get(child, False) or ends.get(falls[child], False)
                    _fill(following, child, children[child], falls[child])
                    if stops and ends[child]:
                        waiting[child] = letters[child] == WORD
                        done[child] = not waiting[child]
                        following[child, kinds == BREAK] = STOPPED
                    order.append((child, falls[child]))
                    queue.append(child)
            first += len(children) + 1
        following, waiting, done = following[:first], waiting[:first], done[:first]
        following[done[following]] = STOPPED
        waiting[STOPPED] = True
        return cls(following, roots, waiting, order)


def _trie(words: Sequence[Phrase], root: int) -> tuple[dict[int, dict[int, int]], dict[int, bool]]:
    """The states that columns lead to, each beginning of a word once, and which of them are whole words."""
    children: dict[int, dict[int, int]] = {root: {}}
    ends: dict[int, bool] = {}
    for word in words:
        state = root
        for column in word:
            state = children[state].setdefault(column, root + len(children) + 1)
            children.setdefault(state, {})
        ends[state] = True
    return children, ends


def _roots(following: NDArray[np.int64], children: dict[int, int], kinds: NDArray[np.int64], root: int) -> None:
    """Fills the rows of a root, and of the root within a word."""
    outside, inside = following[root], following[root + 1]
    outside[:] = np.where(kinds == WORD, root + 1, root)
    for column, child in children.items():
        outside[column] = child
    inside[:] = np.where(kinds == BREAK, outside, root + 1)


def _fill(following: NDArray[np.int64], state: int, children: dict[int, int], falls: int) -> None:
    """Fills the row of a state, which does what the one that it falls back to does where it does not go on itself."""
    following[state] = following[falls]
    following[state, NOTHING] = state
    for column, child in children.items():
        following[state, column] = child
