"""The door of sweeps: what is refused runs in the plain loop and says so once; nothing that changes is missed."""

import copy
import dataclasses
import functools
import gc
import pickle
import threading
import warnings
import weakref
from types import MethodType, SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
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
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd import forward_ad
from torch.nn.utils import parametrizations, parametrize
from torch.utils._python_dispatch import TorchDispatchMode

from throughtime import tree
from throughtime.cells import GRU, LSTM, CellState, Elman, HiddenState
from throughtime.errors import ArgumentError
from throughtime.kernels import program
from throughtime.kernels.run import PlainLoopWarning, swept
from throughtime.layers.scan import scan
from throughtime.padded import Padded

# --- steps that no sweep can do


def reads(cell, z, state):
    hidden = torch.tanh(recurrence(cell, z, state)) * min(1.0, float(state.hidden.detach().abs().max()) + 0.5)
    return hidden, State(hidden)


def writes(cell, z, state):
    hidden = recurrence(cell, z, state).clone()
    hidden[:, 0] = state.hidden[:, 1] * 0.5
    return hidden.tanh(), State(hidden.tanh())


def draws(cell, z, state):
    torch.manual_seed(3)
    hidden = torch.tanh(recurrence(cell, z, state)) + torch.rand(4, dtype=DOUBLE)
    return hidden, State(hidden)


CLOSED = drawn((4,), 5)


def closes(cell, z, state):
    hidden = torch.tanh(recurrence(cell, z, state)) * CLOSED
    return hidden, State(hidden)


def heads(cell, z, state):
    parts = state.hidden.view(-1, 2, 2) @ cell.inner[:2, :2]
    hidden = torch.tanh(z @ cell.outer.t() + parts.flatten(1))
    return hidden, State(hidden)


def matrices(cell, z, state):
    hidden = torch.tanh(z @ cell.outer.t() + state.hidden.sum(-1))
    return hidden, State(hidden[:, :, None] * hidden[:, None] * 0.5)


def grows(cell, z, state):
    hidden = torch.tanh(z @ cell.outer.t() + state.hidden.sum(-1, keepdim=True))
    return hidden, State(torch.cat([state.hidden, hidden[:, :1]], -1))


def widens(cell, z, state):
    hidden = (z @ cell.outer.t()).float() + state.hidden.float()
    return hidden.double(), State(hidden)


def mixes(cell, z, state):
    hidden = torch.tanh(recurrence(cell, z, state))
    return hidden - hidden.mean(0), State(hidden)


def counts(cell, z, state):
    hidden = torch.tanh(recurrence(cell, z, state)) / len(z)
    return hidden, State(hidden)


def asks(cell, z, state):
    hidden = torch.tanh(recurrence(cell, z, state)) * (2 if len(z) % 2 else 1)
    return hidden, State(hidden)


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def spikes(cell, z, state):
    hidden = Straight.apply(recurrence(cell, z, state)) * 0.5
    return hidden, State(hidden)


def clips(cell, z, state):
    hidden = torch.tanh(recurrence(cell, z, state))
    if hidden.requires_grad:
        hidden.register_hook(lambda gradient: gradient.clamp(-0.01, 0.01))
    return hidden, State(hidden)


def fails(cell, z, state):
    if len(z) > 8:
        raise ValueError("eight rows are enough")
    return recurrence(cell, z, state), state


def unknown(cell, z, state):
    hidden = torch.special.bessel_j0(recurrence(cell, z, state).detach())
    return hidden, State(hidden)


REFUSED = {
    reads: "_local_scalar_dense", writes: "in place|neither", draws: "random", closes: "neither an input",
    heads: "how many rows", grows: "before a step", widens: "before a step", mixes: "over rows",
    counts: "how many rows", asks: "how many rows", spikes: "autograd.Function", clips: "register_hook",
    fails: "eight rows are enough", unknown: "bessel_j0",
}  # fmt: skip


