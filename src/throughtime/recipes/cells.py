"""The cells that recipes know by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from throughtime.cells import Cell

CellName = Literal[
    "lstm",
    "gru",
    "gru-reset-before",
    "gru-simplified",
    "elman",
    "elman-relu",
    "irnn",
    "lstm-peephole",
    "lstm-coupled",
    "lstm-phased",
    "lstm-layernorm",
    "gru-layernorm",
]


def make_cell(
    name: CellName, width: int, hidden: int, *, recurrent_dropout: float = 0.0, zoneout: float = 0.0
) -> Cell[Any]:
    """A new cell by the name that recipes use.

    >>> make_cell("gru-reset-before", 3, 4).reset
    'before'
    """
    from throughtime import cells

    options: dict[CellName, tuple[Any, dict[str, Any]]] = {
        "lstm": (cells.LSTM, {}),
        "gru": (cells.GRU, {}),
        "gru-reset-before": (cells.GRU, {"reset": "before"}),
        "gru-simplified": (cells.SimplifiedGRU, {}),
        "elman": (cells.Elman, {}),
        "elman-relu": (cells.Elman, {"nonlinearity": "relu"}),
        "irnn": (cells.irnn, {}),
        "lstm-peephole": (cells.PeepholeLSTM, {}),
        "lstm-coupled": (cells.CoupledLSTM, {}),
        "lstm-phased": (cells.PhasedLSTM, {}),
        "lstm-layernorm": (cells.LayerNormLSTM, {}),
        "gru-layernorm": (cells.LayerNormGRU, {}),
    }
    make, variant = options[name]
    cell: Cell[Any] = make(width, hidden, recurrent_dropout=recurrent_dropout, **variant)
    return cells.Zoneout(cell, hidden=zoneout) if zoneout else cell
