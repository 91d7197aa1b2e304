"""Every cell against its paper's equations, written a second time in plain numpy."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from throughtime import tree
from throughtime.cells import (
    GRU,
    LSTM,
    CoupledLSTM,
    Elman,
    LayerNormGRU,
    LayerNormLSTM,
    PeepholeLSTM,
    PhasedLSTM,
    SimplifiedGRU,
    UnsharedElman,
)

Array = NDArray[np.float64]
Weights = dict[str, Array]
BATCH, STEPS, WIDTH, HIDDEN = 3, 3, 2, 5


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def gate(w: Weights, place: int, x: Array, h: Array) -> Array:
    """W_ih x + b_ih + W_hh h + b_hh of one gate, row by row."""
    block = slice(place * HIDDEN, (place + 1) * HIDDEN)
    return inner(w, place, x, "ih") + np.stack([w["weight_hh"][block] @ row + w["bias_hh"][block] for row in h])


def inner(w: Weights, place: int, x: Array, which: str) -> Array:
    block = slice(place * HIDDEN, (place + 1) * HIDDEN)
    return np.stack([w[f"weight_{which}"][block] @ row + w[f"bias_{which}"][block] for row in x])


def elman(w: Weights, x: Array, h: Array, m: Array) -> tuple[Array, ...]:
    """Elman (1990); m is Gal and Ghahramani's (2016) mask on the recurrence, here and below."""
    return (np.tanh(gate(w, 0, x, h * m)),)


def elman_relu(w: Weights, x: Array, h: Array, m: Array) -> tuple[Array, ...]:
    return (np.maximum(gate(w, 0, x, h * m), 0),)


def lstm(w: Weights, x: Array, h: Array, c: Array, m: Array) -> tuple[Array, ...]:
    """Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000)."""
    i, f, g, o = (gate(w, place, x, h * m) for place in range(4))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def peephole(w: Weights, x: Array, h: Array, c: Array, m: Array) -> tuple[Array, ...]:
    """Gers and Schmidhuber (2000): i and f look at the old cell, o at the new one."""
    i, f, g, o = (gate(w, place, x, h * m) for place in range(4))
    new = sigmoid(f + w["weight_cf"] * c) * c + sigmoid(i + w["weight_ci"] * c) * np.tanh(g)
    return sigmoid(o + w["weight_co"] * new) * np.tanh(new), new


def coupled(w: Weights, x: Array, h: Array, c: Array, m: Array) -> tuple[Array, ...]:
    """Greff et al. (2015), CIFG: i = 1 − f."""
    f, g, o = (gate(w, place, x, h * m) for place in range(3))
    c = sigmoid(f) * c + sigmoid(-f) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_after(w: Weights, x: Array, h: Array, m: Array) -> tuple[Array, ...]:
    """The reset gate after the product, as cuDNN has it."""
    r, z = sigmoid(gate(w, 0, x, h * m)), sigmoid(gate(w, 1, x, h * m))
    n = np.tanh(inner(w, 2, x, "ih") + r * inner(w, 2, h * m, "hh"))
    return (n + z * (h - n),)


def gru_before(w: Weights, x: Array, h: Array, m: Array) -> tuple[Array, ...]:
    """Cho et al. (2014), equations 5-8."""
    r, z = sigmoid(gate(w, 0, x, h * m)), sigmoid(gate(w, 1, x, h * m))
    n = np.tanh(inner(w, 2, x, "ih") + inner(w, 2, r * h * m, "hh"))
    return (z * h + (1 - z) * n,)


def simplified(w: Weights, x: Array, h: Array, m: Array) -> tuple[Array, ...]:
    z, n = sigmoid(gate(w, 0, x, h * m)), np.tanh(gate(w, 1, x, h * m))
    return (z * h + (1 - z) * n,)


