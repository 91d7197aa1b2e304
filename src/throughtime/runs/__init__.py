"""From a run folder alone to something that works.

There is a module for the runs of each recipe, with the names of `Application`; besides them:

folders      what all of them share: the recipe of a folder, a model with its weights
asked        what a run is asked, and the forms of its answers
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, cast

from throughtime.runs.asked import Answers, Application, Asked, Judged, Live
from throughtime.runs.folders import find_whole, recipe_of

__all__ = ["Answers", "Application", "Asked", "Judged", "Live", "application_of", "find_whole", "load", "recipe_of"]


def load(run: str | Path) -> Any:
    """The trained model of a run folder, with its best weights; of an unfinished run, those of its last checkpoint.

    What it is depends on what the run learned: a `Writer`, a `Filler`, a `Translator`, a `SentenceEncoder`, a
    `TextClassifier`, a `Tagger`, a `Forecaster`, a `Policy` or a `FeatureReader`. Every file is checked against the
    manifest, and the weights' shapes against the recipe before memory is taken for them. Nothing in the folder is
    executed.

    Raises `RunError` when the folder is absent, incomplete, altered, or from a newer version.
    """
    return load_from(find_whole(Path(run)))


def load_from(home: Path) -> Any:
    """The trained model of a whole folder, as `find_whole` gives it. Raises `RunError` as `load` does."""
    from throughtime import folder

    folder.check_files(home)
    recipe = recipe_of(home)
    return application_of(recipe).load(home, recipe)


def application_of(recipe: Any) -> Application[Any, Any]:
    """The module that knows what to do with the runs of a recipe."""
    name = type(recipe).model_fields["application"].default
    return cast("Application[Any, Any]", import_module(f"throughtime.runs.{name}"))
