"""LSTM and GRU with layer normalisation inside the recurrence."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear

from throughtime.cells.cell import (
    CellState,
    HiddenState,
    Projected,
    check_rate,
    gate_weights,
    open_gate,
    projected,
    seen,
)


class LayerNormLSTM(nn.Module):
    """An LSTM whose summed inputs and memory are normalised at every step.

    Formula, with LN(a; w) = w (a − mean a) / sd a:
        i, f, g, o = LN(W_ih x; w_ih) + LN(W_hh h; w_hh) + b
        c' = σ(f) c + σ(i) tanh(g)
        h = σ(o) tanh(LN(c'; w_c) + b_c)

    Shapes: as LSTM (gates i f g o), one bias of 4H; norm_ih and norm_hh 4H, norm_c and bias_c H. Mean and
    deviation run over all 4H of a product.

    Source: Ba, Kiros and Hinton (2016), "Layer Normalization", equations 20-22, the two shifts being one b.

    >>> cell = LayerNormLSTM(3, 4)
    >>> cell.step(Projected(torch.zeros(2, 16)), cell.initial(2))[0].shape
    torch.Size([2, 4])
    """

    def __init__(self, width: int, hidden: int, *, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden
        self.recurrent_dropout = check_rate("recurrent_dropout", recurrent_dropout)
        self.weight_ih, self.weight_hh, _, _ = gate_weights(4, width, hidden, bias=False)
        self.norm_ih, self.norm_hh = (nn.Parameter(torch.ones(4 * hidden)) for _ in range(2))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))
        self.norm_c, self.bias_c = nn.Parameter(torch.ones(hidden)), nn.Parameter(torch.zeros(hidden))
        open_gate(self.bias, 1, hidden)

    def initial(self, batch: int) -> CellState:
        """Zeros."""
        return CellState.zeros(batch, self.weight_hh)

    def project(self, x: Float[Tensor, "B T D"]) -> Projected:
        """LN(W_ih x; w_ih) + b."""
        gates = layer_norm(linear(x, self.weight_ih), self.norm_ih.shape, self.norm_ih, self.bias)
        return projected(self, gates)

    def step(self, z: Projected, state: CellState) -> tuple[Float[Tensor, "B H"], CellState]:
        """The equations above."""
        product = linear(seen(state.hidden, z.keep), self.weight_hh)
        i, f, g, o = (z.gates + layer_norm(product, self.norm_hh.shape, self.norm_hh)).chunk(4, -1)
        c = torch.sigmoid(f) * state.cell + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(layer_norm(c, self.norm_c.shape, self.norm_c, self.bias_c))
        return h, CellState(h, c)


class LayerNormGRU(nn.Module):
    """A GRU whose summed inputs are normalised at every step.

    Formula, with LN as in LayerNormLSTM and the reset after the product:
        r, z = LN(W_irz x; w) + LN(W_hrz h; w) + b_rz
        n = tanh(LN(W_in x; w) + b_n + σ(r) (LN(W_hn h; w) + b_hn))
        h' = (1 − σ(z)) tanh(n) + σ(z) h

    Shapes: as GRU (gates r z n), bias 3H, bias_hn H; norm_ih and norm_hh 3H. Mean and deviation run over the
    2H of r and z together and over the H of n.

    Source: Ba, Kiros and Hinton (2016), equations 26-28; z keeps the old state, as torch's GRU has it.

    >>> cell = LayerNormGRU(3, 4)
    >>> cell.step(Projected(torch.zeros(2, 12)), cell.initial(2))[0].shape
    torch.Size([2, 4])
    """

    def __init__(self, width: int, hidden: int, *, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden
        self.recurrent_dropout = check_rate("recurrent_dropout", recurrent_dropout)
        self.weight_ih, self.weight_hh, _, _ = gate_weights(3, width, hidden, bias=False)
        self.norm_ih, self.norm_hh = (nn.Parameter(torch.ones(3 * hidden)) for _ in range(2))
        self.bias, self.bias_hn = nn.Parameter(torch.zeros(3 * hidden)), nn.Parameter(torch.zeros(hidden))

    def initial(self, batch: int) -> HiddenState:
        """Zeros."""
        return HiddenState.zeros(batch, self.weight_hh)

    def _normalised(self, products: Tensor, gains: Tensor) -> tuple[Tensor, Tensor]:
        """The normalised blocks r z (2H) and n (H) of the products (... 3H)."""
        cut = 2 * self.hidden
        gates, candidate = products.tensor_split([cut], -1)
        return (
            layer_norm(gates, (cut,), gains[:cut]),
            layer_norm(candidate, (self.hidden,), gains[cut:]),
        )

    def project(self, x: Float[Tensor, "B T D"]) -> Projected:
        """The normalised input products with their biases."""
        gates = torch.cat(self._normalised(linear(x, self.weight_ih), self.norm_ih), -1) + self.bias
        return projected(self, gates)

    def step(self, z: Projected, state: HiddenState) -> tuple[Float[Tensor, "B H"], HiddenState]:
        """The equations above."""
        h_gates, h_n = self._normalised(linear(seen(state.hidden, z.keep), self.weight_hh), self.norm_hh)
        a_gates, a_n = z.gates.tensor_split([2 * self.hidden], -1)
        r, update = torch.sigmoid(a_gates + h_gates).chunk(2, -1)
        n = torch.tanh(a_n + r * (h_n + self.bias_hn))
        h = (1 - update) * n + update * state.hidden
        return h, HiddenState(h)
