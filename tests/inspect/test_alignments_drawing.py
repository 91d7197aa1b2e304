"""Drawings of alignments: what is written where, what is refused; no picture is compared with another one."""

import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from throughtime.data.alignments import Alignment
from throughtime.errors import ArgumentError, MissingExtraError, StorageError
from throughtime.inspect import alignments as drawing
from throughtime.inspect import scripts
from throughtime.inspect.alignments import MOST_HEADS, MOST_UNITS, draw_alignment
from throughtime.inspect.pictures import Fonts

END = "<eos>"


def alignment(source, target, heads=1, weights=None):
    shape = (heads, len(target) + 1, len(source))
    weights = np.random.default_rng(0).dirichlet(np.ones(shape[2]), shape[:2]) if weights is None else weights
    return Alignment(tuple(source), (*target, END), np.asarray(weights, np.float32).reshape(shape))


@pytest.fixture
def figures(monkeypatch):
    """The figures, instead of files."""
    drawn = []
    monkeypatch.setattr(drawing, "save_figure", lambda figure, path: drawn.append(figure))
    return drawn


def labels(axes, which):
    return [label.get_text() for label in getattr(axes, f"get_{which}ticklabels")()]


def test_each_head_is_a_matrix_with_the_units_around_it(figures, tmp_path):
    found = alignment(["$a$", "b", "<i>", " "], ["x", "\x1b[2J", "z" * 99], heads=3)
    assert draw_alignment(found, tmp_path / "a.png", title="$t$ \\frac") == []
    *panels, bar = figures[0].axes
    assert len(panels) == 3
    for place, axes in enumerate(panels):
        np.testing.assert_array_equal(axes.images[0].get_array(), found.weights[place])
        assert labels(axes, "x") == ["$a$", "b", "<i>", "\u2423"]
        assert axes.get_xlabel() == f"head {place + 1}"
        assert axes.images[0].get_clim() == panels[0].images[0].get_clim()
        assert not axes.xaxis_inverted()
    assert labels(panels[0], "y") == ["x", "\\u001b[2J", "z" * 23 + "…", END]
    assert labels(panels[1], "y") == [""] * 4
    assert bar.get_ylabel() == "weight"
    assert figures[0].get_suptitle() == "$t$ \\frac"


def test_pieces_of_characters_are_put_together(figures, tmp_path):
    draw_alignment(alignment(["0xc3", "0xa9", "b"], ["x"]), tmp_path / "a.png")
    assert labels(figures[0].axes[0], "x") == ["é", "b"]


@pytest.mark.parametrize(
    ("most", "top"), [(0.03, 0.05), (0.1, 0.1), (0.11, 0.2), (0.4, 0.5), (0.51, 1.0), (1.0, 1.0), (2.5, 2.5)]
)
def test_colours_end_at_a_round_number(figures, tmp_path, most, top):
    draw_alignment(alignment("ab", "x", weights=[[0, most], [0, 0]]), tmp_path / "a.svg")
    assert figures[0].axes[0].images[0].get_clim() == pytest.approx((0, top))


def test_what_runs_from_right_to_left_stands_so(figures, tmp_path):
    draw_alignment(alignment(["שלום", "עולם"], ["hello", "world"]), tmp_path / "a.png")
    draw_alignment(alignment(["hello", "world"], ["שלום", "עולם"]), tmp_path / "a.png")
    assert [figure.axes[0].xaxis_inverted() for figure in figures] == [True, False]
    assert labels(figures[0].axes[0], "x") == ["שלום", "עולם"]


@pytest.mark.parametrize(("source", "target", "heads"), [(1, 1, 1), (9, 3, 4), (50, 2, 2), (2, 60, 1)])
def test_all_there_is_has_room(figures, tmp_path, source, target, heads):
    draw_alignment(alignment(["wort"] * source, ["word"] * target, heads), tmp_path / "a.png")
    wide, high = figures[0].get_size_inches()
    assert 3 <= wide < 40
    assert 2 <= high < 60
    panels = [axes for axes in figures[0].axes if axes.images]
    assert len(panels) == heads
    assert len({axes.get_subplotspec().rowspan.start for axes in panels}) <= 4


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG\r\n\x1a\n"), ("svg", b"<?xml"), ("pdf", b"%PDF-")])
def test_files_hold_what_their_names_say(tmp_path, kind, begins):
    path = tmp_path / f"a.{kind}"
    assert draw_alignment(alignment(["a", "مر", "<&>"], ["x"], 2), path, title="]]>") == []
    assert path.read_bytes().startswith(begins)
    if kind == "svg":
        ElementTree.parse(path)


def test_letters_that_no_font_has_are_boxes_and_told_of_once(figures, tmp_path, monkeypatch):
    monkeypatch.setattr(scripts, "find_fonts", lambda: Fonts(["DejaVu Sans"], frozenset(range(32, 127)), True))
    monkeypatch.setattr(scripts, "_others", lambda missing: iter(()))
    [note] = draw_alignment(alignment(["漢字", "a"], ["漢", "b"], 2), tmp_path / "a.png")
    assert "2 Chinese, Japanese or Korean characters" in note
    assert labels(figures[0].axes[0], "x") == ["▯▯", "a"]
    assert labels(figures[0].axes[0], "y")[0] == "▯"


BAD = [
    (alignment("a", "x"), "a.gif", r"drawings go into a \.png, \.svg or \.pdf file; got .*a\.gif"),
    (alignment("a", "x", 0, np.zeros((0, 2, 1))), "a.png", "there is no attention to draw: .* --attention additive"),
    (alignment("", "x", 1, np.zeros((1, 2, 0))), "a.png", "an empty source has nothing to look at"),
    (alignment("a" * (MOST_UNITS + 1), "x"), "a.png", "at most 400 units of a side; got 401 of the source and 2 of"),
    (alignment("a", "x" * MOST_UNITS), "a.png", "got 1 of the source and 401 of the target: choose a shorter line"),
    (alignment("a", "x", MOST_HEADS + 1), "a.png", "at most 16 heads; got 17"),
]


@pytest.mark.parametrize(("found", "name", "says"), BAD)
def test_what_no_picture_can_show_is_refused(tmp_path, found, name, says):
    with pytest.raises(ArgumentError, match=says):
        draw_alignment(found, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(StorageError, match=r"cannot write .*none/a\.png: No such file or directory; choose another"):
        draw_alignment(alignment("a", "x"), tmp_path / "none" / "a.png")


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"throughtime\[draw\]"):
        draw_alignment(alignment("a", "x"), tmp_path / "a.png")
