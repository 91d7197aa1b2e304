import pytest

from throughtime.data.shapes import CASINGS, affixes_of, casing_of, plain_of


@pytest.mark.parametrize(
    ("word", "casing"),
    [
        ("a", "lower"),
        ("straße", "lower"),
        ("Paris", "capital"),
        ("Élan", "capital"),
        ("O'hara", "capital"),
        ("NATO", "upper"),
        ("U.S.", "upper"),
        ("A", "letter"),
        ("McKay", "mixed"),
        ("eBay", "mixed"),
        ("7", "digits"),
        ("3.14", "digits"),
        ("²", "digits"),
        ("B2B", "some digits"),
        ("", "punctuation"),
        ("?!", "punctuation"),
        ("🙂", "punctuation"),
        ("don't", "marked"),
        ("语言", "other"),
    ],
)
def test_each_word_has_one_casing(word, casing):
    assert casing_of(word) == casing
    assert casing in CASINGS


def test_no_casing_is_without_a_word():
    words = ["a", "Ab", "AB", "A", "aB", "1", "1a", ".", "a-b", "语"]
    assert [casing_of(word) for word in words] == list(CASINGS)


def test_a_plain_word_has_small_letters_and_zeros():
    assert [plain_of(word) for word in ("Ada", "MI5", "1984", "x²", "")] == ["ada", "mi0", "0000", "x0", ""]


@pytest.mark.parametrize(
    ("word", "longest", "affixes"),
    [
        ("going", 2, ("g", "go", "g", "ng")),
        ("a", 3, ("a",) * 6),
        ("", 1, ("", "")),
        ("word", 0, ()),
    ],
)
def test_affixes_are_of_rising_length_and_end_with_the_word(word, longest, affixes):
    assert affixes_of(word, longest) == affixes
