"""The laws can be broken: each kind of mistake is caught, and named by the law that it breaks."""

import inspect
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, pad

from throughtime import Padded, check_cell, check_core, tree
from throughtime.cells import LSTM, HiddenState
from throughtime.errors import LawError
from throughtime.layers import Bidirectional, Recurrent, check, fold, fused, scan


class Simple(nn.Module):
    """A lawful cell; the mistakes below are made upon it."""

    def __init__(self) -> None:
        super().__init__()
        self.width, self.hidden = 3, 4
        self.inputs, self.recurrence = nn.Linear(3, 4), nn.Linear(4, 4, bias=False)

    def initial(self, batch: int) -> Any:
        return HiddenState(self.recurrence.weight.new_zeros(batch, 4))

    def project(self, x: Tensor) -> Any:
        return self.inputs(x)

    def step(self, z: Any, state: Any) -> Any:
        h = torch.tanh(z + self.recurrence(state.hidden))
        return h, HiddenState(h)


# --- lawful, though unusual


class Counted(NamedTuple):
    hidden: Tensor
    steps: Tensor


class Counting(Simple):
    def initial(self, batch):
        return Counted(super().initial(batch).hidden, torch.zeros(batch, dtype=torch.int64))

    def step(self, z, state):
        y, new = super().step(z / (1 + state.steps[:, None]), HiddenState(state.hidden))
        return y, Counted(new.hidden, state.steps + 1)


class Begun(Simple):
    def __init__(self):
        super().__init__()
        self.beginning = nn.Parameter(torch.ones(4))

    def initial(self, batch):
        return HiddenState(self.beginning.expand(batch, -1))


class Nested(Simple):
    def initial(self, batch):
        fast = self.recurrence.weight.new_zeros(batch, 4, 4)
        return (super().initial(batch), [fast, None])

    def step(self, z, state):
        (hidden, (fast, none)) = state
        y, new = super().step(z + (fast @ hidden.hidden[..., None])[..., 0], hidden)
        return y, (new, [0.9 * fast + 0.1 * y[:, :, None] * y[:, None], none])


class Nothing(NamedTuple):
    pass


class Memoryless(Simple):
    def __init__(self):
        super().__init__()
        del self.recurrence

    def initial(self, batch):
        return Nothing()

    def step(self, z, state):
        return torch.tanh(z), state


class Reservoir(Simple):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)


class PairedProjection(Simple):
    def project(self, x):
        return (self.inputs(x), None, [x[..., 0]])

    def step(self, z, state):
        return super().step(z[0] * z[2][0][:, None], state)


LAWFUL = [Simple, Counting, Begun, Nested, Memoryless, Reservoir, PairedProjection]


@pytest.mark.usefixtures("imitated")
@pytest.mark.parametrize("cell", LAWFUL)
def test_a_lawful_cell_of_any_make_passes_in_silence(cell):
    assert check_cell(cell()) is None


@pytest.mark.usefixtures("imitated")
def test_checking_leaves_the_cell_and_the_seed_as_they_were():
    cell = LSTM(3, 4, recurrent_dropout=0.5).train()
    before, seed = {name: value.clone() for name, value in cell.state_dict().items()}, torch.get_rng_state()
    check_cell(cell)
    assert cell.training
    assert all(torch.equal(value, before[name]) for name, value in cell.state_dict().items())
    assert cell.weight_ih.dtype == torch.float32
    assert all(parameter.grad is None for parameter in cell.parameters())
    assert torch.equal(torch.get_rng_state(), seed)


# --- cells with a mistake


class NoModule:
    width, hidden = 3, 4
    initial = project = step = print


class Unfinished(nn.Module):
    width = 3

    def step(self, z, state):
        raise NotImplementedError


class ChangesStateInPlace(Simple):
    def step(self, z, state):
        y, new = super().step(z, state)
        state.hidden.mul_(0.5)
        return y, new


class ChangesProjectionInPlace(Simple):
    def step(self, z, state):
        result = super().step(z, state)
        z.add_(1)
        return result


