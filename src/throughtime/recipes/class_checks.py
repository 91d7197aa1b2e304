"""Which settings of a classifier go together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from throughtime.errors import ArgumentError
from throughtime.recipes.cells import CellName
from throughtime.recipes.parts import check_attention

if TYPE_CHECKING:
    from throughtime.recipes.classify import Classify

UnitName = Literal["word", "character", "subword", "byte"]
WITHOUT_UNKNOWN = (None, "subword", "byte")  # units
WIDEST = 1024  # steps that a filter may see
DEEPEST, WIDEST_LAYER = 64, 65536  # hidden layers of a bag of words, and their units
TABLE, FOLDER, FASTA = "tables of texts", "folders of texts", "FASTA files"
TS, NPY, TIMES, ROWS = ".ts files", ".npy files", "tables of times", "tables of series"
TEXTS, TABLES = (TABLE, FOLDER, FASTA), (TABLE, TIMES, ROWS)
READ = {  # settings of reading, and of what kinds of data each is
    "text_column": (TABLE,),
    "label_column": (*TABLES, FASTA),
    "group_column": TABLES,
    "header": (*TABLES, FASTA),
    "separator": (*TABLES, FASTA, TS, NPY),
    "label_file": (FASTA, NPY),
    "header_separator": (FASTA,),
    "alphabet": TEXTS,
    "id_column": (TIMES, ROWS),
    "time_column": (TIMES,),
    "value_columns": (TIMES, ROWS),
    "windows": (ROWS,),
    "order": (ROWS,),
    "unit": TEXTS,
    "minimum_count": TEXTS,
    "maximum_vocab": TEXTS,
    "vectors": TEXTS,
    "embedding": TEXTS,
    "aligned": TEXTS,
}
WAYS = {"--id-column": TIMES, "--windows": ROWS}  # that make a table one of numbers


def check(recipe: Classify) -> None:
    """Raises `ValueError` for settings that do not go together."""
    check_kind(recipe, kind_read(recipe))
    _consistent(recipe)
    _of_a_bag(recipe)


def _consistent(recipe: Classify) -> None:
    recurrent = recipe.core in get_args(CellName)
    if recipe.separator and recipe.labels != "multiple":
        raise ValueError(f"separator is for --labels multiple; got --labels {recipe.labels}")
    if (recipe.smoothing or recipe.balanced) and recipe.labels != "single":
        raise ValueError(f"smoothing and balanced are for --labels single; got --labels {recipe.labels}")
    check_attention(recipe)
    if recipe.pretrained is not None and recipe.unit is None:
        raise ValueError("pretrained is of texts and letters, and these are series of numbers")
    if recipe.pretrained is not None and recipe.aligned:
        raise ValueError(f"aligned and pretrained exclude each other; got {recipe.aligned}")
    deep = recipe.layers > 1 and recipe.core != "self-attention"
    if not recurrent and (deep or not recipe.both or recipe.pool == "last"):
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


def kind_read(recipe: Classify) -> str:
    """What kind of data is read, by a file's name and the settings; a folder is a table until it is looked at."""
    from throughtime.data.lines import kind_of
    from throughtime.data.sources import content_of

    content = content_of(recipe.train)
    if content == "series":
        return TS if kind_of(recipe.train) == ".ts" else NPY
    if content == "sequences":
        return FASTA
    if recipe.windows is not None:
        return ROWS
    return TABLE if recipe.id_column is None else TIMES


def check_kind(recipe: Classify, kind: str) -> None:
    """Raises `ArgumentError` for a setting of other kinds of data than are read, which would mean nothing."""
    fields = type(recipe).model_fields
    for name, kinds in READ.items():
        value = getattr(recipe, name)
        if kind not in kinds and value != fields[name].default:
            of = "texts" if kinds == TEXTS else ", ".join(kinds)
            ways = [way for way, other in WAYS.items() if kind == TABLE and other in kinds]
            way = f", or give {' or '.join(ways)} as well" if ways else ""
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            raise ArgumentError(f"{name} is of {of}, not of {kind}: leave it out{way}; got {shown:.80}")
    if recipe.label_file and recipe.header_separator:
        raise ArgumentError(
            "header_separator is of labels in headers, and --label-file has them: leave one of them out"
        )
    if recipe.unit == "byte" and (recipe.minimum_count != fields["minimum_count"].default or recipe.maximum_vocab):
        raise ArgumentError("minimum_count and maximum_vocab are of units that are learned, and bytes are not")


def unit_of(values: dict[str, Any]) -> UnitName | None:
    """What items are cut into, by what is read; None of numbers in time."""
    from throughtime.data.sources import content_of

    content = content_of(Path(str(values.get("train", ""))))
    if content == "series" or values.get("windows") or values.get("id_column"):
        return None
    given: UnitName | None = values.get("unit")
    return given or ("character" if content == "sequences" or values.get("alphabet") else "word")
