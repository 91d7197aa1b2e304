"""The LSTM with a time gate, for events at irregular times."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from throughtime.cells.cell import (
    check_rate,
    gate_weights,
    open_gate,
    projected,
    seen,
)
from throughtime.errors import ArgumentError


class PhasedState(NamedTuple):
    """An LSTM's state and how many steps it has seen."""

    hidden: Tensor  # B H
    cell: Tensor  # B H
    time: Tensor  # B   float64, so that counting steps stays exact for years


class PhasedProjected(NamedTuple):
    """The gates' input products, the time stamps if the input has them, recurrent dropout's mask."""

    gates: Tensor  # B T 4H
    times: Tensor | None  # B T   float64
    keep: Tensor | None  # B T H


class PhasedLSTM(nn.Module):
    """An LSTM each of whose units is open for a part of its own period and holds its state for the rest.

    Formula, with c̃, h̃ what an LSTM makes of c, h and x:
        φ = ((t − s) mod τ) / τ
        k = 2φ/ρ  where φ < ρ/2;   2 − 2φ/ρ  where ρ/2 ≤ φ < ρ;   αφ  elsewhere
        c' = k c̃ + (1 − k) c
        h' = k h̃ + (1 − k) h

    Shapes: as LSTM (gates i f g o); period τ and shift s are H each, learned.

    Units: t, τ and s are in steps, 0, 1, 2, ... counted in the state, with times="steps"; with times="input"
    the last of the `width` features of x is t, in any unit one likes, `log_period` and the shift with it.

    Source: Neil, Pfeiffer and Liu (2016), "Phased LSTM", equations 6-10. The open ratio ρ is a constant, the
    leak α applies in training only, and the inner LSTM has no peepholes.

    >>> cell = PhasedLSTM(3, 4, times="input")
    >>> y, state = cell.step(PhasedProjected(torch.zeros(2, 16), torch.rand(2).double(), None), cell.initial(2))
    >>> y.shape
    torch.Size([2, 4])
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        times: Literal["steps", "input"] = "steps",
        log_period: tuple[float, float] = (1.0, 4.0),
        open_ratio: float = 0.05,
        leak: float = 0.001,
        bias: bool = True,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if times not in ("steps", "input"):
            raise ArgumentError(f"times must be 'steps' or 'input'; got {times!r}")
        if times == "input" and width < 2:
            raise ArgumentError(f"width counts the time stamp, so times='input' needs at least 2; got {width}")
        if not 0 < open_ratio <= 1:
            raise ArgumentError(f"open_ratio must be in (0, 1]; got {open_ratio}")
        self.width, self.hidden = width, hidden
        self.recurrent_dropout = check_rate("recurrent_dropout", recurrent_dropout)
        self.times: Literal["steps", "input"] = times
        self.open_ratio, self.leak = open_ratio, leak
        features = width - 1 if times == "input" else width
        gates = gate_weights(4, features, hidden, bias)
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = gates
        open_gate(self.bias_ih, 1, hidden)
        period = torch.empty(hidden).uniform_(*log_period).exp()
        self.period = nn.Parameter(period)
        self.shift = nn.Parameter(torch.rand(hidden) * period)

    def initial(self, batch: int) -> PhasedState:
        """Zeros, at step 0."""
        zeros = self.weight_hh.new_zeros(batch, self.hidden)
        return PhasedState(zeros, zeros, zeros.new_zeros(batch, dtype=torch.float64))

    def project(self, x: Float[Tensor, "B T D"]) -> PhasedProjected:
        """W_ih x + b_ih, and the time stamps."""
        times = None
        if self.times == "input":
            x, times = x[..., :-1], x[..., -1].double()
        gates, keep = projected(self, linear(x, self.weight_ih, self.bias_ih))
        return PhasedProjected(gates, times, keep)

    def openness(self, t: Float[Tensor, " B"]) -> Float[Tensor, "B H"]:
        """The time gate k at the times t."""
        phase = torch.remainder(t[:, None] - self.shift.double(), self.period.double()) / self.period.double()
        phase = phase.to(self.period.dtype)
        rising, ratio = 2 * phase / self.open_ratio, self.open_ratio
        closed = self.leak * phase if self.training else torch.zeros_like(phase)
        return torch.where(phase < ratio / 2, rising, torch.where(phase < ratio, 2 - rising, closed))

    def step(self, z: PhasedProjected, state: PhasedState) -> tuple[Float[Tensor, "B H"], PhasedState]:
        """The equations above."""
        gates = z.gates + linear(seen(state.hidden, z.keep), self.weight_hh, self.bias_hh)
        i, f, g, o = gates.chunk(4, -1)
        c = torch.sigmoid(f) * state.cell + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        k = self.openness(state.time if z.times is None else z.times)
        c = k * c + (1 - k) * state.cell
        h = k * h + (1 - k) * state.hidden
        return h, PhasedState(h, c, state.time + 1)
