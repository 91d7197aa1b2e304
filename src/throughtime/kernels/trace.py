"""A cell's step as a pure function of (z, state, parameters): recorded once, differentiated once.

    preamble   what is made of parameters alone (slices, transposes, exponentials): run by torch, once a sweep
    core       what is done with rows: compiled
    shared     the tensors that go from the one to the other

The gradient is recorded too, by torch's autograd over the core, so that an operation's derivative is torch's own. The
step is recorded twice, with two numbers of rows, and the recordings compared: what depends on that number is refused.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from throughtime import tree
from throughtime.errors import UntraceableError
from throughtime.kernels.expression import Rows
from throughtime.kernels.lower import Lowering, known
from throughtime.kernels.record import COUNT, Call, Recorder, Watch, common, play
from throughtime.kernels.values import Total

T = TypeVar("T")

FEW = 2  # rows of the second recording; one row would not do: there torch takes short cuts


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

    batch: int  # the rows that it was recorded with: a number found nowhere else among the sizes
    slots: list[Slot]
    z: list[int]
    state: list[int]
    preamble: list[Call]
    core: list[Call]
    shared: list[int]
    output: int
    new_state: list[int]
    tensors: dict[int, Tensor]  # what the recording saw at the places above: shapes and types, no values

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
        play(self.core, tensors, len(state[0]) if state else len(z[0]))
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
    return _aside(_trace, step, slots, z, state)


def _aside(function: Callable[..., T], *arguments: Any) -> T:
    """What the function gives, in a thread of its own: modes and hooks that others hang on torch are not in there."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


def _trace(step: Callable[[Any, Any], tuple[Tensor, Any]], slots: list[Slot], z: Any, state: Any) -> Trace:
    parameters = [slot.tensor() for slot in slots]
    inputs = sum(1 for _ in tree.leaves((z, state)))
    few = _record(step, parameters, z, state, FEW)
    sizes = {size for tensor in few.recorder.tensors for size in tensor.shape}
    for batch in _numbers_of_rows(sizes):
        many = _record(step, parameters, z, state, batch)
        calls = common(many.recorder.calls, few.recorder.calls, (batch, FEW))
        preamble, core = _split(calls, inputs)
        if not _clash(many.recorder.tensors, preamble, inputs, batch):
            return _traced(many, preamble, core, slots, sum(1 for _ in tree.leaves(z)), batch)
    raise UntraceableError("a tensor that has the rows elsewhere than in its first dimension")


@dataclass(frozen=True)
class _Recording:
    recorder: Recorder
    results: list[int]  # the output and the leaves of the new state


def _record(step: Callable[[Any, Any], Any], parameters: Sequence[Tensor], z: Any, state: Any, rows: int) -> _Recording:
    """The step on so many rows of zeros, which have gradients as in training."""

    def blank(leaf: Tensor) -> Tensor:
        zeros = torch.zeros(rows, *leaf.shape[1:], dtype=leaf.dtype)
        return zeros.requires_grad_().clone() if leaf.is_floating_point() else zeros

    trained = not any(parameter.is_inference() for parameter in parameters)
    with torch.set_grad_enabled(trained):
        z, state = tree.map(blank, z), tree.map(blank, state)
        recorder = Recorder([*(leaf for _, leaf in tree.leaves((z, state))), *parameters], trained=trained)
        try:
            with Watch(), recorder:
                output, new_state = step(z, state)
        except UntraceableError:
            raise
        except Exception as error:  # on our zeros; whether it is one on yours the plain loop will tell
            line = f"{type(error).__name__}: {error}".splitlines()[0]
            raise UntraceableError(f"its step fails on {rows} rows of zeros with {line}") from None
    if not isinstance(output, Tensor) or output.dim() != 2 or len(output) != rows:
        what = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise UntraceableError(f"an output {what} for {rows} rows (a sweep gives B W)")
    before, after = _form(state), _form(new_state)
    if before != after:
        raise UntraceableError(f"a state that is {before} before a step and {after} after it")
    results = [recorder.place(leaf) for leaf in (output, *(leaf for _, leaf in tree.leaves(new_state)))]
    return _Recording(recorder, [_present(result) for result in results])


def _form(nested: Any) -> str:
    """What a tree is made of."""
    if isinstance(nested, Tensor):
        return f"{str(nested.dtype).removeprefix('torch.')}{list(nested.shape)}"
    if not isinstance(nested, tuple | list):
        return type(nested).__name__
    return f"{type(nested).__name__}({', '.join(map(_form, nested))})"


