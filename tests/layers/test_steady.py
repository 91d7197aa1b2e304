"""Steps that are compiled while weights stay as they are: the core's own, and a row by itself to the last bit."""

import contextvars
import threading

import pytest
import torch
from torch import nn

from throughtime import tree
from throughtime.cells import GRU, LSTM
from throughtime.kernels import launch, sweep
from throughtime.kernels.run import PlainLoopWarning
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
def test_a_row_comes_out_the_same_in_any_company(compiled):
    core = deep(torch.float32)
    x, state = torch.randn(70, 5), state_of(core, 70)
    with steady():
        whole = step(core, x, state)
        for rows in ([4], [69, 0], list(range(7, 40))):
            place = torch.tensor(rows)
            found = step(core, x[place], tree.take(state, place))
            pairs = zip(tree.leaves(found), tree.leaves(tree.take(whole, place)), strict=True)
            assert all(torch.equal(one, other) for (_, one), (_, other) in pairs)
    assert compiled == [70, 1, 2, 33]


class Scaled(nn.Module):
    """A core whose step goes by a number, too."""

    width, hidden, causal = 5, WIDE, True

    def __init__(self):
        super().__init__()
        self.linear, self.scale = nn.Linear(5, WIDE), 1.0

    def initial(self, batch):
        return torch.zeros(batch, WIDE)

    def step(self, x, state):
        new = torch.tanh(self.linear(x) * self.scale + state)
        return new, new


def doubled(core):
    for weight in core.parameters():
        weight.mul_(2)


def replaced(core):
    core.linear.weight = nn.Parameter(torch.randn(WIDE, 5))


def scaled(core):
    core.scale = 3.0


@pytest.mark.parametrize("change", [doubled, replaced, scaled])
@torch.no_grad()
def test_a_core_that_changes_is_compiled_anew(change, compiled):
    core = Scaled().eval()
    x, state = torch.randn(2, 5), torch.randn(2, WIDE)
    with steady():
        before, _ = step(core, x, state)
        change(core)
        assert_close(step(core, x, state), core.step(x, state))
        assert not torch.allclose(before, core.step(x, state)[0])
    assert compiled == [2, 2]


@torch.no_grad()
def test_numbers_of_another_kind_are_compiled_anew(compiled):
    core = deep()
    with steady():
        for dtype in (torch.float64, torch.float32):
            core.to(dtype)
            x, state = torch.randn(2, 5, dtype=dtype), state_of(core, 2)
            assert_close(step(core, x, state), core.step(x, state))
    assert compiled == [2, 2]


@torch.no_grad()
def test_what_does_not_fit_is_left_to_the_core(compiled):
    core = Recurrent(GRU(5, WIDE)).eval()
    with steady():
        y, _ = step(core, torch.randn(8, 5), core.initial(1))  # which torch repeats for all rows
        assert y.shape == (8, WIDE)
        for rows, width, held in [(2, 5, 6), (4, 7, 4), (4, 3, 4)]:
            with pytest.raises(RuntimeError):
                step(core, torch.randn(rows, width), core.initial(held))
    assert compiled == []


@pytest.mark.parametrize("made_inside", [False, True])
def test_weights_of_inference_mode_are_left_to_the_core(made_inside, compiled):
    with torch.inference_mode(made_inside):
        core = Recurrent(GRU(5, WIDE)).eval()
    with torch.inference_mode(), steady():
        x, state = torch.randn(2, 5), core.initial(2)
        for _ in range(2):
            assert_close(step(core, x, state), core.step(x, state))
    assert compiled == ([] if made_inside else [2, 2])


@torch.no_grad()
def test_another_thread_is_not_in_here(compiled):
    core, x = deep(), torch.randn(2, 5, dtype=torch.float64)
    with steady():
        context = contextvars.copy_context()
        other = threading.Thread(target=context.run, args=(step, core, x, core.initial(2)))
        other.start()
        other.join()
    assert compiled == []


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
def test_what_cannot_be_compiled_goes_its_own_way_and_says_so():
    core, x = Counting().eval(), torch.ones(2, 5)
    with steady(), pytest.warns(PlainLoopWarning, match="Counting runs in the plain loop"):
        assert_close(step(core, x, core.initial(2)), core.step(x, core.initial(2)))


class Plain:
    """A core that is no module."""

    width, hidden, causal = 5, WIDE, True

    def initial(self, batch):
        return torch.zeros(batch, WIDE)

    def __call__(self, inputs, state=None, resets=None):
        raise NotImplementedError

    def step(self, x, state):
        return state + 1, state + 1


@torch.no_grad()
def test_a_core_that_is_no_module_goes_its_own_way():
    with steady():
        assert step(Plain(), torch.ones(2, 5), torch.zeros(2, WIDE))[0].sum() == 2 * WIDE


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
