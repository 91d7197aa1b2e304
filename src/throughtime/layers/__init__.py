"""Layers: scan, the cores that have the same call, and what looks at a source."""

from throughtime.layers.attend import Attend, Memory
from throughtime.layers.attentive import Attentive, AttentiveState, Seen
from throughtime.layers.bidirectional import Bidirectional, BothStates
from throughtime.layers.bridge import Bridge
from throughtime.layers.check import check_cell, check_core
from throughtime.layers.convolve import Convolution, Direct, NoState
from throughtime.layers.dropout import VariationalDropout
from throughtime.layers.hard import Hard, Reinforced
from throughtime.layers.pool import AttentivePool, LastPool, MaximumPool, MeanPool
from throughtime.layers.scan import Core, Recurrent, fold, scan
from throughtime.layers.scores import Additive, Cosine, Dot, General, ScaledDot, Score
from throughtime.layers.stack import Stack
from throughtime.layers.stream import Stream
from throughtime.layers.torch_weights import from_torch, to_torch
from throughtime.layers.transformer import Cache, CausalTransformer, TransformerEncoder
from throughtime.layers.transformer_decoder import DecoderState, TransformerDecoder
from throughtime.layers.transformer_layer import Design
from throughtime.layers.where import Global, Local, LocalPredicted, Weights, Where
from throughtime.layers.window import Window, WindowState

__all__ = [
    "Additive",
    "Attend",
    "Attentive",
    "AttentivePool",
    "AttentiveState",
    "Bidirectional",
    "BothStates",
    "Bridge",
    "Cache",
    "CausalTransformer",
    "Convolution",
    "Core",
    "Cosine",
    "DecoderState",
    "Design",
    "Direct",
    "Dot",
    "General",
    "Global",
    "Hard",
    "LastPool",
    "Local",
    "LocalPredicted",
    "MaximumPool",
    "MeanPool",
    "Memory",
    "NoState",
    "Recurrent",
    "Reinforced",
    "ScaledDot",
    "Score",
    "Seen",
    "Stack",
    "Stream",
    "TransformerDecoder",
    "TransformerEncoder",
    "VariationalDropout",
    "Weights",
    "Where",
    "Window",
    "WindowState",
    "check_cell",
    "check_core",
    "fold",
    "from_torch",
    "scan",
    "to_torch",
]
