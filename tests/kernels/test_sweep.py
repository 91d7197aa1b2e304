"""The sweep is the plain loop: values, states, gradients, and gradients of gradients, however the memory lies."""

from functools import partial

import pytest
import torch
from comparing import (
    DOUBLE,
    State,
    agree,
    batch_for,
    bits,
    distance,
    drawn,
    found,
    made,
    plain,
    recurrence,
    state_for,
    sweep,
    weighted,
    weights,
)
from torch import nn
from torch.nn.functional import layer_norm
from torch.nn.utils.stateless import _reparametrize_module
from torch.utils.checkpoint import checkpoint

from throughtime import tree
from throughtime.cells import (
    GRU,
    LSTM,
    CellState,
    CoupledLSTM,
    Elman,
    LayerNormGRU,
    LayerNormLSTM,
    PeepholeLSTM,
    PhasedLSTM,
    Recorded,
    SimplifiedGRU,
    Zoneout,
)
from throughtime.drop_in.projected import ProjectedLSTM
from throughtime.kernels import launch
from throughtime.kernels.sweep import PARALLEL
from throughtime.padded import Padded

CELLS = {
    "Elman": Elman,
    "Elman relu": partial(Elman, nonlinearity="relu"),
    "LSTM": LSTM,
    "GRU": GRU,
    "GRU before": partial(GRU, reset="before"),
    "SimplifiedGRU": SimplifiedGRU,
    "PeepholeLSTM": PeepholeLSTM,
    "CoupledLSTM": CoupledLSTM,
    "PhasedLSTM": partial(PhasedLSTM, open_ratio=0.6, leak=0.01, log_period=(0.5, 1.5)),
    "LayerNormLSTM": LayerNormLSTM,
    "LayerNormGRU": LayerNormGRU,
    "Zoneout": lambda width, hidden: Zoneout(LSTM(width, hidden), hidden=0.2, cell=0.4).eval(),
    "Recorded": lambda width, hidden: Recorded(GRU(width, hidden)),
    "ProjectedLSTM": lambda width, hidden: ProjectedLSTM(width, hidden + 2, hidden),
}


def of(name, width=3, hidden=4, dtype=DOUBLE):
    cell = CELLS[name](width, hidden).to(dtype)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return cell


def normalised():
    """A cell whose inputs meet their weights in the step."""

    def step(cell, z, state):
        gate = torch.sigmoid(recurrence(cell, z, state))
        hidden = gate * torch.tanh(z @ cell.outer.t()) + (1 - gate) * layer_norm(state.hidden, (4,), cell.bias)
        return hidden * cell.bias, type(state)(hidden)

    return made(step)


# --- values and gradients


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_swept_as_it_folds(name):
    cell = of(name)
    marks = torch.arange(20).view(4, 5) % 3 == 1
    for lengths in ((5, 5, 5, 5), (5, 2, 0, 4)):
        agree(cell, batch_for(cell, lengths))
        agree(cell, batch_for(cell, lengths), reverse=True, resets=marks)
    agree(cell, batch_for(cell, (5, 2, 0, 4)), reverse=True)
    agree(cell, batch_for(cell, (5, 2, 0, 4)), resets=marks)
    agree(cell, batch_for(cell, (0, 0, 0), steps=2))
    agree(cell, batch_for(cell, (1,)))


@pytest.mark.parametrize("name", ["GRU", "PhasedLSTM"])
def test_single_precision_is_as_near_as_it_can_be(name):
    cell = of(name, dtype=torch.float32)
    for how in ({}, {"reverse": True}, {"resets": torch.arange(20).view(4, 5) % 3 == 1}):
        agree(cell, batch_for(cell, (5, 2, 0, 4), torch.float32), tolerance=1e-5, **how)


