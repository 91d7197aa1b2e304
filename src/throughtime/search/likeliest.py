"""The likeliest few of many, in two stages where there are very many."""

import torch
from torch import Tensor

LARGE = 3072  # from here on two stages are faster for a batch, and hardly slower for a single line
BLOCK = 64


def likeliest(rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row, largest first, and where they stand. Shapes: rows N V, both results N k.

    In two stages: the k largest lie in the k blocks whose own largest are largest, or in what is left of the row
    behind the last whole block. So all but a few numbers are looked at once, in whole vectors.
    """
    vocab = rows.shape[1]
    whole = vocab // BLOCK * BLOCK
    if vocab < LARGE or vocab < 4 * k * BLOCK:
        best = rows.topk(k)
        return best.values, best.indices
    blocks = rows[:, :whole].view(len(rows), -1, BLOCK)
    which = blocks.amax(2).topk(k).indices
    inside = blocks.gather(1, which[:, :, None].expand(-1, -1, BLOCK)).flatten(1)
    values, places = torch.cat((inside, rows[:, whole:]), 1).topk(k)
    behind = places - k * BLOCK
    begins = which.gather(1, (places // BLOCK).clamp(max=k - 1)) * BLOCK
    return values, torch.where(behind < 0, begins + places % BLOCK, whole + behind)
