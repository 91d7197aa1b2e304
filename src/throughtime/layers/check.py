"""The laws that every cell and core is held to, for yours as well as for ours."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from throughtime import tree
from throughtime.cells.cell import Cell
from throughtime.errors import LawError
from throughtime.kernels.run import swept
from throughtime.layers import fused
from throughtime.layers.scan import Core, Recurrent, fold, scan
from throughtime.layers.stream import Stream
from throughtime.padded import Padded

ROWS, STEPS, TOLERANCE = 4, 6, 1e-9
RAGGED = (STEPS, 3, 1, 2)  # lengths


def check_cell(cell: Cell[Any]) -> None:
    """Holds a cell to every law; returns in silence, or raises `LawError` naming the law that is broken.

    The cell (any sizes, small ones are quick) is copied to float64. Laws: it is a module with the five members of
    a cell · every weight is registered · a state keeps its shape · step is pure · project needs no memory · all of
    `check_core` · scan equals a hand loop · every faster path equals the plain loop, gradients too · reverse =
    flip, scan, flip.

    >>> from throughtime.cells import GRU
    >>> check_cell(GRU(3, 4))
    """
    missing = [name for name in ("width", "hidden", "initial", "project", "step") if not hasattr(cell, name)]
    _law("a cell has width, hidden, initial, project and step", cell, not missing, f"missing: {missing}")
    _law("a cell is a torch module", cell, isinstance(cell, nn.Module), "so that its weights are found")
    cell = exact(cell)
    for law in CELL_LAWS:
        law(cell)
    check_core(Recurrent(cell))
    for law in SCAN_LAWS:
        law(cell)


def check_core(core: Core[Any]) -> None:
    """Holds a core to every law of cores; raises `LawError` naming the one that is broken.

    Laws: the same call gives the same and changes nothing in place · the other rows of the batch change nothing ·
    neither does more padding · gradients of inputs, state and weights equal finite differences · every trained
    weight receives gradient · saved and loaded, same outputs; and where the core is causal: cut anywhere and carry
    the state, nothing changes · a reset is a new beginning · reading step by step, in a stream too, is reading the
    whole.

    >>> from throughtime.layers import Window
    >>> check_core(Window(3, 4, window=2))
    """
    core = exact(core)
    for law in CORE_LAWS + (CAUSAL_LAWS if core.causal else ()):
        law(core)


def exact(module: Any) -> Any:
    """A copy in float64 and in evaluation, its weights moved off zeros and ties, where a mistake would not show."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = copy.deepcopy(module).double().eval()
        for parameter in module.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return module


def _law(name: str, subject: Any, holds: bool, detail: str = "") -> None:
    if not holds:
        subject = subject.cell if isinstance(subject, Recurrent) else subject
        raise LawError(f"{type(subject).__name__} breaks the law '{name}': {detail}")


def _same(name: str, subject: Any, got: Any, wanted: Any) -> None:
    ours, theirs = dict(tree.leaves(got, "it")), dict(tree.leaves(wanted, "it"))
    _law(name, subject, ours.keys() == theirs.keys(), f"it holds {', '.join(ours)}, not {', '.join(theirs)}")
    for place, a in ours.items():
        b = theirs[place]
        _law(name, subject, a.shape == b.shape, f"{place} is {tuple(a.shape)}, not {tuple(b.shape)}")
        far = float((a.double() - b.double()).detach().abs().max()) if a.numel() else 0.0
        _law(name, subject, far <= TOLERANCE, f"{place} is off by {far:.2g}")


def _inputs(core: Any, lengths: tuple[int, ...] = (STEPS,) * ROWS) -> Padded:
    generator = torch.Generator().manual_seed(1)
    data = torch.randn(len(lengths), STEPS, core.width, generator=generator, dtype=torch.float64)
    return Padded(data, torch.tensor(lengths)).zeroed()


def _state(core: Any) -> Any:
    """A state in mid-course: what the core has after reading something."""
    wrapped = core if not hasattr(core, "project") else Recurrent(core)
    return tree.detach(wrapped(_inputs(core), core.initial(ROWS))[1])


