"""Beam trees drawn: every box where it belongs, nothing left out uncounted, files that open."""

import re

import pytest

from throughtime.errors import ArgumentError
from throughtime.inspect import scripts
from throughtime.inspect.beam_chart import BESIDE, PRUNED, ROWS, STEPS, Place, chart_of, verdict
from throughtime.inspect.beam_tree import draw_beam_tree
from throughtime.inspect.pictures import Fonts
from throughtime.models.beam_tree import BeamTree, Branch, Scored

NAMES = {0: "<eos>", 1: "ein", 2: "der", 3: "Hund", 4: "犬", 5: "$x_1$", 6: "\u200b\x07"}


def scored(kind, step, log_probability, **rest):
    return kind(log_probability=log_probability, score=log_probability / (step + 1), coverage=0.0, **rest)


def branch(time, parent, token, log_probability, kept=True, ended=False):
    rest = {"time": time, "parent": parent, "token": token, "kept": kept, "ended": ended}
    return scored(Branch, time, log_probability, **rest)


def tree_of(fell=1, how="pruned", **changes):
    """A beam of two over three steps, and a reference that falls off at the second."""
    branches = (
        branch(0, -1, 1, -0.5),
        branch(0, -1, 2, -1.0),
        branch(0, -1, 5, -3.0, kept=False),
        branch(1, 0, 3, -0.7),
        branch(1, 0, 4, -1.2),
        branch(1, 1, 4, -1.5, kept=False),
        branch(1, 1, 3, -1.4, kept=False),
        branch(2, 3, 0, -0.8, ended=True),
        branch(2, 4, 0, -1.3, ended=True),
        branch(2, 4, 2, -1.25, kept=False),
    )
    said = [(2, -1.0, 1), (3, -1.4, 6), (0, -1.45, -1)]
    reference = tuple(
        scored(Scored, time, log, token=token, branch=place) for time, (token, log, place) in enumerate(said)
    )
    settings = {"width": 2, "alpha": 1.0, "branches": branches, "best": (0, 3, 7), "reference": reference}
    texts = ("a dog", "ein Hund", "der Hund")
    return BeamTree(**{**settings, "fell": fell, "how": how, "names": NAMES, "texts": texts, **changes})


def long_tree(steps, width, fell):
    """One that goes straight on, `width` wide, whose reference is the second row until it falls."""
    branches, rows = [], [-1] * width
    for time in range(steps):
        start = len(branches)
        last = time == steps - 1
        for row, parent in enumerate(rows if time else [-1] * width):
            token = 0 if last else 1 + row % 5
            branches.append(branch(time, parent, token, -time - row / 100, ended=last))
        branches += [branch(time, rows[0], 2, -time - 1 - extra, kept=False) for extra in range(5)]
        rows = list(range(start, start + width))
    places = [time * (width + 5) + 1 for time in range(steps)]
    reference = tuple(
        scored(Scored, time, -float(time), token=branches[place].token, branch=place if time < fell else -1)
        for time, place in enumerate(places)
    )
    best = tuple(time * (width + 5) for time in range(steps))
    return tree_of(fell, branches=tuple(branches), best=best, reference=reference, width=width)


def test_every_box_stands_where_its_rank_is():
    chart = chart_of(tree_of())
    kinds = {place: (box.token, box.kind) for place, box in chart.boxes.items()}
    assert kinds == {
        Place(0, 0): ("ein", "translation"),
        Place(0, 1): ("der", "reference"),
        Place(0, 2): ("$x_1$", "pruned"),
        Place(1, 0): ("Hund", "translation"),
        Place(1, 1): ("犬", "kept"),
        Place(1, 2): ("犬", "pruned"),
        Place(1, BESIDE): ("Hund", "reference"),
        Place(2, 0): ("<eos>", "translation"),
        Place(2, 1): ("<eos>", "kept"),
        Place(2, 2): ("der", "pruned"),
        Place(2, BESIDE): ("<eos>", "reference"),
    }
    assert [place for place, box in chart.boxes.items() if box.gone] == [Place(1, BESIDE), Place(2, BESIDE)]
    assert [place for place, box in chart.boxes.items() if box.ended] == [Place(2, 0), Place(2, 1), Place(2, BESIDE)]
    parents = {place: box.parent for place, box in chart.boxes.items()}
    assert parents[Place(0, 0)] == Place(-1, 0)
    assert parents[Place(1, BESIDE)] == Place(0, 1)  # where it fell off
    assert parents[Place(2, BESIDE)] == Place(1, BESIDE)
    assert parents[Place(2, 1)] == Place(1, 1)
    assert chart.boxes[Place(1, 0)].numbers == "−0.70  −0.35"
    assert chart.told() == "In a box: the symbol; log P of all so far, and the score if it ended there."


