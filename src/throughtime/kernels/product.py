"""The matrix product inside compiled loops over time: C = [C +] A W, on the thread that calls it.

Source: Goto and van de Geijn (2008), "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34(3): W is packed
once into panels that are read front to back, and a tile of C stays in registers while k runs. Theirs also packs A and
cuts K; here A is a state of a few rows that is in the cache already, and K is never cut, for this law:

    every element of C is one chain of fused multiply-adds over k = 0 .. K-1, begun at zero, then added to C if asked.

So the bits of a row do not depend on how many rows a call has, nor on their order.

Example:
    >>> import torch
    >>> pack(torch.ones(3, 5), lanes=4).shape
    torch.Size([1, 3, 8])
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from torch import Tensor

SIZES = {"float32": 4, "float64": 8}
UNROLLED = 4  # steps of k in one pass of a tile's loop
BLOCKS_AT_ONCE = 4  # blocks of rows that share one reading of W: few enough that their part of A stays in the cache
LONG = 1024  # rows from which torch transposes a weight faster panel by panel
INTEGER = ir.IntType(64)
POINTER = ir.PointerType()
Body = Callable[[ir.Value, list[ir.Value]], list[ir.Value]]


def pack(weight: Tensor, lanes: int) -> Tensor:
    """The weight (K, N), of any strides, as panels (ceil(N / 2 lanes), K, 2 lanes), the last filled up with zeros."""
    depth, columns = weight.shape
    width = 2 * lanes
    whole, rest = divmod(columns, width)
    panels = weight.new_empty(whole + (rest > 0), depth, width)
    if weight.stride(0) == 1 and depth >= LONG:  # else the lines of all columns of a panel would not stay in the cache
        for panel in range(whole):
            panels[panel] = weight[:, panel * width : (panel + 1) * width]
    else:
        panels[:whole] = weight[:, : whole * width].reshape(depth, whole, width).transpose(0, 1)
    if rest:
        panels[whole, :, :rest] = weight[:, whole * width :]
        panels[whole, :, rest:] = 0
    return panels


def source(element: str, lanes: int) -> str:
    """Numba source of a module with `product`, a cfunc: C (rows, n) = [C +] A (rows, k) W, with W from `pack`.

    Its arguments are int64 (a, lda, packed, c, ldc, rows, k, n, accumulate): `a`, `packed` and `c` are addresses, `lda`
    and `ldc` count elements from one row to the next, `accumulate` is 1 to add to C and 0 to write over it. It
    allocates nothing and needs no interpreter.

    Rows are shared out over blocks as equally as they go, since a tall tile multiplies faster than two low ones.
    """
    height, size = tallest(element, lanes), SIZES[element]
    abreast = {rows: panels for rows, panels in {1: 4, 2: 2, 3: 2}.items() if rows <= height}
    tiles = {(rows, panels) for rows in range(1, height + 1) for panels in (1, 2, 4) if panels <= abreast.get(rows, 1)}
    made = "\n".join(
        f'tile_{rows}x{panels} = tile("{element}", {lanes}, {rows}, {panels})' for rows, panels in sorted(tiles)
    )
    low = "\n".join(_low(rows, panels) for rows, panels in abreast.items())
    tall = "\n".join(_tall(rows, first=rows == 1) for rows in range(1, height + 1))
    values = {"HEIGHT": height, "SIZE": size, "WIDTH": 2 * lanes, "AT_ONCE": BLOCKS_AT_ONCE, "DIGEST": digest()}
    text = TEMPLATE.replace("TILES", made).replace("LOW", low).replace("TALL", tall)
    for name, value in values.items():
        text = text.replace(name, str(value))
    return text


def digest() -> str:
    """Names this file's contents, so that machine code made by an older version is not taken for its own."""
    return sha256(Path(__file__).read_bytes()).hexdigest()[:16]


TEMPLATE = '''"""C = [C +] A W in tiles that stay in registers; tiles by throughtime.kernels.product DIGEST."""

from numba import cfunc, types

from throughtime.kernels.product import tile

TILES


@cfunc(types.void(*[types.int64] * 9), nopython=True, cache=True)
def product(a, lda, packed, c, ldc, rows, k, n, accumulate):
    step = k * WIDTH * SIZE  # bytes from one panel to the next
    panels = (n + WIDTH - 1) // WIDTH
    blocks = (rows + HEIGHT - 1) // HEIGHT
    done = 0
LOW
    if blocks == 0 or done == panels:
        return
    least = rows // blocks
    taller = rows - least * blocks  # the first blocks have one row more
    for group in range(0, blocks, AT_ONCE):
        for panel in range(done, panels):
            left = n - panel * WIDTH
            weight = packed + panel * step
            for block in range(group, min(group + AT_ONCE, blocks)):
                row = block * least + min(block, taller)
                height = least + (block < taller)
                source = a + row * lda * SIZE
                target = c + (row * ldc + panel * WIDTH) * SIZE
TALL
'''


