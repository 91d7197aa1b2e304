"""The vector type of Numba functions, and terms: LLVM values with arithmetic, from which its functions are emitted."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.errors import TypingError
from numba.core.typing import templates
from numba.extending import intrinsic, models, register_model

signature: Any = templates.signature

BIT, BYTE, INT, LONG = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
FLOAT, DOUBLE = ir.FloatType(), ir.DoubleType()

# name: (type in a register, type in memory, bytes in memory, Numba's scalar)
ELEMENTS: dict[str, tuple[Any, Any, int, Any]] = {
    "float32": (FLOAT, FLOAT, 4, types.float32),
    "float64": (DOUBLE, DOUBLE, 8, types.float64),
    "int64": (LONG, LONG, 8, types.int64),
    "bool": (BIT, BYTE, 1, types.boolean),
}
FLOATS = ("float32", "float64")
NUMBERS = ("float32", "float64", "int64")
SUFFIX = {FLOAT: "f32", DOUBLE: "f64", LONG: "i64", BYTE: "i8"}


class Vector(types.Type):
    """Numba's type of a vector: `lanes` elements "float32", "float64", "int64" or "bool" side by side."""

    def __init__(self, element: str, lanes: int) -> None:
        if element not in ELEMENTS:
            raise TypingError(f"element is {element!r}; choose one of {', '.join(ELEMENTS)}.")
        if lanes < 1 or lanes & (lanes - 1):
            raise TypingError(f"lanes is {lanes}; it has to be a power of two, such as 4, 8 or 16.")
        self.element, self.lanes = element, lanes
        super().__init__(name=f"Vector({element} x {lanes})")


class VectorModel(models.PrimitiveModel):
    """A vector is one LLVM value everywhere."""

    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            manager, kind, ir.VectorType(ELEMENTS[kind.element][0], kind.lanes)
        )


register_model(Vector)(VectorModel)


def declared(module: Any, name: str, kind: Any) -> Any:
    """LLVM's function `name`, which the module declares once."""
    return module.globals.get(name) or ir.Function(module, kind, name)


