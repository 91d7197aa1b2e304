"""Blank modules: shapes and types, without memory and without random numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


@contextmanager
def blank() -> Iterator[None]:
    """Modules that are made in here have weights on the device "meta", which have a shape and nothing in it.

    Where torch draws normal numbers for such a tensor it imports its compiler first, which takes more than a second; so
    nothing is drawn.

    >>> with blank():
    ...     module = nn.Embedding(10**9, 10**3)
    >>> module.weight.shape, module.weight.device.type
    (torch.Size([1000000000, 1000]), 'meta')
    """
    with torch.device("meta"), _NothingDrawn():
        yield


class _NothingDrawn(TorchFunctionMode):
    """Leaves a tensor as it is where normal numbers were to be put into it."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (Tensor.normal_, nn.init.normal_):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))
