"""Steps that are compiled while weights stay as they are: the core's own, and a row by itself to the last bit."""

import pytest
import torch
from torch import nn

from throughtime import tree
from throughtime.cells import GRU, LSTM
from throughtime.kernels import launch, sweep
from throughtime.layers import Recurrent, Stack
from throughtime.layers import steady as made
from throughtime.layers.steady import WIDE, steady, step


@pytest.fixture
def compiled(monkeypatch):
    """How many rows each compiled step had."""
    calls = []

    class Counted(made.CompiledStep):
        def __call__(self, x, before, after):
            calls.append(len(x))
            return super().__call__(x, before, after)

    monkeypatch.setattr(made, "CompiledStep", Counted)
    return calls


def deep(dtype=torch.float64):
    return Stack([Recurrent(LSTM(5, WIDE)), Recurrent(GRU(WIDE, WIDE))]).to(dtype).eval()


def state_of(core, rows):
    return tree.map(torch.randn_like, core.initial(rows))


def assert_close(found, expected):
    for (_, one), (_, other) in zip(tree.leaves(found), tree.leaves(expected), strict=True):
        torch.testing.assert_close(one, other)


@torch.no_grad()
def test_is_the_cores_own_step_for_any_number_of_rows_and_leaves_the_state_alone(compiled):
    core = deep()
    with steady():
        for rows in (3, 8, 1, 8, 13):
            x, state = torch.randn(rows, 5, dtype=torch.float64), state_of(core, rows)
            before = tree.map(torch.clone, state)
            assert_close(step(core, x, state), core.step(x, state))
            assert_close(state, before)
    assert compiled == [3, 8, 1, 8, 13]


@torch.no_grad()
def test_rows_and_states_that_do_not_lie_side_by_side(compiled):
    core = deep()
    x = torch.randn(5, 4, dtype=torch.float64).t().expand(-1, -1)[:, :5]
    state = tree.map(lambda leaf: torch.randn(leaf.shape[::-1], dtype=leaf.dtype).t(), core.initial(4))
    with steady():
        assert_close(step(core, x, state), core.step(x, state))
    assert compiled == [4]


@torch.no_grad()
def test_a_row_comes_out_the_same_in_any_company():
    core = deep(torch.float32)
    x, state = torch.randn(70, 5), state_of(core, 70)
    with steady():
        whole = step(core, x, state)
        for rows in ([4], [69, 0], list(range(7, 40))):
            place = torch.tensor(rows)
            found = step(core, x[place], tree.take(state, place))
            pairs = zip(tree.leaves(found), tree.leaves(tree.take(whole, place)), strict=True)
            assert all(torch.equal(one, other) for (_, one), (_, other) in pairs)


@torch.no_grad()
def test_weights_that_change_in_place_and_numbers_of_another_kind_are_seen(compiled):
    core = deep()
    x, state = torch.randn(2, 5, dtype=torch.float64), state_of(core, 2)
    with steady():
        step(core, x, state)
        for weight in core.parameters():
            weight.mul_(2)
        assert_close(step(core, x, state), core.step(x, state))
        core.float()
        x, state = x.float(), tree.map(torch.Tensor.float, state)
        assert_close(step(core, x, state), core.step(x, state))
    assert compiled == [2, 2, 2]


def test_it_is_the_plain_step_outside_in_training_with_gradients_and_for_few_units(compiled):
    core, narrow = deep(), Recurrent(GRU(5, WIDE - 1)).double().eval()
    x = torch.randn(2, 5, dtype=torch.float64)
    with torch.no_grad():
        step(core, x, core.initial(2))
        with steady():
            step(narrow, x, narrow.initial(2))
            step(core.train(), x, core.initial(2))
    with steady():
        y, _ = step(core.eval(), x, core.initial(2))
    assert y.requires_grad
    assert compiled == []


@torch.no_grad()
def test_threads_share_the_rows(monkeypatch):
    core, asked = deep(), []
    monkeypatch.setattr(sweep, "PARALLEL", 0)
    monkeypatch.setattr(launch, "threads", lambda: 3)
    run = launch.run
    monkeypatch.setattr(launch, "run", lambda *given: asked.append(given[-1]) or run(*given))
    with steady():
        for rows in (7, 2, 8):
            x, state = torch.randn(rows, 5, dtype=torch.float64), state_of(core, rows)
            assert_close(step(core, x, state), core.step(x, state))
    assert asked == [3, 2, 3]


class Counting(nn.Module):
    """A core that no sweep can do: it counts its rows."""

    width, hidden, causal = 5, WIDE, True

    def initial(self, batch):
        return torch.zeros(batch, WIDE)

    def step(self, x, state):
        return state + len(x), state + 1


@torch.no_grad()
def test_what_cannot_be_compiled_goes_its_own_way():
    core = Counting().eval()
    with steady():
        assert_close(step(core, torch.ones(2, 5), core.initial(2)), core.step(torch.ones(2, 5), core.initial(2)))


@torch.no_grad()
def test_what_is_compiled_is_kept_to_the_end_of_the_outermost(compiled, monkeypatch):
    core, x = deep(), torch.randn(2, 5, dtype=torch.float64)
    times = []
    monkeypatch.setattr(made, "_Kept", lambda *given, kept=made._Kept: times.append(1) or kept(*given))
    with steady():
        with steady():
            step(core, x, core.initial(2))
        step(core, x, core.initial(2))
    with steady():
        step(core, x, core.initial(2))
    assert len(times) == 2
