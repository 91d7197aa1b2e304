"""Writer: a language model together with its units, which makes and judges text."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from jaxtyping import Int
from torch import Tensor

from throughtime import tree
from throughtime.data.lanes import Reading
from throughtime.data.read import encoded
from throughtime.data.units import Ids, Units, unknown_among
from throughtime.errors import DataError
from throughtime.layers import CausalTransformer, Window
from throughtime.layers.rest import at_rest
from throughtime.models.language import LanguageModel
from throughtime.search import sample
from throughtime.tally import Tally


@dataclass(frozen=True)
class Scores:
    """How well a text was predicted. Units: nats (natural logarithm) and bits, for one unit of the vocabulary.

    `bits_per_byte` is the total over all of the text's UTF-8 bytes, so that models with different units compare. Words
    carry neither the white space between them nor how an unknown one is spelt: theirs is a little low beside others.

    >>> Scores(nats=8 * math.log(2), units=4, bytes=8, unknown=0).bits_per_byte
    1.0
    """

    nats: float  # in all
    units: int
    bytes: int
    unknown: int  # units that the vocabulary lacks, each scored as <unk>
    nats_per_unit: float = field(init=False)
    bits_per_unit: float = field(init=False)
    perplexity: float = field(init=False)
    bits_per_byte: float = field(init=False)

    def __post_init__(self) -> None:
        mean = self.nats / self.units
        object.__setattr__(self, "nats_per_unit", mean)
        object.__setattr__(self, "bits_per_unit", mean / math.log(2))
        object.__setattr__(self, "perplexity", math.exp(mean) if mean < 700 else math.inf)
        object.__setattr__(self, "bits_per_byte", self.nats / math.log(2) / self.bytes)

    @property
    def loss(self) -> float:
        """What training tries to lower."""
        return self.nats_per_unit

    def to_json(self) -> dict[str, Any]:
        """All of it, by name; None for what is no finite number, which JSON has not."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


class Writer:
    """A language model together with its units.

    >>> from throughtime.cells import GRU
    >>> from throughtime.data.units import CharacterUnits
    >>> from throughtime.layers import Recurrent
    >>> units = CharacterUnits.learn("hello")
    >>> writer = Writer(LanguageModel(len(units), Recurrent(GRU(4, 8))), units)
    >>> len(writer.generate("he", length=5, seed=0)), writer.score("hello").units
    (5, 5)
    """

    def __init__(self, model: LanguageModel, units: Units) -> None:
        self.model, self.units = model, units

    def unknown(self, text: str) -> int:
        """How many units of a text the vocabulary lacks."""
        return unknown_among(self.units.encode(text), self.units.unknown)

    def stream(
        self,
        prompt: str = "",
        *,
        length: int = 500,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: bool = False,
        seed: int | None = None,
    ) -> Iterator[str]:
        """Up to `length` units that go on from a prompt, as they are made; `stop` ends at the first `<eos>`.

        Characters that the vocabulary lacks are never made. The same seed gives the same text.
        Raises `ArgumentError` as `throughtime.search.truncate` does.
        """
        training = self.model.training
        self.model.eval()
        try:
            yield from self.units.pieces(
                sample(
                    self.model,
                    [self.units.start, *self.units.encode(prompt).tolist()],
                    length=length,
                    temperature=temperature,
                    top_k=top_k,
                    top_p=top_p,
                    stop=self.units.end if stop else None,
                    forbidden=[0] if self.units.kind == "character" else [],
                    seed=seed,
                )
            )
        finally:
            self.model.train(training)

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 500,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: bool = False,
        seed: int | None = None,
    ) -> str:
        """What `stream` makes, in one string."""
        pieces = self.stream(
            prompt, length=length, temperature=temperature, top_k=top_k, top_p=top_p, stop=stop, seed=seed
        )
        return "".join(pieces)

    def score(self, text: str) -> Scores:
        """How well a text is predicted. Raises `DataError` when it has no units."""
        return self.score_ids(self.units.encode(text), len(encoded(text)))

    def score_ids(self, ids: Ids, size: int) -> Scores:
        """How well a text of `size` bytes, given by its ids, is predicted."""
        if not len(ids):
            raise DataError("the text has no units to score; give a longer one")
        device = self.model.embedding.weight.device
        with at_rest(self.model):
            reading = Reading(ids, start=self.units.start, warm=self._memory())
            tally, state = Tally(0.0, 0), self._state_at(reading.begins)
            for chunk in reading:
                part, state = self.model.loss(chunk.to(device), state)
                tally = tally + part.detach()
        return Scores(float(tally.total), tally.count, size, unknown_among(ids, self.units.unknown))

    def _memory(self) -> int:
        """How many units to read before those that are scored.

        All that a window or attention sees, so that a lane scores as a reader from the beginning would; 256 for a
        recurrence, and 2,048 for one that counts time, which sleeps for most of it.
        """
        if isinstance(self.model.core, CausalTransformer):
            return self.model.core.reach - 1
        seen = sum(layer.window for layer in self.model.modules() if isinstance(layer, Window))
        counts = any(name.endswith(".time") for name, _ in tree.leaves(self.model.initial(1), "state"))
        return max(2048 if counts else 256, seen)

    def _state_at(self, begins: Int[Tensor, " B"]) -> Any:
        """Fresh states, one for each lane; a cell that counts `time` in its state begins at the lane's place."""
        state = self.model.initial(len(begins))
        leaves = tree.leaves(state, "state")
        named = {name: begins.to(leaf) if name.endswith(".time") else leaf for name, leaf in leaves}
        return tree.restore(state, named, "state")
