"""Skip-thought: a sentence's vector is what tells most of the sentences beside it."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from throughtime.data.neighbours import NeighbourBatch
from throughtime.data.pair_batches import shifted
from throughtime.errors import ArgumentError
from throughtime.heads import AdaptiveSoftmax, Softmax
from throughtime.layers import Core, Direct, VariationalDropout
from throughtime.layers.bridge import Bridge
from throughtime.padded import Padded
from throughtime.tally import Tally


class SkipThought(nn.Module):
    """An encoder whose vector of a sentence predicts, by two decoders, the sentence before it and the one after it.

    Formula: v = pool(encoder(E x_1, ..., E x_T)); for each neighbour y of x, with its own decoder,
    log p(y | x) = Σ_t log softmax(decoder([E y_{t-1}; v], s_{t-1})_t)[y_t], s_0 = tanh(W v + b)

    The symbol `end` is read before a neighbour, and is the last one that is predicted. Without `feeding` the decoders
    have v in their first state alone. Embeddings and the head are the same on all sides, and may be tied.

    Source: Kiros et al. (2015), "Skip-Thought Vectors", whose decoders begin at zero and add v to each gate; here v is
    beside the word that is read, which is the same with weights of its own, and any cell may be in any place.

    Raises `ArgumentError` for parts that do not fit, and for a decoder that sees what it should predict.

    >>> from throughtime.cells import GRU
    >>> from throughtime.layers import LastPool, Recurrent
    >>> decoders = [Recurrent(GRU(3 + 4, 5)) for _ in range(2)]
    >>> model = SkipThought(nn.Embedding(9, 3), Recurrent(GRU(3, 4)), LastPool(), decoders, Softmax(5, 9), end=1)
    >>> one = Padded(torch.tensor([[2, 3]]), torch.tensor([2]))
    >>> none = Padded(torch.zeros(1, 0, dtype=torch.long), torch.tensor([0]))
    >>> model.loss(NeighbourBatch(one, none, one))[0].count, model.vectors(one).shape
    (3, torch.Size([1, 4]))
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        encoder: Core[Any],
        pool: nn.Module,
        decoders: Sequence[Core[Any]],
        head: Softmax | AdaptiveSoftmax,
        *,
        end: int,
        feeding: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _check(encoder, decoders, feeding)
        self.embedding, self.encoder, self.pool, self.head = embedding, encoder, pool, head
        self.decoders = nn.ModuleList(cast(Sequence[nn.Module], decoders))
        self.bridges = nn.ModuleList(Bridge(Direct(encoder.hidden), decoder) for decoder in decoders)
        self.dropout, self.end, self.feeding = VariationalDropout(dropout), end, feeding

    @property
    def width(self) -> int:
        """W, how many numbers the vector of a sentence has."""
        return self.encoder.hidden

    def vectors(self, source: Padded) -> Float[Tensor, "B W"]:
        """The vector of each sentence; zeros for one without symbols."""
        vectors: Tensor = self.pool(self.encoder(self._embedded(source))[0])
        return vectors

    def loss(self, batch: NeighbourBatch, state: None = None) -> tuple[Tally, None]:
        """The nats of all neighbours and their ends. Nothing is carried from batch to batch."""
        before, after = self.told(self.vectors(batch.source), batch)
        return before + after, None

    def told(self, vectors: Float[Tensor, "B W"], batch: NeighbourBatch) -> tuple[Tally, Tally]:
        """The nats of the sentences before and of those after, given these vectors of the sentences themselves."""
        before, after = (
            self._nats(cast(Core[Any], decoder), cast(Bridge, bridge), vectors, target)
            for decoder, bridge, target in zip(self.decoders, self.bridges, (batch.before, batch.after), strict=True)
        )
        return before, after

    def _nats(self, decoder: Core[Any], bridge: Bridge, vectors: Tensor, target: Padded) -> Tally:
        """Of the targets that are there."""
        rows = target.lengths.nonzero()[:, 0]
        if not len(rows):
            return Tally(vectors.sum() * 0.0, 0)
        if len(rows) < len(target.lengths):
            target, vectors = target.take(rows), vectors[rows.to(vectors.device)]
        read, predicted = shifted(target, self.end)
        inputs = self._embedded(read)
        if self.feeding:
            fed = vectors[:, None].expand(-1, inputs.steps, -1).to(inputs.data)
            inputs = inputs.replace(torch.cat([inputs.data, fed], -1))
        state = bridge(Padded.full(vectors[:, None]), None)
        outputs, _ = decoder(inputs.zeroed(), state)
        return self.head.loss(self.dropout(outputs.data), predicted)

    def _embedded(self, ids: Padded) -> Padded:
        return ids.replace(self.dropout(self.embedding(ids.data))).zeroed()


def _check(encoder: Core[Any], decoders: Sequence[Core[Any]], feeding: bool) -> None:
    """Refuses parts that do not fit together."""
    if len(decoders) != 2 or decoders[0].hidden != decoders[1].hidden:
        sizes = [decoder.hidden for decoder in decoders]
        raise ArgumentError(f"decoders are two of as many units, for before and after; got units {sizes}")
    if not all(decoder.causal for decoder in decoders):
        raise ArgumentError("a decoder must be causal: this one sees the symbols that it should predict")
    wanted = encoder.width + encoder.hidden * feeding
    for decoder in decoders:
        if decoder.width != wanted:
            what = "of the embeddings and the vector" if feeding else "of the embeddings"
            raise ArgumentError(f"a decoder reads {wanted} numbers, the width {what}; this one reads {decoder.width}")
