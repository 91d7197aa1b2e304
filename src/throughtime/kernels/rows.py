"""Several rows of a table against one vector, in registers: the inner loops of word2vec.

A row is `blocks` blocks of 16 floats, zero beyond its width, so that no block is cut. The rows of a group are given by
a list of their addresses, int64, and are read and written where they are. One block of every row is worked on before
the next, so that the products of a group go through the machine side by side.
"""

import functools
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from throughtime.kernels.term import FLOAT, INT, LONG, Term, Vector, emitted, signature

LANES = 16
GROUP = 6  # rows at once: a word and the five negatives of the usual settings
BLOCK = ir.VectorType(FLOAT, LANES)
SIZE = 4 * LANES  # bytes of a block
FUSED = ("contract",)


def _block(builder: Any, address: Any, offset: Any) -> Any:
    """The place of the block that lies `offset` bytes from the address."""
    return builder.inttoptr(builder.add(address, offset), BLOCK.as_pointer())


def _addresses(places: Term, group: int) -> list[Any]:
    builder = places.builder
    spots = [builder.inttoptr(builder.add(places.value, LONG(8 * j)), LONG.as_pointer()) for j in range(group)]
    return [builder.load(spot, align=8) for spot in spots]


def _gathered(vectors: list[Term]) -> Term:
    """A vector whose lane j is the sum of all lanes of vector j; they are added in halves, several at once."""
    zero = vectors[0].number(0.0)
    row = vectors + [zero] * (LANES - len(vectors))
    half = LANES // 2
    while half:  # lane i of vector j and lane i of vector j + half share one vector, each folded to `half` lanes
        low = [lane if not lane & half else LANES + (lane ^ half) for lane in range(LANES)]
        high = [lane | half if not lane & half else LANES + lane for lane in range(LANES)]
        row = [
            zero if a is zero and b is zero else _mixed(a, b, low) + _mixed(a, b, high)
            for a, b in zip(row[:half], row[half : 2 * half], strict=True)
        ]
        half //= 2
    return row[0]


def _mixed(first: Term, second: Term, order: list[int]) -> Term:
    places = ir.Constant(ir.VectorType(INT, LANES), order)
    return first.of(first.builder.shuffle_vector(first.value, second.value, places))


@functools.cache
def dots(group: int) -> Any:
    """Makes dots(vector, places, blocks): lane j is the product of the vector with row j, for the rows at `places`."""

    def emit(vector: Term, places: Term, blocks: Term) -> Term:
        builder, rows = vector.builder, _addresses(places, group)
        sums = [cgutils.alloca_once_value(builder, ir.Constant(BLOCK, None)) for _ in rows]  # type: ignore[no-untyped-call]
        with cgutils.for_range(builder, blocks.value) as loop:
            offset = builder.mul(loop.index, LONG(SIZE))
            h = builder.load(_block(builder, vector.value, offset), align=4)
            for row, total in zip(rows, sums, strict=True):
                product = builder.fmul(h, builder.load(_block(builder, row, offset), align=4), flags=FUSED)
                builder.store(builder.fadd(builder.load(total), product, flags=FUSED), total)
        return _gathered([Term(builder, builder.load(total)) for total in sums])

    typing = signature(Vector("float32", LANES), types.int64, types.int64, types.int64)
    return emitted(f"dots_{group}", lambda *_: typing, emit, dots.__doc__)


@functools.cache
def descend(group: int) -> Any:
    """Makes descend(vector, places, blocks, factors, error): error += Σ factor_j row_j, and row_j += factor_j vector.

    The rows are taken one after the other, so that one that is there twice moves twice.
    """

    def emit(vector: Term, places: Term, blocks: Term, factors: Term, error: Term) -> None:
        builder, rows = vector.builder, _addresses(places, group)
        shares = [factors.shuffled([j] * LANES).value for j in range(group)]
        with cgutils.for_range(builder, blocks.value) as loop:
            offset = builder.mul(loop.index, LONG(SIZE))
            h = builder.load(_block(builder, vector.value, offset), align=4)
            place = _block(builder, error.value, offset)
            moved = builder.load(place, align=4)
            for row, share in zip(rows, shares, strict=True):
                spot = _block(builder, row, offset)
                old = builder.load(spot, align=4)
                moved = builder.fadd(moved, builder.fmul(share, old, flags=FUSED), flags=FUSED)
                builder.store(builder.fadd(old, builder.fmul(share, h, flags=FUSED), flags=FUSED), spot, align=4)
            builder.store(moved, place, align=4)

    place = (types.int64, types.int64, types.int64)
    typing = signature(types.void, *place, Vector("float32", LANES), types.int64)
    return emitted(f"descend_{group}", lambda *_: typing, emit, descend.__doc__)


def _add(target: Term, source: Term, blocks: Term, factor: Term) -> None:
    """Adds factor times the row at `source` to the row at `target`."""
    builder = target.builder
    share = factor.everywhere(LANES).value
    with cgutils.for_range(builder, blocks.value) as loop:
        offset = builder.mul(loop.index, LONG(SIZE))
        spot = _block(builder, target.value, offset)
        row = builder.load(_block(builder, source.value, offset), align=4)
        old = builder.load(spot, align=4)
        builder.store(builder.fadd(old, builder.fmul(share, row, flags=FUSED), flags=FUSED), spot, align=4)


add = emitted("add", lambda *_: signature(types.void, types.int64, types.int64, types.int64, types.float32), _add)
