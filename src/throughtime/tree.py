"""Functions over states: NamedTuples, tuples and lists of tensors, nested as deep as one likes.

A state is a value, so all that is ever done to one (detach it, pick rows of it, keep the old where a row has
ended, save it) is one of these few verbs. `None` is a leaf that stays `None`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor

T = TypeVar("T")


class Shared(NamedTuple):
    """A part of a state that steps look at and never change, such as a source that was read.

    It has a row for each group of the state's rows, as all hypotheses of a sentence look at the same source.
    """

    content: Any


def map(function: Callable[..., Any], tree: T, *others: T) -> T:
    """The same tree with `function` applied to the tensors that stand at the same place in every tree.

    >>> map(lambda a, b: a + b, (torch.tensor(1), None), (torch.tensor(2), None))
    (tensor(3), None)
    """
    if tree is None:
        return tree
    if isinstance(tree, Tensor):
        return cast(T, function(tree, *others))
    if not isinstance(tree, tuple | list):
        raise TypeError(f"a state is made of tensors, tuples, lists and None; got {type(tree).__name__}")
    parts = [map(function, *branch) for branch in zip(tree, *cast(Any, others), strict=True)]
    return cast(T, _like(tree, parts))


def leaves(tree: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of a tree, each with a dotted name that says where it stands.

    >>> [name for name, _ in leaves((torch.zeros(1), [torch.zeros(1)]), "state")]
    ['state.0', 'state.1.0']
    """
    if isinstance(tree, Tensor):
        yield name, tree
    elif tree is not None:
        keys = getattr(tree, "_fields", range(len(tree)))
        for key, branch in zip(keys, tree, strict=True):
            yield from leaves(branch, f"{name}.{key}" if name else str(key))


def restore(tree: T, named: dict[str, Tensor], name: str = "") -> T:
    """The tree of the same shape as `tree` whose tensors come from `named`; the reverse of `leaves`."""
    return _filled(tree, [named[leaf].to(old) for leaf, old in leaves(tree, name)])


def stack(trees: Sequence[T], dim: int = 0) -> T:
    """One tree whose tensors are stacked along a new dimension."""
    return map(lambda *tensors: torch.stack(tensors, dim), *trees)


def unbind(tree: T, dim: int) -> list[T]:
    """A list of trees, one for each index along `dim`; the reverse of `stack`."""
    columns = [leaf.unbind(dim) for _, leaf in leaves(tree)]
    return [_filled(tree, column) for column in zip(*columns, strict=True)]


def select(rows: Tensor, new: T, old: T) -> T:
    """The rows of `new` where `rows` (B) is true, else those of `old`; what is `Shared` is the same in both.

    >>> select(torch.tensor([True, False]), torch.ones(2, 1), torch.zeros(2, 1)).tolist()
    [[1.0], [0.0]]
    """
    if isinstance(new, Shared):
        return new
    if isinstance(new, tuple | list):
        branches = zip(new, cast(Any, old), strict=True)
        return cast(T, _like(new, [select(rows, *branch) for branch in branches]))
    return map(lambda a, b: torch.where(rows.view(-1, *[1] * (a.dim() - 1)), a, b), new, old)


def take(tree: T, rows: Tensor, groups: Tensor | None = None) -> T:
    """The tree with rows chosen (and repeated) by index: the reordering rule of every search.

    What is `Shared` is taken by `groups`, or stays as it is where the groups do.

    >>> state = (torch.tensor([[1], [2]]), Shared(torch.tensor([[3]])))
    >>> [leaf.tolist() for _, leaf in leaves(take(state, torch.tensor([1, 1])))]
    [[[2], [2]], [[3]]]
    """
    if isinstance(tree, Shared):
        return tree if groups is None else map(lambda tensor: tensor.index_select(0, groups), tree)
    if isinstance(tree, tuple | list):
        return cast(T, _like(tree, [take(branch, rows, groups) for branch in tree]))
    return map(lambda tensor: tensor.index_select(0, rows), tree)


def detach(tree: T) -> T:
    """The same values, cut off from what computed them: where truncated back-propagation truncates."""
    return map(Tensor.detach, tree)


def _filled(tree: T, tensors: Iterable[Tensor]) -> T:
    """The tree of the same shape with these tensors, in the order of `leaves`."""
    ordered = iter(tensors)
    return map(lambda _: next(ordered), tree)


def _like(tree: Any, parts: list[Any]) -> Any:
    return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
