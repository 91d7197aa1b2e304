"""Rules of lowering: what torch's operations that are not pointwise do to rows, pieces and shared tensors.

A rule takes the lowering, the recorded call and what its arguments are, and gives what its results are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import dtype

from throughtime.errors import UntraceableError
from throughtime.kernels.expression import REAL, Piece, Rows
from throughtime.kernels.formulas import Term
from throughtime.kernels.record import Call
from throughtime.kernels.values import Outer, Product, Shared, Total, Turned, element_of

if TYPE_CHECKING:
    from throughtime.kernels.lower import Lowering


def _view(lower: Lowering, call: Call, x: Any, *_: Any) -> Any:
    return lower.shaped(x, lower.result(call).shape)


def _same(lower: Lowering, call: Call, x: Any, *_: Any) -> Any:
    return x


def _to_copy(lower: Lowering, call: Call, x: Any, *_: Any) -> Any:
    kind = lower.result(call).dtype
    if isinstance(x, Total) and not x.outers:
        return Total(rows=tuple(lower.cast(rows, kind) for rows in x.rows))
    return lower.cast(lower.rows(x), kind)


def _transpose(lower: Lowering, call: Call, x: Any, *_: Any) -> Any:
    if lower.tensors[call.reads[0]].dim() > 2:
        raise UntraceableError(f"{call.name} of more than two dimensions")
    match x:
        case Shared() if len(x.shape) == 2:
            return replace(x, shape=x.shape[::-1], turned=not x.turned)
        case Shared():
            return x
        case Rows():
            return Turned(x)
        case Turned():
            return x.rows
        case Total():
            return replace(x, outers=tuple(Outer(right, left) for left, right in x.outers))
    raise UntraceableError(f"{call.name} of this tensor")


def _slice(lower: Lowering, call: Call, x: Any, dim: int = 0, start: Any = 0, stop: Any = None, step: int = 1) -> Any:
    size = lower.tensors[call.reads[0]].shape[dim]
    low, high, _ = slice(start, stop).indices(size)
    if step == 1 and (low, high) == (0, size):
        return x
    if step != 1 or not _along_units(lower, call, dim) or not isinstance(x, Rows):
        raise UntraceableError(f"{call.name} along rows, or with a step")
    return Rows(lower.graph.join(lower.graph.cut(x.pieces, low, high)))


def _split(lower: Lowering, call: Call, x: Any, sizes: Any, dim: int = 0) -> Any:
    parts, start = [], 0
    if not _along_units(lower, call, dim) or not isinstance(x, Rows):
        raise UntraceableError(f"{call.name} along rows")
    for number in call.writes:
        width = lower.tensors[number].shape[-1]
        parts.append(Rows(lower.graph.cut(x.pieces, start, start + width)))
        start += width
    return parts


def _select(lower: Lowering, call: Call, x: Any, dim: int, index: int) -> Any:
    shape = lower.tensors[call.reads[0]].shape
    if dim % len(shape) == 0 or not isinstance(x, Rows):
        raise UntraceableError(f"{call.name} of one row")
    if not _along_units(lower, call, dim):  # the one step of B 1 W
        return lower.shaped(x, lower.result(call).shape)
    index %= x.width
    (piece,) = lower.graph.cut(x.pieces, index, index + 1)
    return lower.shaped(Rows((Piece(1, lower.graph.at(piece.node, 0)),)), lower.result(call).shape)


def _along_units(lower: Lowering, call: Call, dim: int) -> bool:
    """Whether an operation goes along the units of a row: the last of B W or B 1 W."""
    dims = lower.tensors[call.reads[0]].dim()
    return dims > 1 and dim % dims == dims - 1


def _over_units(lower: Lowering, call: Call, dims: Any) -> bool:
    """Whether an operation goes over all units of each row and nothing else."""
    return dims is not None and len(dims) == 1 and _along_units(lower, call, dims[0])


def _cat(lower: Lowering, call: Call, parts: Sequence[Any], dim: int = 0) -> Any:
    if not _along_units(lower, call, dim):
        raise UntraceableError(f"{call.name} along rows")
    rows = [lower.cast(lower.rows(part), lower.result(call).dtype) for part in parts]
    return Rows(lower.graph.join([piece for part in rows for piece in part.pieces]))


def _padded(lower: Lowering, x: Rows, width: int, start: int, kind: dtype) -> Rows:
    """The rows with zeros on both sides, up to a width."""
    zero, end = lower.graph.constant(0, element_of(kind)), width - start - x.width
    sides = Piece(start, zero), *x.pieces, Piece(end, zero)
    return Rows(tuple(piece for piece in sides if piece.width))


def _slice_backward(lower: Lowering, call: Call, x: Any, sizes: Any, dim: int, start: int, stop: int, step: int) -> Any:
    low, high, _ = slice(start, stop).indices(sizes[dim])
    if (low, high) == (0, sizes[dim]) and step == 1:
        return x
    if dim % len(sizes) != len(sizes) - 1 or len(sizes) == 1 or step != 1:
        raise UntraceableError(f"{call.name} along rows, or with a step")
    return _padded(lower, lower.rows(x), sizes[-1], low, lower.result(call).dtype)


def _select_backward(lower: Lowering, call: Call, x: Any, sizes: Any, dim: int, index: int) -> Any:
    if dim % len(sizes) == 0:
        raise UntraceableError(f"{call.name} of one row")
    if dim % len(sizes) != len(sizes) - 1:  # the one step of B 1 W
        return lower.shaped(x, lower.result(call).shape)
    return _padded(lower, lower.rows(x), sizes[-1], index % sizes[-1], lower.result(call).dtype)


def _fill(number: float) -> Callable[..., Any]:
    return lambda lower, call, *_: lower.filled(lower.result(call).shape, number, lower.result(call).dtype)


def _full(lower: Lowering, call: Call, _: Any, *rest: Any) -> Any:
    return lower.filled(lower.result(call).shape, rest[-1], lower.result(call).dtype)


def _mm(lower: Lowering, call: Call, a: Any, b: Any) -> Any:
    match a, b:
        case Rows(), Shared():
            element, width = element_of(lower.result(call).dtype), b.shape[1]
            if element not in REAL:
                raise UntraceableError(f"{call.name} of numbers of type {element}")
            product = Product(a, b.which, b.turned, width, element)
            if product not in lower.products:
                lower.products.append(product)
            node = lower.graph.load("product", lower.products.index(product), element)
            return Rows((Piece(width, node),))
        case Turned(), Rows():
            return Total(outers=(Outer(a.rows, b),))
    raise UntraceableError(f"{call.name} of two tensors of rows")


def _addmm(lower: Lowering, call: Call, bias: Any, a: Any, b: Any) -> Any:
    if call.kwargs:
        raise UntraceableError(f"{call.name} with {', '.join(call.kwargs)}")
    product = _mm(lower, call, a, b)
    pieces = [
        Piece(width, lower.graph.apply("add", *nodes))
        for width, nodes in lower.graph.align([lower.rows(bias), product])
    ]
    return Rows(tuple(pieces))


def _mv(lower: Lowering, call: Call, a: Any, b: Any) -> Any:
    given = [lower.rows(b), a.rows if isinstance(a, Turned) else lower.rows(a)]
    products = [lower.graph.apply("multiply", *nodes) for _, nodes in lower.graph.align(given)]
    rows = Rows(tuple(Piece(w, n) for (w, _), n in zip(lower.graph.align(given), products, strict=True)))
    if isinstance(a, Turned) and isinstance(b, Rows):  # over rows
        return Total(rows=(rows,))
    if isinstance(a, Turned) or isinstance(b, Rows):
        raise UntraceableError(f"{call.name} of these tensors")
    return lower.shaped(Rows((Piece(1, lower.reduced(rows, "sum")),)), lower.result(call).shape)


def _sum(lower: Lowering, call: Call, x: Any, dims: Any = None, *_: Any) -> Any:
    rows, size = lower.cast(lower.rows(x), lower.result(call).dtype), lower.tensors[call.reads[0]].dim()
    over = {dim % size for dim in dims} if dims else set(range(size))
    if not rows.flat and size - 1 in over:
        rows = Rows((Piece(1, lower.reduced(rows, "sum")),), flat=True)
    return Total(rows=(rows,)) if 0 in over else lower.shaped(rows, lower.result(call).shape)


def _mean(lower: Lowering, call: Call, x: Any, dims: Any = None, *_: Any) -> Any:
    if not _over_units(lower, call, dims) or not isinstance(x, Rows):
        raise UntraceableError(f"{call.name} over rows")
    mean = _row_mean(lower, lower.cast(x, lower.result(call).dtype))
    return lower.shaped(Rows((Piece(1, mean.number),)), lower.result(call).shape)


def _highest(lower: Lowering, call: Call, x: Any, dims: Any = (), *_: Any) -> Any:
    if not _over_units(lower, call, dims) or not isinstance(x, Rows):
        raise UntraceableError(f"{call.name} over rows")
    return lower.shaped(Rows((Piece(1, lower.reduced(x, "max")),)), lower.result(call).shape)


def _lowest(lower: Lowering, call: Call, x: Any, dims: Any = (), *_: Any) -> Any:
    if not _over_units(lower, call, dims) or not isinstance(x, Rows):
        raise UntraceableError(f"{call.name} over rows")
    turned = Rows(tuple(Piece(width, lower.graph.apply("negative", node)) for width, node in x.pieces))
    lowest = lower.graph.apply("negative", lower.reduced(turned, "max"))
    return lower.shaped(Rows((Piece(1, lowest),)), lower.result(call).shape)


def _row_mean(lower: Lowering, rows: Rows) -> Term:
    total = Term(lower.graph, lower.reduced(rows, "sum"))
    return total / Term(lower.graph, lower.graph.size(rows.width, total.element))


def _variance(lower: Lowering, rows: Rows, mean: Term, taken: float = 0) -> Term:
    """The sum of squared distances from the mean over (width - taken)."""
    parts = [Piece(w, ((Term(lower.graph, n) - mean) * (Term(lower.graph, n) - mean)).number) for w, n in rows.pieces]
    total = Term(lower.graph, lower.reduced(Rows(tuple(parts)), "sum"))
    return total / (Term(lower.graph, lower.graph.size(rows.width, total.element)) - taken)


def _var(lower: Lowering, call: Call, x: Any, dims: Any = None, **_: Any) -> Any:
    if not _over_units(lower, call, dims) or not isinstance(x, Rows):
        raise UntraceableError(f"{call.name} over rows")
    taken = call.kwargs.get("correction", 1)
    variance = _variance(lower, x, _row_mean(lower, x), 1 if taken is None else taken)
    return lower.shaped(Rows((Piece(1, variance.number),)), lower.result(call).shape)


def _layer_norm(lower: Lowering, call: Call, x: Any, shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    if not isinstance(x, Rows) or len(shape) != 1:
        raise UntraceableError(f"{call.name} over {len(shape)} dimensions")
    mean = _row_mean(lower, x)
    deviation = (_variance(lower, x, mean) + eps).apply("rsqrt")
    given = [x, *(lower.rows(v) for v in (weight, bias) if v is not None)]
    pieces = []
    for width, nodes in lower.graph.align(given):
        value, *rest = [Term(lower.graph, node) for node in nodes]
        value = (value - mean) * deviation
        if weight is not None:
            value = value * rest.pop(0)
        pieces.append(Piece(width, (value + rest[0] if rest else value).number))
    scalars = [Rows((Piece(1, term.number),)) for term in (mean, deviation)]
    return [Rows(tuple(pieces)), *scalars]


def _layer_norm_backward(lower: Lowering, call: Call, grad: Any, x: Any, shape: Any, *rest: Any) -> Any:
    """With n = (x - mean) deviation and g = grad weight: deviation (g - mean g - n mean (g n))."""
    mean, deviation, weight, _, wanted = rest
    graph, (m, d) = lower.graph, (Term(lower.graph, v.pieces[0].node) for v in (mean, deviation))
    given = [lower.rows(grad), x, *([] if weight is None else [lower.rows(weight)])]
    cut = [(width, [Term(graph, node) for node in nodes]) for width, nodes in graph.align(given)]
    normal = [(v - m) * d for _, (_, v, *_) in cut]
    inner = [g * w[0] if w else g for _, (g, _, *w) in cut]

    def rows(terms: Sequence[Term]) -> Rows:
        return Rows(tuple(Piece(width, term.number) for (width, _), term in zip(cut, terms, strict=True)))

    mean_g = _row_mean(lower, rows(inner))
    mean_gn = _row_mean(lower, rows([g * n for g, n in zip(inner, normal, strict=True)]))
    results: list[Any] = [rows([d * (g - mean_g - n * mean_gn) for g, n in zip(inner, normal, strict=True)])]
    results.append(Total(rows=(rows([g * n for (_, (g, *_)), n in zip(cut, normal, strict=True)]),)))
    results.append(Total(rows=(rows([g for _, (g, *_) in cut]),)))
    return [result for result, want in zip(results, wanted, strict=True) if want]


def _softmax(lower: Lowering, call: Call, x: Any, dim: int, half: bool) -> Any:
    if not _along_units(lower, call, dim) or not isinstance(x, Rows):
        raise UntraceableError(f"{call.name} over rows")
    highest = Term(lower.graph, lower.reduced(x, "max"))
    powers = [Piece(w, (Term(lower.graph, n) - highest).apply("exp").number) for w, n in x.pieces]
    total = Term(lower.graph, lower.reduced(Rows(tuple(powers)), "sum"))
    return Rows(tuple(Piece(w, (Term(lower.graph, n) / total).number) for w, n in powers))


def _softmax_backward(lower: Lowering, call: Call, grad: Any, y: Any, dim: int, kind: Any) -> Any:
    cut = [(w, Term(lower.graph, g), Term(lower.graph, p)) for w, (g, p) in lower.graph.align([lower.rows(grad), y])]
    products = Rows(tuple(Piece(w, (g * p).number) for w, g, p in cut))
    total = Term(lower.graph, lower.reduced(products, "sum"))
    return Rows(tuple(Piece(w, (p * (g - total)).number) for w, g, p in cut))


RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "expand", "unsqueeze", "squeeze", "_reshape_alias"), _view),
    **dict.fromkeys(("clone", "detach", "alias", "contiguous", "lift_fresh"), _same),
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros"), _fill(0)),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), _fill(1)),
    **dict.fromkeys(("full_like", "new_full", "full"), _full),
    "scalar_tensor": lambda lower, call, number: lower.filled((), number, lower.result(call).dtype),
    **dict.fromkeys(("t", "transpose"), _transpose),
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    "_to_copy": _to_copy,
    "slice": _slice,
    "slice_backward": _slice_backward,
    "select": _select,
    "select_backward": _select_backward,
    "cat": _cat,
    "mm": _mm,
    "mv": _mv,
    "addmm": _addmm,
    "sum": _sum,
    "mean.dim": _mean,
    "amax": _highest,
    "amin": _lowest,
    "var.correction": _var,
    "native_layer_norm": _layer_norm,
    "native_layer_norm_backward": _layer_norm_backward,
    "_softmax": _softmax,
    "_softmax_backward_data": _softmax_backward,
}
