"""A transformer decoder: each step looks at the steps before it and at a source."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from throughtime.errors import ArgumentError
from throughtime.layers.attend import whole_past
from throughtime.layers.positions import PositionName
from throughtime.layers.self_attention import CrossAttention, KeysValues, Sight
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
from throughtime.tree import Shared


class Looked(NamedTuple):
    """What each layer looks up in the sources, worked out once."""

    layers: tuple[KeysValues, ...]  # B N S d
    mask: Bool[Tensor, "B S"]


class DecoderState(NamedTuple):
    """The steps so far of R hypotheses, R = BK, over what B sources have; a source's hypotheses stand together."""

    layers: tuple[KeysValues, ...]  # R N P d, the newest last; P grows
    filled: Int[Tensor, " R"]  # how many of the P hold a step
    covered: Float[Tensor, "R S"] | None  # the sum so far of the weights, a mean over heads, where it is counted
    memory: Shared  # of Looked


class TransformerDecoder(nn.Module):
    """Layers in which every step looks at itself, at all steps before it, and at a source.

    Formula: h_0 = √H W x_t + P_t (W only where D is not H), h_l = layer_l(h_{l−1}), y = LN h_L (with the norm before)
    Shapes: x R T D, outputs R T H; outputs of the encoder B S M, M is `memory`.

    `begin` gives the state before the first step; the source's keys and values are worked out there, once, and any
    number of hypotheses looks at them without a copy. The weights that are told are those of the last layer but one,
    or of the only one, which align best. Weights are worked out for `attention`, and where they are counted for
    `covered`; all else goes by torch's `scaled_dot_product_attention`, which does not tell them.

    Source: Vaswani et al. (2017), section 3.1, as in `TransformerEncoder`. Which layer aligns: Garg et al. (2019),
    "Jointly Learning to Align and Translate with Transformer Models", section 3.

    >>> decoder = TransformerDecoder(3, 4, layers=2, heads=2, memory=5)
    >>> state = decoder.begin(Padded.full(torch.zeros(2, 7, 5)), None)
    >>> outputs, state = decoder(Padded.full(torch.zeros(2, 6, 3)), state)
    >>> outputs.data.shape, decoder.covered(state).shape
    (torch.Size([2, 6, 4]), torch.Size([2, 7]))
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        layers: int = 2,
        heads: int = 4,
        *,
        memory: int,
        positions: PositionName = "sinusoidal",
        dropout: float = 0.0,
        design: Design | None = None,
    ) -> None:
        super().__init__()
        if memory < 1:
            raise ArgumentError(f"memory, the width of an encoder's outputs, must be at least 1; got {memory}")
        self.width, self.hidden, self.heads, self.causal = width, hidden, heads, True
        design = design or Design()
        self.entry = Entry(width, hidden, positions, design.places)
        self.source = nn.Linear(memory, hidden) if memory != hidden else nn.Identity()
        self.layers = make_layers(hidden, layers, heads, design, dropout, crossed=True)
        self.norm = last_norm(hidden, design)
        self.told = max(0, layers - 2)  # the layer whose weights are told
        check_turned(positions, hidden, heads)

    def initial(self, batch: int) -> DecoderState:
        """The state before the first step over sources in which there is nothing."""
        weight = cast(TransformerLayer, self.layers[0]).linear1.weight
        width = self.source.in_features if isinstance(self.source, nn.Linear) else self.hidden
        return self.begin(Padded.full(weight.new_zeros(batch, 0, width)), None)

    def begin(self, outputs: Padded, inner: Any, *, counted: bool = True) -> DecoderState:
        """The state before the first step, from an encoder's outputs (B S M); `inner` is of recurrent cores.

        `counted` is whether steps count what they look at, as `covered` tells it.
        """
        batch, places, _ = outputs.data.shape
        x, mask = self.source(outputs.data), outputs.mask
        looked = tuple(cast(CrossAttention, layer.multihead_attn).memory(x, mask) for layer in self._each())
        nothing = x.new_zeros(batch, self.heads, 0, self.hidden // self.heads)
        none = torch.zeros(batch, dtype=torch.int64, device=x.device)
        layers = tuple(KeysValues(nothing, nothing) for _ in looked)
        covered = x.new_zeros(batch, places) if counted else None
        return DecoderState(layers, none, covered, Shared(Looked(looked, mask)))

    def forward(
        self, inputs: Padded, state: DecoderState | None = None, resets: Tensor | None = None
    ) -> tuple[Padded, DecoderState]:
        """All steps at once, after those of the state. Raises `ArgumentError` for resets: a target has its source."""
        if resets is not None:
            raise ArgumentError("a decoder has no resets: give every target a row, with its source")
        state = self.initial(len(inputs.data)) if state is None else state
        outputs, state, _ = self._run(inputs, state, weighted=state.covered is not None)
        return outputs, state

    def step(self, x: Float[Tensor, "R D"], state: DecoderState) -> tuple[Float[Tensor, "R H"], DecoderState]:
        """One step, on x (R D)."""
        outputs, state = self(Padded.full(x[:, None]), state)
        return outputs.data[:, 0], state

    def attention(self, inputs: Padded, state: DecoderState) -> Float[Tensor, "R T N S"]:
        """How much each step looks at each place of its source, by each head; zero past a length."""
        return self._run(inputs, state, weighted=True)[2]

    def covered(self, state: DecoderState) -> Float[Tensor, "R S"]:
        """How much all steps so far have looked at each place, as a mean over heads; one past a length.

        Raises `ArgumentError` for a state that began without counting.
        """
        if state.covered is None:
            raise ArgumentError("this state does not count what is looked at: begin it with counted=True")
        return whole_past(state.covered, state.memory.content.mask)

    def _run(self, inputs: Padded, state: DecoderState, *, weighted: bool) -> tuple[Padded, DecoderState, Tensor]:
        """Outputs, the state after them, and the weights that are told, if they are wanted; else nothing."""
        check_inputs(self, inputs)
        went, memory = Went.of(inputs), cast(Looked, state.memory.content)
        past = state.layers[0].keys.shape[2]
        x = self.entry(inputs.data, went.places(state.filled))
        sight = self._sight(went, state.filled, past, x)
        after, weights = [], x.new_zeros(())
        for number, (layer, kept) in enumerate(zip(self._each(), state.layers, strict=True)):
            x, line = layer.attend(x, kept, sight)
            told = weighted and number == self.told
            x, looked = layer.cross(x, memory.layers[number], memory.mask, weighted=told)
            x = layer.feed(x)
            weights = weights if looked is None else looked
            after.append(went.kept(line, past + went.longest))
        if weighted and not went.full:
            weights = weights * inputs.mask[:, :, None, None]
        covered = None if state.covered is None else state.covered + weights.mean(2).sum(1)
        new = DecoderState(tuple(after), went.since(state.filled), covered, state.memory)
        return inputs.replace(self.norm(x)).zeroed(), new, weights

    def _sight(self, went: Went, filled: Tensor, past: int, x: Tensor) -> Sight:
        by = self.entry.turns(past + went.steps, self.hidden // self.heads, x)
        if not past:
            return Sight(None, causal=True, turns=by)
        return Sight(went.mask(filled, past, None), turns=by)

    def _each(self) -> Iterator[TransformerLayer]:
        return cast(Iterator[TransformerLayer], iter(self.layers))
