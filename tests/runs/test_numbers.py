"""Lines of numbers: every form that is read, and what is not."""

import numpy as np
import pytest

from throughtime.errors import DataError
from throughtime.runs.numbers import check_answer, numbers_in


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("1", [1]),
        (" 0.5, -1e-3 \n", [0.5, -0.001]),
        ("0.5\t-1", [0.5, -1]),
        ("[0.5, -1]", [0.5, -1]),
        ("[0.5 -1]", [0.5, -1]),
        ("[]", []),
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        ("3.4e38", [3.4e38]),
    ],
)
def test_numbers_are_read(line, numbers):
    assert numbers_in(line).tolist() == numbers


FINITE = r"has what is not finite in single precision \(3.4e38\); fill it in, or leave the line out"
FORM = r"does not read as numbers; give such as 0.5, -1, or JSON \[0.5, -1\]"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        *[(line, FINITE) for line in ("nan", "1, inf", "[1, null]", "1,,2", "1,", "1e300", "[[1, 3.5e38]]", "[[NaN]]")],
        *[(line, FORM) for line in ("x", "1_0", "[1", "1]", "[[1], [2, 3]]", "[" * 9000, '{"a": 1}', "1 [2]", "0x1")],
        ("[[" + "9" * 400 + "]]", FORM),
        ("9" * 400, FINITE),
    ],
)
def test_what_is_no_number_is_one_short_line(line, says):
    with pytest.raises(DataError, match=says) as error:
        numbers_in(line)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_an_answer_is_finite():
    check_answer([0.0, 1.0], "a row")
    with pytest.raises(DataError, match=r"the answer is no number, .* give a row, such as were learned"):
        check_answer(np.array([0.5, np.nan]), "a row")
