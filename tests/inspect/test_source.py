import pytest
import torch

from throughtime.cells import GRU, CoupledLSTM
from throughtime.errors import UntraceableError
from throughtime.inspect.source import sweep_source
from throughtime.kernels.build import cache_folder


def test_the_source_is_what_stands_in_the_cache():
    sources = sweep_source(CoupledLSTM(3, 4))
    written = {path.read_text() for path in cache_folder().glob("*/coupledlstm_*.py")}
    assert {sources.forward, sources.backward} <= written


def test_without_gradients_there_is_no_way_back_and_nothing_is_kept():
    with torch.no_grad():
        sources = sweep_source(CoupledLSTM(3, 4))
    assert sources.backward is None
    assert "saved" not in sources.forward
    assert "saved" in sweep_source(CoupledLSTM(3, 4)).forward


def test_the_numbers_are_those_of_the_weights():
    assert "float64" in sweep_source(GRU(3, 4).double()).forward
    assert "float64" not in sweep_source(GRU(3, 4)).forward


def test_why_there_is_none_is_said():
    class Sorting(GRU):
        def step(self, z, state):
            y, state = super().step(z, state)
            return y.sort(-1).values, state

    with pytest.raises(UntraceableError, match=r"aten\.sort"):
        sweep_source(Sorting(3, 4))
