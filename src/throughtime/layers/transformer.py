"""Transformers as cores: one that reads the whole, and a causal one whose state is a cache of keys and values."""

from collections.abc import Sequence
from typing import NamedTuple, NoReturn, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from throughtime.errors import ArgumentError
from throughtime.layers.convolve import NoState
from throughtime.layers.positions import PositionName
from throughtime.layers.self_attention import KeysValues, Sight
from throughtime.layers.stream import Stream
from throughtime.layers.transformer_layer import (
    Design,
    Entry,
    TransformerLayer,
    check_inputs,
    check_turned,
    last_norm,
    make_layers,
)
from throughtime.layers.went import Went
from throughtime.padded import Padded

BLOCK = 256  # steps that are read at once, or as many as the context: memory grows with their square


class TransformerEncoder(nn.Module):
    """Layers in which every step looks at all steps: a core that reads the whole sequence.

    Formula: h_0 = √H W x_t + P_t (W only where D is not H), h_l = layer_l(h_{l−1}), y = LN h_L (with the norm before)
    Shapes: x B T D, outputs B T H.
    Source: Vaswani et al. (2017), section 3.1; the norm stands before each part. Inputs should be of norm 1, about.

    >>> outputs, state = TransformerEncoder(3, 4, layers=2, heads=2)(Padded.full(torch.zeros(2, 5, 3)))
    >>> outputs.data.shape, state
    (torch.Size([2, 5, 4]), NoState())
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        layers: int = 2,
        heads: int = 4,
        *,
        positions: PositionName = "sinusoidal",
        dropout: float = 0.0,
        design: Design | None = None,
    ) -> None:
        super().__init__()
        self.width, self.hidden, self.heads, self.causal = width, hidden, heads, False
        design = design or Design()
        self.entry = Entry(width, hidden, positions, design.places)
        self.layers = make_layers(hidden, layers, heads, design, dropout)
        self.norm = last_norm(hidden, design)
        check_turned(positions, hidden, heads)

    def initial(self, batch: int) -> NoState:
        """Nothing."""
        return NoState()

    def forward(
        self, inputs: Padded, state: NoState | None = None, resets: Tensor | None = None
    ) -> tuple[Padded, NoState]:
        """All steps at once. Raises `ArgumentError` for resets, across which attention would see."""
        if resets is not None:
            raise ArgumentError("attention sees across resets: give the pieces as sequences of their own")
        check_inputs(self, inputs)
        places = torch.arange(inputs.steps, device=inputs.data.device)[None]
        x = self.entry(inputs.data, places)
        mask = None
        if not inputs.is_full:
            mask = inputs.mask[:, None]
            mask = mask | ~mask.any(2, keepdim=True)  # a row without steps sees its padding: nothing is not a number
        sight = Sight(mask, turns=self.entry.turns(inputs.steps, self.hidden // self.heads, x))
        for layer in cast(Sequence[TransformerLayer], self.layers):
            x, _ = layer.attend(x, None, sight)
            x = layer.feed(x)
        return inputs.replace(self.norm(x)).zeroed(), NoState()

    def step(self, x: Tensor, state: NoState) -> NoReturn:
        """Refused: every step looks at the steps to come."""
        raise ArgumentError("a transformer encoder needs the whole sequence: it cannot go step by step")


class Cache(NamedTuple):
    """What a causal transformer keeps: keys and values of the last steps, newest last, zeros where there was none."""

    layers: tuple[KeysValues, ...]  # B N P d each, P = context − 1
    filled: Tensor  # B   int64, how many of the P hold a step
    time: Tensor | None  # B   int64, steps so far, where positions are counted


class CausalTransformer(nn.Module):
    """Layers in which every step looks at itself and at the steps before it, at most `context` of them in a layer.

    Formula: as `TransformerEncoder`, but that step t of a layer sees the steps t − context + 1, ..., t of the layer
    below; so an output depends on the last `reach` = layers · (context − 1) + 1 inputs.

    Shapes: x B T D, outputs B T H; state: keys and values B N context−1 d a layer, d = H / N, and what was counted.
    The state does not grow, and keys are kept as they were before they are turned (rotary positions are places in the
    cache, of which distances alone matter). Positions that are added to inputs ("sinusoidal", "learnt") are counted
    round and round, t mod context, so that a sequence need not end: then an output depends on t mod context besides,
    and a piece of a sequence that is read as if it began there has other outputs, however far it goes on.

    Source: Vaswani et al. (2017), section 3.2.3; the cache that is handed on, without gradient, from chunk to chunk of
    a text: Dai et al. (2019), "Transformer-XL", section 3.2.

    >>> core = CausalTransformer(3, 4, layers=2, heads=2, context=6)
    >>> outputs, state = core(Padded.full(torch.zeros(2, 9, 3)))
    >>> outputs.data.shape, state.layers[0].keys.shape, core.reach
    (torch.Size([2, 9, 4]), torch.Size([2, 2, 5, 2]), 11)
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        layers: int = 2,
        heads: int = 4,
        *,
        context: int = 128,
        positions: PositionName = "rotary",
        dropout: float = 0.0,
        design: Design | None = None,
    ) -> None:
        super().__init__()
        if context < 1:
            raise ArgumentError(f"context must be at least 1; got {context}")
        self.width, self.hidden, self.heads, self.context, self.causal = width, hidden, heads, context, True
        design = design or Design()
        self.entry = Entry(width, hidden, positions, context)
        self.layers = make_layers(hidden, layers, heads, design, dropout)
        self.norm = last_norm(hidden, design)
        check_turned(positions, hidden, heads)

    @property
    def reach(self) -> int:
        """How many of the last inputs an output depends on; on its place as well, where positions are added."""
        return len(self.layers) * (self.context - 1) + 1

    def initial(self, batch: int) -> Cache:
        """Zeros, of which none counts."""
        weight = cast(TransformerLayer, self.layers[0]).linear1.weight
        zeros = weight.new_zeros(batch, self.heads, self.context - 1, self.hidden // self.heads)
        none = torch.zeros(batch, dtype=torch.int64, device=zeros.device)
        time = none if self.entry.positions is not None else None
        return Cache(tuple(KeysValues(zeros, zeros) for _ in self.layers), none, time)

    def forward(
        self, inputs: Padded, state: Cache | None = None, resets: Bool[Tensor, "B T"] | None = None
    ) -> tuple[Padded, Cache]:
        """All steps, after those of the state, in blocks where they are many. No step sees across a reset."""
        check_inputs(self, inputs)
        resets = None if resets is None else resets & inputs.mask
        block = max(self.context, BLOCK)
        if inputs.steps <= block:
            return self._read(inputs, state, resets)
        outputs = []
        for begin in range(0, inputs.steps, block):
            part = Padded(inputs.data[:, begin : begin + block], (inputs.lengths - begin).clamp(0, block))
            some, state = self._read(part, state, None if resets is None else resets[:, begin : begin + block])
            outputs.append(some.data)
        return inputs.replace(torch.cat(outputs, 1)), cast(Cache, state)

    def _read(self, inputs: Padded, state: Cache | None, resets: Tensor | None) -> tuple[Padded, Cache]:
        """A block of steps at once."""
        fresh = state is None
        state = self.initial(len(inputs.data)) if state is None else state
        went = Went.of(inputs, resets)
        places = None if state.time is None else went.places(state.time) % self.context
        x = self.entry(inputs.data, places)
        past = 0 if fresh else self.context - 1
        sight = self._sight(went, state.filled, past, x)
        after = []
        for layer, kept in zip(cast(Sequence[TransformerLayer], self.layers), state.layers, strict=True):
            x, line = layer.attend(x, None if fresh else kept, sight)
            x = layer.feed(x)
            after.append(went.kept(line, self.context - 1))
        time = None if state.time is None else went.since(state.time)
        filled = went.since(state.filled).clamp(max=self.context - 1)
        return inputs.replace(self.norm(x)).zeroed(), Cache(tuple(after), filled, time)

    def _sight(self, went: "Went", filled: Tensor, past: int, x: Tensor) -> Sight:
        by = self.entry.turns(past + went.steps, self.hidden // self.heads, x)
        if not past and went.latest is None and went.steps <= self.context:
            return Sight(None, causal=True, turns=by)
        return Sight(went.mask(filled, past, self.context), turns=by)

    def step(self, x: Float[Tensor, "B D"], state: Cache) -> tuple[Float[Tensor, "B H"], Cache]:
        """One step, on x (B D)."""
        outputs, state = self(Padded.full(x[:, None]), state)
        return outputs.data[:, 0], state

    def stream(self, batch: int = 1, state: Cache | None = None) -> Stream[Cache]:
        """This core at work on sequences that never end, one item of each row at a time."""
        return Stream(self, batch, state)
