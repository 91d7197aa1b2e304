"""The laws that every cell and core is held to, for yours as well as for ours."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from throughtime import tree
from throughtime.cells.cell import Cell
from throughtime.errors import LawError
from throughtime.layers.scan import Core, Recurrent, fold, scan
from throughtime.padded import Padded

ROWS, STEPS, TOLERANCE = 4, 6, 1e-9


def check_cell(cell: Cell[Any]) -> None:
    """Holds a cell to every law; returns in silence, or raises `LawError` naming the law that is broken.

    The cell (any sizes, small ones are quick) is copied to float64. Laws: it is a module with the five members of
    a cell · step is pure · project needs no memory · scan equals a hand loop · every faster path equals the plain
    loop, gradients too · reverse = flip, scan, flip · and all of `check_core`.

    >>> from throughtime.cells import GRU
    >>> check_cell(GRU(3, 4))
    """
    missing = [name for name in ("width", "hidden", "initial", "project", "step") if not hasattr(cell, name)]
    _law("a cell has width, hidden, initial, project and step", cell, not missing, f"missing: {missing}")
    _law("a cell is a torch module", cell, isinstance(cell, nn.Module), "so that its weights are found")
    cell = _exact(cell)
    for law in (_step_is_pure, _projects_without_memory, _scan_is_a_hand_loop, _paths_agree, _reverses):
        law(cell)
    check_core(Recurrent(cell))


def check_core(core: Core[Any]) -> None:
    """Holds a core to every law of cores; raises `LawError` naming the one that is broken.

    Laws: gradients of inputs, state and weights equal finite differences · every weight receives gradient · cut
    anywhere and carry the state, nothing changes · more padding changes nothing · neither do the other rows of the
    batch · a reset is a new beginning · reading step by step is reading the whole · saved and loaded, same outputs.

    >>> from throughtime.layers import Window
    >>> check_core(Window(3, 4, window=2))
    """
    core = _exact(core)
    for law in (_differentiates, _all_weights_learn, _pads, _ignores_other_rows, _survives_saving):
        law(core)
    if core.causal:
        for law in (_cuts, _resets, _streams):
            law(core)


def _exact(module: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = copy.deepcopy(module).double().eval()
        for parameter in module.parameters():  # away from zeros and ties, where a mistake would not show
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return module


def _law(name: str, subject: Any, holds: bool, detail: str = "") -> None:
    if not holds:
        raise LawError(f"{type(subject).__name__} breaks the law '{name}': {detail}")


def _same(name: str, subject: Any, got: Any, wanted: Any) -> None:
    for (place, a), (_, b) in zip(tree.leaves(got, "it"), tree.leaves(wanted, "it"), strict=True):
        _law(name, subject, a.shape == b.shape, f"{place} is {tuple(a.shape)}, not {tuple(b.shape)}")
        far = float((a - b).detach().abs().max()) if a.numel() else 0.0
        _law(name, subject, far <= TOLERANCE, f"{place} is off by {far:.2g}")


def _inputs(core: Any, lengths: tuple[int, ...] = (STEPS,) * ROWS) -> Padded:
    generator = torch.Generator().manual_seed(1)
    data = torch.randn(len(lengths), STEPS, core.width, generator=generator, dtype=torch.float64)
    return Padded(data, torch.tensor(lengths)).zeroed()


def _state(core: Any) -> Any:
    """A state in mid-course: what the core has after reading something."""
    state = core.initial(ROWS)
    wrapped = core if not hasattr(core, "project") else Recurrent(core)
    return tree.detach(wrapped(_inputs(core), state)[1])


def _step_is_pure(cell: Any) -> None:
    state, z = _state(cell), tree.unbind(cell.project(_inputs(cell).data), 1)[0]
    before = tree.map(torch.clone, state)
    first, second = cell.step(z, state), cell.step(z, state)
    _same("step is pure: it changes no state in place", cell, state, before)
    _same("step is pure: the same call gives the same", cell, first, second)


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
    for lengths in ((STEPS,) * ROWS, (STEPS, 3, 1, 2), (STEPS, 3, 0, 2)):
        for reverse in (False, True):
            results = []
            for path in (scan, fold):
                inputs, state = _inputs(cell, lengths), tree.map(Tensor.requires_grad_, _state(cell))
                inputs.data.requires_grad_()
                outputs, final = path(cell, inputs, state, reverse=reverse)
                wanted = [inputs.data, *(leaf for _, leaf in tree.leaves(state)), *cell.parameters()]
                gradients = torch.autograd.grad(_weighted((outputs.data, final)), wanted, allow_unused=True)
                filled = tuple(torch.zeros(1) if g is None else g for g in gradients)
                results.append((outputs.data, final, filled))
            _same("every path = the plain loop, gradients too", cell, *results)


def _reverses(cell: Any) -> None:
    inputs, state = _inputs(cell, (STEPS, 3, 1, 2)), _state(cell)
    outputs, final = scan(cell, inputs, state, reverse=True)
    flipped, after = scan(cell, inputs.flip(), state)
    _same("reverse = flip, scan, flip", cell, (outputs.data, final), (flipped.flip().data, after))


def _weighted(result: Any) -> Tensor:
    """A number in which every output has a weight of its own."""
    parts = [leaf.flatten().double() for _, leaf in tree.leaves(result)]
    flat = torch.cat(parts)
    return (flat * torch.linspace(0.5, 1.5, len(flat), dtype=flat.dtype)).sum()


def _differentiates(core: Any) -> None:
    inputs, state = _inputs(core, (4, 2, 3, 1)).split(4)[0], _state(core)
    names = [name for name, _ in core.named_parameters()]
    differentiable = [name for name, leaf in tree.leaves(state, "state")]

    def function(x: Tensor, *rest: Tensor) -> Tensor:
        weights = dict(zip(names, rest[: len(names)], strict=True))
        start = tree.restore(state, dict(zip(differentiable, rest[len(names) :], strict=True)), "state")
        outputs, final = torch.func.functional_call(core, weights, (inputs.replace(x), start))
        return _weighted((outputs.data, final))

    values = [inputs.data, *(p.detach() for p in core.parameters()), *(leaf for _, leaf in tree.leaves(state))]
    leaves = [value.clone().requires_grad_() for value in values]
    try:
        torch.autograd.gradcheck(function, leaves, fast_mode=True)
    except RuntimeError as error:
        raise LawError(f"{type(core).__name__} breaks the law 'gradients = finite differences': {error}") from error


def _all_weights_learn(core: Any) -> None:
    training = copy.deepcopy(core).train()
    outputs, _ = training(_inputs(core))
    torch.autograd.backward(_weighted(outputs.data))
    idle = [name for name, p in training.named_parameters() if p.grad is None or not p.grad.any()]
    _law("every weight receives gradient", core, not idle, f"none for {', '.join(idle)}")


def _cuts(core: Any) -> None:
    inputs, state = _inputs(core, (STEPS, 3, 1, 2)), _state(core)
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
    _law("outputs past a length are zero", core, not padded.data.masked_select(~padded.mask[..., None]).any())


def _ignores_other_rows(core: Any) -> None:
    inputs, state = _inputs(core, (STEPS, 3, 1, 2)), _state(core)
    outputs, final = core(inputs, state)
    for rows in (torch.tensor([2, 0, 3, 1]), torch.tensor([1])):
        chosen, after = core(inputs.take(rows), tree.take(state, rows))
        wanted = (outputs.take(rows).data, tree.take(final, rows))
        _same("the order and number of rows change nothing", core, (chosen.data, after), wanted)


def _resets(core: Any) -> None:
    inputs, state = _inputs(core), _state(core)
    resets = torch.zeros(ROWS, STEPS, dtype=torch.bool)
    resets[:, 2] = True
    outputs, final = core(inputs, state, resets)
    before, after = inputs.split(2)
    first, _ = core(before, state)
    second, end = core(after)
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


def _survives_saving(core: Any) -> None:
    saved, fresh = copy.deepcopy(core.state_dict()), copy.deepcopy(core)
    for parameter in fresh.parameters():
        parameter.data.zero_()
    fresh.load_state_dict(saved)
    _same("saved and loaded, same outputs", core, fresh(_inputs(core))[0].data, core(_inputs(core))[0].data)
