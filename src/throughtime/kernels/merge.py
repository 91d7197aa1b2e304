"""Copies of a table that learned apart become one."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, error_model="numpy", cache=True)
def merge(
    table: NDArray[np.float32], copies: NDArray[np.float32], divisors: NDArray[np.float32], begin: int, end: int
) -> None:
    """Moves the rows from begin to end by what the copies moved theirs, and makes the copies' rows the same.

    Formula: row += Σ_r (copy_r - row) / divisor_row.
    Shapes: table (rows, width), copies (R, rows, width).
    """
    for row in range(begin, end):
        for j in range(table.shape[1]):
            total = np.float32(0)
            for r in range(len(copies)):
                total += copies[r, row, j] - table[row, j]
            table[row, j] += total / divisors[row]
        for r in range(len(copies)):
            for j in range(table.shape[1]):
                copies[r, row, j] = table[row, j]
