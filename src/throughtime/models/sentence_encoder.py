"""A trained encoder of sentences together with its units: vectors of sentences, and how much they tell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from throughtime.data.neighbours import NeighbourBatch, Neighbours
from throughtime.data.units import Units, unknown_among
from throughtime.errors import DataError
from throughtime.layers.rest import at_rest
from throughtime.models.pooled import in_batches, vectors_of
from throughtime.models.skip_thought import SkipThought
from throughtime.tally import Tally


@dataclass(frozen=True)
class NeighbourScore:
    """How well vectors tell the sentences beside theirs. Units: nats for one unit of the vocabulary, ends included.

    `shuffled` is told by the same decoders from the vectors of other sentences: were it no more, the vectors would say
    nothing.
    """

    before: Tally
    after: Tally
    shuffled: Tally  # both, from the vectors of other sentences; of nothing where there is no other
    sentences: int
    unknown: int  # units that the vocabulary lacks, each scored as <unk>

    @property
    def nats(self) -> Tally:
        """Before and after."""
        return self.before + self.after

    @property
    def gain(self) -> float:
        """Nats a unit that the vector of the sentence itself saves, beside that of another."""
        return self.shuffled.mean - self.nats.mean

    @property
    def loss(self) -> float:
        """What training tries to lower."""
        return self.nats.mean

    def sentence(self) -> str:
        """What there is to say of it, for people."""
        other = f"; {self.shuffled.mean:.4f} from the vectors of others" if self.shuffled.count else ""
        return f"{self.nats.mean:.4f} nats (before {self.before.mean:.4f}, after {self.after.mean:.4f}){other}"

    def to_json(self) -> dict[str, Any]:
        """All of it, by name; None for what is no finite number, which JSON has not."""
        numbers = {
            "nats_per_unit": self.nats.mean,
            "before_nats_per_unit": self.before.mean,
            "after_nats_per_unit": self.after.mean,
            "shuffled_nats_per_unit": self.shuffled.mean,
            "gain_nats_per_unit": self.gain,
        }
        counts = {"sentences": self.sentences, "units": self.nats.count, "unknown": self.unknown}
        return {**{name: value if math.isfinite(value) else None for name, value in numbers.items()}, **counts}


class SentenceEncoder:
    """A skip-thought model together with its units.

    >>> from torch import nn
    >>> from throughtime.cells import GRU
    >>> from throughtime.data.units import WordUnits
    >>> from throughtime.heads import Softmax
    >>> from throughtime.layers import MeanPool, Recurrent
    >>> units, decoders = WordUnits.learn("the cat sleeps"), [Recurrent(GRU(7, 5)) for _ in range(2)]
    >>> encoder, embedding, head = Recurrent(GRU(3, 4)), nn.Embedding(len(units), 3), Softmax(5, len(units))
    >>> model = SkipThought(embedding, encoder, MeanPool(), decoders, head, end=units.end)
    >>> vectors = SentenceEncoder(model, units).embed(["the cat", "", "cat sleeps"])
    >>> vectors.shape, vectors[1].tolist()
    ((3, 4), [0.0, 0.0, 0.0, 0.0])
    """

    def __init__(self, model: SkipThought, units: Units) -> None:
        self.model, self.units, self.width = model, units, model.width

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.embedding.weight.device

    def encoded(self, sentences: Sequence[str]) -> list[Tensor]:
        """The ids of each sentence; white space at its ends, line ends among it, is none of it."""
        return [torch.from_numpy(self.units.encode(" ".join(text.split("\n")).strip())).long() for text in sentences]

    def unknown(self, sequences: Sequence[Tensor]) -> int:
        """How many units of encoded sentences the vocabulary lacks."""
        return sum(unknown_among(ids, self.units.unknown) for ids in sequences)

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of sentences (N W), in their order; zeros for one without words."""
        return self.embed_encoded(self.encoded(sentences))

    def embed_encoded(self, sequences: Sequence[Tensor]) -> NDArray[np.float32]:
        """The vectors (N W) of sentences, given by their ids."""
        with at_rest(self.model):
            return vectors_of(self.model.vectors, sequences, self.width, self.device)

    def score(self, neighbours: Neighbours, rows: NDArray[np.int64] | None = None) -> NeighbourScore:
        """How well neighbours are told, of some of the sentences or of all; all of these are read first.

        The vector of another sentence is that of the one that stands half of all sentences further on.

        Raises `DataError` when no sentence has a neighbour.
        """
        rows = neighbours.rows if rows is None else rows
        if not len(rows):
            raise DataError("no sentence has a neighbour to judge its vector by; give sentences that stand together")
        vectors = torch.from_numpy(self.embed_encoded([neighbours.sequences[row] for row in rows]))
        others = vectors.roll(-(len(rows) // 2), 0)
        before = after = shuffled = Tally(0.0, 0)
        lengths = [len(neighbours.sequences[row]) for row in rows]
        with at_rest(self.model):
            for some in in_batches(lengths):
                batch = neighbours.batch(rows[some]).to(self.device)
                first, second = self._told(vectors[some], batch)
                before, after = before + first, after + second
                if len(rows) > 1:
                    shuffled = sum(self._told(others[some], batch), shuffled)
        targets = np.concatenate([neighbours.before[rows], neighbours.after[rows]])
        unknown = self.unknown([neighbours.sequences[place] for place in targets[targets >= 0]])
        return NeighbourScore(before, after, shuffled, len(rows), unknown)

    def _told(self, vectors: Float[Tensor, "B W"], batch: NeighbourBatch) -> tuple[Tally, Tally]:
        before, after = self.model.told(vectors.to(self.device), batch)
        return before.detach(), after.detach()
