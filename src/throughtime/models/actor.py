"""The actor: observations in, at every step the distribution of the action that answers them out."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from throughtime.data.episodes import EpisodeChunk
from throughtime.errors import ArgumentError
from throughtime.heads import Classes, Regression
from throughtime.layers import Core
from throughtime.padded import Padded
from throughtime.tally import Tally


class Scaling(nn.Module):
    """Numbers D around 0 and of about the size of 1, and back.

    Formula: z = (x − mean) / deviation, elementwise

    >>> scaling = Scaling([1.0, 0.0], [2.0, 1.0])
    >>> scaling(torch.tensor([3.0, 5.0])), scaling.back(torch.tensor([1.0, 5.0]))
    (tensor([1., 5.]), tensor([3., 5.]))
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(deviation) or not mean or min(deviation) <= 0:
            raise ArgumentError(
                f"scaling needs as many means as deviations, which are above 0; got {mean} and {deviation}"
            )
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation, dtype=torch.float32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """z."""
        return (x - self.mean) / self.deviation

    def back(self, z: Tensor) -> Tensor:
        """x."""
        return z * self.deviation + self.mean


class Actor(nn.Module):
    """Scaling, core, head.

    Formula: p(a_t | x_1 ... x_t) = softmax(W core(z_1, ..., z_t)_t + b), z_t = (x_t − mean) / deviation; where actions
    are numbers, a_t = mean_a + deviation_a (W core(z_1, ..., z_t)_t + b), and the loss is the square of what is wrong
    before it is scaled back.
    Shapes: observations B T D; actions B T in 0..K−1, or B T A where `acting` scales them.

    Raises `ArgumentError` for a core that sees the future, and for a scaling that does not fit it.

    >>> from throughtime.cells import LSTM
    >>> from throughtime.layers import Recurrent
    >>> model = Actor(Recurrent(LSTM(2, 4)), Scaling([0.0, 0.0], [1.0, 1.0]), actions=3)
    >>> chunk = EpisodeChunk(Padded.full(torch.zeros(1, 5, 2)), torch.ones(1, 5).long(), torch.zeros(1, 5).bool())
    >>> model.loss(chunk)[0].count
    5
    """

    def __init__(self, core: Core[Any], seeing: Scaling, *, actions: int, acting: Scaling | None = None) -> None:
        super().__init__()
        if not core.causal:
            raise ArgumentError("an actor's core must be causal: this one needs observations that are yet to come")
        if len(seeing.mean) != core.width or (acting is not None and len(acting.mean) != actions):
            raise ArgumentError(f"the scaling of {len(seeing.mean)} numbers does not fit a core of {core.width}")
        self.core, self.seeing, self.acting = core, seeing, acting
        make = Classes if acting is None else Regression
        self.head: Classes | Regression = make(core.hidden, actions)

    def initial(self, batch: int) -> Any:
        """The state before the first observation."""
        return self.core.initial(batch)

    def features(self, inputs: Padded, state: Any = None, resets: Tensor | None = None) -> tuple[Padded, Any]:
        """What the head sees, and the state after the last step."""
        outputs: tuple[Padded, Any] = self.core(inputs.replace(self.seeing(inputs.data)).zeroed(), state, resets)
        return outputs

    def loss(self, batch: EpisodeChunk, state: Any = None) -> tuple[Tally, Any]:
        """What is wrong with the actions of a chunk, and the state to carry to the next."""
        features, state = self.features(batch.inputs, state, batch.resets)
        return self.head.loss(features.data, self.targets(batch)), state

    def targets(self, batch: EpisodeChunk) -> Tensor:
        """The actions of a chunk as the head sees them."""
        return batch.targets if self.acting is None else self.acting(batch.targets)

    def answers(self, features: Float[Tensor, "*rows H"]) -> Float[Tensor, "*rows K"]:
        """log p of every action; or the action, where actions are numbers."""
        if self.acting is None:
            assert isinstance(self.head, Classes)
            return self.head.log_probabilities(features)
        return self.acting.back(self.head(features))
