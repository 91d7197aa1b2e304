"""Programs: a cell's step, traced and compiled, found again as long as nothing about the cell has changed."""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, is_dataclass
from functools import cached_property
from types import NoneType, SimpleNamespace
from typing import Any

import torch
from numba.core.errors import NumbaError
from numpy import ndarray
from torch import Tensor, nn

from throughtime import tree
from throughtime.errors import UntraceableError
from throughtime.kernels import build, product
from throughtime.kernels.emit import Emitted, Word, emit
from throughtime.kernels.plan import Plan, plan
from throughtime.kernels.schedule import Area, Kernel
from throughtime.kernels.trace import Equations, Slot, Trace, differentiate, slots_of, trace
from throughtime.kernels.vector import host_lanes

TYPES = {"float32": torch.float32, "float64": torch.float64, "int64": torch.int64, "bool": torch.bool}
INNER = set(vars(nn.Module())) - {"training"}  # what torch keeps on every module


LINE = 64  # bytes


@dataclass(frozen=True)
class Compiled:
    """A kernel: the address of its machine code, and what its table needs that is the same at every run."""

    emitted: Emitted
    address: int
    owner: Any  # keeps the machine code alive
    constants: dict[Word, int]  # sizes, and addresses of functions
    scratch: dict[Area, int]  # areas of its own: bytes for a row
    vectors: list[int]  # the shared tensors that it reads as vectors
    products: list[int]  # the products that it makes
    work: float  # about as many floating-point operations for a row and a step


