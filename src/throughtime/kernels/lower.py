"""Recorded torch operations to expressions: what every tensor of a step is, unit by unit.

Pointwise operations are formulas (see `formulas`), all others have a rule each (see `rules`). A matrix product of rows
with a shared matrix ends one fused pass and begins another: its result is loaded.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, dtype

from throughtime.errors import UntraceableError
from throughtime.kernels.expression import Graph, Piece, Rows
from throughtime.kernels.formulas import COMPARISONS, FORMULAS, Term
from throughtime.kernels.record import Call, Place
from throughtime.kernels.rules import RULES
from throughtime.kernels.values import Product, Shared, Total, Turned, element_of

MASKS = {"where": 0, "masked_fill": 1}  # which argument of an operation is a mask


@dataclass(eq=False)
class Lowering:
    """Walks over recorded calls; `values` holds what each numbered tensor is."""

    batch: int  # rows in the recording
    tensors: Sequence[Tensor]  # the recorded tensors, for their shapes and types
    graph: Graph = field(default_factory=Graph)
    values: dict[int, Any] = field(default_factory=dict)
    products: list[Product] = field(default_factory=list)

    def input_rows(self, number: int, kind: str, which: int) -> None:
        """Says that a tensor (B, or B W) is loaded from a source."""
        tensor, element = self.tensors[number], element_of(self.tensors[number].dtype)
        if tensor.dim() == 1:
            node = self.graph.spread(kind, which, element)
            self.values[number] = Rows((Piece(1, node),), flat=True)
        elif tensor.dim() == 2 and tensor.shape[1]:
            self.values[number] = Rows((Piece(tensor.shape[1], self.graph.load(kind, which, element)),))
        elif tensor.dim() == 2:
            raise UntraceableError("a tensor without numbers (B 0) in z or the state")
        else:
            raise UntraceableError(f"a tensor of {tensor.dim()} dimensions in z or the state (a sweep has B and B W)")

    def input_shared(self, number: int, which: int) -> None:
        """Says that a tensor is shared by all rows."""
        tensor = self.tensors[number]
        self.values[number] = Shared(which, tuple(tensor.shape), element_of(tensor.dtype))

    def run(self, calls: Sequence[Call]) -> None:
        """Lowers the calls in order."""
        for call in calls:
            results = self._call(call)
            for place, value in zip(call.writes, results if isinstance(results, list) else [results], strict=True):
                self.values[place] = value

    def rows(self, value: Any) -> Rows:
        """The value as rows: a shared vector or number is the same in each of them."""
        if isinstance(value, Rows):
            return value
        if isinstance(value, Shared):
            shape = [n for n in value.shape if n != 1]
            if len(shape) == 0:
                return Rows((Piece(1, self.graph.spread("shared", value.which, value.element)),))
            if len(shape) == 1 and value.shape[-1] == shape[0]:
                return Rows((Piece(shape[0], self.graph.load("shared", value.which, value.element)),))
        raise UntraceableError(f"a {type(value).__name__.lower()} tensor where rows are expected")

    def _call(self, call: Call) -> Any:
        name, base = _names(call.operation)
        if base == "add" and all(isinstance(self._value(arg), Total) for arg in call.args) and not call.kwargs:
            first, second = (self._value(arg) for arg in call.args)
            return Total(first.outers + second.outers, first.rows + second.rows)
        if base in FORMULAS or base in COMPARISONS:
            return self._pointwise(call, base)
        rule = RULES.get(name) or RULES.get(base)
        if rule is None:
            raise UntraceableError(f"{call.name}: a sweep has no such operation")
        return rule(self, call, *[self._value(arg) for arg in call.args])

    def _value(self, arg: Any) -> Any:
        if isinstance(arg, Place):
            return self.values[arg.number]
        if isinstance(arg, list | tuple):
            return [self._value(part) for part in arg]
        return arg

    def result(self, call: Call) -> Tensor:
        """The recorded tensor that a call made."""
        return self.tensors[call.writes[0]]

    def _pointwise(self, call: Call, base: str) -> Rows:
        """A formula at every unit: operands become rows, cut where any of them has a seam."""
        if any(isinstance(leaf, Place) for leaf in call.kwargs.values()):
            raise UntraceableError(f"{call.name} with {', '.join(call.kwargs)}")
        formula = (FORMULAS | COMPARISONS)[base]
        try:
            inspect.signature(formula).bind(*call.args, **call.kwargs)
        except TypeError as error:
            raise UntraceableError(f"{call.name}: {error}") from None
        out = self.result(call)
        element = element_of(out.dtype)
        args = [self._value(arg) for arg in call.args]
        places = [n for n, arg in enumerate(args) if isinstance(arg, Rows | Shared | Turned | Total)]
        rows = [self.rows(args[n]) for n in places]
        if base in COMPARISONS:
            element = element_of(torch.result_type(*self._recorded(call)))
        pieces = []
        for width, nodes in self.graph.align(rows):
            for n, node in zip(places, nodes, strict=True):
                args[n] = Term(self.graph, node).cast("bool" if MASKS.get(base) == n else element)
            if base == "where":
                args[1:] = [
                    Term(self.graph, self.graph.constant(a, element)) if isinstance(a, int | float) else a
                    for a in args[1:]
                ]
            pieces.append(Piece(width, formula(*args, **call.kwargs).number))
        shaped: Rows = self.shaped(Rows(tuple(pieces)), out.shape)
        return shaped

    def _recorded(self, call: Call) -> list[Any]:
        """The arguments of a call as they were recorded."""
        return [self.tensors[arg.number] if isinstance(arg, Place) else arg for arg in call.args]

    def shaped(self, value: Any, shape: Sequence[int]) -> Any:
        """The value viewed or expanded to a shape that keeps rows apart."""
        shape = tuple(shape)
        if isinstance(value, Shared) and [n for n in shape if n != 1] == [n for n in value.shape if n != 1]:
            return replace(value, shape=shape)
        if isinstance(value, Total):
            return value
        if isinstance(value, Rows | Shared) and shape[:1] == (self.batch,) and all(size == 1 for size in shape[1:-1]):
            rows, width = self.rows(value), shape[-1] if len(shape) > 1 else 1
            if rows.width in (1, width):
                wide = self.graph.widen(rows, width)
                return Rows(self.graph.join(wide.pieces), flat=len(shape) == 1)
        raise UntraceableError(f"a tensor of shape {list(shape)} in a step (a sweep has rows: B and B W)")

    def cast(self, rows: Rows, kind: dtype) -> Rows:
        """The rows as another type of numbers."""
        element = element_of(kind)
        return Rows(tuple(Piece(width, self.graph.cast(node, element)) for width, node in rows.pieces), rows.flat)

    def filled(self, shape: Sequence[int], number: float, kind: dtype) -> Any:
        """Rows of one number, or the number itself where the shape is empty."""
        if len(shape) == 0:
            return Rows((Piece(1, self.graph.constant(number, element_of(kind))),), flat=True)
        width = shape[-1] if len(shape) > 1 else 1
        node = self.graph.constant(number, element_of(kind))
        return self.shaped(Rows((Piece(width, node),)), shape)

    def reduced(self, rows: Rows, operation: str) -> int:
        """The sum or maximum over all units of a row."""
        parts = [self.graph.reduce(operation, piece) for piece in rows.pieces]
        whole = parts[0]
        for part in parts[1:]:
            whole = self.graph.apply("add" if operation == "sum" else "maximum", whole, part)
        return whole


def _names(operation: Any) -> tuple[str, str]:
    """An operation's name with and without its overload; torch's primitives are its own where they are pointwise."""
    name = str(operation).removeprefix("aten.")
    primitive = name.removeprefix("prims.").split(".")[0]
    return name, primitive if primitive in FORMULAS or primitive in COMPARISONS else name.split(".")[0]


def known(operation: Any) -> bool:
    """Whether an operation needs no taking apart."""
    name, base = _names(operation)
    return base in FORMULAS or base in COMPARISONS or name in RULES or base in RULES
