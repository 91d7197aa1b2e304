"""Numbers of text files: lines of decimals to single precision and back, and records of binary files.

A decimal is m · 10^e with an integer m of 18 digits at most. In double precision m · 10^e is off by less than four
units in the last place; where a value so near lies between the same two numbers of single precision, it rounds to the
same one as the decimal itself. The rare others, and all that is not plainly written, are left to the caller.
"""

from typing import Any

import numpy as np
from numba import njit

DIGITS = 18  # of an integer that fits 64 bits
LARGEST_WHOLE = 10**17  # below it one more digit fits
FURTHEST = 280  # powers of ten
POWERS = np.array([float(f"1e{power}") for power in range(-FURTHEST, FURTHEST + 1)])
SMALLEST, LARGEST = 1.2e-38, 3.4e38  # where single precision has all its bits
BETWEEN, PART = np.int64(2**28), np.int64(2**29 - 1)  # of the bits that single precision does not have
DOUBT = 8  # units in the last place of double precision
EXACT = 2.0**53  # whole numbers below it are exact in double precision
SPACE, RETURN, NEWLINE, PLUS, MINUS, DOT, ZERO = (ord(letter) for letter in " \r\n+-.0")
SMALL_E, LARGE_E = ord("e"), ord("E")
LONGEST = 24  # bytes of a number as `write_numbers` writes it, and the space before it


@njit(nogil=True, error_model="numpy", inline="always")
def _doubtful(value: Any) -> Any:
    """Whether a value so near to this one may round to another number of single precision."""
    magnitude = abs(value)
    if magnitude == 0.0:
        return False
    rest = np.float64(magnitude).view(np.int64) & PART
    return not (SMALLEST < magnitude < LARGEST) or abs(rest - BETWEEN) <= DOUBT


@njit(nogil=True, error_model="numpy", inline="always")
def _digits(text: Any, place: Any, mantissa: Any) -> Any:
    """Reads digits: where they end, and the integer with them, which too many of them make wrong."""
    digit = np.int64(text[place]) - ZERO
    while 0 <= digit <= 9:
        mantissa = mantissa * 10 + digit
        place += 1
        digit = np.int64(text[place]) - ZERO
    return place, mantissa


@njit(nogil=True, error_model="numpy", cache=True)
def _first_digits(text: Any, place: Any, end: Any) -> Any:
    """The first digits that matter of so long a number, as an integer, and the power of ten that goes with them."""
    mantissa, power, point = np.int64(0), 0, False
    for i in range(place, end):
        if text[i] == DOT:
            point = True
        elif mantissa < LARGEST_WHOLE:
            mantissa = mantissa * 10 + (np.int64(text[i]) - ZERO)
            power -= point
        else:
            power += not point
    return mantissa, power


@njit(nogil=True, error_model="numpy", inline="always")
def _number(text: Any, place: Any) -> Any:
    """Reads a number that starts here: its value and where it ends; −1 if it is not plain, or doubtful."""
    sign = text[place]
    start = place + (sign in (MINUS, PLUS))
    place, mantissa = _digits(text, start, np.int64(0))
    digits, power = place - start, 0
    if text[place] == DOT:
        point = place
        place, mantissa = _digits(text, point + 1, mantissa)
        power = point + 1 - place
        digits -= power
    if digits == 0:
        return 0.0, -1
    if digits > DIGITS:
        mantissa, power = _first_digits(text, start, place)
    if text[place] == SMALL_E or text[place] == LARGE_E:
        direction = text[place + 1]
        first = place + 1 + (direction in (MINUS, PLUS))
        place, exponent = _digits(text, first, np.int64(0))
        if place == first or place > first + 4:
            return 0.0, -1
        power += -exponent if direction == MINUS else exponent
    if text[place] not in (SPACE, NEWLINE, RETURN) or abs(power) > FURTHEST:
        return 0.0, -1
    value = np.float64(mantissa) * POWERS[power + FURTHEST]
    return (-value if sign == MINUS else value), (-1 if _doubtful(value) else place)


@njit(nogil=True, error_model="numpy", cache=True)
def read_lines(text: Any, place: int, vectors: Any, row: int, spelled: Any, letters: int) -> Any:
    """Reads lines "word number number ..." up to the first that is not plain.

    Shapes: text (bytes) uint8, whole lines; vectors (R D) float32; spelled (bytes) uint8: the words, a newline behind
    each. Gives where the next line starts, the row that it has, and how many bytes of `spelled` are taken.
    """
    rows, width = vectors.shape
    end = len(text)
    while place < end and row < rows:
        at = place
        size = letters
        while text[at] != SPACE and text[at] != NEWLINE:
            spelled[size] = text[at]
            size += 1
            at += 1
        if size == letters or text[at] == NEWLINE:
            break
        column = 0
        while column < width:
            if text[at] != SPACE:
                break
            while text[at] == SPACE:
                at += 1
            value, at = _number(text, at)
            if at < 0:
                break
            vectors[row, column] = value
            column += 1
        if column < width:
            break
        while text[at] == SPACE:
            at += 1
        if text[at] == RETURN:
            at += 1
        if text[at] != NEWLINE:
            break
        spelled[size] = NEWLINE
        place, row, letters = at + 1, row + 1, size + 1
    return place, row, letters


