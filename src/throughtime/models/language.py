"""The language model: symbols in, the distribution of the next symbol out."""

from typing import Any, cast

from jaxtyping import Float, Int
from torch import Tensor, nn

from throughtime.data.lanes import Chunk
from throughtime.errors import ArgumentError
from throughtime.heads import AdaptiveSoftmax, Softmax
from throughtime.layers import Core, VariationalDropout
from throughtime.padded import Padded
from throughtime.tally import Tally


class LanguageModel(nn.Module):
    """Embedding, core, softmax.

    Formula: p(x_{t+1} | x_1 ... x_t) = softmax(core(E x_1, ..., E x_t)_t)

    Dropout falls on the embeddings and on the core's outputs, the same features at all steps of a row. `tied` uses
    E as the softmax's weight as well. `cutoffs` makes the softmax adaptive.

    Raises `ArgumentError` for a core that sees the future, which would read the answer, and for a softmax that is
    both tied and adaptive.

    >>> import torch
    >>> from throughtime.cells import LSTM
    >>> from throughtime.layers import Recurrent
    >>> model = LanguageModel(10, Recurrent(LSTM(4, 8)))
    >>> tally, state = model.loss(Chunk(torch.zeros(2, 5).long(), torch.ones(2, 5).long()))
    >>> tally.count, state.hidden.shape
    (10, torch.Size([2, 8]))
    """

    def __init__(
        self,
        vocab: int,
        core: Core[Any],
        *,
        dropout: float = 0.0,
        tied: bool = False,
        cutoffs: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        if not core.causal:
            raise ArgumentError("a language model's core must be causal: this one sees the symbols it should predict")
        if tied and cutoffs:
            raise ArgumentError("a tied softmax cannot be adaptive: choose one")
        self.vocab, self.core, self.dropout = vocab, core, VariationalDropout(dropout)
        self.embedding = nn.Embedding(vocab, core.width)
        if tied:
            nn.init.normal_(self.embedding.weight, std=core.width**-0.5)
        self.head: Softmax | AdaptiveSoftmax
        if cutoffs:
            self.head = AdaptiveSoftmax(core.hidden, vocab, cutoffs=cutoffs)
        else:
            self.head = Softmax(core.hidden, vocab, tied=cast(nn.Parameter, self.embedding.weight) if tied else None)

    def initial(self, batch: int) -> Any:
        """The state before the first symbol."""
        return self.core.initial(batch)

    def features(self, inputs: Int[Tensor, "B T"], state: Any = None) -> tuple[Float[Tensor, "B T H"], Any]:
        """What the head sees, and the state after the last step."""
        outputs, state = self.core(Padded.full(self.dropout(self.embedding(inputs))), state)
        return self.dropout(outputs.data), state

    def loss(self, batch: Chunk, state: Any = None) -> tuple[Tally, Any]:
        """The nats of the chunk's targets, and the state to carry to the next chunk."""
        features, state = self.features(batch.inputs, state)
        return self.head.loss(features, batch.targets), state

    def start(self, prompt: Int[Tensor, "B T"]) -> tuple[Float[Tensor, "B V"], Any]:
        """Reads a prompt: log-probabilities of the next symbol, and the state."""
        prompt = prompt.to(self.embedding.weight.device)
        features, state = self.features(prompt)
        return self.head.log_probabilities(features[:, -1]), state

    def step(self, token: Int[Tensor, " B"], state: Any) -> tuple[Float[Tensor, "B V"], Any]:
        """Takes one symbol a row: log-probabilities of the next one, and the state."""
        output, state = self.core.step(self.embedding(token), state)
        return self.head.log_probabilities(output), state
