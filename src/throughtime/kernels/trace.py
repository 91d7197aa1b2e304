"""A cell's step as a pure function of (z, state, parameters): recorded once, differentiated once.

    preamble   what is made of parameters alone (slices, transposes, exponentials): run by torch, once a sweep
    core       what is done with rows: compiled
    shared     the tensors that go from the one to the other

The gradient is recorded too, by torch's autograd over the core, so that an operation's derivative is torch's own.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from throughtime import tree
from throughtime.errors import UntraceableError
from throughtime.kernels.expression import Rows
from throughtime.kernels.lower import Lowering, Total, known
from throughtime.kernels.record import Call, Recorder, play


@dataclass(frozen=True)
class Slot:
    """Where a parameter or buffer is found: a module's own table of them, and its name there."""

    table: dict[str, Tensor | None]
    name: str
    path: str

    def tensor(self) -> Tensor:
        """The tensor that is there now."""
        found = self.table[self.name]
        if found is None:
            raise UntraceableError(f"the parameter {self.path} is gone")
        return found


@dataclass(frozen=True)
class Trace:
    """A recorded step: numbers of tensors are places in the recording."""

    batch: int  # the rows that it was recorded with: a prime found nowhere else among the sizes
    slots: list[Slot]
    z: list[int]
    state: list[int]
    preamble: list[Call]
    core: list[Call]
    shared: list[int]
    output: int
    new_state: list[int]
    tensors: dict[int, Tensor]  # what the recording saw, at the places above

    def share(self, slots: Sequence[Tensor]) -> list[Tensor]:
        """The shared tensors, made of the parameters (in the order of the slots)."""
        first = len(self.z) + len(self.state)
        tensors = {first + n: tensor for n, tensor in enumerate(slots)}
        play(self.preamble, tensors)
        return [tensors[number] for number in self.shared]

    def step(self, z: Sequence[Tensor], state: Sequence[Tensor], shared: Sequence[Tensor]) -> list[Tensor]:
        """The output and the new state, by torch: the plain step, for any number of rows."""
        numbers = [*self.z, *self.state, *self.shared]
        tensors = dict(zip(numbers, [*z, *state, *shared], strict=True))
        rows = len(state[0]) if state else len(z[0])
        play(self.core, tensors, {self.batch: rows})
        return [tensors[number] for number in (self.output, *self.new_state)]


def slots_of(cell: Any) -> list[Slot]:
    """Every parameter and buffer of a cell."""
    found = []
    for path, module in cell.named_modules() if isinstance(cell, nn.Module) else []:
        for table in (module._parameters, module._buffers):
            found += [Slot(table, name, f"{path}.{name}".lstrip(".")) for name in table if table[name] is not None]
    return found


def trace(step: Callable[[Any, Any], tuple[Tensor, Any]], slots: list[Slot], z: Any, state: Any) -> Trace:
    """Records `step` on rows like those of z (a tree, at one time: B ...) and state (a tree)."""
    z_leaves, state_leaves = ([leaf for _, leaf in tree.leaves(part)] for part in (z, state))
    parameters = [slot.tensor() for slot in slots]
    batch = _rows_for([*z_leaves, *state_leaves, *parameters])
    z, state = (tree.map(lambda leaf: leaf.new_zeros(batch, *leaf.shape[1:]), part) for part in (z, state))
    inputs = [leaf for part in (z, state) for _, leaf in tree.leaves(part)]
    recorder = Recorder([*inputs, *parameters], _decomposition)
    with torch.no_grad(), recorder:
        output, new_state = step(z, state)
    new_leaves = [leaf for _, leaf in tree.leaves(new_state)]
    if [leaf.shape for leaf in new_leaves] != [leaf.shape for leaf in inputs[len(z_leaves) :]]:
        raise UntraceableError("a state whose shape changes from step to step")
    results = [recorder.place(leaf) for leaf in (output, *new_leaves)]
    rows, preamble, core = set(range(len(inputs))), [], []
    for call in recorder.calls:
        if rows.intersection(call.reads) or _has_size(call, batch):
            rows.update(call.writes)
            core.append(call)
        else:
            preamble.append(call)
    used = dict.fromkeys(n for call in core for n in call.reads if n not in rows)
    used |= dict.fromkeys(n for n in results if n is not None and n not in rows)
    numbers = [*range(len(inputs)), *used]
    return Trace(
        batch=batch,
        slots=slots,
        z=list(range(len(z_leaves))),
        state=list(range(len(z_leaves), len(inputs))),
        preamble=_needed(preamble, list(used)),
        core=_needed(core, [n for n in results if n is not None]),
        shared=list(used),
        output=_present(results[0]),
        new_state=[_present(result) for result in results[1:]],
        tensors={n: recorder.tensors[n] for n in numbers},
    )