def spread(width: int) -> int:
    """Bytes from row to row: whole cache lines, and not a power of two at which rows would fight for the same ones."""
    lines = -(-width // LINE)
    return (lines + (lines % 8 == 0)) * LINE


@dataclass(eq=False)
class Program:
    """A step that can be swept over time: its equations, and both kernels, compiled when first asked for."""

    name: str
    traced: Trace
    equations: Equations
    plan: Plan
    lanes: int

    @property
    def output_type(self) -> torch.dtype:
        """What the outputs are made of."""
        return TYPES[self.plan.graph[self.equations.output.pieces[0].node].element]

    @cached_property
    def state(self) -> list[Area]:
        """The areas that the forward kernel hands on: all of the state."""
        return [("state", n) for n in range(len(self.equations.new_state))]

    @cached_property
    def flowing(self) -> list[Area]:
        """The areas that the backward kernel hands on: gradients of the leaves of the state that have one."""
        return [("cotangent", n + 1) for n, flows in enumerate(self.equations.cotangents[1:]) if flows]

    @cached_property
    def forward(self) -> Compiled:
        """The kernel from inputs to outputs."""
        return self._compile(self.plan.forward, self.state, "forward")

    @cached_property
    def backward(self) -> Compiled:
        """The kernel from cotangents to gradients."""
        if self.plan.backward is None:
            raise UntraceableError("a step without any gradient")
        return self._compile(self.plan.backward, self.flowing, "backward")

    def _compile(self, kernel: Kernel, state: list[Area], way: str) -> Compiled:
        title = f"The {way} sweep of {self.name}."
        emitted = emit(self.plan.graph, kernel, self.plan.products, state, self.lanes, title)
        made = build.module(emitted.text, f"{self.name.lower()}_{way}")
        words, products = emitted.words, self.plan.products
        constants = {word: int(word[1]) for word in words if word[0] == "size" and isinstance(word[1], int)}
        for word in words:
            if word[0] == "function" and isinstance(word[1], tuple):
                constants[word] = _multiplier(str(word[1][1]), self.lanes)
        made_here = [multiply.product for level in kernel.levels for multiply in level.multiplies]
        work = sum(2.0 * products[n].rows.width * products[n].width for n in made_here)
        work += sum(20.0 * one.width * len(one.sinks) for level in kernel.levels for one in level.passes)
        return Compiled(
            emitted=emitted,
            address=made.sweep.address,
            owner=made,
            constants=constants,
            scratch={a: spread(width * TYPES[kernel.elements[a]].itemsize) for a, width in kernel.widths.items()},
            vectors=[int(which[1]) for _, which in words if isinstance(which, tuple) and which[0] == "shared"],
            products=made_here,
            work=work,
        )


def _multiplier(element: str, lanes: int) -> int:
    """The address of the compiled matrix product."""
    address: int = build.module(product.source(element, lanes), f"product_{element}").product.address
    return address


@dataclass
class _Known:
    """What has been made of one cell in one condition."""

    slots: list[Slot]
    traces: dict[Any, Trace | UntraceableError] = field(default_factory=dict)
    programs: dict[Any, Program | UntraceableError] = field(default_factory=dict)


CONDITIONS = 8  # of one cell that are remembered: training, evaluation, a few values of a setting
_known: "weakref.WeakKeyDictionary[Any, dict[Any, _Known]]" = weakref.WeakKeyDictionary()


def _known_of(cell: Any) -> _Known:
    """What is known of a cell as it is now."""
    conditions = _known.setdefault(cell, {})
    condition = condition_of(cell)
    known = conditions.get(condition)
    if known is None:
        while len(conditions) >= CONDITIONS:
            conditions.pop(next(iter(conditions)), None)
        known = conditions[condition] = _Known(slots_of(cell))
    return known


@dataclass(frozen=True)
class Bound:
    """A program with the shared tensors of this call."""

    program: Program
    shared: list[Tensor]


Step = Callable[[Any, Any], tuple[Tensor, Any]]
Wants = tuple[tuple[bool, ...], ...]  # which leaves of z, of the state, and which shared tensors want a gradient


def asked(groups: Sequence[Sequence[Tensor]], anew: Sequence[Tensor] = ()) -> Wants:
    """A gradient for what autograd follows; for a state too where it follows the one that resets begin with."""
    grads = torch.is_grad_enabled()
    z, state, shared = (tuple(grads and leaf.requires_grad for leaf in group) for group in groups)
    if anew:
        state = tuple(want or (grads and leaf.requires_grad) for want, leaf in zip(state, anew, strict=True))
    return z, state, shared


def bind(
    cell: Any,
    z: Any,
    state: Any,
    wants: Callable[[Sequence[Sequence[Tensor]]], Wants] = asked,
    projecting: bool = False,
) -> Bound:
    """The program of a cell's step for z (a tree: B T ...) and state (a tree: B ...), with its shared tensors.

    `projecting` is for the step that projects too: z is then x (B T D).
    Raises `UntraceableError` when there can be none, naming what stands in the way.
    """
    known = _known_of(cell)
    z_leaves, state_leaves = ([leaf for _, leaf in tree.leaves(part)] for part in (z, state))
    slots = [slot.tensor() for slot in known.slots]
    sizes = (
        tuple((leaf.shape[2:], leaf.dtype) for leaf in z_leaves),
        tuple((s.shape[1:], s.dtype) for s in state_leaves),
    )
    shape = (*sizes, _kinds(slots), _structure(z), _structure(state), projecting)
    traced = known.traces.get(shape)
    if traced is None:
        traced = known.traces[shape] = _trace(cell, projecting, known.slots, z, state)
    if isinstance(traced, UntraceableError):
        raise UntraceableError(str(traced))  # a new one: an error keeps what it was raised past
    shared = traced.share(slots)
    wanted = wants((z_leaves, state_leaves, shared))
    program = known.programs.get((shape, wanted))
    if program is None:
        program = known.programs[shape, wanted] = _program(type(cell).__name__, traced, wanted)
    if isinstance(program, UntraceableError):
        raise UntraceableError(str(program))
    return Bound(program, shared)


def condition_of(module: Any) -> tuple[Any, ...]:
    """Everything about a cell that its step may read besides tensors: when it changes, the step is traced anew."""
    inner = vars(module)
    facts: list[Any] = [type(module), getattr(type(module), "step", None)]
    for table in (inner.get("_parameters", {}), inner.get("_buffers", {})):
        facts += (id(table), tuple([name for name, tensor in table.items() if tensor is not None]))
    facts += (tuple(inner.get("_forward_hooks", ())), tuple(inner.get("_forward_pre_hooks", ())))
    for name, value in inner.items():
        if name not in INNER:
            facts += (name, _fact(value))
    for child in inner.get("_modules", {}).values():
        facts.append(None if child is None else condition_of(child))
    return tuple(facts)


def _fact(value: Any) -> Any:
    if isinstance(value, bool | int | float | str | NoneType):
        return type(value), value
    if isinstance(value, tuple | list):
        return tuple(_fact(part) for part in value)
    if isinstance(value, dict):
        return tuple((key, _fact(part)) for key, part in value.items())
    if isinstance(value, set | frozenset):
        return frozenset(map(_fact, value))
    if isinstance(value, Tensor):  # not a weight: a step that reads it is refused
        return value.dtype, value.shape
    if isinstance(value, ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, SimpleNamespace) or (is_dataclass(value) and not isinstance(value, nn.Module | type)):
        return type(value), tuple((name, _fact(part)) for name, part in vars(value).items())
    return condition_of(value) if isinstance(value, nn.Module) else _Itself(value)


class _Itself:
    """A thing that is equal to nothing else, and kept, so that no other is taken for it later."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def _kinds(slots: Sequence[Tensor]) -> tuple[Any, ...]:
    """Shapes, types and devices of parameters, and which of them are one tensor under several names."""
    same = {id(tensor): place for place, tensor in enumerate(slots)}
    return tuple([(tensor.shape, tensor.dtype, tensor.device, same[id(tensor)]) for tensor in slots])


def _structure(nested: Any) -> Any:
    """What a tree is made of, without its tensors."""
    if nested is None or isinstance(nested, Tensor):
        return nested is None
    return (type(nested), *(_structure(branch) for branch in nested))


def _projecting(cell: Any) -> Step:
    """The step of a cell from x itself."""

    def step(x: Tensor, state: Any) -> tuple[Tensor, Any]:
        return cell.step(tree.map(lambda leaf: leaf[:, 0], cell.project(x[:, None])), state)  # type: ignore[no-any-return]

    return step


def _trace(cell: Any, projecting: bool, slots: list[Slot], z: Any, state: Any) -> Trace | UntraceableError:
    with torch.inference_mode(False), torch.no_grad():
        first = tree.map(lambda leaf: leaf.new_zeros(1, *leaf.shape[2:]), z)
        before = tree.map(lambda leaf: leaf.new_zeros(1, *leaf.shape[1:]), state)
        condition = condition_of(cell)
        try:
            for slot in slots:
                _check_weight(slot)
            traced = trace(_projecting(cell) if projecting else cell.step, slots, first, before)
            if condition_of(cell) != condition:
                raise UntraceableError("it changes the cell")
            if projecting:
                _check_projection(cell, first)
        except UntraceableError as error:
            return UntraceableError(str(error))  # without what it was raised past
    return traced


def _check_weight(slot: Slot) -> None:
    tensor = slot.tensor()
    if type(tensor) not in (Tensor, nn.Parameter) or tensor.device.type != "cpu" or tensor.layout != torch.strided:
        raise UntraceableError(f"{slot.path} is a {type(tensor).__name__} of {tensor.layout} on {tensor.device}")


def _check_projection(cell: Any, x: Tensor) -> None:
    """Refuses a projection that looks at other steps, so that it is done for all steps at once."""
    chance = torch.Generator("cpu").manual_seed(0)
    sample = torch.rand(2, 3, *x.shape[1:], generator=chance, device="cpu").to(x.dtype)
    whole = [leaf for _, leaf in tree.leaves(cell.project(sample))]
    for t in range(3):
        alone = [leaf for _, leaf in tree.leaves(cell.project(sample[:, t : t + 1]))]
        for all_steps, one in zip(whole, alone, strict=True):
            if not torch.allclose(all_steps[:, t : t + 1].double(), one.double(), rtol=1e-3, atol=1e-5, equal_nan=True):
                raise UntraceableError("its projection looks at other steps")


def _program(name: str, traced: Trace, wants: Sequence[Sequence[bool]]) -> Program | UntraceableError:
    try:
        with torch.inference_mode(False):
            equations = differentiate(traced, *wants)
        made = plan(equations)
    except UntraceableError as error:
        return error
    elements = {node.element for node in made.graph.nodes} & {"float32", "float64"}
    main = "float32" if "float32" in elements else "float64"
    program = Program(name, traced, equations, made, host_lanes(main))
    try:
        _ = program.forward, made.backward and program.backward
    except NumbaError as error:  # a fault of ours, and no reason to stop
        return UntraceableError(f"its sweep does not compile: {str(error).splitlines()[0]}")
    return program
