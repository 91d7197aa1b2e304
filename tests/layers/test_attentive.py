from typing import Any

import pytest
import torch
from torch import Tensor

from throughtime import Padded, tree
from throughtime.cells import GRU, LSTM
from throughtime.errors import ArgumentError
from throughtime.layers import (
    Additive,
    Attend,
    Attentive,
    AttentiveState,
    Bidirectional,
    Direct,
    Dot,
    General,
    LocalPredicted,
    Recurrent,
    Reinforced,
    ScaledDot,
    Stack,
)

DECODERS = {
    "no attention": lambda: Attentive(Recurrent(GRU(3, 4)), None),
    "attention": lambda: Attentive(Recurrent(LSTM(3, 4)), Attend(Additive(4, 5, 3))),
    "feeding": lambda: Attentive(Recurrent(GRU(9, 4)), Attend(ScaledDot(4, 5)), feeding=True, hidden=6),
    "coverage": lambda: Attentive(Recurrent(GRU(3, 4)), Attend(Additive(4, 5), coverage=True)),
    "local, predicted, fed": lambda: Attentive(
        Recurrent(GRU(7, 4)), Attend(General(4, 5), LocalPredicted(4, 2)), feeding=True
    ),
    "reinforced, with coverage, fed": lambda: Attentive(
        Recurrent(GRU(7, 4)), Attend([General(4, 5), Additive(4, 5)], Reinforced(4), coverage=True), feeding=True
    ),
    "two heads, summed, deep, fed": lambda: Attentive(
        Stack([Recurrent(LSTM(7, 4)), Recurrent(GRU(4, 4))], residual=True),
        Attend([General(4, 5), ScaledDot(4, 5)], join="sum"),
        feeding=True,
    ),
}
SOURCES, TARGETS = (5, 0, 3), (4, 2, 6)


@pytest.fixture(params=DECODERS)
def decoder(request) -> Attentive:
    made = DECODERS[request.param]().double()
    for weight in made.parameters():
        weight.data.add_(0.2 * torch.randn_like(weight))
    return made.eval()


def sequences(width: int, lengths: tuple[int, ...]) -> Padded:
    return Padded(torch.randn(len(lengths), max(lengths), width).double(), torch.tensor(lengths)).zeroed()


def begun(decoder: Attentive, outputs: Padded | None = None, beams: int = 1) -> Any:
    """A state over sources, from a state of the core that is not zero."""
    outputs = sequences(5, SOURCES) if outputs is None else outputs
    inner = tree.map(torch.randn_like, decoder.core.initial(beams * len(outputs.data)))
    return decoder.begin(outputs, inner)


def close(found: Any, wanted: Any) -> None:
    ours, theirs = dict(tree.leaves(found, "it")), dict(tree.leaves(wanted, "it"))
    assert ours.keys() == theirs.keys()
    for name, leaf in ours.items():
        torch.testing.assert_close(leaf, theirs[name], msg=lambda message, name=name: f"{name}: {message}")


def walked(decoder: Attentive, inputs: Padded, state: Any) -> tuple[Tensor, Any]:
    """Step by step, a row that is over keeping its state."""
    outputs = []
    for t in range(inputs.steps):
        y, new = decoder.step(inputs.data[:, t], state)
        alive = t < inputs.lengths
        state = tree.select(alive, new, state)
        outputs.append(y * alive[:, None])
    return torch.stack(outputs, 1), state


def test_reading_the_whole_is_stepping(decoder):
    inputs, state = sequences(3, TARGETS), begun(decoder)
    outputs, after = decoder(inputs, state)
    close((outputs.data, after), walked(decoder, inputs, state))
    assert after.at.tolist() == list(TARGETS)
    assert outputs.data.shape == (3, 6, decoder.hidden)


def test_cut_anywhere_and_carry_the_state(decoder):
    inputs, state = sequences(3, TARGETS), begun(decoder)
    whole, final = decoder(inputs, state)
    for cut in range(inputs.steps + 1):
        first, second = inputs.split(cut)
        before, carried = decoder(first, state)
        after, end = decoder(second, carried)
        close((torch.cat([before.data, after.data], 1), end), (whole.data, final))


def test_outputs_are_the_formula():
    decoder = Attentive(Recurrent(GRU(3, 4)), Attend(General(4, 5)), hidden=6).double()
    source, inputs = sequences(5, (5,)), sequences(3, (4,))
    hidden, _ = decoder.core(inputs)
    weights = torch.softmax(hidden.data @ decoder.attend.scores[0].key(source.data).transpose(1, 2), -1)
    wanted = torch.tanh(torch.cat([hidden.data, weights @ source.data], -1) @ decoder.join.weight.T)
    state = decoder.begin(source, decoder.core.initial(1))
    outputs, after = decoder(inputs, state)
    close((outputs.data, decoder.attention(inputs, state)), (wanted, weights[:, :, None]))
    close(decoder.covered(after), weights.sum(1))


