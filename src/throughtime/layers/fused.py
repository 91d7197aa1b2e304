"""torch's own fused recurrences, for the cells that are torch's: one call for all steps.

Equal in values and gradients to the plain loop, and faster than it; `fits` says when they apply.
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from throughtime.cells import GRU, LSTM, CellState, Elman, HiddenState
from throughtime.padded import Padded

MANY = 8  # rows
WIDE, WIDE_MANY = 256, 128  # units from which oneDNN's LSTM is the faster one, on few rows and on many


def wins(cell: Any, inputs: Padded) -> bool:
    """Whether torch's recurrence fits and is the fastest there is.

    On the CPU only torch's LSTM is, when it is wide, in float32, on rows of one length: it runs at the rate of the
    machine's own matrix product (oneDNN). On other devices, or for other types of numbers, there is no compiled sweep.
    """
    if not fits(cell, inputs):
        return False
    data = inputs.data
    if data.device.type != "cpu" or data.dtype not in (torch.float32, torch.float64):
        return True
    wide = WIDE_MANY if len(data) >= MANY else WIDE
    return type(cell) is LSTM and data.dtype is torch.float32 and cell.hidden >= wide and inputs.is_full


def fits(cell: Any, inputs: Padded) -> bool:
    """Whether torch has this very cell, with nothing drawn at random inside it, and every row has a step."""
    if type(cell) not in (LSTM, GRU, Elman) or (type(cell) is GRU and cell.reset == "before"):
        return False
    if cell.training and cell.recurrent_dropout:
        return False
    return inputs.data.numel() > 0 and int(inputs.lengths.min()) > 0


def run(cell: Any, inputs: Padded, state: Any, reverse: bool) -> tuple[Padded, Any]:
    """What `scan` gives, by torch's fused recurrence. Rows of unequal lengths go through torch's packing."""
    if reverse:
        inputs = inputs.flip()
    if inputs.is_full:
        data, state = _call(cell, (inputs.data,), state)
    else:
        packed = pack_padded_sequence(inputs.data, inputs.lengths, batch_first=True, enforce_sorted=False)
        order, back = packed.sorted_indices, packed.unsorted_indices
        state = type(state)(*(part[order] for part in state))
        data, state = _call(cell, (packed.data, packed.batch_sizes), state)
        state = type(state)(*(part[back] for part in state))
        data, _ = pad_packed_sequence(packed._replace(data=data), batch_first=True, total_length=inputs.steps)
    outputs = inputs.replace(data)
    return outputs.flip() if reverse else outputs, state


def _call(cell: Any, inputs: tuple[Tensor, ...], state: Any) -> tuple[Tensor, Any]:
    """One layer, one direction; torch's states carry a leading axis of layers."""
    weights = [cell.weight_ih, cell.weight_hh]
    if cell.bias_ih is not None:
        weights += [cell.bias_ih, cell.bias_hh]
    has_biases, batch_first = cell.bias_ih is not None, (True,) if len(inputs) == 1 else ()
    rest: Any = (weights, has_biases, 1, 0.0, cell.training, False, *batch_first)
    if isinstance(cell, LSTM):
        h_0, c_0 = (part[None].contiguous() for part in cast(CellState, state))
        lstm: Any = torch.lstm
        y, h, c = lstm(*inputs, (h_0, c_0), *rest)
        return y, CellState(h[0], c[0])
    if isinstance(cell, GRU):
        function: Any = torch.gru
    else:
        function = torch.rnn_tanh if cell.nonlinearity == "tanh" else torch.rnn_relu
    y, h = function(*inputs, cast(HiddenState, state).hidden[None].contiguous(), *rest)
    return y, HiddenState(h[0])
