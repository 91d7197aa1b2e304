"""The translation model: a sequence in, the distribution of another, symbol by symbol."""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from throughtime.cells.cell import check_rate
from throughtime.data.pair_batches import PairBatch, shifted
from throughtime.heads import Softmax
from throughtime.layers import Bridge, Core, VariationalDropout
from throughtime.padded import Padded
from throughtime.tally import Tally


@runtime_checkable
class Decoder(Core[Any], Protocol):
    """A core that reads what an encoder gave: it begins with it, and can tell where it looked."""

    def begin(self, outputs: Padded, inner: Any, *, counted: bool = True) -> Any:
        """The state before the first step, from an encoder's outputs and the first state of what is recurrent.

        `counted` is whether `covered` will be asked for.
        """
        ...

    def attention(self, inputs: Padded, state: Any) -> Float[Tensor, "B T N S"]:
        """How much each step looks at each place of the source, by each head."""
        ...

    def covered(self, state: Any) -> Float[Tensor, "B S"]:
        """How much all steps so far have looked at each place."""
        ...


@runtime_checkable
class Explorer(Decoder, Protocol):
    """A decoder that may draw the places it looks at, and learn from what each draw was good for."""

    @property
    def reinforced(self) -> bool:
        """Whether it does so now."""
        ...

    def explore(self, inputs: Padded, state: Any) -> tuple[Padded, Any, Any]:
        """Its outputs, what it saw, and the state after it."""
        ...

    def surrogate(self, seen: Any, gains: Float[Tensor, "B T"]) -> Tensor:
        """A loss that is zero, whose gradient makes draws likelier by the log-probabilities that came of them."""
        ...


