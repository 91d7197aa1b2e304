"""From a run folder alone to something that works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from throughtime.errors import ArgumentError, RunError
from throughtime.recipes.language import Language, LanguageData
from throughtime.recipes.read import make_recipe
from throughtime.recipes.transfer import Sha256, VectorFacts

if TYPE_CHECKING:
    from throughtime.models import Writer

Count = Annotated[int, Field(ge=0, lt=2**53)]


class Facts(BaseModel):
    """What data.json tells of the text that a run was made from."""

    model_config = ConfigDict(strict=True, frozen=True)

    text: str
    text_sha256: str
    text_bytes: Count
    valid: str
    valid_sha256: str
    train_sha256: str | None = None
    skipped_bytes: Count
    vocab: Count
    train_units: Count
    train_unknown: Count
    valid_units: Count
    valid_unknown: Count
    vectors: VectorFacts | None = None
    vectors_sha256: Sha256 | None = None


def load(run: str | Path) -> Writer:
    """The trained model of a run folder, with its best weights; of an unfinished run, those of its last checkpoint.

    Every file is checked against the manifest, and the weights' shapes against the recipe before memory is taken
    for them. Nothing in the folder is executed.

    Raises `RunError` when the folder is absent, incomplete, altered, or from a newer version.
    """
    return load_from(find_whole(Path(run)))


def load_from(home: Path) -> Writer:
    """The trained model of a whole folder, as `find_whole` gives it. Raises `RunError` as `load` does."""
    import torch

    from throughtime import folder
    from throughtime.data.units import units_from_json
    from throughtime.models import Writer
    from throughtime.train import course

    folder.check_files(home)
    recipe = recipe_of(home)
    units = units_from_json(folder.read_json(home, "vocabulary.json", folder.TEXT_LIMIT))
    if units.kind != recipe.unit:
        raise RunError(f"the vocabulary in {home} is of {units.kind}s, and its recipe is of {recipe.unit}s")
    with torch.device("meta"):
        empty = recipe.model_of(len(units))
        limit = sum(parameter.nbytes for parameter in empty.parameters()) + course.HEADER_BYTES
    weights = folder.read_tensors(home, course.WEIGHTS, limit)
    course.check_weights(empty, weights, home)
    model = recipe.model_of(len(units))
    course.restore_weights(model, weights, home)
    return Writer(model.eval(), units)


def facts_of(home: Path) -> Facts:
    """What a whole run folder tells of its text. Raises `RunError` when it does not."""
    from throughtime import folder

    return folder.check_form(Facts, folder.read_json(home, "data.json"), home / "data.json")


def data_of(home: Path, recipe: Language, writer: Writer) -> LanguageData:
    """The data that a run was made from, read again.

    Raises `RunError` when they are not what they were, and `DataError` when they cannot be read.
    """
    facts = facts_of(home)
    changed = RunError(
        f"{facts.text!a:.200} was changed since {home} was trained on it; put it back, or give evaluate --text FILE"
    )
    if recipe.text.is_file() and recipe.text.stat().st_size != facts.text_bytes:
        raise changed  # before it is read: what stands there now may be of any size
    data = recipe.data()
    hashes = data.facts["text_sha256"], data.facts["valid_sha256"], len(data.units)
    if hashes != (facts.text_sha256, facts.valid_sha256, len(writer.units)):
        raise changed
    return data


def recipe_of(home: Path) -> Language:
    """The recipe of a whole run folder. Raises `RunError` when it is not one of ours."""
    from throughtime import folder

    values = folder.read_json(home, "recipe.json")
    if values.get("application") != "language":
        raise RunError(f"{home} holds a run of {values.get('application')!a:.60}; this version knows: language")
    try:
        return make_recipe(Language, values)
    except ArgumentError as error:
        raise RunError(f"the recipe in {home} does not fit this version: {error}") from None


def find_whole(run: Path) -> Path:
    """The run folder itself if it is whole, else its last whole checkpoint.

    Raises `RunError` when there is neither.
    """
    from throughtime import folder
    from throughtime.train import course

    if not run.is_dir():
        raise RunError(f"no such run folder: {run}; make one with `throughtime train language --text FILE --out {run}`")
    if folder.is_whole(run):
        return run
    checkpoint = course.last_checkpoint(run)
    if checkpoint is None:
        raise RunError(
            f"{run} holds no finished run and no checkpoint; rerun the command that was to make it, or choose another"
        )
    return checkpoint