@pytest.mark.parametrize("step", REFUSED, ids=lambda step: step.__name__)
def test_what_no_sweep_can_do_runs_in_the_plain_loop_and_says_so_once(step):
    cell = made(step)
    inputs = batch_for(cell, [40, 40, 40, 40, 40, 40, 40, 40])
    state = state_for(cell, 8)

    def scanned(cell, inputs, state):
        outputs, final = scan(cell, inputs, state)
        return outputs.data, final

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            ours = found(scanned, cell, inputs, state) if step not in (grows, widens) else None
    said = [warning for warning in said if warning.category is PlainLoopWarning]
    if step not in (grows, widens):
        assert bits(ours, found(plain, cell, inputs, state))
        assert len(said) == 1
        assert str(said[0].message).startswith(f"{type(cell).__name__} runs in the plain loop, step by step: ")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert swept(cell, inputs, state) is None
        assert swept(cell, inputs, state) is None


@pytest.mark.parametrize("step", REFUSED, ids=lambda step: step.__name__)
def test_the_reason_is_named(step):
    step = functools.wraps(step)(lambda cell, z, state, step=step: step(cell, z, state))
    step.__name__ += "_again"
    with pytest.warns(PlainLoopWarning, match=REFUSED[step.__wrapped__]):
        assert swept(made(step), batch_for(made(step)), State(torch.zeros(4, 4, dtype=DOUBLE))) is None


def test_a_state_of_matrices_runs_in_the_plain_loop():
    cell = made(matrices, initial=lambda cell, batch: State(torch.zeros(batch, 4, 4, dtype=DOUBLE)))
    with pytest.warns(PlainLoopWarning, match="3 dimensions"):
        assert swept(cell, batch_for(cell), cell.initial(4)) is None


def test_a_cell_that_is_refused_keeps_nothing_of_a_call():
    cell = made(reads)
    kept = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            inputs, state = batch_for(cell), state_for(cell, 4)
            kept += [weakref.ref(inputs.data), weakref.ref(state.hidden)]
            assert swept(cell, inputs, state) is None
    del inputs, state
    gc.collect()
    assert [reference() for reference in kept] == [None] * len(kept)


# --- what changes after a sweep


