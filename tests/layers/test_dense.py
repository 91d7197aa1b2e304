"""Dense layers against torch.nn put together by hand."""

import pytest
import torch
from torch import nn

from throughtime.errors import ArgumentError
from throughtime.layers.dense import Dense

PEERS = {"sigmoid": nn.Sigmoid(), "tanh": nn.Tanh(), "relu": nn.ReLU(), "leaky_relu": nn.LeakyReLU(0.1)}


@pytest.mark.parametrize("activation", PEERS)
@pytest.mark.parametrize("hidden", [(4,), (5, 2, 3)])
def test_layers_are_those_of_torch(activation, hidden):
    dense = Dense(3, hidden, activation=activation).double()
    peer = nn.Sequential(*[part for layer in dense.layers for part in (layer, PEERS[activation])])
    x = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(dense(x), peer(x))
    assert torch.autograd.gradcheck(dense, x)
    assert dense.hidden == hidden[-1]


def test_no_layers_give_back_what_they_get():
    x = torch.randn(2, 3)
    dense = Dense(3, (), dropout=0.5)
    assert dense(x) is x
    assert dense.hidden == 3


def test_dropout_falls_on_units_while_training():
    dense = Dense(2, (400,), dropout=0.25)
    x = torch.ones(1, 2)
    whole = dense.eval()(x)
    dropped = dense.train()(x)
    some = dropped != 0
    torch.testing.assert_close(dropped[some], whole[some] / 0.75)
    assert 0.15 < float((dropped == 0).sum() - (whole == 0).sum()) / float((whole != 0).sum()) < 0.35


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((0, (3,)), {}, r"at least 1; got 0 and \[3\]"),
        ((2, (3, 0)), {}, r"at least 1; got 2 and \[3, 0\]"),
        ((2, (3,)), {"dropout": 1.0}, r"dropout must be in \[0, 1\); got 1.0"),
    ],
)
def test_what_does_not_fit_is_refused(sizes, options, message):
    with pytest.raises(ArgumentError, match=message):
        Dense(*sizes, **options)
