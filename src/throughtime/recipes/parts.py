"""Parts of models that several recipes make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughtime.errors import ArgumentError
from throughtime.recipes.cells import CellName, make_cell

if TYPE_CHECKING:
    import torch

    from throughtime.layers import Core
    from throughtime.layers.positions import PositionName


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


def self_attention(
    width: int, hidden: int, layers: int, heads: int, positions: PositionName, dropout: float
) -> Core[Any]:
    """Self-attention over a whole sequence."""
    from throughtime.layers import TransformerEncoder

    return TransformerEncoder(width, hidden, layers, heads, positions=positions, dropout=dropout)


def check_attention(recipe: Any) -> None:
    """Raises `ValueError` for settings of self-attention given of other cores, and what a pretrained run decides."""
    fields = type(recipe).model_fields
    if recipe.pretrained is not None:
        for name in ("vectors", "maximum_vocab"):
            if getattr(recipe, name) is not None:
                raise ValueError(f"{name} and pretrained exclude each other: the pretrained run has units of its own")
    elif recipe.core == "self-attention":
        if not recipe.both:
            raise ValueError("--no-both is for recurrent cores; got --core self-attention")
        check_heads(recipe.hidden, recipe.heads, recipe.positions)
    else:
        for name in ("heads", "positions"):
            if getattr(recipe, name) != fields[name].default:
                raise ValueError(f"{name} is for --core self-attention; got --core {recipe.core}")


def check_heads(hidden: int, heads: int, positions: str) -> None:
    """Raises `ValueError` where the units of a layer do not part into heads, or not into those that can be turned."""
    if hidden % heads:
        raise ValueError(f"heads must divide hidden; got {heads} and {hidden}")
    if positions == "rotary" and hidden // heads % 2:
        raise ValueError(
            f"rotary positions need an even number of units a head; got hidden {hidden} and {heads} heads, "
            f"which are {hidden // heads}"
        )