def _low(rows: int, panels: int) -> str:
    """The part of `product` for so few rows that one panel would leave the multipliers waiting: several abreast."""
    lines = [f"    if rows == {rows}:"]
    while panels > 1:
        lines += [
            f"        while done + {panels} <= panels:",
            "            target = c + done * WIDTH * SIZE",
            "            left = n - done * WIDTH",
            f"            tile_{rows}x{panels}(a, lda, packed + done * step, target, ldc, left, k, accumulate)",
            f"            done += {panels}",
        ]
        panels //= 2
    return "\n".join(lines)


def _tall(rows: int, first: bool) -> str:
    """The branch of `product` that calls the tile of this many rows."""
    return "\n".join(
        [
            f"                {'if' if first else 'elif'} height == {rows}:",
            f"                    tile_{rows}x1(source, lda, weight, target, ldc, left, k, accumulate)",
        ]
    )


def tallest(element: str, lanes: int) -> int:
    """Rows of the tallest tile: two vectors a row, two of the panel and one of A must fit in the registers.

    512 bits come with 32 registers; 256 bits are taken to have 16, as AVX2 has, and 128 bits too.
    """
    return 12 if lanes * SIZES[element] >= 64 else 6


def tile(element: str, lanes: int, rows: int, panels: int) -> Any:
    """An intrinsic: C (rows, up to 2 lanes panels) = [C +] A (rows, k) W, all of C in registers.

    It takes (a, lda, packed, c, ldc, columns, k, accumulate); `columns` may be fewer than the panels hold, or more.
    """
    shape = Tile(element, lanes, rows, panels)

    @intrinsic
    def call(  # type: ignore[no-untyped-def]
        typing, a, lda, packed, c, ldc, columns, k, accumulate
    ) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            builder.call(shape.function(builder.module), arguments)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), emit

    return call