class ChangesInputInPlace(Simple):
    def project(self, x):
        return self.inputs(x.mul_(2))


class RemembersOnTheModule(Simple):
    remembered = 0.0

    def step(self, z, state):
        y, new = super().step(z + self.remembered, state)
        self.remembered = y.detach()
        return y, new


class CountsOnTheModule(Simple):
    steps = 0

    def step(self, z, state):
        self.steps += 1
        return super().step(z * self.steps, state)


class DropsInEvaluation(Simple):
    def step(self, z, state):
        return super().step(dropout(z, 0.5), state)


class MixesStepsInProjection(Simple):
    def project(self, x):
        return self.inputs(x.cumsum(1))


class SeesTheLengthInProjection(Simple):
    def project(self, x):
        return self.inputs(x) / x.shape[1]


class RemembersInProjection(Simple):
    calls = 0

    def project(self, x):
        self.calls += 1
        return self.inputs(x) + self.calls


class LeaksAcrossRows(Simple):
    def step(self, z, state):
        return super().step(z + state.hidden.mean(0), state)


class LeaksFromTheRowAbove(Simple):
    def step(self, z, state):
        return super().step(z, HiddenState(state.hidden.roll(1, 0)))


class NormalisesOverTheBatch(Simple):
    def project(self, x):
        z = self.inputs(x)
        return z - z.mean(0)


class HasAnIdleWeight(Simple):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.ones(4))


class HasAWeightBehindAHardGate(Simple):
    def __init__(self):
        super().__init__()
        self.threshold = nn.Parameter(torch.ones(4))

    def step(self, z, state):
        return super().step(z * (z > self.threshold), state)


class LearnsNothingFromItsState(Simple):
    def step(self, z, state):
        return super().step(z, tree.detach(state))


class DetachesAWeight(Simple):
    def project(self, x):
        return x @ self.inputs.weight.detach().T + self.inputs.bias


class HalvesAGradient(Simple):
    def step(self, z, state):
        y, _ = super().step(z, state)
        y = y / 2 + y.detach() / 2
        return y, HiddenState(y)


class KeepsWeightsInAList(Simple):
    def __init__(self):
        super().__init__()
        self.more = [nn.Parameter(torch.zeros(4))]


class KeepsLayersInAList(Simple):
    def __init__(self):
        super().__init__()
        self.more = [nn.Linear(4, 4)]


class KeepsABareTensor(Simple):
    def __init__(self):
        super().__init__()
        self.more = torch.zeros(4, requires_grad=True)


class StartsInSinglePrecision(Simple):
    def initial(self, batch):
        return HiddenState(torch.zeros(batch, 4))


class StartsWithOneRow(Simple):
    def initial(self, batch):
        return super().initial(1)


class GivesAnotherWidth(Simple):
    def step(self, z, state):
        y, new = super().step(z, state)
        return y[:, :2], new


class ForgetsAField(Counting):
    def step(self, z, state):
        y, new = super().step(z, state)
        return y, HiddenState(new.hidden)


class CountsInAnotherType(Counting):
    def step(self, z, state):
        y, new = super().step(z, state)
        return y, new._replace(steps=new.steps.double())


class SavesNotAll(Simple):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(4))

    def project(self, x):
        return self.gain * super().project(x)

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        pass


class SavesOtherNumbers(SavesNotAll):
    def _save_to_state_dict(self, destination, prefix, keep_vars):
        destination[prefix + "gain"] = self.gain.detach() + 1


