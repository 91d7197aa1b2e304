"""A model at rest: no dropout, no gradients, and as it was afterwards."""

import pytest
import torch
from torch import nn

from throughtime.inspect.attribution import integrated_gradients
from throughtime.layers.rest import at_rest


@pytest.mark.parametrize("training", [True, False])
def test_a_model_at_rest_drops_nothing_and_goes_on_as_it_was(training):
    model, x = nn.Sequential(nn.Linear(3, 50), nn.Dropout(0.5)).train(training), torch.ones(2, 3)
    with at_rest(model):
        assert not model.training
        assert not model[1].training
        assert torch.equal(model(x), model(x))
        assert not model(x).requires_grad
    assert (model.training, model[1].training) == (training, training)
    assert model(x).requires_grad
    with pytest.raises(KeyError), at_rest(model):
        raise KeyError
    assert (model.training, torch.is_grad_enabled()) == (training, True)


def test_what_needs_gradients_turns_them_on():
    model = nn.Linear(2, 1, bias=False)
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    with at_rest(model):
        found = integrated_gradients(lambda seen: model(seen.data).sum((1, 2)), x, torch.zeros(2))
    torch.testing.assert_close(torch.from_numpy(found.weights).float(), (x * model.weight).detach())
