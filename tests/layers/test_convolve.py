import pytest
import torch

from throughtime import Padded
from throughtime.cells import GRU
from throughtime.errors import ArgumentError
from throughtime.layers import Convolution, Direct, MaximumPool, NoState, Recurrent, Stack, Stream


def by_hand(core: Convolution, row: torch.Tensor) -> torch.Tensor:
    """Each output from the inputs under each filter, one at a time; zeros beyond the ends of the row."""
    outputs = []
    for t in range(len(row)):
        parts = []
        for size, filters in zip(core.widths, core.filters, strict=True):
            first = t - (size - 1) // 2
            seen = [row[s] if 0 <= s < len(row) else torch.zeros_like(row[0]) for s in range(first, first + size)]
            products = torch.einsum("hdk,kd->h", filters.weight, torch.stack(seen))
            parts.append((products + filters.bias).clamp(min=0))
        outputs.append(torch.cat(parts))
    return torch.stack(outputs)


@pytest.mark.parametrize("widths", [(1,), (2,), (3, 4, 5), (9, 2)])
def test_an_output_is_the_filters_over_its_neighbours(widths):
    core = Convolution(3, 4, widths=widths).double()
    lengths = (6, 3, 1)
    inputs = Padded(torch.randn(3, 6, 3, dtype=torch.float64), torch.tensor(lengths))  # padding that is not zero
    outputs, state = core(inputs)
    assert state == core.initial(3) == NoState()
    assert outputs.data.shape == (3, 6, core.hidden) == (3, 6, 4 * len(widths))
    for row, length in enumerate(lengths):
        wanted = by_hand(core, inputs.data[row, :length])
        torch.testing.assert_close(outputs.data[row, :length], wanted)
        assert (wanted == 0).any()
        assert (wanted > 0).any()
        assert not outputs.data[row, length:].any()


def test_the_widths_are_three_to_five_unless_told():
    assert Convolution(3, 4).widths == (3, 4, 5)
    assert [tuple(part.weight.shape) for part in Convolution(3, 4).filters] == [(4, 3, 3), (4, 3, 4), (4, 3, 5)]


@pytest.mark.parametrize("lengths", [(0, 4), (0, 0)])
def test_a_sequence_of_no_steps_gives_zeros_and_the_others_what_they_give_alone(lengths):
    core = Convolution(3, 4).double()
    data = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    outputs, _ = core(Padded(data, torch.tensor(lengths)))
    assert not outputs.data[0].any()
    if lengths[1]:
        torch.testing.assert_close(outputs.data[1:], core(Padded.full(data[1:]))[0].data)
    (gradient,) = torch.autograd.grad(outputs.data.sum(), data)
    assert [bool(row.any()) for row in gradient] == [length > 0 for length in lengths]


@pytest.mark.parametrize("core", [Convolution(3, 4), Direct(3)])
def test_no_steps_at_all_give_no_outputs(core):
    outputs, _ = core(Padded.full(torch.zeros(2, 0, 3)))
    assert outputs.data.shape == (2, 0, core.hidden)
    assert MaximumPool()(outputs).tolist() == [[0.0] * core.hidden] * 2


def test_direct_gives_back_its_inputs_and_zeros_for_padding():
    inputs = Padded(torch.ones(2, 3, 2), torch.tensor([3, 1]))
    outputs, state = Direct(2)(inputs, None, torch.ones(2, 3, dtype=torch.bool))
    assert outputs.data.sum(-1).tolist() == [[2, 2, 2], [2, 0, 0]]
    assert state == NoState()
    assert list(Direct(2).parameters()) == []


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_direct_streams_whatever_comes(kind):
    stream, x = Stream(Direct(3).eval(), 2), torch.randn(2, 3, dtype=kind)
    assert torch.equal(stream.step(x), x)
    assert stream.state == NoState()
    with pytest.raises(ArgumentError, match=r"x is \(2, 4\) of torch.float32 on cpu; this stream reads \(2, 3\) of"):
        stream.step(torch.zeros(2, 4))


def test_a_convolution_stands_under_a_recurrent_core():
    core = Stack([Convolution(3, 2, widths=(1, 3)), Recurrent(GRU(4, 5))])
    outputs, _ = core(Padded.full(torch.randn(2, 6, 3)))
    assert outputs.data.shape == (2, 6, 5)
    assert core.causal is False


REFUSED = {
    "no widths": (lambda: Convolution(3, 4, widths=()), r"different numbers from 1 on, one at least; got \[\]"),
    "a width of nothing": (lambda: Convolution(3, 4, widths=(3, 0)), r"numbers from 1 on, .*; got \[3, 0\]"),
    "a width twice": (lambda: Convolution(3, 4, widths=(3, 3)), r"different numbers .*; got \[3, 3\]"),
    "no inputs": (lambda: Convolution(0, 4), "width and hidden must be at least 1; got 0 and 4"),
    "no outputs": (lambda: Convolution(3, 0), "width and hidden must be at least 1; got 3 and 0"),
    "nothing direct": (lambda: Direct(0), "width must be at least 1; got 0"),
    "step by step": (
        lambda: Convolution(3, 4).step(torch.zeros(1, 3), NoState()),
        "a convolution sees steps to come: it cannot go step by step",
    ),
    "as a stream": (lambda: Stream(Convolution(3, 4).eval()), "Convolution needs the whole sequence"),
    "across resets": (
        lambda: Convolution(3, 4)(Padded.full(torch.zeros(1, 2, 3)), None, torch.zeros(1, 2, dtype=torch.bool)),
        "a convolution sees across resets: give the pieces as sequences of their own",
    ),
    "inputs of another width": (
        lambda: Convolution(3, 4)(Padded.full(torch.zeros(1, 2, 5))),
        r"inputs \(1, 2, 5\) do not fit Convolution: inputs is B T D with D = 3",
    ),
    "ids": (
        lambda: Direct(3)(Padded.full(torch.zeros(1, 3, dtype=torch.int64))),
        r"inputs \(1, 3\) do not fit Direct: inputs is B T D with D = 3",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_what_came(case):
    construct, message = REFUSED[case]
    with pytest.raises(ArgumentError, match=message):
        construct()
