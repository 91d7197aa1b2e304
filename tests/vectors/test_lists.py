import json

import pytest

from throughtime.errors import DataError
from throughtime.vectors.lists import CALISKAN, own, read_associations, read_word_pairs, read_words
from throughtime.vectors.questions import read_pairs, read_questions

LISTS = {"x": ["a", "b"], "y": ["c"], "good": ["g"], "bad": ["h", "h"]}
TEST = {"targets": ["x", "y"], "attributes": ["good", "bad"]}


def written(folder, content):
    path = folder / "file"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_our_own_lists_read_and_fit_each_other():
    pairs, equal = read_word_pairs(own("definitional")), read_word_pairs(own("equalise"))
    specific, neutral = read_words(own("specific")), read_words(own("neutral"))
    assert len(pairs) >= 10
    assert {word for pair in pairs + equal for word in pair} <= set(specific)
    assert not set(specific) & set(neutral)
    for words in (specific, neutral, [w for pair in pairs for w in pair], [w for pair in equal for w in pair]):
        assert len(set(words)) == len(words)
        assert words == [word.lower().strip() for word in words]
    for association in read_associations(own("associations")):
        sets = [*association.targets.values(), *association.attributes.values()]
        assert [len(words) for words in sets] == [10] * 4
        assert len({word for words in sets for word in words}) == 40


@pytest.mark.parametrize("content", [[["a", "b"], ["c d", "e"]], "a\tb\nc d,e\n\n", ' [["a","b"],\n["c d","e"]]'])
def test_pairs_in_json_or_lines(tmp_path, content):
    assert read_word_pairs(written(tmp_path, content)) == [("a", "b"), ("c d", "e")]


@pytest.mark.parametrize("content", [["a", "b c", "a"], [["a", 0.5], ["b c", 1, None]], "a\r\nb c\n"])
def test_words_in_json_or_lines(tmp_path, content):
    assert read_words(written(tmp_path, content)) == ["a", "b c"]


@pytest.mark.parametrize(
    ("read", "content", "says"),
    [
        (read_word_pairs, [["a", "b"], ["c"]], r"item 2 of .* is \['c'\]; give two different words"),
        (read_word_pairs, [["a", "a"]], r"item 1 of .*; give two different words"),
        (read_word_pairs, [["a", 1]], r"item 1 of .*; give two different words"),
        (read_word_pairs, [3], r"item 1 of .* is 3; give two different words"),
        (read_word_pairs, "a b\nc\n", r"line 2 of .* is 'c'; give two different words"),
        (read_word_pairs, [], r"has no pairs"),
        (read_word_pairs, " \n", r"has no pairs"),
        (read_word_pairs, {"a": 1}, r"holds an object; give a list of pairs"),
        (read_word_pairs, "[" * 100_000, r"does not read as JSON"),
        (read_words, ["a", ""], r"item 2 of .* is ''; give a word"),
        (read_words, [[]], r"item 1 of .* is \[\]; give a word"),
        (read_words, [], r"has no words"),
        (read_associations, [], r"holds no object; give an object of lists"),
        (read_associations, LISTS, r"has no association tests; give an object of lists"),
        (read_associations, {**LISTS, "tests": []}, r"has no association tests"),
        (read_associations, {**LISTS, "tests": 1}, r'"tests" of .* is no list'),
        (read_associations, {**LISTS, "tests": [1]}, r"test 1 of .* needs two lists as its targets"),
        (read_associations, {**LISTS, "tests": [TEST | {"targets": ["x", "x"]}]}, r"needs two lists as its targets"),
        (read_associations, {**LISTS, "tests": [TEST, {**TEST, "attributes": ["x", "z"]}]}, r"test 2 of .* names 'z'"),
        (read_associations, {**LISTS, "tests": [TEST | {"name": 1}]}, r"the name of test 1 of .* is 1"),
        (read_associations, {**LISTS, "z": []}, r"'z' of .* is no list of words"),
        (read_associations, {**LISTS, "z": ["a", 1]}, r"'z' of .* is no list of words"),
    ],
)
def test_lists_that_are_none(tmp_path, read, content, says):
    with pytest.raises(DataError, match=says):
        read(written(tmp_path, content))


def test_tests_are_those_that_are_stated(tmp_path):
    stated = [TEST, {**TEST, "name": "again"}]
    one, two = read_associations(written(tmp_path, {**LISTS, "tests": stated}))
    assert (one.name, two.name) == ("x and y", "again")
    assert one.targets == {"x": ["a", "b"], "y": ["c"]}
    assert one.attributes == {"good": ["g"], "bad": ["h"]}


def test_usual_names_are_known(tmp_path):
    lists = {name: [name] for name in CALISKAN["career and family"] + CALISKAN["science and arts"]}
    found = read_associations(written(tmp_path, lists))
    assert [association.name for association in found] == ["career and family", "science and arts"]
    assert found[0].attributes == {"career": ["career"], "family": ["family"]}


@pytest.mark.parametrize("read", [read_words, read_word_pairs, read_associations, read_pairs, read_questions])
def test_only_utf_8_is_read(tmp_path, read):
    (tmp_path / "file").write_bytes(b"a b\nc\xff d\n")
    with pytest.raises(DataError, match=r"is not UTF-8: byte 0xff in line 2; convert it \(iconv -t utf-8\)"):
        read(tmp_path / "file")
    (tmp_path / "file").write_bytes("\ufeffé\n".encode())
    assert read_words(tmp_path / "file") == ["é"]
