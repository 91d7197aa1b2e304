"""Softmax over a vocabulary: in full, and in bands of frequency for large ones."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from throughtime.errors import ArgumentError
from throughtime.heads import fused
from throughtime.tally import Tally


def wide(numbers: Tensor) -> Tensor:
    """The numbers in float32 at least, which sums of exponentials need."""
    return numbers.to(torch.promote_types(numbers.dtype, torch.float32))


class Softmax(nn.Module):
    """A distribution over V symbols for each feature vector.

    Formula: p(v | h) = exp(w_v · h + b_v) / Σ_u exp(w_u · h + b_u); the loss is Σ −log p(target).

    Shapes: features ... H, targets ... (a negative target is not scored), weight V H. `tied` shares the weight
    with an embedding (Press and Wolf, 2017; Inan et al., 2017).

    >>> head = Softmax(4, 10)
    >>> head.loss(torch.zeros(2, 3, 4), torch.tensor([[1, 2, -1], [3, -1, -1]])).count
    3
    """

    def __init__(self, hidden: int, vocab: int, *, tied: nn.Parameter | None = None) -> None:
        super().__init__()
        if tied is not None and tied.shape != (vocab, hidden):
            raise ArgumentError(
                f"a tied softmax needs features of the embedding's width: {hidden} is not {tied.shape[1]}"
            )
        self.weight = nn.Parameter(torch.empty(vocab, hidden)) if tied is None else tied
        self.bias = nn.Parameter(torch.zeros(vocab))
        if tied is None:
            nn.init.normal_(self.weight, std=hidden**-0.5)

    def loss(
        self, features: Float[Tensor, "*rows H"], targets: Int[Tensor, "*rows"], *, smoothing: float = 0.0
    ) -> Tally:
        """The sum of −log p over scored targets, and their count; many logits come in blocks, by `heads.fused`.

        `smoothing` ε takes a share from the target and gives it to all symbols alike:

        Formula: −(1 − ε) log p(y) − ε/V Σ_v log p(v) = −log p(y) + ε (w_y · h + b_y − mean_v (w_v · h + b_v))

        Source: Szegedy et al. (2016), section 7.
        """
        features, targets = features.flatten(0, -2), targets.flatten()
        scored = targets >= 0
        count = int(scored.sum())
        if count < len(targets) and (smoothing or fused.fits(features, self.weight)):
            features, targets = features[scored], targets[scored]
        if fused.fits(features, self.weight):
            total = fused.cross_entropy(features, self.weight, self.bias, targets)
        else:
            logits = wide(F.linear(features, self.weight, self.bias))
            total = F.cross_entropy(logits, targets.clamp(min=-1), ignore_index=-1, reduction="sum")
        return Tally(total + smoothing * self._lead(features, targets) if smoothing else total, count)

    def _lead(self, features: Tensor, targets: Tensor) -> Tensor:
        """By how much the logits of the targets lie above the mean of all, summed."""
        weight, bias = self.weight[targets] - self.weight.mean(0), self.bias[targets] - self.bias.mean()
        return (wide(features) * weight).sum() + bias.sum()

    def log_probabilities(self, features: Float[Tensor, "*rows H"]) -> Float[Tensor, "*rows V"]:
        """log p of every symbol."""
        return F.log_softmax(wide(F.linear(features, self.weight, self.bias)), -1)


class AdaptiveSoftmax(nn.Module):
    """A softmax whose rare symbols stand in bands: a band is computed only where it is called for.

    Ids must be in the order of falling frequency, as word units are. Bands begin at `cutoffs`; each has a quarter
    of the width of the one before.

    Shapes: as Softmax.

    Source: Grave et al. (2017), "Efficient softmax approximation for GPUs", by torch's implementation.

    >>> head = AdaptiveSoftmax(16, 100, cutoffs=[10, 50])
    >>> head.log_probabilities(torch.zeros(2, 16)).exp().sum(-1).round(decimals=4).tolist()
    [1.0, 1.0]
    """

    def __init__(self, hidden: int, vocab: int, *, cutoffs: Sequence[int]) -> None:
        super().__init__()
        if not cutoffs or sorted(set(cutoffs)) != list(cutoffs) or not 0 < cutoffs[0] <= cutoffs[-1] < vocab:
            raise ArgumentError(
                f"cutoffs, the ids at which adaptive bands begin, must rise within 1..{vocab - 1}; got {list(cutoffs)}"
            )
        if hidden < 4 ** len(cutoffs):
            raise ArgumentError(
                f"{len(cutoffs)} cutoffs need features of width {4 ** len(cutoffs)} at least; got {hidden}"
            )
        self.bands = nn.AdaptiveLogSoftmaxWithLoss(hidden, vocab, list(cutoffs), div_value=4.0)

    def loss(self, features: Float[Tensor, "*rows H"], targets: Int[Tensor, "*rows"]) -> Tally:
        """The sum of −log p over scored targets, and their count."""
        features, targets = features.flatten(0, -2), targets.flatten()
        scored = targets >= 0
        features, targets = wide(features[scored]), targets[scored]
        if not len(targets):
            return Tally(features.sum(), 0)
        return Tally(-self.bands(features, targets).output.sum(), len(targets))

    def log_probabilities(self, features: Float[Tensor, "*rows H"]) -> Float[Tensor, "*rows V"]:
        """log p of every symbol."""
        flat = self.bands.log_prob(wide(features.flatten(0, -2)))
        return flat.view(*features.shape[:-1], -1)
