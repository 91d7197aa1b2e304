import torch

from throughtime import Padded, scan
from throughtime.cells import PhasedLSTM
from throughtime.cells.phased import PhasedProjected


def test_a_closed_unit_holds_its_state_in_evaluation():
    cell = PhasedLSTM(3, 4, open_ratio=0.1).eval()
    cell.period.data.fill_(10.0)
    cell.shift.data.fill_(0.5)  # open between 0.5 and 1.5 alone
    outputs, _ = scan(cell, Padded.full(torch.randn(2, 10, 3)))
    moved = (outputs.data.diff(dim=1) != 0).any(0).any(-1).tolist()
    assert moved == [True] + [False] * 8


def test_steps_are_counted_exactly_for_years():
    cell = PhasedLSTM(3, 4).eval()
    far = 2.0**40 + 1
    state = cell.initial(1)._replace(time=torch.tensor([far], dtype=torch.float64))
    _, after = cell.step(PhasedProjected(torch.zeros(1, 16), None, None), state)
    assert after.time.tolist() == [far + 1]


def test_the_gate_is_as_exact_late_as_early():
    cell = PhasedLSTM(3, 4, open_ratio=0.5).eval()
    cell.period.data = torch.tensor([4.0, 8.0, 16.0, 32.0])
    cell.shift.data.zero_()
    early, late = (torch.tensor([t], dtype=torch.float64) for t in (3.0, 3.0 + 2.0**40))
    assert torch.equal(cell.openness(early), cell.openness(late))