class Reader(nn.Module):
    """Embeddings with dropout: of their features, the same for all of a row, and of whole symbols.

    >>> Reader(nn.Embedding(5, 3))(Padded(torch.tensor([[1, 2, 0]]), torch.tensor([2]))).data.shape
    torch.Size([1, 3, 3])
    """

    def __init__(self, embedding: nn.Embedding, *, dropout: float = 0.0, word_dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding, self.dropout = embedding, VariationalDropout(dropout)
        self.word_dropout = check_rate("word_dropout", word_dropout)

    def forward(self, ids: Padded) -> Padded:
        """Ids (B T) to vectors (B T D)."""
        vectors: Tensor = self.dropout(self.embedding(ids.data))
        if self.training and self.word_dropout:
            kept = torch.rand(ids.data.shape, device=vectors.device) >= self.word_dropout
            vectors = vectors * kept[:, :, None] / (1 - self.word_dropout)
        return ids.replace(vectors)


class Encoder(nn.Module):
    """What reads a source: embeddings, a core, and the bridge to what is recurrent in a decoder, if anything is."""

    def __init__(self, reader: Reader, core: Core[Any], bridge: Bridge | None, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.reader, self.core, self.bridge, self.dropout = reader, core, bridge, VariationalDropout(dropout)

    def forward(self, source: Padded) -> tuple[Padded, Any]:
        """Ids (B S) to outputs (B S H) and the first state of a decoder's recurrence."""
        outputs, state = self.core(self.reader(source))
        outputs = outputs.replace(self.dropout(outputs.data))
        return outputs, None if self.bridge is None else self.bridge(outputs, state)


class TranslationModel(nn.Module):
    """Encoder, decoder, softmax.

    Formula: p(y | x) = Π_t softmax(decoder(E y_1, ..., E y_{t-1}; encoder(F x_1, ..., F x_S))_t)[y_t]

    The symbol `end` is read before a target, and is the last one that is predicted.
    `smoothing` is the softmax's, in training alone. `feedback` is the chance that the decoder reads, in training, a
    symbol that it drew itself where it would have read the true one: the same from the first update to the last.

    Source: Sutskever et al. (2014); Cho et al. (2014); Bahdanau et al. (2015). Feedback: Bengio et al. (2015), without
    the schedule by which its chance rises, and in two passes over the whole target as Mihaylova and
    Martins (2019) have it, so that any decoder takes it.

    >>> from throughtime.cells import GRU
    >>> from throughtime.layers import Attend, Attentive, Bidirectional, General, Recurrent
    >>> core, inner = Bidirectional(GRU(3, 4), GRU(3, 4)), Recurrent(GRU(3, 5))
    >>> encoder = Encoder(Reader(nn.Embedding(7, 3)), core, Bridge(core, inner))
    >>> decoder = Attentive(inner, Attend([General(5, 8)]), hidden=6)
    >>> model = TranslationModel(encoder, Reader(nn.Embedding(9, 3)), decoder, Softmax(6, 9), end=8)
    >>> source = Padded(torch.tensor([[1, 2, 0]]), torch.tensor([2]))
    >>> model.loss(PairBatch(source, source))[0].count, model.start(source)[0].shape
    (3, torch.Size([1, 9]))
    """

    def __init__(
        self,
        encoder: Encoder,
        target: Reader,
        decoder: Decoder,
        head: Softmax,
        *,
        end: int,
        dropout: float = 0.0,
        smoothing: float = 0.0,
        feedback: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder, self.target, self.decoder, self.head, self.end = encoder, target, decoder, head, end
        self.dropout = VariationalDropout(dropout)
        self.smoothing, self.feedback = check_rate("smoothing", smoothing), check_rate("feedback", feedback)

    def loss(self, batch: PairBatch, state: None = None) -> tuple[Tally, None]:
        """The nats of the targets and their ends, each given all before it. Nothing is carried on."""
        read, predicted = shifted(batch.target, self.end)
        begun = self.decoder.begin(*self.encoder(batch.source), counted=False)
        if self.training and self.feedback:
            read = self._fed_back(read, begun)
        if isinstance(self.decoder, Explorer) and self.decoder.reinforced:
            return self._reinforced(self.decoder, self.target(read), begun, predicted), None
        outputs, _ = self.decoder(self.target(read), begun)
        return self._judged(outputs, predicted), None

    def _judged(self, outputs: Padded, predicted: Int[Tensor, "B T"]) -> Tally:
        smoothing = self.smoothing if self.training else 0.0
        return self.head.loss(self.dropout(outputs.data), predicted, smoothing=smoothing)

    def _reinforced(self, decoder: Explorer, inputs: Padded, begun: Any, predicted: Int[Tensor, "B T"]) -> Tally:
        """The loss, with a part that is zero and whose gradient teaches where to look."""
        outputs, seen, _ = decoder.explore(inputs, begun)
        with torch.no_grad():
            chances = self.head.log_probabilities(outputs.data)
            gains = chances.gather(2, predicted.clamp(min=0)[..., None])[..., 0] * (predicted >= 0)
        tally = self._judged(outputs, predicted)
        return Tally(tally.total + decoder.surrogate(seen, gains), tally.count)

    @torch.no_grad()
    def _fed_back(self, read: Padded, state: Any) -> Padded:
        """What is read, with some of its symbols drawn from what the model gives after the true ones."""
        outputs, _ = self.decoder(self.target(read), state)
        chances = self.head.log_probabilities(outputs.data[:, :-1]).exp()
        drawn = torch.multinomial(chances.flatten(0, 1), 1).view(chances.shape[:2])
        mixed = torch.where(torch.rand(drawn.shape, device=drawn.device) < self.feedback, drawn, read.data[:, 1:])
        return read.replace(torch.cat([read.data[:, :1], mixed], 1)).zeroed()

    def start(self, source: Padded, *, counted: bool = True) -> tuple[Float[Tensor, "B V"], Any]:
        """Reads sources (B S): log-probabilities of the first symbol of each target, and the state.

        `counted` is whether `covered` will be asked for.
        """
        state = self.decoder.begin(*self.encoder(self._placed(source)), counted=counted)
        ends = torch.full((len(source.data),), self.end, device=self.head.bias.device)
        return self.step(ends, state)

    def step(self, token: Int[Tensor, " B"], state: Any) -> tuple[Float[Tensor, "B V"], Any]:
        """Takes one symbol a row: log-probabilities of the next one, and the state."""
        output, state = self.decoder.step(self.target.embedding(token), state)
        return self.head.log_probabilities(output), state

    def covered(self, state: Any) -> Float[Tensor, "B S"]:
        """How much all steps so far have looked at each place of the source."""
        return self.decoder.covered(state)

    def attention(self, source: Padded, target: Padded) -> Float[Tensor, "B T N S"]:
        """How much the prediction of each symbol, and of the end, looks at each place of the source, by each head."""
        read, _ = shifted(self._placed(target), self.end)
        state = self.decoder.begin(*self.encoder(self._placed(source)))
        return self.decoder.attention(self.target(read), state)

    def _placed(self, ids: Padded) -> Padded:
        return Padded(ids.data.to(self.head.bias.device), ids.lengths)


class Uncounted:
    """A translation model for a search that never asks what was `covered`, so that it need not be worked out."""

    def __init__(self, model: TranslationModel) -> None:
        self.model = model

    def start(self, source: Padded) -> tuple[Float[Tensor, "B V"], Any]:
        """As the model's."""
        return self.model.start(source, counted=False)

    def step(self, token: Int[Tensor, " B"], state: Any) -> tuple[Float[Tensor, "B V"], Any]:
        """As the model's."""
        return self.model.step(token, state)
