"""Parts of models that several recipes make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughtime.errors import ArgumentError
from throughtime.recipes.cells import CellName, make_cell

if TYPE_CHECKING:
    import torch

    from throughtime.layers import Core


def device_of(name: str) -> torch.device:
    """The device of a name; auto is the GPU where there is one. Raises `ArgumentError` for a GPU that is not there."""
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise ArgumentError("device 'cuda' is not there: torch finds no GPU; use --device cpu")
    return torch.device(name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu")


def both_ways(cell: CellName, width: int, hidden: int, layers: int, *, dropout: float = 0.0) -> Core[Any]:
    """A stack of layers, each of which reads from both ends."""
    from throughtime.layers import Bidirectional, Stack

    widths = [width] + [2 * hidden] * (layers - 1)
    return Stack(
        [Bidirectional(make_cell(cell, w, hidden), make_cell(cell, w, hidden)) for w in widths], dropout=dropout
    )


def one_way(cell: CellName, width: int, hidden: int, layers: int, *, dropout: float = 0.0) -> Core[Any]:
    """A stack of layers that read forward."""
    from throughtime.layers import Recurrent, Stack

    widths = [width] + [hidden] * (layers - 1)
    return Stack([Recurrent(make_cell(cell, w, hidden)) for w in widths], dropout=dropout)
