"""The order of a kernel: levels of products and passes, with as little in memory between them as there can be.

A level begins when a matrix product, or a reduction over a row, has given what the level needs; within it, all that is
stored over the same width is one pass over the units.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from throughtime.kernels.expression import COSTS, REDUCTIONS, Graph, Piece, Rows, Source
from throughtime.kernels.values import Product

Area = Source  # where a kernel stores: a kind ("output", "saved", "state", ...) and which one of it


class Sink(NamedTuple):
    """`width` units of an expression, stored in (or added to) an area from a unit on."""

    area: Area
    offset: int
    width: int
    node: int
    adds: bool = False


class Multiply(NamedTuple):
    """A matrix product before a level: rows of an area times packed weights, to an area."""

    product: int
    source: Area
    target: Area
    adds: bool  # onto what stands in the target


@dataclass
class Pass:
    """One loop over `width` units of each row: stores, and sums that the next level needs."""

    width: int
    sinks: list[Sink] = field(default_factory=list)
    reductions: list[int] = field(default_factory=list)


@dataclass
class Level:
    """Products first, then passes."""

    multiplies: list[Multiply] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)


@dataclass
class Kernel:
    """A time loop: its levels, and the widths of the areas that it needs, by what they hold."""

    levels: list[Level]
    widths: dict[Area, int]  # areas of its own: scratch, inputs and results of products
    elements: dict[Area, str]
    stored: dict[tuple[int, int], Sink]  # expressions, over so many units, that later passes find in scratch


def schedule(
    graph: Graph, products: list[Product], sinks: list[Sink], inputs: dict[int, Rows], state: list[Area]
) -> Kernel:
    """Levels for sinks and for the products (by number: their inputs) that they need."""
    return _Scheduler(graph, products, inputs).schedule(sinks, state)


def sinks_of(area: Area, pieces: Iterable[Piece]) -> list[Sink]:
    """The pieces stored side by side in an area."""
    sinks, offset = [], 0
    for width, node in pieces:
        sinks.append(Sink(area, offset, width, node))
        offset += width
    return sinks


class _Scheduler:
    def __init__(self, graph: Graph, products: list[Product], inputs: dict[int, Rows]) -> None:
        self.graph, self.products, self.inputs = graph, products, inputs
        self.levels: dict[int, int] = {}
        self.widths: dict[Area, int] = {}
        self.elements: dict[Area, str] = {}
        self.stored: dict[tuple[int, int], Sink] = {}

    def schedule(self, sinks: list[Sink], state: list[Area]) -> Kernel:
        sinks, multiplies = self._aim(sinks, state)
        feeding: list[Sink] = []
        for n, rows in self.inputs.items():
            if multiplies[n].source == ("input", n):
                feeding += sinks_of(("input", n), rows.pieces)
                self._area(("input", n), rows.width, self.products[n].element)
        last = max(
            [self._level(s.node) for s in (*sinks, *feeding)] + [self._product_level(n) for n in self.inputs], default=0
        )
        placed = [(self._level(s.node), s) for s in feeding]
        begun = {m.target for m in multiplies.values() if m.adds}
        placed += [(last if self._idle(s.node) and s.area not in begun else self._level(s.node), s) for s in sinks]
        levels = [Level() for _ in range(last + 1)]
        for n, multiply in multiplies.items():
            levels[self._product_level(n)].multiplies.append(multiply)
        for level, sink in placed:
            _pass(levels[level], sink.width).sinks.append(sink)
        self._reduce(levels)
        self._share(levels)
        return Kernel(levels, self.widths, self.elements, self.stored)

    def _area(self, area: Area, width: int, element: str) -> None:
        self.widths[area], self.elements[area] = width, element

    def _idle(self, number: int) -> bool:
        """Whether a value is only moved."""
        return not self.graph[number].operands

    def _level(self, number: int) -> int:
        if number not in self.levels:
            for part in self.graph.ordered([number], self._unknown):
                node = self.graph[part]
                if node.operation in ("load", "spread") and node.source[0] == "product":
                    level = self._product_level(int(node.source[1]))
                else:
                    level = max((self.levels[operand] for operand in node.operands), default=0)
                    level += node.operation in REDUCTIONS
                self.levels[part] = level
        return self.levels[number]

    def _unknown(self, number: int) -> tuple[int, ...]:
        return () if number in self.levels else self.graph[number].operands

    def _product_level(self, which: int) -> int:
        return 1 + max(self._level(piece.node) for piece in self.inputs[which].pieces)

    def _aim(self, sinks: list[Sink], state: list[Area]) -> tuple[list[Sink], dict[int, Multiply]]:
        """Products that read the state itself, and products that end in the state: no copies for them."""
        uses = self._uses(sinks)
        loads = [node for node in (self.graph[number] for number in uses) if node.operation in ("load", "spread")]
        used = [load.source[1] for load in loads if load.source[0] == "product"]
        multiplies: dict[int, Multiply] = {}
        kept: list[Sink] = []
        for n, rows in self.inputs.items():
            node = self.graph[rows.pieces[0].node]
            source: Area = ("input", n)
            if len(rows.pieces) == 1 and node.operation == "load" and node.offset == 0 and node.source in state:
                source = node.source
            multiplies[n] = Multiply(n, source, ("product", n), False)
        for sink in sinks:
            whole, rest = self._ends(sink)
            if whole is not None and sink.area in state and used.count(whole) == uses.count(sink.node) == 1:
                multiplies[whole] = Multiply(whole, multiplies[whole].source, sink.area, rest is not None)
                kept += [] if rest is None else [sink._replace(node=rest)]
            else:
                kept.append(sink)
        for n, multiply in multiplies.items():
            if multiply.target == ("product", n):
                self._area(("product", n), self.products[n].width, self.products[n].element)
        return kept, multiplies

    def _uses(self, sinks: list[Sink]) -> list[int]:
        """Every expression, as often as it is used."""
        roots = [s.node for s in sinks] + [p.node for rows in self.inputs.values() for p in rows.pieces]
        return [operand for number in self.graph.cone(roots) for operand in self.graph[number].operands] + roots

    def _ends(self, sink: Sink) -> tuple[int | None, int | None]:
        """A sink that is a whole product, or something known before it plus a whole product: which, and that."""
        whole = self._whole(sink.node, sink)
        if whole is not None:
            return whole, None
        node = self.graph[sink.node]
        if node.operation == "add":
            for product, rest in (node.operands, node.operands[::-1]):
                whole = self._whole(product, sink)
                if whole is not None and self._level(rest) < self._product_level(whole):
                    return whole, rest
        return None, None

    def _whole(self, number: int, sink: Sink) -> int | None:
        node = self.graph[number]
        if node.operation != "load" or node.source[0] != "product" or node.offset or sink.offset or sink.adds:
            return None
        which = int(node.source[1])
        return which if self.products[which].width == sink.width else None

    def _reduce(self, levels: list[Level]) -> None:
        """Puts each sum over a row in the level before the one that needs it."""
        roots = [s.node for level in levels for p in level.passes for s in p.sinks]
        for number in self.graph.cone(roots):
            node = self.graph[number]
            if node.operation in REDUCTIONS:
                home = levels[self._level(node.operands[0])]
                _pass(home, node.detail[0]).reductions.append(number)

    def _share(self, levels: list[Level]) -> None:
        """Stores what is dear and needed in several passes, and row sums that are needed after a product."""
        seen: dict[tuple[int, int], tuple[int, Pass]] = {}
        group = 0
        for level in levels:
            group += bool(level.multiplies)
            for one in level.passes:
                roots = [s.node for s in one.sinks] + [self.graph[r].operands[0] for r in one.reductions]
                for number in self.graph.cone(roots):
                    node = self.graph[number]
                    key = (number, 1 if node.uniform else one.width)
                    dear = node.operation in COSTS and not node.uniform
                    if key in seen and key not in self.stored:
                        first, home = seen[key]
                        if (dear and home is not one) or (node.operation in REDUCTIONS and first != group):
                            self.stored[key] = self._scratch(number, key[1], home)
                    elif dear:
                        seen[key] = (group, one)
                for reduction in one.reductions:
                    seen[(reduction, 1)] = (group, one)

    def _scratch(self, number: int, width: int, home: Pass) -> Sink:
        element = self.graph[number].element
        area: Area = ("scratch", element)
        offset = self.widths.get(area, 0)
        self._area(area, offset + width, element)
        sink = Sink(area, offset, width, number)
        home.sinks.append(sink)
        return sink


def _pass(level: Level, width: int) -> Pass:
    for one in level.passes:
        if one.width == width:
            return one
    level.passes.append(Pass(width))
    return level.passes[-1]
