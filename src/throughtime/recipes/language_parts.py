"""How the parts of a language model are made from the settings of its recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughtime.recipes.cells import make_cell
from throughtime.recipes.parts import both_ways, self_attention

if TYPE_CHECKING:
    from throughtime.layers import Core
    from throughtime.models.language import LanguageModel
    from throughtime.models.masked import MaskedModel
    from throughtime.recipes.language import Language


def model_of(recipe: Language, vocab: int) -> LanguageModel | MaskedModel:
    """A new model for a vocabulary of that size."""
    from torch import nn

    if recipe.objective == "masked":
        from throughtime.models.masked import MaskedModel

        return MaskedModel(vocab, _of_both_sides(recipe), dropout=recipe.dropout, tied=recipe.tied)
    from throughtime.models.language import LanguageModel

    core = _causal(recipe)
    model = LanguageModel(vocab, core, dropout=recipe.dropout, tied=recipe.tied, cutoffs=recipe.adaptive)
    if recipe.cell == "self-attention":
        nn.init.normal_(model.embedding.weight, std=core.width**-0.5)  # of norm 1, about, as attention wants it
    return model


def _of_both_sides(recipe: Language) -> Core[Any]:
    """What sees a whole piece of text."""
    if recipe.cell == "self-attention":
        return self_attention(
            recipe.width, recipe.hidden, recipe.layers, recipe.heads, recipe.positions, recipe.dropout
        )
    return both_ways(recipe.cell, recipe.width, recipe.hidden, recipe.layers, dropout=recipe.dropout)


def _causal(recipe: Language) -> Core[Any]:
    """What sees a text up to now."""
    from throughtime.layers import CausalTransformer, Recurrent, Stack, Window

    if recipe.core == "window":
        return Window(recipe.width, recipe.hidden, window=recipe.window, layers=recipe.layers)
    if recipe.cell == "self-attention":
        return CausalTransformer(
            recipe.width,
            recipe.hidden,
            recipe.layers,
            recipe.heads,
            context=recipe.context,
            positions=recipe.positions,
            dropout=recipe.dropout,
        )
    rates = {"recurrent_dropout": recipe.recurrent_dropout, "zoneout": recipe.zoneout}
    widths = [recipe.width] + [recipe.hidden] * (recipe.layers - 1)
    cells = [make_cell(recipe.cell, width, recipe.hidden, **rates) for width in widths]
    return Stack([Recurrent(cell) for cell in cells], residual=recipe.residual, dropout=recipe.dropout)
