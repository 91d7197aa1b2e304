"""Records what a pure function of tensors does as a list of torch operations, which can be played again.

Only operations are seen, so anything that escapes them is refused by name: a value read into Python, a tensor
written in place, a random draw, a tensor that is nobody's parameter, a gradient that is not torch's own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from throughtime.errors import UntraceableError

READS = ("aten._local_scalar_dense", "aten.nonzero", "aten.is_nonzero", "aten.equal")
# What Python does with a tensor past all operations.
ESCAPES = dict.fromkeys(
    ("numpy", "tolist", "__array__", "__dlpack__", "data_ptr", "untyped_storage", "storage"),
    "it reads a tensor's value into Python",
) | dict.fromkeys(("register_hook", "retain_grad"), "a sweep's gradients are the equations' own")


@dataclass(frozen=True)
class Place:
    """The number of a tensor in a recording."""

    number: int


@dataclass(frozen=True)
class Count:
    """Stands for the number of rows, first of the sizes that an operation is told."""


COUNT = Count()


class Call(NamedTuple):
    """One operation: its arguments and results with places for tensors."""

    operation: Any  # torch._ops.OpOverload
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: Any

    @property
    def name(self) -> str:
        """For instance aten.add.Tensor."""
        return str(self.operation)

    @property
    def reads(self) -> list[int]:
        """The numbers of the tensors it is given."""
        return [leaf.number for leaf in _leaves((self.args, self.kwargs)) if isinstance(leaf, Place)]

    @property
    def writes(self) -> list[int]:
        """The numbers of the tensors it makes."""
        return [leaf.number for leaf in _leaves(self.results) if isinstance(leaf, Place)]


class Watch(TorchFunctionMode):
    """Refuses what escapes a recorder: values that Python reads past all operations, hooks on gradients."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in ESCAPES:
            raise UntraceableError(f"Tensor.{name}: {ESCAPES[name]}")
        return func(*args, **(kwargs or {}))


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Numbers tensors as they appear and lists the operations on them.

    `decompose` gives for an operation a function of smaller ones, or None to take it as it is. Where it is absent, all
    are taken as they are, and where the cell may be trained, gradients have to be on: an operation has torch's own
    derivative, nobody else's.
    """

    def __init__(
        self,
        inputs: Sequence[Tensor],
        decompose: Callable[[Any], Callable[..., Any] | None] | None = None,
        trained: bool = True,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.inputs = inputs
        self.tensors: list[Tensor] = []  # kept alive, so that an id means one tensor
        self.numbers: dict[int, int] = {}
        self.calls: list[Call] = []
        self.decompose, self.trained = decompose, trained
        for tensor in inputs:
            self.number(tensor)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Spares the import of torch's compiler, which takes a second."""
        return False

    def number(self, tensor: Tensor) -> Place:
        """The next number, for a tensor that comes from outside."""
        self.numbers[id(tensor)] = len(self.tensors)
        self.tensors.append(tensor)
        return Place(len(self.tensors) - 1)

    def _place(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        if id(leaf) not in self.numbers:
            raise UntraceableError("a tensor that is neither an input, a parameter nor a buffer of the cell")
        return Place(self.numbers[id(leaf)])

    def place(self, tensor: Tensor | None) -> int | None:
        """The number of a tensor that the function gave back."""
        return None if tensor is None else self._place(tensor).number

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = str(func)
        if name.startswith(READS):
            raise UntraceableError(f"{name}: it reads a tensor's value into Python")
        if func._schema.is_mutable:
            return self._write(func, args, kwargs)
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise UntraceableError(f"{name}: it draws random numbers; draw them in `project`")
        if name == "aten.native_batch_norm.default" and args[5]:
            raise UntraceableError(f"{name}: it mixes rows")
        if self.decompose is None and self.trained and not torch.is_grad_enabled():
            raise UntraceableError(f"{name} under no_grad or in an autograd.Function: for no gradient, use detach")
        smaller = self.decompose(func) if self.decompose else None
        if smaller is not None:
            with self:
                return smaller(*args, **kwargs)
        places, named = pytree.tree_map(self._place, (args, kwargs))
        results = func(*args, **kwargs)
        if not all(leaf is None or isinstance(leaf, Tensor) for leaf in _leaves(results)):
            raise UntraceableError(f"{name}: it reads a tensor's value into Python")
        numbered = pytree.tree_map(lambda leaf: self.number(leaf) if isinstance(leaf, Tensor) else leaf, results)
        self.calls.append(Call(func, places, named, numbered))
        return results

    def _write(self, func: Any, args: Any, kwargs: Any) -> Any:
        """An operation in place, recorded as the one that makes a new tensor, where nobody else sees the old one.

        Such are the ones that torch uses itself, in its derivatives and functions, on what it has just made.
        """
        name, _, overload = str(func).removeprefix("aten.").partition(".")
        pure = getattr(getattr(torch.ops.aten, name.removesuffix("_"), None), overload, None)
        target = args[0]
        if not name.endswith("_") or pure is None or pure._schema.is_mutable or not self._alone(target):
            raise UntraceableError(f"{func}: it writes in place")
        with self:
            result = pure(*args, **kwargs)
        if result.shape != target.shape or result.dtype != target.dtype:
            raise UntraceableError(f"{func}: it writes in place, numbers of another type")
        func(*args, **kwargs)
        self.numbers[id(target)] = self.numbers[id(result)]
        return target

    def _alone(self, tensor: Tensor) -> bool:
        """Whether the tensor was made here, and no other that we know has its memory."""
        memory = tensor.untyped_storage()._cdata
        known = [other for other in self.tensors if other.untyped_storage()._cdata == memory]
        return self.numbers.get(id(tensor), 0) >= len(self.inputs) and all(other is tensor for other in known)


def play(calls: Sequence[Call], tensors: dict[int, Tensor], rows: int = 0) -> None:
    """Plays the calls on `tensors`, by number, and adds to it what they make. `rows` is what a `Count` stands for."""

    def value(argument: Any) -> Any:
        if type(argument) is Place:
            return tensors[argument.number]
        if isinstance(argument, list | tuple):
            return [value(part) for part in argument]
        return rows if argument is COUNT else argument

    for call in calls:
        kwargs = {name: value(argument) for name, argument in call.kwargs.items()}
        results = call.operation(*[value(argument) for argument in call.args], **kwargs)
        if type(call.results) is Place:
            tensors[call.results.number] = results
            continue
        for place, tensor in zip(_leaves(call.results), _leaves(results), strict=True):
            if isinstance(place, Place):
                tensors[place.number] = tensor


def common(one: Sequence[Call], other: Sequence[Call], rows: tuple[int, int]) -> list[Call]:
    """Two recordings of one function with other numbers of rows, as one for any number.

    Refuses what differs in more than the sizes: a function that asks how many rows there are.
    """
    if [call.operation for call in one] != [call.operation for call in other]:
        raise UntraceableError("what it does depends on how many rows there are")
    return [
        Call(a.operation, *(_common(x, y, rows, a.name) for x, y in zip(a[1:], b[1:], strict=True)))
        for a, b in zip(one, other, strict=True)
    ]


def _common(one: Any, other: Any, rows: tuple[int, int], name: str) -> Any:
    """An argument of both recordings."""
    if isinstance(one, dict) and one.keys() == other.keys():
        return {key: _common(value, other[key], rows, name) for key, value in one.items()}
    if isinstance(one, list | tuple) and type(one) is type(other) and len(one) == len(other):
        first = [COUNT] if one and (one[0], other[0]) == rows and type(one[0]) is int else []
        rest = zip(one[len(first) :], other[len(first) :], strict=True)
        return [*first, *(_common(a, b, rows, name) for a, b in rest)]
    if one == other or (one != one and other != other):  # NaN is NaN
        return one
    raise UntraceableError(f"{name}: one of its arguments depends on how many rows there are")


def _leaves(nested: Any) -> list[Any]:
    return pytree.tree_leaves(nested)
