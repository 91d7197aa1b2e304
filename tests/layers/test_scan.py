import pytest
import torch

from throughtime import Padded, scan, tree
from throughtime.cells import GRU, LSTM, Elman, PhasedLSTM, Recorded
from throughtime.errors import ArgumentError
from throughtime.layers import Recurrent, fold

CELLS = [LSTM, GRU, Elman, PhasedLSTM, lambda width, hidden: Recorded(LSTM(width, hidden))]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_row_that_is_over_keeps_its_state_and_gives_zeros(cell, reverse):
    cell = cell(3, 4).double()
    inputs = Padded(torch.randn(3, 5, 3, dtype=torch.float64), torch.tensor([5, 2, 0])).zeroed()
    _, state = scan(cell, Padded.full(inputs.data))
    outputs, final = scan(cell, inputs, state, reverse=reverse)
    assert torch.equal(outputs.lengths, inputs.lengths)
    assert not outputs.data[~inputs.mask].any()
    alone, short = scan(cell, Padded.full(inputs.data[1:2, :2]), tree.take(state, torch.tensor([1])), reverse=reverse)
    torch.testing.assert_close(outputs.data[1:2, :2], alone.data)
    for place, leaf in tree.leaves(final):
        torch.testing.assert_close(leaf[1:2], dict(tree.leaves(short))[place])
        assert torch.equal(leaf[2], dict(tree.leaves(state))[place][2])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", [(2, 0), (0, 5), (2, 5)])
@pytest.mark.parametrize("cell", CELLS)
def test_nothing_to_read_gives_nothing_and_keeps_the_state(cell, shape, reverse):
    cell = cell(3, 4)
    nothing = Padded(torch.zeros(*shape, 3), torch.zeros(shape[0]).long())
    state = tree.map(lambda leaf: leaf + 1, cell.initial(shape[0]))
    outputs, final = scan(cell, nothing, state, reverse=reverse)
    assert outputs.data.shape == (*shape, cell.hidden)
    assert not outputs.data.any()
    for place, leaf in tree.leaves(final):
        assert torch.equal(leaf, dict(tree.leaves(state))[place])


@pytest.mark.parametrize("path", [scan, fold])
def test_reverse_reads_from_the_last_step_to_the_first_and_leaves_outputs_in_place(path):
    cell = Elman(1, 1, bias=False).double()
    cell.weight_ih.data.fill_(1.0)
    cell.weight_hh.data.fill_(1.0)
    inputs = Padded(torch.tensor([[[0.1], [0.2], [0.0]]], dtype=torch.float64), torch.tensor([2]))
    outputs, final = path(cell, inputs, cell.initial(1), reverse=True)
    last = torch.tanh(torch.tensor(0.2, dtype=torch.float64))
    first = torch.tanh(0.1 + last)
    torch.testing.assert_close(outputs.data.flatten(), torch.stack([first, last, 0 * last]))
    torch.testing.assert_close(final.hidden.flatten(), first[None])


def test_reverse_resets_begin_anew_for_one_who_comes_from_the_end():
    core = Recurrent(LSTM(3, 4), reverse=True).double()
    inputs = Padded(torch.randn(2, 6, 3, dtype=torch.float64), torch.tensor([6, 3])).zeroed()
    _, state = core(inputs)
    resets = torch.zeros(2, 6, dtype=torch.bool)
    resets[:, 3] = True  # in the padding of the second row
    outputs, final = core(inputs, state, resets)
    late, _ = core(Padded.full(inputs.data[:1, 4:]), tree.take(state, torch.tensor([0])))
    early, reached = core(Padded.full(inputs.data[:1, :4]))
    other, carried = core(Padded.full(inputs.data[1:, :3]), tree.take(state, torch.tensor([1])))
    torch.testing.assert_close(outputs.data[:1], torch.cat([early.data, late.data], 1))
    torch.testing.assert_close(outputs.data[1:, :3], other.data)
    torch.testing.assert_close(final.cell, torch.cat([reached.cell, carried.cell]))


def test_resets_that_do_not_fit_are_refused_with_what_came():
    with pytest.raises(ArgumentError, match=r"resets \(2, 4\) do not fit inputs \(2, 5, 3\): resets is B T"):
        scan(GRU(3, 4), Padded.full(torch.zeros(2, 5, 3)), resets=torch.zeros(2, 4, dtype=torch.bool))