def normal(a: Array, gain: Array) -> Array:
    """Ba, Kiros and Hinton (2016), equation 4, over the last axis; 1e-5 keeps the root off zero."""
    rows = []
    for row in a:
        mean = sum(row) / len(row)
        variance = sum((value - mean) ** 2 for value in row) / len(row)
        rows.append(gain * (row - mean) / math.sqrt(variance + 1e-5))
    return np.stack(rows)


def layer_norm_lstm(w: Weights, x: Array, h: Array, c: Array, m: Array) -> tuple[Array, ...]:
    """Equations 20-22."""
    a = normal(x @ w["weight_ih"].T, w["norm_ih"]) + normal(h * m @ w["weight_hh"].T, w["norm_hh"]) + w["bias"]
    i, f, g, o = np.split(a, 4, 1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(normal(c, w["norm_c"]) + w["bias_c"]), c


def layer_norm_gru(w: Weights, x: Array, h: Array, m: Array) -> tuple[Array, ...]:
    """Equations 26-28: the gates are normalised together, the candidate by itself."""
    cut = 2 * HIDDEN
    rz = (
        normal(x @ w["weight_ih"][:cut].T, w["norm_ih"][:cut])
        + normal(h * m @ w["weight_hh"][:cut].T, w["norm_hh"][:cut])
        + w["bias"][:cut]
    )
    r, z = np.split(sigmoid(rz), 2, 1)
    candidate = normal(h * m @ w["weight_hh"][cut:].T, w["norm_hh"][cut:]) + w["bias_hn"]
    n = np.tanh(normal(x @ w["weight_ih"][cut:].T, w["norm_ih"][cut:]) + w["bias"][cut:] + r * candidate)
    return (z * h + (1 - z) * n,)


FORMULAS: dict[str, tuple[Callable[..., Any], Callable[..., tuple[Array, ...]]]] = {
    "Elman": (Elman, elman),
    "Elman relu": (partial(Elman, nonlinearity="relu"), elman_relu),
    "Elman without bias": (partial(Elman, bias=False), elman),
    "LSTM": (LSTM, lstm),
    "LSTM without bias": (partial(LSTM, bias=False), lstm),
    "PeepholeLSTM": (PeepholeLSTM, peephole),
    "PeepholeLSTM without bias": (partial(PeepholeLSTM, bias=False), peephole),
    "CoupledLSTM": (CoupledLSTM, coupled),
    "CoupledLSTM without bias": (partial(CoupledLSTM, bias=False), coupled),
    "GRU": (GRU, gru_after),
    "GRU without bias": (partial(GRU, bias=False), gru_after),
    "GRU reset before": (partial(GRU, reset="before"), gru_before),
    "GRU reset before without bias": (partial(GRU, reset="before", bias=False), gru_before),
    "SimplifiedGRU": (SimplifiedGRU, simplified),
    "SimplifiedGRU without bias": (partial(SimplifiedGRU, bias=False), simplified),
    "LayerNormLSTM": (LayerNormLSTM, layer_norm_lstm),
    "LayerNormGRU": (LayerNormGRU, layer_norm_gru),
}


def scattered(cell: Any) -> Any:
    """The cell in float64 with every weight, bias and gain drawn anew."""
    cell = cell.double()
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter)
    return cell


def weights(cell: Any) -> Weights:
    """The cell's weights; missing biases are zero."""
    named = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    zeros = np.zeros(len(named["weight_hh"]))
    return {"bias_ih": zeros, "bias_hh": zeros} | named