@njit(nogil=True, error_model="numpy", cache=True)
def read_records(text: Any, place: int, vectors: Any, row: int, spelled: Any, letters: int) -> Any:
    """Reads records "word" space, D numbers of single precision, and a newline or none, up to one that is not whole.

    Shapes and results: as those of `read_lines`. What stands before a word is skipped if it is one newline.
    """
    rows, width = vectors.shape
    size = 4 * width
    for record in range(row, rows):
        at, end = place, letters
        if at < len(text) and text[at] == NEWLINE:
            at += 1
        while at < len(text) and text[at] != SPACE and text[at] != NEWLINE:
            spelled[end] = text[at]
            end += 1
            at += 1
        if end == letters or at + 1 + size > len(text) or text[at] == NEWLINE:
            break
        vectors[record].view(np.uint8)[:] = text[at + 1 : at + 1 + size]
        spelled[end] = NEWLINE
        place, row, letters = at + 1 + size, record + 1, end + 1
    return place, row, letters


@njit(nogil=True, error_model="numpy", inline="always")
def _shortest(magnitude: Any) -> Any:
    """An integer m of 9 digits or fewer and a power e, such that m · 10^e rounds to this number, which is above 0."""
    power = np.int64(np.floor(np.log10(magnitude)))
    mantissa = np.int64(0)
    for digits in (6, 7, 8, 9):
        shift = digits - 1 - power
        mantissa = np.int64(np.rint(magnitude * POWERS[shift + FURTHEST]))
        back = np.float64(mantissa) * POWERS[FURTHEST - shift]
        sure = (shift <= 0 and back < EXACT) or not _doubtful(back)  # a whole number is what it says, half-way or not
        if digits == 9 or (sure and np.float32(back) == np.float32(magnitude)):
            break
    power = -shift
    while mantissa % 10 == 0:
        mantissa //= 10
        power += 1
    return mantissa, power


@njit(nogil=True, error_model="numpy", inline="always")
def _write_integer(text: Any, place: Any, number: Any, length: Any) -> Any:
    for i in range(length):
        text[place + length - 1 - i] = ZERO + number % 10
        number //= 10
    return place + length


@njit(nogil=True, error_model="numpy", inline="always")
def _write_number(text: Any, place: Any, value: Any) -> Any:
    """Writes a number so that it reads as the same; gives where it ends."""
    signs = np.int64(value < 0)
    if signs:
        text[place] = MINUS
        place += 1
    if value == 0:
        text[place] = ZERO
        return place + 1
    mantissa, power = _shortest(abs(np.float64(value)))
    length, rest = 0, mantissa
    while rest > 0:
        rest //= 10
        length += 1
    if power >= 0 and signs + length + power <= 12:  # 1200; longer ones are shorter with an exponent
        place = _write_integer(text, place, mantissa, length)
        for _ in range(power):
            text[place] = ZERO
            place += 1
        return place
    plain = power < 0 and length + power > -4  # from 0.0001 on, as Python does: below it an exponent is shorter
    whole = max(length + power, 0) if plain else 1  # digits before the point
    place = _write_with_point(text, place, mantissa, length - whole, max(-power if plain else length - whole, 0))
    if plain:  # 12.5, 0.00125
        return place
    power += length - whole  # 1.25e-09
    text[place] = SMALL_E
    if power < 0:
        text[place + 1] = MINUS
        place += 1
    return _write_integer(text, place + 1, abs(power), 2)


@njit(nogil=True, error_model="numpy", inline="always")
def _write_with_point(text: Any, place: Any, mantissa: Any, behind: Any, places: Any) -> Any:
    """Writes an integer with a point before its last digits, filled up with zeros to so many places."""
    divisor = np.int64(1)
    for _ in range(behind):
        divisor *= 10
    whole, length = mantissa // divisor, 1
    while whole >= 10**length:
        length += 1
    place = _write_integer(text, place, whole, length)
    if places == 0:
        return place
    text[place] = DOT
    return _write_integer(text, place + 1, mantissa % divisor, places)


@njit(nogil=True, error_model="numpy", cache=True)
def write_numbers(vectors: Any, text: Any, ends: Any) -> None:
    """Writes the numbers of each row, a space before each, one row behind the other; `ends` tells where each ends.

    Shapes: vectors (R D) float32, text (at least 24 R D) uint8, ends (R) int64.
    """
    place = 0
    for row in range(len(vectors)):
        for column in range(vectors.shape[1]):
            text[place] = SPACE
            place = _write_number(text, place + 1, vectors[row, column])
        ends[row] = place