@pytest.mark.parametrize("hidden", [5, 16, 17, 33, 100])
@pytest.mark.parametrize("name", ["GRU", "LayerNormLSTM"])
def test_any_width_and_any_number_of_rows(name, hidden):
    cell = of(name, 7, hidden)
    for rows in (1, 13):
        agree(cell, batch_for(cell, torch.arange(rows).remainder(4).add(1).tolist()))


@pytest.mark.usefixtures("imitated")
def test_one_unit():
    agree(of("GRU", 1, 1))


@pytest.mark.parametrize("rows", [2, 61, 67])
def test_rows_as_many_as_there_were_in_the_recording(rows):
    cell = of("GRU")
    agree(cell, batch_for(cell, [3] * rows))


@pytest.mark.parametrize("hidden", [61, 67])
def test_units_as_many_as_rows_in_the_recording(hidden):
    cell = of("GRU", hidden, hidden)
    agree(cell, batch_for(cell, (3, 2)))
    agree(cell, batch_for(cell, [2] * hidden))


@pytest.mark.parametrize("name", ["GRU", "Zoneout"])
@pytest.mark.usefixtures("imitated")
def test_masks_that_are_drawn_are_the_same(name):
    cell = (GRU(3, 4, recurrent_dropout=0.4) if name == "GRU" else Zoneout(LSTM(3, 4), hidden=0.3, cell=0.3)).double()
    agree(cell.train(), seed=3)
    with torch.no_grad():
        inputs, state = batch_for(cell, [4] * 9), state_for(cell, 9)
        assert distance(found(sweep, cell, inputs, state, seed=3), found(plain, cell, inputs, state, seed=3)) <= 1e-10


@pytest.mark.parametrize("name", ["GRU", "Recorded", "Zoneout", "PhasedLSTM"])
@pytest.mark.usefixtures("imitated")
def test_without_gradients_values_are_the_same(name):
    cell, lengths = of(name), (5, 2, 0, 4, 1, 5, 3, 3, 2)
    inputs, state = batch_for(cell, lengths), state_for(cell, len(lengths))
    with torch.no_grad():
        many = sweep(cell, inputs, state)
        assert distance(many, plain(cell, inputs, state)) <= 1e-10


# --- recomputation


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.usefixtures("imitated")
def test_recomputing_changes_no_value(reverse):
    marks = torch.arange(4 * 9).view(4, 9) % 4 == 1
    for how in ({}, {"resets": marks}):
        agree(of("Elman"), batch_for(of("Elman"), (9, 3, 0, 7)), reverse=reverse, recompute=True, **how)
        cell = normalised()
        inputs, state = batch_for(cell, (9, 3, 0, 7)), state_for(cell, 4)
        kept = agree(cell, inputs, state, reverse=reverse, **how)
        again = agree(cell, inputs, state, reverse=reverse, recompute=True, **how)
        rows = slice(0, 2)  # gradients of inputs and state; those of weights are added up in other parts
        assert bits((kept.output, kept.final, kept.gradients[rows]), (again.output, again.final, again.gradients[rows]))


@pytest.mark.usefixtures("imitated")
def test_recomputing_one_step_and_a_reset_at_the_cut():
    cell = of("Elman")
    agree(cell, batch_for(cell, (1, 1)), recompute=True)
    marks = torch.zeros(2, 9, dtype=torch.bool)
    marks[:, [0, 3, 6, 8]] = True
    agree(cell, batch_for(cell, (9, 7)), recompute=True, resets=marks)


# --- memory


def layouts(x):
    """The same numbers, B T D, elsewhere in memory."""
    batch, steps, width = x.shape
    yield "T B D", x.transpose(0, 1).contiguous().transpose(0, 1)
    yield "B D T", x.transpose(1, 2).contiguous().transpose(1, 2)
    yield "D T B", x.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    wide = x.new_full((batch * 2, steps + 3, width + 5), torch.nan)
    wide[::2, 2:-1, 3:-2] = x
    yield "in the midst of another", wide[::2, 2:-1, 3:-2]


