import pytest
import torch
from torch import nn

from throughtime import Padded, scan, tree
from throughtime.cells import GRU, LSTM, HiddenState, PhasedLSTM, Recorded, Zoneout


@pytest.mark.parametrize("inner", [GRU(3, 4), LSTM(3, 4), PhasedLSTM(3, 4), Zoneout(LSTM(3, 4), hidden=0.2, cell=0.2)])
def test_the_fields_of_the_output_are_the_states_after_each_step(inner):
    cell = Recorded(inner.double().eval())
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    outputs, final = scan(cell, Padded.full(x))
    fields = cell.fields(outputs.data)
    assert type(fields) is type(inner.initial(1))
    for t in range(5):
        _, reached = scan(inner, Padded.full(x[:, : t + 1]))
        for name, leaf in tree.leaves(reached):
            torch.testing.assert_close(getattr(fields, name)[:, t], leaf, rtol=0, atol=1e-12)
    for name, leaf in tree.leaves(final):
        assert torch.equal(getattr(fields, name)[:, -1], leaf)


def test_a_learned_initial_state_is_no_hindrance_to_copies():
    class Begun(GRU):
        def __init__(self) -> None:
            super().__init__(3, 4)
            self.beginning = nn.Parameter(torch.ones(4))

        def initial(self, batch: int) -> HiddenState:
            return HiddenState(self.beginning.expand(batch, -1) * 1)

    assert not Recorded(Begun()).template.hidden.requires_grad
