"""From a run folder alone to something that works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from throughtime.errors import ArgumentError, RunError
from throughtime.recipes.language import Language
from throughtime.recipes.read import make_recipe

if TYPE_CHECKING:
    from throughtime.models import Writer


def load(run: str | Path) -> Writer:
    """The trained model of a run folder, with its best weights; of an unfinished run, those of its last checkpoint.

    Every file is checked against the manifest, and the weights' shapes against the recipe before memory is taken
    for them. Nothing in the folder is executed.

    Raises `RunError` when the folder is absent, incomplete, altered, or from a newer version.
    """
    import torch

    from throughtime.data.units import units_from_json
    from throughtime.models import Writer
    from throughtime.train import course, folder

    home = find_whole(Path(run))
    recipe = recipe_of(home)
    units = units_from_json(folder.read_json(home, "vocabulary.json"))
    weights = folder.read_tensors(home, course.WEIGHTS)
    with torch.device("meta"):
        course.check_weights(recipe.model_of(len(units)), weights, home)
    model = recipe.model_of(len(units))
    course.restore_weights(model, weights, home)
    return Writer(model.eval(), units)


def recipe_of(home: Path) -> Language:
    """The recipe of a whole run folder. Raises `RunError` when it is not one of ours."""
    from throughtime.train import folder

    values = folder.read_json(home, "recipe.json")
    if values.get("application") != "language":
        raise RunError(f"{home} holds a run of '{values.get('application')}'; this version knows: language")
    try:
        return make_recipe(Language, values)
    except ArgumentError as error:
        raise RunError(f"the recipe in {home} does not fit this version: {error}") from None


def find_whole(run: Path) -> Path:
    """The run folder itself if it is whole, else its last whole checkpoint.

    Raises `RunError` when there is neither.
    """
    from throughtime.train import course, folder

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
