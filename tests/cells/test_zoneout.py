import pytest
import torch

from throughtime import tree
from throughtime.cells import GRU, LSTM, CellState, Zoneout

ROWS, HIDDEN = 400, 50  # 20,000 draws: a share is within 0.02 of its chance by five deviations and more


def one_step(training: bool, **rates: float) -> tuple[CellState, CellState, CellState, torch.Tensor]:
    """Every row the same: the state before a step, after it without zoneout, after it with, and the output."""
    inner = LSTM(3, HIDDEN)
    cell = Zoneout(inner, **rates).train(training)
    x = torch.randn(1, 1, 3).expand(ROWS, 1, 3)
    old = CellState(torch.randn(1, HIDDEN).expand(ROWS, HIDDEN), torch.randn(1, HIDDEN).expand(ROWS, HIDDEN))
    _, new = inner.step(tree.unbind(inner.project(x), 1)[0], old)
    y, zoned = cell.step(tree.unbind(cell.project(x), 1)[0], old)
    return old, tree.detach(new), tree.detach(zoned), y.detach()


RATES = [{"hidden": 0.2, "cell": 0.5}, {"hidden": 0.0, "cell": 0.5}, {"hidden": 0.7, "cell": 0.0}]


@pytest.mark.parametrize("rates", RATES)
def test_in_training_a_unit_is_old_at_its_rate_and_else_new(rates):
    old, new, zoned, _ = one_step(True, **rates)
    for name, rate in rates.items():
        before, after, got = (getattr(state, name) for state in (old, new, zoned))
        kept = torch.isclose(got, before, atol=1e-6)
        assert abs(float(kept.float().mean()) - rate) < 0.02
        assert torch.allclose(got, torch.where(kept, before, after), atol=1e-6)


@pytest.mark.parametrize("rates", RATES)
def test_in_evaluation_a_unit_is_what_training_expects(rates):
    old, new, evaluated, _ = one_step(False, **rates)
    for name, rate in rates.items():
        before, after, got = (getattr(state, name) for state in (old, new, evaluated))
        assert torch.allclose(got, rate * before + (1 - rate) * after, atol=1e-6)


@pytest.mark.parametrize("training", [False, True])
def test_the_output_is_the_hidden_state_so_mixed(training):
    _, _, zoned, y = one_step(training, hidden=0.3, cell=0.3)
    assert torch.equal(y, zoned.hidden)


def test_masks_are_drawn_anew_at_each_step_and_row():
    masks = Zoneout(GRU(3, HIDDEN), hidden=0.5).train().project(torch.randn(5, 6, 3)).fresh[0]
    assert masks.shape == (5, 6, HIDDEN)
    assert len({tuple(mask) for mask in masks.flatten(0, 1).tolist()}) == 30
