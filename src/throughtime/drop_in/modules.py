"""The modules: torch.nn's, with another forward."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.utils.rnn import PackedSequence

from throughtime.cells import CellState, HiddenState
from throughtime.drop_in.sequences import Dense, Packed, fit
from throughtime.drop_in.sweeps import Recurrence, Sizes, Sweep, lend, sweeps_of
from throughtime.layers.scan import scan
from throughtime.padded import Padded


class RNN(nn.RNN):
    """torch.nn.RNN, swept: equations, layouts, arguments, names of weights and errors are torch.nn.RNN's.

    >>> module = RNN(3, 4, num_layers=2, nonlinearity="relu")
    >>> module
    RNN(3, 4, num_layers=2)
    >>> outputs, h_n = module(torch.zeros(5, 2, 3))
    >>> outputs.shape, h_n.shape
    (torch.Size([5, 2, 4]), torch.Size([2, 2, 4]))
    """

    def forward(self, input: Any, hx: Any = None) -> Any:
        """As torch.nn.RNN: input (T B D, B T D, T D or a PackedSequence) and hx to the outputs and h_n."""
        swept = _swept(self, input, hx)
        return super().forward(input, hx) if swept is None else swept


class LSTM(nn.LSTM):
    """torch.nn.LSTM, swept: equations, layouts, arguments, names of weights and errors are torch.nn.LSTM's.

    >>> module = LSTM(3, 4, proj_size=2, bidirectional=True, batch_first=True)
    >>> outputs, (h_n, c_n) = module(torch.zeros(2, 5, 3))
    >>> outputs.shape, h_n.shape, c_n.shape
    (torch.Size([2, 5, 4]), torch.Size([2, 2, 2]), torch.Size([2, 2, 4]))
    >>> isinstance(module, nn.LSTM), [name for name in module.state_dict() if "reverse" not in name]
    (True, ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0', 'weight_hr_l0'])
    """

    def forward(self, input: Any, hx: Any = None) -> Any:
        """As torch.nn.LSTM: input (T B D, B T D, T D or a PackedSequence) and hx to the outputs and (h_n, c_n)."""
        swept = _swept(self, input, hx)
        return super().forward(input, hx) if swept is None else swept


class GRU(nn.GRU):
    """torch.nn.GRU, swept: equations, layouts, arguments, names of weights and errors are torch.nn.GRU's.

    >>> from torch.nn.utils.rnn import pack_sequence
    >>> outputs, h_n = GRU(3, 4)(pack_sequence([torch.zeros(5, 3), torch.zeros(2, 3)]))
    >>> outputs.batch_sizes.tolist(), h_n.shape
    ([2, 2, 1, 1, 1], torch.Size([1, 2, 4]))
    """

    def forward(self, input: Any, hx: Any = None) -> Any:
        """As torch.nn.GRU: input (T B D, B T D, T D or a PackedSequence) and hx to the outputs and h_n."""
        swept = _swept(self, input, hx)
        return super().forward(input, hx) if swept is None else swept


def _swept(module: Recurrence, input: Any, hx: Any) -> tuple[Any, Any] | None:
    """A module's outputs and states by sweeps, or None where what came is for torch's own forward."""
    if _intercepted():
        return None
    sizes = Sizes.of(module)
    layout = Packed(input) if isinstance(input, PackedSequence) else Dense(input, module.batch_first)
    if not layout.fits(sizes.width):
        return None
    states = hx if sizes.mode == "LSTM" or hx is None else (hx,)
    if states is not None and not fit(states, layout.states(sizes), layout.data.dtype):
        return None
    sweeps = sweeps_of(module, sizes)
    weights = [getattr(module, name, None) for sweep in sweeps for _, name, _ in sweep.weights]
    if not fit(weights, [shape for sweep in sweeps for _, _, shape in sweep.weights], layout.data.dtype):
        return None
    lend(module, sweeps, weights)
    states = None if states is None else [layout.enter(part) for part in states]
    rate = module.dropout if module.training else 0.0
    outputs, after = _run(sweeps, sizes.directions, layout, states, rate)
    final = tuple(layout.leave(part) for part in after)
    return layout.write(outputs), final if sizes.mode == "LSTM" else final[0]


def _run(
    sweeps: list[Sweep], directions: int, layout: Dense | Packed, states: list[Tensor] | None, rate: float
) -> tuple[Tensor, list[Tensor]]:
    """All layers: the last one's outputs (T B H, directions side by side) and all sweeps' states, stacked."""
    y, lengths, after = layout.read(), layout.lengths, []
    for first in range(0, len(sweeps), directions):
        if first and rate:
            y = layout.drop(y, rate)
        sides = []
        for place, (cell, reverse, _) in enumerate(sweeps[first : first + directions], first):
            state = None if states is None else _state(part[place] for part in states)
            outputs, state = scan(cell, Padded(y.transpose(0, 1), lengths), state, reverse=reverse)
            sides.append(outputs.data.transpose(0, 1))
            after.append(state)
        y = torch.cat(sides, -1) if directions == 2 else sides[0]
    return y, [torch.stack(parts) for parts in zip(*after, strict=True)]


def _state(parts: Iterable[Tensor]) -> HiddenState | CellState:
    hidden, *cell = parts
    return CellState(hidden, *cell) if cell else HiddenState(hidden)


def _intercepted() -> bool:
    """Whether somebody listens for torch's own operators: a tracer, a transform, a counter, autocast."""
    return (
        torch.compiler.is_compiling()
        or torch._C._is_tracing()
        or torch.is_autocast_enabled("cpu")
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack() > 0
        or forward_ad._current_level >= 0
    )
