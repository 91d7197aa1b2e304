"""Went: where the steps of a chunk stand among those that went before, and what is kept of them."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F

from throughtime.layers.self_attention import KeysValues
from throughtime.padded import Padded


@dataclass(frozen=True)
class Went:
    """The steps of a chunk, behind P places that hold what is known of earlier ones, the newest last.

        places    0 ... P−1          P ... P+T−1
                  zeros, earlier     the chunk, and its padding

    So all rows have their next step at place P, however much of the P places is filled.
    """

    steps: int  # T
    lengths: Int[Tensor, " B"]  # on the device of the data
    full: bool  # whether no row has padding
    longest: int
    latest: Int[Tensor, "B T"] | None  # the last reset up to each step, -1 where there was none; None without resets

    @classmethod
    def of(cls, inputs: Padded, resets: Bool[Tensor, "B T"] | None = None) -> "Went":
        """The steps of a batch, with marks before which steps a row begins anew (none in the padding)."""
        latest = None
        if resets is not None and inputs.steps:
            steps = torch.arange(inputs.steps, device=resets.device)
            latest = torch.where(resets, steps, -1).cummax(1).values
        longest = inputs.steps if inputs.is_full else int(inputs.lengths.max()) if len(inputs.lengths) else 0
        return cls(inputs.steps, inputs.lengths.to(inputs.data.device), inputs.is_full, longest, latest)

    def places(self, before: Int[Tensor, " B"]) -> Int[Tensor, "B T"]:
        """How many steps stand before each, in all, where `before` stood before the first."""
        steps = torch.arange(self.steps, device=before.device)
        counted = before[:, None] + steps
        return counted if self.latest is None else torch.where(self.latest >= 0, steps - self.latest, counted)

    def since(self, before: Int[Tensor, " B"]) -> Int[Tensor, " B"]:
        """How many steps there were by the end of each row, since its last reset if it had one."""
        if self.latest is None:
            return before + self.lengths
        last = self.latest[:, -1]
        return torch.where(last >= 0, self.lengths - last, before + self.lengths)

    def mask(self, filled: Int[Tensor, " B"], past: int, context: int | None) -> Bool[Tensor, "#B T S"]:
        """Which of the P + T places each step sees: itself and what is before it, no more than `context` in all."""
        places = torch.arange(past + self.steps, device=filled.device)
        own = places[past:, None]
        seen = places <= own
        if context is not None:
            seen = seen & (places > own - context)
        seen = seen[None]
        if past:
            seen = seen & (places >= past - filled[:, None])[:, None]
        if self.latest is not None:
            first = torch.where(self.latest >= 0, self.latest + past, 0)
            seen = seen & (places >= first[:, :, None])
        return seen

    def kept(self, line: KeysValues, size: int) -> KeysValues:
        """The last `size` places of each row up to its end, zeros where a row has had fewer steps."""
        if self.full and self.latest is None:
            short = max(0, size - line.keys.shape[2])
            return KeysValues(*(F.pad(part, (0, 0, short, 0))[:, :, part.shape[2] + short - size :] for part in line))
        short = size + self.steps - line.keys.shape[2]  # zeros in front, so that all rows have `size` places
        places = self.lengths[:, None] + torch.arange(size, device=self.lengths.device)  # B P, in the line with zeros
        kept = []
        for part in line:
            whole = F.pad(part, (0, 0, short, 0))
            index = places[:, None, :, None].expand(-1, part.shape[1], -1, part.shape[3])
            kept.append(whole.gather(2, index))
        if self.latest is not None:
            last = self.latest[:, -1:]
            begun = (last < 0) | (places >= last + size)  # the reset's place in the line is its step's, behind P
            kept = [part * begun[:, None, :, None] for part in kept]
        return KeysValues(*kept)
