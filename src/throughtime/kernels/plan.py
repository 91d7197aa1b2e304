"""From equations to two kernels: what is stored where, and what is kept for the way back.

forward    z, state -> output, new state; and the tape: what the way back needs and would be dear to compute again
backward   cotangents, tape -> gradients of z and state; totals for shared vectors; and the columns whose
           product over all rows and times, one large one after the loop, is a weight's gradient
"""

from dataclasses import dataclass
from typing import NamedTuple

from throughtime.kernels.expression import COSTS, REDUCTIONS, Graph, Node, Piece, Rows
from throughtime.kernels.schedule import Area, Kernel, Sink, schedule, sinks_of
from throughtime.kernels.trace import Equations
from throughtime.kernels.values import Product


class Column(NamedTuple):
    """Where an operand of a weight's gradient stands: units of an area that has every row and time."""

    area: Area
    offset: int
    width: int


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
            backward = schedule(self.graph, self.products, sinks, inputs, state)
        sinks = [*sinks_of(("output", 0), eq.output.pieces)]
        for n, rows in enumerate(eq.new_state):
            sinks += sinks_of(("state", n), rows.pieces)
        sinks += [Sink(area, offset, width, node) for (node, width), (area, offset) in self.saved.items()]
        inputs = {n: p.rows for n, p in enumerate(self.products) if not self._is_later(p.rows)}
        forward = schedule(self.graph, self.products, sinks, inputs, [("state", n) for n in range(len(eq.new_state))])
        sizes = {kind: {str(e): n for (k, e), n in self.sizes.items() if k == kind} for kind in ("saved", "spare")}
        return Plan(self.graph, self.products, forward, backward, sizes["saved"], sizes["spare"], outers, totals)

    def _backward_sinks(
        self,
    ) -> tuple[list[Sink], dict[int, list[tuple[list[Column], list[Column]]]], dict[int, str]]:
        """What the way back stores: gradients, totals, and the columns of weights' gradients."""
        eq, sinks = self.equations, list[Sink]()
        columns: dict[tuple[int, int], tuple[Area, int]] = {}
        for n, rows in enumerate(eq.z_grads):
            for sink in sinks_of(("z_grad", n), rows.pieces if rows else ()):
                columns.setdefault((sink.node, sink.width), (sink.area, sink.offset))
                sinks.append(self._taped(sink))
        for n, rows in enumerate(eq.state_grads):
            if eq.cotangents[1 + n] or rows is not None:
                pieces = rows.pieces if rows else (Piece(eq.new_state[n].width, self._zero(eq.new_state[n])),)
                sinks += [self._taped(sink) for sink in sinks_of(("cotangent", n + 1), pieces)]
        outers: dict[int, list[tuple[list[Column], list[Column]]]] = {}
        totals: dict[int, str] = {}
        for n, total in enumerate(eq.shared_grads):
            for rows in total.rows if total else ():
                totals[n] = self.graph[rows.pieces[0].node].element
                sinks += [self._taped(sink._replace(adds=True)) for sink in sinks_of(("total", n), rows.pieces)]
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