class Inner(nn.Module):
    """A part of a cell."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.linear = nn.Linear(4, 4).double()
        self.scale = scale
        with torch.no_grad():
            for n, parameter in enumerate(self.parameters()):
                parameter.copy_(0.5 * drawn(parameter.shape, 40 + n))

    def forward(self, x):
        return self.linear(x) * self.scale


class Doubled(Inner):
    def forward(self, x):
        return 2 * super().forward(x)


@dataclasses.dataclass
class Settings:
    factor: float = 1.0


def step_of_many_parts(cell, z, state):
    hidden = recurrence(cell, z, state) * cell.number + cell.inside(state.hidden)
    hidden = cell.function(hidden) * cell.numbers[0] * cell.named["factor"]["inside"] * cell.settings.factor
    hidden = hidden * cell.space.factor * float(cell.array[0]) + len(cell.names)
    if cell.flag:
        hidden = hidden * 0.5
    if cell.training:
        hidden = hidden + 0.1
    if cell.extra is not None:
        hidden = hidden + cell.extra
    if getattr(cell, "late", None) is not None:
        hidden = hidden * cell.late
    for weight in cell.several:
        hidden = hidden + weight
    hidden = {"tanh": torch.tanh, "sin": torch.sin}[cell.kind](hidden) * cell.buffer
    return hidden * cell.doubled(), State(hidden)


def of_many_parts():
    cell = made(
        step_of_many_parts,
        number=1.5,
        inside=Inner(),
        function=torch.sigmoid,
        numbers=[1.25, 2],
        named={"factor": {"inside": 1.5}},
        settings=Settings(),
        space=SimpleNamespace(factor=0.75),
        array=np.array([1.0]),
        names={"one"},
        flag=True,
        kind="tanh",
        several=nn.ParameterList([nn.Parameter(drawn((4,), 50))]),
        buffer=nn.Buffer(drawn((4,), 51)),
    )
    cell.register_parameter("extra", None)
    type(cell).doubled = lambda self: 2.0
    return cell


def assign(**values):
    return lambda cell: [setattr(cell, name, value) for name, value in values.items()]


def replaced_at_the_same_place(cell):
    """A function that is freed before another is made: often at the same address."""
    cell.function = lambda x: torch.sigmoid(x) * 3
    yield
    del cell.function
    cell.function = lambda x: torch.sigmoid(x) * 5


def tied(cell):
    cell.inside.linear.weight = cell.inner
    yield
    cell.inside.linear.weight = nn.Parameter(drawn((4, 4), 60))


def parametrized(cell):
    parametrize.register_parametrization(cell, "inner", Symmetric())
    yield
    parametrize.remove_parametrizations(cell, "inner", leave_parametrized=False)


class Symmetric(nn.Module):
    def forward(self, x):
        return x + x.t()


def hooked(cell):
    handle = cell.inside.register_forward_hook(lambda module, given, result: result * 3)
    yield
    handle.remove()
    cell.inside.linear.register_forward_pre_hook(lambda module, given: (given[0] * 2,))


def another_class(cell):
    class Other(type(cell)):
        def doubled(self):
            return 4.0

    cell.__class__ = Other


def another_step(cell):
    def step(self, z, state):
        return z[:, :1] + state.hidden, State(state.hidden * 0.5)

    cell.step = MethodType(step, cell)


def another_step_of_the_class(cell):
    type(cell).step = lambda self, z, state: (z[:, :1] + state.hidden, State(state.hidden * 0.5))


def set_to(target, value):
    def change(cell):
        names = target.split(".")
        holder = functools.reduce(getattr, names[:-1], cell)
        setattr(holder, names[-1], value() if callable(value) else value)

    return change


CHANGES = {
    "a number": assign(number=2.5),
    "a number, in sign alone": assign(number=-1.5),
    "a flag": assign(flag=False),
    "a name": assign(kind="sin"),
    "a function": assign(function=torch.tanh),
    "a function in its place": replaced_at_the_same_place,
    "a partial": assign(function=functools.partial(torch.clamp, max=0.5)),
    "a list, in place": lambda cell: cell.numbers.__setitem__(0, 3.5),
    "a list": assign(numbers=[7.0]),
    "a dict, in place": lambda cell: cell.named["factor"].update(inside=4.5),
    "a dataclass, in place": set_to("settings.factor", 3.5),
    "a namespace, in place": set_to("space.factor", 3.5),
    "an array, in place": lambda cell: cell.array.__setitem__(0, 3.5),
    "a set, in place": lambda cell: cell.names.add("two"),
    "evaluation": lambda cell: cell.eval(),
    "a part's number": set_to("inside.scale", 3.5),
    "a part of the same kind": set_to("inside.linear", lambda: nn.Linear(4, 4).double()),
    "a part of another kind": set_to("inside", Doubled),
    "a part without bias": set_to("inside.linear", lambda: nn.Linear(4, 4, bias=False).double()),
    "a weight": set_to("inner", lambda: nn.Parameter(drawn((4, 4), 61))),
    "a weight of a part": set_to("inside.linear.weight", lambda: nn.Parameter(drawn((4, 4), 61))),
    "a weight's data": lambda cell: setattr(cell.inner, "data", drawn((4, 4), 61)),
    "a weight, in place": lambda cell: cell.load_state_dict({n: t + 1 for n, t in cell.state_dict().items()}),
    "a weight that is gone": set_to("inside.linear.bias", None),
    "a weight that comes": set_to("extra", lambda: nn.Parameter(drawn((4,), 62))),
    "a weight under a new name": set_to("late", lambda: nn.Parameter(drawn((4,), 62))),
    "a weight more": lambda cell: cell.several.append(nn.Parameter(drawn((4,), 63))),
    "a frozen weight": lambda cell: cell.inner.requires_grad_(False),
    "all frozen": lambda cell: cell.requires_grad_(False),
    "a buffer": set_to("buffer", lambda: nn.Buffer(drawn((4,), 64))),
    "a buffer that is a tensor": set_to("buffer", lambda: drawn((4,), 64)),
    "a tied weight": tied,
    "a parametrization": parametrized,
    "an orthogonal weight": lambda cell: parametrizations.orthogonal(cell, "inner"),
    "a weight's norm": lambda cell: parametrizations.weight_norm(cell, "inner"),
    "a hook": hooked,
    "a class": another_class,
    "a step": another_step,
    "a step of the class": another_step_of_the_class,
}


def held(cell, inputs, state):
    """Both paths agree, with gradients and without; where the sweep is given up, the plain loop is right."""

    def either(cell, inputs, state):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PlainLoopWarning)
            return swept(cell, inputs, state) or plain(cell, inputs, state)

    assert distance(found(either, cell, inputs, state), found(plain, cell, inputs, state)) <= 1e-10
    with torch.no_grad():
        assert distance(either(cell, inputs, state), plain(cell, inputs, state)) <= 1e-10


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.usefixtures("imitated")
def test_a_change_is_seen_at_once(name):
    cell = of_many_parts()
    inputs, state = batch_for(cell, [3, 1, 2, 3, 1, 1, 2, 3, 0]), state_for(cell, 9)
    agree(cell, inputs, state)
    with torch.no_grad():
        sweep(cell, inputs, state)
    changes = CHANGES[name](cell)
    for _ in range(2):
        if name in ("a function in its place", "a tied weight", "a parametrization", "a hook"):
            next(changes, None)
        held(cell, inputs, state)


@pytest.mark.usefixtures("imitated")
def test_another_type_of_numbers_is_another_program():
    cell = GRU(3, 4)
    for dtype in (torch.float32, DOUBLE, torch.float32):
        agree(cell.to(dtype), batch_for(cell, dtype=dtype), tolerance=1e-5)


@pytest.mark.usefixtures("imitated")
def test_training_and_evaluation_in_turn():
    cell = GRU(3, 4, recurrent_dropout=0.5).double()
    for mode in (True, False, True, False):
        agree(cell.train(mode), seed=3)


def test_nothing_is_made_anew_where_nothing_changes(monkeypatch):
    cell, traces = GRU(3, 4).double(), []
    trace = program.trace
    monkeypatch.setattr(program, "trace", lambda *args: (traces.append(1), trace(*args))[1])
    optimiser = torch.optim.SGD(cell.parameters(), 0.1)
    inputs = batch_for(cell)
    for _ in range(4):
        cell.last = inputs.data * 2  # what a cell remembers of a call
        optimiser.zero_grad()
        weighted(sweep(cell, inputs, cell.initial(4))).backward()
        optimiser.step()
    assert len(traces) == 1


def test_a_step_that_changes_its_cell_is_run_at_every_step():
    def step(cell, z, state):
        cell.calls += 1
        cell.seen.append(z.detach())
        hidden = recurrence(cell, z, state)
        return hidden, State(hidden)

    cell = made(step, calls=0, seen=[])
    inputs = batch_for(cell, (3, 3))
    for _ in range(2):
        cell.calls, cell.seen = 0, []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert swept(cell, inputs, cell.initial(2)) is None
    plain(cell, inputs, cell.initial(2))
    assert cell.calls >= 3


# --- cells as values


@pytest.mark.usefixtures("imitated")
def test_copies_of_a_swept_cell_are_cells_of_their_own():
    cell = GRU(3, 4).double()
    agree(cell)
    for other in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):  # noqa: S301
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.add_(1)
        agree(other)
        agree(cell)


def test_many_threads_sweep_one_cell_at_once():
    cell, twin = GRU(3, 6).double(), GRU(3, 6).double()
    twin.load_state_dict(cell.state_dict())
    batches = [batch_for(cell, [n % 5 + 1] * (n + 1)) for n in range(12)]
    wanted = [found(plain, twin, inputs, twin.initial(len(inputs.lengths))) for inputs in batches]
    results, errors = {}, []

    def work(n):
        try:
            for _ in range(3):
                inputs = batches[n]
                results[n] = found(sweep, cell, inputs, cell.initial(len(inputs.lengths)))
        except Exception as error:
            errors.append(error)

    with warnings.catch_warnings():  # which are the process's, not a thread's
        threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors
    assert max(distance(results[n], wanted[n]) for n in range(12)) <= 1e-10


@pytest.mark.usefixtures("imitated")
def test_inference_and_then_training_and_back():
    cell = GRU(3, 4).double()
    inputs, state = batch_for(cell), state_for(cell, 4)
    with torch.inference_mode():
        first = sweep(cell, inputs, state)
    agree(cell, inputs, state)
    with torch.inference_mode():
        assert bits(sweep(cell, inputs, state), first)
        assert distance(plain(cell, inputs, state), first) <= 1e-10


@pytest.mark.usefixtures("imitated")
def test_a_cell_that_is_made_in_inference_mode_is_swept():
    with torch.inference_mode():
        cell = GRU(3, 4).double()
        inputs, state = batch_for(cell), cell.initial(4)
        assert distance(sweep(cell, inputs, state), plain(cell, inputs, state)) <= 1e-10


@pytest.mark.usefixtures("imitated")
def test_weights_that_are_given_for_a_call():
    cell = GRU(3, 4).double()
    agree(cell)
    inputs, state = batch_for(cell), state_for(cell, 4)
    given_weights = {name: drawn(p.shape, 70).requires_grad_() for name, p in cell.named_parameters()}

    class Path(nn.Module):
        def __init__(self, path):
            super().__init__()
            self.cell, self.path = cell, path

        def forward(self):
            return self.path(self.cell, inputs, state)

    results = []
    for path in (sweep, plain):
        named = {f"cell.{name}": tensor for name, tensor in given_weights.items()}
        result = torch.func.functional_call(Path(path), named)
        results.append((result, torch.autograd.grad(weighted(result), list(given_weights.values()))))
    assert distance(*results) <= 1e-10


@pytest.mark.usefixtures("imitated")
def test_a_beginning_that_alone_is_learned():
    """Where nothing else wants a gradient, the states at resets still do."""

    def step(cell, z, state):
        hidden = torch.tanh(recurrence(cell, z, state))
        return hidden, State(hidden)

    beginning = nn.Parameter(drawn((4,), 3))
    cell = made(step, {**weights(), "beginning": beginning}, initial=lambda c, b: State(c.beginning.expand(b, -1)))
    cell.requires_grad_(False)
    beginning.requires_grad_(True)
    marks = torch.arange(20).view(4, 5) % 3 == 1
    agree(cell, state=State(drawn((4, 4), 4)), resets=marks, wanted=("weights",))


PROJECTIONS = {
    "before": lambda cell, x: x - x[:, :1],
    "sum": lambda cell, x: x - x.sum(1, keepdim=True),
    "place": lambda cell, x: x + torch.arange(x.shape[1], dtype=x.dtype)[None, :, None],
    "share": lambda cell, x: x / x.shape[1],
    "convolution": lambda cell, x: F.pad(x, (0, 0, 1, 0))[:, :-1] + x,
    "two at once": lambda cell, x: x.flip(1),
    "over time": lambda cell, x: torch.softmax(x, 1),
    "rows": lambda cell, x: x - x.mean(0),
}


@pytest.mark.parametrize("name", PROJECTIONS)
@pytest.mark.usefixtures("imitated")
def test_a_projection_that_looks_at_other_steps_is_made_for_all_at_once(name):
    """It breaks the law of cells, and yet it is the same with gradients and without."""

    def step(cell, z, state):
        hidden = torch.tanh(recurrence(cell, z, state))
        return hidden, State(hidden)

    cell = made(step, project=PROJECTIONS[name])
    inputs, state = batch_for(cell, [4] * 9), state_for(cell, 9)
    with torch.no_grad():
        assert distance(sweep(cell, inputs, state), plain(cell, inputs, state)) <= 1e-10
    agree(cell, inputs, state, recompute=True)


# --- others who listen


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.usefixtures("imitated")
def test_tangents_of_forward_mode_are_not_lost():
    cell = GRU(3, 4).double().requires_grad_(False)
    inputs, state = batch_for(cell, [4] * 9), state_for(cell, 9)

    def tangents(path):
        with forward_ad.dual_level():
            x = forward_ad.make_dual(inputs.data, drawn(inputs.data.shape, 8))
            output, _ = path(cell, inputs.replace(x), state)
            return forward_ad.unpack_dual(output)

    def either(cell, inputs, state):
        return swept(cell, inputs, state) or plain(cell, inputs, state)

    ours, theirs = tangents(either), tangents(plain)
    assert ours.tangent is not None
    assert distance((ours.primal, ours.tangent), (theirs.primal, theirs.tangent)) <= 1e-10


class Counter(TorchDispatchMode):
    """Counts products, as a counter of operations would."""

    def __init__(self):
        super().__init__()
        self.products = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.products += "mm" in str(func)
        return func(*args, **(kwargs or {}))


def test_whoever_counts_operations_sees_them_all():
    cell = GRU(3, 4).double()
    inputs, state, counted = batch_for(cell, [5] * 4), state_for(cell, 4), []
    for path in (lambda *args: swept(*args) or plain(*args), plain):
        with Counter() as counter, torch.no_grad():
            path(cell, inputs, state)
        counted.append(counter.products)
    assert counted[0] == counted[1] >= 6


@pytest.mark.usefixtures("imitated")
def test_transforms_and_autocast_go_through_the_plain_loop():
    cell = GRU(3, 4).requires_grad_(False)
    inputs, seen = batch_for(cell, dtype=torch.float32), []

    def function(x):
        seen.append(swept(cell, Padded.full(x), cell.initial(len(x))))
        return x.sum()

    torch.func.grad(function)(inputs.data)
    torch.func.vmap(lambda x: function(x[None]))(inputs.data)
    with torch.autocast("cpu"):
        function(inputs.data)
    assert seen == [None] * 3


@pytest.mark.parametrize("device", ["meta"])
@pytest.mark.usefixtures("imitated")
def test_the_default_device_is_not_asked(device):
    """Inputs on the CPU are swept there, wherever new tensors would go."""
    cell = GRU(3, 4).double()
    inputs, state = batch_for(cell), state_for(cell, 4)
    wanted = agree(cell, inputs, state)
    with torch.device(device):
        for how in ({}, {"recompute": True}):
            ours = found(sweep, cell, inputs, state, loss=weighted_there, **how)
            assert distance(ours.output, wanted.output) <= 1e-10
            assert all(gradient.device.type == "cpu" for gradient in ours.gradients)


def weighted_there(result):
    return result[0].square().sum() + sum(leaf.sum() for leaf in result[1])


def test_numbers_that_are_only_marked_as_negative():
    cell = made(lambda cell, z, state: (z + state.hidden, State(z + state.hidden)), {}, width=4)
    x = torch.complex(drawn((2, 3, 4)), drawn((2, 3, 4), 1)).conj().imag
    assert x.is_neg()
    inputs, state = Padded.full(x), cell.initial(2)
    ours = swept(cell, inputs, state) or plain(cell, inputs, state)
    assert distance(ours, plain(cell, inputs, state)) <= 1e-12


# --- bad inputs


SWEPT_TYPES = [torch.float32, DOUBLE]
TYPES = [*SWEPT_TYPES, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.bool, torch.complex64]


@pytest.fixture(scope="module")
def lstm():
    return LSTM(3, 4)


@given(
    shape=st.lists(st.integers(0, 5), min_size=0, max_size=4),
    dtype=st.sampled_from(TYPES),
    device=st.sampled_from(["cpu", "meta"]),
    lengths=st.lists(st.integers(-1, 6), max_size=5),
    state_shapes=st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=3),
    state_dtype=st.sampled_from(TYPES),
    resets=st.one_of(st.none(), st.lists(st.integers(0, 5), max_size=3)),
    resets_dtype=st.sampled_from([torch.bool, torch.int64]),
    right=st.sets(st.sampled_from(["inputs", "lengths", "state", "resets"]), min_size=3),
)
@settings(max_examples=300)
def test_what_does_not_fit_is_an_error_that_says_so(
    lstm, shape, dtype, device, lengths, state_shapes, state_dtype, resets, resets_dtype, right
):
    """One thing at a time is wrong: an error comes before anything runs, or the result is the plain loop's."""
    if "inputs" in right:
        shape, dtype, device = [2, 5, 3], torch.float32, "cpu"
    if "lengths" in right or len(shape) < 2:
        lengths = [shape[1]] * shape[0] if len(shape) > 1 else [1]
    if "resets" in right:
        resets = None
    batch = shape[0] if shape else 1
    if "state" in right:
        state_shapes, state_dtype = [[batch, 4], [batch, 4]], torch.float32
    leaves = [torch.ones(tuple(s)).to(state_dtype) for s in state_shapes]
    state = CellState(*leaves) if len(leaves) == 2 else HiddenState(*leaves) if len(leaves) == 1 else tuple(leaves)
    cell = lstm

    def run(path):
        x = torch.ones(tuple(shape)).to(device=device, dtype=dtype)
        inputs = Padded(x, torch.tensor(lengths, dtype=torch.int64))
        marks = None if resets is None else torch.ones(tuple(resets)).to(resets_dtype)
        return path(cell, inputs, state, resets=marks)

    def through_scan(cell, inputs, state, resets):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("throughtime.layers.scan.SMALL", 0)
            patch.setattr("throughtime.layers.fused.wins", lambda *_: False)
            outputs, final = scan(cell, inputs, state, resets=resets)
        return outputs.data, final

    def through_plain(cell, inputs, state, resets):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("throughtime.layers.scan.swept", lambda *_, **__: None)
            patch.setattr("throughtime.layers.fused.wins", lambda *_: False)
            outputs, final = scan(cell, inputs, state, resets=resets)
        return outputs.data, final

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, ours = (attempt(run, path) for path in (through_plain, through_scan))
    if isinstance(ours, Exception):
        assert isinstance(theirs, Exception) or isinstance(ours, ArgumentError), ours
        return
    assert not isinstance(theirs, Exception), f"the sweep takes what the plain loop refuses: {theirs}"
    assert distance(tree.map(torch.Tensor.float, ours), tree.map(torch.Tensor.float, theirs)) <= 1e-4