BROKEN_CELLS: dict[type, str] = {
    NoModule: "a cell is a torch module",
    Unfinished: r"a cell has width, hidden, initial, project and step': missing: \['hidden', 'initial', 'project'\]",
    ChangesStateInPlace: "step is pure: it changes no state in place",
    ChangesProjectionInPlace: "step is pure: it changes no input in place",
    ChangesInputInPlace: "project is pure: it changes no input in place",
    RemembersOnTheModule: "step is pure: the same call gives the same",
    CountsOnTheModule: "step is pure: the same call gives the same",
    DropsInEvaluation: "step is pure: the same call gives the same",
    MixesStepsInProjection: "project needs no memory",
    SeesTheLengthInProjection: "project needs no memory",
    RemembersInProjection: "project needs no memory",
    LeaksAcrossRows: "the order and number of rows change nothing",
    LeaksFromTheRowAbove: "the order and number of rows change nothing",
    NormalisesOverTheBatch: "the order and number of rows change nothing",
    HasAnIdleWeight: "every weight receives gradient': none for cell.gate",
    HasAWeightBehindAHardGate: "every weight receives gradient': none for cell.threshold",
    LearnsNothingFromItsState: "gradients = finite differences",
    DetachesAWeight: "gradients = finite differences",
    HalvesAGradient: "gradients = finite differences",
    KeepsWeightsInAList: "every weight is registered': more needs",
    KeepsLayersInAList: "every weight is registered': more needs",
    KeepsABareTensor: "every weight is registered': more needs",
    StartsInSinglePrecision: "a state keeps its shape': initial.hidden is torch.float32",
    StartsWithOneRow: r"a state keeps its shape': initial.hidden is \(1, 4\) for a batch of 4",
    GivesAnotherWidth: r"a state keeps its shape': the output is \(4, 2\), not \(4, 4\)",
    ForgetsAField: "a state keeps its shape': before a step",
    CountsInAnotherType: "a state keeps its shape': before a step",
    SavesNotAll: "saved and loaded, same outputs': .*cell.gain",
    SavesOtherNumbers: "saved and loaded, same outputs': it is off by",
}


@pytest.mark.parametrize("cell", BROKEN_CELLS)
def test_a_broken_cell_is_caught_and_its_law_named(cell):
    with pytest.raises(LawError, match=f"(?s)^{cell.__name__} breaks the law '{BROKEN_CELLS[cell]}"):
        inspect.unwrap(check_cell)(cell())  # unwrapped as in production: without the tests' checks of types


# --- cores with a mistake


class Core(Recurrent):
    def __init__(self) -> None:
        super().__init__(LSTM(3, 4))


class IgnoresLengths(Core):
    def forward(self, inputs, state=None, resets=None):
        outputs, state = super().forward(Padded.full(inputs.data), state, resets)
        return inputs.replace(outputs.data).zeroed(), state


class LeavesPaddingDirty(Core):
    def forward(self, inputs, state=None, resets=None):
        outputs, state = super().forward(inputs, state, resets)
        return outputs.replace(outputs.data + 1), state


class ForgetsLengths(Core):
    def forward(self, inputs, state=None, resets=None):
        outputs, state = super().forward(inputs, state, resets)
        return Padded.full(outputs.data), state


class IgnoresItsState(Core):
    def forward(self, inputs, state=None, resets=None):
        return super().forward(inputs, None, resets)


class RemembersBetweenCalls(Core):
    remembered = None

    def forward(self, inputs, state=None, resets=None):
        outputs, after = super().forward(inputs, self.remembered if state is None else state, resets)
        self.remembered = tree.detach(after)
        return outputs, after


class BothRememberBetweenCalls(Bidirectional):
    remembered = None

    def __init__(self) -> None:
        super().__init__(LSTM(3, 4), LSTM(3, 4))

    def forward(self, inputs, state=None, resets=None):
        outputs, after = super().forward(inputs, self.remembered if state is None else state, resets)
        self.remembered = tree.detach(after)
        return outputs, after


class DropsOutputsInEvaluation(Core):
    def forward(self, inputs, state=None, resets=None):
        outputs, state = super().forward(inputs, state, resets)
        return outputs.replace(dropout(outputs.data, 0.5)), state


class ChangesItsInput(Core):
    def forward(self, inputs, state=None, resets=None):
        inputs.data.add_(inputs.data)
        return super().forward(inputs, state, resets)


class SeesTheNextStep(Core):
    def forward(self, inputs, state=None, resets=None):
        return super().forward(inputs.replace(pad(inputs.data[:, 1:], (0, 0, 0, 1))), state, resets)