def _split(calls: Sequence[Call], inputs: int) -> tuple[list[Call], list[Call]]:
    """What needs no rows, and what does."""
    rows, preamble, core = set(range(inputs)), list[Call](), list[Call]()
    for call in calls:
        if rows.intersection(call.reads) or _counts(call):
            rows.update(call.writes)
            core.append(call)
        else:
            preamble.append(call)
    return preamble, core


def _clash(tensors: Sequence[Tensor], preamble: Sequence[Call], inputs: int, batch: int) -> bool:
    """Whether a size is the number of rows, and yet not that of a first dimension of rows."""
    shared = {number for call in preamble for number in call.writes}
    return any(batch in (t.shape if n in shared else t.shape[1:]) for n, t in enumerate(tensors))


def _traced(
    recording: _Recording, preamble: list[Call], core: list[Call], slots: list[Slot], z: int, batch: int
) -> Trace:
    recorder, results = recording.recorder, recording.results
    inputs = len(recorder.inputs) - len(slots)
    rows = {*range(inputs), *(number for call in core for number in call.writes)}
    core = _needed(core, results)
    used = dict.fromkeys(n for call in core for n in call.reads if n not in rows)
    used |= dict.fromkeys(n for n in results if n not in rows)
    numbers = [*range(inputs), *used]
    return Trace(
        batch=batch,
        slots=slots,
        z=list(range(z)),
        state=list(range(z, inputs)),
        preamble=_needed(preamble, list(used)),
        core=core,
        shared=list(used),
        output=results[0],
        new_state=results[1:],
        tensors={n: recorder.tensors[n].new_empty(recorder.tensors[n].shape, device="meta") for n in numbers},
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
    cotangents: list[bool]  # of the output and each leaf of the state: whether it has a gradient


def differentiate(traced: Trace, z: Sequence[bool], state: Sequence[bool], shared: Sequence[bool]) -> Equations:
    """The equations of the step, with gradients to the inputs that are marked.

    A leaf of the state has a gradient too when its next value depends on anything that has one.
    """
    state = list(state)
    while True:
        equations, flowing = _aside(_differentiate, traced, z, state, shared)
        wider = [old or new for old, new in zip(state, flowing, strict=True)]
        if wider == state:
            return equations
        state = wider


def _differentiate(
    traced: Trace, z: Sequence[bool], state: Sequence[bool], shared: Sequence[bool]
) -> tuple[Equations, list[bool]]:
    groups = (traced.z, traced.state, traced.shared)
    leaves = [
        torch.zeros(traced.tensors[number].shape, dtype=traced.tensors[number].dtype).requires_grad_(want)
        for numbers, wants in zip(groups, (z, state, shared), strict=True)
        for number, want in zip(numbers, wants, strict=True)
    ]
    sizes = [len(numbers) for numbers in groups]
    with torch.enable_grad(), torch.autograd.set_detect_anomaly(False):  # gradients of zeros may be NaN
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
            # one number whose gradient is theirs: given cotangents, torch would first import its compiler's shapes
            weighted = [(root * cotangent).sum() for root, cotangent in zip(roots, cotangents, strict=True)]
            try:
                found = torch.autograd.grad(reduce(add, weighted), asked, allow_unused=True) if roots and asked else ()
            except RuntimeError as error:
                raise UntraceableError(str(error)) from None
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
    lowering.tensors = ()
    equations = Equations(
        lowering=lowering,
        output=output,
        new_state=new_state,
        z_grads=z_grads,
        state_grads=state_grads,
        shared_grads=shared_grads,
        cotangents=[flowing[0], *(flows or want for flows, want in zip(flowing[1:], state, strict=True))],
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


def _numbers_of_rows(sizes: set[int]) -> Iterator[int]:
    """Some numbers of rows that no tensor has as one of its sizes."""
    primes = (61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113)
    free = [number for number in (*primes, *range(127, 127 + len(sizes) + 3)) if number not in sizes]
    yield from free[:3]


def _counts(call: Call) -> bool:
    """Whether an operation was told the number of rows."""
    return any(leaf is COUNT for leaf in pytree.tree_leaves((call.args, call.kwargs)))


def _present(number: int | None) -> int:
    if number is None:
        raise UntraceableError("a step that gives None")
    return number


def _decomposition(operation: Any) -> Callable[..., Any] | None:
    """torch's own decomposition of an operation that sweeps do not know."""
    if known(operation):
        return None
    from torch._decomp import decomposition_table

    if operation in decomposition_table:
        return decomposition_table[operation]
    return operation.decompose if operation._can_decompose() else None
