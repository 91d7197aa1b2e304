import gc
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from throughtime.cells import PeepholeLSTM, UnsharedElman
from throughtime.kernels import operator


def test_a_compiled_program_holds_a_sweep_whole():
    """In a process of its own: the types that tests check are checked by code that torch's compiler cannot follow."""
    script = Path(__file__).with_name("in_graph.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["PeepholeLSTM", "LayerNormLSTM", "inference"]


def arguments(cell, keep):
    x = torch.randn(3, 6, cell.width, dtype=torch.float64)
    z = cell.project(x).gates.detach().requires_grad_(keep)
    state = [leaf.detach().clone().requires_grad_(keep) for leaf in cell.initial(3)]
    number = operator.enter(cell)
    shared = [t.detach().clone().requires_grad_(keep) for t in operator.share(number, operator.weights_of(cell))]
    return [z], state, [], shared, torch.tensor([6, 2, 4]), None, number, True, keep


@pytest.mark.parametrize("keep", [False, True])
def test_the_operator_is_what_torch_asks_of_one(keep):
    cell = PeepholeLSTM(3, 4).double()
    torch.library.opcheck(operator.sweep_forward, arguments(cell, keep))


def test_a_cell_is_forgotten_when_it_is_gone():
    cell = PeepholeLSTM(3, 4)
    number = operator.enter(cell)
    assert number in operator._entries
    del cell
    gc.collect()
    assert number not in operator._entries


def test_a_cell_that_cannot_be_swept_has_no_number():
    assert operator.enter(UnsharedElman(3, 4, steps=5)) == -1