def _weights_are_found(module: Any) -> None:
    for place, part in module.named_modules():
        for name, value in vars(part).items():
            held = value if isinstance(value, list | tuple) else [value]
            loose = any(isinstance(item, nn.Module) or getattr(item, "requires_grad", False) for item in held)
            where = f"{place}.{name}".lstrip(".")
            _law("every weight is registered", module, not loose, f"{where} needs Parameter, ParameterList, ModuleList")


@torch.no_grad()
def _state_keeps_its_shape(cell: Any) -> None:
    name, state = "a state keeps its shape", cell.initial(ROWS)
    for place, leaf in tree.leaves(state, "initial"):
        _law(name, cell, leaf.shape[:1] == (ROWS,), f"{place} is {tuple(leaf.shape)} for a batch of {ROWS}")
        fits = not leaf.is_floating_point() or leaf.dtype == torch.float64
        _law(name, cell, fits, f"{place} is {leaf.dtype} where the weights are float64")
    y, new = cell.step(tree.unbind(cell.project(_inputs(cell).data), 1)[0], state)
    _law(name, cell, y.shape == (ROWS, cell.hidden), f"the output is {tuple(y.shape)}, not {(ROWS, cell.hidden)}")
    before, after = (
        ", ".join(f"{place} {tuple(leaf.shape)} {leaf.dtype}" for place, leaf in tree.leaves(tensors, "state"))
        for tensors in (state, new)
    )
    _law(name, cell, before == after, f"before a step {before}; after it {after}")


@torch.no_grad()
def _step_is_pure(cell: Any) -> None:
    state, x = _state(cell), _inputs(cell).data
    z = tree.unbind(cell.project(x), 1)[0]
    _same("project is pure: it changes no input in place", cell, x, _inputs(cell).data)
    before, inputs = tree.map(torch.clone, state), tree.map(torch.clone, z)
    first = tree.map(torch.clone, cell.step(z, state))
    _same("step is pure: it changes no state in place", cell, state, before)
    _same("step is pure: it changes no input in place", cell, z, inputs)
    _same("step is pure: the same call gives the same", cell, cell.step(z, state), first)


def _projects_without_memory(cell: Any) -> None:
    x = _inputs(cell).data
    alone = torch.cat([_flat(cell.project(x[:, t : t + 1])) for t in range(STEPS)], 1)
    _same("project needs no memory", cell, alone, _flat(cell.project(x)))


def _flat(z: Any) -> Tensor:
    return torch.cat([leaf.flatten(2) if leaf.dim() > 2 else leaf[..., None] for _, leaf in tree.leaves(z)], -1)


def _scan_is_a_hand_loop(cell: Any) -> None:
    inputs, state = _inputs(cell), _state(cell)
    outputs, final = scan(cell, inputs, state)
    by_hand = []
    for t in range(STEPS):
        z = tree.map(lambda tensor: tensor[:, 0], cell.project(inputs.data[:, t : t + 1]))
        y, state = cell.step(z, state)
        by_hand.append(y)
    _same("scan = a hand loop", cell, (outputs.data, final), (torch.stack(by_hand, 1), state))


def _paths_agree(cell: Any) -> None:
    marks = torch.arange(ROWS * STEPS).view(ROWS, STEPS) % 3 == 1
    for lengths in ((STEPS,) * ROWS, RAGGED, (STEPS, 3, 0, 2)):
        for reverse, resets in ((False, None), (True, None), (False, marks), (True, marks)):
            plain = _with_gradients(fold, cell, lengths, reverse, resets)
            for path in (scan, _torch_path, _swept_path):
                found = _with_gradients(path, cell, lengths, reverse, resets)
                _same("every path = the plain loop, gradients too", cell, found, plain)


def _torch_path(cell: Any, inputs: Padded, state: Any, *, reverse: bool, resets: Tensor | None) -> Any:
    """torch's own recurrence, whether or not it is the fastest."""
    path = fused.run if resets is None and fused.fits(cell, inputs) else None
    return path(cell, inputs, state, reverse) if path else fold(cell, inputs, state, reverse=reverse, resets=resets)


