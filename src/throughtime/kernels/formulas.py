"""What torch's pointwise operations are, as formulas of one unit.

A formula takes terms (for tensors) and numbers, and gives a term. Adding an operation to the sweeps is adding a
line here; what is not here is first taken apart by torch's own decompositions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from throughtime.errors import UntraceableError
from throughtime.kernels.expression import Graph

Operand = Any  # a Term or a number


@dataclass(frozen=True, eq=False)
class Term:
    """An expression that formulas can be written with."""

    graph: Graph
    number: int

    @property
    def element(self) -> str:
        """float32, float64, int64 or bool."""
        return self.graph[self.number].element

    def cast(self, element: str) -> "Term":
        """As another element type."""
        return Term(self.graph, self.graph.cast(self.number, element))

    def like(self, other: Operand) -> "Term":
        """The other operand as a term of this one's element type."""
        if isinstance(other, Term):
            return other
        return Term(self.graph, self.graph.constant(other, self.element))

    def apply(self, operation: str, *others: Operand, element: str | None = None) -> "Term":
        """A pointwise operation with this term as its first operand."""
        operands = [self.number, *(self.like(other).number for other in others)]
        return Term(self.graph, self.graph.apply(operation, *operands, element=element))

    def __add__(self, other: Operand) -> "Term":
        return self.apply("add", other)

    def __radd__(self, other: Operand) -> "Term":
        return self.like(other) + self

    def __sub__(self, other: Operand) -> "Term":
        return self.apply("subtract", other)

    def __rsub__(self, other: Operand) -> "Term":
        return self.like(other) - self

    def __mul__(self, other: Operand) -> "Term":
        return self.apply("multiply", other)

    def __rmul__(self, other: Operand) -> "Term":
        return self.like(other) * self

    def __truediv__(self, other: Operand) -> "Term":
        return self.apply("divide", other)

    def __rtruediv__(self, other: Operand) -> "Term":
        return self.like(other) / self

    def __neg__(self) -> "Term":
        return self.apply("negative")

    def __lt__(self, other: Operand) -> "Term":
        return self.apply("less", other, element="bool")

    def __le__(self, other: Operand) -> "Term":
        return self.apply("at_most", other, element="bool")

    def __gt__(self, other: Operand) -> "Term":
        return self.apply("more", other, element="bool")

    def __ge__(self, other: Operand) -> "Term":
        return self.apply("at_least", other, element="bool")


def where(mask: Term, yes: Operand, no: Operand) -> Term:
    """yes where the mask holds, else no; one of them may be a number."""
    either = yes if isinstance(yes, Term) else no
    if not isinstance(either, Term):
        raise UntraceableError("aten.where of two numbers")
    return Term(mask.graph, mask.graph.apply("select", mask.number, either.like(yes).number, either.like(no).number))


def _unary(operation: str) -> Callable[[Term], Term]:
    return lambda x: x.apply(operation)


def _binary(operation: str) -> Callable[..., Term]:
    return lambda a, b: a.apply(operation, b) if isinstance(a, Term) else b.like(a).apply(operation, b)


def _compare(operation: str) -> Callable[..., Term]:
    return lambda a, b: a.apply(operation, b, element="bool")


def _multiply(a: Operand, b: Operand) -> Term:
    both = isinstance(a, Term) and a.element == "bool"
    return _binary("and" if both else "multiply")(a, b)


def _power(x: Operand, exponent: Operand) -> Term:
    roots = {0.5: "sqrt", -0.5: "rsqrt", -1.0: "reciprocal"}
    if isinstance(x, Term) and isinstance(exponent, int | float):
        if exponent in roots:
            return x.apply(roots[exponent])
        if exponent in (1, 2, 3, 4):
            square = x * x if exponent > 1 else x
            return {1: x, 2: square, 3: square * x, 4: square * square}[int(exponent)]
    return _binary("power")(x, exponent)


def _divide(a: Operand, b: Operand, rounding_mode: str | None = None) -> Term:
    quotient: Term = a / b
    if rounding_mode == "floor" and isinstance(a, Term):  # as torch and Python: 1 // 0.1 is 9, for 0.1 is a bit more
        b = a.like(b)
        whole = ((a - a.apply("remainder", b)) / b).apply("round")
        return where(b.apply("equal", 0.0, element="bool"), quotient, whole)
    return quotient if rounding_mode is None else quotient.apply(rounding_mode)


def _clamp(x: Term, low: Operand = None, high: Operand = None) -> Term:
    x = x if low is None else x.apply("maximum", low)
    return x if high is None else x.apply("minimum", high)


def _silu_backward(grad: Term, x: Term) -> Term:
    s = x.apply("sigmoid")
    return grad * s * (1 + x * (1 - s))


def _softplus(x: Term, beta: float = 1, threshold: float = 20) -> Term:
    return where(x * beta > threshold, x, (x * beta).apply("exp").apply("log1p") / beta)


