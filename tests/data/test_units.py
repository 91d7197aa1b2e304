import json
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.data import units as units_module
from throughtime.data.units import (
    END,
    UNKNOWN,
    ByteUnits,
    CharacterUnits,
    SubwordUnits,
    Units,
    WordUnits,
    learn_units,
    units_from_json,
)
from throughtime.errors import ArgumentError, DataError, MissingExtraError, RunError

KINDS = ["character", "word", "subword", "byte"]
LEARNED = "the cat sat on the mat;\nthe dog didn't. Één 🙂\r\n\tthe end\n" * 3
UNITS: dict[str, Units] = {
    "character": learn_units("character", LEARNED),
    "word": learn_units("word", LEARNED),
    "subword": learn_units("subword", LEARNED, maximum_vocab=280),
    "byte": learn_units("byte", LEARNED),
}
ANY_TEXT = st.text() | st.text("\n\r \x1c\u2028\ufffd<eos>unk🙂é", max_size=12) | st.just(END + UNKNOWN)


def decoded(units: Units, ids: Any) -> str:
    return "".join(units.pieces([int(i) for i in ids]))


@given(st.text(alphabet=sorted(set(LEARNED)), max_size=30))
def test_known_characters_come_back(text):
    units = UNITS["character"]
    assert decoded(units, units.encode(text)) == text
    assert (units.encode(text) > 0).all()


@pytest.mark.parametrize("kind", ["subword", "byte"])
@given(text=ANY_TEXT)
def test_any_text_at_all_comes_back_from_subwords_and_bytes(kind, text):
    units = UNITS[kind]
    ids = units.encode(text)
    assert decoded(units, ids.tolist()) == text
    assert ids.dtype == np.int32
    assert ((ids >= 0) & (ids < len(units))).all()
    if kind == "subword":
        assert units.end not in ids, "the end of a text cannot be written in it"


@given(st.lists(st.lists(st.sampled_from(sorted(set(LEARNED.split()))), max_size=5), min_size=1, max_size=4))
def test_words_come_back_up_to_white_space(lines):
    units = UNITS["word"]
    text = "\n".join(" \t ".join(line) for line in lines)
    assert decoded(units, units.encode(text)) == "\n".join(" ".join(line) for line in lines)


@given(ANY_TEXT)
def test_characters_that_are_lacking_are_unknown_each_by_itself(text):
    units = UNITS["character"]
    ids = units.encode(text)
    assert len(ids) == len(text)
    assert [i == units.unknown for i in ids] == [c not in LEARNED for c in text]
    assert decoded(units, ids) == "".join(c if c in LEARNED else "\ufffd" for c in text)


@given(ANY_TEXT)
def test_words_that_are_lacking_are_unknown_each_by_itself(text):
    units = UNITS["word"]
    read = [word for line in text.split("\n") for word in [*line.split(), END]][:-1]
    ids = units.encode(text).tolist()
    assert [i == units.unknown for i in ids] == [word not in LEARNED.split() and word != END for word in read]
    assert [i == units.end for i in ids] == [word == END for word in read]


@pytest.mark.parametrize("kind", KINDS)
@given(text=ANY_TEXT)
def test_pieces_come_as_soon_as_their_ids(kind, text):
    units = UNITS[kind]
    taken: list[int] = []

    def ids() -> Any:
        for i in units.encode(text).tolist():
            taken.append(i)
            yield i

    come = ""
    for piece in units.pieces(ids()):
        come += piece
        whole = decoded(units, taken)
        assert whole.startswith(come)
        assert len(whole) - len(come) <= 1  # bytes that do not make a character yet
    assert come == decoded(units, units.encode(text).tolist())


@pytest.mark.parametrize("kind", KINDS)
@given(text=ANY_TEXT)
def test_what_was_saved_and_loaded_cuts_as_before(kind, text):
    units = UNITS[kind]
    again = units_from_json(json.loads(json.dumps(units.to_json())))
    assert type(again) is type(units)
    assert (len(again), again.start, again.end, again.unknown) == (len(units), units.start, units.end, units.unknown)
    assert np.array_equal(again.encode(text), units.encode(text))
    assert decoded(again, again.encode(text)) == decoded(units, units.encode(text))


@pytest.mark.parametrize("kind", KINDS)
def test_every_id_has_a_text_and_learning_again_gives_the_same(kind):
    units = UNITS[kind]
    assert isinstance(units, Units)
    assert units.kind == kind
    assert 0 <= units.start < len(units)
    assert all(isinstance(decoded(units, [i]), str) for i in range(len(units)))
    again = learn_units(kind, LEARNED, maximum_vocab=280)
    assert again.to_json() == units.to_json()


def test_the_vocabularies_are_in_their_orders():
    assert UNITS["character"].characters == "".join(sorted(set(LEARNED)))
    assert WordUnits.learn("b a a c b a c").words == [UNKNOWN, END, "a", "b", "c"]
    assert CharacterUnits.learn("a\nb").start == 1
    assert CharacterUnits.learn("ab").start == 0


def test_words_that_have_a_meaning_here_are_not_learned():
    units = WordUnits.learn(f"a {UNKNOWN} {END} b")
    assert units.words == [UNKNOWN, END, "a", "b"]
    assert units.encode(f"a {UNKNOWN}{END} {UNKNOWN} {END}").tolist() == [2, 0, 0, 1]


