import pytest
import torch

from throughtime.cells import LSTM, Elman, UnsharedElman
from throughtime.data.lanes import Chunk
from throughtime.inspect.measure import gradient_by_distance, recurrent_gain, step_gain
from throughtime.layers import Recurrent, Window, check_cell
from throughtime.models import LanguageModel


def chunk(steps=12):
    ids = torch.randint(0, 7, (3, steps + 1))
    return Chunk(ids[:, :-1], ids[:, 1:])


def test_gradient_by_distance_is_what_autograd_says_of_a_state_carried_in():
    model = LanguageModel(7, Recurrent(Elman(4, 5))).double()
    whole = chunk()
    norms = gradient_by_distance(model, whole)
    for distance in (0, 3, 11):
        cut = whole.inputs.shape[1] - distance
        _, state = model.core(_embedded(model, whole.inputs[:, :cut]))
        hidden = state.hidden.detach().requires_grad_()
        output, carried = hidden, state._replace(hidden=hidden)
        for t in range(cut, whole.inputs.shape[1]):
            output, carried = model.core.step(model.embedding(whole.inputs[:, t]), carried)
        loss = model.head.loss(output[:, None], whole.targets[:, -1:]).total
        (gradient,) = torch.autograd.grad(loss, hidden)
        assert float(norms[distance]) == pytest.approx(float(gradient.norm(dim=1).mean()), rel=1e-9)


def _embedded(model, ids):
    from throughtime import Padded

    return Padded.full(model.embedding(ids))


@pytest.mark.parametrize(("scale", "grows"), [(0.3, False), (1.6, True)])
def test_small_recurrent_weights_make_gradients_vanish_and_large_ones_explode(scale, grows):
    cell = Elman(4, 5, nonlinearity="relu")
    with torch.no_grad():
        cell.weight_hh.copy_(scale * torch.eye(5))
        cell.bias_ih.fill_(0.5)
        cell.weight_ih.mul_(0.01)
    norms = gradient_by_distance(LanguageModel(7, Recurrent(cell)), chunk())
    assert float(norms[-1] / norms[0]) == pytest.approx(scale**11, rel=1e-3)
    assert bool(norms[-1] > norms[0]) == grows
    assert recurrent_gain(cell.weight_hh) == pytest.approx([scale])


def test_a_window_has_no_gradient_beyond_its_width():
    norms = gradient_by_distance(LanguageModel(7, Window(4, 5, window=3)), chunk())
    assert norms[1:3].all()
    assert not norms[3:].any()


def test_step_gain_of_a_linear_step_is_the_largest_singular_value():
    cell = Elman(2, 3, nonlinearity="relu", bias=False).double()
    with torch.no_grad():
        cell.weight_hh.abs_()
    state = cell.initial(1)._replace(hidden=torch.rand(1, 3, dtype=torch.float64) + 0.1)
    gain = step_gain(cell, torch.zeros(2, dtype=torch.float64), state)
    assert gain == pytest.approx(recurrent_gain(cell.weight_hh)[0])


def test_step_gain_of_an_lstm_is_finite():
    cell = LSTM(2, 3)
    assert 0 < step_gain(cell, torch.ones(2), cell.initial(1)) < 10


def test_unshared_weights_obey_the_laws_and_end_where_they_end():
    check_cell(UnsharedElman(3, 4, steps=50))
    with pytest.raises(ValueError, match="weights for 5 steps and no more"):
        Recurrent(UnsharedElman(3, 4, steps=5))(_zeros(6))
    assert Recurrent(UnsharedElman(3, 4, steps=6))(_zeros(6))[0].data.shape == (2, 6, 4)


def _zeros(steps):
    from throughtime import Padded

    return Padded.full(torch.zeros(2, steps, 3))
