"""SIMD vectors as values inside Numba functions: one `Vector` is one LLVM register type, such as <16 x float>.

Memory is addressed by 64-bit integers, so no array lives inside a kernel and nothing depends on the auto-vectoriser.
Every function here is emitted in line. All vectors of a kernel have the same number of lanes, whatever their element.

Arithmetic is IEEE 754, except that a product and a sum may become one fused multiply-add; NaN and infinity propagate.
"""

import functools
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba.core import types
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin

from throughtime.kernels.term import (
    BIT,
    BYTE,
    DOUBLE,
    ELEMENTS,
    FLOATS,
    INT,
    LONG,
    NUMBERS,
    SUFFIX,
    Term,
    Vector,
    declared,
    emitted,
    pointwise,
    same,
    signature,
)

# Memory -------------------------------------------------------------------------------------------------------------


def _pointer(address: Term, index: Term, size: int, kind: Any) -> Any:
    place = address.builder.add(address.value, address.builder.mul(index.value, LONG(size)))
    return address.builder.inttoptr(place, kind.as_pointer())


def _word(address: Term, index: Term) -> Term:
    """The 64-bit integer at address + 8 index."""
    return address.of(address.builder.load(_pointer(address, index, 8, LONG), align=8))


word = emitted("word", lambda *_: signature(types.int64, types.int64, types.int64), _word)


def _prefetch(address: Term) -> None:
    """Asks for the cache line at the address, and does not wait. Any address will do, one that does not exist too."""
    pointer = BYTE.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, INT, INT, INT])
    operands = [address.builder.inttoptr(address.value, pointer), INT(0), INT(3), INT(1)]  # to read, soon, data
    address.builder.call(declared(address.builder.module, "llvm.prefetch.p0", kind), operands)


prefetch = emitted("prefetch", lambda *_: signature(types.void, types.int64), _prefetch)


def _masked(builder: Any, action: str, kind: Any, result: Any, operands: list[Any]) -> Any:
    name = f"llvm.masked.{action}.v{kind.count}{SUFFIX[kind.element]}.p0"
    function = ir.FunctionType(result, [operand.type for operand in operands])
    return builder.call(declared(builder.module, name, function), operands)


@functools.cache
def load(element: str, lanes: int) -> Any:
    """Makes load(address, index, count): the first `count` elements from address + index; the other lanes are zero."""
    _, memory, size, _ = ELEMENTS[element]
    kind = ir.VectorType(memory, lanes)

    def emit(address: Term, index: Term, count: Term) -> Term:
        align, zero = INT(1 if element == "bool" else size), ir.Constant(kind, None)
        operands = [_pointer(address, index, size, kind), align, count.below(lanes).value, zero]
        result = address.of(_masked(address.builder, "load", kind, kind, operands))
        return result.differs(0) if element == "bool" else result

    place = (types.int64, types.int64, types.int64)
    return emitted(f"load_{element}", lambda *_: signature(Vector(element, lanes), *place), emit, load.__doc__)


@functools.cache
def store(element: str, lanes: int) -> Any:
    """Makes store(address, index, count, value): writes the first `count` lanes from address + index on."""
    _, memory, size, _ = ELEMENTS[element]
    kind = ir.VectorType(memory, lanes)

    def typing(_address: Any, _index: Any, _count: Any, value: Any) -> Any:
        if value != Vector(element, lanes):
            raise TypingError(f"store of {Vector(element, lanes)} got {value}. Use as_{element} first.")
        return signature(types.void, types.int64, types.int64, types.int64, value)

    def emit(address: Term, index: Term, count: Term, value: Term) -> None:
        lane = address.builder.zext(value.value, kind) if element == "bool" else value.value
        operands = [lane, _pointer(address, index, size, kind), INT(size), count.below(lanes).value]
        _masked(address.builder, "store", kind, ir.VoidType(), operands)

    return emitted(f"store_{element}", typing, emit, store.__doc__)


@functools.cache
def spread(element: str, lanes: int) -> Any:
    """Makes spread(address, index): the one element at address + index in every lane."""
    _, memory, size, _ = ELEMENTS[element]

    def emit(address: Term, index: Term) -> Term:
        scalar = address.builder.load(_pointer(address, index, size, memory), align=size)
        result = address.of(scalar).everywhere(lanes)
        return result.differs(0) if element == "bool" else result

    typing = signature(Vector(element, lanes), types.int64, types.int64)
    return emitted(f"spread_{element}", lambda *_: typing, emit, spread.__doc__)


@functools.cache
def fill(element: str, lanes: int) -> Any:
    """Makes fill(number): the number in every lane."""
    scalar = ELEMENTS[element][3]
    typing = signature(Vector(element, lanes), scalar)
    return emitted(f"fill_{element}", lambda *_: typing, lambda number: number.everywhere(lanes), fill.__doc__)


# Operators ----------------------------------------------------------------------------------------------------------


def _operator(sign: Any, elements: tuple[str, ...], result: str | None = None) -> None:
    name = sign.__name__
    typing = same(name, elements, result)

    class Template(AbstractTemplate):
        key = sign

        def generic(self, arguments: Any, _named: Any) -> Any:
            return typing(*arguments) if any(isinstance(argument, Vector) for argument in arguments) else None

    def lower(_target: Any, builder: Any, _signature: Any, values: Any) -> Any:
        terms = [Term(builder, value, flags=("contract",)) for value in values]
        if name in COMPARISONS:
            return terms[0].compare(COMPARISONS[name], terms[1]).value
        return sign(*terms).value

    infer_global(sign)(Template)  # type: ignore[no-untyped-call]
    lower_builtin(sign, *[Vector] * (1 if name in ("neg", "invert") else 2))(lower)  # type: ignore[no-untyped-call]


COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_REAL = (operator.truediv, operator.itruediv)
_SUMS = (operator.add, operator.sub, operator.mul, operator.iadd, operator.isub, operator.imul, operator.neg)
_ORDERS = (operator.lt, operator.le, operator.gt, operator.ge)
_LOGIC = (operator.and_, operator.or_, operator.iand, operator.ior, operator.invert)
for _signs, _elements, _result in (
    (_REAL, FLOATS, None),
    (_SUMS, NUMBERS, None),
    (_LOGIC, ("bool",), None),
    (_ORDERS, NUMBERS, "bool"),
    ((operator.eq, operator.ne), tuple(ELEMENTS), "bool"),
):
    for _sign in _signs:
        _operator(_sign, _elements, _result)


# Selection, reduction, casts ----------------------------------------------------------------------------------------


def _select_typing(mask: Any, yes: Any, no: Any) -> Any:
    if not isinstance(yes, Vector) or no != yes or mask != Vector("bool", yes.lanes):
        raise TypingError(f"select got {mask}, {yes}, {no}; it takes a bool vector and two vectors of one type.")
    return signature(yes, mask, yes, no)


def _select(mask: Term, yes: Term, no: Term) -> Term:
    """`yes` where the mask is true, `no` elsewhere."""
    return mask.choose(yes, no)


select = emitted("select", _select_typing, _select)


def _extreme(sign: str, left: Term, right: Term) -> Term:
    chosen = left.compare(sign, right).choose(left, right)  # `right` where either is NaN
    return left.differs(left).choose(left, chosen) if left.real else chosen


@pointwise(NUMBERS)
def minimum(left: Term, right: Term) -> Term:
    """The smaller one; NaN where either is NaN."""
    return _extreme("<", left, right)


@pointwise(NUMBERS)
def maximum(left: Term, right: Term) -> Term:
    """The larger one; NaN where either is NaN."""
    return _extreme(">", left, right)


def _first_typing(value: Any, _count: Any, other: Any = None) -> Any:
    if not isinstance(value, Vector):
        raise TypingError(f"first got {value}; it takes a vector. Use fill first.")
    number = () if other is None else (ELEMENTS[value.element][3],)
    return signature(value, value, types.int64, *number)


def _first(value: Term, count: Term) -> Term:
    """The first `count` lanes; the others are zero."""
    return count.below(value.lanes).choose(value, 0)


def _first_or(value: Term, count: Term, other: Term) -> Term:
    """The first `count` lanes; the others are `other`, a number."""
    return count.below(value.lanes).choose(value, other.everywhere(value.lanes))


first = emitted("first", _first_typing, _first)
first_or = emitted("first_or", _first_typing, _first_or)


def _halving(value: Term, join: Callable[[Term, Term], Term]) -> Term:
    half = value.lanes // 2
    while half:  # lane i meets lane i ^ half: every lane ends with the same bits
        value = join(value, value.shuffled([lane ^ half for lane in range(value.lanes)]))
        half //= 2
    return value


@pointwise(NUMBERS)
def total(value: Term) -> Term:
    """The sum of all lanes, in every lane. Lanes are added in halves: always in the same order."""
    return _halving(value, lambda left, right: left + right)


@pointwise(NUMBERS)
def highest(value: Term) -> Term:
    """The largest of all lanes, in every lane; NaN if one is NaN."""
    return _halving(value, functools.partial(_extreme, ">"))


def _scalar_typing(value: Any) -> Any:
    if not isinstance(value, Vector):
        raise TypingError(f"scalar got {value}; it takes a vector, and a number is one already.")
    return signature(ELEMENTS[value.element][3], value)


def _scalar(value: Term) -> Term:
    """The first lane, as a number."""
    return value.of(value.builder.extract_element(value.value, INT(0)))


scalar = emitted("scalar", _scalar_typing, _scalar)


def _cast(element: str) -> Any:
    target = ELEMENTS[element][0]

    def typing(value: Any) -> Any:
        if not isinstance(value, Vector):
            raise TypingError(f"as_{element} got {value}; it takes a vector. Use fill first.")
        return signature(Vector(element, value.lanes), value)

    def emit(value: Term) -> Term:
        build, source, kind = value.builder, value.type.element, ir.VectorType(target, value.lanes)
        if source == target:
            return value
        if target == BIT:
            return value.differs(0)
        if source == BIT:
            return value.of((build.zext if target == LONG else build.uitofp)(value.value, kind))
        if target == LONG:
            name = f"llvm.fptosi.sat.v{value.lanes}i64.v{value.lanes}{SUFFIX[source]}"
            function = ir.FunctionType(kind, [value.type])
            return value.of(build.call(declared(build.module, name, function), [value.value]))
        if source == LONG:
            return value.of(build.sitofp(value.value, kind))
        return value.of((build.fpext if target == DOUBLE else build.fptrunc)(value.value, kind))

    return emitted(f"as_{element}", typing, emit, f"The lanes as {element}, as torch casts; NaN is the integer 0.")


as_float32, as_float64, as_int64, as_bool = (_cast(element) for element in ELEMENTS)


def host_lanes(element: str) -> int:
    """The lanes that fill one vector register of this machine: 64 bytes with AVX-512, 32 with AVX, else 16."""
    features = binding.get_host_cpu_features()
    size = 64 if features.get("avx512f") else 32 if features.get("avx") else 16
    return size // ELEMENTS[element][2]
