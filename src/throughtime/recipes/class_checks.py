"""Which settings of a classifier go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from throughtime.recipes.cells import CellName

if TYPE_CHECKING:
    from throughtime.recipes.classify import Classify

WITHOUT_UNKNOWN = (None, "subword", "byte")  # units
WIDEST = 1024  # steps that a filter may see
DEEPEST, WIDEST_LAYER = 64, 65536  # hidden layers of a bag of words, and their units
# Settings of one kind of data alone:
OF_TEXTS = ("aligned", "text_column", "alphabet", "header_separator", "maximum_vocab", "vectors", "embedding")
OF_SERIES = ("id_column", "time_column", "value_columns", "windows")


def check(recipe: Classify) -> None:
    """Raises `ValueError` for settings that do not go together."""
    _consistent(recipe)
    _of_a_bag(recipe)
    _read_as_one_kind(recipe)


def _consistent(recipe: Classify) -> None:
    recurrent = recipe.core in get_args(CellName)
    if recipe.separator and recipe.labels != "multiple":
        raise ValueError(f"separator is for --labels multiple; got --labels {recipe.labels}")
    if (recipe.smoothing or recipe.balanced) and recipe.labels != "single":
        raise ValueError(f"smoothing and balanced are for --labels single; got --labels {recipe.labels}")
    if recipe.vectors and recipe.unit != "word":
        raise ValueError(f"vectors needs --unit word, for they are of words; got --unit {recipe.unit}")
    if recipe.frozen_updates and not recipe.vectors:
        raise ValueError(f"frozen_updates needs --vectors; got {recipe.frozen_updates} and none")
    if not recurrent and (recipe.layers > 1 or not recipe.both or recipe.pool == "last"):
        raise ValueError(f"layers, --no-both and --pool last are for recurrent cores; got --core {recipe.core}")
    if recipe.core in ("average", "bag") and recipe.hidden != 128:
        raise ValueError(f"hidden is for cores that have units, this one has none; got {recipe.hidden}")
    if recipe.core != "convolution" and recipe.widths != (3, 4, 5):
        raise ValueError(f"widths is for --core convolution; got --core {recipe.core}")
    if (
        not recipe.widths
        or len(set(recipe.widths)) < len(recipe.widths)
        or set(recipe.widths) - set(range(1, WIDEST + 1))
    ):
        raise ValueError(f"widths must be different numbers from 1 to {WIDEST}; got {list(recipe.widths)}")
    if recipe.word_dropout and recipe.unit in WITHOUT_UNKNOWN:
        what = f"{recipe.unit}s" if recipe.unit else "numbers"
        raise ValueError(
            f"word_dropout needs units that can be unknown, which {what} cannot be; got {recipe.word_dropout}"
        )


def _of_a_bag(recipe: Classify) -> None:
    """Settings of a bag of words are not given of other cores, nor those of others of a bag."""
    if recipe.core != "bag" and (recipe.bag != "binary" or recipe.dense):
        raise ValueError(f"bag and dense are for --core bag; got --core {recipe.core}")
    if recipe.core == "bag" and recipe.of_series:
        raise ValueError("--core bag is of words or other units, and these are series of numbers; choose another")
    if recipe.core == "bag" and (recipe.embedding or recipe.vectors or recipe.pool):
        raise ValueError("embedding, vectors and pool are for cores over embeddings, and a bag of words has none")
    if recipe.core == "bag" and recipe.aligned:
        raise ValueError(f"aligned is for cores that know places, and a bag does not; got {recipe.aligned}")
    if len(recipe.dense) > DEEPEST or not all(1 <= units <= WIDEST_LAYER for units in recipe.dense):
        raise ValueError(
            f"dense is at most {DEEPEST} layers of 1 to {WIDEST_LAYER:,} units; got {list(recipe.dense)!s:.80}"
        )


def _read_as_one_kind(recipe: Classify) -> None:
    """Settings of texts are not given of series, nor those of series of texts."""
    settings = recipe.model_fields_set - {"unit", "word_dropout"}
    told = [
        name for name in (OF_TEXTS if recipe.of_series else OF_SERIES) if name in settings and getattr(recipe, name)
    ]
    if recipe.of_series and recipe.unit:
        raise ValueError(f"unit is of texts, and these are series of numbers; got {recipe.unit}")
    if told and recipe.of_series:
        raise ValueError(f"{told[0]} is of texts, and these are series of numbers; leave it out")
    if told:
        raise ValueError(f"{told[0]} is of numbers in time: give --id-column or --windows as well, or .ts or .npy")
    if recipe.windows and recipe.time_column:
        raise ValueError("time_column is of rows that are times, and with --windows a row is a series; leave it out")
