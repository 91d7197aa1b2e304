"""What is in pairs, counted by hand."""

import json

import pytest

from throughtime.data.pair_inventory import inventory_of_pairs
from throughtime.data.pairs import read_parallel
from throughtime.errors import ArgumentError

TRAIN = [("a b", "x y"), ("a b", "x z"), ("a b", "x y"), ("c", "c"), ("a", "x y z x y z x y z"), ("a b c", "x y z")]
VALID = [("a b", "x y"), ("c", "q"), ("d e f g h i j", "x"), ("new", "x")]


@pytest.fixture
def parts(tmp_path):
    found = {}
    for name, rows in {"train": [*TRAIN, ("", ""), ("one", "")], "valid": VALID}.items():
        paths = tmp_path / f"{name}.en", tmp_path / f"{name}.de"
        for path, side in zip(paths, zip(*rows, strict=True), strict=True):
            path.write_text("".join(f"{line}\n" for line in side))
        found[name] = read_parallel(*paths, missing="skip")
    return found


def test_both_sides_are_counted_and_how_they_go_together(parts):
    found = inventory_of_pairs(parts, limit=2)
    train, valid = found.parts["train"], found.parts["valid"]
    assert (train.pairs, train.both_empty, train.one_empty, train.repeats, train.several) == (6, 1, 1, 1, 1)
    assert (train.ratio, train.far, train.copies) == (1.0, (5,), (4,))
    assert (train.sources.units, train.sources.vocabulary, train.sources.unknown) == (11, 3, 0)
    assert (train.targets.lengths.least, train.targets.lengths.median, train.targets.lengths.most) == (1, 2, 9)
    assert (train.targets.lengths.over, train.targets.lengths.units_over) == (2, 8)
    assert (valid.sources.unknown, valid.targets.unknown, valid.targets.vocabulary, valid.far) == (8, 1, 4, (3,))
    assert (found.sources, found.pairs) == ({"valid in train": 2}, {"valid in train": 1})
    assert json.loads(json.dumps(found.to_json()))["parts"]["train"]["far"] == [5]


def test_people_are_told_all_of_it(parts):
    assert list(inventory_of_pairs(parts, limit=2).lines()) == [
        "train: 6 pairs; 1 empty, 1 with one side empty",
        "  sources: 1 to 3 words, median 2, mean 1.8, 11 in all",
        "    longer than 2: 1, with 1 words beyond it",
        "  targets: 1 to 9 words, median 2, mean 3.2, 19 in all",
        "    longer than 2: 2, with 8 words beyond it",
        "  a target has 1.00 times the words of its source; 3 times off: 1 (line 5)",
        "  copies of the source: 1 (line 4)",
        "  repeats: 1 pairs; sources with different targets: 1",
        "valid: 4 pairs; 0 empty, 0 with one side empty",
        "  sources: 1 to 7 words, median 1.5, mean 2.8, 11 in all",
        "    longer than 2: 1, with 5 words beyond it",
        "    not in the vocabulary of 3: 8 words (72.73%)",
        "  targets: 1 to 2 words, median 1, mean 1.2, 5 in all",
        "    longer than 2: 0, with 0 words beyond it",
        "    not in the vocabulary of 4: 1 words (20.00%)",
        "  a target has 1.00 times the words of its source; 3 times off: 1 (line 3)",
        "  copies of the source: 0",
        "  repeats: 0 pairs; sources with different targets: 0",
        "valid in train: 2 sources are in both, 1 pairs",
    ]


def test_units_may_be_characters(parts):
    found = inventory_of_pairs({"valid": parts["valid"]}, units=list)
    assert found.unit == "characters"
    assert found.parts["valid"].sources.lengths.most == 13


def test_no_parts_are_refused():
    with pytest.raises(ArgumentError, match="there are no pairs to look at; give some"):
        inventory_of_pairs({})
