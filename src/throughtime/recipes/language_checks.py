"""Which settings of a language model go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughtime.recipes.parts import check_heads

if TYPE_CHECKING:
    from throughtime.recipes.language import Language

OF_ATTENTION = ("heads", "positions", "context")


def check(recipe: Language) -> None:
    """Raises `ValueError`, in a line, for settings that contradict one another."""
    if recipe.accumulate > recipe.lanes or recipe.lanes % recipe.accumulate:
        raise ValueError(f"accumulate must divide lanes; got {recipe.accumulate} and {recipe.lanes}")
    _check_softmax(recipe)
    _check_core(recipe)
    _check_attention(recipe)
    if recipe.objective == "masked":
        _check_masked(recipe)


def _check_softmax(recipe: Language) -> None:
    if recipe.frozen_updates and recipe.tied:
        raise ValueError("frozen_updates and tied exclude each other: the softmax, which must learn, has that matrix")
    if recipe.tied and recipe.width != recipe.seen and not (recipe.vectors and recipe.embedding is None):
        sizes = "embedding = hidden" if recipe.seen == recipe.hidden else "embedding = 2 hidden, of both directions"
        raise ValueError(f"tied needs {sizes}; got {recipe.width} and {recipe.hidden}")
    if recipe.tied and recipe.adaptive:
        raise ValueError("tied and adaptive exclude each other")
    if recipe.adaptive and recipe.unit != "word":
        raise ValueError("adaptive needs --unit word, whose ids are in the order of frequency")


def _check_core(recipe: Language) -> None:
    if recipe.core == "window" and (recipe.recurrent_dropout or recipe.zoneout or recipe.residual):
        raise ValueError("recurrent_dropout, zoneout and residual are for --core recurrent")
    if recipe.core == "window" and recipe.cell != "lstm":
        raise ValueError(f"cell is for --core recurrent, a window has none; got {recipe.cell!r}")


def _check_attention(recipe: Language) -> None:
    if recipe.cell != "self-attention":
        given = [name for name in OF_ATTENTION if getattr(recipe, name) != type(recipe).model_fields[name].default]
        if given:
            raise ValueError(
                f"{given[0]} is for --cell self-attention; got {getattr(recipe, given[0])} and {recipe.cell}"
            )
        return
    if recipe.recurrent_dropout or recipe.zoneout or recipe.residual:
        raise ValueError("recurrent_dropout, zoneout and residual are for recurrent cells; got --cell self-attention")
    check_heads(recipe.hidden, recipe.heads, recipe.positions)


def _check_masked(recipe: Language) -> None:
    if recipe.core == "window":
        raise ValueError("objective masked needs a core that reads from both sides; got --core window")
    if recipe.adaptive:
        raise ValueError("adaptive is for --objective next; got --objective masked")
    if recipe.frozen_updates == "all":
        raise ValueError("frozen_updates all is for --objective next: the mask is an embedding, and must learn")
    given = {"recurrent_dropout": recipe.recurrent_dropout, "zoneout": recipe.zoneout, "residual": recipe.residual}
    for name, value in given.items():
        if value:
            raise ValueError(f"{name} is for --objective next; got {value} and --objective masked")
    if recipe.context != type(recipe).model_fields["context"].default:
        raise ValueError(
            f"context is for --objective next: what is masked is seen with all of its --steps; got {recipe.context}"
        )
