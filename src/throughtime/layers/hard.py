"""Hard attention: one place at a time, drawn in training and the likeliest else. Two ways to learn where."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from throughtime.errors import ArgumentError
from throughtime.layers.where import Weights, softened


class Hard(nn.Module):
    """One place, learnt straight through: the gradient is that of soft weights, which is biased and steady.

    Formula: s ~ α_t in training, else the largest; the weights are one at s and zero elsewhere; ∂weights = ∂α.
    Source: Xu et al. (2015), "Show, Attend and Tell", section 4.1, for the draw; Bengio et al. (2013), "Estimating or
    Propagating Gradients Through Stochastic Neurons", for the gradient.

    >>> mask = torch.ones(1, 3, dtype=torch.bool)
    >>> scores = torch.tensor([[[[0.1, 0.9, 0.2]]]])
    >>> Hard().eval()(scores, mask, torch.zeros(1, 1, 2), torch.tensor([[0]])).used.tolist()
    [[[[0.0, 1.0, 0.0]]]]
    """

    def forward(
        self,
        scores: Float[Tensor, "B T N S"],
        mask: Bool[Tensor, "B S"],
        queries: Float[Tensor, "B T Q"],
        places: Int[Tensor, "B T"],
    ) -> Weights:
        """One real place of each source."""
        chances = softened(scores, mask[:, None, None])
        used = picked(chances, self.training)
        return Weights(used + (chances - chances.detach()) if self.training else used, chances)


class Reinforced(nn.Module):
    """One place, learnt from whether what followed was likelier than guessed: an unbiased gradient, and a restless one.

    The weights give no gradient to the scores: `surrogate` does, which a model adds to its loss.

    Formula: s ~ α_t in training, else the largest; ∂loss = −Σ_t [(r_t − b_t) ∂log α_ts + entropy · ∂H(α_t)], with the
    guess b_t = w · q_t + b of the reward, which learns by ∂½(r_t − b_t)².
    Source: Xu et al. (2015), section 4.1, where b is a moving mean, and the same for all steps.
    """

    def __init__(self, query: int, *, entropy: float = 0.01) -> None:
        super().__init__()
        if query < 1 or entropy < 0:
            raise ArgumentError(f"query must be at least 1 and entropy at least 0; got {query} and {entropy}")
        self.entropy = entropy
        self.guess = nn.Linear(query, 1)
        nn.init.zeros_(self.guess.weight)
        nn.init.zeros_(self.guess.bias)

    def forward(
        self,
        scores: Float[Tensor, "B T N S"],
        mask: Bool[Tensor, "B S"],
        queries: Float[Tensor, "B T Q"],
        places: Int[Tensor, "B T"],
    ) -> Weights:
        """One real place of each source."""
        chances = softened(scores, mask[:, None, None])
        return Weights(picked(chances, self.training), chances)

    def surrogate(
        self, weights: Weights, queries: Float[Tensor, "B T Q"], rewards: Float[Tensor, "B T"]
    ) -> Float[Tensor, ""]:
        """A loss that is zero and has the gradient of the formula.

        `rewards` (B T) are what each draw was good for, in nats; a step without a place (past a length) does not count.
        """
        drawn = weights.used.detach()
        real = drawn.sum(-1)
        log_chances = weights.chances.clamp(min=torch.finfo(weights.chances.dtype).tiny).log()
        chosen = (log_chances * drawn).sum((2, 3))
        entropy = -(weights.chances * log_chances).sum(-1).mul(real).sum(2)
        lead = (rewards.detach() - self.guess(queries.detach())[..., 0]) * real.amax(2)
        loss = lead.square().sum() / 2 - (lead.detach() * chosen + self.entropy * entropy).sum()
        surrogate: Tensor = loss - loss.detach()
        return surrogate


def picked(chances: Float[Tensor, "B T N S"], drawing: bool) -> Float[Tensor, "B T N S"]:
    """One at a place that is drawn by its chance, or at the likeliest; zeros where no place has a chance."""
    if not chances.shape[-1]:
        return chances
    odds = chances.detach()
    if drawing:
        odds = odds / torch.empty_like(odds).exponential_()  # the largest is each with its chance
    place = odds.argmax(-1, keepdim=True)
    return torch.zeros_like(odds).scatter_(-1, place, 1.0) * (odds > 0)
