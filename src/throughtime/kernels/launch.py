"""Runs a compiled `void(void*)` function on several threads at once: on torch's own team, where there is one.

torch's operations run on the threads of an OpenMP runtime, which spin for a while after each of them. A second team
would fight these for the same cores, so the function is given to that very runtime, found among the libraries that this
process has loaded. Where there is none, and after a fork, whose child has lost those threads, a pool of Python threads
does the same more slowly.

The function takes its share of the work by `take`, so that any number of threads, one or more, does all of it. It must
not wait for another thread to come: a team may be smaller than asked for.

Source: the calling convention of `GOMP_parallel` is libgomp's; LLVM's and Intel's runtimes offer it too.
"""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

Invocation = Callable[[int], None]
PROTOTYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)  # gives up the interpreter's lock while it runs
PROCESS = os.getpid()
RUNTIMES = ("libgomp", "libiomp", "libomp")


def run(function: int, table: int, threads: int) -> None:
    """Calls the function at this address with `table`, on up to `threads` threads at once; returns when all are back.

    The interpreter's lock is free meanwhile. Any Python thread may call this, also while others do.
    """
    if threads == 1:
        invoke(function)(table)
    elif os.getpid() == PROCESS and (parallel := _team()) is not None:
        parallel(function, table, threads, 0)
    else:  # a forked child has lost the runtime's threads, and the runtime would wait for them for ever
        _run_in_pool(invoke(function), table, threads)


@lru_cache(maxsize=1024)
def invoke(function: int) -> Invocation:
    """The function at this address, as one to call with the address of a table, on this thread."""
    return PROTOTYPE(function)


def threads() -> int:
    """Threads that torch uses for one operation."""
    return torch.get_num_threads()


@intrinsic
def take(typing: Any, address: Any) -> Any:
    """In compiled code: the 8-byte integer at this address, and adds one to it in the same indivisible step."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        place = builder.inttoptr(arguments[0], ir.PointerType())
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "seq_cst")

    return types.int64(types.int64), emit


@lru_cache(maxsize=1)
def _team() -> Callable[[int, int, int, int], None] | None:
    """`GOMP_parallel` of the OpenMP runtime in this process, or None."""
    path = runtime()
    if path is None:
        return None
    parallel: Any = ctypes.CDLL(path).GOMP_parallel
    parallel.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    parallel.restype = None
    return parallel  # type: ignore[no-any-return]


def runtime() -> str | None:
    """The library whose threads run sweeps; None where Python's do."""
    return next((path for path in _loaded() if hasattr(ctypes.CDLL(path), "GOMP_parallel")), None)


def _loaded() -> list[str]:
    """The OpenMP runtimes that this process has loaded; torch's first, where there are several."""
    fields = [line.split(maxsplit=5) for line in _maps()]
    paths = {line[5] for line in fields if len(line) == 6}
    home = str(Path(torch.__file__).parent)
    found = [path for path in paths if Path(path).name.startswith(RUNTIMES)]
    return sorted(found, key=lambda path: (not path.startswith(home), path))


def _maps() -> list[str]:
    """What this process has in memory, a line each: address, rights, offset, device, inode and path. Linux has it."""
    maps = Path("/proc/self/maps")
    return maps.read_text().splitlines() if maps.exists() else []


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads for where there is no OpenMP runtime; a forked child, another process, gets its own."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="throughtime")


def _run_in_pool(call: Invocation, table: int, threads: int) -> None:
    """What `run` does, by Python's threads. One that has not begun when this one is back is not waited for."""
    pool = _pool(os.getpid())
    others = [pool.submit(call, table) for _ in range(threads - 1)]
    call(table)
    wait([other for other in others if not other.cancel()])
