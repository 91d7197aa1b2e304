"""What is lowered is what torch does: each operation and its gradient, worked out from the expressions themselves.

Nothing is compiled here: a small interpreter gives the numbers that a kernel would.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from comparing import DOUBLE, State, distance, drawn
from torch import nn

from throughtime.errors import UntraceableError
from throughtime.kernels.expression import Graph, Piece, Rows
from throughtime.kernels.lower import Lowering
from throughtime.kernels.plan import plan
from throughtime.kernels.program import TYPES
from throughtime.kernels.trace import differentiate, slots_of, trace
from throughtime.kernels.values import Shared

ROWS, H = 12, 4

# --- the interpreter

POINTWISE = {
    "add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "divide": torch.div, "negative": torch.neg,
    "less": torch.lt, "at_most": torch.le, "more": torch.gt, "at_least": torch.ge, "equal": torch.eq,
    "differs": torch.ne, "and": torch.logical_and, "or": torch.logical_or, "not": torch.logical_not,
    "select": torch.where, "minimum": torch.minimum, "maximum": torch.maximum, "absolute": torch.abs,
    "sign": torch.sign, "exp": torch.exp, "expm1": torch.expm1, "log": torch.log, "log1p": torch.log1p,
    "sin": torch.sin, "cos": torch.cos, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "erf": torch.erf,
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "reciprocal": torch.reciprocal, "floor": torch.floor,
    "ceil": torch.ceil, "trunc": torch.trunc, "round": torch.round, "power": torch.pow,
    "remainder": torch.remainder,
}  # fmt: skip


class Interpreter:
    """The values of expressions for some rows; `sources` are tensors by kind and number."""

    def __init__(self, equations, sources):
        self.graph, self.products, self.sources = equations.lowering.graph, equations.lowering.products, sources

    def rows(self, rows):
        parts = [self.node(piece.node, piece.width) for piece in rows.pieces]
        whole = torch.cat([part.expand(ROWS, piece.width) for part, piece in zip(parts, rows.pieces, strict=True)], 1)
        return whole[:, 0] if rows.flat else whole

    def node(self, number, width):
        node = self.graph[number]
        match node.operation:
            case "constant" | "size":
                return torch.full((ROWS, 1), node.detail[0], dtype=TYPES[node.element])
            case "load":
                return self.source(node.source)[:, node.offset : node.offset + width]
            case "spread":
                return self.source(node.source)[:, node.offset : node.offset + 1]
            case "sum" | "max":
                units = self.node(node.operands[0], node.detail[0]).expand(ROWS, node.detail[0])
                return units.sum(1, keepdim=True) if node.operation == "sum" else units.amax(1, keepdim=True)
        operands = [self.node(operand, width) for operand in node.operands]
        if node.operation.startswith("as_"):
            return operands[0].to(TYPES[node.element])
        value = POINTWISE[node.operation](*operands)
        assert value.dtype == TYPES[node.element], node
        return value

    def source(self, source):
        kind, which = source
        if kind == "product":
            product = self.products[which]
            matrix = self.sources["shared", product.shared]
            return self.rows(product.rows) @ (matrix.t() if product.turned else matrix)
        tensor = self.sources[source]
        return tensor.reshape(1, -1).expand(ROWS, -1) if kind == "shared" else tensor.reshape(ROWS, -1)

    def total(self, total, like):
        whole = torch.zeros(like.shape, dtype=like.dtype)
        for left, right in total.outers:
            whole = whole + self.rows(left).t() @ self.rows(right)
        for rows in total.rows:
            whole = whole + self.rows(rows).reshape(ROWS, -1).sum(0).reshape(like.shape)
        return whole


def interpreted(step, slots, z, state, cotangents):
    """The output, the new state and all gradients of a step, from its equations."""
    traced = trace(step, slots, z[:1], State(state.hidden[:1]))
    shared = [tensor.detach() for tensor in traced.share([slot.tensor() for slot in slots])]
    equations = differentiate(traced, [True], [True], [tensor.is_floating_point() for tensor in shared])
    plan(equations)
    sources = {("z", 0): z, ("state", 0): state.hidden}
    sources |= {("shared", n): tensor for n, tensor in enumerate(shared)}
    sources |= {("cotangent", n): tensor for n, tensor in enumerate(cotangents)}
    interpreter = Interpreter(equations, sources)
    outputs = [interpreter.rows(rows) for rows in (equations.output, *equations.new_state)]
    grads = [
        torch.zeros_like(like) if rows is None else interpreter.rows(rows)
        for rows, like in zip((*equations.z_grads, *equations.state_grads), (z, state.hidden), strict=True)
    ]
    for total, tensor in zip(equations.shared_grads, shared, strict=True):
        grads.append(torch.zeros_like(tensor) if total is None else interpreter.total(total, tensor))
    plainly = [tensor.detach().clone() for tensor in (z, state.hidden, *shared)]
    plainly = [tensor.requires_grad_(tensor.is_floating_point()) for tensor in plainly]
    wanted = traced.step(plainly[:1], plainly[1:2], plainly[2:])
    roots = [(leaf, given) for leaf, given in zip(wanted, cotangents, strict=True) if leaf.requires_grad]
    asked = [tensor for tensor in plainly if tensor.requires_grad]
    leaves, given = zip(*roots, strict=True)
    found = torch.autograd.grad(leaves, asked, given, allow_unused=True)
    known = {id(t): g for t, g in zip(asked, found, strict=True) if g is not None}
    theirs = [known.get(id(t), torch.zeros_like(t)) for t in plainly]
    return (outputs, grads), ([leaf.detach() for leaf in wanted], theirs)


# --- operations, each of z (a: with zeros, ties and bounds among its numbers) and of the state (b)


class Weights(nn.Module):
    """One of each shape that a weight may have."""

    def __init__(self):
        super().__init__()
        for seed, (name, shape) in enumerate(
            {"vector": (H,), "other": (H,), "row": (1, H), "scalar": (), "one": (1,), "square": (H, H)}.items()
        ):
            setattr(self, name, nn.Parameter(0.3 + 0.5 * drawn(shape, 20 + seed).abs()))
        self.tall, self.thin = nn.Parameter(drawn((2 * H, H), 30)), nn.Parameter(drawn((H, 2), 31))
        self.single = nn.Parameter(drawn((H,), 32, torch.float32))
        self.register_buffer("kept", drawn((H,), 33))


OPERATIONS = {
    # one number
    "neg": lambda c, a, b: -a,
    "abs": lambda c, a, b: a.abs(),
    "sign": lambda c, a, b: a.sign() + a.sgn() + b,
    "exp": lambda c, a, b: a.exp(),
    "expm1": lambda c, a, b: torch.expm1(a),
    "log": lambda c, a, b: torch.log(a.abs() + 1),
    "log1p": lambda c, a, b: torch.log1p(b * b),
    "sin": lambda c, a, b: a.sin() * b,
    "cos": lambda c, a, b: b.cos(),
    "sqrt": lambda c, a, b: (a * a + 1).sqrt(),
    "rsqrt": lambda c, a, b: torch.rsqrt(b * b + 1),
    "erf": lambda c, a, b: torch.erf(a),
    "tanh": lambda c, a, b: a.tanh(),
    "sigmoid": lambda c, a, b: b.sigmoid(),
    "reciprocal": lambda c, a, b: 1 / (2 + a * a),
    "floor": lambda c, a, b: a.floor() * b,
    "ceil": lambda c, a, b: a.ceil() * b,
    "trunc": lambda c, a, b: a.trunc() * b,
    "round": lambda c, a, b: (2 * a).round() * b,
    "frac": lambda c, a, b: torch.frac(a) * b,
    "isnan": lambda c, a, b: torch.isnan(a) * b,
    "nan_to_num": lambda c, a, b: torch.nan_to_num(a / b.detach().clamp(min=0)),
    # two numbers
    "add": lambda c, a, b: torch.add(a, b, alpha=2),
    "sub": lambda c, a, b: torch.sub(a, b, alpha=0.5),
    "rsub": lambda c, a, b: torch.rsub(a, b, alpha=3) + (2 - a),
    "div": lambda c, a, b: a / (b.abs() + 1) + 3 / (b * b + 1),
    "div floor": lambda c, a, b: torch.div(a, b.abs() + 0.1, rounding_mode="floor") + b,
    "div floor as Python's": lambda c, a, b: torch.div(a, 0.1, rounding_mode="floor") + b,
    "div trunc": lambda c, a, b: torch.div(a, 0.3, rounding_mode="trunc") * b,
    "remainder": lambda c, a, b: torch.remainder(a, 0.7) + b % 1.5,
    "remainder of a weight": lambda c, a, b: torch.remainder(b, c.vector),
    "pow 0": lambda c, a, b: a**0 + b,
    "pow 1 2 3 4": lambda c, a, b: a**1 + a**2 - a**3 + a**4,
    "pow 5": lambda c, a, b: b**5,
    "pow half": lambda c, a, b: (a * a + 1) ** 0.5 + (b * b + 1) ** -0.5,
    "pow -1 -2": lambda c, a, b: (a * a + 1) ** -1 + (b * b + 1) ** -2.0,
    "pow 1.7": lambda c, a, b: (b * b + 0.5) ** 1.7,
    "pow of terms": lambda c, a, b: (a * a + 0.5) ** b + 2.0**b,
    "maximum": lambda c, a, b: torch.maximum(a, b) + torch.maximum(a, a.detach()),
    "minimum": lambda c, a, b: torch.minimum(a, -a) + torch.minimum(a, b),
    "relu": lambda c, a, b: torch.relu(a),
    "clamp": lambda c, a, b: a.clamp(-0.5, 1),
    "clamp one side": lambda c, a, b: a.clamp_min(0.0) + a.clamp(max=1.0),
    "clamp by terms": lambda c, a, b: torch.clamp(a, -b.abs(), b.abs()) + torch.clamp(a, min=b),
    "lerp": lambda c, a, b: torch.lerp(a, b, 0.3),
    "addcmul": lambda c, a, b: torch.addcmul(a, a, b, value=0.5),
    "xlogy": lambda c, a, b: torch.xlogy(a, b * b + 1),
    # masks
    "where": lambda c, a, b: torch.where(a > 0, a, b),
    "where of a number": lambda c, a, b: torch.where(a >= 0.5, a, 0.0) + torch.where(a <= 0.5, 1.0, b),
    "where of two numbers": lambda c, a, b: torch.where(b < 0, 1.0, -1.0) * a,
    "where of a weight": lambda c, a, b: torch.where(a < c.scalar, c.scalar, b),
    "where of masks": lambda c, a, b: torch.where(a > 0, a > 1, c.scalar) * b,
    "where of whole numbers": lambda c, a, b: torch.where(a > 0, 1, b),
    "masked_fill": lambda c, a, b: a.masked_fill(b > 0, 2.0),
    "masked_fill by a weight": lambda c, a, b: a.masked_fill(b > 0, c.scalar),
    "masked_fill -inf": lambda c, a, b: torch.softmax(a.masked_fill(a < -0.5, -math.inf), -1),
    "comparisons": lambda c, a, b: (a == 0).to(a.dtype) * b + (a != 0.5) * b + (a > c.vector) * b + (a >= b) * a,
    "logic": lambda c, a, b: ((a > 0) & (b > 0) | (a < -0.5)).double() + b,
    "not": lambda c, a, b: torch.logical_not(a).double() + (~(a > 0)).double() + b,
    "logic of numbers": lambda c, a, b: torch.logical_and(a, b) * a + torch.logical_or(a, b > 0) * b,
    "product of masks": lambda c, a, b: ((a > 0) * (b > 0)) * a + ((a > 0) == (b > 0)) * b,
    "count": lambda c, a, b: (a > 0).sum(-1, keepdim=True) * b,
    # activations
    "silu": lambda c, a, b: F.silu(a),
    "softplus": lambda c, a, b: F.softplus(a) + F.softplus(b, beta=2, threshold=3),
    "elu": lambda c, a, b: F.elu(a, alpha=0.7) + F.selu(b) + F.celu(a, alpha=1.3),
    "gelu": lambda c, a, b: F.gelu(a) + F.gelu(b, approximate="tanh"),
    "leaky_relu": lambda c, a, b: F.leaky_relu(a, 0.2),
    "hardtanh": lambda c, a, b: F.hardtanh(a, -0.5, 0.5) + F.relu6(a),
    "hardswish": lambda c, a, b: F.hardswish(a),
    "mish": lambda c, a, b: F.mish(a),
    "logsigmoid": lambda c, a, b: F.logsigmoid(a),
    "softsign": lambda c, a, b: F.softsign(a) + F.tanhshrink(b),
    "threshold": lambda c, a, b: F.threshold(a, 0.1, 20),
    "prelu": lambda c, a, b: F.prelu(a, c.one),
    "glu": lambda c, a, b: F.glu(torch.cat([a, b], -1), -1),
    "logaddexp": lambda c, a, b: torch.logaddexp(a, b),
    "logit": lambda c, a, b: torch.logit(torch.sigmoid(b)),
    # over the units of a row
    "softmax": lambda c, a, b: torch.softmax(a, -1) + torch.softmax(b, 1),
    "log_softmax": lambda c, a, b: torch.log_softmax(a, -1),
    "logsumexp": lambda c, a, b: torch.logsumexp(b, -1)[:, None] * a,
    "layer_norm": lambda c, a, b: F.layer_norm(b, (H,)),
    "layer_norm, weight": lambda c, a, b: F.layer_norm(b, (H,), c.vector),
    "layer_norm, bias": lambda c, a, b: F.layer_norm(b, (H,), None, c.other),
    "layer_norm, both": lambda c, a, b: F.layer_norm(a + b, (H,), c.vector, c.other, 1e-3),
    "layer_norm of pieces": lambda c, a, b: F.layer_norm(torch.cat([a, b[:, 1:]], -1), (2 * H - 1,)),
    "rms_norm": lambda c, a, b: F.rms_norm(b, (H,), c.vector),
    "sum": lambda c, a, b: b * a.sum(1, keepdim=True) + b.sum(-1)[:, None],
    "sum of pieces": lambda c, a, b: torch.cat([a, b], -1).sum(-1, keepdim=True) * b,
    "sum in another type": lambda c, a, b: a.float().sum(-1, dtype=DOUBLE)[:, None] * b,
    "mean": lambda c, a, b: a - a.mean(-1, keepdim=True) + (a * b).mean(-1)[:, None],
    "var": lambda c, a, b: b.var(-1)[:, None] + b.var(-1, unbiased=False, keepdim=True) * a,
    "std": lambda c, a, b: b.std(-1)[:, None] * a,
    "amax": lambda c, a, b: a - b.amax(1, keepdim=True) + torch.round(a).amax(-1)[:, None],
    "amin": lambda c, a, b: a * b.amin(-1)[:, None],
    "norm": lambda c, a, b: b.norm(dim=-1)[:, None] + a.norm(p=1, dim=-1, keepdim=True),
    "norm of nothing": lambda c, a, b: (a * 0).norm(dim=-1, keepdim=True) * b + F.normalize(a * 0, dim=-1),
    "normalize": lambda c, a, b: F.normalize(b, dim=-1),
    # shapes
    "cat": lambda c, a, b: torch.cat([a, b, a * b], -1)[:, 3:9],
    "cat of types": lambda c, a, b: torch.cat([a.long(), b], -1)[:, 2:6],
    "split": lambda c, a, b: torch.cat(torch.split(b, [1, 3], 1)[::-1], 1) * b.split(2, -1)[1][:, :1],
    "chunk": lambda c, a, b: torch.cat([b.chunk(2, -1)[0] * a.chunk(2, 1)[1], a[:, :2]], 1),
    "narrow": lambda c, a, b: b.narrow(1, 1, 2).sum(-1, keepdim=True) * a.narrow(-1, -2, 1),
    "slice": lambda c, a, b: torch.hstack([b[:, 1:3], b[:, -3:-1]]),
    "select": lambda c, a, b: b[:, 2:3] * a[:, -2][:, None] + b[..., -1].unsqueeze(1),
    "unbind": lambda c, a, b: torch.stack([b.unbind(1)[1], a.unbind(-1)[0], b[:, 3], a[:, 3]], -1),
    "expand": lambda c, a, b: a[:, :1].expand(-1, H) * b + torch.broadcast_to(a[:, 1:2], b.shape),
    "view": lambda c, a, b: b.view(len(b), H) * a.reshape(-1, H) + a.flatten(1) + a.squeeze(),
    "one step": lambda c, a, b: (a[:, None] * b[:, None] + c.vector).sum(1) + b[:, None][:, 0],
    "filled": lambda c, a, b: torch.zeros_like(a) + b.new_zeros(len(b), H) + torch.ones(len(a), 1, dtype=a.dtype) * b,
    "full": lambda c, a, b: torch.full_like(b, 0.5) * b + a.new_full((len(a), H), 2.0) * torch.full((len(a), 1), 0.5),
    "arange": lambda c, a, b: (
        torch.arange(H) * b + torch.arange(4.0, dtype=DOUBLE) * a + torch.where(torch.arange(H) < 2, a, b)
    ),
    "detach": lambda c, a, b: a * b.detach() + (b > 0).to(b) * a.clone(),
    "in place, on its own": lambda c, a, b: (a * b).add_(1).mul_(2).sigmoid_(),
    # weights
    "vector": lambda c, a, b: a * c.vector + c.other - c.kept,
    "row": lambda c, a, b: a * c.row + c.row,
    "scalar": lambda c, a, b: a * c.scalar + c.scalar + b * c.one,
    "used twice": lambda c, a, b: a @ c.square + b @ c.square,
    "turned": lambda c, a, b: a @ c.square.t() + b @ c.square,
    "sliced": lambda c, a, b: (a @ c.square[:, :2])[:, :1] + a[:, :2] @ c.square[1:3],
    "linear": lambda c, a, b: F.linear(a, c.square, c.vector) + F.linear(b, c.tall)[:, :H],
    "normalised": lambda c, a, b: F.linear(b, F.normalize(c.square, dim=1)) + a @ torch.softmax(c.square, 0),
    "exponential": lambda c, a, b: a * torch.exp(c.vector) + b @ torch.tanh(c.square),
    "matrix and vector": lambda c, a, b: (b @ c.vector)[:, None] * a,
    "vector of rows and weight": lambda c, a, b: a[:, :1] @ c.row + a[:, :1] * c.row,
    "parts of a vector": lambda c, a, b: b * c.vector[0] + b[:, 1:].sum(-1, keepdim=True) * c.vector[1:2],
    "addmm": lambda c, a, b: torch.addmm(b, a, c.square),
    "two in a row": lambda c, a, b: (a @ c.square) @ c.square,
    "low rank": lambda c, a, b: (b @ c.thin) @ c.thin.t(),
    "joined": lambda c, a, b: torch.cat([a, b], -1) @ torch.cat([c.square, c.square.t()], 0),
    "alone": lambda c, a, b: c.vector.expand(len(a), -1) * 1.0 + b * 0,
    # types
    "single in double": lambda c, a, b: a * c.single + (a.float() * c.single).double() * b,
    "through single": lambda c, a, b: a.float().double() + b,
    "comparison in single": lambda c, a, b: (a.float() == c.single) * b + (a.float() > 0.1) * b,
    "whole numbers": lambda c, a, b: a.long() * b + (a.long() * 3 - 1).abs().double() + (a.long() / 2) * b,
    "comparison of whole numbers": lambda c, a, b: (a.long() > 0.5) * b + (a.long() >= 0) * a + (a.long() < -1.5) * b,
    "clamp of whole numbers": lambda c, a, b: torch.clamp(a.long(), 0, 1) * b + torch.maximum(a.long(), -a.long()) * b,
    "sum of whole numbers": lambda c, a, b: a.long().sum(-1)[:, None] * b,
}

REFUSED = {
    "a row of another": (lambda c, a, b: b.flip(0) + a, "prims.rev"),
    "mean over rows": (lambda c, a, b: a - b.mean(0), "over rows"),
    "sum over rows": (lambda c, a, b: a + b.sum(0), "total"),
    "sum over all": (lambda c, a, b: a + b.sum(), "total"),
    "softmax over rows": (lambda c, a, b: torch.softmax(a, 0) * b, "over rows"),
    "softmax over rows of one unit": (lambda c, a, b: torch.softmax(a[:, 0], -1)[:, None] * b, "over rows"),
    "cat over rows": (lambda c, a, b: torch.cat([a, b], 0)[: len(a)], "how many rows"),
    "cat over rows of one unit": (lambda c, a, b: torch.cat([a[:, 0], b[:, 0]], -1).sum() * b, "along rows"),
    "rows with rows": (lambda c, a, b: a @ b.t() @ b, "other than in its first|elsewhere"),
    "a unit with all rows": (lambda c, a, b: a * (a[:, :1] * b[:, 1]).mean(-1, keepdim=True), "elsewhere"),
    "rows in view": (lambda c, a, b: a.view(H, -1).t() + b, "elsewhere|how many rows"),
    "shift over rows": (lambda c, a, b: a[1:].sum(0) + b, "along rows"),
    "the first row": (lambda c, a, b: a[0] + b, "of one row"),
    "how many rows": (lambda c, a, b: a / len(b), "how many rows"),
    "a branch on how many rows": (lambda c, a, b: a if len(b) < 40 else b, "how many rows"),
    "remainder of whole numbers": (lambda c, a, b: a.long() % 2 * b, "remainder of numbers of type int64"),
    "division of whole numbers": (lambda c, a, b: (a.long() // 2) * b, "divide of numbers of type int64"),
    "highest whole number": (lambda c, a, b: a.long().amax(-1, keepdim=True) * b, "max of numbers of type int64"),
    "sum of masks": (lambda c, a, b: ((a > 0) + (b > 0)) * b, "add of numbers of type bool"),
    "product of whole numbers": (lambda c, a, b: (a.long() @ torch.ones(H, H).long()) * b, "numbers of type int64"),
    "half": (lambda c, a, b: a.half().double() + b, "float16"),
    "an option": (lambda c, a, b: torch.round(a, decimals=1) * b, "decimals"),
    "products with factors": (lambda c, a, b: torch.addmm(c.vector, b, c.square, beta=0.5), "with beta"),
    "no derivative": (lambda c, a, b: a // c.vector, "floor_divide is not implemented"),
    "no operation": (lambda c, a, b: torch.special.bessel_j0(a) + b, "bessel_j0"),
    "every other unit": (lambda c, a, b: a[:, ::2].sum(-1, keepdim=True) + b, "with a step"),
    "batch norm": (lambda c, a, b: F.batch_norm(a, None, None, training=True) + b, "mixes rows"),
}  # fmt: skip


@pytest.fixture(scope="module")
def cell():
    return Weights()


@pytest.fixture(scope="module")
def numbers():
    """z with zeros, ties and the bounds of the operations above, and a state."""
    special = torch.tensor([0, 0.5, -0.5, 1, -1, 2, -3, 3, 0.1, 0.7, -1.4, 1.5], dtype=DOUBLE)
    chance = torch.Generator().manual_seed(3)
    z = torch.where(
        torch.rand(ROWS, H, generator=chance) < 0.5,
        special[torch.randint(0, len(special), (ROWS, H), generator=chance)],
        drawn((ROWS, H), 4),
    )
    return z, State(drawn((ROWS, H), 5)), [drawn((ROWS, H), 6), drawn((ROWS, H), 7)]


def stepping(operation, cell):
    def step(z, state):
        y = operation(cell, z, state.hidden)
        y = y if y.shape[1] == H else y.mean(-1, keepdim=True).expand(-1, H)
        return y.double(), State((0.5 * state.hidden + y).double())

    return step


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_and_its_gradient(name, cell, numbers):
    z, state, cotangents = numbers
    ours, theirs = interpreted(stepping(OPERATIONS[name], cell), slots_of(cell), z, state, cotangents)
    single = "single" in name
    assert distance(ours[0], theirs[0]) <= 1e-12
    for n, (mine, wanted) in enumerate(zip(ours[1], theirs[1], strict=True)):
        assert distance(mine, wanted) <= (1e-5 if single else 1e-12), n


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_sweep_can_do_is_refused_by_name(name, cell, numbers):
    operation, reason = REFUSED[name]
    with pytest.raises(UntraceableError, match=reason):
        interpreted(stepping(operation, cell), slots_of(cell), *numbers)


def test_hardsigmoid_to_the_sixth_that_torch_rounds_to_single(cell, numbers):
    z, state, cotangents = numbers
    step = stepping(lambda c, a, b: F.hardsigmoid(a) * b, cell)
    ours, theirs = interpreted(step, slots_of(cell), z, state, cotangents)
    assert distance(ours, theirs) <= 1e-7


def test_long_chains_are_lowered_and_planned(cell, numbers):
    z, state, _ = numbers

    def chain(c, a, b):
        for _ in range(600):
            b = b + 0.01 * torch.sin(a + b)
        return b

    traced = trace(stepping(chain, cell), slots_of(cell), z[:1], state)
    made = plan(differentiate(traced, [True], [True], []))
    assert len(made.graph.nodes) > 1200


def test_equal_expressions_are_one():
    graph = Graph()
    x = graph.load("z", 0, "float64")
    assert graph.apply("tanh", x) == graph.apply("tanh", graph.load("z", 0, "float64"))
    assert graph.constant(1, "float64") != graph.constant(1, "int64") != graph.constant(True, "bool")


@pytest.mark.parametrize(
    ("operation", "operands", "simple"),
    [
        ("add", (0.0, None), True), ("add", (None, 0.0), True), ("subtract", (None, 0.0), True),
        ("multiply", (1.0, None), True), ("multiply", (None, 1.0), True), ("divide", (None, 1.0), True),
        ("multiply", (0.0, None), False), ("divide", (1.0, None), False), ("subtract", (1.0, None), False),
    ],
)  # fmt: skip
def test_what_a_constant_makes_trivial_is_not_done(operation, operands, simple):
    graph = Graph()
    x = graph.load("z", 0, "float64")
    nodes = [x if value is None else graph.constant(value, "float64") for value in operands]
    assert (graph.apply(operation, *nodes) == x) is simple


def test_a_select_with_a_constant_mask_is_one_of_its_sides():
    graph = Graph()
    x, y = graph.load("z", 0, "float64"), graph.load("z", 1, "float64")
    assert graph.apply("select", graph.constant(True, "bool"), x, y) == x
    assert graph.apply("select", graph.constant(False, "bool"), x, y) == y


def test_slices_move_offsets_and_neighbours_become_one():
    graph = Graph()
    x = Rows((Piece(8, graph.apply("tanh", graph.load("z", 0, "float64"))),))
    halves = graph.cut(x.pieces, 0, 4), graph.cut(x.pieces, 4, 8)
    assert halves[1][0].node != x.pieces[0].node
    assert graph.join([*halves[0], *halves[1]]) == x.pieces
    assert graph.join([*halves[1], *halves[0]]) != x.pieces


def test_a_shared_tensor_is_never_seen_in_another_form(cell):
    """A vector that is seen as a matrix would be read past its end."""
    lowering = Lowering(61, [])
    vector = Shared(0, (H,), "float64")
    assert lowering.shaped(vector, (1, H)).shape == (1, H)
    for shape in ((2, 2), (3, H), (H, H)):
        with pytest.raises(UntraceableError):
            lowering.shaped(vector, shape)
