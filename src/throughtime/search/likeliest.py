"""The likeliest few of many, in two stages where there are very many."""

from torch import Tensor

LARGE = 1024  # from here on two stages are faster
BLOCKS = 64  # a block has this many symbols, which stand as far apart as there are blocks


def padded(vocab: int, k: int) -> int:
    """How wide rows of a vocabulary are made for `likeliest`, with what is impossible behind."""
    return -(-vocab // BLOCKS) * BLOCKS if vocab >= LARGE and vocab >= 2 * k * BLOCKS else vocab


def likeliest(rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row, largest first, and where they stand. Shapes: rows N V, both results N k.

    In two stages: the k largest lie in the k blocks whose own largest are largest. So all but a few numbers are
    looked at once, in whole vectors.
    """
    count, width = rows.shape
    if width % BLOCKS or width < LARGE or width < 2 * k * BLOCKS:
        best = rows.topk(k)
        return best.values, best.indices
    blocks = rows.view(count, BLOCKS, width // BLOCKS)
    which = blocks.amax(1).topk(k).indices
    inside = blocks.gather(2, which[:, None].expand(-1, BLOCKS, -1)).flatten(1)
    values, places = inside.topk(k)
    return values, places // k * (width // BLOCKS) + which.gather(1, places % k)
