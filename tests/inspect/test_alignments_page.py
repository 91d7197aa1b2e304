"""The page of alignments: its data, its safety, how units stand in their lines."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from throughtime.data.alignments import Alignment
from throughtime.inspect import alignments_page
from throughtime.inspect.alignments_page import Heading, Pair, Pairs, page, units

END = "<eos>"
HOSTILE = [
    "</script><script>fail()</script>",
    "<img/src=x/onerror=fail()>",
    "</style>",
    "{{7*7}}",
    "<!--",
    "\u202e\x1b[31m",
    "&lt;",
    "\"' onfocus=fail()",
]


def alignment(source, target, heads=2):
    weights = np.random.default_rng(0).dirichlet(np.ones(max(1, len(source))), (heads, len(target) + 1))
    return Alignment(tuple(source), (*target, END), weights[:, :, : len(source)].astype(np.float32))


def pairs_of(*found, told=""):
    pairs = Pairs()
    for number, one in enumerate(found, 1):
        pairs.add(Pair(one, f"line {number}", told))
    return pairs


WORDS = Heading("run", "word", "word")


class Parts(HTMLParser):
    """What a browser sees: elements with their attributes, the lines of units, the content of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.raw, self.lines, self.texts = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.raw.append([tag, dict(attributes), ""])
        if "data-side" in dict(attributes):
            self.lines.append("")

    def handle_endtag(self, tag):
        if tag == "p" and self.lines and self.lines[-1] is not None:
            self.texts.append(self.lines[-1])
            self.lines.append(None)

    def handle_data(self, data):
        if self.cdata_elem:
            self.raw[-1][2] += data
            return
        self.texts.append(data)
        if self.lines and self.lines[-1] is not None:
            self.lines[-1] += data


def data_of(text):
    [content] = [body for _, attributes, body in Parts(text).raw if attributes.get("id") == "data"]
    assert not set(content) & set("<>&\u2028\u2029")
    return json.loads(content)


def test_weights_go_through_the_page():
    found = [alignment("abc", "xy", 3), alignment("", "x", 3), alignment("a", "", 1)]
    packed = data_of(page(pairs_of(*found), WORDS))
    assert [row[:3] for row in packed] == [[3, 3, 3], [3, 2, 0], [1, 1, 1]]
    for one, (*shape, body) in zip(found, packed, strict=True):
        levels = np.frombuffer(base64.b64decode(body), np.uint8).reshape(shape)
        np.testing.assert_allclose(levels / 255, one.weights, atol=0.5 / 255 + 1e-6)


LINES = [
    ("word", ("a", "b", ","), "a b ,"),
    ("character", ("a", " ", "b"), "a b"),
    ("character", ("a", "␣", "b"), "a b"),
    ("subword", ("␣un", "told", "␣joy", "."), "untold joy."),
    ("subword", ("un", "␣", "told"), "un ·told"),
    ("word", ("\x1b",), "\\u001b"),
    ("word", (), ""),
]


@pytest.mark.parametrize(("kind", "names", "line"), LINES)
def test_units_stand_as_in_their_line_and_each_is_there(kind, names, line):
    assert "".join(gap + text for gap, text in units(names, kind)) == line
    assert len(units(names, kind)) == len(names)
    text = page(pairs_of(alignment(names, names)), Heading("run", kind, kind))
    lines = [found for found in Parts(text).lines if found is not None]
    assert lines == [line, f"{line} end"]
    assert text.count("<span>") == 2 * len(names) + 3  # the buttons of mean and two heads
    ended = page(pairs_of(alignment((*names, END), names)), Heading("run", kind, kind))
    assert [found for found in Parts(ended).lines if found is not None] == [f"{line} end", f"{line} end"]
    assert data_of(ended)[0][1:3] == [len(names) + 1] * 2


def test_pieces_of_characters_are_put_together():
    text = page(pairs_of(alignment(["0xe0a4", "0xa8", "␣a"], ["x"])), Heading("run", "subword", "word"))
    assert [found for found in Parts(text).lines if found is not None] == ["न a", "x end"]
    assert data_of(text)[0][:3] == [2, 2, 2]


def test_hostile_texts_are_only_texts():
    plain = page(pairs_of(alignment(["w"] * 8, ["w"] * 8), told="t"), Heading("r", "word", "word", ("n",)))
    pairs = Pairs()
    pairs.add(Pair(alignment(HOSTILE, HOSTILE), HOSTILE[0], HOSTILE[1]))
    text = page(pairs, Heading(HOSTILE[0], "word", "word", (HOSTILE[1],)))
    assert [(tag, sorted(attributes)) for tag, attributes in Parts(text).elements] == [
        (tag, sorted(attributes)) for tag, attributes in Parts(plain).elements
    ]
    assert not set(text) & {"\x1b", "\u202e"}
    assert "{{7*7}}" in text
    assert "</script><script>fail()</script>" in "".join(Parts(text).texts)


def test_the_page_needs_nothing_from_outside_and_runs_no_script_but_ours():
    text = page(pairs_of(alignment(HOSTILE, HOSTILE)), WORDS)
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp|import\(|eval\(|innerHTML|document\.write", text)
    keys = {"src", "srcset", "style", "onclick", "onload", "action"}
    assert not [attributes for _, attributes in Parts(text).elements if attributes.keys() & keys]
    assert [a["href"] for _, a in Parts(text).elements if "href" in a] == ["data:,"]
    [policy] = [a["content"] for _, a in Parts(text).elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for tag, attributes, body in Parts(text).raw:
        if "type" not in attributes:
            digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy


def test_lines_run_as_their_script_does_and_heads_can_be_chosen():
    text = page(pairs_of(alignment(["שלום"], ["a"], 3)), WORDS)
    elements = Parts(text).elements
    assert [a["dir"] for _, a in elements if "data-side" in a] == ["auto", "auto"]
    assert [a["value"] for _, a in elements if a.get("name") == "head"] == ["mean", "1", "2", "3"]
    alone = Parts(page(pairs_of(alignment("a", "b", 1)), WORDS)).elements
    assert not [a for _, a in alone if a.get("name") == "head"]


def test_what_there_is_no_room_for_is_counted(monkeypatch):
    monkeypatch.setattr(alignments_page, "MOST_WEIGHTS", 12)
    pairs = pairs_of(*[alignment("ab", "x", 1)] * 5)  # of 4 weights each
    pairs.add(Pair(alignment("a", "", 1), "line 6"))
    assert (len(pairs.shown), pairs.left_out) == (3, 3)
    assert "3 more pairs are not on this page" in page(pairs, WORDS)
    assert "more pairs" not in page(pairs_of(alignment("a", "b")), WORDS)
    monkeypatch.setattr(alignments_page, "MOST_PAIRS", 1)
    assert pairs_of(alignment("a", "", 1), alignment("a", "", 1)).left_out == 1


def test_a_page_without_pairs_is_one():
    text = page(Pairs(), Heading("run", "word", "character", ("a note",)))
    assert data_of(text) == []
    assert "0 pairs of lines, cut into word and character units" in text
    assert "a note" in text
