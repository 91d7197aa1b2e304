"""Edit distance against its table and its laws; rates of error against what is counted by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from throughtime.errors import ArgumentError
from throughtime.metrics import edit_distance, edit_scores

LINES = some.lists(some.sampled_from("abc"), max_size=9)


def table(one, other):
    """The distance by the recursion that defines it, row by row."""
    row = list(range(len(other) + 1))
    for i, symbol in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, against in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (symbol != against))
    return row[-1]


def test_all_short_lines_are_as_far_as_their_table_says():
    lines = [word for length in range(5) for word in product("ab", repeat=length)]
    for one, other in product(lines, repeat=2):
        assert edit_distance(one, other) == table(one, other)


@given(LINES, LINES, LINES)
def test_it_is_a_distance(one, other, third):
    far = edit_distance(one, other)
    assert far == table(one, other) == edit_distance(other, one)
    assert (far == 0) == (one == other)
    assert far <= edit_distance(one, third) + edit_distance(third, other)
    assert abs(len(one) - len(other)) <= far <= max(len(one), len(other))
    assert edit_distance(third + one, third + other) <= far


def test_long_lines_go_beyond_the_words_of_a_machine():
    chance = np.random.default_rng(0)
    for sizes in [(63, 64), (64, 64), (65, 130), (1, 200), (200, 0)]:
        one, other = (chance.integers(0, 5, size).tolist() for size in sizes)
        assert edit_distance(one, other) == table(one, other)


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [("kitten", "sitting", 3), ("saturday", "sunday", 3), ("intention", "execution", 5), ("", "", 0), ("", "é", 1)],
)
def test_known_distances(one, other, far):
    assert edit_distance(one, other) == far


def test_the_nearest_reference_counts_whatever_their_order():
    predicted = [["AH", "B"], ["K", "AE", "T"], [], ["D"]]
    references = [
        [["AH", "B"], ["AA", "B"]],  # right, by the first
        [["K", "AE", "D", "Z"], ["K", "AH", "T"]],  # one edit from the second
        [["T"], ["T", "T"]],  # one and two left out
        [["T", "T"], ["T", "D"], ["T"]],  # one edit from two of them: the shorter counts
    ]
    scores = edit_scores(predicted, references)
    assert scores.counts.tolist() == [[0, 2, 0], [1, 3, 1], [1, 1, 1], [1, 1, 1]]
    assert (scores.items, scores.right, scores.edits, scores.symbols) == (4, 1, 3, 7)
    assert (scores.rate, scores.wrong) == (3 / 7, 0.75)
    turned = edit_scores(predicted, [wanted[::-1] for wanted in references])
    assert turned.counts.tolist() == scores.counts.tolist()
    with_more = edit_scores(predicted, [[*wanted, ["Z"] * 9] for wanted in references])
    assert with_more.to_json() == scores.to_json()


def test_characters_and_words_are_symbols_alike():
    line, truth = "the cat sat", "the cat sat down"
    assert edit_scores([line], [[truth]]).rate == 5 / 16
    assert edit_scores([line.split()], [[truth.split()]]).rate == 1 / 4


def test_intervals_hold_the_rates_and_what_is_empty_has_none():
    scores = edit_scores(["ab", "cd", "ee"] * 40, [["ab"], ["ce"], ["ff"]] * 40)
    facts = scores.to_json()
    for name in ("rate", "wrong"):
        low, high = facts[f"{name}_interval"]
        assert low < facts[name] < high
    assert facts["wrong"] == 2 / 3
    assert facts["rate"] == 1 / 2
    nothing = edit_scores([], []).to_json()
    assert (nothing["rate"], nothing["wrong"], nothing["rate_interval"], nothing["wrong_interval"]) == (None,) * 4
    assert edit_scores(["", "a"], [[""], [""]]).rate is None


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: edit_scores(["a"], []), "1 items are predicted and 0 have references"),
        (lambda: edit_scores(["a", "b"], [["a"], []]), r"item 2 needs a list of references, of one at least; got \[\]"),
        (lambda: edit_scores(["a"], ["abc"]), "item 1 needs a list of references, of one at least; got 'abc'"),
    ],
)
def test_what_does_not_fit_is_named(call, says):
    with pytest.raises(ArgumentError, match=says):
        call()
