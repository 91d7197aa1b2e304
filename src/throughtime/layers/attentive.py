"""Attentive: a core that looks at a source at every step."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from throughtime import tree
from throughtime.errors import ArgumentError
from throughtime.layers.attend import Attend, Memory, whole_past
from throughtime.layers.hard import Reinforced
from throughtime.layers.scan import Core
from throughtime.layers.steady import step
from throughtime.layers.stream import Stream
from throughtime.layers.where import Weights
from throughtime.padded import Padded


class AttentiveState(NamedTuple):
    """What a decoder remembers: a row for each sequence that is written, and what they share of each source."""

    inner: Any  # the core's
    fed: Tensor | None  # B' H   the last output, where it is fed to the next step
    at: Tensor  # B'             steps so far
    covered: Tensor | None  # B' S   the sum of the weights so far, the mean over heads, where it is counted
    memory: tree.Shared  # of a Memory with a row for each source


class Seen(NamedTuple):
    """What the steps of a decoder gave, and what they looked at."""

    outputs: Tensor  # B' T H
    queries: Tensor  # B' T Q          the core's outputs
    weights: Weights | None  # B' T N S   where there is attention; those that were used are zero past a length


class Attentive(nn.Module):
    """A core whose every output has looked at a source: the decoder of a translator.

    Formula: s_t = core(y_t) or, with `feeding`, core([y_t; h_{t−1}]); c_t = attend(s_t); h_t = tanh(W [s_t; c_t]).

    Without `attend` h = s: all that is known of a source is the state that the core begins with. Without `feeding` all
    steps of the core are scanned first, and then look at the source: together, or one by one where they must know what
    is covered. `begin` gives the state to start from. A row whose length is over keeps its state.

    Shapes: y B' T D; h B' T H, `hidden` wide (as the core's outputs, if not given); W H (Q + attend's width).
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

    def begin(self, outputs: Padded, inner: Any, *, counted: bool = True) -> AttentiveState:
        """The state before the first step, over an encoder's outputs (B S W), with that of the core (B' rows).

        Where it is not `counted`, and no step asks for it, what was `covered` is not added up.
        """
        device = outputs.data.device
        rows = next((len(leaf) for _, leaf in tree.leaves(inner)), len(outputs.data))
        at = torch.zeros(rows, dtype=torch.int64, device=device)
        if self.attend is None:
            return AttentiveState(inner, None, at, None, tree.Shared(None))
        fed = outputs.data.new_zeros(rows, self.hidden) if self.feeding else None
        asked = counted or self.attend.covering is not None
        covered = outputs.data.new_zeros(rows, outputs.steps) if asked else None
        return AttentiveState(inner, fed, at, covered, tree.Shared(self.attend.memory(outputs)))

    def covered(self, state: AttentiveState) -> Float[Tensor, "rows S"]:
        """How much each place of its source was looked at so far: the sum of weights, the mean over heads.

        It is one past a length: what is not there wants no more looking at.
        Raises `ArgumentError` for a state that began without counting.
        """
        if self.attend is None:
            return state.at.new_zeros(len(state.at), 0).float()
        if state.covered is None:
            raise ArgumentError("this state does not count what is looked at: begin it with counted=True")
        return whole_past(state.covered, state.memory.content.mask)

    def forward(
        self, inputs: Padded, state: AttentiveState | None = None, resets: Tensor | None = None
    ) -> tuple[Padded, AttentiveState]:
        """All steps. `resets` marks steps before which a row begins anew, with the core's initial state."""
        outputs, _, state = self.explore(inputs, state, resets)
        return outputs, state

    def attention(self, inputs: Padded, state: AttentiveState) -> Float[Tensor, "rows T N S"]:
        """Where every step looks: the weights, zero past a length."""
        weights = self.explore(inputs, state)[1].weights
        if weights is None:
            raise ArgumentError("this decoder has no attention: there are no weights to give")
        return weights.used

    def explore(
        self, inputs: Padded, state: AttentiveState | None = None, resets: Tensor | None = None
    ) -> tuple[Padded, Seen, AttentiveState]:
        """`forward`, with what was looked at, which `surrogate` asks for."""
        state = self.initial(len(inputs.data)) if state is None else state
        if self.feeding or resets is not None:
            seen, state = self._walk(inputs, state, resets)
        else:
            seen, state = self._scan(inputs, state)
        return inputs.replace(seen.outputs), seen, state

    @property
    def reinforced(self) -> bool:
        """Whether a model in training must add `surrogate` to its loss, for attention to learn where to look."""
        return self.training and self.attend is not None and isinstance(self.attend.where, Reinforced)

    def surrogate(self, seen: Seen, gains: Float[Tensor, "rows T"]) -> Float[Tensor, ""]:
        """A loss that is zero, and has the gradient by which places that were drawn are reinforced.

        `gains` are log p of what stands at each step, zero past a length: a draw is good for what comes at its own
        step, and, where later steps know of it (`feeding`, coverage), for all that comes after it.

        Raises `ArgumentError` where nothing is reinforced.

        >>> from throughtime.cells import GRU
        >>> from throughtime.layers import General, Recurrent
        >>> decoder = Attentive(Recurrent(GRU(3, 4)), Attend(General(4, 6), Reinforced(4)))
        >>> state = decoder.begin(Padded.full(torch.randn(2, 7, 6)), decoder.core.initial(2))
        >>> outputs, seen, state = decoder.explore(Padded.full(torch.zeros(2, 5, 3)), state)
        >>> decoder.surrogate(seen, -torch.ones(2, 5)).item()  # of a decoder in training
        0.0
        """
        where = None if self.attend is None else self.attend.where
        if not isinstance(where, Reinforced) or seen.weights is None:
            raise ArgumentError("nothing is reinforced: that is for attention whose where is Reinforced")
        if self.feeding or (self.attend is not None and self.attend.covering is not None):
            gains = gains.flip(1).cumsum(1).flip(1)
        return where.surrogate(seen.weights, seen.queries, gains)

    def step(self, x: Float[Tensor, "rows D"], state: AttentiveState) -> tuple[Float[Tensor, "rows H"], AttentiveState]:
        """One step, on x (B' D)."""
        seen, state = self._step(x, state)
        return seen.outputs, state

    def stream(self, batch: int = 1, state: AttentiveState | None = None) -> Stream[AttentiveState]:
        """This core at work on sequences that never end, one item of each row at a time."""
        return Stream(self, batch, state)

    def _scan(self, inputs: Padded, state: AttentiveState) -> tuple[Seen, AttentiveState]:
        """All steps of the core, and then all of their looks."""
        queries, inner = self.core(inputs, state.inner)
        state = state._replace(inner=inner)
        outputs, weights = queries.data, None
        if self.attend is not None:
            contexts, weights, covered = self._look(queries, state)
            outputs = queries.replace(self._joined(queries.data, contexts)).zeroed().data
            state = state._replace(covered=covered)
        at = state.at + inputs.lengths.to(state.at.device)
        return Seen(outputs, queries.data, weights), state._replace(at=at)

    def _look(self, queries: Padded, state: AttentiveState) -> tuple[Tensor, Weights, Tensor | None]:
        """Contexts and weights of all queries, and what is covered after them."""
        assert self.attend is not None
        memory: Memory = state.memory.content
        covered = state.covered
        if self.attend.covering is None or covered is None or not queries.steps:
            contexts, weights = self.attend.look(queries.data, memory, state.at, covered)
            used = queries.replace(weights.used).zeroed().data
            return contexts, Weights(used, weights.chances), None if covered is None else covered + _mean(used).sum(1)
        parts = []
        for t, alive in enumerate(queries.mask.to(covered).unbind(1)):
            context, weights = self.attend.look(queries.data[:, t : t + 1], memory, state.at + t, covered)
            used = weights.used * alive[:, None, None, None]
            covered = covered + _mean(used)[:, 0]
            parts.append((context[:, 0], Weights(used[:, 0], weights.chances[:, 0])))
        return *tree.stack(parts, 1), covered

    def _walk(self, inputs: Padded, state: AttentiveState, resets: Tensor | None) -> tuple[Seen, AttentiveState]:
        """Step by step, where a step needs the one before."""
        batch, steps = inputs.data.shape[:2]
        longest = max(1, int(inputs.lengths.max())) if batch else 1  # one at least, to know the shapes
        lengths = inputs.lengths.to(inputs.data.device)
        nothing = inputs.data.new_zeros(batch, self.width)
        parts = []
        for t in range(longest):
            alive = t < lengths
            all_are = inputs.is_full and t < steps
            if resets is not None and t < steps:
                state = tree.select(resets[:, t] & alive, self._anew(state), state)
            seen, new = self._step(inputs.data[:, t] if t < steps else nothing, state)
            state = new if all_are else tree.select(alive, new, state)
            parts.append(seen if all_are else tree.select(alive, seen, tree.map(torch.zeros_like, seen)))
        return tree.map(lambda part: _of_length(part, steps), tree.stack(parts, 1)), state

    def _step(self, x: Tensor, state: AttentiveState) -> tuple[Seen, AttentiveState]:
        """What one step gives (B' ...), and the state after it."""
        if state.fed is not None:
            x = torch.cat([x, state.fed], -1)
        hidden, inner = step(self.core, x, state.inner)
        state = state._replace(inner=inner, at=state.at + 1)
        if self.attend is None:
            return Seen(hidden, hidden, None), state
        contexts, weights = self.attend.look(hidden[:, None], state.memory.content, state.at - 1, state.covered)
        output = self._joined(hidden, contexts[:, 0])
        covered = None if state.covered is None else state.covered + _mean(weights.used)[:, 0]
        state = state._replace(fed=output if self.feeding else None, covered=covered)
        return Seen(output, hidden, Weights(weights.used[:, 0], weights.chances[:, 0])), state

    def _joined(self, hidden: Tensor, contexts: Tensor) -> Tensor:
        """h of s and c."""
        assert self.join is not None
        return torch.tanh(self.join(torch.cat([hidden, contexts], -1)))

    def _anew(self, state: AttentiveState) -> AttentiveState:
        """The state before the first step over the same sources."""
        at, covered, fed = tree.map(torch.zeros_like, (state.at, state.covered, state.fed))
        return AttentiveState(self.core.initial(len(at)), fed, at, covered, state.memory)


def _of_length(part: Tensor, steps: int) -> Tensor:
    """The first steps of B T ..., with zeros where there are fewer."""
    missing = part.new_zeros(len(part), max(0, steps - part.shape[1]), *part.shape[2:])
    return torch.cat([part[:, :steps], missing], 1)


def _mean(used: Tensor) -> Tensor:
    """The mean over the heads of weights B' T N S."""
    return used[:, :, 0] if used.shape[2] == 1 else used.mean(2)


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