@dataclass(frozen=True)
class Equations:
    """A step and its gradient as expressions; None stands for a gradient that nobody asks for."""

    lowering: Lowering
    output: Rows
    new_state: list[Rows]
    z_grads: list[Rows | None]
    state_grads: list[Rows | None]
    shared_grads: list[Total | None]
    cotangents: list[bool]  # of the output and each leaf of the new state: whether it has a gradient


def differentiate(traced: Trace, z: Sequence[bool], state: Sequence[bool], shared: Sequence[bool]) -> Equations:
    """The equations of the step, with gradients to the inputs that are marked.

    A leaf of the state has a gradient too when its next value depends on anything that has one.
    """
    state = list(state)
    while True:
        equations, flowing = _differentiate(traced, z, state, shared)
        wider = [old or new for old, new in zip(state, flowing, strict=True)]
        if wider == state:
            return equations
        state = wider


def _differentiate(
    traced: Trace, z: Sequence[bool], state: Sequence[bool], shared: Sequence[bool]
) -> tuple[Equations, list[bool]]:
    groups = (traced.z, traced.state, traced.shared)
    leaves = [
        traced.tensors[number].detach().clone().requires_grad_(want)
        for numbers, wants in zip(groups, (z, state, shared), strict=True)
        for number, want in zip(numbers, wants, strict=True)
    ]
    sizes = [len(numbers) for numbers in groups]
    with torch.enable_grad():
        recorder = Recorder(leaves, _decomposition)
        with recorder:
            outputs = traced.step(*_parts(leaves, sizes))
            flowing = [leaf.requires_grad for leaf in outputs]
            asked = [leaf for leaf in leaves if leaf.requires_grad]
            roots = [leaf for leaf in outputs if leaf.requires_grad]
        cotangents = [torch.zeros_like(root) for root in roots]
        for cotangent in cotangents:
            recorder.number(cotangent)
        with recorder:
            found = torch.autograd.grad(roots, asked, cotangents, allow_unused=True) if roots and asked else ()
    gradients = dict(zip(map(id, asked), found, strict=False))
    lowering = Lowering(traced.batch, recorder.tensors)
    for kind, numbers in zip(("z", "state"), _parts(list(range(len(leaves))), sizes), strict=False):
        for which, number in enumerate(numbers):
            lowering.input_rows(number, kind, which)
    for which, number in enumerate(_parts(list(range(len(leaves))), sizes)[2]):
        lowering.input_shared(number, which)
    for which, flows in enumerate(flowing):
        if flows:
            place = recorder.place(cotangents.pop(0))
            lowering.input_rows(_present(place), "cotangent", which)
    lowering.run(
        _needed(recorder.calls, [_present(recorder.place(leaf)) for leaf in (*outputs, *found) if leaf is not None])
    )

    def value(tensor: Tensor | None) -> Any:
        return None if tensor is None else lowering.values[_present(recorder.place(tensor))]

    z_grads, state_grads, shared_grads = _parts([value(gradients.get(id(leaf))) for leaf in leaves], sizes)
    output, *new_state = [lowering.rows(value(leaf)) for leaf in outputs]
    equations = Equations(
        lowering=lowering,
        output=output,
        new_state=new_state,
        z_grads=z_grads,
        state_grads=state_grads,
        shared_grads=shared_grads,
        cotangents=flowing,
    )
    return equations, flowing[1:]


def _parts(values: Sequence[Any], sizes: Sequence[int]) -> list[list[Any]]:
    """The values in groups of the given sizes."""
    groups, start = [], 0
    for size in sizes:
        groups.append(list(values[start : start + size]))
        start += size
    return groups


def _needed(calls: Sequence[Call], results: Sequence[int]) -> list[Call]:
    """The calls that the results depend on, in order."""
    wanted, kept = set(results), []
    for call in reversed(calls):
        if wanted.intersection(call.writes):
            wanted.update(call.reads)
            kept.append(call)
    return kept[::-1]


def _rows_for(tensors: Sequence[Tensor]) -> int:
    """A number of rows that no tensor has as one of its sizes."""
    sizes = {size for tensor in tensors for size in tensor.shape}
    primes = (61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113)
    return next(n for n in itertools.chain(primes, itertools.count(127)) if n not in sizes)


def _has_size(call: Call, size: int) -> bool:
    """Whether an operation was told the number of rows."""
    return any(leaf == size for leaf in pytree.tree_leaves((call.args, call.kwargs)) if type(leaf) is int)


def _present(number: int | None) -> int:
    if number is None:
        raise UntraceableError("a step that gives None")
    return number


def _decomposition(operation: Any) -> Callable[..., Any] | None:
    """torch's own decomposition of an operation that sweeps do not know."""
    if known(operation):
        return None
    from torch._decomp import decomposition_table

    return decomposition_table.get(operation)