def _softplus_backward(grad: Term, x: Term, beta: float, threshold: float) -> Term:
    return where(x * beta > threshold, grad, grad * (x * beta).apply("sigmoid"))


def _elu(x: Term, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Term:
    return where(x > 0, x * scale, (x * input_scale).apply("expm1") * (alpha * scale))


def _elu_backward(grad: Term, alpha: float, scale: float, input_scale: float, is_result: bool, x: Term) -> Term:
    below = x + alpha * scale if is_result else (x * input_scale).apply("exp") * (alpha * scale)
    return where(x > 0, grad * scale, grad * input_scale * below)


def _gelu(x: Term, approximate: str = "none") -> Term:
    if approximate == "tanh":
        return 0.5 * x * (1 + (0.7978845608028654 * (x + 0.044715 * x * x * x)).apply("tanh"))
    return 0.5 * x * (1 + (x * 0.7071067811865476).apply("erf"))


def _gelu_backward(grad: Term, x: Term, approximate: str = "none") -> Term:
    if approximate == "tanh":
        t = (0.7978845608028654 * (x + 0.044715 * x * x * x)).apply("tanh")
        slope = 0.7978845608028654 * (1 + 3 * 0.044715 * x * x)
        return grad * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope)
    density = (-0.5 * x * x).apply("exp") * 0.3989422804014327
    return grad * (0.5 * (1 + (x * 0.7071067811865476).apply("erf")) + x * density)


def _leaky_relu(x: Term, slope: float = 0.01) -> Term:
    return where(x > 0, x, x * slope)


FORMULAS: dict[str, Callable[..., Term]] = {
    name: _unary(operation)
    for name, operation in {
        "neg": "negative", "abs": "absolute", "sgn": "sign", "sign": "sign", "exp": "exp", "expm1": "expm1",
        "log": "log", "log1p": "log1p", "sin": "sin", "cos": "cos", "sqrt": "sqrt", "rsqrt": "rsqrt", "erf": "erf",
        "tanh": "tanh", "sigmoid": "sigmoid", "reciprocal": "reciprocal", "floor": "floor", "ceil": "ceil",
        "trunc": "trunc", "round": "round", "logical_not": "not", "bitwise_not": "not",
    }.items()
}  # fmt: skip
FORMULAS |= {
    name: _binary(operation)
    for name, operation in {
        "maximum": "maximum", "minimum": "minimum", "remainder": "remainder",
        "logical_and": "and", "bitwise_and": "and", "logical_or": "or", "bitwise_or": "or",
    }.items()
}  # fmt: skip
COMPARISONS: dict[str, Callable[..., Term]] = {
    name: _compare(operation)
    for name, operation in {
        "lt": "less", "le": "at_most", "gt": "more", "ge": "at_least", "eq": "equal", "ne": "differs",
    }.items()
}  # fmt: skip
FORMULAS |= {
    "add": lambda a, b, alpha=1: a + b * alpha if alpha != 1 else a + b,
    "sub": lambda a, b, alpha=1: a - b * alpha if alpha != 1 else a - b,
    "rsub": lambda a, b, alpha=1: b - a * alpha if alpha != 1 else b - a,
    "mul": _multiply,
    "div": _divide,
    "pow": _power,
    "relu": lambda x: x.apply("maximum", 0.0),
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": lambda x, high: _clamp(x, None, high),
    "where": where,
    "masked_fill": lambda x, mask, value: where(mask, x.like(value), x),
    "lerp": lambda a, b, weight: a + weight * (b - a),
    "addcmul": lambda x, a, b, value=1: x + a * b * value,
    "addcdiv": lambda x, a, b, value=1: x + a / b * value,
    "silu": lambda x: x * x.apply("sigmoid"),
    "softplus": _softplus,
    "elu": _elu,
    "gelu": _gelu,
    "leaky_relu": _leaky_relu,
    "hardtanh": lambda x, low=-1, high=1: _clamp(x, low, high),
    "hardsigmoid": lambda x: _clamp(x + 3, 0, 6) / 6,
    "hardswish": lambda x: x * _clamp(x + 3, 0, 6) / 6,
    "sigmoid_backward": lambda grad, y: grad * y * (1 - y),
    "tanh_backward": lambda grad, y: grad * (1 - y * y),
    "threshold_backward": lambda grad, x, threshold: where(x <= threshold, 0.0, grad),
    "silu_backward": _silu_backward,
    "softplus_backward": _softplus_backward,
    "elu_backward": _elu_backward,
    "gelu_backward": _gelu_backward,
    "leaky_relu_backward": lambda grad, x, slope, is_result: where(x > 0, grad, grad * slope),
    "hardtanh_backward": lambda grad, x, low, high: where((x <= low).apply("or", x >= high), 0.0, grad),
    "hardsigmoid_backward": lambda grad, x: where((x > -3).apply("and", x < 3), grad / 6, 0.0),
}