@pytest.mark.parametrize("name", ["GRU", "PhasedLSTM"])
def test_inputs_may_lie_anyhow(name):
    cell = of(name)
    inputs, state = batch_for(cell), state_for(cell, 4)
    wanted = agree(cell, inputs, state)
    for layout, x in layouts(inputs.data):
        assert distance(found(sweep, cell, inputs.replace(x), state), wanted) <= 1e-12, layout


def steps_of_z(cell, z, state):
    hidden = torch.tanh(z.first * state.hidden + z.second[:, None] - z.third * cell.bias)
    return hidden * 2, type(state)(hidden)


class Projections(tuple):
    first, second, third = (property(lambda self, n=n: self[n]) for n in range(3))


@pytest.mark.parametrize("way", ["as it is", "turned", "expanded over rows", "expanded over steps", "over units"])
@pytest.mark.usefixtures("imitated")
def test_projections_may_lie_anyhow(way):
    def project(cell, x):
        a, b = torch.tanh(x), x.sum(-1)
        match way:
            case "turned":
                a, b = a.transpose(1, 2).contiguous().transpose(1, 2), b.t().contiguous().t()
            case "expanded over rows":
                a, b = a[:1].expand_as(x), b[:1].expand_as(b)
            case "expanded over steps":
                a, b = a[:, :1].expand_as(x), b[:, :1].expand_as(b)
            case "over units":
                a = a[..., :1].expand_as(x)
        return Projections((a, b, x[..., ::2].repeat_interleave(2, -1)))

    cell = made(steps_of_z, project=project, width=4)
    agree(cell)
    agree(cell, reverse=True, recompute=True)


def test_states_and_what_comes_back_may_lie_anyhow():
    cell = of("LSTM")
    inputs, one = batch_for(cell), drawn((1, 4), 7)
    turned = drawn((4, 4), 8).t()
    for state in (CellState(one.expand(4, -1), turned), CellState(turned, turned)):
        agree(cell, inputs, state)

    def transposed(result):
        output, final = result
        weight = drawn(output.shape[::-1], 9)
        return (output.permute(2, 1, 0) * weight).sum() + (final.cell.t() * drawn((4, 4), 10)).sum()

    agree(cell, inputs, loss=transposed)
    agree(cell, inputs, loss=lambda result: result[0].sum() + result[1].cell.sum())  # gradients that are expanded
    agree(cell, inputs, loss=lambda result: result[0].mean((0, 2)).square().sum())
    agree(cell, inputs, loss=lambda result: result[0][:, ::2, 1].sum())


# --- who wants what


@pytest.mark.parametrize(
    "loss",
    [
        lambda result: weighted(result[1]),
        lambda result: weighted(result[1].cell),
        lambda result: weighted(result[1].hidden),
        lambda result: weighted(result[0]),
        lambda result: weighted(result[0][:, -1]),
    ],
    ids=["final state", "cell", "hidden", "output", "last output"],
)
@pytest.mark.usefixtures("imitated")
def test_gradients_of_a_part(loss):
    cell = of("LSTM")
    for how in ({}, {"reverse": True, "resets": torch.arange(20).view(4, 5) % 3 == 1}):
        agree(cell, loss=loss, **how)


@pytest.mark.parametrize("wanted", [("inputs",), ("state",), ("weights",), ("inputs", "weights"), ("state", "weights")])
@pytest.mark.usefixtures("imitated")
def test_gradients_to_a_part(wanted):
    cell = of("Elman").requires_grad_("weights" in wanted)
    agree(cell, wanted=wanted)
    agree(cell, wanted=wanted, resets=torch.arange(20).view(4, 5) % 3 == 1)


@pytest.mark.usefixtures("imitated")
def test_some_weights_are_frozen():
    cell = of("Elman")
    cell.weight_hh.requires_grad_(False)
    agree(cell)
    cell.weight_hh.requires_grad_(True)
    cell.bias_ih.requires_grad_(False)
    agree(cell)