def test_a_reference_that_was_found_is_one_way_with_the_translation():
    found = tree_of(
        None,
        None,
        reference=tuple(
            scored(Scored, time, log, token=token, branch=place)
            for time, (token, log, place) in enumerate([(1, -0.5, 0), (3, -0.7, 3), (0, -0.8, 7)])
        ),
    )
    chart = chart_of(found)
    assert [box.kind for box in chart.boxes.values() if box.kind != "kept" and box.kind != "pruned"] == ["both"] * 3
    assert BESIDE not in {place.row for place in chart.boxes}
    assert verdict(found) == "The translation is the reference: log P −0.80, score −0.27."


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "The reference fell off .* at symbol 2, with log P −1.40 beside −1.20 of the last that was kept"),
        ({}, "At its end it has log P −1.45, score −0.48, no higher than the translation's −0.27: the model's fault"),
        ({"how": "stopped"}, "The search had ended at symbol 2, where the reference was still to go on. At its end"),
        (
            {"best": (0, 4, 8), "reference": (*tree_of().reference[:2], Scored(0, -1.41, -0.3, 0.0, -1))},
            "score −0.30, higher than the translation's −0.43: the search's fault",
        ),
        ({"fell": None, "how": None}, "The reference ended on the beam .* ranks below the translation: the model's"),
        ({"best": ()}, "The search found no translation."),
    ],
)
def test_what_became_of_the_reference_is_told(changes, says):
    assert re.search(says, verdict(tree_of(**changes)))


def test_lines_repeat_the_last_step_of_the_one_before_and_leave_none_out():
    chart = chart_of(long_tree(9, 2, 4))
    bands = list(chart.bands(4))
    assert bands == [range(-1, 3), range(2, 6), range(5, 9)]
    assert list(chart.bands(99)) == [range(-1, 9)]
    assert list(chart_of(tree_of()).bands(2)) == [range(-1, 1), range(0, 2), range(1, 3)]
    assert [chart.rows(times) for times in bands] == [5, 5, 5]


def test_what_has_no_room_is_counted():
    tree = long_tree(STEPS + 40, ROWS + 4, 70)
    chart = chart_of(tree)
    assert (chart.first, chart.last) == (40, 40 + STEPS - 1)
    assert (chart.hidden, chart.pruned) == (4 * STEPS, (5 - PRUNED) * STEPS)
    on_beam = [place for place in chart.boxes if place.row != BESIDE]
    there = sum(chart.first <= one.time <= chart.last for one in tree.branches)
    assert len(on_beam) + chart.hidden + chart.pruned == there
    assert chart.told().endswith("Not drawn: 240 that were kept, 120 pruned, all but symbols 41 to 100 of 100.")
    ways = [box.kind for place, box in chart.boxes.items() if place.time == 69]
    assert {"translation", "reference"} <= set(ways)
    assert (chart_of(long_tree(STEPS + 1, 1, 0)).first, chart_of(long_tree(STEPS, 1, 0)).last) == (0, STEPS - 1)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_pictures_are_files_that_open(tmp_path, kind):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"tree.{kind}"
    draw_beam_tree(tree_of(), path, title="$Line$ 3\x1b[2J")
    body = path.read_bytes()
    if kind == "png":
        assert body.startswith(b"\x89PNG")
        return
    drawn = body.decode()
    assert drawn.count("<svg") == 1
    assert "\x1b" not in drawn
    again = tmp_path / "again.svg"
    draw_beam_tree(tree_of(), again, title="$Line$ 3\x1b[2J")
    ids = [line for line in again.read_text().splitlines() if "<dc:date>" not in line]
    assert ids == [line for line in drawn.splitlines() if "<dc:date>" not in line]


def test_letters_that_no_font_has_are_boxes_and_told_of(tmp_path, monkeypatch):
    """As alignments have it: one way to write, and none for a letter's number."""
    pytest.importorskip("matplotlib")
    latin = frozenset({*range(32, 127), 0x2026, 0x2212})
    monkeypatch.setattr(scripts, "find_fonts", lambda: Fonts(["DejaVu Sans"], latin, True))
    monkeypatch.setattr(scripts, "_others", lambda missing: iter(()))
    path = tmp_path / "tree.svg"
    [note] = draw_beam_tree(tree_of(texts=("漢", "ein 漢", "a\x1b")), path)
    assert "2 Chinese, Japanese or Korean characters" in note
    drawn = path.read_text()
    assert "<!-- translation:  ein ▯ -->" in drawn
    assert "u72ac" not in drawn


def test_long_trees_are_drawn_in_lines(tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    short, long = tmp_path / "short.png", tmp_path / "long.png"
    draw_beam_tree(tree_of(names={token: name * 40 for token, name in NAMES.items()}), short)
    draw_beam_tree(long_tree(11, 1, 5), long)
    with Image.open(short) as one, Image.open(long) as other:
        (wide, high), (wider, higher) = one.size, other.size
    assert wide <= wider <= 1950
    assert higher > high


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"go into a \.png, \.svg or \.pdf file"):
        draw_beam_tree(tree_of(), tmp_path / "tree.jpg")
    with pytest.raises(ArgumentError, match="the search took no step: there is no beam to draw"):
        draw_beam_tree(tree_of(branches=()), tmp_path / "tree.svg")
