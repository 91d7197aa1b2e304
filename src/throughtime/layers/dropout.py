"""Dropout for sequences: one draw for a row, the same at all of its steps."""

import torch
from torch import Tensor, nn

from throughtime.cells.cell import check_rate


class VariationalDropout(nn.Module):
    """Dropout of whole features of a sequence: the mask of a row does not change from step to step.

    Formula: y_t = m ∘ x_t / (1 − rate), m ~ Bernoulli(1 − rate) once a row; y = x in evaluation.

    Shapes: x B T D.

    Source: Gal and Ghahramani (2016), section 4.

    >>> dropout = VariationalDropout(0.5)
    >>> y = dropout(torch.ones(1, 3, 8))
    >>> bool((y[:, 0] == y[:, 1]).all()), torch.equal(dropout.eval()(y), y)
    (True, True)
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = check_rate("rate", rate)

    def forward(self, x: Tensor) -> Tensor:
        """Drops features of x (B T D)."""
        if not self.training or self.rate == 0:
            return x
        keep = torch.bernoulli(x.new_full((x.shape[0], 1, x.shape[2]), 1 - self.rate))
        return x * keep.div_(1 - self.rate)
