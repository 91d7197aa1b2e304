from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from throughtime import tree

ROWS = 3


class Pair(NamedTuple):
    left: Any
    right: Any


def tensors(dtype: torch.dtype = torch.float64) -> st.SearchStrategy[Tensor]:
    shapes = st.lists(st.integers(0, 3), max_size=2)
    return st.builds(lambda shape: torch.randn(ROWS, *shape).to(dtype), shapes)


def trees(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """States with at least one tensor in them, somewhere."""
    branches = st.recursive(
        leaf | st.none(), lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.builds(Pair, inner, inner)
    )
    return st.builds(Pair, branches, leaf)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if a is None:
        return b is None
    return type(a) is type(b) and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))


@given(trees(tensors()))
def test_map_keeps_the_shape_of_the_tree(state):
    doubled = tree.map(lambda a, b: a + b, state, state)
    assert same(tree.map(lambda a: a / 2, doubled), state)
    assert [name for name, _ in tree.leaves(doubled)] == [name for name, _ in tree.leaves(state)]


@given(trees(tensors()))
def test_restore_is_the_reverse_of_leaves(state):
    blank = tree.map(torch.zeros_like, state)
    assert same(tree.restore(blank, dict(tree.leaves(state, "s")), "s"), state)


@given(trees(tensors()))
def test_leaves_have_names_of_their_own(state):
    names = [name for name, _ in tree.leaves(state, "state")]
    assert len(set(names)) == len(names)
    assert all(name.startswith("state.") for name in names)


def test_leaves_are_named_by_field_and_by_place():
    state = Pair(torch.zeros(1), [None, (torch.ones(1),)])
    assert [name for name, _ in tree.leaves(state)] == ["left", "right.1.0"]


def test_restore_takes_the_type_of_what_it_restores():
    state = (torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.int64))
    restored = tree.restore(state, {"0": torch.ones(2), "1": torch.ones(2)})
    assert [leaf.dtype for leaf in restored] == [torch.float64, torch.int64]


@given(trees(tensors()), st.integers(1, 4), st.integers(0, 1))
def test_unbind_is_the_reverse_of_stack(state, count, dim):
    parts = [tree.map(lambda leaf, k=k: leaf + k, state) for k in range(count)]
    apart = tree.unbind(tree.stack(parts, dim), dim)
    assert len(apart) == count
    assert all(same(part, whole) for part, whole in zip(apart, parts, strict=True))


@given(trees(tensors()), st.lists(st.booleans(), min_size=ROWS, max_size=ROWS))
def test_select_takes_each_row_whole_from_one_of_two(state, rows):
    new = tree.map(lambda leaf: leaf + 1, state)
    chosen = tree.select(torch.tensor(rows), new, state)
    for row, is_new in enumerate(rows):
        wanted = new if is_new else state
        assert same(tree.map(lambda leaf, r=row: leaf[r], chosen), tree.map(lambda leaf, r=row: leaf[r], wanted))


@given(trees(tensors()), st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=5))
def test_take_chooses_and_repeats_rows(state, rows):
    assert same(tree.take(state, torch.tensor(rows)), tree.map(lambda leaf: leaf[rows], state))


def test_detach_keeps_values_and_cuts_what_computed_them():
    weight = torch.ones(2, requires_grad=True)
    state = Pair(weight * 3, None)
    cut = tree.detach(state)
    assert state.left.requires_grad
    assert not cut.left.requires_grad
    assert same(cut.left, torch.full((2,), 3.0))


@pytest.mark.parametrize("state", [{"h": torch.zeros(1)}, 3, "hidden"])
def test_what_is_no_state_is_refused_by_its_type(state):
    with pytest.raises(TypeError, match=f"made of tensors, tuples, lists and None; got {type(state).__name__}"):
        tree.map(torch.clone, state)


def test_trees_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"argument 2 is shorter"):
        tree.map(torch.add, (torch.zeros(1), torch.zeros(1)), (torch.zeros(1),))


def test_what_is_shared_is_taken_by_group_and_never_chosen_between():
    rows, source = torch.arange(4.0)[:, None], torch.arange(2.0)[:, None]
    state = (rows, [tree.Shared(Pair(source, None))])
    kept = tree.take(state, torch.tensor([3, 3, 0, 1]))
    assert kept[0].flatten().tolist() == [3, 3, 0, 1]
    assert kept[1][0].content.left is source
    fewer = tree.take(state, torch.tensor([2, 3]), torch.tensor([1]))
    assert fewer[0].flatten().tolist() == [2, 3]
    assert fewer[1][0].content.left.flatten().tolist() == [1]
    assert fewer[1][0].content.right is None
    chosen = tree.select(torch.tensor([True, False, True, False]), state, (rows + 10, state[1]))
    assert chosen[0].flatten().tolist() == [0, 11, 2, 13]
    assert chosen[1][0].content.left is source