class AttendsOverTheBatch(Core):
    def forward(self, inputs, state=None, resets=None):
        outputs, state = super().forward(inputs, state, resets)
        return outputs.replace(outputs.data + outputs.data.sum(0)).zeroed(), state


class IgnoresResets(Core):
    def forward(self, inputs, state=None, resets=None):
        return super().forward(inputs, state)


class ResetsInThePadding(Core):
    def forward(self, inputs, state=None, resets=None):
        outputs, after = super().forward(inputs, state, resets)
        if resets is not None:
            beyond = (resets & ~inputs.mask).any(1)
            after = tree.select(beyond, self.initial(len(beyond)), after)
        return outputs, after


class ResetsEveryRow(Core):
    def forward(self, inputs, state=None, resets=None):
        return super().forward(inputs, state, resets if resets is None else resets | resets.any(0))


class StepsDifferently(Core):
    def step(self, x, state):
        y, state = super().step(x, state)
        return 2 * y, state


BROKEN_CORES: dict[type, str] = {
    IgnoresLengths: "more padding changes nothing",
    LeavesPaddingDirty: "outputs past a length are zero",
    ForgetsLengths: "outputs have the lengths of the inputs",
    IgnoresItsState: "cut anywhere, carry the state, same result",
    RemembersBetweenCalls: "a core is pure: without a state it starts at the initial one",
    BothRememberBetweenCalls: "a core is pure: without a state it starts at the initial one",
    DropsOutputsInEvaluation: "a core is pure: the same call gives the same",
    ChangesItsInput: "a core is pure: it changes nothing in place",
    SeesTheNextStep: "cut anywhere, carry the state, same result",
    AttendsOverTheBatch: "the order and number of rows change nothing",
    IgnoresResets: "a reset is a new beginning",
    ResetsInThePadding: "a reset is a new beginning",
    ResetsEveryRow: "a reset is a new beginning",
    StepsDifferently: "step by step = the whole",
}


@pytest.mark.parametrize("core", BROKEN_CORES)
def test_a_broken_core_is_caught_and_its_law_named(core):
    with pytest.raises(LawError, match=f"breaks the law '{BROKEN_CORES[core]}"):
        check_core(core())


# --- paths with a mistake


def forgetful(cell, inputs, state=None, **options):
    return scan(cell, inputs, None, **options)


def one_way(path):
    return lambda cell, inputs, state, reverse=False, resets=None: path(
        cell, inputs, state, reverse=False, resets=resets
    )


@pytest.mark.usefixtures("imitated")
def test_a_scan_that_is_no_hand_loop_is_caught(monkeypatch):
    monkeypatch.setattr(check, "scan", forgetful)
    with pytest.raises(LawError, match="scan = a hand loop"):
        check_cell(LSTM(3, 4))


@pytest.mark.usefixtures("imitated")
def test_a_fast_path_with_other_values_is_caught(monkeypatch):
    run = fused.run
    monkeypatch.setattr(fused, "run", lambda cell, inputs, state, reverse: run(cell, inputs, state, False))
    with pytest.raises(LawError, match="every path = the plain loop, gradients too"):
        check_cell(LSTM(3, 4))


@pytest.mark.usefixtures("imitated")
def test_a_fast_path_with_other_gradients_is_caught(monkeypatch):
    def detached(cell, inputs, state, **options):
        return scan(cell, inputs, tree.detach(state), **options)

    monkeypatch.setattr(check, "scan", detached)
    with pytest.raises(LawError, match=r"every path = the plain loop, gradients too': it.2"):
        check_cell(LSTM(3, 4))


@pytest.mark.usefixtures("imitated")
def test_paths_that_agree_on_a_wrong_direction_are_caught(monkeypatch):
    for path in (scan, fold, check._torch_path, check._swept_path):
        monkeypatch.setattr(check, path.__name__, one_way(path))
    with pytest.raises(LawError, match="reverse = flip, scan, flip"):
        check_cell(LSTM(3, 4))
