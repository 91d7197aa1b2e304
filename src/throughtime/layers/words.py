"""Vectors of words from all that is seen of them: the word itself, its casing and affixes, its letters."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from throughtime.cells.cell import check_rate
from throughtime.data.tokens import Words
from throughtime.errors import ArgumentError
from throughtime.padded import Padded

MANY, GROUPS = 64, 4  # words from which on they are worked out in groups


@runtime_checkable
class Speller(Protocol):
    """What makes vectors of letters: a `CharacterConvolution` or a `CharacterRecurrence`."""

    hidden: int

    def __call__(self, letters: Padded) -> Tensor:
        """U C to U D."""
        ...


class WordVectors(nn.Module):
    """An embedding of the word, one of each feature, and what is made of its letters, side by side.

    Formula: v = [E w; F_1 f_1; ...; F_n f_n; letters(c_1 ... c_C)]
    Shapes: v U D, D is `width`; `features` are the sizes of the vocabularies of the features and their widths.

    `word_dropout` reads a word at some of its places as unknown (number 0) while training; its features and letters
    stay, from which the model so learns what it will need of words that are new.

    >>> from throughtime.data.lexicon import Lexicon, View, WordTable
    >>> from throughtime.data.tokens import words_of
    >>> table = WordTable(Lexicon(View(plain=True, casing=True, affixes=0, letters=False), ["a", "cat"], [], ""))
    >>> layer = WordVectors(3, 8, [(10, 2)], None)
    >>> layer(words_of(table, table.rows(["Cat", "a"]))).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        vocab: int,
        width: int,
        features: Sequence[tuple[int, int]],
        letters: Speller | None,
        *,
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if min(vocab, width) < 1:
            raise ArgumentError(f"vocab and width must be at least 1; got {vocab} and {width}")
        self.embedding = nn.Embedding(vocab, width)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.features = nn.ModuleList(nn.Embedding(size, wide) for size, wide in features)
        for part in self.features:
            nn.init.normal_(part.weight, std=0.1)  # type: ignore[arg-type]
        self.letters, self.word_dropout = letters, check_rate("word_dropout", word_dropout)
        self.width = width + sum(wide for _, wide in features) + (0 if letters is None else letters.hidden)

    def forward(self, words: Words) -> Float[Tensor, "U D"]:
        """The vectors of different words, without dropout of words."""
        return torch.cat([self.embedding(words.features[:, 0]), *self._writing(words)], 1)

    def at(self, words: Words, places: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """The vectors at the places where the words stand; each different word is worked out once."""
        if not (self.training and self.word_dropout):
            return nn.functional.embedding(places, self(words))
        numbers = words.features[:, 0][places]
        dropped = torch.rand(places.shape, device=places.device) < self.word_dropout
        parts = [self.embedding(numbers.masked_fill(dropped, 0))]
        if writing := self._writing(words):
            parts.append(nn.functional.embedding(places, torch.cat(writing, 1)))
        return torch.cat(parts, -1)

    def _writing(self, words: Words) -> list[Tensor]:
        """All but the words themselves."""
        columns = words.features[:, 1:].unbind(1)
        parts = [part(column) for part, column in zip(self.features, columns, strict=True)]
        return parts if self.letters is None else [*parts, _by_length(self.letters, words.letters)]


def _by_length(letters: Speller, words: Padded) -> Tensor:
    """The vectors of words, those of about the same length at a time: most are short, and a long one pads them all."""
    if len(words.data) < MANY:
        return letters(words)
    order = words.lengths.argsort()
    groups = [words.take(some) for some in order.tensor_split(GROUPS)]
    vectors = [letters(Padded(some.data[:, : int(some.lengths.max())], some.lengths)) for some in groups]
    return torch.cat(vectors)[order.argsort().to(words.data.device)]