def attempt(run, path):
    try:
        return run(path)
    except (ValueError, RuntimeError, TypeError, IndexError, AttributeError) as error:  # torch's, or ours
        return error


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (CellState(torch.zeros(3, 4), torch.zeros(3, 4)), r"state.*LSTM.*\[3\].*\[2\]"),
        (CellState(torch.zeros(2, 4), torch.zeros(1, 4)), r"state.*\[1\].*\[2\]"),
        (CellState(torch.zeros(2, 5), torch.zeros(2, 4)), "state|mat1"),
        (CellState(torch.zeros(2, 4).double(), torch.zeros(2, 4)), "state|dtype|Double"),
        (HiddenState(torch.zeros(2, 4)), "state|cell"),
        (CellState(torch.zeros(2, 4), None), "state|NoneType"),
        (CellState(torch.tensor(0.0), torch.zeros(2, 4)), "state"),
    ],
)
def test_a_state_that_does_not_fit(lstm, state, reason):
    def run():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PlainLoopWarning)
            inputs = Padded.full(torch.ones(2, 5, 3))
            return swept(lstm, inputs, state) or plain(lstm, inputs, state)

    with pytest.raises((ArgumentError, RuntimeError, AttributeError, TypeError), match=reason):
        run()


def test_a_beginning_of_another_form_than_the_state_is_refused_before_it_is_copied():
    def step(cell, z, state):
        return z[:, :1] + state.hidden, State(state.hidden * 0.5)

    for beginning in (torch.zeros(4, 9, dtype=DOUBLE), torch.zeros(4, 4), torch.zeros(1, 4, dtype=DOUBLE)):
        cell = made(step, {}, initial=lambda cell, batch, beginning=beginning: State(beginning))
        inputs, marks = batch_for(cell, (5, 5, 5, 5)), torch.ones(4, 5, dtype=torch.bool)
        with pytest.raises(ArgumentError, match="initial"):
            swept(cell, inputs, State(drawn((4, 4))), resets=marks)


