"""Attentive: a core that looks at a source at every step."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from throughtime import tree
from throughtime.errors import ArgumentError
from throughtime.layers.attend import Attend, Memory
from throughtime.layers.scan import Core
from throughtime.layers.stream import Stream
from throughtime.padded import Padded


class AttentiveState(NamedTuple):
    """What a decoder remembers: a row for each sequence that is written, and what they share of each source."""

    inner: Any  # the core's
    fed: Tensor | None  # B' H   the last output, where it is fed to the next step
    at: Tensor  # B'             steps so far
    covered: Tensor | None  # B' S   the sum of the weights so far, the mean over heads, where there is attention
    memory: tree.Shared  # of a Memory with a row for each source


class Attentive(nn.Module):
    """A core whose every output has looked at a source: the decoder of a translator.

    Formula: s_t = core(y_t) or, with `feeding`, core([y_t; h_{t−1}]); c_t = attend(s_t); h_t = tanh(W [s_t; c_t]).

    Without `attend` h = s: all that is known of a source is the state that the core begins with. Without `feeding` and
    coverage all steps of the core are scanned first, and look at the source together. `begin` gives the state to
    start from. A row whose length is over keeps its state.

    Shapes: y B' T D; h B' T H, `hidden` wide (the core's width, if not given); W H (core's hidden + attend's width).
    K rows of a state that stand together share a row of the memory, B' = K B.

    With `feeding` the core goes step by step, so that dropout inside of it is drawn at every step.

    Raises `ArgumentError` when sizes do not fit, and for a core that sees the future.

    Source: Luong et al. (2015), equation 5 and section 3.3, with no bias.

    >>> from throughtime.cells import GRU
    >>> from throughtime.layers import Recurrent
    >>> from throughtime.layers.scores import General
    >>> decoder = Attentive(Recurrent(GRU(3, 4)), Attend(General(4, 6)))
    >>> state = decoder.begin(Padded.full(torch.randn(2, 7, 6)), decoder.core.initial(2))
    >>> outputs, state = decoder(Padded.full(torch.zeros(2, 5, 3)), state)
    >>> outputs.data.shape, decoder.covered(state).sum(1).round().tolist()
    (torch.Size([2, 5, 4]), [5.0, 5.0])
    """

    def __init__(
        self, core: Core[Any], attend: Attend | None, *, feeding: bool = False, hidden: int | None = None
    ) -> None:
        super().__init__()
        hidden = core.hidden if hidden is None else hidden
        _check(core, attend, feeding, hidden)
        self.core, self.attend, self.feeding = core, attend, feeding
        self.width, self.hidden, self.causal = core.width - hidden * feeding, hidden, True
        self.join: nn.Linear | None = None
        if attend is not None:
            self.join = nn.Linear(core.hidden + attend.width, hidden, bias=False)
            nn.init.xavier_uniform_(self.join.weight)

    def initial(self, batch: int) -> AttentiveState:
        """The state of decoders of nothing: sources of no steps."""
        weight = next(self.parameters(), torch.empty(0))
        width = 0 if self.attend is None else self.attend.values
        return self.begin(Padded.full(weight.new_zeros(batch, 0, width)), self.core.initial(batch))

    def begin(self, outputs: Padded, inner: Any) -> AttentiveState:
        """The state before the first step, over an encoder's outputs (B S W), with that of the core (B' rows)."""
        device = outputs.data.device
        rows = next((len(leaf) for _, leaf in tree.leaves(inner)), len(outputs.data))
        at = torch.zeros(rows, dtype=torch.int64, device=device)
        if self.attend is None:
            return AttentiveState(inner, None, at, None, tree.Shared(None))
        fed = outputs.data.new_zeros(rows, self.hidden) if self.feeding else None
        covered = outputs.data.new_zeros(rows, outputs.steps)
        return AttentiveState(inner, fed, at, covered, tree.Shared(self.attend.memory(outputs)))

    def covered(self, state: AttentiveState) -> Float[Tensor, "rows S"]:
        """How much each place of its source was looked at so far: the sum of weights, the mean over heads."""
        return state.at.new_zeros(len(state.at), 0).float() if state.covered is None else state.covered

    def forward(
        self, inputs: Padded, state: AttentiveState | None = None, resets: Tensor | None = None
    ) -> tuple[Padded, AttentiveState]:
        """All steps. `resets` marks steps before which a row begins anew, with the core's initial state."""
        outputs, _, state = self._read(inputs, self.initial(len(inputs.data)) if state is None else state, resets)
        return outputs, state

    def attention(self, inputs: Padded, state: AttentiveState) -> Float[Tensor, "rows T N S"]:
        """Where every step looks: the weights, zero past a length."""
        if self.attend is None:
            raise ArgumentError("this decoder has no attention: there are no weights to give")
        return self._read(inputs, state, None)[1]

    def step(self, x: Float[Tensor, "rows D"], state: AttentiveState) -> tuple[Float[Tensor, "rows H"], AttentiveState]:
        """One step, on x (B' D)."""
        output, _, state = self._step(x, state)
        return output, state

    def stream(self, batch: int = 1, state: AttentiveState | None = None) -> Stream[AttentiveState]:
        """This core at work on sequences that never end, one item of each row at a time."""
        return Stream(self, batch, state)

    def _read(
        self, inputs: Padded, state: AttentiveState, resets: Tensor | None
    ) -> tuple[Padded, Tensor, AttentiveState]:
        """Outputs, weights (B' T N S) and the state after."""
        if self.feeding or resets is not None:
            return self._walk(inputs, state, resets)
        outputs, inner = self.core(inputs, state.inner)
        after = state._replace(inner=inner, at=state.at + inputs.lengths.to(state.at.device))
        if self.attend is None:
            return outputs, outputs.data.new_zeros(*outputs.data.shape[:2], 0, 0), after
        contexts, weights, covered = self._look(outputs, state)
        return outputs.replace(self._joined(outputs.data, contexts)).zeroed(), weights, after._replace(covered=covered)

    def _look(self, outputs: Padded, state: AttentiveState) -> tuple[Tensor, Tensor, Tensor]:
        """Contexts and weights of all of the core's outputs, and what is covered after them."""
        assert self.attend is not None
        memory: Memory = state.memory.content
        if self.attend.covering is None:
            contexts, weights = self.attend(outputs.data, memory, state.at)
            weights = outputs.replace(weights).zeroed().data
            return contexts, weights, self.covered(state) + weights.mean(2).sum(1)
        covered, parts = self.covered(state), []
        for t in range(outputs.steps):
            alive = (t < outputs.lengths).to(covered)
            context, weight = self.attend(outputs.data[:, t : t + 1], memory, state.at + t, covered)
            weight = weight * alive[:, None, None, None]
            covered = covered + weight.mean(2)[:, 0]
            parts.append((context, weight))
        if not parts:
            return *self.attend(outputs.data, memory, state.at, covered), covered
        return torch.cat([context for context, _ in parts], 1), torch.cat([weight for _, weight in parts], 1), covered

    def _walk(
        self, inputs: Padded, state: AttentiveState, resets: Tensor | None
    ) -> tuple[Padded, Tensor, AttentiveState]:
        """Step by step, where a step needs the one before."""
        batch, steps = inputs.data.shape[:2]
        longest = int(inputs.lengths.max()) if batch else 0
        lengths = inputs.lengths.to(inputs.data.device)
        outputs: list[Tensor] = []
        looks: list[Tensor] = []
        for t in range(longest):
            alive = t < lengths
            if resets is not None:
                state = tree.select(resets[:, t] & alive, self._anew(state), state)
            output, weights, new = self._step(inputs.data[:, t], state)
            state = new if inputs.is_full else tree.select(alive, new, state)
            outputs.append(output * alive[:, None])
            looks.append(weights * alive[:, None, None])
        if not outputs:
            heads = 0 if self.attend is None else self.attend.heads
            none = inputs.data.new_zeros(batch, steps, heads, self.covered(state).shape[1])
            return inputs.replace(inputs.data.new_zeros(batch, steps, self.hidden)), none, state
        data, weights = torch.stack(outputs, 1), torch.stack(looks, 1)
        more = steps - longest
        return inputs.replace(F.pad(data, (0, 0, 0, more))), F.pad(weights, (0, 0, 0, 0, 0, more)), state

    def _step(self, x: Tensor, state: AttentiveState) -> tuple[Tensor, Tensor, AttentiveState]:
        """The output (B' H), the weights (B' N S) and the state of one step."""
        if state.fed is not None:
            x = torch.cat([x, state.fed], -1)
        hidden, inner = self.core.step(x, state.inner)
        after = state._replace(inner=inner, at=state.at + 1)
        if self.attend is None:
            return hidden, hidden.new_zeros(len(hidden), 0, 0), after
        contexts, weights = self.attend(hidden[:, None], state.memory.content, state.at, state.covered)
        output = self._joined(hidden, contexts[:, 0])
        covered = self.covered(state) + weights.mean(2)[:, 0]
        return output, weights[:, 0], after._replace(fed=output if self.feeding else None, covered=covered)

    def _joined(self, hidden: Tensor, contexts: Tensor) -> Tensor:
        """h of s and c."""
        assert self.join is not None
        return torch.tanh(self.join(torch.cat([hidden, contexts], -1)))

    def _anew(self, state: AttentiveState) -> AttentiveState:
        """The state before the first step over the same sources."""
        at, covered, fed = tree.map(torch.zeros_like, (state.at, state.covered, state.fed))
        return AttentiveState(self.core.initial(len(at)), fed, at, covered, state.memory)


def _check(core: Core[Any], attend: Attend | None, feeding: bool, hidden: int) -> None:
    """Refuses what does not fit before anything is made."""
    if not core.causal:
        raise ArgumentError("a decoder's core must be causal: this one sees the symbols that it should predict")
    if hidden < 1:
        raise ArgumentError(f"hidden must be at least 1; got {hidden}")
    if attend is not None and attend.query != core.hidden:
        raise ArgumentError(f"attention for queries of {attend.query} does not fit a core that gives {core.hidden}")
    if attend is None and feeding:
        raise ArgumentError("feeding hands on what was looked at: without attention there is nothing to feed")
    if attend is None and hidden != core.hidden:
        raise ArgumentError(f"without attention the outputs are the core's, of width {core.hidden}; got {hidden}")
    if feeding and core.width <= hidden:
        raise ArgumentError(
            f"with feeding the core reads an input and {hidden} numbers of the output before: its width {core.width} "
            "must be larger"
        )