@pytest.mark.parametrize(
    ("kind", "options", "kept"),
    [
        ("character", {"minimum_count": 2}, ["a", "b"]),
        ("character", {"maximum_vocab": 1}, ["a"]),
        ("word", {"minimum_count": 2}, ["a", "b"]),
        ("word", {"maximum_vocab": 1}, ["a"]),
    ],
)
def test_a_vocabulary_is_cut_to_what_is_most_frequent(kind, options, kept):
    text = "aaabbc" if kind == "character" else "a a a b b c"
    units = learn_units(kind, text, **options)
    names = units.to_json()["characters" if kind == "character" else "words"]
    assert list(names) == kept


def test_subwords_grow_to_the_size_that_was_asked_for():
    assert len(UNITS["subword"]) == 280
    merged = UNITS["subword"].encode("the cat")
    assert len(merged) < len("the cat")


REFUSED = {
    "no characters": (lambda: learn_units("character", ""), DataError, "no characters are left: 0 seen"),
    "no words": (lambda: learn_units("word", " \n"), DataError, "no words are left: 0 seen"),
    "rare words": (
        lambda: learn_units("word", "a b", minimum_count=2),
        DataError,
        "no words are left: 2 seen, none of them 2 times; give more text, or a lower --minimum-count",
    ),
    "few subwords": (
        lambda: learn_units("subword", "abc", maximum_vocab=256),
        ArgumentError,
        r"maximum_vocab must be at least 257 for subwords \(256 bytes and <eos>\); got 256",
    ),
    "half a pair in bytes": (lambda: ByteUnits().encode("ab\ud800"), DataError, r"has '\\ud800' at character 3"),
    "half a pair in subwords": (
        lambda: UNITS["subword"].encode("ab\udc80"),
        DataError,
        r"has '\\udc80' at character 3",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_what_came(case):
    act, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message):
        act()


def test_a_vocabulary_over_the_limit_is_refused_unless_it_is_cut(monkeypatch):
    monkeypatch.setattr(units_module, "VOCAB_LIMIT", 3)
    with pytest.raises(DataError, match="has 4 words, over the limit of 3: cut it with --maximum-vocab"):
        learn_units("word", "a b c d")
    assert len(learn_units("word", "a b c d", maximum_vocab=4)) == 6


def test_subwords_without_their_library_say_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'throughtime\[subword\]'"):
        learn_units("subword", "abc")
    with pytest.raises(MissingExtraError, match="tokenizers"):
        units_from_json(UNITS["subword"].to_json())


def other_tokenizer(**changes: Any) -> str:
    content = json.loads(UNITS["subword"].to_json()["tokenizer"])
    return json.dumps(content | changes)


HOSTILE: list[Any] = [
    None,
    3,
    [],
    "character",
    {},
    {"kind": None},
    {"kind": "sentence"},
    {"kind": ["character"], "characters": "abc"},
    {"kind": "character"},
    {"kind": "character", "characters": None},
    {"kind": "character", "characters": 5},
    {"kind": "character", "characters": ""},
    {"kind": "character", "characters": "abca"},
    {"kind": "character", "characters": ["a", "b"]},
    {"kind": "word"},
    {"kind": "word", "words": None},
    {"kind": "word", "words": "abc"},
    {"kind": "word", "words": []},
    {"kind": "word", "words": ["a", 1]},
    {"kind": "word", "words": ["a", ["b"]]},
    {"kind": "word", "words": ["a", "a"]},
    {"kind": "word", "words": ["a", END]},
    {"kind": "word", "words": {"a": 1}},
    {"kind": "subword"},
    {"kind": "subword", "tokenizer": None},
    {"kind": "subword", "tokenizer": "nonsense"},
    {"kind": "subword", "tokenizer": "{}"},
    {"kind": "subword", "tokenizer": UNITS["subword"].to_json()["tokenizer"][:-20]},
    {
        "kind": "subword",
        "tokenizer": other_tokenizer(added_tokens=[], model={"type": "BPE", "vocab": {}, "merges": []}),
    },
    {
        "kind": "subword",
        "tokenizer": other_tokenizer(model={"type": "BPE", "vocab": {END: 0, "not bytes": 1}, "merges": []}),
    },
]


@pytest.mark.parametrize("content", HOSTILE, ids=lambda content: str(content)[:50])
def test_a_vocabulary_that_is_none_is_refused(content):
    with pytest.raises(RunError, match=r"^the vocabulary"):
        units_from_json(content)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(KINDS),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["kind", "characters", "words", "tokenizer"]), inner)
        ),
        max_leaves=6,
    )
)
def test_any_json_is_a_vocabulary_or_refused(content):
    try:
        units = units_from_json(content)
    except RunError:
        return
    assert units.to_json() == {name: content[name] for name in units.to_json()}


def test_the_letters_of_bytes_are_the_librarys():
    from tokenizers.pre_tokenizers import ByteLevel

    assert sorted(units_module._BYTE_OF) == sorted(ByteLevel.alphabet())
    assert isinstance(UNITS["subword"], SubwordUnits)
