import pytest
import torch

from throughtime import Padded, tree
from throughtime.errors import ArgumentError
from throughtime.layers import Design, TransformerDecoder
from throughtime.layers.check import exact
from throughtime.layers.self_attention import CrossAttention

POSITIONS = ["sinusoidal", "learnt", "rotary", "none"]


def decoder(positions: str = "sinusoidal", **changes) -> TransformerDecoder:
    return exact(TransformerDecoder(3, 4, 2, 2, memory=5, positions=positions, **changes))


def batch(width: int, *lengths: int) -> Padded:
    return Padded(torch.randn(len(lengths), max(lengths), width, dtype=torch.float64), torch.tensor(lengths)).zeroed()


def close(ours, theirs) -> None:
    ours, theirs = dict(tree.leaves(ours, "it")), dict(tree.leaves(theirs, "it"))
    assert ours.keys() == theirs.keys()
    for name, leaf in ours.items():
        torch.testing.assert_close(leaf, theirs[name], rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize("positions", POSITIONS)
def test_step_by_step_is_the_whole_and_so_is_cutting_anywhere(positions):
    core, inputs = decoder(positions), batch(3, 6, 3, 1)
    state = core.begin(batch(5, 4, 2, 3), None)
    whole, final = core(inputs, state)
    weights = core.attention(inputs, state)
    for cut in range(7):
        before, after = inputs.split(cut)
        first, carried = core(before, state)
        second, end = core(after, carried)
        close((torch.cat([first.data, second.data], 1), end), (whole.data, final))
        told = torch.cat([core.attention(before, state), core.attention(after, carried)], 1)
        torch.testing.assert_close(told, weights)
    row = torch.tensor([0])
    state = core.begin(batch(5, 4), None)
    whole, final = core(inputs.take(row), state)
    for t in range(6):
        y, state = core.step(inputs.data[:1, t], state)
        torch.testing.assert_close(y, whole.data[:, t])
    close(state, final)


def test_padding_of_sources_and_targets_changes_nothing_and_neither_do_other_rows():
    core, inputs, source = decoder(), batch(3, 4, 2), batch(5, 4, 2)
    whole, final = core(inputs, core.begin(source, None))
    wide = Padded(torch.nn.functional.pad(source.data, (0, 0, 0, 3)), source.lengths)
    long = Padded(torch.nn.functional.pad(inputs.data, (0, 0, 0, 3)), inputs.lengths)
    outputs, after = core(long, core.begin(wide, None))
    torch.testing.assert_close(outputs.data[:, :4], whole.data)
    torch.testing.assert_close(core.covered(after)[:, :4], core.covered(final))
    assert not outputs.data[:, 4:].any()
    close(after.layers, final.layers)
    second = torch.tensor([1])
    alone, _ = core(inputs.take(second), core.begin(source.take(second), None))
    torch.testing.assert_close(alone.data, whole.data[1:])


@pytest.mark.parametrize("positions", POSITIONS)
def test_hypotheses_share_what_their_source_has(positions):
    core, source = decoder(positions), batch(5, 4, 2)
    rows = torch.tensor([0, 0, 0, 1, 1, 1])
    state = core.begin(source, None)
    _, state = core.step(torch.randn(2, 3, dtype=torch.float64), state)
    spread = tree.take(state, rows)
    assert spread.memory.content.layers[0].keys.shape[0] == 2
    inputs = batch(3, 5, 4, 3, 2, 5, 1)
    copied = spread._replace(memory=tree.Shared(tree.take(state.memory.content, rows)))
    ours, theirs = core(inputs, spread), core(inputs, copied)
    close((ours[0].data, ours[1]._replace(memory=None)), (theirs[0].data, theirs[1]._replace(memory=None)))
    torch.testing.assert_close(core.attention(inputs, spread), core.attention(inputs, copied))
    order = torch.tensor([2, 0, 0, 5, 3, 4])
    x = torch.randn(6, 3, dtype=torch.float64)
    moved, _ = core.step(x[order], tree.take(ours[1], order))
    torch.testing.assert_close(moved, core.step(x, ours[1])[0][order])


def test_what_is_covered_is_the_sum_of_the_weights_of_the_last_layer_but_one():
    core, inputs, source = decoder(), batch(3, 5, 3), batch(5, 4, 2)
    state = core.begin(source, None)
    weights = core.attention(inputs, state)
    torch.testing.assert_close(weights.sum(-1), inputs.mask[:, :, None].expand(-1, -1, 2).double())
    assert not weights[1, :, :, 2:].any()
    _, after = core(inputs, state)
    sums = weights.mean(2).sum(1)
    torch.testing.assert_close(core.covered(after), torch.where(source.mask, sums, torch.ones_like(sums)))
    weights.square().sum().backward()
    told = {name.split(".")[1] for name, p in core.named_parameters() if p.grad is not None and name[:6] == "layers"}
    assert (core.told, told) == (0, {"0"})
    assert [TransformerDecoder(3, 4, layers, 2, memory=4).told for layers in (1, 2, 3, 6)] == [0, 0, 1, 4]


def test_gradients_are_finite_differences_and_every_weight_has_one():
    core, inputs, source = decoder("rotary"), batch(3, 3, 2), batch(5, 2, 1)
    weights = list(core.parameters())

    def function(x, y, *_):
        outputs, state = core(inputs.replace(x), core.begin(source.replace(y), None))
        return outputs.data, core.covered(state)

    leaves = [inputs.data.requires_grad_(), source.data.requires_grad_(), *weights]
    torch.autograd.gradcheck(function, leaves, fast_mode=True)
    outputs, _ = core(inputs, core.begin(source, None))
    outputs.data.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in weights)


