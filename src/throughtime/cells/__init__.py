"""Cells: one a file, each the equations of one step."""

from throughtime.cells.cell import Cell, CellState, HiddenState, Projected
from throughtime.cells.coupled import CoupledLSTM
from throughtime.cells.elman import Elman, irnn
from throughtime.cells.gru import GRU, SimplifiedGRU
from throughtime.cells.layernorm import LayerNormGRU, LayerNormLSTM
from throughtime.cells.lstm import LSTM
from throughtime.cells.peephole import PeepholeLSTM
from throughtime.cells.phased import PhasedLSTM, PhasedState
from throughtime.cells.recorded import Recorded
from throughtime.cells.unshared import UnsharedElman
from throughtime.cells.zoneout import Zoneout

__all__ = [
    "GRU",
    "LSTM",
    "Cell",
    "CellState",
    "CoupledLSTM",
    "Elman",
    "HiddenState",
    "LayerNormGRU",
    "LayerNormLSTM",
    "PeepholeLSTM",
    "PhasedLSTM",
    "PhasedState",
    "Projected",
    "Recorded",
    "SimplifiedGRU",
    "UnsharedElman",
    "Zoneout",
    "irnn",
]
