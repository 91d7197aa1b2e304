"""The page: its data, its safety, and that it needs nothing from outside."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from throughtime.errors import ArgumentError
from throughtime.inspect.layout import Cluster, Layout, Lean
from throughtime.inspect.maps import COLOURS, DIVERGING, caption, kind_of, lean_limit, page
from throughtime.inspect.pages import embedded

HOSTILE = [
    "</script ><b>",
    "</script><script>fail()</script>",
    "<!--",
    "]]>",
    "\u2028",
    "&lt;",
    "'\"",
    "{{ 7 * 7 }}",
    "漢字",
    "שלום",
    "\\u003c",
]


def layout_of(words, lean=None, **changes):
    count = len(words)
    ring = np.linspace(0, 6, count)
    settings = {
        "words": list(words),
        "points": np.stack([np.cos(ring), np.sin(ring)], 1),
        "clusters": [Cluster(count, list(words[:3]))],
        "members": np.zeros(count, dtype=np.int64),
        "neighbours": np.array([[(i + 1) % count, (i + 2) % count] for i in range(count)]),
        "cosines": np.full((count, 2), 0.12345),
        "lean": lean,
        "method": "pca",
        "seed": 7,
        "explained": (0.25, 0.125),
        "vocabulary": 1234,
        "dimension": 50,
        "notes": [],
    }
    return Layout(**(settings | changes))


class Parts(HTMLParser):
    """What a browser sees: elements with their attributes, texts, and the content of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.raw, self.texts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.raw.append([tag, dict(attributes), ""])

    def handle_data(self, data):
        if self.cdata_elem:
            self.raw[-1][2] += data
        else:
            self.texts.append(data)


def data_of(text):
    [content] = [body for _, attributes, body in Parts(text).raw if attributes.get("id") == "data"]
    assert not set(content) & set("<>&\u2028\u2029")  # a browser ends a script at less than this parser does
    return json.loads(content)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=3, max_size=6, unique=True))
def test_words_go_through_the_page_unchanged(words):
    text = page(layout_of(words), name="table")
    assert data_of(text)["words"] == words
    assert len([tag for tag, _ in Parts(text).elements if tag == "script"]) == 2


def test_hostile_texts_are_only_texts():
    plain = page(layout_of(["a", "b", "c"], notes=["n"]), name="table")
    text = page(layout_of(HOSTILE, notes=["</aside><script>fail()</script>"]), name="</title><script>fail()</script>")
    assert [tag for tag, _ in Parts(text).elements] == [tag for tag, _ in Parts(plain).elements]
    assert data_of(text)["words"] == HOSTILE
    assert "{{ 7 * 7 }}" in text
    assert "</title><script>fail()</script>" in "".join(Parts(text).texts)


def test_the_page_needs_nothing_from_outside_and_runs_no_script_but_ours():
    text = page(layout_of(HOSTILE), name="table")
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp|import\(|eval\(|innerHTML|document\.write", text)
    outside = [
        a for _, a in Parts(text).elements if a.keys() & {"src", "srcset", "style", "onclick", "onload", "action"}
    ]
    assert outside == []
    assert [a["href"] for _, a in Parts(text).elements if "href" in a] == ["data:,"]
    [policy] = [a["content"] for _, a in Parts(text).elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for tag, attributes, body in Parts(text).raw:
        if "type" not in attributes:
            digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_data_says_what_the_layout_says():
    lean = Lean(np.array([-0.5, 0.0, 0.25, 0.5]), "he", "she", 3, 0.5)
    data = data_of(page(layout_of(["a", "b", "c", "d"], lean), name="table", colour="bias"))
    assert data["points"][:2] == [1.0, 0.0]
    assert data["neighbours"] == [1, 2, 2, 3, 3, 0, 0, 1]
    assert data["cosines"] == [123] * 8
    assert (data["near"], data["clusters"], data["colour"]) == (2, [[4, ["a", "b", "c"]]], "bias")
    assert data["lean"] == {
        "values": [-0.5, 0, 0.25, 0.5],
        "low": "he",
        "high": "she",
        "pairs": 3,
        "limit": lean_limit(lean),
    }


def test_the_title_says_what_is_seen():
    text = page(layout_of(["a", "b", "c"], notes=["one note"]), name="my table")
    assert "<title>my table: PCA of 3 words</title>" in text
    assert "<li>one note</li>" in text
    said = "PCA of 3 of 1,234 words, 50 dimensions. Across: 25.0 % of the variance, up: 12.5 %. Seed 7."
    assert caption(layout_of(["a", "b", "c"])) == said
    assert said in text
    assert "Across" not in caption(layout_of(["a", "b", "c"], method="tsne", explained=None))


def test_names_cannot_steer_a_reader():
    assert "table\\u202egnp" in page(layout_of(["a", "b", "c"]), name="table\u202egnp")


def test_pages_and_pictures_have_the_same_colours():
    home = resources.files("throughtime.inspect")
    shared, own = (home.joinpath(name).read_text().partition("@media")[0] for name in ("page.css", "map.css"))
    assert re.findall(r"--c\d: (#\w+)", shared) == COLOURS
    assert re.findall(r"--(?:low|middle|high): (#\w+)", own) == DIVERGING


def test_values_that_json_has_not_are_never_written():
    with pytest.raises(ValueError, match="JSON"):
        embedded([float("nan")])


def test_99_of_100_words_are_within_the_colours():
    values = np.array([0.001 * i for i in range(99)] + [-0.9])
    assert lean_limit(Lean(values, "a", "b", 1, 1.0)) == pytest.approx(0.098)
    assert lean_limit(Lean(np.zeros(3), "a", "b", 1, 1.0)) > 0


@pytest.mark.parametrize("name", ["map.pdf", "map", ".html", "map.htm", "html"])
def test_other_kinds_of_files_are_refused(tmp_path, name):
    with pytest.raises(ArgumentError, match=r"maps go into a \.html, \.png or \.svg file; got"):
        kind_of(tmp_path / name)
