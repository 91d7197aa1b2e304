"""Compiled functions on torch's own threads: whatever their number, each piece of work is done once."""

import multiprocessing
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch
from numba import cfunc, types
from torch import Tensor

from throughtime.kernels import launch
from throughtime.kernels.launch import invoke, run, take, threads

PIECES = 1000


@cfunc(types.void(types.int64), nopython=True)
def work(table: int) -> None:
    """Its table of int64: the next piece, how many threads came, then for each piece how often it was done."""
    take(table + 8)
    while True:
        piece = take(table)
        if piece >= PIECES:
            break
        take(table + 8 * (2 + piece))


def new_table() -> Tensor:
    return torch.zeros(2 + PIECES, dtype=torch.int64)


def done_once(table: Tensor, count: int) -> bool:
    came = int(table[1])
    return 1 <= came <= count and int(table[0]) == PIECES + came and bool((table[2:] == 1).all())


@pytest.fixture(params=["team", "pool"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """On the OpenMP runtime of torch, and as if there were none."""
    if request.param == "pool":
        monkeypatch.setattr(launch, "_team", lambda: None)
    elif launch._team() is None:
        pytest.skip("torch has loaded no OpenMP runtime with GOMP_parallel here")
    return str(request.param)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16])
def test_each_piece_is_done_once(way: str, count: int) -> None:
    for _ in range(20):
        table = new_table()
        run(work.address, table.data_ptr(), count)
        assert done_once(table, count)


def test_the_team_has_the_size_asked_for() -> None:
    if launch._team() is None:
        pytest.skip("torch has loaded no OpenMP runtime with GOMP_parallel here")
    table = new_table()
    run(work.address, table.data_ptr(), 2)
    assert table[1] == 2


def test_from_many_python_threads_at_once(way: str) -> None:
    tables = [new_table() for _ in range(12)]
    callers = [threading.Thread(target=run, args=(work.address, table.data_ptr(), 2)) for table in tables]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(done_once(table, 2) for table in tables)


def test_between_operations_of_torch(way: str) -> None:
    before = threads()
    torch.set_num_threads(2)
    try:
        values = torch.ones(300, 300)
        for _ in range(20):
            assert (values @ values == 300).all()
            table = new_table()
            run(work.address, table.data_ptr(), threads())
            assert done_once(table, 2)
    finally:
        torch.set_num_threads(before)


class Twice(torch.autograd.Function):
    """Runs the work in its backward, which autograd may call from a thread of its own."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: Tensor, table: Tensor) -> Tensor:
        ctx.table = table  # type: ignore[attr-defined]
        return values * 2

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        run(work.address, ctx.table.data_ptr(), 2)  # type: ignore[attr-defined]
        return gradient * 2, None


def test_from_a_backward(way: str) -> None:
    table = new_table()
    Twice.apply(torch.ones(3, requires_grad=True), table).sum().backward()
    assert done_once(table, 2)


def in_child(sender: Connection) -> None:
    table = new_table()
    run(work.address, table.data_ptr(), 2)
    sender.send(done_once(table, 2))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_in_a_forked_child(way: str) -> None:
    """The parent's threads, which the child has not, are not waited for."""
    table = new_table()
    run(work.address, table.data_ptr(), 2)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=in_child, args=(sender,))
    child.start()
    try:
        assert receiver.poll(20), "the child waits for threads that it does not have"
        assert receiver.recv()
    finally:
        child.kill()
        child.join()


def test_the_runtime_is_found_by_name_among_the_loaded_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(torch.__file__).parent
    monkeypatch.setattr(
        launch,
        "_maps",
        lambda: [
            "7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/libgomp.so.1",
            f"7f02-7f03 r-xp 00000000 08:01 2 {home}/lib/libgomp with space.so",
            f"7f03-7f04 r--p 00000000 08:01 2 {home}/lib/libgomp with space.so",
            "7f05-7f06 r-xp 00000000 08:01 3 /usr/lib/libomptarget.rtl.so",
            "7f05-7f06 r-xp 00000000 08:01 3 /usr/lib/libm.so.6",
            "7f07-7f08 rw-p 00000000 00:00 0 [heap]",
            "7f09-7f0a rw-p 00000000 00:00 0",
        ],
    )
    found = launch._loaded()
    assert found[0] == f"{home}/lib/libgomp with space.so"
    assert "/usr/lib/libgomp.so.1" in found
    assert "/usr/lib/libm.so.6" not in found


def test_one_function_is_wrapped_once() -> None:
    assert invoke(work.address) is invoke(work.address)


def test_threads_are_torchs() -> None:
    assert threads() == torch.get_num_threads()
