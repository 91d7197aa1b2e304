"""Forbidden: which symbols would end a forbidden word, however the words are cut into symbols."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from throughtime.search.automaton import NOTHING, OWN, STOPPED, Automaton
from throughtime.search.rules import BREAK, GOES_ON, KINDS, WORD, Phrase, Rules

Words = tuple[Phrase, ...]


class Forbidden:
    """An automaton over letters that has read what a hypothesis said; a symbol is a string of them.

    Letters are the bytes that the rules' `spelling` gives each symbol, or, without one, the symbols themselves.
    What a state makes impossible is worked out when a hypothesis is first there, and kept.
    """

    def __init__(
        self, sets: Sequence[Words], spelling: tuple[bytes, ...] | None, end: int, vocab: int, device: torch.device
    ) -> None:
        letters = sorted({letter for words in sets for word in words for letter in word})
        kinds = np.concatenate((np.array([BREAK, WORD, GOES_ON, NOTHING]), np.zeros(len(letters), np.int64)))
        if spelling is not None:
            kinds[OWN:] = KINDS[letters]
        column = {letter: place for place, letter in enumerate(letters, OWN)}
        spelt = [[tuple(column[letter] for letter in word) for word in words] for words in sets]
        automaton = Automaton.of(spelt, kinds, stops=True)
        self.end, self.vocab = end, vocab
        self.roots = dict(zip(sets, automaton.roots, strict=True))
        self.following = torch.from_numpy(automaton.following).to(device)
        self.waiting = automaton.waiting
        self.columns = torch.from_numpy(_columns(column, spelling, end, vocab)).to(device)
        self._impossible: dict[int, Tensor] = {}

    @classmethod
    def of(cls, rules: Sequence[Rules], vocab: int, device: torch.device) -> "tuple[Forbidden, Tensor] | None":
        """The automaton of each source's words, and where each source begins; None where no source has any."""
        sets = [one.refused for one in rules]
        if not any(sets):
            return None
        automaton = _made(tuple(dict.fromkeys(sets)), rules[0].spelling, rules[0].end, vocab, device)
        return automaton, torch.tensor([automaton.roots[words] for words in sets], device=device)

    def next(self, states: Tensor, tokens: Tensor) -> Tensor:
        """The states after one more symbol each."""
        for column in self.columns[tokens].unbind(1):
            states = self.following[states, column]
        return states

    def restrict(self, table: Tensor, states: Tensor) -> None:
        """Makes what would end a forbidden word impossible, in place. Shapes: table N V, states N."""
        for state in sorted(set(states.tolist())):
            symbols = self.impossible(state)
            if len(symbols):
                table[(states == state).nonzero(), symbols] = -torch.inf

    def impossible(self, state: int) -> Tensor:
        """The symbols that a state does not allow."""
        if state not in self._impossible:
            everything = torch.arange(self.vocab, device=self.columns.device)
            stopped = self.next(torch.full_like(everything, state), everything) == STOPPED
            stopped[self.end] = bool(self.waiting[state])
            self._impossible[state] = stopped.nonzero()[:, 0]
        return self._impossible[state]


@lru_cache(maxsize=4)
def _made(
    sets: tuple[Words, ...], spelling: tuple[bytes, ...] | None, end: int, vocab: int, device: torch.device
) -> Forbidden:
    """The automaton of these words, made once for all batches and calls."""
    return Forbidden(sets, spelling, end, vocab, device)


def _columns(column: dict[int, int], spelling: tuple[bytes, ...] | None, end: int, vocab: int) -> NDArray[np.int64]:
    """The columns of each symbol's letters, side by side; the end has none. Shapes: V L."""
    if spelling is None:
        columns = np.full((vocab, 1), BREAK, np.int64)
        columns[list(column), 0] = list(column.values())
    else:
        table = KINDS.copy()
        table[list(column)] = list(column.values())
        columns = np.full((vocab, max(map(len, spelling), default=0)), NOTHING, np.int64)
        for row, letters in zip(columns, spelling, strict=True):
            row[: len(letters)] = table[list(letters)]
    columns[end] = NOTHING
    return columns
