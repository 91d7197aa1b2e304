import threading

import pytest
import torch
from torch import nn

from throughtime import tree
from throughtime.cells import GRU, LSTM, LayerNormLSTM, PeepholeLSTM, PhasedLSTM, UnsharedElman
from throughtime.errors import ArgumentError
from throughtime.kernels.run import PlainLoopWarning
from throughtime.layers import Bidirectional, Recurrent, Stack, Stream, Window
from throughtime.padded import Padded


def deep(dtype=torch.float32):
    layers = [Recurrent(PeepholeLSTM(3, 5)), Recurrent(GRU(5, 5, reset="before")), Recurrent(LayerNormLSTM(5, 5))]
    return Stack(layers, residual=True, dropout=0.5).to(dtype).eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_stream_of_many_layers_is_the_whole_sequence(batch, dtype):
    core = deep(dtype)
    x = torch.randn(batch, 50, 3, dtype=dtype)
    with torch.no_grad():
        whole, final = core(Padded.full(x))
    stream = core.stream(batch)
    assert stream._compiled is not None
    far = 1e-5 if dtype == torch.float32 else 1e-12
    for t in range(50):
        torch.testing.assert_close(stream.step(x[:, t]), whole.data[:, t], rtol=far, atol=far)
    for (_, ours), (_, theirs) in zip(tree.leaves(stream.state), tree.leaves(final), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=far, atol=far)


def test_a_state_is_a_value_that_can_be_saved_and_restored():
    stream = deep().stream(2)
    first, second = torch.randn(2, 2, 3).unbind(1)
    stream.step(first)
    saved = stream.state
    once = stream.step(second)
    assert not torch.equal(tree.leaves(saved).__next__()[1], tree.leaves(stream.state).__next__()[1])
    stream.state = saved
    assert torch.equal(stream.step(second), once)


def test_outputs_are_tensors_of_their_own():
    stream = Recurrent(GRU(3, 4)).eval().stream()
    first = stream.step(torch.ones(1, 3))
    kept = first.clone()
    stream.step(torch.ones(1, 3))
    assert torch.equal(first, kept)


def test_the_weights_are_those_of_the_beginning():
    core = Recurrent(GRU(3, 4)).eval()
    stream, x = core.stream(), torch.ones(1, 3)
    before = stream.state
    wanted = stream.step(x)
    nn.init.zeros_(core.cell.weight_hh)
    nn.init.zeros_(core.cell.weight_ih)
    nn.init.ones_(core.cell.bias_hh)
    stream.state = before
    assert torch.equal(stream.step(x), wanted)
    assert not torch.equal(core.stream().step(x), wanted)


def test_items_of_any_strides_are_read():
    core = Recurrent(LSTM(3, 4)).eval()
    x = torch.randn(3, 2).t()
    assert torch.equal(core.stream(2).step(x), core.stream(2).step(x.contiguous()))


def test_times_that_come_with_the_input_are_read():
    core = Recurrent(PhasedLSTM(3, 4, times="input")).eval()
    stream, state = core.stream(), core.initial(1)
    for time in (0.5, 0.7, 31.25):
        x = torch.tensor([[0.1, -0.2, time]])
        with torch.no_grad():
            y, state = core.step(x, state)
        torch.testing.assert_close(stream.step(x), y)


@pytest.mark.parametrize(
    "core", [Window(3, 4), Recurrent(UnsharedElman(3, 4, steps=9))], ids=lambda c: type(c).__name__
)
@pytest.mark.filterwarnings("ignore::throughtime.kernels.run.PlainLoopWarning")
def test_a_core_that_cannot_be_compiled_streams_in_torch(core):
    stream, state = core.eval().stream(2), core.initial(2)
    for _ in range(5):
        x = torch.randn(2, 3)
        with torch.no_grad():
            y, state = core.step(x, state)
        assert torch.equal(stream.step(x), y)


def test_why_a_stream_is_slow_is_said_once():
    class Slow(Recurrent):
        def step(self, x, state):
            return super().step(x * float(x.sum() > -1e9), state)

    core = Slow(GRU(3, 4)).eval()
    with pytest.warns(PlainLoopWarning, match=r"Slow runs in the plain loop.*_local_scalar_dense"):
        core.stream()
    core.stream()


class Empty(Recurrent):
    """A core that carries a state of no numbers beside the cell's."""

    def initial(self, batch):
        return super().initial(batch), torch.zeros(batch, 0)

    def step(self, x, state):
        y, inner = super().step(x, state[0])
        return y, (inner, state[1])


def test_a_state_without_numbers_streams_in_torch():
    core = Empty(GRU(3, 4)).eval()
    with pytest.warns(PlainLoopWarning, match="a tensor without numbers"):
        stream = core.stream(2)
    x = torch.randn(2, 3)
    torch.testing.assert_close(stream.step(x), core.step(x, core.initial(2))[0])
    assert stream.state[1].shape == (2, 0)


def test_what_does_not_fit_is_refused_with_what_came():
    core = Recurrent(GRU(3, 4))
    with pytest.raises(ArgumentError, match=r"evaluation; call core.eval\(\) first"):
        core.stream()
    core.eval()
    with pytest.raises(ArgumentError, match="batch must be at least 1; got 0"):
        core.stream(0)
    with pytest.raises(ArgumentError, match="Bidirectional needs the whole sequence"):
        Stream(Bidirectional(GRU(3, 4), GRU(3, 4)).eval())
    stream = core.stream(2)
    for x in (torch.ones(1, 3), torch.ones(2, 4), torch.ones(2, 3).double()):
        with pytest.raises(ArgumentError, match=r"this stream reads \(2, 3\) of torch.float32 on cpu"):
            stream.step(x)
    with pytest.raises(ArgumentError, match=r"state.hidden is \(1, 4\) of torch.float32; this stream's is \(2, 4\)"):
        stream.state = core.initial(1)
    with pytest.raises(ArgumentError, match=r"state\.hidden"):
        stream.state = LSTM(3, 5).initial(2)


def test_streams_of_one_core_in_many_threads_do_not_meet():
    core = deep()
    x = torch.randn(100, 1, 3)
    wanted = [y.clone() for y in map(core.stream().step, x)]
    found = {}

    def work(number):
        found[number] = [y.clone() for y in map(core.stream().step, x)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(a, b) for got in found.values() for a, b in zip(got, wanted, strict=True))
    assert len(found) == 4