def test_weights_elsewhere_are_refused():
    def step(cell, z, state):
        hidden = z[:, :1] + state.hidden @ cell.inner
        return hidden, State(hidden)

    cell = made(step).to("meta")
    inputs = Padded.full(drawn((2, 3, 3)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PlainLoopWarning)
        assert swept(cell, inputs, State(torch.zeros(2, 4, dtype=DOUBLE))) is None


@pytest.mark.parametrize("dtype", [DOUBLE, torch.float16])
def test_numbers_of_another_type_than_the_weights(lstm, dtype):
    inputs = Padded.full(torch.ones(2, 5, 3).to(dtype))
    with pytest.raises(RuntimeError, match="dtype"):
        swept(lstm, inputs, lstm.initial(2)) or plain(lstm, inputs, lstm.initial(2))


def test_a_projection_of_the_wrong_shape():
    cell = made(lambda cell, z, state: (z, state), {}, project=lambda cell, x: x[:, 1:])
    with pytest.raises(ArgumentError, match=r"z of .* begins with \[4, 4\]; the inputs want \[4, 5\]"):
        swept(cell, batch_for(cell), cell.initial(4))


def test_nothing_to_do():
    cell = Elman(3, 4)
    for shape in ((0, 5, 3), (2, 0, 3)):
        inputs = Padded.full(torch.zeros(shape))
        assert swept(cell, inputs, cell.initial(shape[0])) is None
        outputs, _ = scan(cell, inputs)
        assert outputs.data.shape == (*shape[:2], 4)
