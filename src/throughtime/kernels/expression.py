"""What a step computes, unit by unit: expressions of one index j, and rows made of pieces of them.

A recurrent step works on rows (one for each sequence) of units j = 0, 1, ... . Between two matrix products every
value is a function of j of numbers found at j, so a whole tensor is one expression, or a few side by side:

    Piece(width, expression)     `width` units, unit j being the expression at j
    Rows(pieces)                 B x sum(width): the pieces side by side

Slicing moves offsets, concatenating lists pieces, and neither costs anything when the sweep runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from throughtime.errors import UntraceableError

Source = tuple[str, int | str]  # what is loaded: a kind ("z", "state", "product", ...) and which one of it

LEAVES = ("load", "spread", "constant", "size")
REDUCTIONS = ("sum", "max")
COSTS = {"exp": 12, "expm1": 14, "log": 14, "log1p": 16, "tanh": 14, "sigmoid": 12, "erf": 20, "power": 30}
COSTS |= {"sin": 40, "cos": 40, "divide": 5, "sqrt": 5, "rsqrt": 6, "reciprocal": 5, "remainder": 10}
REAL = ("float32", "float64")
NUMBERS = (*REAL, "int64")
TAKES: dict[str, tuple[str, ...]] = {"sum": NUMBERS, "max": REAL}  # operation: the types that it takes
TAKES |= dict.fromkeys((*COSTS, "floor", "ceil", "trunc", "round"), REAL)
TAKES |= dict.fromkeys(("add", "subtract", "multiply", "negative", "absolute", "sign"), NUMBERS)
TAKES |= dict.fromkeys(("minimum", "maximum", "less", "at_most", "more", "at_least"), NUMBERS)
TAKES |= dict.fromkeys(("and", "or", "not"), ("bool",))


class Node(NamedTuple):
    """One operation. `uniform` is for values that are the same at every j of a row."""

    operation: str
    operands: tuple[int, ...]
    detail: tuple[Any, ...]  # a leaf's source and offset, a constant's value, a width
    element: str  # float32 float64 int64 bool
    uniform: bool

    @property
    def source(self) -> Source:
        """Where a load or spread reads."""
        return (self.detail[0], self.detail[1])

    @property
    def offset(self) -> int:
        """Where in its source a load or spread begins."""
        return int(self.detail[2])


class Piece(NamedTuple):
    """`width` units of one expression."""

    width: int
    node: int


@dataclass(frozen=True)
class Rows:
    """B rows of pieces side by side; `flat` when the tensor is B alone, one number a row."""

    pieces: tuple[Piece, ...]
    flat: bool = False

    @property
    def width(self) -> int:
        """How many units a row has."""
        return sum(piece.width for piece in self.pieces)


@dataclass(eq=False)
class Graph:
    """All expressions of a sweep, each one once: equal expressions have equal numbers."""

    nodes: list[Node] = field(default_factory=list)
    _numbers: dict[Node, int] = field(default_factory=dict)

    def __getitem__(self, number: int) -> Node:
        return self.nodes[number]

    def add(self, node: Node) -> int:
        """The number of the node."""
        if node not in self._numbers:
            self._numbers[node] = len(self.nodes)
            self.nodes.append(node)
        return self._numbers[node]

    def load(self, kind: str, which: int | str, element: str, offset: int = 0) -> int:
        """Unit j + offset of a source."""
        return self.add(Node("load", (), (kind, which, offset), element, False))

    def spread(self, kind: str, which: int | str, element: str, offset: int = 0) -> int:
        """Unit `offset` of a source, at every j."""
        return self.add(Node("spread", (), (kind, which, offset), element, True))

    def constant(self, value: float, element: str) -> int:
        """A number."""
        kind = {"bool": bool, "int64": int}.get(element, float)
        return self.add(Node("constant", (), (kind(value),), element, True))

    def size(self, units: int, element: str) -> int:
        """A width as a number: a constant of the sizes, not of the equations."""
        return self.add(Node("size", (), (units,), element, True))

    def value(self, number: int) -> float | None:
        """The number that an expression always is, if it is a constant."""
        node = self[number]
        return node.detail[0] if node.operation == "constant" else None

    def apply(self, operation: str, *operands: int, element: str | None = None) -> int:
        """A pointwise operation, simplified where a constant makes it trivial."""
        given = self[operands[-1]].element
        if given not in TAKES.get(operation, (given,)):
            raise UntraceableError(f"{operation} of numbers of type {given}")
        simple = self._simplify(operation, operands)
        if simple is not None:
            return simple
        element = element or self[operands[-1]].element
        uniform = all(self[operand].uniform for operand in operands)
        return self.add(Node(operation, tuple(operands), (), element, uniform))

    def _simplify(self, operation: str, operands: tuple[int, ...]) -> int | None:
        constants = [self.value(operand) for operand in operands]
        match operation, constants:
            case ("add", [0.0, _]) | ("multiply", [1.0, _]):
                return operands[1]
            case ("add" | "subtract", [_, 0.0]) | ("multiply" | "divide", [_, 1.0]):
                return operands[0]
            case ("subtract", [0.0, _]):
                return self.apply("negative", operands[1])
            case ("select", [True, _, _]):
                return operands[1]
            case ("select", [False, _, _]):
                return operands[2]
        return None

    def cast(self, number: int, element: str) -> int:
        """The expression as another element type."""
        node = self[number]
        if node.element == element:
            return number
        if node.operation == "constant":
            return self.constant(node.detail[0], element)
        return self.apply(f"as_{element}", number, element=element)

    def reduce(self, operation: str, piece: Piece) -> int:
        """The sum or maximum of a piece over its units."""
        node = self[piece.node]
        if operation == "sum" and node.uniform:
            return self.apply("multiply", piece.node, self.size(piece.width, node.element))
        if operation == "max" and node.uniform:
            return piece.node
        if node.element not in TAKES[operation]:
            raise UntraceableError(f"{operation} of numbers of type {node.element}")
        return self.add(Node(operation, (piece.node,), (piece.width,), node.element, True))

    def rebuild(self, number: int, leaf: Callable[[Node], int | None]) -> int:
        """The expression with some of its leaves (or any subexpression) replaced; None keeps looking inside."""
        seen: dict[int, int] = {}
        inside: set[int] = set()  # what `leaf` does not replace
        waiting = [number]
        while number not in seen:
            here = waiting[-1]
            node = self[here]
            if here not in inside and here not in seen:
                new = leaf(node)
                if new is None and (node.operation in LEAVES or node.operation in REDUCTIONS):
                    new = here
                if new is None:
                    inside.add(here)
                else:
                    seen[here] = new
            missing = [] if here in seen else [operand for operand in node.operands if operand not in seen]
            if here not in seen and not missing:
                operands = [seen[operand] for operand in node.operands]
                seen[here] = self.apply(node.operation, *operands, element=node.element)
            if here in seen:
                waiting.pop()
            waiting += missing[::-1]
        return seen[number]

    def shift(self, number: int, by: int) -> int:
        """The expression at j + by."""

        def moved(node: Node) -> int | None:
            if node.operation != "load":
                return None
            return self.load(*node.source, node.element, node.offset + by)

        return number if by == 0 or self[number].uniform else self.rebuild(number, moved)

    def at(self, number: int, index: int) -> int:
        """The expression's value at one unit, at every j."""

        def spread(node: Node) -> int | None:
            if node.operation != "load":
                return None
            return self.spread(*node.source, node.element, node.offset + index)

        return self.rebuild(number, spread)

    def cut(self, pieces: Sequence[Piece], start: int, stop: int) -> tuple[Piece, ...]:
        """The pieces between two units."""
        kept, here = [], 0
        for width, node in pieces:
            low, high = max(start, here), min(stop, here + width)
            if low < high:
                kept.append(Piece(high - low, self.shift(node, low - here)))
            here += width
        return tuple(kept)

    def join(self, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
        """The pieces side by side, neighbours that continue one another as one."""
        joined: list[Piece] = []
        for piece in pieces:
            if joined and self.shift(joined[-1].node, joined[-1].width) == piece.node:
                joined[-1] = Piece(joined[-1].width + piece.width, joined[-1].node)
            else:
                joined.append(piece)
        return tuple(joined)

    def align(self, rows: Sequence[Rows]) -> list[tuple[int, list[int]]]:
        """Widths and, for each, the expression of every one of the rows, cut where any of them has a seam."""
        width = max(row.width for row in rows)
        wide = [self.widen(row, width).pieces for row in rows]
        seams = sorted({sum(p.width for p in pieces[: n + 1]) for pieces in wide for n in range(len(pieces))})
        aligned, start = [], 0
        for stop in seams:
            aligned.append((stop - start, [self.cut(pieces, start, stop)[0].node for pieces in wide]))
            start = stop
        return aligned

    def widen(self, rows: Rows, width: int) -> Rows:
        """One number a row as `width` equal units."""
        if rows.width == width:
            return rows
        return Rows((Piece(width, self.at(rows.pieces[0].node, 0)),))

    def cone(self, roots: Sequence[int]) -> list[int]:
        """Everything that the roots are made of, operands first."""
        return self.ordered(roots, lambda number: self[number].operands)

    def ordered(self, roots: Sequence[int], operands: Callable[[int], Sequence[int]]) -> list[int]:
        """The roots after their operands, each after its own, and so on down; every one once."""
        found: dict[int, None] = {}
        waiting = list(roots)[::-1]
        while waiting:
            missing = [operand for operand in operands(waiting[-1]) if operand not in found]
            if waiting[-1] in found or not missing:
                found[waiting.pop()] = None
            else:
                waiting += missing[::-1]
        return list(found)
