"""A stepper whose every distribution is random and depends on all that was said."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from throughtime.tree import Shared

MEMORIES = 997


class Speaking(NamedTuple):
    memory: Tensor  # N, a number made of all symbols so far
    covered: Tensor  # N S
    source: Shared  # B, which source it is


class Chances:
    """Random tables; a source (B) says which table, so that a source says the same in any batch.

    It counts its steps and their rows, and fails where what is shared does not stand with its hypotheses.
    """

    def __init__(self, vocab: int = 5, seed: int = 0, spread: float = 2.0, sources: int = 8, seen: int = 3) -> None:
        chance = torch.Generator().manual_seed(seed)
        self.log_p = (spread * torch.randn(sources, MEMORIES, vocab, generator=chance)).log_softmax(-1)
        self.looks = torch.rand(sources, MEMORIES, seen, generator=chance)
        self.rows: list[int] = []

    def start(self, source: Tensor) -> tuple[Tensor, Speaking]:
        first = torch.zeros(len(source), dtype=torch.int64)
        return self.log_p[source, first], Speaking(first, self.looks[source, first], Shared(source))

    def step(self, token: Tensor, state: Speaking) -> tuple[Tensor, Speaking]:
        assert len(token) == len(state.memory)
        assert len(token) % len(state.source.content) == 0
        self.rows.append(len(token))
        source = state.source.content.repeat_interleave(len(token) // len(state.source.content))
        memory = (state.memory * 31 + token + 7) % MEMORIES
        return self.log_p[source, memory], Speaking(memory, state.covered + self.looks[source, memory], state.source)

    def covered(self, state: Speaking) -> Tensor:
        return 0.4 * state.covered


@pytest.fixture(scope="session")
def chances():
    return Chances