@pytest.mark.parametrize("rate", [0.0, 0.5])
@pytest.mark.parametrize("name", FORMULAS)
def test_step_is_the_papers_equation(name, rate):
    constructor, formula = FORMULAS[name]
    cell = scattered(constructor(WIDTH, HIDDEN, recurrent_dropout=rate)).train()
    x = torch.randn(BATCH, STEPS, WIDTH, dtype=torch.float64)
    state = tree.map(torch.randn_like, cell.initial(BATCH))
    wanted = [leaf.numpy() for leaf in state]
    z = cell.project(x)
    mask = np.ones((BATCH, HIDDEN)) if z.keep is None else z.keep[:, 0].numpy()
    assert (mask == 1).all() == (rate == 0)
    for t, z_t in enumerate(tree.unbind(z, 1)):
        y, state = cell.step(z_t, state)
        wanted = list(formula(weights(cell), x[:, t].numpy(), *wanted, mask))
        np.testing.assert_allclose(y.detach().numpy(), wanted[0], rtol=1e-12, atol=1e-12)
        for ours, theirs in zip(state, wanted, strict=True):
            np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-12, atol=1e-12)


def test_unshared_steps_are_elmans_each_with_weights_of_its_own():
    cell = scattered(UnsharedElman(WIDTH, HIDDEN, steps=STEPS))
    w = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    x = torch.randn(BATCH, STEPS, WIDTH, dtype=torch.float64)
    state, h = cell.initial(BATCH), np.zeros((BATCH, HIDDEN))
    for t in range(STEPS):
        y, state = cell.step(cell.project(x)[:, t], state)
        h = np.tanh(x[:, t].numpy() @ w["weight_ih"][t].T + h @ w["weight_hh"][t].T + w["bias"][t])
        np.testing.assert_allclose(y.detach().numpy(), h, rtol=1e-12, atol=1e-12)
        assert state.step.tolist() == [t + 1] * BATCH


def openness(t: float, period: float, shift: float, ratio: float, leak: float) -> tuple[str, float]:
    """Neil, Pfeiffer and Liu (2016), equations 6 and 7, and which of its three branches it is."""
    phase = ((t - shift) % period) / period
    if phase < ratio / 2:
        return "rising", 2 * phase / ratio
    if phase < ratio:
        return "falling", 2 - 2 * phase / ratio
    return "closed", leak * phase


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("times", ["steps", "input"])
def test_phased_step_is_an_lstm_behind_a_time_gate(times, training):
    ratio, leak, steps = 0.5, 0.01, 8
    cell = PhasedLSTM(WIDTH + (times == "input"), HIDDEN, times=times, open_ratio=ratio, leak=leak)
    cell = scattered(cell).train(training)
    cell.period.data = torch.linspace(2.0, 7.0, HIDDEN, dtype=torch.float64)
    cell.shift.data = torch.linspace(-3.0, 1.0, HIDDEN, dtype=torch.float64)
    w = weights(cell)
    x = torch.randn(BATCH, steps, WIDTH, dtype=torch.float64)
    stamps = torch.rand(BATCH, steps, 1, dtype=torch.float64).cumsum(1) * 10
    state = cell.initial(BATCH)
    h, c = np.zeros((BATCH, HIDDEN)), np.zeros((BATCH, HIDDEN))
    branches = set()
    for t, z in enumerate(tree.unbind(cell.project(x if times == "steps" else torch.cat([x, stamps], -1)), 1)):
        y, state = cell.step(z, state)
        k = np.zeros((BATCH, HIDDEN))
        for row, unit in np.ndindex(BATCH, HIDDEN):
            now = float(t) if times == "steps" else float(stamps[row, t])
            branch, k[row, unit] = openness(now, w["period"][unit], w["shift"][unit], ratio, leak if training else 0)
            branches.add(branch)
        proposed_h, proposed_c = lstm(w, x[:, t].numpy(), h, c, np.ones_like(h))
        h, c = k * proposed_h + (1 - k) * h, k * proposed_c + (1 - k) * c
        np.testing.assert_allclose(y.detach().numpy(), h, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(state.hidden.detach().numpy(), h, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(state.cell.detach().numpy(), c, rtol=1e-11, atol=1e-11)
        assert state.time.tolist() == [t + 1] * BATCH
    assert branches == {"rising", "falling", "closed"}
