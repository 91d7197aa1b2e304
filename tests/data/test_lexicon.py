"""Vocabularies of tagging: learned from training alone, the unknown counted, kept as JSON."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from throughtime.data import lexicon as lexicons
from throughtime.data.lexicon import LETTERS, Lexicon, View, WordTable
from throughtime.data.shapes import CASINGS
from throughtime.errors import ArgumentError, DataError, RunError

ALL = View(plain=True, casing=True, affixes=2, letters=True)
COUNTS = Counter({"The": 3, "the": 4, "cat": 3, "Rome": 1, "1990": 2, "2010": 2})


def test_words_are_counted_without_casing_and_rare_ones_are_unknown():
    lexicon = Lexicon.learn(COUNTS, ALL, minimum_count=2)
    assert lexicon.words == ["the", "0000", "cat"]
    assert [lexicon.features(word)[0] for word in ("THE", "1871", "Cat", "rome", "")] == [1, 2, 3, 0, 0]
    assert lexicon.listed == ["<unk>", "the", "0000", "cat"]
    assert len(lexicon) == lexicon.sizes.words == 4


def test_words_as_they_are_keep_their_casing_and_digits():
    lexicon = Lexicon.learn(COUNTS, View(plain=False, casing=False, affixes=0, letters=False))
    assert set(lexicon.words) == set(COUNTS)
    assert [len(lexicon.features(word)) for word in ("THE", "the")] == [1, 1]
    assert lexicon.features("THE") == [0]
    assert (lexicon.sizes.features, lexicon.sizes.letters, lexicon.spelled("the")) == ((), 0, [])


def test_affixes_and_letters_that_are_seen_thrice_have_numbers():
    lexicon = Lexicon.learn(COUNTS, ALL)
    first, two, last, _ = lexicon.affixes
    assert (first, two, last) == (["t", "0", "c"], ["th", "00", "ca"], ["e", "0", "t"])
    assert set(lexicon.letters) == set("Thecat10")  # R, o and m are seen once, 2 and 9 twice
    casing = CASINGS.index("upper")
    assert lexicon.features("CAB") == [0, casing, 3, 3, 0, 0]
    assert [lexicon.spelled("To")[1], lexicon.spelled("To")[0]] == [0, 1 + lexicon.letters.index("T")]
    assert lexicon.sizes.features == (len(CASINGS), 4, 4, 4, 4)


def test_of_a_long_word_the_letters_at_both_ends_are_seen():
    lexicon = Lexicon(ALL, ["a"], [[]] * 4, "abc")
    word = "a" * LETTERS + "b" + "c" * LETTERS
    assert lexicon.spelled(word) == [1] * (LETTERS // 2) + [3] * (LETTERS // 2)
    assert len(lexicon.spelled("a" * LETTERS)) == LETTERS
    assert [lexicon.shortens(each) for each in (word, "a" * LETTERS)] == [True, False]


def test_words_that_a_table_has_besides_are_known():
    lexicon = Lexicon.learn(COUNTS, ALL, minimum_count=3, maximum_vocab=2, more=["Dog", "cat", "THE"])
    assert lexicon.words == ["the", "0000", "dog", "cat"]


@pytest.mark.parametrize(
    ("least", "limit", "says"),
    [
        (9, 10, "no words are left: 4 seen, none of them 9 times"),
        (1, 3, "the vocabulary has 4 words, over the limit of 3: cut it with --maximum-vocab or --minimum-count"),
    ],
)
def test_a_vocabulary_that_is_empty_or_too_large_is_refused(monkeypatch, least, limit, says):
    monkeypatch.setattr(lexicons, "VOCAB_LIMIT", limit)
    with pytest.raises(DataError, match=says):
        Lexicon.learn(COUNTS, ALL, minimum_count=least)


def test_what_is_kept_as_json_comes_back():
    lexicon = Lexicon.learn(COUNTS, ALL)
    again = Lexicon.from_json(lexicon.to_json(), Path("vocabulary.json"))
    assert again.to_json() == lexicon.to_json()
    assert [again.features(word) for word in COUNTS] == [lexicon.features(word) for word in COUNTS]


@pytest.mark.parametrize(
    "change",
    [{"words": []}, {"words": ["a", "a"]}, {"words": [1]}, {"view": {}}, {"letters": None}, {"affixes": [["a", "a"]]}],
    ids=str,
)
def test_json_that_is_no_lexicon_is_refused(change):
    with pytest.raises(RunError, match=r"vocabulary.json does not hold what a run needs"):
        Lexicon.from_json(Lexicon.learn(COUNTS, ALL).to_json() | change, Path("vocabulary.json"))


def test_a_table_grows_and_has_of_each_word_what_the_lexicon_makes_of_it(monkeypatch):
    monkeypatch.setattr(lexicons, "NEW_ROWS", 2)
    lexicon = Lexicon.learn(COUNTS, ALL)
    table, words = WordTable(lexicon), ["the", "Rome", "the", "sat", "on", "mats", ""]
    first = table.rows(words)
    assert first.tolist() == [0, 1, 0, 2, 3, 4, 5]
    assert np.array_equal(table.rows(list(words)), first)
    assert len(table) == len(table.features) == len(table.letters) == 6
    for word, row in zip(words, first, strict=True):
        spelled = lexicon.spelled(word)
        assert table.features[row].tolist() == lexicon.features(word)
        assert table.letters[row, : table.counts[row]].tolist() == spelled
        assert not table.letters[row, len(spelled) :].any()
    assert table.rows([]).shape == (0,)


def test_a_sentence_is_a_list_of_words():
    table = WordTable(Lexicon(ALL, ["a"], [[]] * 4, ""))
    with pytest.raises(ArgumentError, match="a sentence is a list of words; got 'a text': split it first"):
        table.rows("a text")
    with pytest.raises((ArgumentError, TypeCheckError)):  # the latter from the checks of this test run
        table.rows([3])
    assert len(table) == 0
