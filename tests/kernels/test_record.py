"""What a step does is seen whole or refused by name, and never seen in part."""

import copy
import gc
import random
import threading
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from comparing import DOUBLE, State, drawn, made, recurrence
from torch import nn

from throughtime.errors import UntraceableError
from throughtime.kernels.program import bind
from throughtime.kernels.record import COUNT, Recorder, common, play
from throughtime.kernels.trace import differentiate, slots_of, trace


class Straight(torch.autograd.Function):
    """A step function whose gradient is 1."""

    @staticmethod
    def forward(ctx, x):
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def traced(step, **attributes):
    """The trace of a user's step on its own weights."""
    cell = made(step, **attributes)
    z, state = torch.zeros(1, cell.width, dtype=DOUBLE), cell.initial(1)
    return cell, trace(cell.step, slots_of(cell), z, state)


def stepping(change):
    """A step around `change` of what the recurrence gives."""

    def step(cell, z, state):
        hidden = torch.tanh(change(cell, recurrence(cell, z, state), state))
        return hidden, State(hidden)

    return step


# --- what escapes


def without_gradient(cell, a, state):
    with torch.no_grad():
        half = a / 2
    return a * half


def hooked(cell, a, state):
    y = a * 2
    if y.requires_grad:
        y.register_hook(lambda gradient: gradient.clamp(-1, 1))
    return y


def kept(cell, a, state):
    y = a * 2
    y.retain_grad()
    return y


def branching(cell, a, state):
    return a if a.sum() > 0 else -a


def written(cell, a, state):
    state.hidden.mul_(0.5)
    return a + state.hidden


def written_in_part(cell, a, state):
    a = a.clone()
    a[:, 0] = 1
    return a


def written_behind(cell, a, state):
    """A change in place of what another still reads."""
    b = a.clone()
    view = b.view(-1, 4)
    b.add_(1)
    return b * view


ESCAPES = {
    "item": (lambda c, a, s: a * a.max().item(), "reads a tensor's value"),
    "float": (lambda c, a, s: a * float(c.bias[0]), "reads a tensor's value"),
    "int": (lambda c, a, s: a * int(s.hidden.sum()), "reads a tensor's value"),
    "bool": (branching, "reads a tensor's value"),
    "tolist": (lambda c, a, s: a * c.bias.tolist()[0], "tolist.*reads a tensor's value"),
    "numpy": (lambda c, a, s: a * float(s.hidden.detach().numpy().sum()), "numpy.*reads a tensor's value"),
    "asarray": (lambda c, a, s: a * float(np.asarray(s.hidden.detach()).sum()), "__array__.*reads a tensor's value"),
    "dlpack": (lambda c, a, s: a * float(np.from_dlpack(s.hidden.detach()).sum()), "__dlpack__.*reads"),
    "storage": (lambda c, a, s: a * s.hidden.untyped_storage().nbytes(), "untyped_storage"),
    "data_ptr": (lambda c, a, s: a * (s.hidden.data_ptr() % 2), "data_ptr"),
    "all": (lambda c, a, s: a if (a > 0).all() else -a, "reads a tensor's value"),
    "nonzero": (lambda c, a, s: a * len(a[0].nonzero()), "reads a tensor's value"),
    "equal": (lambda c, a, s: a if torch.equal(a, a) else -a, "reads a tensor's value"),
    "allclose": (lambda c, a, s: a if torch.allclose(a, a) else -a, "reads a tensor's value"),
    "a mask of rows": (lambda c, a, s: a[a[:, 0] > 0].sum() + a, "aten.index.Tensor"),
    "the state in place": (written, "in place"),
    "a part in place": (written_in_part, "in place|neither an input"),
    "in place behind a view": (written_behind, "in place"),
    "a weight in place": (lambda c, a, s: a * c.bias.data.mul_(0.5), "in place|neither an input"),
    "a buffer in place": (lambda c, a, s: a * c.count.add_(1), "in place"),
    "random": (lambda c, a, s: a + torch.rand(4), "draws random numbers"),
    "dropout": (lambda c, a, s: F.dropout(a, 0.5, True), "draws random numbers|in place"),
    "bernoulli": (lambda c, a, s: a * torch.bernoulli(torch.sigmoid(a)), "draws random numbers"),
    "normal": (lambda c, a, s: torch.normal(a, 1.0), "draws random numbers"),
    "a tensor of nobody": (lambda c, a, s: a * NOBODYS, "neither an input, a parameter nor a buffer"),
    "a tensor in a list": (lambda c, a, s: a * c.tensors[0], "neither an input, a parameter nor a buffer"),
    "a plain tensor": (lambda c, a, s: a * c.plain, "neither an input, a parameter nor a buffer"),
    "no gradient": (without_gradient, "under no_grad"),
    "another gradient": (lambda c, a, s: Straight.apply(a), "autograd.Function"),
    "a hook": (hooked, "register_hook"),
    "a gradient that is kept": (kept, "retain_grad"),
    "inference": (lambda c, a, s: in_inference(a), "no_grad|neither an input|inference"),
}
NOBODYS = torch.ones(4, dtype=DOUBLE)


