"""scan: the one verb. Folds a cell over time, from a state to a state."""

from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from throughtime import tree
from throughtime.cells.cell import Cell
from throughtime.errors import ArgumentError
from throughtime.kernels.run import swept
from throughtime.layers import fused
from throughtime.layers.stream import Stream
from throughtime.padded import Padded

S = TypeVar("S")

SMALL = 1024  # units over all rows and steps, below which a sweep is not worth its compilation


@runtime_checkable
class Core(Protocol[S]):
    """Anything with the call of `scan`: recurrent layers, stacks of them, windows, attention.

    `forward` reads whole sequences, `step` one item of each row; both hand the state on, and reading a sequence
    step by step gives what reading it whole gives. A core that is not `causal` needs the whole sequence and
    refuses `step`.
    """

    width: int  # of the inputs
    hidden: int  # of the outputs
    causal: bool  # whether an output depends on inputs up to its own step alone

    def initial(self, batch: int) -> S:
        """The state before the first step."""
        ...

    def __call__(self, inputs: Padded, state: S | None = None, resets: Tensor | None = None) -> tuple[Padded, S]:
        """All steps: inputs B T D to outputs B T H and the state after each row's last step."""
        ...

    def step(self, x: Tensor, state: S) -> tuple[Tensor, S]:
        """One step: x B D to an output B H and the state after it."""
        ...


def scan(
    cell: Cell[S],
    inputs: Padded,
    state: S | None = None,
    *,
    reverse: bool = False,
    resets: Bool[Tensor, "B T"] | None = None,
    recompute: bool = False,
) -> tuple[Padded, S]:
    """The outputs (B T H) and the state after each row's last step.

    A row whose length is over keeps its state, and its outputs are zero. `reverse` folds from each row's last
    step to its first; outputs stay where their inputs stand. `resets` marks steps before which a row's state
    starts anew; marks in the padding mean nothing. `recompute` keeps only some states for the gradient and works
    out the rest again: less memory, more time.

    The path is the fastest that fits: torch's own recurrence where it is the faster one, else the cell's compiled
    sweep, else (for a few hundred units, or a step that cannot be compiled) the plain loop; they are equal in values
    and gradients.

    Raises `ArgumentError` when the inputs, the state or the resets do not fit.

    >>> from throughtime.cells import GRU
    >>> outputs, state = scan(GRU(3, 4), Padded.of([torch.ones(5, 3), torch.ones(2, 3)]))
    >>> outputs.data.shape, outputs.lengths.tolist(), state.hidden.shape
    (torch.Size([2, 5, 4]), [5, 2], torch.Size([2, 4]))
    """
    _check(cell, inputs, resets)
    if state is None:
        state = cell.initial(len(inputs.data))
    if resets is None and not recompute and not torch.compiler.is_compiling() and fused.wins(cell, inputs):
        return fused.run(cell, inputs, state, reverse)
    done = None
    if inputs.data.shape[:2].numel() * cell.hidden >= SMALL:
        done = swept(cell, inputs, state, reverse=reverse, resets=resets, recompute=recompute)
    if done is None:
        return fold(cell, inputs, state, reverse=reverse, resets=resets)
    output, state = done
    return inputs.replace(output), state


def _check(cell: Cell[Any], inputs: Padded, resets: Tensor | None) -> None:
    """Refuses what does not fit before anything runs."""
    data = inputs.data
    if data.dim() != 3 or data.shape[2] != cell.width:
        raise ArgumentError(
            f"inputs {tuple(data.shape)} do not fit {type(cell).__name__}: inputs is B T D with D = {cell.width}"
        )
    if resets is not None and resets.shape != data.shape[:2]:
        raise ArgumentError(f"resets {tuple(resets.shape)} do not fit inputs {tuple(data.shape)}: resets is B T")
    if resets is not None and resets.dtype != torch.bool:
        raise ArgumentError(f"resets are {resets.dtype}: they are marks, torch.bool")
    if resets is not None and resets.device != data.device:
        raise ArgumentError(f"resets are on {resets.device} and the inputs on {data.device}: move one to the other")


def fold(
    cell: Cell[S],
    inputs: Padded,
    state: S,
    *,
    reverse: bool = False,
    resets: Bool[Tensor, "B T"] | None = None,
) -> tuple[Padded, S]:
    """`scan` as a plain loop over `cell.step`: what every faster path is held to."""
    batch, steps = inputs.data.shape[:2]
    z = tree.unbind(cell.project(inputs.data), 1) if steps else []
    shortest, longest = (int(inputs.lengths.min()), int(inputs.lengths.max())) if batch else (0, 0)
    lengths = inputs.lengths.to(inputs.data.device)
    if resets is not None:
        resets = resets & inputs.mask
    resetting = resets.any(0).tolist() if resets is not None else [False] * steps
    outputs: list[Tensor] = []
    for t in reversed(range(longest)) if reverse else range(longest):
        if resets is not None and resetting[t]:
            state = tree.select(resets[:, t], cell.initial(batch), state)
        y, new = cell.step(z[t], state)
        if t >= shortest:
            alive = t < lengths
            y, new = y * alive[:, None], tree.select(alive, new, state)
        outputs.append(y)
        state = new
    if reverse:
        outputs.reverse()
    if not outputs:
        width = cell.step(z[0], state)[0].shape[-1] if z and batch else cell.hidden
        return inputs.replace(inputs.data.new_zeros(batch, steps, width)), state
    data = torch.stack(outputs, 1)
    return inputs.replace(nn.functional.pad(data, (0, 0, 0, steps - longest))), state


class Recurrent(nn.Module):
    """One cell, scanned: the simplest core. `reverse` and `recompute` are `scan`'s.

    >>> from throughtime.cells import LSTM
    >>> outputs, state = Recurrent(LSTM(3, 4))(Padded.full(torch.zeros(2, 5, 3)))
    >>> outputs.data.shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, cell: Cell[Any], *, reverse: bool = False, recompute: bool = False) -> None:
        super().__init__()
        self.cell, self.reverse, self.recompute = cell, reverse, recompute
        self.width, self.hidden, self.causal = cell.width, cell.hidden, not reverse

    def initial(self, batch: int) -> Any:
        """The cell's."""
        return self.cell.initial(batch)

    def forward(self, inputs: Padded, state: Any = None, resets: Tensor | None = None) -> tuple[Padded, Any]:
        """`scan` over the cell."""
        return scan(self.cell, inputs, state, reverse=self.reverse, resets=resets, recompute=self.recompute)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One step of the cell, on x (B D), in whichever direction the caller walks."""
        z = tree.map(lambda tensor: tensor[:, 0], self.cell.project(x[:, None]))
        return self.cell.step(z, state)

    def stream(self, batch: int = 1, state: Any = None) -> Stream[Any]:
        """This core at work on sequences that never end, one item of each row at a time."""
        return Stream(self, batch, state)
