"""Phrases: how far each hypothesis is in saying several words that it has to say."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from throughtime.search.automaton import NOTHING, OWN, Automaton
from throughtime.search.rules import BREAK, Phrase

Spellings = tuple[Phrase, ...]  # of a word, any of which will do


class Phrases(NamedTuple):
    """An automaton that has read what a hypothesis said, and what its states say of each required word.

    Shapes: M states, A symbols that some word has, P words of a source at most, V symbols, B sources.
    """

    symbols: Tensor  # A
    columns: Tensor  # V, the column of each symbol
    following: Tensor  # M C, the next state
    ending: Tensor  # M P, whether a word ends here
    progress: Tensor  # M P, how many symbols less than its fewest a word lacks here; fewer than all
    roots: Tensor  # B, where each source begins
    lengths: Tensor  # B P, the fewest symbols of each word of a source; 0 where it has fewer words

    @classmethod
    def of(cls, wanted: Sequence[tuple[Spellings, ...]], vocab: int, device: torch.device) -> "Phrases | None":
        """The automaton of each source's words, or None where no source has any."""
        sets = list(dict.fromkeys(wanted))
        symbols = sorted({symbol for words in sets for word in words for phrase in word for symbol in phrase})
        if not symbols:
            return None
        most, column = max(map(len, sets)), {symbol: place for place, symbol in enumerate(symbols, OWN)}
        columns = torch.zeros(vocab, dtype=torch.int64)
        columns[symbols] = torch.arange(OWN, OWN + len(symbols))
        kinds = np.full(OWN + len(symbols), BREAK)
        kinds[NOTHING] = NOTHING
        spelt = [[tuple(column[s] for s in phrase) for word in words for phrase in word] for words in sets]
        automaton = Automaton.of(spelt, kinds, stops=False)
        ending, progress = _tables(automaton, sets, spelt, most)
        roots = dict(zip(sets, automaton.roots, strict=True))
        tables = (
            torch.tensor(symbols),
            columns,
            torch.from_numpy(automaton.following),
            torch.from_numpy(ending),
            torch.from_numpy(progress),
            torch.tensor([roots[words] for words in wanted]),
            torch.tensor([[min(map(len, word)) for word in words] + [0] * (most - len(words)) for words in wanted]),
        )
        return cls(*(table.to(device) for table in tables))

    def next(self, states: Tensor, tokens: Tensor) -> Tensor:
        """The states after one more symbol each."""
        return self.following[states, self.columns[tokens]]

    def said(self, states: Tensor, met: Tensor, lengths: Tensor) -> Tensor:
        """Symbols of required words that count as said: of those that were met, and of the one that was begun."""
        begun = self.progress[states].masked_fill(met, 0).amax(-1)
        return (lengths * met).sum(-1) + begun

    def take(self, groups: Tensor) -> "Phrases":
        """The tables for some of the sources."""
        return self._replace(roots=self.roots[groups], lengths=self.lengths[groups])


def _tables(
    automaton: Automaton, sets: Sequence[tuple[Spellings, ...]], spelt: Sequence[Sequence[Phrase]], most: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Where words end, and how far they are said, by state and word; `spelt` are the columns of all spellings."""
    ending = np.zeros((len(automaton.following), most), np.bool_)
    progress = np.zeros(ending.shape, np.int64)
    for words, phrases, root in zip(sets, spelt, automaton.roots, strict=True):
        places = [(place, word) for place, word in enumerate(words) for _ in word]
        for (place, word), phrase in zip(places, phrases, strict=True):
            state, lead = root, min(map(len, word)) - len(phrase)
            for said, letter in enumerate(phrase, 1):
                state = int(automaton.following[state, letter])
                if said < len(phrase):
                    progress[state, place] = max(progress[state, place], said + lead)
            ending[state, place] = True
    for state, falls in automaton.order:
        ending[state] |= ending[falls]
        np.maximum(progress[state], progress[falls], out=progress[state])
    return ending, progress
