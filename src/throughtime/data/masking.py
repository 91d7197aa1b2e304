"""Masking: pieces of a text in which some units are hidden, for a model that fills them in.

Of all units 15 % are to be filled in. What stands in their places: the mask (80 % of them), another unit (10 %), or the
unit itself (10 %), so that a model cannot trust what it sees either.

Source: Devlin et al. (2019), "BERT", section 3.1 and appendix A.1; each unit is chosen by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from throughtime.data.lanes import UNSCORED
from throughtime.data.units import Ids
from throughtime.errors import DataError
from throughtime.padded import Padded

HIDDEN, MASKED, OTHER = 0.15, 0.8, 0.1  # share of units to fill in; of these, masked, and another unit


@dataclass(frozen=True)
class MaskedBatch:
    """Pieces of a text with some units hidden, and what they were."""

    inputs: Padded  # B T   ids; the mask is the id after those of the vocabulary
    targets: Int[Tensor, "B T"]  # UNSCORED where nothing is to be filled in

    def to(self, device: torch.device) -> "MaskedBatch":
        """The same batch on a device."""
        return MaskedBatch(Padded(self.inputs.data.to(device), self.inputs.lengths), self.targets.to(device))

    def split(self, parts: int) -> list["MaskedBatch"]:
        """The pieces in even groups; no more groups than there are pieces."""
        rows = torch.arange(len(self.targets))
        groups = rows.tensor_split(max(1, min(parts, len(rows))))
        return [MaskedBatch(self.inputs.take(group), self.targets[group.to(self.targets.device)]) for group in groups]


def hide(pieces: Padded, vocab: int, generator: np.random.Generator) -> MaskedBatch:
    """Pieces of ids below `vocab` with some of them hidden; one at least, if there is any.

    >>> pieces = Padded.full(torch.arange(20)[None])
    >>> batch = hide(pieces, 20, np.random.default_rng(1))
    >>> batch.inputs.data[0, 12:].tolist(), batch.targets[0, 12:].tolist()
    ([12, 13, 14, 15, 20, 17, 18, 19], [-1, -1, -1, -1, 16, -1, -1, -1])
    """
    shape, real = tuple(pieces.data.shape), pieces.mask.numpy()
    chance = np.where(real, generator.random(shape), 1.0)
    chosen = chance < HIDDEN
    if real.any() and not chosen.any():
        chosen.flat[int(chance.argmin())] = True
    kind, others = generator.random(shape), generator.integers(vocab, size=shape)
    ids = pieces.data.numpy()
    shown = np.where(kind < MASKED, vocab, np.where(kind < MASKED + OTHER, others, ids))
    inputs, targets = np.where(chosen, shown, ids), np.where(chosen, ids, UNSCORED)
    return MaskedBatch(pieces.replace(torch.from_numpy(inputs)), torch.from_numpy(targets))


class MaskedPieces:
    """The pieces of a text for training; their order and what is hidden depend on (seed, epoch, position) alone.

    From the second epoch on the text is cut at other places; what falls off at its ends (less than a piece at each) is
    read in other epochs. Raises `DataError` when the text is shorter than a piece.
    """

    def __init__(self, ids: Ids, vocab: int, *, rows: int, steps: int, seed: int = 0) -> None:
        if len(ids) < steps:
            raise DataError(
                f"the training text has {len(ids):,} units, less than one piece of {steps} steps; "
                "give a longer text, or smaller --steps"
            )
        self.ids, self.vocab, self.rows, self.steps, self.seed = torch.from_numpy(ids), vocab, rows, steps, seed

    def shift(self, epoch: int) -> int:
        """Where the first piece of an epoch begins."""
        spare = min(self.steps, len(self.ids) - self.steps + 1)
        return 0 if epoch == 0 else int(np.random.default_rng((self.seed, epoch)).integers(spare))

    def chunks(self, epoch: int) -> int:
        """How many batches an epoch has; the last may be of fewer pieces."""
        return -(-self._pieces(epoch) // self.rows)

    def _pieces(self, epoch: int) -> int:
        return (len(self.ids) - self.shift(epoch)) // self.steps

    def chunk(self, epoch: int, position: int) -> MaskedBatch:
        """The batch at a position of an epoch."""
        order = np.random.default_rng((self.seed, epoch, 0)).permutation(self._pieces(epoch))
        places = torch.from_numpy(order[position * self.rows : (position + 1) * self.rows])
        begins = self.shift(epoch) + places[:, None] * self.steps
        pieces = Padded.full(self.ids[begins + torch.arange(self.steps)].long())
        return hide(pieces, self.vocab, np.random.default_rng((self.seed, epoch, 1 + position)))


def masked_reading(ids: Ids, vocab: int, *, steps: int, rows: int = 64) -> Iterator[MaskedBatch]:
    """All pieces of a text for evaluation, the last one shorter; what is hidden in them is always the same."""
    line = torch.from_numpy(ids).long()
    for number, some in enumerate(torch.split(line, steps * rows)):
        pieces = Padded.of(list(torch.split(some, steps)))
        yield hide(pieces, vocab, np.random.default_rng((0, number)))


def around_holes(ids: Ids, vocab: int, *, steps: int, rows: int = 64) -> Iterator[MaskedBatch]:
    """Pieces of a text around the masks in it, each of them in the middle of one where the text goes on that far.

    All masks are to be filled in once, in their order; what was there is not known, and told as 0.

    >>> [batch] = around_holes(np.array([9, 1, 2, 9, 3, 4], np.int32), 9, steps=3)
    >>> batch.inputs.data.tolist(), batch.targets.tolist()
    ([[9, 1, 2], [2, 9, 3]], [[0, -1, -1], [-1, 0, -1]])
    """
    line = torch.from_numpy(ids).long()
    places, steps = (line == vocab).nonzero()[:, 0], min(steps, len(line))
    begins, piece_of = torch.unique((places - steps // 2).clamp(0, len(line) - steps), return_inverse=True)
    for first, some in enumerate(begins.split(rows)):
        targets = torch.full((len(some), steps), UNSCORED)
        piece = piece_of - first * rows
        inside = (piece >= 0) & (piece < len(some))
        targets[piece[inside], places[inside] - some[piece[inside]]] = 0
        yield MaskedBatch(Padded.full(line[some[:, None] + torch.arange(steps)]), targets)
