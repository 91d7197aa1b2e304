"""The perceptron over a bag of words: which words a text has, or how often, and never in which order."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from throughtime.cells.cell import check_rate
from throughtime.data.batches import SequenceBatch
from throughtime.layers.dense import Activation, Dense, activate
from throughtime.models.classifier import ClassHead
from throughtime.padded import Padded
from throughtime.tally import Tally


class BagOfWords(nn.Module):
    """A bag of words, hidden layers if there are any, head: called as a `Classifier` is.

    Formula: x_w = 1 for each word w of the text, or how often it has it (`counts`), x_w = 0 for all others;
    a = W x + b = b + Σ_w x_w W_w, a sum of as many rows of W as the text has words; without hidden layers a are the
    scores of the classes, p(class | x) = softmax(a); with them h_1 = φ(a), ..., and the head is above the last.
    Shapes: ids B T, W V H_1, or V K without hidden layers.

    `head` makes the head over so many features, the units of the last hidden layer; without hidden layers W is in the
    place of its linear layer, and begins at zero. Dropout leaves numbers of x out, which are whole words with all their
    repeats, and units of the hidden layers; `word_dropout` makes a word unknown (id 0) now and then while training.

    >>> from throughtime.heads.classes import Classes
    >>> model = BagOfWords(10, lambda features: Classes(features, 3))
    >>> model.log_probabilities(Padded.of([torch.tensor([1, 2, 1]), torch.tensor([4])])).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        vocab: int,
        head: Callable[[int], ClassHead],
        *,
        hidden: Sequence[int] = (),
        activation: Activation = "relu",
        counts: bool = False,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        made = head(hidden[-1] if hidden else 1)
        scores: nn.Linear = cast(Any, made).linear
        self.vocab, self.counts, self.activation = vocab, counts, activation
        self.word_dropout, self.rate = check_rate("word_dropout", word_dropout), check_rate("dropout", dropout)
        self.words = nn.EmbeddingBag(vocab, hidden[0] if hidden else scores.out_features, mode="sum")
        self.dropout = nn.Dropout(dropout)
        self.dense: Dense | None = None
        if hidden:
            nn.init.normal_(self.words.weight, std=0.1)
            self.bias: nn.Parameter | None = nn.Parameter(torch.zeros(hidden[0]))
            self.dense = Dense(hidden[0], hidden[1:], activation=activation, dropout=dropout)
        else:
            nn.init.zeros_(self.words.weight)
            self.bias = None if scores.bias is None else nn.Parameter(torch.zeros(scores.out_features))
            cast(Any, made).linear = nn.Identity()  # its product is the sum of rows
        self.head = made

    def features(self, inputs: Padded) -> Float[Tensor, "B H"]:
        """What the head sees: the last hidden layer, or the scores themselves."""
        words, times = self.bag(inputs)
        sums = self.words(words, per_sample_weights=times) if inputs.steps else self._of_nothing(len(words))
        if self.bias is not None:
            sums = sums + self.bias
        if self.dense is None:
            return cast(Tensor, sums)
        return cast(Tensor, self.dense(self.dropout(activate(sums, self.activation))))

    def bag(self, inputs: Padded) -> tuple[Int[Tensor, "B T"], Float[Tensor, "B T"]]:
        """The words of each row in rising order, and x at each of these places; repeats and padding have x = 0.

        Where repeats count, each place of a word has 1: x_w is their sum.
        """
        ids, mask = inputs.data, inputs.mask
        if self.training and self.word_dropout:
            ids = ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.word_dropout, 0)
        ids = ids.masked_fill(~mask, self.vocab).sort(1).values  # what is padding comes last
        first = torch.ones_like(mask)
        first[:, 1:] = ids[:, 1:] != ids[:, :-1]
        times = (ids < self.vocab) & (first | self.counts)
        weights = times.to(self.words.weight.dtype)
        if self.training and self.rate:  # one draw for a word of a row
            kept = torch.rand(ids.shape, device=ids.device) >= self.rate
            weights = weights * kept.gather(1, first.cumsum(1) - 1) / (1 - self.rate)
        return ids.clamp(max=self.vocab - 1), weights

    def _of_nothing(self, rows: int) -> Tensor:
        return self.words.weight.new_zeros(rows, self.words.embedding_dim)

    def loss(self, batch: SequenceBatch, state: None = None) -> tuple[Tally, None]:
        """The nats of the batch's targets. Nothing is carried from batch to batch."""
        return self.head.loss(self.features(batch.inputs), batch.targets), None

    def log_probabilities(self, inputs: Padded) -> Float[Tensor, "B K"]:
        """log p of every class."""
        return self.head.log_probabilities(self.features(inputs))
