"""The n-grams of many words at once, as the numbers of their buckets."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

OFFSET, PRIME = np.uint32(2166136261), np.uint32(16777619)  # of FNV-1a, 32 bits


@njit(nogil=True, error_model="numpy", cache=True)
def grams(
    letters: NDArray[np.uint8],
    starts: NDArray[np.int64],
    shortest: int,
    longest: int,
    buckets: int,
    sizes: NDArray[np.int64],
    numbers: NDArray[np.int32],
) -> int:
    """Writes how many n-grams each word has and, as far as there is room, their buckets; gives how many there are.

    Word w, with its marks, is the UTF-8 in `letters[starts[w]:starts[w + 1]]`.
    """
    total = 0
    for w in range(len(sizes)):
        first, last, before = starts[w], starts[w + 1], total
        for begin in range(first, last):
            if letters[begin] & 0xC0 == 0x80:  # within a letter
                continue
            value, length, end = OFFSET, 0, begin
            while end < last and length < longest:
                while True:  # a letter
                    byte = np.uint32(np.int8(letters[end]))  # taken as signed, as the original does
                    value = np.uint32((value ^ byte) * PRIME)
                    end += 1
                    if end == last or letters[end] & 0xC0 != 0x80:
                        break
                length += 1
                if length >= shortest and not (length == 1 and (begin == first or end == last)):
                    if total < len(numbers):
                        numbers[total] = value % np.uint32(buckets)
                    total += 1
        sizes[w] = total - before
    return total
