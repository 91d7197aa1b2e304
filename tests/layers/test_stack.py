from typing import Any

import pytest
import torch
from torch import Tensor, nn

from throughtime import Padded
from throughtime.cells import GRU, LSTM
from throughtime.errors import ArgumentError
from throughtime.layers import Bidirectional, Recurrent, Stack, VariationalDropout, Window


class Through(nn.Module):
    """A core that gives what it gets, times a factor; it keeps what it got."""

    def __init__(self, width: int, factor: float = 1.0) -> None:
        super().__init__()
        self.width, self.hidden, self.causal, self.factor = width, width, True, factor
        self.got: list[Tensor] = []

    def initial(self, batch: int) -> None:
        return None

    def forward(self, inputs: Padded, state: Any = None, resets: Any = None) -> tuple[Padded, Any]:
        self.got.append(inputs.data)
        return inputs.replace(inputs.data * self.factor), state

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        return x * self.factor, state


def ones(width: int = 100) -> Padded:
    return Padded.full(torch.ones(20, 5, width))


def test_dropout_falls_between_layers_on_the_same_features_at_all_steps_of_a_row():
    stack = Stack([Through(100), Through(100), Through(100)], dropout=0.4).train()
    outputs, _ = stack(ones())
    below, middle, above = (layer.got[0] for layer in stack.layers)
    assert torch.equal(below, torch.ones_like(below))
    assert torch.equal(outputs.data, above)
    for dropped in (middle, above):
        assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
        assert len({tuple(row) for row in dropped[:, 0].tolist()}) == 20
    assert torch.allclose(middle.unique(), torch.tensor([0, 1 / 0.6]))
    assert abs(float(middle[:, 0].mean()) - 1) < 0.1  # 2,000 draws: five deviations
    assert not torch.equal(middle, above)


def test_there_is_no_dropout_in_evaluation_nor_on_a_single_layer():
    assert torch.equal(Stack([Through(9), Through(9)], dropout=0.4).eval()(ones(9))[0].data, ones(9).data)
    assert torch.equal(Stack([Through(9)], dropout=0.4).train()(ones(9))[0].data, ones(9).data)


def test_dropout_is_one_draw_for_a_row_and_keeps_the_expectation():
    dropped = VariationalDropout(0.4).train()(torch.ones(20, 5, 100))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert len({tuple(row) for row in dropped[:, 0].tolist()}) == 20
    assert torch.allclose(dropped.unique(), torch.tensor([0, 1 / 0.6]))


@pytest.mark.parametrize(("residual", "factor"), [(False, 2 * 3), (True, (1 + 2) * (1 + 3))])
def test_residual_adds_a_layers_input_to_its_output(residual, factor):
    stack = Stack([Through(4, 2.0), Through(4, 3.0)], residual=residual)
    assert torch.equal(stack(ones(4))[0].data, factor * ones(4).data)
    assert torch.equal(stack.step(ones(4).data[:, 0], (None, None))[0], factor * ones(4).data[:, 0])


def test_residual_leaves_layers_of_another_width_alone():
    layers = [Recurrent(LSTM(3, 4)), Recurrent(LSTM(4, 5))]
    x = Padded.full(torch.randn(2, 5, 3))
    assert torch.equal(Stack(layers, residual=True)(x)[0].data, Stack(layers)(x)[0].data)


def one_step(core: Any) -> Any:
    return core.step(torch.zeros(1, 3), core.initial(1))


REFUSED = {
    "no layers": (lambda: Stack([]), "layers is empty: a stack has at least one layer"),
    "widths that do not meet": (
        lambda: Stack([Recurrent(GRU(3, 4)), Recurrent(GRU(5, 6))]),
        "a layer of width 5 cannot stand on one that gives 4",
    ),
    "all dropped": (lambda: Stack([Recurrent(GRU(3, 4))], dropout=1.0), r"rate must be in \[0, 1\); got 1.0"),
    "two widths": (lambda: Bidirectional(GRU(3, 4), GRU(5, 4)), "widths 3 and 5 differ"),
    "backward step by step": (
        lambda: one_step(Bidirectional(GRU(3, 4), GRU(3, 4))),
        "needs the whole sequence: it cannot go step by step",
    ),
    "a stack with it, step by step": (
        lambda: one_step(Stack([Bidirectional(GRU(3, 4), GRU(3, 4))])),
        "needs the whole sequence: it cannot go step by step",
    ),
    "no window": (lambda: Window(3, 4, window=0), "window must be at least 1; got 0"),
    "a window of no layers": (lambda: Window(3, 4, layers=0), "layers must be at least 1; got 0"),
    "a window of no width": (lambda: Window(0, 4), "width must be at least 1; got 0"),
    "a window that gives nothing": (lambda: Window(3, 0), "hidden must be at least 1; got 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_what_came(case):
    construct, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message):
        construct()


def test_sizes_are_those_of_the_ends():
    stack = Stack([Bidirectional(GRU(3, 2), GRU(3, 4)), Recurrent(LSTM(6, 5))])
    assert (stack.width, stack.hidden, stack.causal) == (3, 5, False)
    assert (stack.layers[0].width, stack.layers[0].hidden) == (3, 6)


def test_a_bidirectional_output_is_both_directions_side_by_side():
    both = Bidirectional(GRU(3, 2), LSTM(3, 4)).double()
    x = Padded(torch.randn(2, 5, 3, dtype=torch.float64), torch.tensor([5, 3])).zeroed()
    outputs, state = both(x)
    ahead, after = Recurrent(both.ahead.cell)(x)
    flipped, before = Recurrent(both.back.cell)(x.flip())
    torch.testing.assert_close(outputs.data, torch.cat([ahead.data, flipped.flip().data], -1))
    torch.testing.assert_close(state.forward.hidden, after.hidden)
    torch.testing.assert_close(state.backward.cell, before.cell)
