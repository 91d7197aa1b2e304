"""Pictures: what they hold, what they count, that the same map is the same file."""

import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from throughtime.errors import MissingExtraError
from throughtime.inspect import pictures
from throughtime.inspect.layout import Cluster, Layout, Lean
from throughtime.inspect.pictures import Fonts, picture


def layout_of(words, clusters=2, lean=None, **changes):
    count = len(words)
    if isinstance(clusters, int):
        clusters = [Cluster(count, ["some", "central", "words"])] * clusters
    ring = np.linspace(0, 6, count)
    settings = {
        "words": list(words),
        "points": np.stack([np.cos(ring), 0.5 * np.sin(ring)], 1),
        "clusters": clusters,
        "members": np.arange(count) % len(clusters),
        "neighbours": np.zeros((count, 1), dtype=np.int64),
        "cosines": np.zeros((count, 1)),
        "lean": lean,
        "method": "tsne",
        "seed": 0,
        "explained": None,
        "vocabulary": count,
        "dimension": 9,
        "notes": [],
    }
    return Layout(**(settings | changes))


@pytest.fixture
def written(monkeypatch):
    """The texts that were drawn: on the field, labels of words; on the page around it, all else."""
    from matplotlib.axes import Axes

    texts, drawn = [], Axes.text

    def text(self, x, y, s, **options):
        assert options["parse_math"] is False
        texts.append(s)
        return drawn(self, x, y, s, **options)

    monkeypatch.setattr(Axes, "text", text)
    return texts


@pytest.mark.parametrize("colour", ["cluster", "bias"])
def test_a_png_has_its_size_and_is_the_same_twice(colour):
    lean = Lean(np.linspace(-1, 1, 30), "he", "she", 3, 0.5)
    layout = layout_of([f"word{i}" for i in range(30)], clusters=24, lean=lean, notes=["a note"])
    one, other = (picture(layout, ".png", name="table", colour=colour) for _ in range(2))
    assert one == other
    assert one.body.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(one.body[16:20]) == 1900
    assert (one.labelled, one.unwritable) == (30, 0)


def test_texts_are_drawn_as_they_are(written):
    words = ["$x", "a$\\frac$b", "\\", "<b>", "&amp;", "_", "x" * 99, "\x07"]
    layout = layout_of(words, notes=["$\\frac{"], clusters=1)
    body = picture(layout, ".svg", name="$table$ <i>").body
    ElementTree.fromstring(body)
    assert {*words[:6], "x" * 27 + "…", "\\u0007", "$table$ <i>", "$\\frac{", "some, central, words (8)"} <= {*written}
    assert body == picture(layout, ".svg", name="$table$ <i>").body


def test_words_without_a_label_are_counted_in_the_picture(written):
    crowd = layout_of([f"word{i}" for i in range(60)], points=np.linspace(-0.3, 0.3, 60)[:, None] * [1, 0.5])
    drawn = picture(crowd, ".png", name="table")
    assert 0 < drawn.labelled < 60
    missing = 60 - drawn.labelled
    assert f"{drawn.labelled} words have a label; {missing} have a dot alone, for want of room." in written
    assert sum(text.startswith("word") for text in written) == drawn.labelled


@pytest.mark.parametrize(("joined", "unwritable"), [(True, 1), (False, 2)])
def test_words_that_no_font_can_write_are_counted(monkeypatch, written, joined, unwritable):
    letters = frozenset(range(32, 127)) | frozenset(map(ord, "שלום·…−"))
    monkeypatch.setattr(pictures, "find_fonts", lambda: Fonts(["DejaVu Sans"], letters, joined))
    layout = layout_of(["plain", "漢字", "שלום"], clusters=1, vocabulary=3)
    drawn = picture(layout, ".svg", name="漢")
    assert drawn.unwritable == unwritable
    assert drawn.labelled == 3 - unwritable
    assert "\\u6f22" in written
    told = f"{unwritable} have a dot alone: 0 for want of room, {unwritable} for want of a font."
    assert f"{3 - unwritable} words have a label; {told}" in written


def test_long_texts_keep_to_their_places(written, monkeypatch):
    drawn, edges = pictures.Sheet.write, []

    def write(self, x, y, text, **options):
        edges.append(x + self.width(text) * options.get("size", pictures.FONT) / pictures.FONT)
        drawn(self, x, y, text, **options)

    monkeypatch.setattr(pictures.Sheet, "write", write)
    long = [Cluster(9999, ["W" * 99, "漢" * 99, "x"])] * 2
    layout = layout_of(["a", "b", "c"], clusters=long, notes=["W" * 9999], members=np.array([0, 1, 1]))
    picture(layout, ".png", name="W" * 9999)
    _, first, second, caption, labels, note = [0, *edges]
    assert first < pictures.EDGE + pictures.WIDTH / 4
    assert second < pictures.EDGE + pictures.WIDTH / 2
    assert max(caption, labels, note) < pictures.EDGE + pictures.WIDTH
    assert sum(text.endswith("W…") for text in written) == 2


def test_every_word_labelled_is_said(written):
    picture(layout_of(["a", "b", "c"]), ".png", name="table")
    assert "Every word has a label." in written


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    pictures.find_fonts.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"throughtime\[draw\]"):
        picture(layout_of(["a", "b", "c"]), ".png", name="table")