def in_inference(a):
    with torch.inference_mode():
        return a * 2


@pytest.mark.parametrize("name", ESCAPES)
def test_what_escapes_is_refused(name):
    change, reason = ESCAPES[name]

    def both_ways():
        _, found = traced(stepping(change), tensors=[NOBODYS * 2], plain=NOBODYS * 3, count=nn.Buffer(torch.zeros(4)))
        differentiate(found, [True], [True], [True] * len(found.shared))

    with pytest.raises(UntraceableError, match=reason):
        both_ways()


def test_an_error_of_the_step_is_for_the_plain_loop_to_raise():
    def step(cell, z, state):
        if len(z) > 1:
            raise ValueError("one row at a time\nand a second line")
        return z, state

    with pytest.raises(UntraceableError, match=r"ValueError: one row at a time$"):
        traced(step)


def test_a_buffer_for_so_many_rows_is_no_crash():
    with pytest.raises(UntraceableError, match="fails on 2 rows"):
        traced(stepping(lambda c, a, s: a + c.rows), rows=nn.Buffer(torch.zeros(5, 4)))


# --- what is allowed


def own_in_place(cell, a, state):
    return (a * 2).add_(1).mul_(a).sigmoid_()


def own_twice(cell, a, state):
    b = a * 2
    b += a
    c = b * 3
    c -= 1
    return b + c


ALLOWED = {
    "in place on its own": own_in_place,
    "twice": own_twice,
    "torch's own, in place": lambda c, a, s: F.rms_norm(a, (4,)) + F.normalize(s.hidden, dim=-1),
    "detach": lambda c, a, s: a.detach() * a,
    "data": lambda c, a, s: a.data * a,
    "a loop": lambda c, a, s: sum(a * n for n in range(3)),
    "an attribute": lambda c, a, s: a * c.factor,
    "shapes": lambda c, a, s: a.view(a.shape[0], a.shape[-1]) / a.shape[1],
    "no tensor": lambda c, a, s: a * random.Random(3).random(),
}


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_trace_plays_the_step_on_any_number_of_rows(name, rows):
    cell, made_trace = traced(stepping(ALLOWED[name]), factor=1.5)
    z, state = drawn((rows, 3), 1), State(drawn((rows, 4), 2))
    shared = made_trace.share([slot.tensor() for slot in slots_of(cell)])
    y, hidden = made_trace.step([z], [state.hidden], shared)
    wanted = cell.step(z.clone(), State(state.hidden.clone()))
    torch.testing.assert_close((y, hidden), (wanted[0], wanted[1].hidden))
    differentiate(made_trace, [True], [True], [True] * len(shared))


def test_a_recording_is_of_operations_and_can_be_played():
    x, y = drawn((2, 3), 1), drawn((2, 3), 2)
    recorder = Recorder([x, y])
    with recorder:
        out = torch.cat([x + y, (x * y).chunk(3, 1)[1]], 1)
    assert [call.name for call in recorder.calls] == [
        "aten.add.Tensor", "aten.mul.Tensor", "aten.split.Tensor", "aten.cat.default",
    ]  # fmt: skip
    tensors = {0: x + 1, 1: y}
    play(recorder.calls, tensors)
    torch.testing.assert_close(tensors[recorder.place(out)], torch.cat([x + 1 + y, ((x + 1) * y)[:, 1:2]], 1))


def test_recordings_of_other_numbers_of_rows_have_sizes_in_common():
    def record(rows):
        x = torch.zeros(rows, 3)
        recorder = Recorder([x])
        with recorder:
            x.new_zeros(rows, 61) + x.expand(rows, 3).sum(1, keepdim=True) * 61
        return recorder.calls

    calls = common(record(61), record(2), (61, 2))
    assert calls[0].args[1] == [COUNT, 61]
    assert calls[1].args[1] == [COUNT, 3]
    tensors = {0: torch.ones(5, 3)}
    play(calls, tensors, 5)
    assert tensors[calls[-1].results.number].tolist() == [[183.0] * 61] * 5


