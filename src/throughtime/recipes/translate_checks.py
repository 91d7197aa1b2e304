"""Which settings of a translator go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughtime.recipes.parts import check_heads

if TYPE_CHECKING:
    from throughtime.recipes.translate import Translate


def check(recipe: Translate) -> None:
    """Raises `ValueError`, in a line, for settings that contradict one another."""
    _check_files(recipe)
    _check_units(recipe)
    _check_attention(recipe)
    _check_heads(recipe)
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
    of_tables = {name: getattr(recipe, name) for name in ("source_column", "target_column", "header")}
    named = [name for name, value in of_tables.items() if value is not None]
    if named and not (recipe.pairs or recipe.valid_pairs):
        raise ValueError(f"{named[0]} is for --pairs; got two files of lines")
    if (recipe.valid_pairs or recipe.valid_source) and changed(recipe, "held_out"):
        raise ValueError(f"held_out {recipe.held_out:g} is of pairs without files to validate on, and there are such")


def changed(recipe: Translate, name: str) -> bool:
    """Whether a setting is not what it is by itself."""
    return bool(getattr(recipe, name) != type(recipe).model_fields[name].default)


def _check_units(recipe: Translate) -> None:
    if recipe.source_unit and recipe.target_unit and changed(recipe, "unit"):
        raise ValueError(f"unit {recipe.unit} is of no side: source_unit and target_unit are given; leave one out")
    if recipe.shared and recipe.units[0] != recipe.units[1]:
        raise ValueError(f"shared needs the same unit on both sides; got {recipe.units[0]} and {recipe.units[1]}")
    for name in ("minimum_count", "maximum_vocab"):
        if set(recipe.units) == {"byte"} and changed(recipe, name):
            raise ValueError(f"{name} is of units that are learned, and bytes are not; got --unit byte")


def _check_attention(recipe: Translate) -> None:
    given = [name for name in ("coverage", "feeding", "attend", "attention", "join") if changed(recipe, name)]
    if not recurrent(recipe):
        if given:
            value = getattr(recipe, given[0])
            shown = "" if value is True else f" {value}"
            raise ValueError(
                f"{given[0]}{shown} is for a recurrent decoder; --decoder self-attention has its own attention"
            )
        return
    if recipe.attention == "dot" and recipe.encoder != "self-attention" and recipe.both:
        raise ValueError("attention dot needs sources as wide as the decoder: give --no-both, or --attention general")
    own = [name for name in given if name != "attention"]
    if recipe.heads is not None and recipe.heads > 1 and recipe.encoder != "self-attention":
        own.append("heads")
    if recipe.attention == "none" and own:
        raise ValueError(f"{own[0]} is of attention, and there is none; got --attention none")
    if recipe.coverage and recipe.attention in ("scaled", "cosine"):
        raise ValueError(f"coverage is for attention additive, general and dot; got --attention {recipe.attention}")
    if recipe.attention == "dot" and "heads" in own:
        raise ValueError(
            "attention dot has no weights that heads could differ in: give --heads 1, or another attention"
        )


def _check_heads(recipe: Translate) -> None:
    parts = "self-attention" in (recipe.encoder, recipe.decoder)
    if parts:
        check_heads(recipe.hidden, recipe.self_heads, recipe.positions)
    elif changed(recipe, "positions"):
        raise ValueError(f"positions is for self-attention; got {recipe.encoder} and {recipe.decoder}")
    if recipe.encoder == "self-attention" and not recipe.both:
        raise ValueError("--no-both is for recurrent encoders; got --encoder self-attention")
    if recipe.hidden % recipe.attend_heads:
        raise ValueError(f"heads must divide hidden; got {recipe.attend_heads} and {recipe.hidden}")
    if recipe.attend_heads == 1 and recipe.join != "concatenate":
        raise ValueError("join is of several heads of attention; got one")
    if not recipe.attend.startswith("local") and changed(recipe, "window"):
        raise ValueError(f"window is for --attend local; got {recipe.window} and --attend {recipe.attend}")
