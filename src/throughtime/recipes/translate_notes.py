"""What is said of a translator while it learns and after: its data, some translations, a page about it."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING, Any

from throughtime.recipes import cards

if TYPE_CHECKING:
    from throughtime.models.translation import TranslationModel
    from throughtime.models.translator import Translator
    from throughtime.recipes.translate import Translate
    from throughtime.recipes.translate_data import TranslateData

SHOWN = 160  # characters of a line
LEFT_OUT = {
    "both_empty": "lines that are empty on both sides were left out",
    "one_empty": "pairs with an empty side were left out",
    "joined": "cells of several lines were joined",
    "skipped_bytes": "bytes that are not UTF-8 were skipped",
    "train_too_long": "pairs to train on were left out, for they are longer than --longest",
    "valid_too_long": "held-out pairs were left out, for they are longer than --longest",
    "oversized": "pairs to train on are longer than --tokens, and stand in batches of their own",
    "overlap": "held-out pairs have a source that is trained on as well",
}


def translations(recipe: Translate, translator: Translator, data: TranslateData, *, final: bool) -> str:
    """A few held-out lines, what is made of them, and what should be."""
    part = data.valid.thinned(10 if final else 3)
    found = translator.best(part.sources, recipe.search(width=recipe.beam if final else 1))
    lines, judged = [], translator.target_units.judged
    for source, best, target in zip(part.sources, found, part.targets, strict=True):
        verdict = "" if judged(best.text) == judged(target) else f"   (truly: {shorten(target, SHOWN)})"
        lines.append(f"{shorten(source, SHOWN)} → {shorten(best.text, SHOWN)}{verdict}")
    return "\n".join(lines)


def notes(recipe: Translate, data: TranslateData) -> tuple[str, ...]:
    """What was read, counted and left out."""
    facts = data.facts
    counted = [
        f"{facts[f'{name}_pairs']:,} pairs to {what} ({facts[f'{name}_source_symbols']:,} and "
        f"{facts[f'{name}_target_symbols']:,} symbols, unknown {facts[f'{name}_source_unknown']:,} and "
        f"{facts[f'{name}_target_unknown']:,})"
        for name, what in (("train", "train on"), ("valid", "validate on"))
    ]
    return (f"{data.chosen}; {vocabularies(recipe, facts)}{left_out(facts)}", "; ".join(counted))


def left_out(facts: Any) -> str:
    """What was left out or is odd, to be told after something else."""
    return "".join(f"; {facts[name]:,} {what}" for name, what in LEFT_OUT.items() if facts.get(name))


def vocabularies(recipe: Translate, facts: Any) -> str:
    """What lines are cut into, with the sizes of the vocabularies."""
    kinds, sizes = recipe.units, (facts["source_vocab"], facts["target_vocab"])
    if recipe.shared:
        return f"one vocabulary of {sizes[0]:,} {kinds[0]}s for both sides"
    return f"vocabularies of {sizes[0]:,} {kinds[0]}s and {sizes[1]:,} {kinds[1]}s"


def made_of(recipe: Translate) -> str:
    """The model, in a line."""
    heads = f"self-attention ({recipe.self_heads} head{'s' if recipe.self_heads > 1 else ''})"
    itself = "self-attention"
    reads = heads if recipe.encoder == itself else f"{recipe.encoder}{' from both ends' if recipe.both else ''}"
    writes = heads if recipe.decoder == itself else recipe.decoder
    many = f", {recipe.attend_heads} heads" if recipe.attend_heads > 1 else ""
    seen = "; no attention" if recipe.attention == "none" else f"; {recipe.attention} attention ({recipe.attend}{many})"
    return f"{reads} to {writes}, {recipe.layers} × {recipe.hidden}{'' if recipe.decoder == itself else seen}"


def card(recipe: Translate, model: TranslationModel, data: TranslateData, score: Any) -> str:
    """What the model is, what it was made from, and how good it is."""
    size, facts = sum(parameter.numel() for parameter in model.parameters()), data.facts
    rows = {
        "model": f"{recipe.made_of}, {size:,} weights",
        "units": vocabularies(recipe, facts),
        "trained on": f"{facts['train']}: {facts['train_pairs']:,} pairs (sha256 {facts['train_sha256'][:12]}…)",
        "validated on": f"{facts['valid']}: {facts['valid_pairs']:,} pairs",
        "left out": f"{facts['train_too_long'] + facts['valid_too_long']:,} pairs too long, "
        f"{facts['both_empty'] + facts['one_empty']:,} empty",
    }
    return cards.card("A translator", rows, None if score is None else score.sentence())
