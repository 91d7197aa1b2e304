"""Units of lines: there and back, their end, what is unknown, and what is learned from which side."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from throughtime.data.line_units import LineUnits, encode_lines, learn_both
from throughtime.errors import ArgumentError, DataError, RunError

LINES = [
    "the cat sat on the mat",
    "the dog ate the cat",
    'a "naïve" reader, 12 €',
    "日本語 the हिन्दी العربية",
    "  two  spaces ",
]
KINDS = ["character", "word", "subword", "byte"]


def learned(kind, lines=LINES):
    return LineUnits.learn(kind, lines, maximum_vocab=300 if kind == "subword" else None)


@pytest.fixture(scope="module")
def units():
    return {kind: learned(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", ["character", "subword", "byte"])
def test_known_lines_come_back_as_they_were(units, kind):
    for line in [
        *LINES,
        "",
        "tact",
        " the\tmat" if kind != "character" else " t",
        "".join(sorted(set("".join(LINES)))),
    ]:
        ids = units[kind].encode(line)
        assert ids.dtype == np.int32
        assert units[kind].end not in ids
        assert units[kind].decode(ids) == line
        assert units[kind].decode([*ids.tolist(), units[kind].end, *ids.tolist()]) == line


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=20))
def test_any_line_comes_back_of_bytes_and_subwords(units, line):
    for kind in ("subword", "byte"):
        assert units[kind].decode(units[kind].encode(line)) == line


def test_words_come_back_with_one_space_between(units):
    assert units["word"].decode(units["word"].encode("  the  cat\tsat ")) == "the cat sat"
    assert units["word"].decode(units["word"].encode("the emu")) == "the <unk>"
    assert units["character"].decode(units["character"].encode("the Zoo")) == "the \ufffdoo"


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_is_one_of_the_ids_and_no_line_holds_it(units, kind):
    one = units[kind]
    assert 0 <= one.end < len(one)
    assert one.end != one.unknown
    every = [i for i in range(len(one)) if i != one.end]
    assert len(one.names(every)) == len(one) - 1
    assert one.names([one.end]) == ["<eos>"]
    for written in ("<eos>", "a <eos> the", "<unk> <eos>"):
        assert one.end not in one.encode(written)
    assert one.unknown is None or one.names([one.unknown]) == ["<unk>"]
    assert one.decode([one.end]) == one.decode([]) == ""


def test_a_word_that_is_written_like_the_end_is_unknown_and_counted():
    units = LineUnits.learn("word", ["the <eos> cat", "<unk>"])
    assert units.encode("the <eos> cat").tolist()[1] == units.unknown == 0
    assert encode_lines(units, ["the <eos> cat", "emu"]).facts() == {"units": 4, "unknown": 2, "longest": 3}
    assert encode_lines(units, []).facts() == {"units": 0, "unknown": 0, "longest": 0}


@pytest.mark.parametrize("kind", KINDS)
def test_json_brings_the_same_units_back(units, kind):
    again = LineUnits.from_json(json.loads(json.dumps(units[kind].to_json())))
    assert (len(again), again.end, again.unknown, again.kind) == tuple(
        getattr(units[kind], name) if name else len(units[kind]) for name in ("", "end", "unknown", "kind")
    )
    for line in LINES:
        assert again.encode(line).tolist() == units[kind].encode(line).tolist()
    with pytest.raises(RunError, match="the vocabulary does not read as one"):
        LineUnits.from_json({"no": "units"})


def test_names_are_for_people(units):
    assert units["word"].names(units["word"].encode("the emu")) == ["the", "<unk>"]
    assert units["character"].names(units["character"].encode("a t€?")) == ["a", "␣", "t", "€", "<unk>"]
    assert units["byte"].names(units["byte"].encode("a\t€")) == ["a", "\\u0009", "0xe2", "0x82", "0xac"]
    names = units["subword"].names(units["subword"].encode("on the cat €"))
    assert "␣the" in names
    assert names[-1] == "0xac"


def test_units_of_each_side_are_learned_from_it():
    source, target = learn_both(("character", "word"), ["abc"], ["x y z"])
    assert (source.units.to_json()["characters"], target.units.to_json()["words"]) == ("abc", ["x", "y", "z"])
    one, other = learn_both(("word", "word"), ["a b"], ["b c"], shared=True)
    assert one is other
    assert sorted(one.units.to_json()["words"]) == ["a", "b", "c"]
    one, other = learn_both(("subword", "subword"), ["tata"] * 9, ["mimi"] * 9, maximum_vocab=270)
    assert len(one.encode("tata")) < len(one.encode("mimi")) == 4
    assert len(other.encode("mimi")) < len(other.encode("tata")) == 4
    both, _ = learn_both(("subword", "subword"), ["tata"] * 9, ["mimi"] * 9, shared=True, maximum_vocab=270)
    assert len(both.encode("tatamimi")) < 6
    with pytest.raises(ArgumentError, match="units that are shared are of one kind; got word and character"):
        learn_both(("word", "character"), ["a"], ["b"], shared=True)


def test_what_is_seen_too_rarely_is_unknown():
    units = LineUnits.learn("word", ["a a b"], minimum_count=2)
    assert encode_lines(units, ["a b c"]).unknown == 2
    assert len(LineUnits.learn("word", ["a a b c"], maximum_vocab=1)) == 3
    with pytest.raises(DataError, match="no words are left"):
        LineUnits.learn("word", [])


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_has_one_line(units, kind):
    with pytest.raises(
        DataError, match=r"a line ends at its line feed, and 'the\\\\u000acat' goes on after one; part it"
    ):
        units[kind].encode("the\ncat")


@pytest.mark.parametrize("kind", ["subword", "byte"])
def test_half_of_a_character_is_refused(units, kind):
    with pytest.raises(DataError, match="which is not in UTF-8"):
        units[kind].encode("a\ud800")