def test_a_source_of_nothing_is_read_past():
    core, inputs = decoder(), batch(3, 4, 2)
    outputs, state = core(inputs)
    assert core.covered(state).shape == (2, 0)
    empty = core.begin(Padded(torch.zeros(2, 3, 5, dtype=torch.float64), torch.tensor([0, 0])), None)
    torch.testing.assert_close(core(inputs, empty)[0].data, outputs.data)
    assert not core.attention(inputs, empty).any()


def test_dropout_and_designs_go_through():
    for design in (Design(norm="after"), Design(activation="relu")):
        core = TransformerDecoder(3, 4, 1, 2, memory=4, dropout=0.5, design=design)
        inputs = Padded.full(torch.randn(2, 3, 3))
        state = core.begin(Padded.full(torch.randn(2, 3, 4)), None)
        assert not torch.equal(core(inputs, state)[0].data, core(inputs, state)[0].data)
        outputs, _ = core.eval()(inputs, state)
        assert torch.equal(outputs.data, core(inputs, state)[0].data)
        outputs.data.square().sum().backward()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ArgumentError, match="memory, the width of an encoder's outputs, must be at least 1; got 0"):
        TransformerDecoder(3, 4, memory=0)
    core = decoder()
    with pytest.raises(ArgumentError, match=r"inputs \(1, 2, 4\) do not fit TransformerDecoder: .* with D = 3"):
        core(batch(4, 2))
    with pytest.raises(ArgumentError, match="a decoder has no resets: give every target a row, with its source"):
        core(batch(3, 2), None, torch.zeros(1, 2, dtype=torch.bool))


def test_weights_are_worked_out_where_they_are_asked_for_alone(monkeypatch):
    core, inputs, source = decoder().train(), batch(3, 4, 2), batch(5, 3, 2)
    counting, plain = core.begin(source, None), core.begin(source, None, counted=False)
    whole, _ = core(inputs, counting)
    weights = core.attention(inputs, plain)
    torch.testing.assert_close(weights, core.attention(inputs, counting))

    def refused(*_):
        raise AssertionError("by hand")

    monkeypatch.setattr(CrossAttention, "weighted", refused)
    outputs, after = core(inputs, plain)
    torch.testing.assert_close(outputs.data, whole.data)
    core.step(inputs.data[:, 0], after)
    with pytest.raises(ArgumentError, match="does not count what is looked at: begin it with counted=True"):
        core.covered(after)
    with pytest.raises(AssertionError, match="by hand"):
        core.step(inputs.data[:, 0], counting)
