"""Which mistakes are the surest, how their texts come apart, and which words are marked."""

import json

import numpy as np
import pytest
import torch

from throughtime.data.units import ByteUnits, CharacterUnits, SubwordUnits, WordUnits
from throughtime.inspect.mistakes import Mistake, claim_of, legible, percent, settled, spelled
from throughtime.metrics.mistakes import Wrong


def mistake(text, weights, spaced=True, **changes):
    parts = tuple(text.split(" ")) if spaced else tuple(text)
    settings = {"parts": parts, "spaced": spaced, "residual": 0.25, "probability": 0.9, "by": "occlusion"}
    settings |= {"where": "a.csv, line 3", "answer": "good", "truth": "bad", "weights": np.array(weights, float)}
    return Mistake(**(settings | changes))


def test_a_claim_is_how_far_an_answer_is_before_the_truth():
    shares = np.array([[0.2, 0.7, 0.1]])
    logs = torch.log(torch.from_numpy(shares))
    assert float(claim_of(Wrong(0, 1, 2, False, 0.7))(logs)) == pytest.approx(np.log(0.7 / 0.1))
    assert float(claim_of(Wrong(0, 2, None, True, 0.9))(logs)) == pytest.approx(np.log(0.9 / 0.1))


TEXT = "naïve café\nzoë\u3000 ok 日本"


@pytest.mark.parametrize(
    "units", [WordUnits(["ok"]), CharacterUnits("a"), ByteUnits(), SubwordUnits.learn("naïve café ok ok ok" * 9)]
)
def test_a_text_comes_apart_at_its_units_and_is_whole_again(units):
    parts = spelled(units, TEXT)
    assert len(parts) == len(units.encode(TEXT))
    whole, weights = settled(parts, np.arange(len(parts), dtype=float))
    assert all(whole)
    assert weights.sum() == sum(range(len(parts)))
    if units.kind == "word":
        assert whole == ("naïve", "café", "\n", "zoë", "ok", "日本")
    else:
        assert "".join(whole) == TEXT
    if units.kind == "byte":
        assert whole == tuple(TEXT)
        assert weights[2] == 2 + 3  # the two bytes of ï


def test_words_are_joined_where_units_are_letters():
    one = mistake("bad film, so so", [1, 2, 3, 0, 1, 1, 1, 1, 0, 9, 5, 5, 0, 1, 2], spaced=False)
    words = [(word.text, word.weight, word.place) for word in one.words()]
    assert words == [
        ("bad", 6, 0),
        (" ", 0, 3),
        ("film,", 4, 4),
        (" ", 9, 9),
        ("so", 10, 10),
        (" ", 0, 12),
        ("so", 3, 13),
    ]
    assert [word.text for word in one.strongest(2)] == ["so", "bad"]
    letters = mistake("ACGT", [1, -4, 0.5, 3], spaced=False)
    assert [(word.text, word.place) for word in letters.strongest(9)] == [("C", 1), ("T", 3), ("A", 0)]
    assert letters.plain().endswith("\n[A +1.00][C -4.00]G[T +3.00]")


def test_strong_words_are_marked_and_weak_ones_are_not():
    one = mistake("a film so bad that", [0.1, -1, 0, 2.5, 0.3])
    head, text = one.plain().split("\n")
    assert head == "said good 90 %, truly bad (a.csv, line 3)"
    assert text == "a [film -1.00] so [bad +2.50] that"
    assert mistake("so so", [0, 0]).plain().endswith("\nso so")
    assert mistake("He saw Rome", [0, 1, 0], at=2).plain().endswith("\nHe [saw +1.00] >Rome<")
    assert mistake("one \n two", [0, 0, 1]).plain().endswith("\none ↵ [two +1.00]")


def test_of_a_long_text_what_is_around_the_marks_is_shown_and_what_is_left_out_is_to_be_seen():
    weights = np.zeros(400)
    weights[[100, 103, 300]] = 1, -2, 3
    text = mistake(" ".join(f"w{i}" for i in range(400)), weights).plain().split("\n")[1]
    assert text.startswith("…w92 ")
    assert "w102 [w103 -2.00] w104" in text
    assert text.count("…") == 3
    assert text.endswith("w308…")
    assert len(text) < 300


def test_the_times_of_a_series_that_mattered_are_named():
    weights = np.zeros((40, 2))
    weights[6:8, 1] = 3
    weights[30, 0] = -4
    one = mistake("", weights, values=np.zeros((40, 2), np.float32), channels=("x", "y"))
    assert one.plain().split("\n")[1] == "[y 6 to 7 +6.00]; [x 30 to 31 -4.00]"
    short = mistake("", [[1.0], [2.0]], values=np.zeros((2, 1), np.float32), channels=("x",))
    assert short.plain().split("\n")[1] == "[x 1 +2.00]; [x 0 +1.00]"
    assert one.facts()["channels"] == ["x", "y"]
    assert np.shape(one.facts()["weights"]) == (40, 2)


def test_all_weights_are_in_json():
    found = json.loads(json.dumps(mistake("a bad film", [0.5, 1, -2], unknown=(1,), at=0).facts()))
    assert found == {
        "where": "a.csv, line 3",
        "answer": "good",
        "truth": "bad",
        "probability": 0.9,
        "by": "occlusion",
        "residual": 0.25,
        "units": ["a", "bad", "film"],
        "unknown": [1],
        "at": 0,
        "weights": [0.5, 1, -2],
    }


def test_what_steers_a_terminal_or_turns_letters_around_is_written_out():
    assert legible("a\u202eb\x1b[0m\u2066") == "a\\u202eb\\u001b[0m\\u2066"
    assert legible("日本\u3000שלום\xa0👩\u200d👧 می\u200cروم\n") == "日本\u3000שלום\xa0👩\u200d👧 می\u200cروم\n"
    assert "\x1b" not in mistake("a\x1b b", [1, 2], answer="g\x1b", truth="\x1b").plain()


@pytest.mark.parametrize(
    ("share", "says"),
    [
        (0.5, "50 %"),
        (0.994, "99 %"),
        (0.996, "99.6 %"),
        (0.99996, "99.996 %"),
        (1 - 1e-9, "over 99.999 %"),
        (1.0, "100 %"),
    ],
)
def test_a_probability_is_never_rounded_to_certainty(share, says):
    assert percent(share) == says
