"""From equations to two kernels: what is stored where, what is kept for the way back, in which order.

A kernel is a time loop around levels. A level begins when a matrix product, or a reduction over a row, has given
what the level needs; within it, all that is stored over the same width is one pass over the units.

    forward    z, state -> output, new state; and the tape: what the way back needs and would be dear to compute again
    backward   cotangents, tape -> gradients of z and state; totals for shared vectors; and the columns whose
               product over all rows and times, one large one after the loop, is a weight's gradient
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from throughtime.kernels.expression import COSTS, REDUCTIONS, Graph, Node, Piece, Rows, Source
from throughtime.kernels.lower import Product
from throughtime.kernels.trace import Equations

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


class Column(NamedTuple):
    """Where an operand of a weight's gradient stands: units of an area that has every row and time."""

    area: Area
    offset: int
    width: int


@dataclass
class Kernel:
    """A time loop: its levels, and the widths of the areas that it needs, by what they hold."""

    levels: list[Level]
    widths: dict[Area, int]  # areas of its own: scratch, inputs and results of products
    elements: dict[Area, str]
    stored: dict[tuple[int, int], Sink]  # expressions, over so many units, that later passes find in scratch


@dataclass
class Plan:
    """Both kernels and what lies between them."""

    graph: Graph
    products: list[Product]
    forward: Kernel
    backward: Kernel | None
    saved: dict[str, int]  # the tape: units per row and time, by element type
    spare: dict[str, int]  # columns that only weights' gradients need, likewise
    outers: dict[int, list[tuple[list[Column], list[Column]]]]  # shared matrix: its gradient's operands
    totals: dict[int, str]  # shared vectors with a gradient: element type


def plan(equations: Equations) -> Plan:
    """The kernels of the equations; the backward one when anything has a gradient."""
    return _Planner(equations).plan()


