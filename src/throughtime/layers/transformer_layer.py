"""One layer of a transformer, with or without a source, and how inputs enter the first one."""

from dataclasses import dataclass
from typing import Any, Literal, cast

from torch import Tensor, nn
from torch.nn import functional as F

from throughtime.errors import ArgumentError
from throughtime.layers.positions import PositionName, Turns, make_positions, turns
from throughtime.layers.self_attention import CrossAttention, KeysValues, SelfAttention, Sight
from throughtime.padded import Padded


@dataclass(frozen=True)
class Design:
    """What the layers of a transformer have in common, and is seldom chosen.

    `norm` is where the normalisation stands: before each part of a layer, with one more at the end of all, or after.
    Source: after, Vaswani et al. (2017); before, which learns without a long warm-up, Xiong et al. (2020).
    """

    feedforward: int | None = None  # units between; four times `hidden` where it is None
    activation: Literal["gelu", "relu"] = "gelu"
    norm: Literal["before", "after"] = "before"
    places: int = 1024  # that have a vector, where they are learnt

    def __post_init__(self) -> None:
        if self.feedforward is not None and self.feedforward < 1:
            raise ArgumentError(f"feedforward must be at least 1; got {self.feedforward}")
        for name, fits in (("activation", ("gelu", "relu")), ("norm", ("before", "after"))):
            if getattr(self, name) not in fits:
                raise ArgumentError(f"{name} must be {fits[0]!r} or {fits[1]!r}; got {getattr(self, name)!r:.80}")


class TransformerLayer(nn.Module):
    """Attention to itself, attention to a source if there is one, and two dense layers; each added to what it gets.

    Formula, with the norm before: x = x + A(LN x); x = x + C(LN x); y = x + W_2 φ(W_1 LN x + b_1) + b_2
    with the norm after: x = LN(x + A x); x = LN(x + C x); y = LN(x + W_2 φ(W_1 x + b_1) + b_2)

    Shapes: x B T H. Names and layouts of weights are those of `torch.nn.TransformerEncoderLayer` and, with a source,
    of `torch.nn.TransformerDecoderLayer`. Dropout falls on attention weights, after φ, and on what is added.
    """

    def __init__(self, hidden: int, heads: int, design: Design, *, dropout: float = 0.0, crossed: bool = False) -> None:
        super().__init__()
        between = design.feedforward or 4 * hidden
        self.before, self.activation = design.norm == "before", F.gelu if design.activation == "gelu" else F.relu
        self.self_attn = SelfAttention(hidden, heads, dropout=dropout)
        self.multihead_attn = CrossAttention(hidden, heads, dropout=dropout) if crossed else None
        self.linear1, self.linear2 = nn.Linear(hidden, between), nn.Linear(between, hidden)
        for linear in (self.linear1, self.linear2):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        self.norm1, self.norm2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        if crossed:
            self.norm3 = nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(dropout)

    def attend(self, x: Tensor, past: KeysValues | None, sight: Sight) -> tuple[Tensor, KeysValues]:
        """x after attention to itself, and the keys and values of the past and of x."""
        found, line = self.self_attn(self.norm1(x) if self.before else x, past, sight)
        return self._added(x, found, self.norm1), line

    def cross(
        self, x: Tensor, memory: KeysValues, mask: Tensor, *, weighted: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """x after attention to a source, and the weights of it where they are wanted."""
        attention, looks = cast(CrossAttention, self.multihead_attn), self.norm2(x) if self.before else x
        if weighted:
            found, weights = attention.weighted(looks, memory, mask)
            return self._added(x, found, self.norm2), weights
        return self._added(x, attention(looks, memory, mask), self.norm2), None

    def feed(self, x: Tensor) -> Tensor:
        """x after the dense layers."""
        norm = self.norm2 if self.multihead_attn is None else self.norm3
        between = self.dropout(self.activation(self.linear1(norm(x) if self.before else x)))
        return self._added(x, self.linear2(between), norm)

    def _added(self, x: Tensor, found: Tensor, norm: nn.LayerNorm) -> Tensor:
        x = x + self.dropout(found)
        return x if self.before else norm(x)


class Entry(nn.Module):
    """How inputs enter: √H W x_t (W only where they are not as wide as the layers), and what is added for their places.

    So inputs of norm 1, as embeddings are here, become about as large as sines are (Vaswani et al., 2017, section 3.4).
    """

    def __init__(self, width: int, hidden: int, positions: PositionName, places: int) -> None:
        super().__init__()
        if min(width, hidden) < 1:
            raise ArgumentError(f"width and hidden must be at least 1; got {width} and {hidden}")
        self.linear = nn.Linear(width, hidden) if width != hidden else None
        self.positions, self.rotary = make_positions(positions, hidden, places), positions == "rotary"

    def forward(self, x: Tensor, places: Tensor | None) -> Tensor:
        """x (B T D) to B T H; places (B T or 1 T) are looked at where positions are added."""
        x = x if self.linear is None else self.linear(x)
        x = x * x.shape[-1] ** 0.5
        return x if self.positions is None or places is None else self.positions(x, places)

    def turns(self, steps: int, width: int, like: Tensor) -> Turns | None:
        """The turns of heads of a width, where positions are rotary."""
        return turns(steps, width, like) if self.rotary else None


def make_layers(
    hidden: int, layers: int, heads: int, design: Design, dropout: float, *, crossed: bool = False
) -> nn.ModuleList:
    """New layers. Raises `ArgumentError` when there is none."""
    if layers < 1:
        raise ArgumentError(f"layers must be at least 1; got {layers}")
    return nn.ModuleList(
        TransformerLayer(hidden, heads, design, dropout=dropout, crossed=crossed) for _ in range(layers)
    )


def check_turned(positions: PositionName, hidden: int, heads: int) -> None:
    """Raises `ArgumentError` for rotary positions in heads of an odd width, which is no width of pairs."""
    if positions == "rotary" and hidden // heads % 2:
        raise ArgumentError(
            f"rotary positions turn pairs of features, and {hidden} units in {heads} heads are {hidden // heads} "
            "a head: make that even, or give other positions"
        )


def last_norm(hidden: int, design: Design) -> nn.Module:
    """The normalisation at the end of all layers, where there is one."""
    return nn.LayerNorm(hidden) if design.norm == "before" else nn.Identity()


def check_inputs(core: Any, inputs: Padded) -> None:
    """Refuses inputs of another width."""
    shape = tuple(inputs.data.shape)
    if len(shape) != 3 or shape[2] != core.width:
        name = type(core).__name__
        raise ArgumentError(f"inputs {shape} do not fit {name}: inputs is B T D with D = {core.width}")