def test_what_is_fed_is_the_output_before():
    decoder = Attentive(Direct(7), Attend(Dot(7, 7)), feeding=True, hidden=4).double()
    state = decoder.begin(sequences(7, (5, 3)), decoder.core.initial(2))
    x = torch.randn(2, 3).double()
    first, state = decoder.step(x, state)
    second, _ = decoder.step(x, state)
    context, _ = decoder.attend(torch.cat([x, first], 1)[:, None], state.memory.content, state.at, None)
    close(second, torch.tanh(decoder.join(torch.cat([x, first, context[:, 0]], 1))))


def test_what_is_not_counted_is_not_asked_for_and_steps_are_the_same():
    decoder = Attentive(Recurrent(GRU(3, 4)), Attend([General(4, 6), General(4, 6)])).double().eval()
    source, inputs = sequences(6, (5, 3)), sequences(3, (4, 4))
    counting, plain = (decoder.begin(source, decoder.core.initial(2), counted=counted) for counted in (True, False))
    whole, _ = decoder(inputs, counting)
    found, after = decoder(inputs, plain)
    torch.testing.assert_close(found.data, whole.data)
    torch.testing.assert_close(decoder.step(inputs.data[:, 0], plain)[0], whole.data[:, 0])
    with pytest.raises(ArgumentError, match="does not count what is looked at: begin it with counted=True"):
        decoder.covered(after)


def test_without_attention_the_outputs_are_the_cores():
    decoder = DECODERS["no attention"]().double()
    inputs, state = sequences(3, TARGETS), begun(decoder)
    outputs, inner = decoder.core(inputs, state.inner)
    found, after = decoder(inputs, state)
    close((found.data, after.inner), (outputs.data, inner))
    assert decoder.covered(after).shape == (3, 0)


def test_several_hypotheses_of_a_source_are_as_many_decoders_of_it(decoder):
    source, inputs = sequences(5, SOURCES), sequences(3, (4, 2, 6, 1, 6, 3))
    state = begun(decoder, source, beams=2)
    copies = decoder.begin(source.take(torch.arange(3).repeat_interleave(2)), state.inner)
    ours, theirs = (decoder(inputs, each) for each in (state, copies))
    close((ours[0].data, ours[1][:-1]), (theirs[0].data, theirs[1][:-1]))
    if decoder.attend is not None:
        assert ours[1].memory is state.memory
        close(decoder.attention(inputs, state), decoder.attention(inputs, copies))


def test_hypotheses_are_reordered_by_taking_rows(decoder):
    source, inputs = sequences(5, SOURCES), sequences(3, (4, 4, 4, 4, 4, 4))
    rows = torch.tensor([1, 1, 2, 3, 5, 4])  # each of the same source
    state = decoder(inputs, begun(decoder, source, beams=2))[1]
    x = torch.randn(6, 3).double()
    close(decoder.step(x[rows], tree.take(state, rows))[0], decoder.step(x, state)[0][rows])
    kept = tree.take(state, torch.tensor([4, 5, 0, 1]), torch.tensor([2, 0]))  # a source leaves
    close(decoder.step(x[[4, 5, 0, 1]], kept)[0], decoder.step(x, state)[0][[4, 5, 0, 1]])


def test_the_order_of_rows_and_more_padding_change_nothing(decoder):
    source, inputs = sequences(5, SOURCES), sequences(3, TARGETS)
    state = begun(decoder, source)
    outputs, after = decoder(inputs, state)
    rows = torch.tensor([2, 0, 1])
    found, end = decoder(inputs.take(rows), decoder.begin(source.take(rows), tree.take(state.inner, rows)))
    close((found.data, end[:-1]), (outputs.data[rows], tree.take(after[:-1], rows)))
    wider = Padded(torch.nn.functional.pad(source.data, (0, 0, 0, 2), value=9.0), source.lengths)
    longer = Padded(torch.nn.functional.pad(inputs.data, (0, 0, 0, 2), value=9.0), inputs.lengths)
    found, end = decoder(longer, decoder.begin(wider, state.inner))
    close((found.data[:, :6], end.inner), (outputs.data, after.inner))
    assert not found.data[:, 6:].any()


