import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data.conll import Sentence
from throughtime.data.inventory import Inventory, Lengths, evenness
from throughtime.data.precision import Checks
from throughtime.data.records import Record
from throughtime.data.series import Series, SeriesSet
from throughtime.data.stocktaking import inventory_of_records, inventory_of_sentences, inventory_of_series
from throughtime.errors import ArgumentError, DataError


def records(*rows):
    return [Record("made, line", i, row[0], tuple(row[1:])) for i, row in enumerate(rows, 1)]


TRAIN = records(("a b c", "x"), ("a b c", "x"), ("a", "y"), ("a", "x"), ("", "x"), ("d d d d d",))
TEST = records(("a b c", "y"), ("e a f", "z"), ("a", "x"))


def test_an_inventory_of_texts_counts_what_stands_in_them():
    found = inventory_of_records({"train": iter(TRAIN), "test": iter(TEST)}, limit=2)
    train, test = found.parts["train"], found.parts["test"]
    assert (train.rows, train.empty, train.unlabelled, train.units, train.vocabulary) == (6, 1, 1, 13, 4)
    assert (train.classes, train.majority, train.unseen_labels) == ({"x": 4, "y": 1}, 0.8, {})
    assert (train.repeats, train.contradictions, train.unknown) == (2, 1, 0)
    lengths = train.lengths
    assert (lengths.least, lengths.median, lengths.most, lengths.over, lengths.units_over) == (0, 2.0, 5, 3, 5)
    assert [tuple(bin) for bin in lengths.histogram] == [(0, 0, 1), (1, 1, 2), (2, 3, 2), (4, 7, 1)]
    assert (test.unknown, test.unknown_share, test.unseen_labels) == (2, 2 / 7, {"z": 1})
    assert (test.repeats, test.contradictions, test.vocabulary) == (0, 0, 4)
    assert (found.unit, found.across) == ("words", {"test in train": 2})


def test_units_may_be_others_than_words():
    found = inventory_of_records({"train": TRAIN[:1], "test": TEST[1:2]}, units=list)
    assert (found.unit, found.parts["train"].units, found.parts["test"].unknown) == ("units", 5, 2)
    assert found.parts["train"].lengths.limit is None
    assert found.parts["train"].lengths.over == 0


def test_every_pair_of_parts_is_compared():
    found = inventory_of_records({"a": TEST[:1], "b": TEST[:2], "c": TEST})
    assert found.across == {"b in a": 1, "c in a": 1, "c in b": 2}


def test_an_inventory_of_sentences_counts_tokens_and_tags():
    train = [Sentence(1, ["a", "b"], ["X", "Y"]), Sentence(4, ["a", "b"], ["X", "X"])]
    test = [Sentence(1, ["a b"], ["Z"]), Sentence(2, ["a", "b"], ["X", "Y"])]
    found = inventory_of_sentences({"train": train, "test": test})
    assert (found.unit, found.across) == ("tokens", {"test in train": 1})
    assert (found.parts["train"].classes, found.parts["train"].contradictions) == ({"X": 3, "Y": 1}, 1)
    assert (found.parts["test"].unknown, found.parts["test"].unseen_labels) == (1, {"Z": 1})


def test_an_inventory_of_series_has_what_is_missing():
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    one = SeriesSet([Series("a", values, None, ("u",)), Series("b", values[:1])], ("x", "y"), "", Checks(2, (), 1))
    other = SeriesSet([Series("c", values.copy(), None, ("v",))], ("x", "y"), "", Checks())
    found = inventory_of_series({"one": one, "other": other}, limit=2)
    part = found.parts["one"]
    assert (part.rows, part.units, part.missing, part.non_finite, part.unlabelled) == (2, 4, 2, 1, 1)
    assert (part.lengths.most, part.lengths.over, part.lengths.units_over) == (3, 1, 1)
    assert (found.across, found.parts["other"].unseen_labels) == ({"other in one": 1}, {"v": 1})
    assert "  values: 2 missing, 1 infinite" in list(found.lines())


@given(st.lists(st.integers(0, 40), min_size=1, max_size=50), st.integers(1, 30))
def test_lengths_are_those_of_all_rows(lengths, limit):
    found = Lengths.of(Counter(lengths), limit)
    assert (found.least, found.most) == (min(lengths), max(lengths))
    assert found.median == np.median(lengths)
    assert found.mean == pytest.approx(np.mean(lengths))
    assert found.over == sum(length > limit for length in lengths)
    assert found.units_over == sum(max(0, length - limit) for length in lengths)
    assert sum(bin.rows for bin in found.histogram) == len(lengths)
    for bin in found.histogram:
        assert bin.rows == sum(bin.first <= length <= bin.last for length in lengths)


def test_evenness_is_entropy_over_its_most():
    assert evenness({"a": 1, "b": 1, "c": 2}) == pytest.approx((2 * 0.25 * np.log(4) + 0.5 * np.log(2)) / np.log(3))
    assert evenness({"a": 5}) == evenness({}) == 0.0


def test_the_report_is_json_and_lines_that_steer_no_terminal():
    rows = records(*((f"w{i}", f"l\x1b{i:02}") for i in range(25)))
    found = inventory_of_records({"train": rows, "test": TEST}, limit=1)
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    part = content["parts"]["train"]
    assert (part["rows"], part["majority"], part["unknown_share"]) == (25, 0.04, 0.0)
    assert part["lengths"]["histogram"] == [{"first": 1, "last": 1, "rows": 25}]
    assert content["across"] == {"test in train": 0}
    text = "\n".join(found.lines())
    assert "\x1b" not in text
    for line in (
        "train: 25 rows, 25 words; 0 empty, 0 without a label",
        "  lengths: 1 to 3 words, median 3, mean 2.3",
        "  histogram: 1-1: 1, 2-3: 2",
        "  longer than 1: 2 rows; 4 words of them would be cut",
        "  the most frequent label: 33.3%; evenness 1.000 (1 is balanced)",
        "  repeats: 0 rows; contents with different labels: 0",
        "  not in the vocabulary of 25: 7 words (100.00%)",
        "  labels that were never learnt: x 1, y 1, z 1",
        "test in train: 0 rows are in both",
    ):
        assert line in text.splitlines()
    assert "l\\u001b00 1, " in text
    assert ", ... 25 in all" in text
    alone = Inventory("words", {"train": replace(found.parts["train"], classes={})}, {})
    assert not any("label:" in line for line in alone.lines())


def test_what_cannot_be_taken_in_is_refused():
    with pytest.raises(DataError, match="the part 'test' has no rows; give some"):
        inventory_of_records({"train": TRAIN, "test": []})
    with pytest.raises(ArgumentError, match="limit is a length, at least 1; got 0"):
        inventory_of_records({"train": TRAIN}, limit=0)
