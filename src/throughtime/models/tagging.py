"""The model of tagging: words in, a tag for each of them out."""

from typing import Any, cast

from jaxtyping import Float, Int
from torch import Tensor, nn

from throughtime.data.tokens import TokenBatch
from throughtime.errors import ArgumentError
from throughtime.heads.classes import Classes
from throughtime.heads.crf import CRF
from throughtime.layers import Core, VariationalDropout
from throughtime.layers.words import WordVectors
from throughtime.padded import Padded
from throughtime.tally import Tally


class TaggingModel(nn.Module):
    """Vectors of words, core, head: a tag for each step.

    Formula: p(tags | words) = head(core(v_1, ..., v_T)): at each step for itself (`Classes`), or all together (`CRF`)

    Dropout falls on the vectors, the same numbers at all steps of a sentence, and on what the head sees.

    `recall` makes a `CRF` find more: while learning, the tag `outside` costs so many nats where another one is true.
    Source: Mohit et al. (2012), "Recall-Oriented Learning of Named Entities in Arabic Wikipedia", there with a
    perceptron; as a likelihood, Gimpel and Smith (2010), "Softmax-Margin CRFs".

    >>> import torch
    >>> from throughtime.cells import LSTM
    >>> from throughtime.data.tokens import Words
    >>> from throughtime.layers import Recurrent
    >>> model = TaggingModel(WordVectors(9, 4, [], None), Recurrent(LSTM(4, 8)), Classes(8, 3))
    >>> words = Words(torch.tensor([[1], [5]]), Padded.full(torch.zeros(2, 1, dtype=torch.long)))
    >>> places = Padded.of([torch.tensor([0, 1, 0]), torch.tensor([1])])
    >>> model.loss(TokenBatch(words, places, torch.tensor([[0, 1, 2], [0, -1, -1]])))[0].count
    4
    """

    def __init__(
        self,
        words: WordVectors,
        core: Core[Any],
        head: Classes | CRF,
        *,
        dropout: float = 0.0,
        recall: float = 0.0,
        outside: int = 0,
    ) -> None:
        super().__init__()
        if words.width != core.width:
            raise ArgumentError(f"the core reads vectors of {core.width} numbers, and words have {words.width}")
        if recall and not isinstance(head, CRF):
            raise ArgumentError(f"recall is for a head that decides tags together, a CRF; got {recall}")
        self.words, self.core, self.head, self.recall, self.outside = words, core, head, recall, outside
        self.variational, self.dropout = VariationalDropout(dropout), nn.Dropout(dropout)

    def loss(self, batch: TokenBatch, state: None = None) -> tuple[Tally, None]:
        """The nats of the batch's tags, and their count. Nothing is carried from batch to batch."""
        inputs = batch.places.replace(self.words.at(batch.words, batch.places.data))
        features = self.features(inputs)
        if isinstance(self.head, CRF):
            costs = self._costs(features.data, batch.targets) if self.recall else None
            return self.head.loss(features, batch.targets, costs), None
        return self.head.loss(features.data, batch.targets), None

    def _costs(self, features: Tensor, targets: Tensor) -> Float[Tensor, "B T K"]:
        missed = (targets >= 0) & (targets != self.outside)
        costs = features.new_zeros(*targets.shape, len(cast(CRF, self.head).bias))
        costs[..., self.outside] = self.recall * missed
        return costs

    def features(self, inputs: Padded) -> Padded:
        """What the head sees, from the vectors of words (B T D)."""
        outputs, _ = self.core(inputs.replace(self.variational(inputs.data)).zeroed())
        return outputs.replace(self.dropout(outputs.data))

    def best(self, features: Padded) -> Int[Tensor, "B T"]:
        """The number of the tag at each step: the most probable ones, or with a CRF the most probable path of them."""
        if isinstance(self.head, CRF):
            return self.head.predict(features).data
        return cast(Tensor, self.head.linear(features.data)).argmax(-1)

    def probabilities(self, features: Padded) -> Float[Tensor, "B T K"]:
        """p of every tag at each step, given the whole sentence; with a CRF its marginals."""
        if isinstance(self.head, CRF):
            return self.head.marginals(features).data
        return self.head.log_probabilities(features.data).exp()
