"""Phrases: how far each hypothesis is in saying one of several words."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from throughtime.search.rules import Phrase


class Phrases(NamedTuple):
    """Automata that have read what a hypothesis said: one for each distinct set of phrases, in the same tables.

    A node is what a hypothesis said last, as far as a phrase begins so. Letters are the symbols that some phrase has,
    from 1; all others are the letter 0, which leads back to the root.

    Shapes: M nodes, A letters, P phrases of a set at most, V symbols, B sources.
    Source: Aho and Corasick (1975).
    """

    symbols: Tensor  # A, the symbol of each letter
    letters: Tensor  # V, the letter of each symbol
    following: Tensor  # M 1+A, the next node
    ending: Tensor  # M P, whether a phrase ends here
    progress: Tensor  # M P, how many symbols of a phrase stand here, fewer than all
    completing: Tensor  # M A, whether a symbol would end a phrase
    roots: Tensor  # B, where each source begins
    lengths: Tensor  # B P, symbols of each phrase of a source; 0 where it has fewer phrases

    @classmethod
    def of(cls, wanted: Sequence[tuple[Phrase, ...]], vocab: int, device: torch.device) -> "Phrases | None":
        """The automata of each source's phrases, or None where no source has any."""
        sets = list(dict.fromkeys(wanted))
        symbols = sorted({symbol for phrases in sets for phrase in phrases for symbol in phrase})
        if not symbols:
            return None
        most = max(map(len, sets))
        letters = torch.zeros(vocab, dtype=torch.int64)
        letters[symbols] = torch.arange(1, len(symbols) + 1)
        following: list[list[int]] = []
        ending: list[list[bool]] = []
        progress: list[list[int]] = []
        roots = {}
        for phrases in sets:
            roots[phrases] = len(following)
            _add(phrases, symbols, most, following, ending, progress)
        lengths = [[len(phrase) for phrase in phrases] + [0] * (most - len(phrases)) for phrases in wanted]
        follows, ends = torch.tensor(following), torch.tensor(ending)
        tables = (
            torch.tensor(symbols),
            letters,
            follows,
            ends,
            torch.tensor(progress),
            ends.any(1)[follows[:, 1:]],
            torch.tensor([roots[phrases] for phrases in wanted]),
            torch.tensor(lengths),
        )
        return cls(*(table.to(device) for table in tables))

    def next(self, nodes: Tensor, tokens: Tensor) -> Tensor:
        """The nodes after one more symbol each."""
        return self.following[nodes, self.letters[tokens]]

    def said(self, nodes: Tensor, met: Tensor, lengths: Tensor) -> Tensor:
        """Symbols of required phrases that count as said: of those that were met, and of the one that was begun."""
        begun = self.progress[nodes].masked_fill(met, 0).amax(-1)
        return (lengths * met).sum(-1) + begun

    def take(self, groups: Tensor) -> "Phrases":
        """The tables for some of the sources."""
        return self._replace(roots=self.roots[groups], lengths=self.lengths[groups])


def _add(
    phrases: tuple[Phrase, ...],
    symbols: list[int],
    most: int,
    following: list[list[int]],
    ending: list[list[bool]],
    progress: list[list[int]],
) -> None:
    """Adds the automaton of some phrases to the tables, whose rows say where each letter leads."""
    root, letter = len(following), {symbol: place for place, symbol in enumerate(symbols, 1)}
    nodes = list(dict.fromkeys([(), *(phrase[:size] for phrase in phrases for size in range(1, len(phrase) + 1))]))
    places = {node: root + place for place, node in enumerate(nodes)}
    own = {symbol for phrase in phrases for symbol in phrase}
    for node in nodes:
        row = [root] * (len(symbols) + 1)
        for symbol in own:
            row[letter[symbol]] = places[_end_in((*node, symbol), places)]
        following.append(row)
        padding = most - len(phrases)
        ending.append([node[-len(phrase) :] == phrase for phrase in phrases] + [False] * padding)
        progress.append([_begun(node, phrase) for phrase in phrases] + [0] * padding)


def _end_in(tokens: Phrase, places: dict[Phrase, int]) -> Phrase:
    """The longest end of the tokens that is a node."""
    return next(tokens[at:] for at in range(len(tokens) + 1) if tokens[at:] in places)


def _begun(node: Phrase, phrase: Phrase) -> int:
    """How many of the phrase's symbols, though not all, the node ends in."""
    sizes = range(min(len(node) + 1, len(phrase)))
    return max(size for size in sizes if node[len(node) - size :] == phrase[:size])
