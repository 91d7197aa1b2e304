"""The model of masked units: a text with holes in, what stood there out."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from throughtime.data.masking import MaskedBatch, around_holes, masked_reading
from throughtime.data.units import Ids, Units, unknown_among
from throughtime.errors import DataError
from throughtime.heads import Softmax
from throughtime.layers import Core, VariationalDropout
from throughtime.layers.rest import at_rest
from throughtime.padded import Padded
from throughtime.tally import Tally


class MaskedModel(nn.Module):
    """Embedding, core, softmax: what stood at a place, by all that stands around it.

    Formula: p(x_t | x̃) = softmax(core(E x̃_1, ..., E x̃_T)_t), x̃ the text with some of its units hidden

    The mask has the number `vocab`, after those of all units. Dropout falls on the embeddings and on the core's
    outputs. `tied` uses E as the softmax's weight as well.

    Source: Devlin et al. (2019), "BERT", without the dense layer before its softmax.

    >>> import torch
    >>> from throughtime.layers import TransformerEncoder
    >>> model = MaskedModel(10, TransformerEncoder(4, 8, 1, 2))
    >>> batch = MaskedBatch(Padded.full(torch.tensor([[3, 10, 5]])), torch.tensor([[-1, 7, -1]]))
    >>> model.loss(batch)[0].count
    1
    """

    def __init__(self, vocab: int, core: Core[Any], *, dropout: float = 0.0, tied: bool = False) -> None:
        super().__init__()
        self.vocab, self.core, self.dropout = vocab, core, VariationalDropout(dropout)
        self.embedding = nn.Embedding(vocab + 1, core.width)
        nn.init.normal_(self.embedding.weight, std=core.width**-0.5)  # of norm 1, about, however wide
        weight = cast(nn.Parameter, self.embedding.weight) if tied else None
        self.head = Softmax(core.hidden, vocab + 1, tied=weight)

    def features(self, inputs: Padded) -> Float[Tensor, "B T H"]:
        """What the head sees at each place."""
        embedded = inputs.replace(self.dropout(self.embedding(inputs.data))).zeroed()
        return self.dropout(self.core(embedded)[0].data)  # type: ignore[no-any-return]

    def loss(self, batch: MaskedBatch, state: None = None) -> tuple[Tally, None]:
        """The nats of what is hidden. Nothing is carried from batch to batch."""
        return self.head.loss(self.features(batch.inputs), batch.targets), None

    def best(self, batch: MaskedBatch, *, never: int | None = None) -> Tensor:
        """The likeliest unit at each place that is to be filled in, in their order; `never` is none of them."""
        found = self.features(batch.inputs)[batch.targets >= 0]
        logs = self.head.log_probabilities(found)[:, : self.vocab]
        if never is not None:
            logs[:, never] = -math.inf
        return logs.argmax(-1)


@dataclass(frozen=True)
class MaskedScores:
    """How well hidden units were filled in. Units: nats (natural logarithm) and bits, for one hidden unit."""

    nats: float  # in all
    units: int  # that were hidden
    right: int  # of them, whose likeliest guess is the truth
    nats_per_unit: float = field(init=False)
    bits_per_unit: float = field(init=False)
    perplexity: float = field(init=False)
    accuracy: float = field(init=False)

    def __post_init__(self) -> None:
        mean = self.nats / self.units
        object.__setattr__(self, "nats_per_unit", mean)
        object.__setattr__(self, "bits_per_unit", mean / math.log(2))
        object.__setattr__(self, "perplexity", math.exp(mean) if mean < 700 else math.inf)
        object.__setattr__(self, "accuracy", self.right / self.units)

    @property
    def loss(self) -> float:
        """What training tries to lower."""
        return self.nats_per_unit

    def to_json(self) -> dict[str, Any]:
        """All of it, by name; None for what is no finite number, which JSON has not."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


class Filler:
    """A model of masked units together with its units; it reads `steps` of them at a time.

    >>> from throughtime.data.units import CharacterUnits
    >>> from throughtime.layers import TransformerEncoder
    >>> units = CharacterUnits.learn("hello")
    >>> filler = Filler(MaskedModel(len(units), TransformerEncoder(4, 8, 1, 2)), units, steps=8)
    >>> len(filler.fill(["h", None, "l", None, "o"]))
    5
    """

    def __init__(self, model: MaskedModel, units: Units, *, steps: int) -> None:
        self.model, self.units, self.steps = model, units, steps

    def unknown(self, text: str) -> int:
        """How many units of a text the vocabulary lacks."""
        return unknown_among(self.units.encode(text), self.units.unknown)

    def score(self, text: str) -> MaskedScores:
        """How well units of a text that are hidden are filled in. Raises `DataError` when it has no units."""
        return self.score_ids(self.units.encode(text))

    def score_ids(self, ids: Ids) -> MaskedScores:
        """How well units of a text, given by its ids, are filled in; which are hidden is always the same."""
        if not len(ids):
            raise DataError("the text has no units to score; give a longer one")
        device, tally, right = self.model.embedding.weight.device, Tally(0.0, 0), 0
        with at_rest(self.model):
            for batch in masked_reading(ids, self.model.vocab, steps=self.steps):
                placed = batch.to(device)
                tally = tally + self.model.loss(placed)[0].detach()
                right += int((self.model.best(placed) == placed.targets[placed.targets >= 0]).sum())
        return MaskedScores(float(tally.total), tally.count, right)

    def fill(self, pieces: Sequence[str | None]) -> list[str]:
        """Pieces of text with None for a unit that is hidden: the same with the likeliest known unit in its place.

        What is looked at is the text around each, as much of it as `score` looks at.
        """
        hidden = np.array([self.model.vocab], np.int32)
        parts = [hidden if piece is None else self.units.encode(piece) for piece in pieces]
        found: list[int] = []
        with at_rest(self.model):
            for batch in around_holes(np.concatenate([hidden[:0], *parts]), self.model.vocab, steps=self.steps):
                placed = batch.to(self.model.embedding.weight.device)
                found += self.model.best(placed, never=self.units.unknown).tolist()
        guesses = iter(found)
        return [self._shown(next(guesses)) if piece is None else piece for piece in pieces]

    def show(self, ids: Ids, *, most: int = 4) -> str:
        """The beginning of a text as it is filled in: `[guess]` where it is right, `[guess|truth]` where it is not."""
        lines = []
        with at_rest(self.model):
            for batch in masked_reading(ids[: most * self.steps], self.model.vocab, steps=self.steps, rows=1):
                found = self.model.best(batch.to(self.model.embedding.weight.device)).tolist()
                lines.append(self._told(batch, found))
        return "\n".join(lines)

    def _told(self, batch: MaskedBatch, found: list[int]) -> str:
        shown, guesses = [], iter(found)
        for id, target in zip(batch.inputs.data[0].tolist(), batch.targets[0].tolist(), strict=True):
            if target < 0:
                shown.append(self._shown(id))
                continue
            guess, truth = self._shown(next(guesses)), self._shown(target)
            shown.append(f"[{guess}]" if guess == truth else f"[{guess}|{truth}]")
        return (" " if self.units.kind == "word" else "").join(shown).replace("\n", "⏎")

    def _shown(self, id: int) -> str:
        return "".join(self.units.pieces([id]))
