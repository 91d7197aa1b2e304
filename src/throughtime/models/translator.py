"""Translator: a translation model together with its units, which makes and judges lines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from throughtime.data.alignments import Alignment
from throughtime.data.line_units import LineUnits
from throughtime.data.pair_batches import pairs_in_order
from throughtime.data.pair_lengths import TARGET_LIMIT, TargetLengths
from throughtime.data.units import Ids, unknown_among
from throughtime.errors import ArgumentError, DataError
from throughtime.layers.packed import packed
from throughtime.layers.rest import at_rest
from throughtime.models.sought import NOTHING, Search, Translation, rules_of
from throughtime.models.translation import TranslationModel, Uncounted
from throughtime.padded import Padded
from throughtime.search import Ensemble, Hypothesis, Sampling, Stepper, beam, rescored, sampled
from throughtime.tally import Tally

SOURCE_LIMIT = 2**15  # symbols of a source that we are willing to read
WEIGHTS = 2**24  # of attention that we are willing to hold
ROWS, SYMBOLS = 64, 2**14  # of a batch, at most: sources, and symbols with padding

# The hypotheses of some sources, by their limits and by the places of their lines.
Made = Callable[[Padded, list[int], list[int]], list[list[Hypothesis]]]


class Translator:
    """A translation model together with its units.

    `lengths` are those of the training pairs (sources with their ends), by which the search knows when to give up;
    `search` is how it searches where nothing else is asked.
    """

    def __init__(
        self,
        model: TranslationModel,
        source_units: LineUnits,
        target_units: LineUnits,
        *,
        lengths: TargetLengths,
        search: Search | None = None,
    ) -> None:
        self.model, self.source_units, self.target_units = model, source_units, target_units
        self.lengths, self.search = lengths, search or Search()

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
        return unknown_among(self.source_units.encode(line), self.source_units.unknown)

    def limits(self, sources: Sequence[Ids], search: Search) -> list[int]:
        """Symbols of a translation of each source, without the end, at which a search gives up."""
        if search.longest is not None:
            return [search.longest] * len(sources)
        words = " ".join((search.prefix, *search.required)).strip()
        besides = max(search.shortest, len(self.target_units.encode(words)))
        return [min(TARGET_LIMIT, self.lengths.limit(len(ids)) + besides) for ids in sources]

    @contextmanager
    def ready(self, partners: Sequence["Translator"] = ()) -> Iterator[None]:
        """The models at rest, and their weights laid out for searches once for all that is done in here."""
        models = [self.model, *(partner.model for partner in partners)]
        with ExitStack() as stack:
            for model in models:
                stack.enter_context(at_rest(model))
            stack.enter_context(packed(nn.ModuleList(models)))
            yield

    def translate(
        self,
        lines: Sequence[str],
        search: Search | None = None,
        *,
        partners: Sequence["Translator"] = (),
        rows: int = ROWS,
    ) -> list[list[Translation]]:
        """The best translations of each line, in the order of the lines; of an empty line, an empty one of no nats.

        Lines of about the same length are searched together, `rows` at most. `partners` are translators with the same
        units: the mean of the probabilities of all is searched.

        Raises `DataError` for a line that is too long, `ArgumentError` for what does not go together.
        """
        search = search or self.search
        stepper, (rules, prefix) = self.stepper(search, partners), rules_of(search, self.target_units)

        def searched(source: Padded, longest: list[int], _: list[int]) -> list[list[Hypothesis]]:
            prefixes = [prefix] * len(longest) if prefix else None
            return beam(stepper, source, rules=rules, longest=longest, prefixes=prefixes, settings=search.beam)

        with self.ready(partners):
            return self._made(lines, searched, search, rows)

    def best(self, lines: Sequence[str], search: Search | None = None) -> list[Translation]:
        """The best translation of each line; where nothing is possible, an empty one that has no end."""
        return [found[0] if found else NOTHING for found in self.translate(lines, search)]

    def sample(
        self,
        lines: Sequence[str],
        settings: Sampling,
        search: Search | None = None,
        *,
        numbers: Sequence[int] | None = None,
        rows: int = ROWS,
    ) -> list[list[Translation]]:
        """Translations of each line that are drawn by chance; of `search` only what limits them is used.

        What is drawn for a line depends on the seed and on its number (from 1 on, if `numbers` are not given) alone.
        """
        search = search or self.search
        rules, prefix = rules_of(search, self.target_units)
        numbers = range(1, len(lines) + 1) if numbers is None else numbers

        def drawn(source: Padded, longest: list[int], places: list[int]) -> list[list[Hypothesis]]:
            prefixes, own = [prefix] * len(longest) if prefix else None, [numbers[place] for place in places]
            return sampled(
                Uncounted(self.model),
                source,
                rules=rules,
                longest=longest,
                prefixes=prefixes,
                settings=settings,
                numbers=own,
            )

        with self.ready():
            return self._made(lines, drawn, search, rows)

    def _made(self, lines: Sequence[str], made: Made, search: Search, rows: int) -> list[list[Translation]]:
        """Translations by a search of a batch of sources, each with its limit."""
        if rows < 1:
            raise ArgumentError(f"rows must be at least 1; got {rows}")
        if isinstance(lines, str):
            raise ArgumentError(f"lines are several; got {lines!a:.80}: put a single one into a list")
        sources = [self.read(line) for line in lines]
        found: list[list[Translation]] = [[Translation("", (), 0.0, 0.0, True)] for _ in lines]
        for places in _of_like_length(sources, rows):
            kept = [place for place in places if lines[place].strip()]
            if not kept:
                continue
            some = [sources[place] for place in kept]
            for place, hypotheses in zip(kept, made(padded(some), self.limits(some, search), kept), strict=True):
                found[place] = [self.said(hypothesis) for hypothesis in hypotheses]
        return found

    def said(self, hypothesis: Hypothesis) -> Translation:
        """A hypothesis in words."""
        text = self.target_units.decode(hypothesis.tokens)
        numbers = hypothesis.log_probability, hypothesis.score, hypothesis.finished
        return Translation(text, hypothesis.tokens, *numbers)

    def stepper(self, search: Search, partners: Sequence["Translator"] = ()) -> Stepper[Padded, Any]:
        """What is searched: this model, or the mean of several; it tells what is covered if the search asks."""
        self._check(partners)
        models = [one.model if search.coverage else Uncounted(one.model) for one in (self, *partners)]
        return Ensemble(models) if partners else models[0]

    def _check(self, partners: Sequence["Translator"]) -> None:
        """Refuses partners that have other units."""
        ours = self.source_units.to_json(), self.target_units.to_json()
        for partner in partners:
            if (partner.source_units.to_json(), partner.target_units.to_json()) != ours:
                raise ArgumentError("translators that work together have the same units: train them on the same pairs")

    def score(self, sources: Sequence[str], targets: Sequence[str], search: Search | None = None) -> list[Translation]:
        """Given targets as if they had been found: their log-probabilities, by forced decoding, and their scores."""
        search = search or self.search
        stepper, end = self.stepper(search), self.target_units.end
        if len(sources) != len(targets):
            raise ArgumentError(f"there are {len(sources):,} sources and {len(targets):,} targets: give one for each")
        read, wanted = [self.read(line) for line in sources], [self.target_units.encode(line) for line in targets]
        scored: list[Translation | None] = [None] * len(read)
        with self.ready():
            for places in _of_like_length(read, ROWS):
                source, forced = padded([read[i] for i in places]), [wanted[i].tolist() for i in places]
                found = rescored(stepper, source, forced, end=end, ranking=search.ranking)
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

    def align(self, source: str, target: Sequence[int] | Ids, *, partners: Sequence["Translator"] = ()) -> Alignment:
        """Where the model looks at a source while it says a target, given by its ids; with `partners`, the mean of all.

        The mean is of what each of them looks at by the mean of its heads, and has one head.

        Raises `DataError` for more weights than are held, `ArgumentError` where one of them cannot look.
        """
        read, said = self.read(source), np.asarray(target, np.int32)
        self._check(partners)
        with self.ready(partners):
            weights = [_weights(one.model, read, said) for one in (self, *partners)]
        shown = torch.stack([one.mean(0, keepdim=True) for one in weights]).mean(0) if partners else weights[0]
        names = self.source_units.names(read), self.target_units.names(self.target_units.ended(said))
        return Alignment(tuple(names[0]), tuple(names[1]), shown.cpu().numpy())


def padded(lines: Sequence[Ids]) -> Padded:
    """Lines of ids side by side."""
    return Padded.of([torch.from_numpy(np.asarray(ids, np.int64)) for ids in lines])


def _weights(model: TranslationModel, source: Ids, target: Ids) -> Tensor:
    """What a model looks at (N T S), after a look at how many heads it has."""
    heads = model.attention(padded([source[-1:]]), padded([target[:0]])).shape[2]
    if heads * (len(target) + 1) * len(source) > WEIGHTS:
        raise DataError(
            f"{heads} x {len(target) + 1:,} x {len(source):,} weights of attention are over {WEIGHTS:,}: choose a "
            "shorter line"
        )
    return model.attention(padded([source]), padded([target]))[0].transpose(0, 1).float()


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
