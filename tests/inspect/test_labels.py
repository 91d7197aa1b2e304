"""Labels that do not overlap, against every pair compared with every other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from throughtime.inspect.labels import Taken, overlap, place_labels

AREA, RADIUS = (200.0, 120.0), 2.0
spots = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 120)), min_size=1, max_size=40)
sizes_of_labels = st.tuples(st.integers(1, 60), st.integers(1, 30))


def dot(point):
    return (point[0] - RADIUS, point[1] - RADIUS, point[0] + RADIUS, point[1] + RADIUS)


@given(spots, st.data())
def test_labels_overlap_nothing_that_came_before(points, data):
    sizes = data.draw(st.lists(st.none() | sizes_of_labels, min_size=len(points), max_size=len(points)))
    boxes = place_labels(np.array(points, dtype=float), sizes, area=AREA, radius=RADIUS)
    kept = [box for box in boxes if box is not None]
    assert not any(overlap(box, other) for i, box in enumerate(kept) for other in kept[:i])
    for i, (box, size) in enumerate(zip(boxes, sizes, strict=True)):
        if size is None:
            assert box is None
        elif box is not None:
            assert min(box[:2]) >= 0
            assert box[2] <= AREA[0]
            assert box[3] <= AREA[1]
            np.testing.assert_allclose((box[2] - box[0], box[3] - box[1]), size)
            assert not any(overlap(box, dot(point)) for point in points[: i + 1])


@given(spots, sizes_of_labels)
def test_a_label_is_left_out_only_when_its_places_are_taken(points, size):
    boxes = place_labels(np.array(points, dtype=float), [size] * len(points), area=AREA, radius=RADIUS)
    for i, box in enumerate(boxes):
        if box is None:
            x, y = points[i]
            right = (x + RADIUS + 1.5, y - size[1] / 2, x + RADIUS + 1.5 + size[0], y + size[1] / 2)
            outside = min(right[:2]) < 0 or right[2] > AREA[0] or right[3] > AREA[1]
            blocked = [other for other in boxes[:i] if other] + [dot(point) for point in points[:i]]
            assert outside or any(overlap(right, other) for other in blocked)


def test_a_place_that_hides_no_dot_is_taken_first():
    points = np.array([[100.0, 60.0], [115.0, 60.0]])
    first, second = place_labels(points, [(30, 10), (30, 10)], area=AREA, radius=RADIUS)
    assert first[2] < 100  # on the left, as the other dot lies on the right
    assert second[0] > 115


@given(st.lists(st.tuples(*[st.integers(-60, 60)] * 4), max_size=30), st.integers(5, 50))
def test_the_grid_finds_what_comparing_finds(corners, side):
    boxes = [(min(a, c), min(b, d), max(a, c) + 1, max(b, d) + 1) for a, b, c, d in corners]
    taken = Taken(side)
    for i, box in enumerate(boxes):
        assert (taken.count(box) > 0) == any(overlap(box, other) for other in boxes[:i])
        taken.add(box)