def _swept_path(cell: Any, inputs: Padded, state: Any, *, reverse: bool, resets: Tensor | None) -> Any:
    """The compiled sweep, however little there is to do."""
    done = swept(cell, inputs, state, reverse=reverse, resets=resets)
    if done is None:
        return fold(cell, inputs, state, reverse=reverse, resets=resets)
    return inputs.replace(done[0]), done[1]


def _with_gradients(path: Any, cell: Any, lengths: tuple[int, ...], reverse: bool, resets: Tensor | None) -> Any:
    """What a path gives, and the gradients of all that it depends on."""
    inputs, state = _inputs(cell, lengths), _state(cell)
    wanted = [inputs.data, *(leaf for _, leaf in tree.leaves(state) if leaf.is_floating_point())]
    for tensor in wanted:
        tensor.requires_grad_()
    wanted += [parameter for parameter in cell.parameters() if parameter.requires_grad]
    outputs, final = path(cell, inputs, state, reverse=reverse, resets=resets)
    gradients = torch.autograd.grad(_weighted((outputs.data, final)), wanted, allow_unused=True)
    return outputs.data, final, tuple(torch.zeros(1) if g is None else g for g in gradients)


def _reverses(cell: Any) -> None:
    inputs, state = _inputs(cell, RAGGED), _state(cell)
    outputs, final = scan(cell, inputs, state, reverse=True)
    flipped, after = scan(cell, inputs.flip(), state)
    _same("reverse = flip, scan, flip", cell, (outputs.data, final), (flipped.flip().data, after))


def _weighted(result: Any) -> Tensor:
    """A number in which every output has a weight of its own."""
    parts = [leaf.flatten().double() for _, leaf in tree.leaves(result)]
    flat = torch.cat(parts)
    return (flat * torch.linspace(0.5, 1.5, len(flat), dtype=flat.dtype)).sum()


def _core_is_pure(core: Any) -> None:
    inputs, state = _inputs(core, RAGGED), _state(core)
    x, before = inputs.data.clone(), tree.map(torch.clone, state)
    outputs, final = core(inputs, state)
    first = tree.map(torch.clone, (outputs.data, final))
    _same("a core is pure: it changes nothing in place", core, (inputs.data, state), (x, before))
    fresh, begun = core(inputs)
    _same("a core is pure: the same call gives the same", core, _plain(core(inputs, state)), first)
    initial = _plain(core(inputs, core.initial(ROWS)))
    _same("a core is pure: without a state it starts at the initial one", core, (fresh.data, begun), initial)


def _plain(result: tuple[Padded, Any]) -> tuple[Tensor, Any]:
    return result[0].data, result[1]


def _differentiates(core: Any) -> None:
    inputs, state = _inputs(core, (4, 2, 3, 1)).split(4)[0], _state(core)
    names = [name for name, _ in core.named_parameters()]
    named = dict(tree.leaves(state, "state"))
    differentiable = [name for name, leaf in named.items() if leaf.is_floating_point()]

    def function(x: Tensor, *rest: Tensor) -> Tensor:
        weights = dict(zip(names, rest[: len(names)], strict=True))
        start = tree.restore(state, named | dict(zip(differentiable, rest[len(names) :], strict=True)), "state")
        outputs, final = torch.func.functional_call(core, weights, (inputs.replace(x), start))
        return _weighted((outputs.data, final))

    values = [inputs.data, *(p.detach() for p in core.parameters()), *(named[name] for name in differentiable)]
    leaves = [value.clone().requires_grad_() for value in values]
    try:
        torch.autograd.gradcheck(function, leaves, fast_mode=True)
    except RuntimeError as error:
        _law("gradients = finite differences", core, False, str(error))


