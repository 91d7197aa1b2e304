"""Three ways from a context to many steps ahead: all at once, fed back step by step, or by a decoder that walks.

All read a window as segments: `segment` values of a channel (or of all) are one step of the core.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from throughtime import tree
from throughtime.data.windows import WindowBatch
from throughtime.errors import ArgumentError
from throughtime.heads.regress import Quantiles, Regression
from throughtime.layers import Core
from throughtime.models.frames import Form, Rows, framed, segments, unframed
from throughtime.padded import Padded
from throughtime.tally import Tally


class Head(nn.Module):
    """From features to forecasts: one number, or several quantiles of it. The loss is of standardised values."""

    def __init__(self, form: Form, hidden: int, *, levels: tuple[float, ...] = (), delta: float | None = None) -> None:
        super().__init__()
        if levels and 0.5 not in levels:
            raise ArgumentError(f"levels must have 0.5 among them, which is the forecast; got {levels}")
        width = form.segment * form.outputs
        self.levels = levels
        self.numbers: Quantiles | Regression = (
            Quantiles(hidden, width, levels=levels) if levels else Regression(hidden, width, delta=delta)
        )

    def forward(self, features: Tensor) -> Tensor:
        """R M wO, or R M wO Q."""
        found: Tensor = self.numbers(features)
        return found

    def loss(self, outputs: Tensor, targets: Tensor) -> Tally:
        """Of outputs in the units of the targets. Of the median alone it is the distance, twice the quantile's loss."""
        tally = self.numbers.loss_of(outputs, targets)
        return Tally(2 * tally.total, tally.count) if self.levels == (0.5,) else tally

    def points(self, outputs: Tensor) -> Tensor:
        """The forecast itself: the median where there are quantiles."""
        return outputs[..., self.levels.index(0.5)] if self.levels else outputs


