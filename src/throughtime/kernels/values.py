"""What a tensor of a step can be, to the compiler.

Rows      B rows of units, as pieces of expressions
Shared    the same for all rows: a parameter, or what was made of parameters alone
Turned    Rows transposed, as a gradient of a weight asks for them
Total     a sum over all rows: what a gradient of something shared is
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import dtype

from throughtime.errors import UntraceableError
from throughtime.kernels.expression import Rows

ELEMENTS = ("bool", "int64", "float32", "float64")


@dataclass(frozen=True)
class Shared:
    """A tensor that all rows share, number `which`; `turned` when it is read as its transpose."""

    which: int
    shape: tuple[int, ...]
    element: str
    turned: bool = False


@dataclass(frozen=True)
class Turned:
    """Rows, transposed."""

    rows: Rows


class Outer(NamedTuple):
    """The sum over rows of left (as a column) times right (as a row)."""

    left: Rows
    right: Rows


@dataclass(frozen=True)
class Total:
    """A sum over rows: of outer products (a matrix), or of the rows themselves (a vector, one number)."""

    outers: tuple[Outer, ...] = ()
    rows: tuple[Rows, ...] = ()


class Product(NamedTuple):
    """A matrix product: rows (B K) with a shared matrix (K N), or with its transpose."""

    rows: Rows
    shared: int
    turned: bool
    width: int  # N
    element: str


Value = Rows | Shared | Turned | Total


def element_of(kind: dtype) -> str:
    """The element type's name; refused when sweeps do not have it."""
    name = str(kind).removeprefix("torch.")
    if name not in ELEMENTS:
        raise UntraceableError(f"numbers of type {name} (a sweep has {', '.join(ELEMENTS)})")
    return name
