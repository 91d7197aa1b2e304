"""The border between classes: where it lies, and what cannot be drawn."""

import numpy as np
import pytest

from throughtime.data.scale import Scale
from throughtime.errors import ArgumentError
from throughtime.heads.classes import Classes
from throughtime.heads.regress import Regression
from throughtime.inspect.boundary import _side, draw_boundary
from throughtime.models.feature_reader import FeatureReader
from throughtime.models.perceptron import PerceptronModel

VALUES = np.random.default_rng(0).uniform(0, 10, (60, 2))
SAME = Scale(np.zeros(2), np.ones(2))


def reader(classes=("low", "high"), names=("hours", "lectures"), scale=SAME):
    return FeatureReader(
        PerceptronModel(len(names), Classes(len(names), len(classes))), names, scale, classes=[*classes]
    )


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    """Fewer cells take less time."""
    monkeypatch.setattr("throughtime.inspect.boundary.CELLS", 40)


@pytest.mark.parametrize(("suffix", "classes"), [(".png", ("low", "$high$")), (".svg", ("_a", "b\x1b", "c", "d"))])
def test_a_picture_is_drawn_of_every_kind(tmp_path, suffix, classes):
    path, labels = tmp_path / f"b{suffix}", [classes[i % len(classes)] for i in range(len(VALUES))]
    draw_boundary(reader(classes), VALUES, labels, path, title="a $title$ \x1b")
    assert path.stat().st_size > 5000


def test_rows_in_one_place_and_of_one_class_are_drawn(tmp_path):
    draw_boundary(reader(), np.full((5, 2), 3.0), ["low"] * 5, tmp_path / "b.png")
    side = _side(np.full(5, 3.0))
    assert (len(side), side[0], side[-1]) == (40, 2.0, 4.0)


def test_many_rows_are_thinned_and_that_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("throughtime.inspect.boundary.MOST_ROWS", 7)
    said = []
    monkeypatch.setattr("throughtime.inspect.boundary.save_figure", lambda figure, path: said.append(figure))
    draw_boundary(reader(), VALUES, ["low"] * 60, tmp_path / "b.png")
    [axes] = said[0].axes
    assert axes.get_title().startswith("7 rows to learn from")
    assert "53 are not drawn" in axes.get_title()


def test_the_border_is_where_two_classes_are_equally_likely(tmp_path, monkeypatch):
    import torch

    one, said = reader(), []
    with torch.no_grad():
        one.model.head.linear.weight.copy_(torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
        one.model.head.linear.bias.copy_(torch.tensor([10.0, -10.0]))  # equally likely where x + y = 10
    monkeypatch.setattr("throughtime.inspect.boundary.save_figure", lambda figure, path: said.append(figure))
    draw_boundary(one, VALUES, ["low"] * 60, tmp_path / "b.png")
    from matplotlib.contour import QuadContourSet

    lines = [part for part in said[0].axes[0].collections if isinstance(part, QuadContourSet)]
    border = np.concatenate([path.vertices for path in lines[-1].get_paths()])
    np.testing.assert_allclose(border.sum(1), 10, atol=1e-2)


def test_what_cannot_be_drawn_is_refused(tmp_path):
    path, labels = tmp_path / "b.png", ["low"] * 60
    number = FeatureReader(PerceptronModel(2, Regression(2, 1)), ("a", "b"), SAME, target=SAME)
    three = reader(names=("a", "b", "c"), scale=Scale(np.zeros(3), np.ones(3)))
    for one, values, message in [
        (number, VALUES, "it foretells a number"),
        (three, VALUES, r"plane of two features, and there are 3 \(a, b, c\)"),
        (reader([str(i) for i in range(9)]), VALUES, "9 classes have no colour each; there are 8"),
        (reader(), VALUES[:0], "there are no rows to draw"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            draw_boundary(one, values, labels[: len(values)], path)
    with pytest.raises(ArgumentError, match="drawings go into"):
        draw_boundary(reader(), VALUES, labels, tmp_path / "b.gif")
