"""Where labels go that must not overlap."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]  # left, bottom, right, top


class Taken:
    """Boxes that are taken, found by the squares of a grid that they touch."""

    def __init__(self, side: float) -> None:
        self.side = side
        self.squares: dict[tuple[int, int], list[Box]] = defaultdict(list)

    def add(self, box: Box) -> None:
        """Takes a box."""
        for square in self._touched(box):
            self.squares[square].append(box)

    def count(self, box: Box) -> int:
        """How many of the boxes overlap this one; one that lies in several squares may count as often."""
        return sum(overlap(box, other) for square in self._touched(box) for other in self.squares.get(square, ()))

    def _touched(self, box: Box) -> Iterator[tuple[int, int]]:
        left, bottom, right, top = (math.floor(edge / self.side) for edge in box)
        return ((x, y) for x in range(left, right + 1) for y in range(bottom, top + 1))


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have more than an edge in common.

    >>> overlap((0, 0, 2, 2), (1, 1, 3, 3)), overlap((0, 0, 2, 2), (2, 0, 3, 2))
    (True, False)
    """
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def place_labels(
    points: NDArray[np.float64],
    sizes: Sequence[tuple[float, float] | None],
    *,
    area: tuple[float, float],
    radius: float,
) -> list[Box | None]:
    """A box for the label of each point, beside its dot, or None where it finds no free place; the first come first.

    Boxes overlap no other box, and stay within the area. They may not hide the dot of a point that comes before
    theirs, and of the places that are left the one that hides the fewest dots is taken. A size of None is a label
    that is not wanted.
    """
    side = max([20.0, *(size[1] for size in sizes if size)])
    labels, dots = Taken(side), Taken(side)
    earlier = Taken(side)
    boxes = [(x - radius, y - radius, x + radius, y + radius) for x, y in points.tolist()]
    for box in boxes:
        dots.add(box)
    placed: list[Box | None] = []
    for (x, y), size, dot in zip(points.tolist(), sizes, boxes, strict=True):
        earlier.add(dot)
        best, fewest = None, math.inf
        for box in _places(x, y, size, radius + 1.5) if size else ():
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= area[0] and box[3] <= area[1]
            if inside and not labels.count(box) and not earlier.count(box) and (hidden := dots.count(box)) < fewest:
                best, fewest = box, hidden
        if best is not None:
            labels.add(best)
        placed.append(best)
    return placed


def _places(x: float, y: float, size: tuple[float, float], gap: float) -> Iterator[Box]:
    """The places beside a dot, the best first: right, left, above, below, then the corners."""
    width, height = size
    slant = gap * 0.7
    for left, bottom in (
        (x + gap, y - height / 2),
        (x - gap - width, y - height / 2),
        (x - width / 2, y + gap),
        (x - width / 2, y - gap - height),
        (x + slant, y + slant),
        (x + slant, y - slant - height),
        (x - slant - width, y + slant),
        (x - slant - width, y - slant - height),
    ):
        yield left, bottom, left + width, bottom + height
