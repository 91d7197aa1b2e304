"""Emitted kernels run by Python itself, a vector at a time: slow, but at once, where a compiler takes a second.

Memory is the real one, at its addresses. Only what stands in sources is imitated: vectors, their functions, products.
"""

import ctypes
import itertools
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from throughtime.kernels import build, launch

KINDS = {name: np.dtype(name) for name in ("float32", "float64", "int64", "bool")}
FUNCTIONS = {
    "exp": torch.exp, "expm1": torch.expm1, "log": torch.log, "log1p": torch.log1p, "sin": torch.sin, "cos": torch.cos,
    "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "erf": torch.erf, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
    "reciprocal": torch.reciprocal, "floor": torch.floor, "ceil": torch.ceil, "trunc": torch.trunc,
    "round": torch.round, "power": torch.pow, "remainder": torch.remainder, "absolute": torch.abs, "sign": torch.sign,
    "minimum": torch.minimum, "maximum": torch.maximum, "select": torch.where,
}  # fmt: skip


def memory(address: int, count: int, kind: np.dtype) -> Any:
    return (
        np.frombuffer((ctypes.c_char * (count * kind.itemsize)).from_address(address), kind) if count else np.empty(0)
    )


def lifted(function: Any) -> Any:
    return lambda *vectors: function(*map(torch.from_numpy, vectors)).numpy()


def load(element: str, lanes: int) -> Any:
    kind = KINDS[element]

    def read(address: int, index: int, count: int) -> Any:
        vector = np.zeros(lanes, kind)
        vector[:count] = memory(address + index * kind.itemsize, count, kind)
        return vector

    return read


def store(element: str, lanes: int) -> Any:
    kind = KINDS[element]

    def write(address: int, index: int, count: int, value: Any) -> None:
        assert value.dtype == kind
        assert len(value) == lanes
        memory(address + index * kind.itemsize, count, kind)[:] = value[:count]

    return write


def spread(element: str, lanes: int) -> Any:
    kind = KINDS[element]
    return lambda address, index: np.full(lanes, memory(address + index * kind.itemsize, 1, kind)[0])


def fill(element: str, lanes: int) -> Any:
    return lambda number: np.full(lanes, number, KINDS[element])


def take(address: int) -> int:
    counter = memory(address, 1, KINDS["int64"])
    counter += 1
    return int(counter[0]) - 1


def first_or(value: Any, count: int, other: float) -> Any:
    return np.where(np.arange(len(value)) < count, value, value.dtype.type(other))


def multiply(
    function: int, a: int, lda: int, packed: int, c: int, ldc: int, rows: int, k: int, n: int, adds: int
) -> None:
    """C = [C +] A W, with W in panels of two vectors."""
    kind, lanes = PRODUCTS[function]
    panels = -(-n // (2 * lanes))
    weight = memory(packed, panels * k * 2 * lanes, kind).reshape(panels, k, 2 * lanes)
    whole = weight.transpose(1, 0, 2).reshape(k, -1)[:, :n]
    for row in range(rows):
        target = memory(c + row * ldc * kind.itemsize, n, kind)
        product = memory(a + row * lda * kind.itemsize, k, kind) @ whole
        target[:] = target + product if adds else product


WORLD = {
    **{name: lifted(function) for name, function in FUNCTIONS.items()},
    **{f"as_{element}": (lambda value, kind=kind: value.astype(kind)) for element, kind in KINDS.items()},
    "load": load, "store": store, "spread": spread, "fill": fill, "take": take, "multiply": multiply, "np": np,
    "word": lambda table, place: int(memory(table + 8 * place, 1, KINDS["int64"])[0]),
    "byte": lambda address: ctypes.c_ubyte.from_address(address).value,
    "copy": ctypes.memmove, "clear": lambda address, size: ctypes.memset(address, 0, size),
    "first": lambda value, count: first_or(value, count, 0), "first_or": first_or,
    "total": lambda value: np.full_like(value, value.sum()), "highest": lambda value: np.full_like(value, value.max()),
}  # fmt: skip
KERNELS: dict[int, Any] = {}
PRODUCTS: dict[int, tuple[np.dtype, int]] = {}
_numbers = itertools.count(1)


def module(source: str, name: str) -> Any:
    """What `build.module` gives, with a number where an address would be."""
    number = next(_numbers)
    if name.startswith("product_"):
        element = name.removeprefix("product_")
        PRODUCTS[number] = KINDS[element], int(re.search(rf'tile\("{element}", (\d+)', source)[1])
        return SimpleNamespace(product=SimpleNamespace(address=number))
    skipped = ("import ", "from ", "@cfunc")
    lines = ["" if line.startswith(skipped) else line for line in source.splitlines()]
    space = dict(WORLD)
    exec(compile("\n".join(lines), name, "exec"), space)  # noqa: S102
    KERNELS[number] = np.errstate(all="ignore")(space["sweep"])  # past a count lanes divide zero by zero, for nobody
    return SimpleNamespace(sweep=SimpleNamespace(address=number))


def imitate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the kernels of cells that are new in this test run in Python."""
    monkeypatch.setattr(build, "module", module)
    monkeypatch.setattr(launch, "invoke", lambda function: KERNELS[function])
    monkeypatch.setattr(launch, "run", lambda function, table, threads: KERNELS[function](table))
