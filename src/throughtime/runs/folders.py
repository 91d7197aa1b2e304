"""From a run folder to its recipe and a model with its weights: what all applications share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel

from throughtime.errors import ArgumentError, RunError
from throughtime.recipes import APPLICATIONS
from throughtime.recipes.read import make_recipe

if TYPE_CHECKING:
    from torch import nn

    from throughtime.data.units import Units

D = TypeVar("D")
F = TypeVar("F", bound=BaseModel)
M = TypeVar("M", bound="nn.Module")


def find_whole(run: Path) -> Path:
    """The run folder itself if it is whole, else its last whole checkpoint.

    Raises `RunError` when there is neither.
    """
    from throughtime import folder
    from throughtime.train import course

    if run.is_file():
        raise RunError(f"{run} is a file, and a run is a folder: give the --out of `throughtime train`")
    if not run.is_dir():
        raise RunError(f"no such run folder: {run}; make one with `throughtime train ... --out {run}`, or give another")
    if folder.is_whole(run):
        return run
    checkpoint = course.last_checkpoint(run)
    if checkpoint is None:
        raise RunError(
            f"{run} holds no finished run and no checkpoint; rerun the command that was to make it, or choose another"
        )
    return checkpoint


def recipe_of(home: Path) -> Any:
    """The recipe of a whole run folder. Raises `RunError` when it is not one of ours."""
    from throughtime import folder

    values = folder.read_json(home, "recipe.json")
    known = {str(recipe.model_fields["application"].default): recipe for recipe in APPLICATIONS}
    application = values.get("application")
    if not isinstance(application, str) or application not in known:
        raise RunError(f"{home} holds a run of {application!a:.60}; this version knows: {', '.join(known)}")
    try:
        return make_recipe(known[application], values)
    except ArgumentError as error:
        raise RunError(f"the recipe in {home} does not fit this version: {error}") from None


def facts_of(home: Path, form: type[F]) -> F:
    """What a whole run folder tells of its data. Raises `RunError` when it does not have that form."""
    from throughtime import folder

    return folder.check_form(form, folder.read_json(home, "data.json"), home / "data.json")


def units_of(home: Path, kind: str) -> Units:
    """The vocabulary of a whole run folder. Raises `RunError` when it is of another kind than its recipe says."""
    from throughtime import folder
    from throughtime.data.units import units_from_json

    units = units_from_json(folder.read_json(home, "vocabulary.json", folder.TEXT_LIMIT))
    if units.kind != kind:
        raise RunError(f"the vocabulary in {home} is of {units.kind}s, and its recipe is of {kind}s")
    return units


def filled(make: Callable[[], M], home: Path) -> M:
    """A model with the weights of a folder, whose shapes are looked at before memory is taken for them."""
    from throughtime.train import course

    weights = course.read_weights(make, home)
    model = make()
    course.restore_weights(model, weights, home)
    return model.eval()


class Source(NamedTuple):
    """A file that a run was made from, as it was then."""

    path: Path
    bytes: int | None  # its size, where it is known
    sha256: str | None  # of what was read


def sources_of(recipe: Any, facts: Any) -> list[Source]:
    """The files of a run that learns from one file, and holds some of it or another one out."""
    return [
        Source(recipe.train, facts.train_bytes, facts.train_sha256),
        Source(recipe.valid or recipe.train, facts.valid_bytes, facts.valid_sha256),
    ]


def hashes_of(found: Any) -> list[str]:
    """What the two files that were read again are now, by the facts that are told of them."""
    return [found.facts["train_sha256"], found.facts["valid_sha256"]]


def read_again(
    home: Path,
    read: Callable[[], D],
    sources: Sequence[Source],
    hashes: Callable[[D], Sequence[str | None]],
    *,
    option: str = "data",
) -> D:
    """What a run was made from, read again; `hashes` tells the sha256 of each source, as it now is.

    Raises `RunError` when one is not what it was, before it is read where its size tells already: it may be of any
    size now. `option` of evaluate names another file.
    """
    for source in sources:
        if source.bytes is not None and source.path.is_file() and source.path.stat().st_size != source.bytes:
            raise changed(source.path, home, option)
    again = read()
    for source, now in zip(sources, hashes(again), strict=True):
        if now != source.sha256:
            raise changed(source.path, home, option)
    return again


def changed(path: Path | str, home: Path, option: str) -> RunError:
    """The error of a file that is not what a run was trained on; `option` of evaluate names another one."""
    return RunError(
        f"{str(path)!a:.200} was changed since {home} was trained on it; put it back, or give evaluate --{option} FILE"
    )


def check_made(recipe: Any, run: Path, wanted: str, use: str) -> None:
    """Raises `RunError` unless a run holds what is wanted, such as "language", and tells what it is good for."""
    if recipe.application != wanted:
        other = next(known for known in APPLICATIONS if known.model_fields["application"].default == wanted)
        raise RunError(
            f"{run} holds {recipe.makes}, and {use} is for {other.makes.split(' ', 1)[1]}s; try {recipe.advice(run)[0]}"
        )
