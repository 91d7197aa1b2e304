"""The peer of the translation benchmark: an encoder and decoder, and their searches, as one writes them with torch.nn.

A bidirectional nn.GRU that reads packed batches, an nn.GRU that begins with a bridge, Luong's general attention after
it, nn.Linear over the vocabulary. Keys are projected once. Searches take a whole batch a step: greedy until all rows
have ended, the beam until all hypotheses have, with scores of all continuations in one topk and states reordered.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD = -1  # of targets, which the loss leaves out


class Memory(NamedTuple):
    """What a decoder looks at: keys (B S H), values (B S W), and where nothing is (B S)."""

    keys: Tensor
    values: Tensor
    beyond: Tensor

    def repeated(self, times: int) -> "Memory":
        return Memory(*(part.repeat_interleave(times, 0) for part in self))


class Peer(nn.Module):
    """p(y | x) = Π_t softmax(W tanh(U [c_t; s_t]))."""

    def __init__(self, sources: int, targets: int, *, width: int, hidden: int, readout: int) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(sources, width), nn.Embedding(targets, width)
        self.encoder = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * hidden, hidden)
        self.decoder = nn.GRU(width, hidden, batch_first=True)
        self.keys = nn.Linear(2 * hidden, hidden, bias=False)
        self.join = nn.Linear(3 * hidden, readout, bias=False)
        self.head = nn.Linear(readout, targets)
        self.end = targets - 1

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Memory, Tensor]:
        """Of ids B S: what to look at, and the decoder's first state (1 B H)."""
        packed = pack_padded_sequence(self.source(source), lengths, batch_first=True, enforce_sorted=False)
        outputs, last = self.encoder(packed)
        values, _ = pad_packed_sequence(outputs, batch_first=True)
        beyond = torch.arange(values.shape[1]) >= lengths[:, None]
        state = torch.tanh(self.bridge(torch.cat([last[0], last[1]], -1)))
        return Memory(self.keys(values), values, beyond), state[None]

    def decode(self, ids: Tensor, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Of ids B T: what the head sees (B T R), and the state after them."""
        queries, state = self.decoder(self.target(ids), state)
        scores = torch.bmm(queries, memory.keys.transpose(1, 2))
        weights = torch.softmax(scores.masked_fill(memory.beyond[:, None], -torch.inf), -1)
        contexts = torch.bmm(weights, memory.values)
        return torch.tanh(self.join(torch.cat([queries, contexts], -1))), state

    def forward(self, source: Tensor, lengths: Tensor, read: Tensor) -> Tensor:
        """Logits B T V."""
        memory, state = self.encode(source, lengths)
        features, _ = self.decode(read, state, memory)
        return self.head(features)

    def loss(self, source: Tensor, lengths: Tensor, read: Tensor, predicted: Tensor) -> Tensor:
        """The mean over the targets that are no padding."""
        logits = self(source, lengths, read)
        return F.cross_entropy(logits.flatten(0, 1), predicted.flatten(), ignore_index=PAD)

    @torch.inference_mode()
    def greedy(self, source: Tensor, lengths: Tensor, longest: Tensor) -> list[list[int]]:
        """The likeliest symbol at every step, of each row until its end or its limit."""
        memory, state = self.encode(source, lengths)
        token = torch.full((len(source),), self.end)
        ended = torch.zeros(len(source), dtype=torch.bool)
        found: list[Tensor] = []
        for step in range(int(longest.max())):
            features, state = self.decode(token[:, None], state, memory)
            token = self.head(features[:, 0]).argmax(-1)
            token = token.masked_fill(ended | (step >= longest), self.end)
            ended = ended | (token == self.end)
            if bool(ended.all()):
                break
            found.append(token)
        return self.cut(torch.stack(found, 1)) if found else [[] for _ in source]

    @torch.inference_mode()
    def beam(
        self, source: Tensor, lengths: Tensor, longest: Tensor, *, width: int, alpha: float = 0.7
    ) -> list[list[int]]:
        """The best of `width` hypotheses a row, by log p / T^alpha; one that has ended goes on, by ends for nothing."""
        rows, vocab = len(source), self.head.out_features
        memory, state = self.encode(source, lengths)
        memory, state = memory.repeated(width), state.repeat_interleave(width, 1)
        limits = longest.repeat_interleave(width)
        token = torch.full((rows * width,), self.end)
        sums = torch.full((rows, width), -torch.inf)
        sums[:, 0] = 0.0  # all hypotheses of a row are the same at first
        ended = torch.zeros(rows * width, dtype=torch.bool)
        sizes = torch.zeros(rows * width)
        offsets = torch.arange(rows)[:, None] * width
        found = torch.empty(rows * width, 0, dtype=torch.int64)
        for step in range(int(longest.max()) + 1):
            features, state = self.decode(token[:, None], state, memory)
            scores = F.log_softmax(self.head(features[:, 0]), -1)
            scores[:, : self.end].masked_fill_((ended | (step >= limits))[:, None], -torch.inf)
            scores[:, self.end].masked_fill_(ended, 0.0)
            sums, places = (sums[..., None] + scores.view(rows, width, vocab)).view(rows, -1).topk(width, -1)
            before = (places // vocab + offsets).flatten()
            token = (places % vocab).flatten()
            state = state.index_select(1, before)
            found = torch.cat([found[before], token[:, None]], 1)
            sizes = sizes[before] + (~ended[before]).float()
            ended = ended[before] | (token == self.end)
            if bool(ended.all()):
                break
        best = (sums / sizes.view(rows, width) ** alpha).argmax(-1)
        return self.cut(found[best + offsets[:, 0]])

    def cut(self, tokens: Tensor) -> list[list[int]]:
        """Rows of ids up to their ends."""
        return [row[: row.index(self.end)] if self.end in row else row for row in tokens.tolist()]
