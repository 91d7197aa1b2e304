"""The data of the recipe of a translator: pairs, the units of their lines, and how well a model translates them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from throughtime.data.line_units import LineUnits, encode_lines, learn_both
from throughtime.data.pair_lengths import TargetLengths
from throughtime.data.pairs import Pairs, divide, overlap, read_pairs, read_parallel
from throughtime.data.units import unknown_among
from throughtime.errors import ArgumentError, DataError
from throughtime.metrics.translations import judge_translations

if TYPE_CHECKING:
    from pathlib import Path

    from throughtime.data.units import Ids
    from throughtime.models.translator import Translator
    from throughtime.recipes.translate import Translate

QUICK_PAIRS = 500  # of the held-out part, at most, that are judged while training
TIE = 1e-6  # of the nats: where as many lines are exact, fewer nats are better


@dataclass(frozen=True)
class Part:
    """Some of the pairs, as lines and as ids; the ids of a source end with its end symbol."""

    sources: list[str]
    targets: list[str]
    source_ids: list[Ids]
    target_ids: list[Ids]

    def thinned(self, most: int) -> Part:
        """Pairs in even distances, so many at most."""
        step = -(-len(self.sources) // most)
        return Part(self.sources[::step], self.targets[::step], self.source_ids[::step], self.target_ids[::step])


@dataclass(frozen=True)
class TranslateData:
    """Pairs, cut and counted."""

    source_units: LineUnits
    target_units: LineUnits
    train: Part
    valid: Part
    facts: dict[str, Any]  # where they came from and what was counted: data.json
    chosen: str  # how they were read

    @property
    def lengths(self) -> TargetLengths:
        """How long the targets are that are learned from."""
        return TargetLengths(self.facts["train_target_ratio"], self.facts["train_target_surplus"])

    def vocabularies(self) -> dict[str, Any]:
        """The units of both sides: vocabulary.json. Units that are shared stand there once."""
        shared = self.source_units is self.target_units
        sides = {"target": self.target_units.to_json()}
        return sides if shared else {"source": self.source_units.to_json(), **sides}


@dataclass(frozen=True)
class TranslationScore:
    """How well held-out pairs are translated. Units: nats of a symbol of the target, its end included; shares."""

    loss: float  # what training tries to lower
    pairs: int
    symbols: int
    nats_per_symbol: float
    exact: float  # share of the different sources whose translation is one of theirs
    bleu: float | None
    unfinished: int  # translations that had no end yet where the search gave up

    def to_json(self) -> dict[str, Any]:
        """All of it but the loss, by name."""
        return {name: value for name, value in asdict(self).items() if name != "loss"}

    def sentence(self) -> str:
        """All of it, for people."""
        bleu = f", BLEU {self.bleu:.2f}" if self.bleu is not None else ""
        cut = f", {self.unfinished:,} without an end" if self.unfinished else ""
        return f"{self.nats_per_symbol:.4f} nats per symbol, {100 * self.exact:.2f} % exact{bleu}{cut}"


def learn(recipe: Translate) -> TranslateData:
    """The pairs of a recipe's files, those to learn from and those that are held out, and the units of both sides.

    Raises `DataError` as reading does, and for pairs that are too long.
    """
    found, other = read_files(recipe)
    train, valid = divide(found, other, held_out=recipe.held_out, seed=recipe.seed)
    source_units, target_units = learn_both(
        recipe.units,
        train.sources,
        train.targets,
        shared=recipe.shared,
        minimum_count=recipe.minimum_count,
        maximum_vocab=recipe.maximum_vocab,
    )
    parts = [part_of(recipe, pairs, source_units, target_units)[1] for pairs in (train, valid)]
    lengths = TargetLengths.of(parts[0].source_ids, parts[0].target_ids)
    facts = {
        **_facts(found, other, recipe.held_out),
        "source_vocab": len(source_units),
        "target_vocab": len(target_units),
        "train_target_ratio": lengths.ratio,
        "train_target_surplus": lengths.surplus,
        "overlap": overlap(train, valid),
        "oversized": sum(
            len(one) + len(other) + 1 > recipe.tokens
            for one, other in zip(parts[0].source_ids, parts[0].target_ids, strict=True)
        ),
    }
    for name, pairs, part in zip(("train", "valid"), (train, valid), parts, strict=True):
        facts |= {f"{name}_{what}": value for what, value in _counted(part, source_units, target_units).items()}
        facts[f"{name}_too_long"] = len(pairs) - len(part.sources)
    return TranslateData(source_units, target_units, parts[0], parts[1], facts, found.chosen)


def read_files(recipe: Translate) -> tuple[Pairs, Pairs | None]:
    """The pairs of a recipe's files, and those of its files to validate on, if it has any."""
    found = read(recipe, recipe.pairs, recipe.source, recipe.target)
    if recipe.valid_pairs is None and recipe.valid_source is None:
        return found, None
    return found, read(recipe, recipe.valid_pairs, recipe.valid_source, recipe.valid_target)


