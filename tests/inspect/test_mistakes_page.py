"""The page of mistakes: what is on it, how it is shaded, and that what comes from files is text and nothing else."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest

from throughtime.inspect.mistakes import Mistake
from throughtime.inspect.mistakes_page import COLUMNS, CURVES, SHADES, Heading, curves, gathered, page, shade

HOSTILE = "</style><script>fail()</script> <img/src=x/onerror=fail()> &lt; {{7*7}} \u202e \x1b[31m שלום 漢字 \"' ]]>"


def mistake(text, weights, **changes):
    settings = {"parts": tuple(text.split(" ")), "residual": 0.25, "probability": 0.9, "by": "occlusion"}
    settings |= {"where": "a.csv, line 3", "answer": "good", "truth": "bad", "weights": np.array(weights, float)}
    return Mistake(**(settings | changes))


def series(steps, channels, weights=None):
    names = tuple(f"c{i}" for i in range(channels))
    values = np.arange(steps * channels, dtype=np.float32).reshape(steps, channels)
    weights = np.random.default_rng(0).normal(size=(steps, channels)) if weights is None else weights
    return mistake("", weights, parts=(), values=values, channels=names)


HEADING = Heading("run", 40, 3, "texts")


class Parts(HTMLParser):
    """What a browser sees."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.shaded, self.style, self.open = [], [], [], "", None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.open = dict(attributes).get("class") if tag == "span" else None

    def handle_data(self, data):
        if self.cdata_elem == "style":
            self.style += data
            return
        self.texts.append(data)
        if self.open is not None:
            self.shaded.append((data, self.open))
            self.open = None


def test_words_are_shaded_by_what_they_did():
    one = mistake("a bad film", [0.01, -1, 2], unknown=(2,), at=1)
    parts = Parts(page([one], HEADING))
    assert ("bad", "a4 at") in parts.shaded
    assert ("film", "f8 unknown") in parts.shaded
    assert [a["title"] for _, a in parts.elements if "title" in a] == [
        "+0.010",
        "-1.000",
        "+2.000, not in the vocabulary",
    ]
    text = "".join(parts.texts)
    for said in (
        "a bad film",
        "40 texts, 3 of them wrong (7.5 %)",
        "90 %",
        "good",
        "a.csv, line 3",
        "by occlusion; +0.25",
    ):
        assert said in text
    assert re.search(r"film\s+\+2\.00", text)


def test_lines_and_boxes_are_explained_where_there_are_some():
    text = page([mistake("a b", [1, 2], unknown=(1,), at=0)], HEADING)
    assert "Dotted words are not in the vocabulary. A box is around the word whose answer is wrong." in text
    assert "Dotted" not in page([mistake("a b", [1, 2])], HEADING)


def test_letters_stand_side_by_side_and_lines_end_where_they_end():
    letters = mistake("", [1, 2, 3], parts=("A", "\u0633", "T"), spaced=False)
    assert "A\u0633T" in "".join(Parts(page([letters], HEADING)).texts)
    assert "at 3" in "".join(Parts(page([letters], HEADING)).texts)
    text = page([mistake("one \n two", [1, 2, 3])], HEADING)
    assert "".join(Parts(text).texts).count("one↵two") == 1
    assert text.count("<br>") == 1


def test_hostile_texts_are_only_texts():
    plain = Parts(page([mistake("x " * 9 + "x", [1.0] * 10)], Heading("r", 1, 1, "texts", ("n",))))
    words = HOSTILE.split(" ")
    assert len(words) == 10
    hostile = Heading(HOSTILE, 1, 1, "texts", (HOSTILE,))
    text = page([mistake(HOSTILE, [1.0] * 10, answer=HOSTILE, truth=HOSTILE, where=HOSTILE)], hostile)
    assert [tag for tag, _ in Parts(text).elements] == [tag for tag, _ in plain.elements]
    assert not set(text) & {"\x1b", "\u202e"}
    assert "{{7*7}}" in text
    assert "<script>fail()</script>" in "".join(Parts(text).texts)


def test_the_page_needs_nothing_from_outside_and_runs_no_script():
    text = page([mistake(HOSTILE, [1.0] * 10), series(30, 2)], HEADING)
    parts = Parts(text)
    assert not re.search(r"https?:|url\(|@import", text)
    assert not [a for _, a in parts.elements if a.keys() & {"src", "srcset", "style", "onclick", "onload", "action"}]
    assert "script" not in [tag for tag, _ in parts.elements]
    assert [a["href"] for _, a in parts.elements if "href" in a] == ["data:,"]
    [policy] = [a["content"] for _, a in parts.elements if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(parts.style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")


def test_each_shade_has_its_colour():
    style = resources.files("throughtime.inspect").joinpath("mistakes.css").read_text("utf-8")
    for side in "fa":
        for number in range(1, SHADES + 1):
            assert len(re.findall(rf"^\.{side}{number} {{", style, re.MULTILINE)) == 1
    assert shade(1, 1) == f"f{SHADES}"
    assert [shade(w, 4.0) for w in (0.2, 0.3, -0.3, -4.0, 0.0)] == ["", "f1", "a1", "a8", ""]
    assert shade(0.0, 0.0) == ""
    assert "prefers-color-scheme: dark" in style


def test_a_series_is_a_curve_for_each_channel_that_mattered():
    weights = np.zeros((10, CURVES + 3))
    weights[4, 5], weights[8, 2] = 3.0, -1.5
    found = curves(series(10, CURVES + 3, weights))
    assert len(found) == CURVES
    drawn = {curve["name"]: curve for curve in found}
    assert [(c["x"], c["width"], c["shade"]) for c in drawn["c5"]["columns"]] == [("288.0", "72.0", "f8")]
    assert [(c["x"], c["shade"]) for c in drawn["c2"]["columns"]] == [("576.0", "a4")]
    assert drawn["c5"]["line"].split()[0] == "36.0,40.0"
    assert drawn["c5"]["line"].split()[-1] == "684.0,4.0"
    text = page([series(10, CURVES + 3, weights)], HEADING)
    assert "3 more channels, which mattered less" in text
    assert text.count("<polyline") == CURVES


@pytest.mark.parametrize("steps", [1, 2, COLUMNS, COLUMNS + 1, 5000])
def test_times_are_gathered_and_none_is_lost(steps):
    weights = np.random.default_rng(1).normal(size=(steps, 2))
    sums, edges = gathered(weights)
    assert len(sums) == min(steps, COLUMNS) == len(edges) - 1
    np.testing.assert_allclose(sums.sum(0), weights.sum(0))
    assert (edges[0], edges[-1]) == (0, steps)
    line = curves(series(steps, 1))[0]["line"].split()
    assert len(line) <= min(max(steps, 4), 4 * COLUMNS)
    xs = [float(point.split(",")[0]) for point in line]
    assert xs == sorted(xs)
    assert all(0 <= x <= 720 for x in xs)


def test_a_curve_that_does_not_move_is_a_line():
    flat = mistake("", np.ones((3, 1)), parts=(), values=np.ones((3, 1), np.float32), channels=("c",))
    assert curves(flat)[0]["line"] == "120.0,40.0 360.0,40.0 600.0,40.0"


def test_without_mistakes_that_is_said():
    assert "every answer is true" in page([], Heading("run", 40, 0, "texts"))
    assert "0 texts, 0 of them wrong." in page([], Heading("run", 0, 0, "texts"))
