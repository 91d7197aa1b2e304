"""Records what a pure function of tensors does as a list of torch operations, which can be played again.

Only operations are seen, so anything that escapes them is refused by name: a value read into Python, a tensor
written in place, a random draw, a tensor that is nobody's parameter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from throughtime.errors import UntraceableError

READS = ("aten._local_scalar_dense", "aten.nonzero", "aten.is_nonzero", "aten.equal")


@dataclass(frozen=True)
class Place:
    """The number of a tensor in a recording."""

    number: int


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


class Recording(NamedTuple):
    """The calls that lead from the tensors numbered 0, 1, ... to the results (None where there is none)."""

    calls: list[Call]
    results: list[int | None]


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Numbers tensors as they appear and lists the operations on them.

    `decompose` gives for an operation a function of smaller ones, or None to take it as it is.
    """

    def __init__(self, inputs: Sequence[Tensor], decompose: Callable[[Any], Callable[..., Any] | None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tensors: list[Tensor] = []  # kept alive, so that an id means one tensor
        self.numbers: dict[int, int] = {}
        self.calls: list[Call] = []
        self.decompose = decompose
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
            raise UntraceableError(f"{name}: it writes in place")
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise UntraceableError(f"{name}: it draws random numbers; draw them in `project`")
        smaller = self.decompose(func)
        if smaller is not None:
            with self:
                return smaller(*args, **kwargs)
        places, named = pytree.tree_map(self._place, (args, kwargs))
        results = func(*args, **kwargs)
        numbered = pytree.tree_map(lambda leaf: self.number(leaf) if isinstance(leaf, Tensor) else leaf, results)
        self.calls.append(Call(func, places, named, numbered))
        return results


def play(calls: Sequence[Call], tensors: dict[int, Tensor], resize: Mapping[int, int] | None = None) -> None:
    """Plays the calls on `tensors`, by number, and adds to it what they make.

    `resize` changes sizes that the calls were recorded with: recorded size to the size now.
    """

    def value(argument: Any) -> Any:
        if type(argument) is Place:
            return tensors[argument.number]
        if isinstance(argument, list | tuple):
            if resize and argument and all(type(size) is int for size in argument):
                return [resize.get(size, size) for size in argument]
            return [value(part) for part in argument]
        return argument

    for call in calls:
        kwargs = {name: value(argument) for name, argument in call.kwargs.items()}
        results = call.operation(*[value(argument) for argument in call.args], **kwargs)
        if type(call.results) is Place:
            tensors[call.results.number] = results
            continue
        for place, tensor in zip(_leaves(call.results), _leaves(results), strict=True):
            if isinstance(place, Place):
                tensors[place.number] = tensor


def _leaves(nested: Any) -> list[Any]:
    return pytree.tree_leaves(nested)