def read(recipe: Translate, pairs: Path | None, source: Path | None, target: Path | None) -> Pairs:
    """Pairs of one file, or of two, read as a recipe reads them. Raises `ArgumentError` for one of the two."""
    missing, invalid = recipe.missing, recipe.invalid_bytes
    if pairs is not None:
        columns = recipe.source_column, recipe.target_column
        return read_pairs(pairs, *columns, header=recipe.header, missing=missing, invalid_bytes=invalid)
    if source is None or target is None:
        raise ArgumentError("pairs stand in one file, or in two: give --pairs, or --source and --target")
    return read_parallel(source, target, missing=missing, invalid_bytes=invalid)


def score(recipe: Translate, translator: Translator, data: TranslateData, *, quick: bool) -> TranslationScore:
    """How well the held-out pairs are translated; `quick` looks at 500 of them at most, greedily.

    Nats are of all held-out pairs, always.
    """
    part = data.valid.thinned(QUICK_PAIRS) if quick else data.valid
    tally = translator.nats(data.valid.source_ids, data.valid.target_ids)
    found = translator.best(part.sources, recipe.search(width=1 if quick else recipe.beam))
    texts = [one.text for one in found]
    exact = exact_share(translator.target_units, part.sources, texts, part.targets)
    bleu = None
    if recipe.best == "bleu":
        bleu = judge_translations(texts, [[target] for target in part.targets], kinds=["bleu"]).measures["bleu"].score
    losses = {"nats": tally.mean, "exact": 1 - exact + TIE * tally.mean, "bleu": 1 - (bleu or 0) / 100}
    return TranslationScore(
        loss=losses[recipe.best],
        pairs=len(part.sources),
        symbols=tally.count,
        nats_per_symbol=tally.mean,
        exact=exact,
        bleu=bleu,
        unfinished=sum(not one.finished for one in found),
    )


def exact_share(units: LineUnits, sources: Sequence[str], found: Sequence[str], targets: Sequence[str]) -> float:
    """The share of the different sources of which a translation is one of the targets of that source.

    >>> exact_share(LineUnits.learn("word", ["x"]), ["a", "a", "b"], ["x", "x", "y"], ["w", "x", "z"])
    0.5
    """
    right: dict[str, bool] = {}
    for source, text, target in zip(sources, found, targets, strict=True):
        right[source] = right.get(source, False) or units.judged(text) == units.judged(target)
    return float(np.mean(list(right.values())))


def part_of(recipe: Translate, pairs: Pairs, source: LineUnits, target: LineUnits) -> tuple[Pairs, Part]:
    """The pairs that are not too long for a recipe, and these with their ids. Raises `DataError` where none may be."""
    sources, targets = encode_lines(source, pairs.sources).ids, encode_lines(target, pairs.targets).ids
    longer = [i for i, both in enumerate(zip(sources, targets, strict=True)) if max(map(len, both)) > recipe.longest]
    if longer and recipe.too_long == "refuse":
        first = longer[0]
        lengths = len(sources[first]), len(targets[first])
        raise DataError(
            f"{pairs.where(first)}: a pair of {lengths[0]:,} and {lengths[1]:,} symbols, and --longest is "
            f"{recipe.longest:,} ({len(longer):,} such pairs); give more, or leave them out with --too-long skip"
        )
    if len(longer) == len(sources):
        raise DataError(f"{pairs.paths[0]}: all pairs are longer than --longest {recipe.longest:,}; give more")
    out = set(longer)
    kept = [i for i in range(len(sources)) if i not in out]
    taken = pairs.take(np.array(kept, np.int64))
    ids = [source.ended(sources[i]) for i in kept], [targets[i] for i in kept]
    return taken, Part(taken.sources, taken.targets, *ids)


def _counted(part: Part, source: LineUnits, target: LineUnits) -> dict[str, int]:
    sides = ("source", part.source_ids, source), ("target", part.target_ids, target)
    facts = {"pairs": len(part.sources)}
    for name, ids, units in sides:
        whole = np.concatenate(ids)
        facts[f"{name}_symbols"] = len(whole)
        facts[f"{name}_unknown"] = unknown_among(whole, units.unknown)
    return facts


def _facts(found: Pairs, other: Pairs | None, held_out: float) -> dict[str, Any]:
    """Where pairs came from."""
    facts: dict[str, Any] = {
        "train": " and ".join(map(str, found.paths)),
        "train_sha256": "-".join(found.sha256),
        "train_bytes": found.bytes,
        "valid": " and ".join(map(str, other.paths)) if other else f"{100 * held_out:g}% of the pairs",
        "valid_sha256": "-".join((other or found).sha256),
        "valid_bytes": (other or found).bytes,
    }
    files = (found,) if other is None else (found, other)
    return facts | {what: sum(file.left_out[what] for file in files) for what in found.left_out}