@dataclass(frozen=True)
class Tile:
    """The machine code of one tile: `rows` times 2 `panels` vectors of C."""

    element: str
    lanes: int
    rows: int
    panels: int

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return SIZES[self.element]

    @property
    def vectors(self) -> int:
        """Vectors in a row of the tile."""
        return 2 * self.panels

    @property
    def vector(self) -> ir.Type:
        """The type of one vector."""
        return ir.VectorType(ir.FloatType() if self.element == "float32" else ir.DoubleType(), self.lanes)

    def function(self, module: ir.Module) -> ir.Function:
        """This tile's function in the module, written there if it is not there yet."""
        name = f"tile_{self.element}_{self.lanes}_{self.rows}x{self.panels}"
        if name in module.globals:
            return module.globals[name]
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [INTEGER] * 8), name)
        function.linkage = "internal"
        function.attributes.add("noinline")  # each tile has the registers to itself
        function.attributes.add("nounwind")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        a, lda, packed, c, ldc, columns, k, accumulate = function.args
        total = self._multiply(builder, a, lda, packed, k)
        self._write(builder, total, c, ldc, columns, builder.icmp_signed("!=", accumulate, _integer(0)))
        builder.ret_void()
        return function

    def _multiply(self, builder: ir.IRBuilder, *arguments: ir.Value) -> list[ir.Value]:
        """A W for this tile, row by row: k in steps of `UNROLLED`, then what is left one by one."""
        a, lda, packed, k = arguments
        rows = [builder.add(a, builder.mul(lda, _integer(row * self.size))) for row in range(self.rows)]
        width = 2 * self.lanes * self.size
        panels = [builder.add(packed, builder.mul(k, _integer(panel * width))) for panel in range(self.panels)]

        def steps(count: int) -> Body:
            def body(position: ir.Value, total: list[ir.Value]) -> list[ir.Value]:
                for step in range(count):
                    total = self._step(builder, rows, panels, builder.add(position, _integer(step)), total)
                return total

            return body

        zero = ir.Constant(self.vector, [0.0] * self.lanes)
        even = builder.and_(k, _integer(-UNROLLED))
        total = _loop(builder, _integer(0), even, UNROLLED, [zero] * (self.rows * self.vectors), steps(UNROLLED))
        return _loop(builder, even, k, 1, total, steps(1))

    def _step(
        self,
        builder: ir.IRBuilder,
        rows: list[ir.Value],
        panels: list[ir.Value],
        position: ir.Value,
        total: list[ir.Value],
    ) -> list[ir.Value]:
        """The totals after one more k: total[row, vector] + A[row, k] W[k, vector]."""
        bytes_in = builder.mul(position, _integer(self.size))
        bytes_deep = builder.mul(position, _integer(2 * self.lanes * self.size))
        weights = [
            self._load(builder, builder.add(builder.add(panel, bytes_deep), _integer(half * self.lanes * self.size)))
            for panel in panels
            for half in range(2)
        ]
        result = []
        for row, start in enumerate(rows):
            address = builder.inttoptr(builder.add(start, bytes_in), POINTER)
            factor = _splat(builder, builder.load(address, typ=self.vector.element, align=self.size), self.lanes)
            for vector, weight in enumerate(weights):
                result.append(self._intrinsic(builder, "fma", [factor, weight, total[row * self.vectors + vector]]))
        return result

    def _write(self, builder: ir.IRBuilder, total: list[ir.Value], *arguments: ir.Value) -> None:
        """Puts the totals in C, or adds them; a lane past the last column is neither read nor written."""
        c, ldc, columns, accumulate = arguments
        full = builder.icmp_signed(">=", columns, _integer(self.vectors * self.lanes))
        places = [
            builder.add(
                builder.add(c, builder.mul(ldc, _integer(row * self.size))), _integer(vector * self.lanes * self.size)
            )
            for row in range(self.rows)
            for vector in range(self.vectors)
        ]
        with builder.if_else(full) as (whole, part):
            with whole, builder.if_else(accumulate) as (add, put):
                with add:
                    for place, value in zip(places, total, strict=True):
                        self._store(builder, builder.fadd(self._load(builder, place), value), place)
                with put:
                    for place, value in zip(places, total, strict=True):
                        self._store(builder, value, place)
            with part:
                self._write_masked(builder, total, places, columns, accumulate)

    def _write_masked(
        self,
        builder: ir.IRBuilder,
        total: list[ir.Value],
        places: list[ir.Value],
        columns: ir.Value,
        accumulate: ir.Value,
    ) -> None:
        """The same for a tile that C does not fill. Where nothing is read, -0.0 is added: it changes no bit."""
        alignment = ir.Constant(ir.IntType(32), self.size)
        nothing = ir.Constant(self.vector, [-0.0] * self.lanes)
        added = _splat(builder, accumulate, self.lanes)
        limit = _splat(builder, columns, self.lanes)
        for index, (place, value) in enumerate(zip(places, total, strict=True)):
            first = index % self.vectors * self.lanes
            numbers = ir.Constant(ir.VectorType(INTEGER, self.lanes), list(range(first, first + self.lanes)))
            mask = builder.icmp_signed("<", numbers, limit)
            pointer = builder.inttoptr(place, POINTER)
            old = self._intrinsic(builder, "masked.load", [pointer, alignment, builder.and_(mask, added), nothing])
            self._intrinsic(builder, "masked.store", [builder.fadd(old, value), pointer, alignment, mask])

    def _load(self, builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
        return builder.load(builder.inttoptr(address, POINTER), typ=self.vector, align=self.size)

    def _store(self, builder: ir.IRBuilder, value: ir.Value, address: ir.Value) -> None:
        builder.store(value, builder.inttoptr(address, POINTER), align=self.size)

    def _intrinsic(self, builder: ir.IRBuilder, name: str, arguments: list[ir.Value]) -> ir.Value:
        """A call of an LLVM intrinsic on vectors of this type."""
        full = f"llvm.{name}.v{self.lanes}f{8 * self.size}" + (".p0" if name.startswith("masked") else "")
        given = ir.VoidType() if name.endswith("store") else self.vector
        kind = ir.FunctionType(given, [argument.type for argument in arguments])
        function = builder.module.globals.get(full) or ir.Function(builder.module, kind, full)
        return builder.call(function, arguments)


def _integer(value: int) -> ir.Constant:
    return ir.Constant(INTEGER, value)


def _splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    """A vector with the value in every lane."""
    undefined = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(first, undefined, order)


def _loop(
    builder: ir.IRBuilder, start: ir.Value, stop: ir.Value, step: int, values: list[ir.Value], body: Body
) -> list[ir.Value]:
    """The values after `for position in range(start, stop, step): values = body(position, values)`."""
    before = builder.block
    head, inside, after = (builder.append_basic_block(name) for name in ("head", "inside", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    carried = [builder.phi(value.type) for value in [start, *values]]
    for phi, value in zip(carried, [start, *values], strict=True):
        phi.add_incoming(value, before)
    builder.cbranch(builder.icmp_signed("<", carried[0], stop), inside, after)
    builder.position_at_end(inside)
    following = [builder.add(carried[0], _integer(step)), *body(carried[0], carried[1:])]
    for phi, value in zip(carried, following, strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return carried[1:]
