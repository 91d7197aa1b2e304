from itertools import combinations

import numpy as np
import pytest

from throughtime.errors import ArgumentError
from throughtime.vectors import association as module
from throughtime.vectors.association import extremes, permutation_test, project, weat
from throughtime.vectors.debias import Direction
from throughtime.vectors.lists import Association
from throughtime.vectors.table import Table

WORDS = [f"{kind}{i}" for kind in "xyab" for i in range(6)]


@pytest.fixture(scope="module")
def table():
    return Table(WORDS, np.random.default_rng(2).normal(size=(24, 5)).astype("f4"))


def sets(x=6, y=6, a=6, b=6):
    return Association(
        "made",
        {"X": [f"x{i}" for i in range(x)], "Y": [f"y{i}" for i in range(y)]},
        {"A": [f"a{i}" for i in range(a)], "B": [f"b{i}" for i in range(b)]},
    )


def by_hand(table, x, y, a, b):
    """The paper's formulas, word by word."""
    unit = {word: table[word] / np.linalg.norm(table[word].astype(float)) for word in table.words}
    lean = {w: np.mean([unit[w] @ unit[v] for v in a]) - np.mean([unit[w] @ unit[v] for v in b]) for w in x + y}
    given = sum(lean[w] for w in x) - sum(lean[w] for w in y)
    others = [
        sum(lean[w] for w in part) - sum(lean[w] for w in x + y if w not in part)
        for part in combinations(x + y, len(x))
    ]
    effect = (np.mean([lean[w] for w in x]) - np.mean([lean[w] for w in y])) / np.std(list(lean.values()), ddof=1)
    return effect, np.mean([other >= given - 1e-12 for other in others]), given


@pytest.mark.parametrize("sizes", [(6, 6, 6, 6), (5, 5, 3, 6), (4, 6, 1, 1), (1, 2, 2, 2)])
def test_weat_is_the_paper_s_formula(table, sizes):
    association = sets(*sizes)
    found = weat(table, association)
    effect, p_value, statistic = by_hand(table, *association.targets.values(), *association.attributes.values())
    assert (found.effect, found.p_value, found.statistic) == pytest.approx((effect, p_value, statistic))
    assert found.method == "exact"
    assert tuple(found.words.values()) == sizes


def test_swapped_targets_lean_the_other_way(table):
    association = sets()
    swapped = Association("swapped", dict(reversed(association.targets.items())), association.attributes)
    one, other = weat(table, association), weat(table, swapped)
    assert one.effect == pytest.approx(-other.effect)
    assert one.p_value + other.p_value == pytest.approx(1 + 1 / one.partitions)


def test_sampled_p_values_near_the_exact_ones(table, monkeypatch):
    exact = weat(table, sets())
    monkeypatch.setattr(module, "PARTITIONS", 10)
    monkeypatch.setattr(module, "SAMPLES", 20_000)
    monkeypatch.setattr(module, "BLOCK", 12 * 7001)
    sampled = weat(table, sets(), seed=1)
    assert (exact.method, exact.partitions, sampled.method, sampled.partitions) == ("exact", 924, "sampled", 20_000)
    assert sampled.p_value == pytest.approx(exact.p_value, abs=4 * np.sqrt(0.25 / 20_000))
    assert sampled == weat(table, sets(), seed=1)
    assert sampled.effect == exact.effect


def test_p_values_reach_both_ends():
    rising = np.arange(8.0)
    assert permutation_test(rising, 4)[0] == 1
    assert permutation_test(-rising, 4)[0] == 1 / 70
    assert permutation_test(np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.3]), 3)[0] == pytest.approx(14 / 20)  # ties count


def test_words_that_are_missing_are_told(table):
    association = sets()
    association.targets["X"].append("away")
    association.attributes["B"] += ["far", "off"]
    found = weat(table, association)
    assert found.missing == {"X": ["away"], "Y": [], "A": [], "B": ["far", "off"]}
    assert found.effect == weat(table, sets()).effect
    assert found.to_json()["words"] == {"X": 6, "Y": 6, "A": 6, "B": 6}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"X": ["away"]}, "made: none of the 1 words of X is in the table"),
        ({"B": ["away", "off"]}, "made: none of the 2 words of B is in the table"),
        ({"X": ["x1", "y1"]}, "made: 'y1' is in X and in Y; leave one out"),
        ({"X": ["x1", "Y1"]}, "made: 'y1' is in X and in Y; leave one out"),
        ({"A": ["a1"], "B": ["a1"]}, "made: all its targets lean alike"),
    ],
)
def test_associations_that_cannot_be_tested(table, change, says):
    association = sets()
    for sides in (association.targets, association.attributes):
        sides.update({name: words for name, words in change.items() if name in sides})
    with pytest.raises(ArgumentError, match=says):
        weat(table, association)


def test_projections_are_cosines(table):
    direction = Direction(np.eye(5)[:1])
    found = project(table, ["x1", "B2"], direction)
    assert found == pytest.approx([table[w][0] / np.linalg.norm(table[w]) for w in ("x1", "b2")])
    with pytest.raises(ArgumentError, match="'away' is not in the table"):
        project(table, ["x1", "away"], direction)


def test_extremes_are_the_farthest_on_each_side():
    table = Table(["a", "b", "c", "d", "e"], np.array([[1, 1], [1, 0], [0, 1], [-1, 2], [-1, 0]], "f4"))
    high, low = extremes(table, ["d", "c", "b", "a"], Direction(np.eye(2)[:1]), 5)
    assert [word for word, _ in high] == ["b", "a"]
    assert low == [("d", pytest.approx(-1 / np.sqrt(5)))]
    high, low = extremes(table, table.words, Direction(np.eye(2)[:1]), 1)
    assert (high, low) == ([("b", pytest.approx(1))], [("e", pytest.approx(-1))])
