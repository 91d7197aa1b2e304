"""What the tests of sweeps share: users' cells made of one function, and the comparison with the plain loop."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from throughtime import tree
from throughtime.kernels.run import PlainLoopWarning, swept
from throughtime.layers.scan import fold
from throughtime.padded import Padded

DOUBLE = torch.float64


class State(NamedTuple):
    hidden: Tensor


def weights() -> dict[str, nn.Parameter]:
    """A recurrence of four units on three inputs; `recurrence` is what is made of it."""
    chance = torch.Generator().manual_seed(5)
    shapes = {"inner": (4, 4), "outer": (4, 3), "bias": (4,)}
    return {
        name: nn.Parameter(0.5 * torch.randn(shape, generator=chance, dtype=DOUBLE)) for name, shape in shapes.items()
    }


def recurrence(cell: Any, z: Tensor, state: Any) -> Tensor:
    return z @ cell.outer.t() + state.hidden @ cell.inner.t() + cell.bias


def made(
    step: Callable[..., tuple[Tensor, Any]],
    parameters: dict[str, nn.Parameter] | None = None,
    *,
    initial: Callable[..., Any] | None = None,
    project: Callable[..., Any] | None = None,
    width: int = 3,
    hidden: int = 4,
    **attributes: Any,
) -> Any:
    """A user's cell: what `step(cell, z, state)` does, with these weights (those of `recurrence`) and attributes."""

    class Made(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.width, self.hidden = width, hidden
            for name, value in {**(weights() if parameters is None else parameters), **attributes}.items():
                setattr(self, name, value)

        def initial(self, batch: int) -> Any:
            return State(torch.zeros(batch, hidden, dtype=DOUBLE)) if initial is None else initial(self, batch)

        def project(self, x: Tensor) -> Any:
            return x if project is None else project(self, x)

        def step(self, z: Any, state: Any) -> tuple[Tensor, Any]:
            return step(self, z, state)

    Made.__name__ = getattr(step, "__name__", "step").strip("<>").title().replace("_", "")
    return Made()


def drawn(shape: Sequence[int], seed: int = 0, dtype: torch.dtype = DOUBLE) -> Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed), dtype=dtype)


def batch_for(cell: Any, lengths: Sequence[int] = (5, 2, 0, 4), dtype: torch.dtype = DOUBLE, steps: int = 0) -> Padded:
    steps = steps or max(lengths)
    return Padded(drawn((len(lengths), steps, cell.width), 1, dtype), torch.tensor(lengths)).zeroed()


def state_for(cell: Any, batch: int) -> Any:
    """A state in mid-course."""
    chance = torch.Generator().manual_seed(2)

    def moved(leaf: Tensor) -> Tensor:
        noise = torch.randn(leaf.shape, generator=chance, dtype=DOUBLE)
        return leaf + noise.to(leaf.dtype) if leaf.is_floating_point() else leaf.clone()

    with torch.no_grad():
        return tree.map(moved, cell.initial(batch))


def plain(cell: Any, inputs: Padded, state: Any, **how: Any) -> tuple[Tensor, Any]:
    outputs, final = fold(cell, inputs, state, **how)
    return outputs.data, final


def sweep(cell: Any, inputs: Padded, state: Any, **how: Any) -> tuple[Tensor, Any]:
    """The sweep, or an error: where the plain loop would run, nothing would be tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", PlainLoopWarning)
        done = swept(cell, inputs, state, **how)
    assert done is not None, "the plain loop would run"
    return done


class Found(NamedTuple):
    """All that a path gives."""

    output: Tensor
    final: Any
    gradients: tuple[Tensor, ...]  # of the inputs, the floating-point leaves of the state, the weights


def weighted(result: Any) -> Tensor:
    """A number in which every output has a weight of its own."""
    parts = [leaf.flatten().double() for _, leaf in tree.leaves(result) if leaf.is_floating_point()]
    flat = torch.cat(parts)
    return (flat * torch.linspace(0.5, 1.5, len(flat), dtype=DOUBLE)).sum()


def found(
    path: Callable[..., tuple[Tensor, Any]],
    cell: Any,
    inputs: Padded,
    state: Any,
    *,
    loss: Callable[[Any], Tensor] = weighted,
    wanted: Sequence[str] = ("inputs", "state", "weights"),
    seed: int | None = None,
    **how: Any,
) -> Found:
    """What a path gives, with the gradients of `wanted`. Tensors keep their strides."""
    x, before = inputs.data.detach(), tree.detach(state)
    x = x.requires_grad_("inputs" in wanted)
    if "state" in wanted:
        before = tree.map(lambda leaf: leaf.requires_grad_() if leaf.is_floating_point() else leaf, before)
    asked = [x, *(leaf for _, leaf in tree.leaves(before)), *(cell.parameters() if "weights" in wanted else ())]
    asked = [tensor for tensor in asked if tensor.requires_grad]
    if seed is not None:
        torch.manual_seed(seed)
    output, final = path(cell, inputs.replace(x), before, **how)
    number = loss((output, final))
    gradients = torch.autograd.grad(number, asked, allow_unused=True) if number.requires_grad else [None] * len(asked)
    zeros = [torch.zeros_like(t) if g is None else g for t, g in zip(asked, gradients, strict=True)]
    return Found(output.detach(), tree.detach(final), tuple(zeros))


def distance(ours: Any, theirs: Any) -> float:
    """The largest difference of two trees of tensors, relative to the largest number of its tensor."""
    a, b = list(tree.leaves(ours, "it")), list(tree.leaves(theirs, "it"))
    assert [name for name, _ in a] == [name for name, _ in b]
    far = 0.0
    for (name, one), (_, other) in zip(a, b, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype), name
        x, y = one.detach().double(), other.detach().double()
        assert torch.equal(x.isnan(), y.isnan()), f"{name}: NaN"
        gap, size = torch.where((x == y) | x.isnan(), 0, x - y), torch.nan_to_num(y, 0, 0, 0)
        if x.numel():
            far = max(far, float(gap.abs().max() / (1 + size.abs().max())))
    return far


def agree(cell: Any, inputs: Padded | None = None, state: Any = None, *, tolerance: float = 1e-10, **how: Any) -> Found:
    """Asserts that the sweep gives what the plain loop gives, gradients too."""
    inputs = batch_for(cell) if inputs is None else inputs
    state = state_for(cell, len(inputs.lengths)) if state is None else state
    ours = found(sweep, cell, inputs, state, **how)
    how.pop("recompute", None)
    assert distance(ours, found(plain, cell, inputs, state, **how)) <= tolerance
    return ours


def bits(ours: Any, theirs: Any) -> bool:
    """Whether two trees hold the same bits."""
    pairs = zip(tree.leaves(ours), tree.leaves(theirs), strict=True)
    return all(torch.equal(a, b) for (_, a), (_, b) in pairs)
