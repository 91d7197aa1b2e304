"""The data of an encoder of sentences: how they are read, cut, and counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime.data.neighbours import Neighbours, SentenceText
from throughtime.data.units import Units, learn_units, unknown_among
from throughtime.errors import DataError

if TYPE_CHECKING:
    from throughtime.recipes.sentences import Sentences
    from throughtime.recipes.transfer import Taken

COUNTED = ("sentences", "documents", "left_out", "alone", "units", "unknown")  # of each part


@dataclass(frozen=True)
class SentenceData:
    """A text of sentences, encoded and counted."""

    units: Units
    train: Neighbours
    valid: Neighbours
    valid_lines: list[str]
    facts: dict[str, Any]  # where it came from and what was counted: data.json
    taken: Taken | None = None  # from a table of word vectors


def learned(recipe: Sentences) -> SentenceData:
    """The data of a recipe; units are those of the part that is learned from. Raises `DataError` as `data` does."""
    train, valid, files = _parts(recipe)
    least, most = recipe.minimum_count, recipe.maximum_vocab
    units = learn_units(recipe.unit, "\n".join(train.lines), minimum_count=least, maximum_vocab=most)
    learned_from, judged_by = (Neighbours.of(part, units, longest=recipe.longest) for part in (train, valid))
    facts = {
        "text": str(recipe.text),
        "text_sha256": files[0].sha256,
        "text_bytes": files[0].bytes,
        "valid": str(recipe.valid) if recipe.valid else f"the last {100 * recipe.held_out:g}% of the text",
        "valid_sha256": files[-1].sha256,
        "skipped_bytes": sum(file.skipped_bytes for file in files),
        "vocab": len(units),
        **_counts("train", train, learned_from, units),
        **_counts("valid", valid, judged_by, units),
    }
    _check(learned_from, recipe, recipe.text, "learn from")
    _check(judged_by, recipe, recipe.valid or recipe.text, "validate on")
    return SentenceData(units, learned_from, judged_by, valid.lines, facts)


def _parts(recipe: Sentences) -> tuple[SentenceText, SentenceText, list[SentenceText]]:
    """What is learned from, what is held out, and the files that they are of."""
    text = recipe.read(recipe.text)
    if recipe.valid is None:
        return *text.split(recipe.held_out), [text]
    other = recipe.read(recipe.valid)
    return text, other, [text, other]


def _check(part: Neighbours, recipe: Sentences, path: Path, what: str) -> None:
    """Raises `DataError` for a part in which no two sentences stand together."""
    if not len(part.rows):
        raise DataError(
            f"{path} leaves no two sentences of up to {recipe.longest} {recipe.unit}s that stand together to {what}; "
            "give a longer text, or a higher --longest"
        )


def _counts(name: str, text: SentenceText, part: Neighbours, units: Units) -> dict[str, int]:
    count = len(text.lines)
    sizes = (
        count,
        len(text.begins),
        part.left_out,
        count - part.left_out - len(part.rows),
        sum(map(len, part.sequences)),
        sum(unknown_among(ids, units.unknown) for ids in part.sequences),
    )
    return {f"{name}_{what}": size for what, size in zip(COUNTED, sizes, strict=True)}


def counted(recipe: Sentences, facts: dict[str, Any], part: str) -> str:
    """What there is to say of a part, train or valid, for people."""
    counts = {name: f"{facts[f'{part}_{name}']:,}" for name in COUNTED}
    return (
        f"{counts['sentences']} sentences of {counts['documents']} documents; {counts['left_out']} left out, of over "
        f"{recipe.longest} {recipe.unit}s, {counts['alone']} more with no neighbour; {counts['unknown']} of "
        f"{counts['units']} {recipe.unit}s unknown"
    )


def notes(recipe: Sentences, data: SentenceData) -> tuple[str, ...]:
    """What was cut, counted, left out and taken from vectors."""
    facts = data.facts
    told = [
        f"to train on: {counted(recipe, facts, 'train')}",
        f"held out: {counted(recipe, facts, 'valid')}; a vocabulary of {facts['vocab']:,}",
    ]
    if facts["skipped_bytes"]:
        told.append(f"{facts['skipped_bytes']:,} bytes that are not UTF-8 were skipped")
    return (*told, *(data.taken.notes(recipe.frozen_updates) if data.taken else ()))
