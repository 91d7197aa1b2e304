"""The perceptron: a vector of features in, a class or a number out."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from throughtime.data.feature_batches import FeatureBatch
from throughtime.layers.dense import Activation, Dense
from throughtime.tally import Tally


@runtime_checkable
class VectorHead(Protocol):
    """What a perceptron asks of its head: `Classes` of K classes, or `Regression` of K numbers."""

    def loss(self, features: Tensor, targets: Tensor) -> Tally:
        """The sum over rows, and their count."""
        ...


class PerceptronModel(nn.Module):
    """Dense layers and a head, or the head alone: one-to-one, for each vector by itself.

    Formula: h_0 = x, h_l = φ(W_l h_{l−1} + b_l) for l = 1 ... L, a = W h_L + b;
    of classes p = softmax(a), and the loss is −log p_y, the cross entropy. Of two classes that is the binary cross
    entropy −y log σ(z) − (1 − y) log (1 − σ(z)) of z = a_1 − a_0, for softmax(a)_1 = σ(a_1 − a_0): the perceptron with
    one sigmoid unit. Of numbers y = a, and the loss is (y − t)² or Huber's.
    With L = 0 the borders between classes are straight; a hidden layer bends them.
    Shapes: x B D, h_l B H_l, a B K.

    >>> from throughtime.heads.classes import Classes
    >>> import torch
    >>> model = PerceptronModel(2, Classes(8, 3), hidden=(8,))
    >>> model.loss(FeatureBatch(torch.zeros(5, 2), torch.tensor([0, 1, 2, 0, 1])))[0].count
    5

    Source: Rosenblatt (1958) for the perceptron; Rumelhart, Hinton and Williams (1986) for learning its hidden layers.
    """

    def __init__(
        self,
        width: int,
        head: VectorHead,
        *,
        hidden: Sequence[int] = (),
        activation: Activation = "sigmoid",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dense, self.head = Dense(width, hidden, activation=activation, dropout=dropout), head

    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B H"]:
        """h_L, what the head sees."""
        return self.dense(x)  # type: ignore[no-any-return]

    def loss(self, batch: FeatureBatch, state: None = None) -> tuple[Tally, None]:
        """The loss of the batch's targets. Nothing is carried from batch to batch."""
        return self.head.loss(self(batch.inputs), batch.targets), None
