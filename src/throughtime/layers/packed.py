"""Packed: products with weights that stay as they are for a while, by weights that are laid out once for all of them.

A step of a decoder multiplies a few rows by large weights, and general products are made for many rows: on 32 rows
they are half as fast as they could be, on 8 a fifth. `kernels.product` reads weights that were packed once.
On many rows it is as fast as any, and goes on with them, so that a row comes out the same in any company.
"""

from array import array
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from throughtime.kernels import build, launch, product
from throughtime.kernels.vector import host_lanes
from throughtime.layers.steady import steady

LARGE = 2**21  # weights of a model, below which what is gained is lost by looking at every call of torch
LEAST = 2**15  # numbers of a weight, below which torch's product is as fast
PARALLEL = 2**21  # multiplications, below which a second thread costs more than it gives
SHARES = 4  # of the columns, for each thread: one that is late holds up the others by less
KINDS = {torch.float32: "float32", torch.float64: "float64"}


@contextmanager
def packed(model: nn.Module) -> Iterator[None]:
    """Products with parameters are fast on few rows in here, on the CPU and without gradients, if the model is large.

    Steps of cores are compiled in here, as `steady` tells.

    A weight is packed when it is met first and when it was changed in place; behind autograd's back, through
    `weight.data`, it must not be changed in here. Inside of another one the outer one's weights are used.

    A row's product does not depend on the rows beside it, to the last bit, however many there are.

    >>> model = nn.Linear(2048, 1024)
    >>> with packed(model), torch.no_grad():
    ...     outputs = model(torch.ones(3, 2048))
    >>> torch.allclose(outputs, model(torch.ones(3, 2048)), atol=1e-5)
    True
    """
    overrides: Any = torch.overrides
    small = sum(parameter.numel() for parameter in model.parameters()) < LARGE
    inside = any(isinstance(mode, _Packed) for mode in overrides._get_current_function_mode_stack())
    with steady(), nullcontext() if small or inside else _Packed():
        yield


class _Packed(TorchFunctionMode):
    """Takes the calls of `linear` for itself."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[Any, tuple[int, Tensor, Tensor]] = {}  # version, weight (which keeps its address), packed

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is F.linear and not kwargs and _fits(*args):
            return self._linear(*args)
        return function(*args, **(kwargs or {}))

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        width, depth = weight.shape
        rows = x.reshape(-1, depth)
        if rows.stride(1) != 1:
            rows = rows.contiguous()
        out = x.new_empty(*x.shape[:-1], width)
        if bias is not None:
            out.copy_(bias)
        panels = self._panels(weight)
        pointers = rows.data_ptr(), rows.stride(0), panels.data_ptr(), out.data_ptr(), width
        _multiply(KINDS[x.dtype], *pointers, len(rows), depth, width, int(bias is not None))
        return out

    def _panels(self, weight: Tensor) -> Tensor:
        key = weight.data_ptr(), weight.shape, weight.stride(), weight.dtype
        version = weight._version
        found = self._known.get(key)
        if found is None or found[0] != version:
            panels = product.pack(weight.detach().t(), host_lanes(KINDS[weight.dtype]))
            found = self._known[key] = version, weight, panels
        return found[2]


def _fits(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    """Whether this is a product of rows with a parameter or a part of one, and nothing listens."""
    if torch.is_grad_enabled() or weight.dim() != 2 or weight.numel() < LEAST or x.dtype != weight.dtype:
        return False
    if type(x) is not Tensor or x.device.type != "cpu" or weight.device.type != "cpu" or x.dtype not in KINDS:
        return False
    if weight.is_inference() or not isinstance(weight if weight._base is None else weight._base, nn.Parameter):
        return False
    return x.numel() > 0 and x.shape[-1] == weight.shape[1] and not torch.is_autocast_enabled("cpu")


def _multiply(kind: str, *arguments: int) -> None:
    """C = [C +] A W, the arguments being those of `product`; columns are shared out over threads."""
    rows, depth, columns = arguments[5:8]
    threads = launch.threads() if rows * depth * columns >= PARALLEL else 1
    made = _product(kind)
    if threads == 1:
        made.ctypes(*arguments)
        return
    panel = 2 * host_lanes(kind)
    share = -(-columns // (panel * SHARES * threads)) * panel
    table = array("q", (0, share, made.address, *arguments))
    launch.run(_sharing(kind), table.buffer_info()[0], threads)


@cache
def _product(kind: str) -> Any:
    """The compiled product, for the thread that calls it."""
    return build.module(product.source(kind, host_lanes(kind)), f"product_{kind}").product


@cache
def _sharing(kind: str) -> int:
    """The address of a function that takes shares of the columns until none is left."""
    size = product.SIZES[kind]
    address: int = build.module(SHARING.replace("SIZE", str(size)), f"shared_product_{kind}").share.address
    return address


SHARING = '''"""C = [C +] A W, columns in shares that threads take in turn.

The table: a counter, columns of a share, the address of `product`, and its arguments.
"""

from numba import cfunc, types

from throughtime.kernels.launch import take
from throughtime.kernels.machine import multiply
from throughtime.kernels.vector import word


@cfunc(types.void(types.int64), nopython=True, cache=True)
def share(table):
    columns, function = word(table, 1), word(table, 2)
    a, lda, packed, c, ldc = word(table, 3), word(table, 4), word(table, 5), word(table, 6), word(table, 7)
    rows, k, n, adds = word(table, 8), word(table, 9), word(table, 10), word(table, 11)
    first = take(table) * columns
    while first < n:
        part = min(columns, n - first)
        multiply(function, a, lda, packed + first * k * SIZE, c + first * SIZE, ldc, rows, k, part, adds)
        first = take(table) * columns
'''
