"""Translator: a translation model together with its units, which makes and judges lines."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from throughtime.data.alignments import Alignment
from throughtime.data.line_units import LineUnits
from throughtime.data.pair_batches import pairs_in_order
from throughtime.data.units import Ids
from throughtime.errors import ArgumentError, DataError
from throughtime.layers.packed import packed
from throughtime.layers.rest import at_rest
from throughtime.models.translation import TranslationModel
from throughtime.padded import Padded
from throughtime.search import Beam, Ensemble, Hypothesis, Ranking, Rules, Sampling, Stepper, beam, rescored, sampled
from throughtime.tally import Tally

SOURCE_LIMIT = 2**15  # symbols of a source that we are willing to read
ROWS, SYMBOLS = 64, 2**14  # of a batch, at most: sources, and symbols with padding


@dataclass(frozen=True)
class Search:
    """How translations are searched for, in words.

    `width`, `keep` (translations of a line), `alpha`, `form` and `coverage` (of the ranking), `groups` and `diversity`
    are the beam's, as `throughtime.search` has them. No translation has fewer symbols than `shortest`; the search
    gives up at `longest` (None: what targets in training were like). Words or phrases of `forbidden` never come, all
    of `required` do, and `prefix` is what translations begin with.
    """

    width: int = 5
    keep: int = 1
    alpha: float = 0.7
    form: Literal["power", "wu"] = "power"
    coverage: float = 0.0
    groups: int = 1
    diversity: float = 0.0
    shortest: int = 0
    longest: int | None = None
    forbidden: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def ranking(self) -> Ranking:
        """How hypotheses are compared."""
        return Ranking(alpha=self.alpha, form=self.form, coverage=self.coverage)

    @property
    def beam(self) -> Beam:
        """The settings of the beam."""
        return Beam(self.width, self.keep, self.ranking, self.groups, self.diversity)


@dataclass(frozen=True)
class Translation:
    """A line that was made of another."""

    text: str
    ids: tuple[int, ...]  # its symbols, without the end
    log_probability: float  # nats, the end included
    score: float  # by which it was ranked
    finished: bool  # whether it ended by itself, before the search gave up


class Translator:
    """A translation model together with its units.

    `longest_target` is that of the training pairs, by which the search knows when to give up; `search` is how it
    searches where nothing else is asked.
    """

    def __init__(
        self,
        model: TranslationModel,
        source_units: LineUnits,
        target_units: LineUnits,
        *,
        longest_target: int,
        search: Search | None = None,
    ) -> None:
        self.model, self.source_units, self.target_units = model, source_units, target_units
        self.longest_target, self.search = longest_target, search or Search()

    def read(self, line: str) -> Ids:
        """The symbols of a source, and its end. Raises `DataError` for a source of over 32,768 of them."""
        ids = self.source_units.ended(self.source_units.encode(line))
        if len(ids) > SOURCE_LIMIT:
            raise DataError(
                f"a source has {len(ids) - 1:,} {self.source_units.kind}s, and {SOURCE_LIMIT - 1:,} is the limit: "
                "part it"
            )
        return ids

    def unknown(self, line: str) -> int:
        """How many units of a source the vocabulary lacks."""
        unknown = self.source_units.unknown
        return 0 if unknown is None else int((self.source_units.encode(line) == unknown).sum())

    def limit(self, symbols: int) -> int:
        """Symbols of a translation of so many at which the search gives up, unless it is told another limit."""
        return max(math.ceil(1.5 * self.longest_target), 2 * symbols + 20)

    def translate(
        self,
        lines: Sequence[str],
        search: Search | None = None,
        *,
        partners: Sequence["Translator"] = (),
        rows: int = ROWS,
    ) -> list[list[Translation]]:
        """The best translations of each line, in the order of the lines; of an empty line, an empty one.

        Lines of about the same length are searched together, `rows` at most. `partners` are translators with the same
        units: the mean of the probabilities of all is searched.

        Raises `DataError` for a line that is too long, `ArgumentError` for what does not go together.
        """
        search = search or self.search
        stepper, rules = self._stepper(partners), self._rules(search)
        prefix = self.target_units.encode(search.prefix).tolist()

        def searched(source: Padded, longest: list[int]) -> list[list[Hypothesis]]:
            prefixes = [prefix] * len(longest) if prefix else None
            return beam(stepper, source, rules=rules, longest=longest, prefixes=prefixes, settings=search.beam)

        return self._made(lines, searched, search.longest, rows)

    def best(self, lines: Sequence[str], search: Search | None = None) -> list[Translation]:
        """The best translation of each line; where nothing is possible, an empty one that has no end."""
        nothing = Translation("", (), -math.inf, -math.inf, False)
        return [found[0] if found else nothing for found in self.translate(lines, search)]

    def sample(
        self, lines: Sequence[str], settings: Sampling, search: Search | None = None, *, rows: int = ROWS
    ) -> list[list[Translation]]:
        """Translations of each line that are drawn by chance; of `search` only what limits them is used."""
        search = search or self.search
        rules, prefix = self._rules(search), self.target_units.encode(search.prefix).tolist()

        def drawn(source: Padded, longest: list[int]) -> list[list[Hypothesis]]:
            prefixes = [prefix] * len(longest) if prefix else None
            return sampled(self.model, source, rules=rules, longest=longest, prefixes=prefixes, settings=settings)

        return self._made(lines, drawn, search.longest, rows)

    def _made(self, lines: Sequence[str], search: Any, longest: int | None, rows: int) -> list[list[Translation]]:
        """Translations by a search of a batch of sources, each with its limit."""
        if rows < 1:
            raise ArgumentError(f"rows must be at least 1; got {rows}")
        sources = [self.read(line) for line in lines]
        found: list[list[Translation]] = [[Translation("", (), 0.0, 0.0, True)] for _ in lines]
        with at_rest(self.model), packed(self.model):
            for places in _of_like_length(sources, rows):
                kept = [place for place in places if lines[place].strip()]
                if not kept:
                    continue
                some = [sources[place] for place in kept]
                limits = [longest or self.limit(len(ids) - 1) for ids in some]
                for place, hypotheses in zip(kept, search(padded(some), limits), strict=True):
                    found[place] = [self.said(hypothesis) for hypothesis in hypotheses]
        return found

    def said(self, hypothesis: Hypothesis) -> Translation:
        """A hypothesis in words."""
        text = self.target_units.decode(hypothesis.tokens)
        numbers = hypothesis.log_probability, hypothesis.score, hypothesis.finished
        return Translation(text, hypothesis.tokens, *numbers)

    def _stepper(self, partners: Sequence["Translator"]) -> Stepper[Padded, Any]:
        """This model, or the mean of several."""
        ours = self.source_units.to_json(), self.target_units.to_json()
        for partner in partners:
            if (partner.source_units.to_json(), partner.target_units.to_json()) != ours:
                raise ArgumentError("translators that work together have the same units: train them on the same pairs")
            partner.model.eval()
        return Ensemble([self.model, *(partner.model for partner in partners)]) if partners else self.model

    def _rules(self, search: Search) -> Rules:
        """What may be said. Raises `ArgumentError` for words that the vocabulary lacks."""
        required = tuple(phrase for word in search.required for phrase in self._spelt(word, "required")[:1])
        forbidden = tuple(phrase for word in search.forbidden for phrase in self._spelt(word, "forbidden"))
        return Rules(self.target_units.end, shortest=search.shortest, forbidden=forbidden, required=required)

    def _spelt(self, words: str, what: str) -> list[tuple[int, ...]]:
        """How words can be spelt in symbols: within a line, and at its begin where that is another way."""
        spaced = [" " + words, words] if self.target_units.kind == "subword" else [words]
        found = [tuple(self.target_units.encode(one).tolist()) for one in spaced]
        if any(not ids or self.target_units.unknown in ids for ids in found):
            kind = self.target_units.kind
            raise ArgumentError(f"{what} {words!a:.80} has {kind}s that the vocabulary lacks, or none")
        return list(dict.fromkeys(found))

    def score(self, sources: Sequence[str], targets: Sequence[str], search: Search | None = None) -> list[Translation]:
        """Given targets as if they had been found: their log-probabilities, by forced decoding, and their scores."""
        ranking = (search or self.search).ranking
        read, wanted = [self.read(line) for line in sources], [self.target_units.encode(line) for line in targets]
        scored: list[Translation | None] = [None] * len(read)
        with at_rest(self.model), packed(self.model):
            for places in _of_like_length(read, ROWS):
                source, forced = padded([read[i] for i in places]), [wanted[i].tolist() for i in places]
                found = rescored(self.model, source, forced, end=self.target_units.end, ranking=ranking)
                for place, hypothesis in zip(places, found, strict=True):
                    scored[place] = replace(self.said(hypothesis), text=targets[place])
        return [one for one in scored if one is not None]

    def nats(self, sources: Sequence[Ids], targets: Sequence[Ids]) -> Tally:
        """How well targets are predicted, both sides given by their ids: nats, and symbols with the ends."""
        total = Tally(0.0, 0)
        with at_rest(self.model):
            for _, batch in pairs_in_order(sources, targets, tokens=SYMBOLS):
                total = total + self.model.loss(batch.to(self.model.head.bias.device))[0].detach()
        return total

    def align(self, source: str, target: str) -> Alignment:
        """Where the model looks at a source while it says a target. Raises `ArgumentError` where it cannot look."""
        read, said = self.read(source), self.target_units.encode(target)
        with at_rest(self.model):
            weights = self.model.attention(padded([read]), padded([said]))
        names = self.source_units.names(read), self.target_units.names(self.target_units.ended(said))
        return Alignment(tuple(names[0]), tuple(names[1]), weights[0].transpose(0, 1).float().cpu().numpy())


def padded(lines: Sequence[Ids]) -> Padded:
    """Lines of ids side by side."""
    return Padded.of([torch.from_numpy(np.asarray(ids, np.int64)) for ids in lines])


def _of_like_length(lines: Sequence[Ids], rows: int) -> Iterator[list[int]]:
    """The places of lines in groups of about the same length, the longest first; none with too many symbols."""
    order = sorted(range(len(lines)), key=lambda place: -len(lines[place]))
    group: list[int] = []
    for place in order:
        if group and (len(group) == rows or (len(group) + 1) * len(lines[group[0]]) > SYMBOLS):
            yield group
            group = []
        group.append(place)
    if group:
        yield group
