"""Blank modules: all shapes and nothing in them, and no compiler of torch's for their sake."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from throughtime.cells import GRU, irnn
from throughtime.layers import Recurrent
from throughtime.layers.blank import blank

MAKES = {
    "embedding": lambda: nn.Embedding(3, 4),
    "transformer": lambda: nn.TransformerEncoderLayer(4, 2),
    "orthogonal": lambda: Recurrent(GRU(3, 4)),
    "normal": lambda: irnn(3, 4),
}


@pytest.mark.parametrize("name", MAKES)
def test_shapes_types_and_nothing_else(name):
    state = torch.get_rng_state()
    with blank():
        empty = MAKES[name]()
    assert torch.equal(torch.get_rng_state(), state)
    whole = dict(MAKES[name]().named_parameters())
    assert all(weight.is_meta for weight in empty.parameters())
    assert {one: (weight.shape, weight.dtype) for one, weight in empty.named_parameters()} == {
        one: (weight.shape, weight.dtype) for one, weight in whole.items()
    }


def test_torchs_compiler_is_not_imported():
    program = """
import sys
from torch import nn
from throughtime.cells import GRU
from throughtime.layers.blank import blank
with blank():
    nn.Embedding(3, 4), GRU(3, 4)
print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