def test_weights_sum_to_one_at_real_steps_and_what_is_covered_is_their_sum(decoder):
    inputs, state = sequences(3, TARGETS), begun(decoder)
    if decoder.attend is None:
        with pytest.raises(ArgumentError, match="this decoder has no attention: there are no weights to give"):
            decoder.attention(inputs, state)
        return
    weights = decoder.attention(inputs, state)
    real = inputs.mask & (torch.tensor(SOURCES) > 0)[:, None]
    if isinstance(decoder.attend.where, LocalPredicted):
        assert (weights.sum(-1) <= 1).all()
        real = weights.sum(-1)[..., 0] > 0
        assert not real[1].any()
    else:
        close(weights.sum(-1), real.double()[..., None].expand(-1, -1, decoder.attend.heads))
    past = torch.arange(max(SOURCES)) >= torch.tensor(SOURCES)[:, None]
    close(decoder.covered(decoder(inputs, state)[1]), weights.mean(2).sum(1) + past.double())


def test_gradients_are_finite_differences(decoder):
    source, inputs = sequences(5, (3, 0, 2)), sequences(3, (3, 1, 2))
    inner = tree.map(torch.randn_like, decoder.core.initial(3))
    leaves = [source.data, inputs.data, *(leaf for _, leaf in tree.leaves(inner))]
    leaves = [leaf.requires_grad_() for leaf in leaves] + list(decoder.parameters())

    def function(s: Tensor, x: Tensor, *_: Tensor) -> Tensor:
        outputs, state = decoder(inputs.replace(x), decoder.begin(source.replace(s), inner))
        return (outputs.data**3).sum() + decoder.covered(state).square().sum()

    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)


def test_every_weight_receives_gradient(decoder):
    outputs, seen, _ = decoder.train().explore(sequences(3, TARGETS), begun(decoder))
    loss = outputs.data.square().sum()
    if decoder.reinforced:
        loss = loss + decoder.surrogate(seen, outputs.mask * torch.randn(3, 6).double())
    loss.backward()
    assert not [name for name, weight in decoder.named_parameters() if weight.grad is None or not weight.grad.any()]


def test_in_bfloat16_it_says_nearly_the_same(decoder):
    decoder = decoder.float()
    source, inputs = (
        Padded(part.data.float(), part.lengths) for part in (sequences(5, SOURCES), sequences(3, TARGETS))
    )
    inner = tree.map(torch.randn_like, decoder.core.initial(3))
    wanted, _ = decoder(inputs, decoder.begin(source, inner))
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = decoder(inputs, decoder.begin(source, inner))
    assert torch.allclose(found.data.float(), wanted.data, atol=0.05)
    found.data.float().square().sum().backward()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in decoder.parameters())


def test_a_reset_begins_anew_over_the_same_source(decoder):
    inputs, state = sequences(3, (6, 6, 6)), begun(decoder)
    resets = torch.zeros(3, 6, dtype=torch.bool)
    resets[1, 2] = True
    outputs, after = decoder(inputs, state, resets)
    fresh = tree.map(torch.zeros_like, state[:-1])
    wanted, end = decoder(Padded.full(inputs.data[:, 2:]), AttentiveState(*fresh, state.memory))
    row = torch.tensor([1])
    close((outputs.data[1, 2:], tree.take(after[:-1], row)), (wanted.data[1], tree.take(end[:-1], row)))
    plain, _ = decoder(inputs, state)
    close(outputs.data[[0, 2]], plain.data[[0, 2]])


def test_without_a_state_there_is_no_source(decoder):
    outputs, state = decoder(sequences(3, TARGETS))
    assert outputs.data[0].any()
    assert decoder.covered(state).shape == (3, 0)


def test_nothing_to_write_gives_nothing(decoder):
    state = begun(decoder)
    outputs, after = decoder(Padded(torch.zeros(3, 2, 3).double(), torch.zeros(3).long()), state)
    assert not outputs.data.any()
    close(after, state)


REFUSED = {
    "a core that sees the future": (
        lambda: Attentive(Bidirectional(GRU(3, 4), GRU(3, 4)), None),
        "a decoder's core must be causal: this one sees the symbols that it should predict",
    ),
    "queries of another width": (
        lambda: Attentive(Recurrent(GRU(3, 4)), Attend(General(5, 4))),
        "attention for queries of 5 does not fit a core that gives 4",
    ),
    "no width": (
        lambda: Attentive(Recurrent(GRU(3, 4)), Attend(Dot(4, 4)), hidden=0),
        "hidden must be at least 1; got 0",
    ),
    "feeding of nothing": (
        lambda: Attentive(Recurrent(GRU(8, 4)), None, feeding=True),
        "feeding hands on what was looked at: without attention there is nothing to feed",
    ),
    "another width without attention": (
        lambda: Attentive(Recurrent(GRU(3, 4)), None, hidden=5),
        "without attention the outputs are the core's, of width 4; got 5",
    ),
    "a core too narrow to be fed": (
        lambda: Attentive(Recurrent(GRU(4, 4)), Attend(Dot(4, 4)), feeding=True),
        "with feeding the core reads an input and 4 numbers of the output before: its width 4 must be larger",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(ArgumentError) as refused:
        make()
    assert str(refused.value) == message
