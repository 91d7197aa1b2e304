"""Runs of translators: how well they translate pairs, and how to get one from its folder."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from pydantic import BaseModel, Field, FiniteFloat

from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.folder import STRICT, Count
from throughtime.recipes.translate import Translate
from throughtime.recipes.translate_notes import vocabularies
from throughtime.runs.asked import Asked, Judged
from throughtime.runs.folders import Source, facts_of, filled, read_again
from throughtime.runs.shown import figure

if TYPE_CHECKING:
    from throughtime.data.line_units import LineUnits
    from throughtime.data.pairs import Pairs
    from throughtime.models.pooled import PooledSources
    from throughtime.models.translator import Translator

PICTURES: dict[str, Any] = {}
READS = "a translator, which reads pairs of lines"
READING = ("source_column", "target_column", "header", "missing", "invalid_bytes")  # of pairs
TAKES = ("pairs", "source", "target", *READING, "brackets", "beam", "alpha")


Symbols = Annotated[FiniteFloat, Field(ge=0, le=2**20)]  # of a target, as many as can be learned from


class Facts(BaseModel):
    """What data.json tells of the pairs that a translator was made from."""

    model_config = STRICT

    train: str
    train_sha256: str
    train_bytes: Count
    train_pairs: Count
    train_source_symbols: Count
    train_source_unknown: Count
    train_target_symbols: Count
    train_target_unknown: Count
    train_too_long: Count
    train_longest_target: Count = 0  # of older runs, which had no ratio and no surplus
    train_target_ratio: Symbols = 1.5
    train_target_surplus: Symbols | None = None
    valid: str
    valid_sha256: str
    valid_bytes: Count
    valid_pairs: Count
    valid_source_symbols: Count
    valid_source_unknown: Count
    valid_target_symbols: Count
    valid_target_unknown: Count
    valid_too_long: Count
    overlap: Count
    oversized: Count = 0
    source_vocab: Count
    target_vocab: Count
    both_empty: Count
    one_empty: Count
    joined: Count
    skipped_bytes: Count


def load(home: Path, recipe: Translate) -> Translator:
    """The translator of a whole folder. Raises `RunError` as `runs.load` does."""
    from throughtime.data.pair_lengths import TargetLengths
    from throughtime.models.translator import Translator

    facts, (source, target) = facts_of(home, Facts), _units_of(home, recipe)
    model = filled(lambda: recipe.model_of(source, target), home)
    surplus = facts.train_target_surplus
    lengths = TargetLengths(facts.train_target_ratio, facts.train_longest_target if surplus is None else surplus)
    return Translator(model, source, target, lengths=lengths, search=recipe.search())


def _units_of(home: Path, recipe: Translate) -> tuple[LineUnits, LineUnits]:
    """The units of both sides. Raises `RunError` when they are other ones than the recipe says."""
    from throughtime import folder
    from throughtime.data.line_units import LineUnits

    content = folder.read_json(home, "vocabulary.json", folder.TEXT_LIMIT)
    sides = ["target"] if recipe.shared else ["source", "target"]
    if sorted(content) != sides:
        found = ", ".join(sorted(content))
        raise RunError(f"the vocabulary in {home} is of {found:.80}, and not of {' and '.join(sides)}")
    target = LineUnits.from_json(content["target"])
    source = target if recipe.shared else LineUnits.from_json(content["source"])
    if (source.kind, target.kind) != recipe.units:
        raise RunError(f"the vocabulary in {home} is of {source.kind}s and {target.kind}s, its recipe of other units")
    return source, target


def rows(facts: Facts, recipe: Translate, weights: int) -> dict[str, str]:
    """What there is to tell of the model and its pairs."""
    told = facts.model_dump()
    parts = {
        name: f"{told[part]}: {told[f'{part}_pairs']:,} pairs, {told[f'{part}_source_unknown']:,} of "
        f"{told[f'{part}_source_symbols']:,} symbols unknown and {told[f'{part}_target_unknown']:,} of "
        f"{told[f'{part}_target_symbols']:,}"
        for name, part in (("training", "train"), ("held out", "valid"))
    }
    return {
        "model": f"{recipe.made_of}, {weights:,} weights",
        "units": vocabularies(recipe, told),
        "sha256": facts.train_sha256,
        **parts,
        "search": f"beam {recipe.beam}, alpha {recipe.alpha:g}",
    }


def evaluate(home: Path, recipe: Translate, asked: Asked) -> Judged:
    """How well lines are translated: those of a file or two, or those that the run held out."""
    from throughtime.metrics.translations import judge_translations, told

    asked.only(READS, *TAKES)
    asked.check_pairs()
    translator = load(home, recipe)
    pairs, left = judged_by(home, recipe, asked, translator)
    if asked.brackets:
        _check_trees(pairs)
    search = translator.search if asked.beam is None else replace(translator.search, width=asked.beam)
    search = search if asked.alpha is None else replace(search, alpha=asked.alpha)
    began = time.perf_counter()
    found = translator.best(pairs.sources, search)
    seconds = time.perf_counter() - began
    texts, sources = [one.text for one in found], [translator.read(line) for line in pairs.sources]
    lengths = [len(ids) - 1 for ids in sources]
    scores = judge_translations(texts, [[target] for target in pairs.targets], lengths=lengths)
    nats = translator.nats(sources, [translator.target_units.encode(line) for line in pairs.targets])
    made = sum(len(one.ids) + one.finished for one in found)
    facts = {
        **scores.to_json(),
        **_by_source(translator, pairs, texts),
        "nats_per_symbol": nats.mean,
        **left,
        **(_trees(texts, pairs) if asked.brackets else {}),
        "unfinished": sum(not one.finished for one in found),
        "unknown": sum(map(translator.unknown, pairs.sources)),
        "tokens_per_second": made / seconds,
        "beam": search.width,
        "alpha": search.alpha,
    }
    return Judged(facts, {"pairs": f"{len(pairs):,}", **told(facts), **_told(facts, translator)}, (pairs.chosen,))


def _by_source(translator: Translator, pairs: Pairs, texts: list[str]) -> dict[str, Any]:
    """How far the translation of each different source is from the nearest of its targets."""
    from throughtime.metrics.edits import edit_scores

    units = translator.target_units
    said: dict[str, str] = dict(zip(pairs.sources, texts, strict=True))
    wanted: dict[str, list[Any]] = {source: [] for source in said}
    for source, target in zip(pairs.sources, pairs.targets, strict=True):
        wanted[source].append(units.judged(target))
    scores = edit_scores([units.judged(text) for text in said.values()], list(wanted.values()))
    wrong = scores.wrong_interval()
    return {
        "sources": scores.items,
        "exact": scores.right / scores.items,
        "exact_interval": wrong and [1 - end for end in reversed(wrong)],
        "symbol_error_rate": scores.rate,
        "symbol_error_interval": scores.rate_interval(),
    }


def _check_trees(pairs: Pairs) -> None:
    """Raises `DataError` for a target that is no tree, with its line."""
    from throughtime.metrics.brackets import parse_brackets

    for row, target in enumerate(pairs.targets):
        try:
            parse_brackets(target)
        except DataError as error:
            raise DataError(f"{pairs.where(row)}: the target is no tree: {error}; leave --brackets out") from None


def _trees(texts: list[str], pairs: Pairs) -> dict[str, Any]:
    """How well trees were written."""
    from throughtime.metrics.brackets import bracket_scores

    scores = bracket_scores(texts, pairs.targets).to_json()
    return {"exact_tree" if name == "exact" else name: value for name, value in scores.items() if name != "items"}


def _told(facts: dict[str, Any], translator: Translator) -> dict[str, str]:
    what = "characters" if translator.target_units.kind == "character" else "words"
    trees = (
        {
            "brackets": f"F1 {figure(facts['bracket_f1'])}, precision {figure(facts['bracket_precision'])}, "
            f"recall {figure(facts['bracket_recall'])}",
            "trees": f"{100 * facts['well_formed']:.2f} % well formed, {100 * facts['exact_tree']:.2f} % exact",
        }
        if "well_formed" in facts
        else {}
    )
    return {
        **trees,
        "exact": f"{100 * facts['exact']:.2f} % of {facts['sources']:,} different sources",
        f"wrong {what}": figure(facts["symbol_error_rate"]),
        "nats per symbol": figure(facts["nats_per_symbol"]),
        "without an end": f"{facts['unfinished']:,}",
        "unknown": f"{facts['unknown']:,} symbols of sources",
        "symbols a second": f"{facts['tokens_per_second']:,.0f} (beam {facts['beam']}, alpha {facts['alpha']:g})",
    }


def judged_by(home: Path, recipe: Translate, asked: Asked, translator: Translator) -> tuple[Pairs, dict[str, int]]:
    """The pairs of a file or two, or those that the run held out; and what was left out of them, by name."""
    from throughtime.recipes.translate_data import part_of, read
    from throughtime.recipes.translate_notes import left_out

    if asked.pairs is not None or asked.source is not None:
        pairs = read(_as_asked(recipe, asked), asked.pairs, asked.source, asked.target)
        left = pairs.left_out
    else:
        whole = _held_out(home, recipe)
        pairs = whole
        if recipe.too_long == "skip":  # else there are none
            pairs, _ = part_of(recipe, whole, translator.source_units, translator.target_units)
        left = {"valid_too_long": len(whole) - len(pairs)}
    return replace(pairs, chosen=pairs.chosen + left_out(left)), left


def _as_asked(recipe: Translate, asked: Asked) -> Translate:
    """The recipe, but that it reads pairs as is asked."""
    reading = {name: getattr(asked, name) for name in READING}
    return recipe.model_copy(update={name: value for name, value in reading.items() if value is not None})


def _held_out(home: Path, recipe: Translate) -> Pairs:
    """What the run held out, read again. Raises `RunError` where its files are gone or were changed."""
    from throughtime.data.pairs import divide
    from throughtime.recipes.translate_data import read_files

    facts = facts_of(home, Facts)

    def again() -> tuple[Pairs, Pairs | None]:
        return read_files(recipe)

    def hashes(found: tuple[Pairs, Pairs | None]) -> list[str]:
        return ["-".join(found[0].sha256), "-".join((found[1] or found[0]).sha256)]

    sources = [Source(recipe.reads, None, facts.train_sha256), Source(recipe.reads, None, facts.valid_sha256)]
    train, valid = read_again(home, again, sources, hashes, option="pairs")
    return divide(train, valid, held_out=recipe.held_out, seed=recipe.seed)[1]


def predict(trained: Translator, recipe: Translate, asked: Asked) -> NoReturn:
    """Refuses: a translator has a command of its own."""
    raise ArgumentError("predict is for models that say something of a file, and a translator writes: try translate")


def stream(trained: Translator, recipe: Translate) -> NoReturn:
    """Refuses: a translator has a command of its own."""
    raise ArgumentError("stream is for models that carry a state from line to line: try throughtime translate RUN")


def embed(trained: Translator, recipe: Translate) -> PooledSources:
    """The means of what the encoder gives of lines."""
    from throughtime.models.pooled import PooledSources

    return PooledSources(trained)
