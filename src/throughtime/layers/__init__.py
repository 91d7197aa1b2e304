"""Layers: scan and the cores that are built on it."""

from throughtime.layers.bidirectional import Bidirectional, BothStates
from throughtime.layers.check import check_cell, check_core
from throughtime.layers.convolve import Convolution, Direct, NoState
from throughtime.layers.dropout import VariationalDropout
from throughtime.layers.pool import AttentivePool, LastPool, MaximumPool, MeanPool
from throughtime.layers.scan import Core, Recurrent, fold, scan
from throughtime.layers.stack import Stack
from throughtime.layers.stream import Stream
from throughtime.layers.torch_weights import from_torch, to_torch
from throughtime.layers.window import Window, WindowState

__all__ = [
    "AttentivePool",
    "Bidirectional",
    "BothStates",
    "Convolution",
    "Core",
    "Direct",
    "LastPool",
    "MaximumPool",
    "MeanPool",
    "NoState",
    "Recurrent",
    "Stack",
    "Stream",
    "VariationalDropout",
    "Window",
    "WindowState",
    "check_cell",
    "check_core",
    "fold",
    "from_torch",
    "scan",
    "to_torch",
]
