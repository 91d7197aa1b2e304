"""What is said of a run of a language model: what was counted, how good it is, its card."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from throughtime.recipes.cards import card as page

if TYPE_CHECKING:
    from torch import nn

    from throughtime.models.masked import MaskedScores
    from throughtime.models.writer import Scores
    from throughtime.recipes.language import Language, LanguageData


def made_of(recipe: Language) -> str:
    """The core, for people."""
    size = f"{recipe.layers} × {recipe.hidden}"
    if recipe.core == "window":
        return f"window of {recipe.window}, {size}"
    ways = ", from both ends" if recipe.objective == "masked" else ""
    if recipe.cell != "self-attention":
        return f"{recipe.cell}, {size}{ways}"
    places = "no positions" if recipe.positions == "none" else f"{recipe.positions} positions"
    context = "" if ways else f", a context of {recipe.context}"
    return f"self-attention, {size}, heads {recipe.heads}, {places}{context}{ways}"


def tell(recipe: Language, score: Scores | MaskedScores) -> tuple[str, str]:
    """What was judged, and how well it did."""
    nats, bits = f"{score.nats_per_unit:.4f} nats", f"{score.bits_per_unit:.4f} bits per {recipe.item}"
    perplexity = f"{score.perplexity:.2f}" if math.isfinite(score.perplexity) else "beyond measure"
    accuracy = getattr(score, "accuracy", None)
    right = "" if accuracy is None else f", {100 * accuracy:.2f} % right"
    return f"{score.units:,} held-out {recipe.item}s", f"{nats}, {bits}, perplexity {perplexity}{right}"


def notes(recipe: Language, data: LanguageData) -> tuple[str, ...]:
    """What was cut, counted and taken from vectors, and the bytes that were skipped, if any."""
    facts = data.facts
    counted = (
        f"{facts['train_units']:,} {recipe.unit}s to train on, {facts['train_unknown']:,} of them unknown; "
        f"{facts['valid_units']:,} held out, {facts['valid_unknown']:,} of them unknown; "
        f"a vocabulary of {facts['vocab']:,}"
    )
    skipped = facts["skipped_bytes"]
    told = (f"{skipped:,} bytes that are not UTF-8 were skipped",) if skipped else ()
    return (counted, *told, *(data.taken.notes(recipe.frozen_updates) if data.taken else ()))


def card(recipe: Language, model: nn.Module, data: LanguageData, score: Scores | MaskedScores | None) -> str:
    """What the model is, what it was made from, and how good it is."""
    size = sum(parameter.numel() for parameter in model.parameters())
    facts = data.facts
    rows = {
        "model": f"{made_of(recipe)}, {size:,} weights",
        "units": f"{recipe.unit}, a vocabulary of {len(data.units):,}",
        "trained on": f"{facts['text']} (sha256 {facts['text_sha256'][:12]}…)",
        "training units": f"{facts['train_units']:,}, of them unknown {facts['train_unknown']:,}",
        "validated on": f"{facts['valid']}: {facts['valid_units']:,} units, of them unknown {facts['valid_unknown']:,}",
        **({"embeddings": data.taken.notes(recipe.frozen_updates)[0]} if data.taken else {}),
        "bytes skipped": f"{facts['skipped_bytes']:,}",
    }
    if recipe.objective == "masked":
        return page("A model of masked units", rows, tell(recipe, score)[1] if score else None)
    return page("A language model", rows, _judged(recipe, score) if score else None)


def _judged(recipe: Language, score: Scores | MaskedScores) -> str:
    return (
        f"{score.nats_per_unit:.4f} nats and {score.bits_per_unit:.4f} bits per {recipe.unit}, "
        f"{getattr(score, 'bits_per_byte', math.nan):.4f} bits per byte, perplexity {score.perplexity:.2f}"
    )
