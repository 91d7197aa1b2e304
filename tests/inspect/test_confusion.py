"""Pictures of judgements: what they say, that any name can stand in them, what they refuse."""

import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from throughtime.errors import ArgumentError, MissingExtraError, StorageError
from throughtime.inspect import confusion
from throughtime.inspect.confusion import draw_confusion
from throughtime.inspect.pictures import find_fonts
from throughtime.inspect.reliability import draw_reliability
from throughtime.metrics import reliability


@pytest.fixture
def counts(monkeypatch):
    """The counts that were written, by row and column, and their colours."""
    from matplotlib.axes import Axes

    written, drawn = {}, Axes.text

    def text(self, x, y, s, **options):
        assert options["parse_math"] is False
        written[y, x] = (s, options["color"])
        return drawn(self, x, y, s, **options)

    monkeypatch.setattr(Axes, "text", text)
    return written


def labels_of(figure):
    """The texts beside the axes of a figure: below, left, above, right."""
    axes = figure.axes[0]
    return [[label.get_text() for label in ticks()] for ticks in (axes.get_xticklabels, axes.get_yticklabels)] + [
        [label.get_text() for label in ticks]
        for ticks in (axes.child_axes[0].get_xticklabels(), axes.child_axes[1].get_yticklabels())
    ]


def test_counts_names_and_rates_stand_where_they_belong(tmp_path, counts, monkeypatch):
    figures, saved = [], confusion.save_figure
    monkeypatch.setattr(confusion, "save_figure", lambda figure, path: (figures.append(figure), saved(figure, path)))
    matrix = [[30, 10, 0], [0, 12345, 0], [0, 0, 0]]
    draw_confusion(matrix, ["cat", "dog", "cow"], tmp_path / "m.png", title="three")
    assert {place: text for place, (text, _) in counts.items()} == {(0, 0): "30", (0, 1): "10", (1, 1): "12k"}
    assert counts[1, 1][1] == "white" != counts[0, 1][1]
    below, left, above, right = labels_of(figures[0])
    assert below == left == ["cat", "dog", "cow"]
    assert (above, right) == (["100", "100", "–"], ["75", "100", "–"])
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("classes", [1, 2, 7])
def test_texts_stay_in_their_cells_and_pages(tmp_path, monkeypatch, classes):
    figures = []
    monkeypatch.setattr(confusion, "save_figure", lambda figure, path: figures.append(figure))
    matrix = np.eye(classes, dtype=int) * 9999
    matrix[0] = 9999
    draw_confusion(matrix, ["W" * 99] * classes, tmp_path / "m.png", title="a long title " * 99)
    figures[0].canvas.draw()  # again, at the resolution that the places below are asked for in
    axes, page = figures[0].axes[0], figures[0].bbox
    assert figures[0]._suptitle.get_window_extent().width < page.width
    for text in axes.texts:
        box = text.get_window_extent()
        cell = axes.transData.transform([text.get_position() - np.array(0.5), text.get_position() + np.array(0.5)])
        assert cell[0][0] < box.x0 < box.x1 < cell[1][0]
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        box = label.get_window_extent()
        assert label.get_text() == "W" * 23 + "…"
        assert 0 <= box.x0 < box.x1 <= page.x1
        assert 0 <= box.y0 < box.y1 <= page.y1


def test_names_are_drawn_as_they_are_and_twice_the_same(tmp_path):
    names = ["$x", "a$\\frac$b", "\x07", "\ue123"]  # the last is a letter that no font has
    for file in ("one.svg", "other.svg"):
        draw_confusion(np.eye(4, dtype=int), names, tmp_path / file, title="$\\frac{ \x1b")
    ElementTree.parse(tmp_path / "one.svg")


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_bars_of_reliability_are_its_bins(tmp_path, monkeypatch, binning):
    from matplotlib.axes import Axes

    bars, drawn = [], Axes.bar

    def bar(self, lows, heights, *rest, **options):
        bars.append((lows, heights))
        return drawn(self, lows, heights, *rest, **options)

    monkeypatch.setattr(Axes, "bar", bar)
    chance = np.random.default_rng(0)
    confidence = chance.beta(5, 2, 200)
    table = reliability(confidence, chance.random(200) < confidence**2, bins=5, binning=binning)
    draw_reliability(table, tmp_path / "r.svg", title="$\\frac{")
    filled = [row for row in table.bins if row.items]
    assert bars[0] == ([row.low for row in filled], [row.accuracy for row in filled])
    assert bars[1][1] == pytest.approx([row.confidence - row.accuracy for row in filled])
    assert bars[2][1] == [row.items for row in filled]
    ElementTree.parse(tmp_path / "r.svg")


@pytest.mark.parametrize(
    ("matrix", "names", "file", "says"),
    [
        (np.eye(2), ["a"], "m.png", "2 classes need as many names; got 1"),
        (np.eye(101), ["a"] * 101, "m.png", "101 classes is not legible; draw 100 of them at the most"),
        (np.eye(2), ["a", "b"], "m.gif", r"a .png, .svg or .pdf file; got .*m.gif"),
        (np.ones((2, 3)), ["a", "b"], "m.png", "as many rows as columns"),
        (np.full((2, 2), np.nan), ["a", "b"], "m.png", r"matrix\[0, 0\] is nan"),
    ],
)
def test_what_cannot_be_drawn_is_named(tmp_path, matrix, names, file, says):
    with pytest.raises(ArgumentError, match=says):
        draw_confusion(matrix, names, tmp_path / file)
    assert not list(tmp_path.iterdir())


def test_nothing_has_no_diagram_and_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ArgumentError, match="there are no predictions to draw"):
        draw_reliability(reliability([], []), tmp_path / "r.png")
    with pytest.raises(StorageError, match="choose another file"):
        draw_reliability(reliability([0.5], [1]), tmp_path / "none" / "r.svg")


def test_without_matplotlib_the_extra_is_named_for_judgements(monkeypatch, tmp_path):
    find_fonts.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for draw in (
        lambda: draw_confusion(np.eye(2), ["a", "b"], tmp_path / "m.png"),
        lambda: draw_reliability(reliability([0.5], [1]), tmp_path / "r.png"),
    ):
        with pytest.raises(MissingExtraError, match=r"throughtime\[draw\]"):
            draw()
