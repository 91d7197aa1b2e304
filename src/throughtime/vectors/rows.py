"""Rows of a table as the kernels want them: whole blocks of 16 floats, each on a line of the cache of its own."""

import numpy as np
from numpy.typing import NDArray

from throughtime.kernels.rows import LANES, SIZE


def aligned(rows: int, width: int) -> NDArray[np.float32]:
    """Rows of zeros, wide enough for `width` and filled up to whole blocks.

    >>> aligned(3, 100).shape
    (3, 112)
    """
    blocks = -(-width // LANES)
    memory = np.zeros(rows * blocks * LANES + LANES, np.float32)
    skipped = -memory.ctypes.data % SIZE // 4
    return memory[skipped : skipped + rows * blocks * LANES].reshape(rows, blocks * LANES)