class Queries(nn.Module):
    """What a decoder is asked with: where each segment ahead stands, which target it is of, and what is known of it.

    Source: Lin et al. (2023), "SegRNN", section 3.3; embeddings are added up here, where they are put side by side
    there.
    """

    def __init__(self, form: Form, width: int) -> None:
        super().__init__()
        self.form = form
        self.place = nn.Parameter(nn.init.normal_(torch.empty(form.ahead, width), std=0.1))
        channel = nn.init.normal_(torch.empty(form.targets, width), std=0.1)
        self.channel = nn.Parameter(channel) if form.shared else None
        self.known = nn.Linear(form.segment * form.known, width, bias=False) if form.known else None

    def forward(self, rows: Rows) -> Float[Tensor, "R M width"]:
        """One query a segment."""
        asked = self.place.expand(len(rows.values), -1, -1)
        if self.channel is not None:
            asked = asked + self.channel.repeat(len(asked) // self.form.targets, 1)[:, None]
        if self.known is not None:
            asked = asked + self.known(rows.known[:, self.form.read :])
        return asked


class Embedding(nn.Module):
    """Segments as a core takes them: relu(W x + b)."""

    def __init__(self, form: Form, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(form.segment * (form.columns + form.known), width)

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """... wC and ... wF to ... width."""
        return torch.relu(self.linear(torch.cat([values, known], -1)))


class AtOnce(nn.Module):
    """All segments ahead at once: each asks the state at the end of the context.

    Formula: s = core(x_1 ... x_N); y_m = head(step(q_m, s)), m from 1 to M
    Source: Lin et al. (2023), "SegRNN", parallel multi-step forecasting.

    >>> from throughtime.cells import GRU
    >>> from throughtime.layers import Recurrent
    >>> form = Form(context=8, horizon=4, segment=2, targets=3)
    >>> model = AtOnce(form, Recurrent(GRU(5, 6)), Head(form, 6))
    >>> model(torch.zeros(2, 8, 3), torch.zeros(2, 12, 0)).shape
    torch.Size([2, 4, 3])
    """

    def __init__(self, form: Form, core: Core[Any], head: Head, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.form, self.core, self.head = form, core, head
        self.embedding, self.queries = Embedding(form, core.width), Queries(form, core.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, history: Float[Tensor, "B L D"], known: Float[Tensor, "B T F"]) -> Tensor:
        """The forecasts, standardised: B H K, or B H K Q."""
        rows = framed(self.form, history, known)
        _, state = self.core(Padded.full(self.embedding(rows.values, rows.known[:, : self.form.read])))
        asked = self.queries(rows)
        every = tree.map(lambda part: part.repeat_interleave(self.form.ahead, 0), state)
        features, _ = self.core.step(asked.flatten(0, 1), every)
        outputs = self.head(self.dropout(features).view(*asked.shape[:2], -1))
        return unframed(self.form, rows, outputs)

    def loss(self, batch: WindowBatch, state: None = None) -> tuple[Tally, None]:
        """Of all steps ahead. Nothing is carried from batch to batch."""
        return self.head.loss(self(batch.history, batch.known), batch.targets), None


class EncoderDecoder(nn.Module):
    """A decoder walks over the segments ahead, from what the encoder's state is bridged to.

    Formula: s = encoder(x_1 ... x_N); d = decoder(q_1 ... q_M from W s + b); y_m = head(d_m), W the identity at first
    Source: Sutskever et al. (2014); the decoder is not fed with forecasts, so that it cannot drift.

    >>> from throughtime.cells import LSTM
    >>> from throughtime.layers import Recurrent
    >>> form = Form(context=8, horizon=4, targets=3, known=2)
    >>> model = EncoderDecoder(form, Recurrent(LSTM(5, 6)), Recurrent(LSTM(5, 6)), Head(form, 6, levels=(0.1, 0.5)))
    >>> model(torch.zeros(2, 8, 3), torch.zeros(2, 12, 2)).shape
    torch.Size([2, 4, 3, 2])
    """

    def __init__(self, form: Form, encoder: Core[Any], decoder: Core[Any], head: Head, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.form, self.encoder, self.decoder, self.head = form, encoder, decoder, head
        self.embedding, self.queries = Embedding(form, encoder.width), Queries(form, decoder.width)
        self.dropout = nn.Dropout(dropout)
        found = [leaf for _, leaf in tree.leaves(encoder.initial(1))]
        self.bridges = nn.ModuleList(_bridge(leaf.shape[-1]) for leaf in found if leaf.dim() == 2)

    def forward(self, history: Float[Tensor, "B L D"], known: Float[Tensor, "B T F"]) -> Tensor:
        """The forecasts, standardised: B H K, or B H K Q."""
        rows = framed(self.form, history, known)
        _, state = self.encoder(Padded.full(self.embedding(rows.values, rows.known[:, : self.form.read])))
        bridges = iter(self.bridges)  # what has one dimension counts steps: it goes on
        begun = tree.map(lambda leaf: next(bridges)(leaf) if leaf.dim() == 2 else leaf, state)
        features, _ = self.decoder(Padded.full(self.queries(rows)), begun)
        return unframed(self.form, rows, self.head(self.dropout(features.data)))

    def loss(self, batch: WindowBatch, state: None = None) -> tuple[Tally, None]:
        """Of all steps ahead. Nothing is carried from batch to batch."""
        return self.head.loss(self(batch.history, batch.known), batch.targets), None


def _bridge(width: int) -> nn.Linear:
    linear = nn.Linear(width, width)
    nn.init.eye_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


class Walk(NamedTuple):
    """Where a model in step stands: all that it remembers of what it read."""

    features: Tensor  # R H   after the last segment that was read
    last: Tensor  # R C       the last values
    state: Any


class InStep(nn.Module):
    """Each segment says the next one; ahead, the model's own forecast is fed back to it.

    Formula: y_n = x_(n, last) + head(core(x_1 ... x_n)): what is learnt is the change. Training sees the true segments
    (teacher forcing) and is judged on one-segment forecasts: of those in the context only where normalise="none", for
    what a window is relative to has seen its context.

    Raises `ArgumentError` for a form with inputs, which nothing could feed back, and for several quantiles: of
    which one would be fed back, so that those of later steps would be too near to one another.

    >>> from throughtime.cells import GRU
    >>> from throughtime.layers import Recurrent
    >>> form = Form(context=8, horizon=4, targets=2, normalise="none")
    >>> model = InStep(form, Recurrent(GRU(5, 6)), Head(form, 6))
    >>> model(torch.zeros(2, 8, 2), torch.zeros(2, 12, 0)).shape
    torch.Size([2, 4, 2])
    """

    def __init__(self, form: Form, core: Core[Any], head: Head, *, dropout: float = 0.0) -> None:
        super().__init__()
        if form.inputs:
            raise ArgumentError(f"a model in step cannot forecast {form.inputs} inputs, to feed them back to itself")
        if len(head.levels) > 1:
            raise ArgumentError(f"a model in step feeds back one forecast, not quantiles; got levels {head.levels}")
        self.form, self.core, self.head = form, core, head
        self.embedding, self.dropout = Embedding(form, core.width), nn.Dropout(dropout)

    def forward(self, history: Float[Tensor, "B L D"], known: Float[Tensor, "B T F"]) -> Tensor:
        """The forecasts, standardised: B H K, or B H K Q."""
        rows = framed(self.form, history, known)
        walk = self.read(rows.values, rows.known[:, 1 : self.form.read + 1])
        return unframed(self.form, rows, self.run(walk, rows.known[:, self.form.read + 1 :]))

    def read(self, values: Tensor, known: Tensor, walk: Walk | None = None) -> Walk:
        """The walk after segments (R N wC), with what is known of the one after each (R N wF)."""
        data = Padded.full(self.embedding(values, known))
        features, state = self.core(data, None if walk is None else walk.state)
        return Walk(features.data[:, -1], values[:, -1, -self.form.columns :], state)

    def run(self, walk: Walk, known: Tensor) -> Tensor:
        """M segments ahead (R M wO, or R M wO Q); `known` is of all but the first of them."""
        found = [self._said(walk.features, walk.last)]
        for step in range(self.form.ahead - 1):
            values = self.head.points(found[-1])
            features, state = self.core.step(self.embedding(values, known[:, step]), walk.state)
            walk = Walk(features, values[:, -self.form.columns :], state)
            found.append(self._said(walk.features, walk.last))
        return torch.stack(found, 1)

    def loss(self, batch: WindowBatch, state: None = None) -> tuple[Tally, None]:
        """Of segments from those before them: what no level has seen. Nothing is carried from batch to batch."""
        form, whole = self.form, torch.cat([batch.history, batch.targets], 1)
        rows = framed(form, batch.history, batch.known)
        level, spread = rows.level, rows.spread
        channels = whole.transpose(1, 2).flatten(0, 1)[..., None] if form.shared else whole
        values = segments((channels - level) / spread, form.segment)
        features, _ = self.core(Padded.full(self.embedding(values[:, :-1], rows.known[:, 1:])))
        first = 0 if form.normalise == "none" else form.read - 1  # from which a forecast is judged
        outputs = self._said(features.data[:, first:], values[:, first:-1, -form.columns :])
        return self.head.loss(unframed(form, rows, outputs), whole[:, (first + 1) * form.segment :]), None

    def _said(self, features: Tensor, last: Tensor) -> Tensor:
        changes: Tensor = self.head(self.dropout(features))
        base = last.repeat(*[1] * (last.dim() - 1), self.form.segment)
        return changes + (base[..., None] if self.head.levels else base)


Multistep = AtOnce | EncoderDecoder | InStep