def _all_weights_learn(core: Any) -> None:
    training = copy.deepcopy(core).train()
    trained = {name: p for name, p in training.named_parameters() if p.requires_grad}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        outputs, _ = training(_inputs(core))
    if trained and outputs.data.requires_grad:
        torch.autograd.backward(_weighted(outputs.data))
    idle = [name for name, p in trained.items() if p.grad is None or not p.grad.any()]
    _law("every weight receives gradient", core, not idle, f"none for {', '.join(idle)}")


def _cuts(core: Any) -> None:
    inputs, state = _inputs(core, RAGGED), _state(core)
    whole, final = core(inputs, state)
    for cut in range(STEPS + 1):
        before, after = inputs.split(cut)
        first, carried = core(before, state)
        second, end = core(after, carried)
        joined = torch.cat([first.data, second.data], 1)
        _same("cut anywhere, carry the state, same result", core, (joined, end), (whole.data, final))


def _pads(core: Any) -> None:
    inputs, state = _inputs(core, (4, 3, 1, 2)), _state(core)
    tight = Padded(inputs.data[:, :4], inputs.lengths)
    (padded, after), (bare, end) = core(inputs, state), core(tight, state)
    _same("more padding changes nothing", core, (padded.data[:, :4], after), (bare.data, end))
    _same("outputs have the lengths of the inputs", core, padded.lengths, inputs.lengths)
    past = padded.data.masked_select(~inputs.mask[..., None])
    _law("outputs past a length are zero", core, not past.any(), f"{int(past.count_nonzero())} numbers are not")


def _ignores_other_rows(core: Any) -> None:
    inputs, state = _inputs(core, RAGGED), _state(core)
    outputs, final = core(inputs, state)
    for rows in (torch.tensor([2, 0, 3, 1]), torch.tensor([1])):
        chosen, after = core(inputs.take(rows), tree.take(state, rows))
        wanted = (outputs.take(rows).data, tree.take(final, rows))
        _same("the order and number of rows change nothing", core, (chosen.data, after), wanted)


def _resets(core: Any) -> None:
    inputs, state = _inputs(core, (STEPS, 5, 1, 4)), _state(core)
    marked = torch.tensor([True, True, True, False])  # the third row is over by then: nothing to begin anew
    resets = torch.zeros(ROWS, STEPS, dtype=torch.bool)
    resets[:, 2] = marked
    outputs, final = core(inputs, state, resets)
    before, after = inputs.split(2)
    first, carried = core(before, state)
    second, end = core(after, tree.select(marked & (inputs.lengths > 2), core.initial(ROWS), carried))
    joined = torch.cat([first.data, second.data], 1)
    _same("a reset is a new beginning", core, (outputs.data, final), (joined, end))


def _streams(core: Any) -> None:
    inputs, state = _inputs(core), _state(core)
    whole, final = core(inputs, state)
    outputs = []
    for t in range(STEPS):
        y, state = core.step(inputs.data[:, t], state)
        outputs.append(y)
    _same("step by step = the whole", core, (torch.stack(outputs, 1), state), (whole.data, final))
    stream = Stream(core, ROWS, _state(core))
    outputs = [stream.step(inputs.data[:, t]) for t in range(STEPS)]
    _same("a stream = the whole", core, (torch.stack(outputs, 1), stream.state), (whole.data, final))


def _survives_saving(core: Any) -> None:
    saved, fresh = copy.deepcopy(core.state_dict()), copy.deepcopy(core)
    for parameter in fresh.parameters():
        parameter.data.zero_()
    name = "saved and loaded, same outputs"
    try:
        fresh.load_state_dict(saved)
    except RuntimeError as error:
        _law(name, core, False, str(error))
    _same(name, core, fresh(_inputs(core))[0].data, core(_inputs(core))[0].data)


CELL_LAWS = (_weights_are_found, _state_keeps_its_shape, _step_is_pure, _projects_without_memory)
SCAN_LAWS = (_scan_is_a_hand_loop, _paths_agree, _reverses)
CORE_LAWS = (
    _weights_are_found,
    _core_is_pure,
    _ignores_other_rows,
    _pads,
    _differentiates,
    _all_weights_learn,
    _survives_saving,
)
CAUSAL_LAWS = (_cuts, _resets, _streams)
