"""Alignments: what does not fit, subwords put together to words, and who belongs to whom."""

import numpy as np
import pytest

from throughtime.data.alignments import Alignment, pharaoh
from throughtime.errors import ArgumentError

END = "<eos>"


def alignment(source, target, heads=2, seed=0):
    weights = np.random.default_rng(seed).dirichlet(np.ones(max(1, len(source))), (heads, len(target)))
    return Alignment(tuple(source), tuple(target), weights[:, :, : len(source)].astype(np.float32))


@pytest.mark.parametrize(
    ("source", "target", "weights", "says"),
    [
        ("ab", "x", np.zeros((1, 2, 2)), "weights of 1 units over 2 are heads x 1 x 2"),
        ("ab", "x", np.zeros((1, 2)), "got 1 x 2"),
        ("ab", "", np.zeros((1, 0, 2)), "at least its end symbol"),
        ("a", "x", np.full((1, 1, 1), np.nan), "numbers from 0 on"),
        ("a", "x", np.full((1, 1, 1), -0.1), "numbers from 0 on"),
    ],
)
def test_weights_that_do_not_fit_are_refused(source, target, weights, says):
    with pytest.raises(ArgumentError, match=says):
        Alignment(tuple(source), tuple(target), weights.astype(np.float32))


WORDS = [
    (["␣a", "␣b"], ["a", "b"], [[0], [1]]),
    (["un", "told", "␣joy"], ["untold", "joy"], [[0, 1], [2]]),
    (["␣", "joy"], ["joy"], [[0, 1]]),
    (["a", "␣", "␣b", "␣"], ["a", "b"], [[0, 1], [2, 3]]),
    (["a", "␣", "b", "."], ["a", "b."], [[0, 1], [2, 3]]),
    (["␣"], [""], [[0]]),
    (["␣", "␣", "␣a␣", "b"], ["ab"], [[0, 1, 2, 3]]),
]


CHARACTERS = [
    (["ab", "0xe0a4", "0xa8", "c"], ["ab", "न", "c"], [[0], [1, 2], [3]]),
    (["0x20e0a4", "0xa8e0a4", "0xae"], ["␣नम"], [[0, 1, 2]]),
    (["0xe0a4", "a", "0xa8"], ["0xe0a4", "a", "0xa8"], [[0], [1], [2]]),
    (["0xc3", "0xa9", "0xc3", "0xa9", "0xc3"], ["é", "é", "0xc3"], [[0, 1], [2, 3], [4]]),
    (["0x", "0xa", "0xzz"], ["0x", "0xa", "0xzz"], [[0], [1], [2]]),
]


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize(
    ("join", "units", "joined", "groups"),
    [("words", *case) for case in WORDS] + [("characters", *case) for case in CHARACTERS],
)
def test_subwords_are_put_together(join, units, joined, groups, ended):
    """Against sums and means that are written out."""
    source = [*units, END] if ended else units
    found = alignment(source, [*units, END])
    merged = getattr(found, join)()
    assert (merged.source, merged.target) == ((*joined, *([END] * ended)), (*joined, END))
    rows = [*groups, [len(units)]]
    columns = rows if ended else groups
    wanted = [[[sum(head[t][s] for t in row for s in column) / len(row) for column in columns] for row in rows]
              for head in found.weights.tolist()]  # fmt: skip
    np.testing.assert_allclose(merged.weights, wanted, rtol=1e-5)
    np.testing.assert_allclose(merged.weights.sum(-1), 1, rtol=1e-5)


def test_either_side_is_put_together_alone():
    found = alignment(["un", "told", END], ["␣ja", "wohl", END])
    assert found.words(target=False).target == ("␣ja", "wohl", END)
    assert found.words(source=False).source == ("un", "told", END)
    assert found.words(source=False).target == ("jawohl", END)


def test_empty_sides_stay_empty():
    assert alignment([], [END]).words().weights.shape == (2, 1, 0)
    assert alignment([], ["a", END]).links() == []
    assert alignment([], ["a", END]).links(0.1) == []
    assert alignment(["a"], [END]).links() == []
    assert Alignment(("a",), ("x", END), np.zeros((0, 2, 1), np.float32)).links() == []
    assert pharaoh([]) == ""


def test_each_unit_but_the_end_belongs_to_the_one_it_looked_at_most():
    found = alignment("abcde", [*"wxyz", END], heads=3, seed=4)
    mean = np.asarray(found.weights, float).mean(0)
    assert found.links() == [(max(range(5), key=lambda s: mean[t][s]), t) for t in range(4)]
    every = [(s, t) for t in range(4) for s in range(5) if mean[t][s] >= 0.25]
    assert found.links(0.25) == every
    assert 0 < len(every) < 20
    even = Alignment(("a", "b"), ("x", END), np.full((1, 2, 2), 0.5, np.float32))
    assert even.links() == [(0, 0)]
    assert even.links(0.5) == [(0, 0), (1, 0)]
    assert pharaoh(even.links(0.5)) == "0-0 1-0"


def test_the_end_of_a_source_is_no_word_of_it():
    weights = np.array([[[0.3, 0.7], [0.6, 0.4], [0, 1]]], np.float32)
    found = Alignment(("a", END), ("x", "y", END), weights)
    assert found.ends
    assert found.links() == [(0, 1)]
    assert found.links(0.2) == [(0, 0), (0, 1)]
    assert alignment([END], ["a", END]).links() == []
    assert alignment([END], ["a", END]).words().source == (END,)


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.1, float("nan")])
def test_a_threshold_is_a_share(threshold):
    with pytest.raises(ArgumentError, match=r"in \(0, 1\]; got"):
        alignment("a", ["x", END]).links(threshold)
