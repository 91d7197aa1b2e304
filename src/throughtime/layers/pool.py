"""Pools: from the outputs at all steps to one vector a sequence. A sequence of no steps gives zeros."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from throughtime.errors import ArgumentError
from throughtime.padded import Padded


class LastPool(nn.Module):
    """The output at each sequence's last step.

    Of a core with `both` directions, of the same width each, the second half of the features is the backward cell's,
    whose last step is the first place. Raises `ArgumentError` when there are no two halves.

    >>> LastPool()(Padded(torch.tensor([[[1.0], [2.0], [0.0]]]), torch.tensor([2])))
    tensor([[2.]])
    """

    def __init__(self, *, both: bool = False) -> None:
        super().__init__()
        self.both = both

    def forward(self, outputs: Padded) -> Float[Tensor, "B H"]:
        """Picks one place of each row."""
        data = outputs.data
        if self.both and data.shape[2] % 2:
            raise ArgumentError(f"both directions are two halves of the features, of which there are {data.shape[2]}")
        if not data.shape[1]:
            return data.sum(1)
        rows = torch.arange(len(data), device=data.device)
        hidden = data[rows, (outputs.lengths - 1).clamp(min=0).to(data.device)]
        if self.both:
            half = data.shape[2] // 2
            hidden = torch.cat([hidden[:, :half], data[:, 0, half:]], 1)
        return hidden.masked_fill((outputs.lengths == 0).to(data.device)[:, None], 0.0)


class MeanPool(nn.Module):
    """The mean of the outputs at the real steps.

    >>> MeanPool()(Padded(torch.tensor([[[1.0], [2.0], [0.0]]]), torch.tensor([2])))
    tensor([[1.5000]])
    """

    def forward(self, outputs: Padded) -> Float[Tensor, "B H"]:
        """Adds up what is not padding, and divides by the lengths."""
        lengths = outputs.lengths.clamp(min=1).to(outputs.data.device)
        return outputs.zeroed().data.sum(1) / lengths[:, None]


class MaximumPool(nn.Module):
    """The largest number of each feature over the real steps.

    Source: Collobert et al. (2011), max over time.

    >>> MaximumPool()(Padded(torch.tensor([[[-1.0], [-2.0], [0.0]]]), torch.tensor([2])))
    tensor([[-1.]])
    """

    def forward(self, outputs: Padded) -> Float[Tensor, "B H"]:
        """Padding is never the largest."""
        if not outputs.data.shape[1]:
            return outputs.data.sum(1)
        hidden = outputs.data.masked_fill(~outputs.mask[..., None], -torch.inf).amax(1)
        return hidden.masked_fill((outputs.lengths == 0).to(hidden.device)[:, None], 0.0)


class AttentivePool(nn.Module):
    """The mean of the outputs with weights that are learnt: which steps matter for the answer.

    Formula: α_t = softmax_t(v · tanh(W h_t + b)); Σ_t α_t h_t.
    Shapes: W A H, b A, v A; `width` is A.
    Source: Yang et al. (2016), "Hierarchical Attention Networks", equations 5 to 7.

    >>> pool = AttentivePool(4, 3)
    >>> pool.weights(Padded(torch.zeros(1, 3, 4), torch.tensor([2]))).tolist()
    [[0.5, 0.5, 0.0]]
    """

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        if min(hidden, width) < 1:
            raise ArgumentError(f"hidden and width must be at least 1; got {hidden} and {width}")
        self.key = nn.Linear(hidden, width)
        self.query = nn.Parameter(torch.empty(width))
        nn.init.normal_(self.query, std=width**-0.5)

    def weights(self, outputs: Padded) -> Float[Tensor, "B T"]:
        """α: how much each step counts."""
        scores = torch.tanh(self.key(outputs.data)) @ self.query
        scores = scores.masked_fill(~outputs.mask, torch.finfo(scores.dtype).min)
        return torch.softmax(scores, 1).masked_fill(~outputs.mask, 0.0)

    def forward(self, outputs: Padded) -> Float[Tensor, "B H"]:
        """The weighted mean."""
        outputs = outputs.zeroed()
        return (self.weights(outputs)[:, None] @ outputs.data)[:, 0]