@pytest.mark.usefixtures("imitated")
def test_a_beginning_that_is_learned():
    """The state at resets is a function of a weight, whether or not anything else is."""

    def initial(cell, batch):
        return State(cell.beginning.expand(batch, -1))

    def step(cell, z, state):
        hidden = torch.tanh(recurrence(cell, z, state))
        return hidden, State(hidden)

    cell = made(step, {**weights(), "beginning": nn.Parameter(drawn((4,), 3))}, initial=initial)
    marks = torch.arange(20).view(4, 5) % 3 == 1
    inputs = batch_for(cell)
    for state in (cell.initial(4), State(drawn((4, 4), 4))):
        agree(cell, inputs, state, resets=marks, wanted=("weights",))


# --- bits


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("lengths", ["full", "ragged"])
def test_threads_change_no_bit(two_threads, lengths, monkeypatch):
    cell = of("GRU", 24, 48, torch.float32)
    inputs = batch_for(cell, [40] * 37 if lengths == "full" else [n * 7 % 41 for n in range(37)], torch.float32)
    state, asked = state_for(cell, 37), []
    run = launch.run
    monkeypatch.setattr(launch, "run", lambda *args: (asked.append(args[2]), run(*args)))
    results = []
    for threads in (1, 2):
        two_threads(threads)
        results.append(found(sweep, cell, inputs, state))
    assert asked == [1, 1, 2, 2], f"{PARALLEL} operations are worth a second thread"
    assert bits(results[0].output, results[1].output)
    assert bits(results[0].final, results[1].final)
    assert bits(results[0].gradients, results[1].gradients)


def test_neither_order_nor_number_of_rows_changes_a_bit():
    """Of the sweep, that is: torch's product, by which cells project, rounds otherwise for other numbers of rows."""
    cell = normalised()
    inputs, state = batch_for(cell, [(n * 5) % 8 for n in range(11)]), state_for(cell, 11)
    whole = found(sweep, cell, inputs, state, wanted=("inputs", "state"), loss=each_for_itself)
    for rows in (torch.randperm(11), torch.tensor([7]), torch.arange(3, 9), torch.tensor([4, 4, 0])):
        x = inputs.take(rows)
        part = found(sweep, cell, x, tree.take(state, rows), wanted=("inputs", "state"), loss=each_for_itself)
        assert bits(part, tree.take(whole, rows))


def each_for_itself(result):
    """A loss whose gradient at a row depends on that row alone."""
    output, final = result
    return (output.square().sum() + sum(leaf.sin().sum() for leaf in final)).double()


# --- autograd


def test_second_derivatives():
    for cell in (of("GRU"), normalised()):
        inputs, state = batch_for(cell, (3, 1, 2)), state_for(cell, 3)
        names, marks = [name for name, _ in cell.named_parameters()], torch.tensor([[0, 1, 0]] * 3).bool()

        def function(x, hidden, *rest, cell=cell, inputs=inputs, state=state, names=names, marks=marks):
            with _reparametrize_module(cell, dict(zip(names, rest, strict=True))):
                output, final = sweep(cell, inputs.replace(x), type(state)(hidden), resets=marks)
            return output, final.hidden

        given = [inputs.data, *state, *cell.parameters()]
        leaves = [tensor.detach().clone().requires_grad_() for tensor in given]
        assert torch.autograd.gradgradcheck(function, leaves, fast_mode=True)


def first_and_second(path, cell, inputs, state):
    asked = [*(t for _, t in tree.leaves(state) if t.requires_grad), *cell.parameters()]
    asked = list({id(tensor): tensor for tensor in asked}.values())
    loss = weighted(path(cell, inputs, state)).square()
    first = torch.autograd.grad(loss, asked, create_graph=True)
    penalty = sum((grad * grad).sum() for grad in first)
    return first, torch.autograd.grad(penalty, asked)


