"""What compiled loops do besides arithmetic: copy rows, read a byte, call another compiled function."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

BYTE, LONG, POINTER = ir.IntType(8), ir.IntType(64), ir.PointerType()


@intrinsic
def copy(typing: Any, target: Any, source: Any, size: Any) -> Any:
    """`size` bytes from one address to another; they do not overlap."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, LONG, ir.IntType(1)])
        function = builder.module.declare_intrinsic("llvm.memcpy.p0.p0.i64", (), kind)
        to, start = (builder.inttoptr(address, POINTER) for address in arguments[:2])
        builder.call(function, [to, start, arguments[2], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.int64), emit


@intrinsic
def clear(typing: Any, target: Any, size: Any) -> Any:
    """`size` bytes of zero."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [POINTER, BYTE, LONG, ir.IntType(1)])
        function = builder.module.declare_intrinsic("llvm.memset.p0.i64", (), kind)
        to = builder.inttoptr(arguments[0], POINTER)
        builder.call(function, [to, ir.Constant(BYTE, 0), arguments[1], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), emit


@intrinsic
def byte(typing: Any, address: Any) -> Any:
    """The byte at an address."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return builder.zext(builder.load(builder.inttoptr(arguments[0], POINTER), typ=BYTE), LONG)

    return types.int64(types.int64), emit


@intrinsic
def multiply(
    typing: Any, function: Any, a: Any, lda: Any, packed: Any, c: Any, ldc: Any, rows: Any, k: Any, n: Any, adds: Any
) -> Any:
    """Calls the compiled `product` (see throughtime.kernels.product) at an address, with nine integers."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [LONG] * 9)
        pointer = builder.inttoptr(arguments[0], kind.as_pointer())
        builder.call(pointer, arguments[1:])
        return context.get_dummy_value()

    return types.none(*[types.int64] * 10), emit
