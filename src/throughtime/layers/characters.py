"""Vectors of words from their letters: what a word that training never saw still has."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from throughtime.cells import LSTM
from throughtime.cells.cell import check_rate
from throughtime.errors import ArgumentError
from throughtime.layers.bidirectional import Bidirectional
from throughtime.layers.convolve import Convolution
from throughtime.layers.pool import LastPool
from throughtime.padded import Padded


class CharacterConvolution(nn.Module):
    """A vector of each word by filters over its letters, of which the strongest answer anywhere counts.

    Formula: w = max_t relu(W_k [E c_{t-a}, ..., E c_{t+b}] + b_k), for each width k side by side
    Shapes: letters U C (one row a word), w U (filters × number of widths); `hidden` is the width of w.
    Source: Kim et al. (2016), "Character-Aware Neural Language Models", section 2.2, with relu for tanh; Ma and Hovy
    (2016), section 2.1, with one width, for tagging. A word without letters has zeros.

    >>> layer = CharacterConvolution(30, 8, 10, widths=(2, 3))
    >>> layer(Padded.of([torch.tensor([3, 1, 20]), torch.tensor([7])])).shape
    torch.Size([2, 20])
    """

    def __init__(
        self, characters: int, width: int, filters: int, *, widths: Sequence[int] = (2, 3, 4), dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embedding, self.dropout = _embedding(characters, width), nn.Dropout(check_rate("dropout", dropout))
        self.core = Convolution(width, filters, widths=widths)
        self.hidden = self.core.hidden

    def forward(self, letters: Padded) -> Float[Tensor, "U D"]:
        """All words at once: what the core and `MaximumPool` give, by one product for all widths."""
        x = letters.replace(self.dropout(self.embedding(letters.data))).zeroed().data
        if not letters.steps:
            return x.new_zeros(len(x), self.hidden)
        widest = max(self.core.widths)
        windows = nn.functional.pad(x, (0, 0, (widest - 1) // 2, widest // 2)).unfold(1, widest, 1).flatten(2)
        filters = cast(Sequence[nn.Conv1d], self.core.filters)
        weight = torch.cat([nn.functional.pad(part.weight, _sides(widest, *part.kernel_size)) for part in filters])
        bias = torch.cat([cast(Tensor, part.bias) for part in filters])
        answers = nn.functional.linear(windows, weight.flatten(1), bias).masked_fill(
            ~letters.mask[..., None], -torch.inf
        )
        return torch.relu(answers.amax(1))  # of a word without letters relu(-inf), 0


def _sides(widest: int, size: int) -> tuple[int, int]:
    """The zeros on both sides of a filter that make it as wide as the widest, so that both stand at the same letter."""
    before = (widest - 1) // 2 - (size - 1) // 2
    return before, widest - size - before


class CharacterRecurrence(nn.Module):
    """A vector of each word by an LSTM over its letters from both ends: where each of the two came to its end.

    Formula: w = [h_C forward; h_1 backward], over E c_1, ..., E c_C
    Shapes: letters U C (one row a word), w U 2H; `hidden` is the width of w.
    Source: Lample et al. (2016), "Neural Architectures for Named Entity Recognition", section 4.1.

    >>> CharacterRecurrence(30, 8, 10)(Padded.of([torch.tensor([3, 1, 20]), torch.tensor([7])])).shape
    torch.Size([2, 20])
    """

    def __init__(self, characters: int, width: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding, self.dropout = _embedding(characters, width), nn.Dropout(check_rate("dropout", dropout))
        self.core, self.pool = Bidirectional(LSTM(width, hidden), LSTM(width, hidden)), LastPool(both=True)
        self.hidden = self.core.hidden

    def forward(self, letters: Padded) -> Float[Tensor, "U D"]:
        """All words at once."""
        outputs, _ = self.core(letters.replace(self.dropout(self.embedding(letters.data))).zeroed())
        return self.pool(outputs)  # type: ignore[no-any-return]


def _embedding(characters: int, width: int) -> nn.Embedding:
    if min(characters, width) < 1:
        raise ArgumentError(f"characters and width must be at least 1; got {characters} and {width}")
    embedding = nn.Embedding(characters, width)
    nn.init.uniform_(embedding.weight, -((3 / width) ** 0.5), (3 / width) ** 0.5)  # of a variance of 1 / width
    return embedding