class _Planner:
    def __init__(self, equations: Equations) -> None:
        self.equations, self.graph = equations, equations.lowering.graph
        self.products = equations.lowering.products
        self.saved: dict[tuple[int, int], tuple[Area, int]] = {}  # (node, width): where the tape has it
        self.sizes: dict[Area, int] = {}
        self.later: dict[int, bool] = {}

    def plan(self) -> Plan:
        eq = self.equations
        backward = None
        outers: dict[int, list[tuple[list[Column], list[Column]]]] = {}
        totals: dict[int, str] = {}
        if any(grad is not None for grads in (eq.z_grads, eq.state_grads, eq.shared_grads) for grad in grads):
            sinks, outers, totals = self._backward_sinks()
            inputs = {n: self._taped_rows(p.rows) for n, p in enumerate(self.products) if self._is_later(p.rows)}
            state: list[Area] = [("cotangent", n + 1) for n, flows in enumerate(eq.cotangents[1:]) if flows]
            backward = _kernel(self.graph, self.products, sinks, inputs, state)
        sinks = [*_sinks(("output", 0), eq.output.pieces)]
        for n, rows in enumerate(eq.new_state):
            sinks += _sinks(("state", n), rows.pieces)
        sinks += [Sink(area, offset, width, node) for (node, width), (area, offset) in self.saved.items()]
        inputs = {n: p.rows for n, p in enumerate(self.products) if not self._is_later(p.rows)}
        forward = _kernel(self.graph, self.products, sinks, inputs, [("state", n) for n in range(len(eq.new_state))])
        sizes = {kind: {str(e): n for (k, e), n in self.sizes.items() if k == kind} for kind in ("saved", "spare")}
        return Plan(self.graph, self.products, forward, backward, sizes["saved"], sizes["spare"], outers, totals)

    def _backward_sinks(
        self,
    ) -> tuple[list[Sink], dict[int, list[tuple[list[Column], list[Column]]]], dict[int, str]]:
        """What the way back stores: gradients, totals, and the columns of weights' gradients."""
        eq, sinks = self.equations, list[Sink]()
        columns: dict[tuple[int, int], tuple[Area, int]] = {}
        for n, rows in enumerate(eq.z_grads):
            for sink in _sinks(("z_grad", n), rows.pieces if rows else ()):
                columns.setdefault((sink.node, sink.width), (sink.area, sink.offset))
                sinks.append(self._taped(sink))
        for n, rows in enumerate(eq.state_grads):
            if eq.cotangents[1 + n] or rows is not None:
                pieces = rows.pieces if rows else (Piece(eq.new_state[n].width, self._zero(eq.new_state[n])),)
                sinks += [self._taped(sink) for sink in _sinks(("cotangent", n + 1), pieces)]
        outers: dict[int, list[tuple[list[Column], list[Column]]]] = {}
        totals: dict[int, str] = {}
        for n, total in enumerate(eq.shared_grads):
            for rows in total.rows if total else ():
                totals[n] = self.graph[rows.pieces[0].node].element
                sinks += [self._taped(sink._replace(adds=True)) for sink in _sinks(("total", n), rows.pieces)]
            for outer in total.outers if total else ():
                pair = [self._columns(rows, columns, sinks) for rows in outer]
                outers.setdefault(n, []).append((pair[0], pair[1]))
        return sinks, outers, totals

    def _zero(self, rows: Rows) -> int:
        return self.graph.constant(0, self.graph[rows.pieces[0].node].element)

    def _columns(self, rows: Rows, stored: dict[tuple[int, int], tuple[Area, int]], sinks: list[Sink]) -> list[Column]:
        """Where the pieces of an operand stand for every row and time; stored now where they are not yet."""
        columns: list[Column] = []
        for piece in rows.pieces:
            key = (piece.node, piece.width)
            if not self._later(piece.node):
                area, offset = self._keep(*key)
            elif key in stored:
                area, offset = stored[key]
            else:
                area = ("spare", self.graph[piece.node].element)
                offset = self._grow(area, piece.width)
                stored[key] = (area, offset)
                sinks.append(self._taped(Sink(area, offset, piece.width, piece.node)))
            last = columns[-1] if columns else None
            if last and last.area == area and last.offset + last.width == offset:
                columns[-1] = last._replace(width=last.width + piece.width)
            else:
                columns.append(Column(area, offset, piece.width))
        return columns

    def _grow(self, area: Area, width: int) -> int:
        """Room for `width` more units in an area: where it begins."""
        offset = self.sizes.get(area, 0)
        self.sizes[area] = offset + width
        return offset

    def _keep(self, node: int, width: int) -> tuple[Area, int]:
        """Where the tape has an expression."""
        key = (node, width)
        if key not in self.saved:
            area: Area = ("saved", self.graph[node].element)
            self.saved[key] = (area, self._grow(area, width))
        return self.saved[key]

    def _later(self, number: int) -> bool:
        """Whether an expression needs a cotangent, so that only the way back can know it."""
        if number not in self.later:
            for part in self.graph.ordered([number], self._unknown):
                node = self.graph[part]
                if node.operation in ("load", "spread"):
                    kind, which = node.source
                    later = kind == "cotangent" or (
                        kind == "product" and self._is_later(self.products[int(which)].rows)
                    )
                else:
                    later = any(self.later[operand] for operand in node.operands)
                self.later[part] = later
        return self.later[number]

    def _unknown(self, number: int) -> tuple[int, ...]:
        return () if number in self.later else self.graph[number].operands

    def _is_later(self, rows: Rows) -> bool:
        return any(self._later(piece.node) for piece in rows.pieces)

    def _taped_rows(self, rows: Rows) -> Rows:
        return Rows(tuple(Piece(width, self._from_tape(node, width)) for width, node in rows.pieces), rows.flat)

    def _taped(self, sink: Sink) -> Sink:
        return sink._replace(node=self._from_tape(sink.node, sink.width))

    def _from_tape(self, number: int, width: int) -> int:
        """The expression with what the way forward knows read from the tape, or computed again where it is cheap."""

        def known(node: Node) -> int | None:
            here = self.graph.add(node)
            if self._later(here) and node.operation in REDUCTIONS:  # over units of its own
                inside = Piece(node.detail[0], self._from_tape(node.operands[0], node.detail[0]))
                return self.graph.reduce(node.operation, inside)
            if self._later(here):
                return None
            if (here, width) in self.saved or self._dear(node):
                return self._load_kept(here, width)
            return None

        return self.graph.rebuild(number, known)

    def _dear(self, node: Node) -> bool:
        """Whether to keep a value rather than compute it again from what is kept."""
        if node.operation in ("load", "spread"):
            return node.source[0] in ("state", "product")
        if node.operation in REDUCTIONS:
            return True
        if node.uniform:
            return False
        return node.operation in COSTS

    def _load_kept(self, number: int, width: int) -> int:
        node = self.graph[number]
        (kind, which), offset = self._keep(number, 1 if node.uniform else width)
        return (self.graph.spread if node.uniform else self.graph.load)(kind, which, node.element, offset)


def _sinks(area: Area, pieces: Iterable[Piece]) -> list[Sink]:
    sinks, offset = [], 0
    for width, node in pieces:
        sinks.append(Sink(area, offset, width, node))
        offset += width
    return sinks


def _kernel(
    graph: Graph, products: list[Product], sinks: list[Sink], inputs: dict[int, Rows], state: list[Area]
) -> Kernel:
    """Levels for sinks and for the products (by number: their inputs) that they need."""
    return _Scheduler(graph, products, inputs).schedule(sinks, state)


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
                feeding += _sinks(("input", n), rows.pieces)
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
