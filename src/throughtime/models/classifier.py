"""The classifier: a sequence in, a class (or several, or a place in an order) out."""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from throughtime.data.batches import SequenceBatch
from throughtime.errors import ArgumentError
from throughtime.layers import Core, VariationalDropout
from throughtime.layers.embed import PlacedEmbedding
from throughtime.padded import Padded
from throughtime.tally import Tally


@runtime_checkable
class ClassHead(Protocol):
    """What a classifier asks of its head."""

    def loss(self, features: Tensor, targets: Tensor) -> Tally:
        """The sum over rows, and their count."""
        ...

    def log_probabilities(self, features: Tensor) -> Tensor:
        """log p of every class."""
        ...


class Classifier(nn.Module):
    """Embedding, core, pool, head.

    Formula: p(class | x_1 ... x_T) = head(pool(core(E x_1, ..., E x_T)))

    Where `vocab` is None the inputs are numbers (B T D), which go to the core as they are. Dropout falls on the
    embeddings and on the pooled vector; `word_dropout` makes a symbol unknown (id 0) now and then while training. So
    many `places` have embeddings of their own, which are added.

    >>> from throughtime.cells import LSTM
    >>> from throughtime.heads.classes import Classes
    >>> from throughtime.layers import Recurrent
    >>> from throughtime.layers.pool import MeanPool
    >>> model = Classifier(10, Recurrent(LSTM(4, 8)), MeanPool(), Classes(8, 3))
    >>> batch = SequenceBatch(Padded.of([torch.tensor([1, 2, 3]), torch.tensor([4])]), torch.tensor([0, 2]))
    >>> model.loss(batch)[0].count, model.log_probabilities(batch.inputs).shape
    (2, torch.Size([2, 3]))
    """

    def __init__(
        self,
        vocab: int | None,
        core: Core[Any],
        pool: nn.Module,
        head: ClassHead,
        *,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        places: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= word_dropout < 1:
            raise ArgumentError(f"word_dropout must be in 0..1; got {word_dropout}")
        if word_dropout and vocab is None:
            raise ArgumentError("word_dropout is for symbols: these inputs are numbers")
        if places and vocab is None:
            raise ArgumentError("places are for symbols: these inputs are numbers")
        self.embedding: nn.Embedding | None = None
        if vocab is not None and places:
            self.embedding = PlacedEmbedding(vocab, core.width, places=places)
        elif vocab is not None:
            self.embedding = nn.Embedding(vocab, core.width)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, std=core.width**-0.5)  # of norm 1, about, however wide
        self.core, self.pool, self.head, self.word_dropout = core, pool, head, word_dropout
        self.variational, self.dropout = VariationalDropout(dropout), nn.Dropout(dropout)

    def features(self, inputs: Padded) -> Float[Tensor, "B H"]:
        """What the head sees: one vector a sequence."""
        return self.dropout(self.pool(self.core(self.embedded(inputs))[0]))  # type: ignore[no-any-return]

    def embedded(self, inputs: Padded) -> Padded:
        """What the core sees."""
        if self.embedding is None:
            return inputs
        ids = inputs.data
        if self.training and self.word_dropout:
            ids = ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.word_dropout, 0)
        return inputs.replace(self.variational(self.embedding(ids))).zeroed()

    def loss(self, batch: SequenceBatch, state: None = None) -> tuple[Tally, None]:
        """The nats of the batch's targets. Nothing is carried from batch to batch."""
        return self.head.loss(self.features(batch.inputs), batch.targets), None

    def log_probabilities(self, inputs: Padded) -> Float[Tensor, "B K"]:
        """log p of every class."""
        return self.head.log_probabilities(self.features(inputs))
