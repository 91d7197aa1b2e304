"""Trees in brackets: all small trees and all that is none; brackets counted by hand, and laws."""

import re
from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as some

from throughtime.errors import ArgumentError, DataError
from throughtime.metrics import Constituent, bracket_scores, parse_brackets

# The example of Collins' evalb: what is wanted, and what a parser says.
WANTED = "(S (A (P this)) (B (Q is) (A (R a) (T test))))"
SAID = "(S (A (P this)) (B (Q is) (C (R a) (T test))))"


def trees(most):
    """A tree: a label, and words and trees in it."""
    label = some.sampled_from(["S", "NP", "VP"])
    return some.recursive(
        some.sampled_from(["a", "b"]),
        lambda inner: some.tuples(label, some.lists(inner, min_size=1, max_size=3)),
        max_leaves=most,
    ).map(lambda one: one if isinstance(one, tuple) else ("S", [one]))


def write(tree, closing=""):
    if isinstance(tree, str):
        return tree
    label, inside = tree
    return f"({label} {' '.join(write(one, closing) for one in inside)} ){label if closing else ''}"


def walk(tree, start=0):
    """The words and constituents, by recursion."""
    if isinstance(tree, str):
        return [tree], []
    words, found = [], []
    for one in tree[1]:
        inner, brackets = walk(one, start + len(words))
        words, found = words + inner, found + brackets
    return words, [*found, Constituent(tree[0], start, start + len(words))]


@given(trees(8), some.booleans())
def test_what_is_written_is_read_back(tree, closing):
    words, found = walk(tree)
    read = parse_brackets(write(tree, closing))
    assert (list(read.words), list(read.constituents)) == (words, found)
    assert all(one.stop - one.start == 1 for one in read.tags)
    assert parse_brackets(re.sub(r" (?=\))", "", write(tree))) == parse_brackets(write(tree))


def test_of_all_short_lines_those_are_trees_that_a_grammar_makes():
    """Lines of up to seven of these parts, against a grammar that is rewritten until nothing but a tree is left."""
    for length in range(8):
        for parts in product(["(X", "w", ")"], repeat=length):
            line = " ".join(parts)
            rest, before = line, None
            while rest != before:
                before, rest = rest, re.sub(r"\(X( [wt])+ \)", "t", rest)
            assert is_tree(line) == (rest == "t"), line


def is_tree(line):
    try:
        parse_brackets(line)
    except DataError:
        return False
    return True


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "there is no bracket"),
        ("  ", "there is no bracket"),
        ("cat", "place 1: 'cat' stands in no bracket"),
        ("(S a) b", "place 7: 'b' stands after the end of the tree"),
        ("(S a) (S b)", r"place 7: '\(S' stands after"),
        ("(S a))", r"place 6: '\)' stands after"),
        (")", r"place 1: '\)' stands in no bracket"),
        ("(S (NP a)", "1 brackets are not closed"),
        ("(S (NP ) a)", "place 8: the bracket 'NP' holds no word"),
        ("(S (NP a )VP )", "place 10: the bracket 'NP' ends with 'VP'"),
        ("(S ( a) b)", "place 4: a bracket has no label"),
        ("(S \x1b[2J", "1 brackets are not closed"),
        ("(S a)\x1b[2J", r"ends with '\\x1b\[2J'"),
    ],
)
def test_what_is_no_tree_is_told(line, says):
    with pytest.raises(DataError, match=says) as raised:
        parse_brackets(line)
    assert str(raised.value).isprintable()


def test_depth_is_no_danger():
    deep = "(A " * 50_000 + "w" + ")" * 50_000
    assert len(parse_brackets(deep).constituents) == 50_000
    assert bracket_scores([deep], [deep]).f1 == 1


def test_brackets_are_counted_as_by_hand():
    tagged = bracket_scores([SAID], [WANTED], tagged=True)
    assert (tagged.brackets.right, tagged.brackets.predicted, tagged.brackets.support) == (3, 4, 4)
    every = bracket_scores([SAID], [WANTED])
    assert (every.brackets.right, every.brackets.predicted, every.brackets.support) == (7, 8, 8)
    assert (every.well_formed, every.fitting, every.exact, every.words.recall) == (1, 1, 0, 1)
    assert bracket_scores([f"(TOP {SAID})"], [f"( {WANTED})"]).brackets == every.brackets
    chain = bracket_scores(["(X (X a) b)", "(X (X (X a)))"], ["(X (X (X a)) b)", "(X (X a))"])
    assert chain.counts.tolist() == [[2, 2, 3], [2, 3, 2]]  # alike ones count as often as both have them
    relations = bracket_scores(["(root nsubj * (obj det * ) )"], ["(root nsubj * (obj amod * ) )"])
    assert (relations.f1, relations.exact, relations.words.recall) == (1, 0, 0.75)


def test_a_line_that_is_no_tree_or_too_long_has_no_bracket_right():
    scores = bracket_scores(["(S a", "(S a b c)", "(S a b)", ""], ["(S a b)"] * 4)
    assert (scores.items, scores.well_formed, scores.fitting, scores.exact) == (4, 2, 1, 1)
    assert scores.counts.tolist() == [[0, 0, 1], [0, 1, 1], [1, 1, 1], [0, 0, 1]]
    facts = scores.to_json()
    assert (facts["well_formed"], facts["fitting"], facts["exact"]) == (0.5, 0.25, 0.25)
    assert (facts["bracket_precision"], facts["bracket_recall"], facts["leaf_accuracy"]) == (0.5, 0.25, 0.25)
    assert facts["bracket_f1"] == pytest.approx(1 / 3)
    low, high = facts["bracket_f1_interval"]
    assert 0 <= low < facts["bracket_f1"] < high <= 1


@given(some.lists(some.tuples(trees(5), trees(5)), max_size=4), some.booleans())
def test_scores_are_those_of_spans_counted_alone_and_turn_with_their_sides(pairs, tagged):
    said, wanted = ([write(pair[side]) for pair in pairs] for side in (0, 1))
    scores, turned = bracket_scores(said, wanted, tagged=tagged), bracket_scores(wanted, said, tagged=tagged)
    assert scores.counts[:, [0, 2, 1]].tolist() == turned.counts.tolist()
    assert (scores.f1, scores.exact) == (turned.f1, turned.exact)
    same = bracket_scores(wanted, wanted, tagged=tagged)
    assert same.f1 in (1, None)
    assert (same.exact, same.fitting, same.well_formed) == (len(pairs),) * 3
    if not tagged:
        right = 0
        for one, other in pairs:
            (words, found), (more, there) = walk(one), walk(other)
            right += sum((Counter(found) & Counter(there)).values()) if len(words) == len(more) else 0
        assert scores.brackets.right == right
    assert bracket_scores(said[::-1], wanted[::-1], tagged=tagged).brackets == scores.brackets


def test_what_does_not_fit_is_named():
    with pytest.raises(ArgumentError, match="1 lines are predicted and there are 0 references"):
        bracket_scores(["(S a)"], [])
    with pytest.raises(DataError, match="reference 2 is no tree: place 1: 'x' stands in no bracket"):
        bracket_scores(["(S a)"] * 2, ["(S a)", "x"])
    assert bracket_scores([], []).f1 is None
    assert bracket_scores([], []).to_json()["bracket_f1_interval"] is None