@pytest.mark.parametrize("width", [2, 4, 61, 67])
def test_sizes_that_are_the_numbers_of_rows_of_the_recordings(width):
    def step(cell, z, state):
        wide = z.new_ones(len(z), width) * state.hidden[:, :1] * width
        hidden = torch.tanh(state.hidden + wide.sum(-1, keepdim=True))
        return hidden, State(hidden)

    _, made_trace = traced(step)
    for rows in (1, 3, width):
        y, _ = made_trace.step([drawn((rows, 3))], [torch.full((rows, 4), 0.1, dtype=DOUBLE)], [])
        assert y.tolist() == torch.tanh(torch.full((rows, 4), 0.1 + 0.1 * width * width, dtype=DOUBLE)).tolist()


def test_operations_on_weights_alone_are_not_done_at_each_step():
    _, made_trace = traced(stepping(lambda c, a, s: a * torch.exp(c.bias) + s.hidden @ F.normalize(c.inner).t()))
    assert {"aten.exp.default", "aten.linalg_vector_norm.default"} <= {call.name for call in made_trace.preamble}
    assert not {"aten.exp.default", "aten.div.Tensor"} & {call.name for call in made_trace.core}


def test_what_does_not_lead_to_a_result_is_left_out():
    def step(cell, z, state):
        _ = torch.sin(z) @ torch.cos(cell.outer.t())
        return state.hidden, state

    _, made_trace = traced(step)
    assert made_trace.core == made_trace.preamble == []


# --- forms of steps


FORMS = {
    "an output of one number a row": (lambda c, z, s: (z[:, 0], s), r"an output \[2\]"),
    "an output for all rows": (lambda c, z, s: (c.bias, s), r"an output \[4\]"),
    "an output with heads": (lambda c, z, s: (z[:, None], s), r"an output \[2, 1, 3\]"),
    "no output": (lambda c, z, s: (None, s), "an output NoneType"),
    "a state that grows": (lambda c, z, s: (z, State(torch.cat([s.hidden, s.hidden], 1))), r"float64\[2, 8\]"),
    "a state of another type": (lambda c, z, s: (z, State(s.hidden.float())), r"float32\[2, 4\]"),
    "a state of another form": (lambda c, z, s: (z, (s.hidden,)), r"State\(.*tuple\("),
    "a state that is lost": (lambda c, z, s: (z, State(None)), r"State\(NoneType\)"),
    "more state": (lambda c, z, s: (z, (s.hidden, s.hidden)), r"tuple\(float64\[2, 4\], float64\[2, 4\]\)"),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_that_are_refused(name):
    step, reason = FORMS[name]
    with pytest.raises(UntraceableError, match=reason):
        traced(step)


def test_leaves_of_the_state_in_another_order_are_another_state():
    """By their places the leaves would change roles."""
    from typing import NamedTuple

    class There(NamedTuple):
        hidden: torch.Tensor
        cell: torch.Tensor

    class Back(NamedTuple):
        cell: torch.Tensor
        hidden: torch.Tensor

    zeros = torch.zeros(1, 4, dtype=DOUBLE)
    with pytest.raises(UntraceableError, match=r"There\(.*Back\("):
        traced(lambda c, z, s: (z, Back(s.cell, s.hidden)), initial=lambda cell, batch: There(zeros, zeros))


# --- what tracing leaves behind


@pytest.mark.usefixtures("imitated")
def test_a_trace_changes_nothing_and_keeps_no_values():
    cell = made(stepping(lambda c, a, s: a * torch.exp(c.bias)))
    before, state = copy.deepcopy(cell.state_dict()), torch.get_rng_state()
    z = torch.zeros(2, 5, 3, dtype=DOUBLE, requires_grad=True)
    bind(cell, z, cell.initial(2))
    assert all(torch.equal(before[name], tensor) for name, tensor in cell.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in cell.parameters())
    old = weakref.ref(cell.inner)
    cell.inner = nn.Parameter(drawn((4, 4)))
    gc.collect()
    assert old() is None
    whole = weakref.ref(cell)
    del cell
    gc.collect()
    assert whole() is None


def test_tracing_on_many_threads_at_once():
    cell = made(stepping(own_twice))
    found, errors = [], []

    def work():
        try:
            found.append(trace(cell.step, slots_of(cell), torch.zeros(1, 3, dtype=DOUBLE), cell.initial(1)))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert all([c.name for c in t.core] == [c.name for c in found[0].core] for t in found)