@dataclass(frozen=True, eq=False)
class Term:
    """An LLVM value with arithmetic, so that what emits a formula reads like the formula.

    Python numbers become constants of the other side's type. `flags` mark the floating-point arithmetic on this term.
    """

    builder: Any
    value: Any
    flags: tuple[str, ...] = ()

    @property
    def type(self) -> Any:
        """The LLVM type."""
        return self.value.type

    @property
    def lanes(self) -> int:
        """The number of lanes of a vector."""
        return int(self.type.count)

    @property
    def real(self) -> bool:
        """Whether the lanes are floating point."""
        return self.type.element in (FLOAT, DOUBLE)

    def number(self, number: "float | Term") -> "Term":
        """A vector of this type that holds `number` in every lane; a term stays as it is."""
        if isinstance(number, Term):
            return number
        return self.of(ir.Constant(self.type, [ir.Constant(self.type.element, number)] * self.lanes))

    def of(self, value: Any) -> "Term":
        """A term of another value."""
        return Term(self.builder, value, self.flags)

    def call(self, name: str, *operands: "float | Term") -> "Term":
        """LLVM's function `name`, on this and further operands of the same type."""
        values = [self.value, *(self.number(operand).value for operand in operands)]
        kind = ir.FunctionType(self.type, [self.type] * len(values))
        full_name = f"llvm.{name}.v{self.lanes}{SUFFIX[self.type.element]}"
        return self.of(self.builder.call(declared(self.builder.module, full_name, kind), values))

    def _arithmetic(self, other: "float | Term", real: str, whole: str) -> "Term":
        value = self.number(other).value
        if self.real:
            return self.of(getattr(self.builder, real)(self.value, value, flags=self.flags))
        return self.of(getattr(self.builder, whole)(self.value, value))

    def __add__(self, other: "float | Term") -> "Term":
        return self._arithmetic(other, "fadd", "add")

    def __sub__(self, other: "float | Term") -> "Term":
        return self._arithmetic(other, "fsub", "sub")

    def __rsub__(self, other: "float | Term") -> "Term":
        return self.number(other) - self

    def __mul__(self, other: "float | Term") -> "Term":
        return self._arithmetic(other, "fmul", "mul")

    def __truediv__(self, other: "float | Term") -> "Term":
        return self._arithmetic(other, "fdiv", "none")

    def __rtruediv__(self, other: "float | Term") -> "Term":
        return self.number(other) / self

    def __neg__(self) -> "Term":
        return self.of(self.builder.fneg(self.value, flags=self.flags) if self.real else self.builder.neg(self.value))

    def __and__(self, other: "float | Term") -> "Term":
        return self._arithmetic(other, "none", "and_")

    def __or__(self, other: "float | Term") -> "Term":
        return self._arithmetic(other, "none", "or_")

    def __invert__(self) -> "Term":
        return self.of(self.builder.not_(self.value))

    def __lshift__(self, count: int) -> "Term":
        return self._arithmetic(count, "none", "shl")

    def __rshift__(self, count: int) -> "Term":
        return self._arithmetic(count, "none", "ashr")

    def compare(self, sign: str, other: "float | Term") -> "Term":
        """A mask; with a NaN on either side it is false, but for "!=" true."""
        if not self.real:
            return self.of(self.builder.icmp_signed(sign, self.value, self.number(other).value))
        compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        return self.of(compare(sign, self.value, self.number(other).value))

    def __lt__(self, other: "float | Term") -> "Term":
        return self.compare("<", other)

    def __gt__(self, other: "float | Term") -> "Term":
        return self.compare(">", other)

    def __le__(self, other: "float | Term") -> "Term":
        return self.compare("<=", other)

    def __ge__(self, other: "float | Term") -> "Term":
        return self.compare(">=", other)

    def equals(self, other: "float | Term") -> "Term":
        """A mask of the lanes where both are the same number."""
        return self.compare("==", other)

    def differs(self, other: "float | Term") -> "Term":
        """A mask of the lanes where both are not the same number."""
        return self.compare("!=", other)

    def choose(self, yes: "Term", no: "float | Term") -> "Term":
        """`yes` where this mask is true, `no` elsewhere."""
        return yes.of(self.builder.select(self.value, yes.value, yes.number(no).value))

    def shuffled(self, order: list[int]) -> "Term":
        """The lanes in another order."""
        places = ir.Constant(ir.VectorType(INT, self.lanes), order)
        return self.of(self.builder.shuffle_vector(self.value, self.value, places))

    def everywhere(self, lanes: int) -> "Term":
        """A vector with this scalar in every lane."""
        empty = ir.Constant(ir.VectorType(self.type, lanes), ir.Undefined)
        return self.of(self.builder.insert_element(empty, self.value, INT(0))).shuffled([0] * lanes)

    def below(self, lanes: int) -> "Term":
        """A mask of the first lanes, as many as this scalar says; all true when it is the constant `lanes`."""
        places = ir.Constant(ir.VectorType(INT, lanes), list(range(lanes)))
        return self.of(places) < self.of(self.builder.trunc(self.value, INT)).everywhere(lanes)


Typing = Callable[..., Any]


def emitted(name: str, typing: Typing, emit: Callable[..., Term | None], description: str | None = None) -> Any:
    """An intrinsic: `typing` gives the signature for the types, `emit` the result for the terms of the arguments."""

    def definition(_context: Any, *arguments: Any) -> Any:
        def generate(_target: Any, builder: Any, _signature: Any, values: Any) -> Any:
            result = emit(*(Term(builder, value) for value in values))
            return ir.Constant(BYTE.as_pointer(), None) if result is None else result.value

        return typing(*arguments), generate

    definition.__name__, definition.__doc__ = name, description or emit.__doc__
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    definition.__signature__ = inspect.Signature([context, *inspect.signature(emit).parameters.values()])  # type: ignore[attr-defined]
    return intrinsic(definition)


def same(name: str, elements: tuple[str, ...], result: str | None = None) -> Typing:
    """Typing of a function of vectors of one type, its element in `elements`; `result` is the result's, if another."""

    def typing(*arguments: Any) -> Any:
        given = ", ".join(str(argument) for argument in arguments)
        first = arguments[0]
        if not isinstance(first, Vector) or any(argument != first for argument in arguments):
            raise TypingError(f"{name} got {given}; it takes vectors of one type. Use fill or as_{elements[0]} first.")
        if first.element not in elements:
            raise TypingError(f"{name} got {given}; it takes elements {', '.join(elements)}. Cast them first.")
        return signature(Vector(result or first.element, first.lanes), *arguments)

    return typing


def pointwise(elements: tuple[str, ...] = FLOATS) -> Callable[[Callable[..., Term]], Any]:
    """Makes an intrinsic of a function that emits its formula for terms, all vectors of one type."""

    def make(emit: Callable[..., Term]) -> Any:
        return emitted(emit.__name__, same(emit.__name__, elements), emit)

    return make
