"""Fonts for scripts: who has which letters, and what is said where none has."""

import pytest

from throughtime.inspect import scripts
from throughtime.inspect.pictures import Fonts
from throughtime.inspect.scripts import TOFU, fonts_for, is_right_to_left, script_of, writable

ASCII = frozenset(range(32, 127))


@pytest.fixture
def machine(monkeypatch):
    """A machine with one font that has ASCII alone, and such others as the test says."""

    def with_fonts(*others, joined=True):
        monkeypatch.setattr(scripts, "find_fonts", lambda: Fonts(["First"], ASCII, joined))
        monkeypatch.setattr(scripts, "_others", lambda missing: iter(others))

    return with_fonts


def test_fonts_are_asked_until_every_letter_has_one(machine):
    asked = []
    machine(*(asked.append(name) or (name, set(map(ord, letters))) for name, letters in [("None", "")]))
    machine(("None", set()), ("Greek", set(map(ord, "αβ"))), ("Both", set(map(ord, "αनम"))), ("Never", {ord("न")}))
    fonts, notes = fonts_for("a α नम\n\t ")
    assert (fonts.families, notes) == (["First", "Greek", "Both"], [])
    assert writable("aनß", fonts) == f"aन{TOFU}"
    assert fonts_for("plain")[0].families == ["First"]


MISSING = [
    ("नमस्ते।", "no font here has 7 Devanagari characters", "Noto Sans Devanagari (Debian, Ubuntu: fonts-noto-core)"),
    ("漢字かな", "no font here has 4 Chinese, Japanese or Korean", "Noto Sans CJK (Debian, Ubuntu: fonts-noto-cjk)"),
    ("한", "no font here has 1 Chinese, Japanese or Korean character (한)", "fonts-noto-cjk"),
    ("😀", "no font here has 1 symbol character (😀)", "install Noto Sans Symbols"),
    ("مر", "no font here has 2 Arabic characters", "install Noto Sans Arabic"),
]


@pytest.mark.parametrize(("text", "says", "advice"), MISSING)
def test_what_no_font_has_is_told_by_its_script_with_what_to_install(machine, text, says, advice):
    machine()
    fonts, [note] = fonts_for(text)
    assert says in note
    assert advice in note
    assert set(writable(text, fonts)) == {TOFU}


def test_each_script_has_a_sentence(machine):
    machine()
    assert [note.split(" (")[0] for note in fonts_for("αन")[1]] == [
        "no font here has 1 Greek character",
        "no font here has 1 Devanagari character",
    ]


@pytest.mark.parametrize(("text", "scripts_"), [("مر", "Arabic"), ("नि", "Devanagari"), ("abc é", None)])
def test_an_older_matplotlib_is_told_of(machine, text, scripts_):
    machine(("All", set(map(ord, text))), joined=False)
    notes = fonts_for(text)[1]
    assert [("writes " + scripts_ + " letter by letter" in note, "matplotlib>=3.11" in note) for note in notes] == (
        [(True, True)] if scripts_ else []
    )
    machine(("All", set(map(ord, text))))
    assert fonts_for(text)[1] == []


def test_what_is_not_seen_needs_no_font(machine):
    machine()
    fonts, notes = fonts_for("a\u200d\u200b\u00ad b\n")
    assert (notes, writable("a\u200d\u200b\u00ad b", fonts)) == ([], "a b")


def test_the_fonts_of_this_machine_are_looked_at():
    """Every machine with matplotlib has the Greek of its own fonts."""
    assert fonts_for("αβγ שלום")[1] == []
    family = next(family for family, letters in scripts._others({0x3B1}) if 0x3B1 in letters)
    assert "Last Resort" not in family


def test_directions_and_names():
    assert [is_right_to_left(text) for text in ("", "12.", "abc", "שלום", "(1) مر", "a مر")] == [
        False, False, False, True, True, False,
    ]  # fmt: skip
    known = ["Latin", "Greek", "Chinese, Japanese or Korean", "symbol", "symbol"]
    assert [script_of(letter) for letter in "aαカ।\u0301"] == known