@pytest.mark.usefixtures("imitated")
def test_a_gradient_that_is_kept_as_a_graph_counts_nothing_twice():
    """One tensor in two leaves of the state; a weight in the projection, in the step and in the beginning."""
    cell, one = of("LSTM"), drawn((2, 4), 3).requires_grad_()
    inputs = batch_for(cell, (3, 2))
    ours, theirs = (first_and_second(path, cell, inputs, CellState(one, one)) for path in (sweep, plain))
    assert distance(ours, theirs) <= 1e-9

    def step(cell, z, state):
        hidden = torch.tanh(z + state.hidden @ cell.inner + cell.bias)
        return hidden, State(hidden)

    cell = made(step, project=lambda cell, x: x @ cell.inner * cell.bias, width=4)
    state = State(cell.bias.expand(2, -1))
    inputs = batch_for(cell, (3, 2))
    cell.outer = None
    ours, theirs = (first_and_second(path, cell, inputs, state) for path in (sweep, plain))
    assert distance(ours, theirs) <= 1e-9


@pytest.mark.usefixtures("imitated")
def test_backward_twice():
    cell = of("GRU")
    inputs = batch_for(cell)
    for how in ({}, {"recompute": True}):
        loss = weighted(sweep(cell, inputs, state_for(cell, 4), **how))
        first = torch.autograd.grad(loss, list(cell.parameters()), retain_graph=True)
        assert bits(torch.autograd.grad(loss, list(cell.parameters())), first)
        with pytest.raises(RuntimeError, match="second time"):
            torch.autograd.grad(loss, list(cell.parameters()))


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.usefixtures("imitated")
def test_a_sweep_that_is_checkpointed(reentrant):
    cell = GRU(3, 4, recurrent_dropout=0.4).double().train()
    inputs, state = batch_for(cell), state_for(cell, 4)

    def path(cell, inputs, state, **how):
        def function(x, hidden):
            output, final = sweep(cell, inputs.replace(x), type(state)(hidden), **how)
            return output, final.hidden

        output, hidden = checkpoint(function, inputs.data, state.hidden, use_reentrant=reentrant)
        return output, type(state)(hidden)

    def loss(result):
        return weighted(result)

    def gradients(path):
        x = inputs.data.detach().requires_grad_()
        torch.manual_seed(3)
        cell.zero_grad()
        loss(path(cell, inputs.replace(x), state)).backward()
        return x.grad, tuple(parameter.grad for parameter in cell.parameters())

    assert bits(gradients(path), gradients(sweep))


@pytest.mark.parametrize("change", ["weight_hh", "bias_hh", "state", "inputs"])
def test_what_changes_in_place_before_the_gradient_is_an_error(change):
    cell = of("GRU")
    x, state = batch_for(cell).data, state_for(cell, 4)
    loss = weighted(sweep(cell, Padded.full(x), state))
    with torch.no_grad():
        {"inputs": x, "state": state.hidden, **dict(cell.named_parameters())}[change].mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(loss, list(cell.parameters()))


def test_lengths_that_change_before_the_gradient_change_nothing():
    """Whoever fills one tensor of lengths batch after batch gets the gradient of the batch that was swept."""
    cell = of("GRU")
    gradients = []
    for changes in (False, True):
        lengths = torch.tensor([5, 2, 1, 4])
        inputs = Padded(drawn((4, 5, 3), 1), lengths).zeroed()
        loss = weighted(sweep(cell, inputs, cell.initial(4)))
        if changes:
            lengths.copy_(torch.tensor([1, 4, 5, 2]))
        gradients.append(torch.autograd.grad(loss, list(cell.parameters())))
    assert bits(*gradients)


@pytest.mark.usefixtures("imitated")
def test_detecting_anomalies_finds_none_of_ours():
    """A step whose gradient on zeros, which are what is recorded, is not a number."""

    def step(cell, z, state):
        hidden = recurrence(cell, z, state)
        return hidden, State(hidden / hidden.square().sum(-1, keepdim=True).sqrt())

    with torch.autograd.set_detect_anomaly(True):
        agree(made(step))
