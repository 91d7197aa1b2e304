"""At rest: a model that is asked, not taught."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """The model in evaluation and without gradients, for as long as this lasts; then it is as it was.

    >>> model = nn.Dropout(0.5)
    >>> with at_rest(model):
    ...     model(torch.ones(3)), torch.is_grad_enabled()
    (tensor([1., 1., 1.]), False)
    >>> model.training
    True
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
