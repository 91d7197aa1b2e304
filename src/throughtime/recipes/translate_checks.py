"""Which settings of a translator go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from throughtime.recipes.translate import Translate


def check(recipe: Translate) -> None:
    """Raises `ValueError`, in a line, for settings that contradict one another."""
    _check_files(recipe)
    _check_attention(recipe)
    _check_heads(recipe)
    if recipe.shared and recipe.units[0] != recipe.units[1]:
        raise ValueError(f"shared needs the same unit on both sides; got {recipe.units[0]} and {recipe.units[1]}")
    if recipe.tied and recipe.hidden != recipe.embedding and (recipe.attention == "none" or not recurrent(recipe)):
        raise ValueError(
            f"tied needs embedding = hidden here; got {recipe.embedding} and {recipe.hidden}: "
            "give --no-tied, or equal sizes"
        )


def recurrent(recipe: Translate) -> bool:
    """Whether the decoder is a recurrent one."""
    return recipe.decoder != "self-attention"


def _check_files(recipe: Translate) -> None:
    if recipe.pairs and (recipe.source or recipe.target):
        raise ValueError("pairs stand in one file or in two: give --pairs, or --source and --target")
    if not recipe.pairs and not (recipe.source and recipe.target):
        raise ValueError("there is nothing to learn from: give --source FILE --target FILE, or --pairs FILE")
    if bool(recipe.valid_source) != bool(recipe.valid_target):
        raise ValueError("valid_source and valid_target belong together: give both, or none")
    if recipe.valid_pairs and recipe.valid_source:
        raise ValueError("pairs to validate on stand in one file or in two: give --valid-pairs, or the other two")
    columns = recipe.source_column is not None or recipe.target_column is not None
    if columns and not (recipe.pairs or recipe.valid_pairs):
        raise ValueError("source_column and target_column are for --pairs")


def _check_attention(recipe: Translate) -> None:
    extras = {"coverage": recipe.coverage, "feeding": recipe.feeding, "attend": recipe.attend != "global"}
    given = [name for name, is_given in extras.items() if is_given]
    if not recurrent(recipe):
        if given:
            raise ValueError(f"{given[0]} is for a recurrent decoder; --decoder self-attention has its own attention")
        if recipe.attention == "none":
            raise ValueError("attention none is for a recurrent decoder; got --decoder self-attention")
        return
    if recipe.attention == "dot" and recipe.encoder != "self-attention" and recipe.both:
        raise ValueError("attention dot needs sources as wide as the decoder: give --no-both, or --attention general")
    if recipe.attention == "none" and (given or recipe.heads > 1):
        raise ValueError(f"{(given or ['heads'])[0]} is of attention, and there is none; got --attention none")


def _check_heads(recipe: Translate) -> None:
    if recipe.heads > 1 and recipe.attention == "dot" and recurrent(recipe):
        raise ValueError(
            "attention dot has no weights that heads could differ in: give --heads 1, or another attention"
        )
    if recipe.hidden % recipe.heads:
        raise ValueError(f"heads must divide hidden; got {recipe.heads} and {recipe.hidden}")
    if recipe.heads == 1 and recipe.join != "concatenate":
        raise ValueError("join is of several heads; got --heads 1")
    if not recipe.attend.startswith("local") and recipe.window != type(recipe).model_fields["window"].default:
        raise ValueError(f"window is for --attend local; got {recipe.window} and --attend {recipe.attend}")
