"""Ids as vectors: one-hot, and bags in which order is forgotten."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from throughtime.errors import ArgumentError
from throughtime.padded import Padded


def one_hot(ids: Int[Tensor, "*rows"], vocab: int) -> Float[Tensor, "*rows V"]:
    """The vectors o_j, 1 at place j and 0 elsewhere. A row of an embedding matrix is E o_j, done as a look-up.

    Raises `ArgumentError` for an id outside of 0..vocab-1.

    >>> one_hot(torch.tensor([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < vocab:
        raise ArgumentError(f"ids must be in 0..{vocab - 1}; got {int(ids.min())}..{int(ids.max())}")
    return torch.nn.functional.one_hot(ids.long(), vocab).float()


def bag(sequences: Padded, vocab: int, *, counts: bool = True) -> Float[Tensor, "B V"]:
    """How often each id stands in each sequence (counts), or whether it does (multi-hot); padding is not counted.

    >>> bag(Padded.of([torch.tensor([1, 1, 2]), torch.tensor([0])]), 3).tolist()
    [[0.0, 2.0, 1.0], [1.0, 0.0, 0.0]]
    """
    seen = (one_hot(sequences.data, vocab) * sequences.mask[..., None]).sum(1)
    return seen if counts else (seen > 0).float()
