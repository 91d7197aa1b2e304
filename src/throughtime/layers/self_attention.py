"""Attention of several heads, over torch's `scaled_dot_product_attention`: of a sequence to itself, and to a source.

Weights have the names and layouts of `torch.nn.MultiheadAttention`, so that they move by name.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from throughtime.cells.cell import check_rate
from throughtime.errors import ArgumentError
from throughtime.layers.positions import Turns, turned


class KeysValues(NamedTuple):
    """What was looked up of steps or places, by each head: what later steps look at."""

    keys: Tensor  # B N P d
    values: Tensor  # B N P d


class Sight(NamedTuple):
    """What queries see of the keys; the last of the keys are the queries' own places."""

    mask: Tensor | None  # B T S (or 1 T S, B 1 S) bool; None where they see all
    causal: bool = False  # all up to their own place; then there is no mask, and as many keys as queries
    turns: Turns | None = None  # of the keys' places


class MultiHead(nn.Module):
    """The weights of attention of N heads: the projections to queries, keys and values, and the one that joins heads.

    Shapes: x B T H; queries, keys and values B N T d with d = H / N; in_proj_weight 3H H (queries, keys, values).

    Raises `ArgumentError` when H does not part into N heads.
    """

    def __init__(self, hidden: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        if min(hidden, heads) < 1 or hidden % heads:
            raise ArgumentError(f"hidden {hidden} does not part into {heads} heads: give a number that divides it")
        self.hidden, self.heads, self.dropout = hidden, heads, check_rate("dropout", dropout)
        self.in_proj_weight = nn.Parameter(torch.empty(3 * hidden, hidden))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * hidden))
        self.out_proj = nn.Linear(hidden, hidden)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.xavier_uniform_(self.out_proj.weight)
        nn.init.zeros_(self.out_proj.bias)

    def parted(self, x: Float[Tensor, "B T G"]) -> list[Float[Tensor, "B N T d"]]:
        """Projections side by side (one, two or three of H) in heads."""
        batch, steps, width = x.shape
        parts = x.view(batch, steps, width // self.hidden, self.heads, self.hidden // self.heads)
        return list(parts.permute(2, 0, 3, 1, 4).unbind())

    @property
    def rate(self) -> float:
        """Of dropout, now."""
        return self.dropout if self.training else 0.0


class SelfAttention(MultiHead):
    """Attention of a sequence to itself and to the steps before it.

    Formula: head_n = softmax(Q_n K_n^T / √d) V_n, y = W_o [head_1; ...; head_N] + b_o, with Q, K, V from x; K and V
    of steps before x stand before those of x.
    Source: Vaswani et al. (2017), equation 1 and section 3.2.2.

    >>> y, line = SelfAttention(4, 2)(torch.zeros(1, 3, 4), None, Sight(None, causal=True))
    >>> y.shape, line.keys.shape
    (torch.Size([1, 3, 4]), torch.Size([1, 2, 3, 2]))
    """

    def forward(
        self, x: Float[Tensor, "B T H"], past: KeysValues | None, sight: Sight
    ) -> tuple[Float[Tensor, "B T H"], KeysValues]:
        """The outputs, and the keys (not turned) and values of the past and of x."""
        queries, keys, values = self.parted(F.linear(x, self.in_proj_weight, self.in_proj_bias))
        if past is not None:
            keys, values = torch.cat([past.keys, keys], 2), torch.cat([past.values, values], 2)
        line = KeysValues(keys, values)
        if sight.turns is not None:
            own = Turns(*(table[keys.shape[2] - x.shape[1] :] for table in sight.turns))
            queries, keys = turned(queries, own), turned(keys, sight.turns)
        mask = None if sight.mask is None else sight.mask[:, None]
        contexts = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, dropout_p=self.rate, is_causal=sight.causal
        )
        return self.out_proj(contexts.transpose(1, 2).flatten(2)), line


class CrossAttention(MultiHead):
    """Attention of the steps of hypotheses to sources: K consecutive rows of queries look at one row of memory.

    Formula: as `SelfAttention`, with K and V from the source.

    >>> attention = CrossAttention(4, 2)
    >>> memory = attention.memory(torch.zeros(1, 5, 4), torch.ones(1, 5, dtype=torch.bool))
    >>> attention(torch.zeros(3, 2, 4), memory, torch.ones(1, 5, dtype=torch.bool)).shape
    torch.Size([3, 2, 4])
    """

    def memory(self, x: Float[Tensor, "B S H"], mask: Bool[Tensor, "B S"]) -> KeysValues:
        """The keys and values of sources; values are zero where there is nothing, so that nothing comes of them."""
        weight, bias = self.in_proj_weight[self.hidden :], self.in_proj_bias[self.hidden :]
        keys, values = self.parted(F.linear(x, weight, bias))
        return KeysValues(keys, values.masked_fill(~mask[:, None, :, None], 0))

    def forward(
        self, x: Float[Tensor, "R T H"], memory: KeysValues, mask: Bool[Tensor, "B S"]
    ) -> Float[Tensor, "R T H"]:
        """What the steps found in their sources; the bias alone where a source is empty."""
        queries = self._folded(x, len(mask))
        if not memory.keys.shape[2]:
            return self._joined(torch.zeros_like(queries), x)
        contexts = F.scaled_dot_product_attention(
            queries, memory.keys, memory.values, attn_mask=_looking(mask)[:, None, None], dropout_p=self.rate
        )
        return self._joined(contexts, x)

    def weighted(
        self, x: Float[Tensor, "R T H"], memory: KeysValues, mask: Bool[Tensor, "B S"]
    ) -> tuple[Float[Tensor, "R T H"], Float[Tensor, "R T N S"]]:
        """What `forward` gives, and the weights that it comes of: zero on padding, without dropout."""
        queries = self._folded(x, len(mask))
        scores = queries @ memory.keys.transpose(2, 3) * (self.hidden // self.heads) ** -0.5
        weights = scores.masked_fill(~_looking(mask)[:, None, None], -torch.inf).softmax(-1)
        weights = weights.masked_fill(~mask[:, None, None], 0)
        contexts = F.dropout(weights, self.dropout, self.training) @ memory.values
        return self._joined(contexts, x), _unfolded(weights, x)

    def _folded(self, x: Tensor, sources: int) -> Tensor:
        """Queries of all hypotheses of a source in one row: B N KT d."""
        (queries,) = self.parted(F.linear(x, self.in_proj_weight[: self.hidden], self.in_proj_bias[: self.hidden]))
        rows, heads, steps, width = queries.shape
        if rows % max(sources, 1):
            raise ArgumentError(f"{rows} rows of queries do not part among {sources} sources")
        hypotheses = rows // max(sources, 1)
        return queries.view(sources, hypotheses, heads, steps, width).transpose(1, 2).flatten(2, 3)

    def _joined(self, contexts: Tensor, x: Tensor) -> Tensor:
        """Contexts B N KT d to outputs R T H."""
        outputs: Tensor = self.out_proj(_unfolded(contexts, x).flatten(2))
        return outputs


def _unfolded(folded: Tensor, x: Tensor) -> Tensor:
    """What is B N KT ... for each of x (R T H): R T N ..."""
    sources, heads, _, last = folded.shape
    rows, steps = x.shape[:2]
    parts = folded.view(sources, heads, rows // max(sources, 1), steps, last).permute(0, 2, 3, 1, 4)
    return parts.flatten(0, 1)


def _looking(mask: Tensor) -> Tensor:
    """The mask, but all of a source that is empty, so that no weights are worked out of nothing at all."""
    return mask | ~mask.any(1, keepdim=True)
