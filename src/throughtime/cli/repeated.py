"""Options of commands that train a recipe many times: the recipe's own, and where the data are that it learns from."""

from collections.abc import Collection
from dataclasses import MISSING, field, fields, make_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import tyro

from throughtime.cli.parse import joined, parse, recipe_options
from throughtime.cli.train import configured
from throughtime.errors import ArgumentError, nearest
from throughtime.recipes import APPLICATIONS

SENTENCES = (".conllu", ".conllup", ".conll")
FILLED = ("application", "train", "valid")  # settings that are not options here under their own names

DATA = Annotated[
    tyro.conf.Positional[Path],
    tyro.conf.arg(metavar="DATA", help="what is learned from, and split where no --valid is"),
]
VALID = Annotated[Path | None, tyro.conf.arg(help="data to choose weights by, instead of a part of DATA")]
CONFIG = Annotated[Path | None, tyro.conf.arg(help="a recipe.json or .toml; options on the command line go before it")]
JSON = Annotated[bool, tyro.conf.arg(help="print one JSON object")]

Extra = list[tuple[str, Any, Any]]


def recipe_named(name: str, needs: Collection[str], command: str) -> Any:
    """The recipe of a name. Raises `ArgumentError` where there is none, or it lacks a setting that is needed."""
    known = {str(recipe.model_fields["application"].default): recipe for recipe in APPLICATIONS}
    fit = {name: recipe for name, recipe in known.items() if set(needs) <= set(recipe.model_fields)}
    if name not in known:
        raise ArgumentError(f"unknown application '{name}'; {nearest(name, fit)}")
    if name not in fit:
        lacking = ", ".join(sorted(set(needs) - set(known[name].model_fields)))
        raise ArgumentError(f"{command} is not for {name}, whose recipe has no {lacking}; known: {', '.join(fit)}")
    return fit[name]


def options_of(
    recipe: Any, words: list[str], extra: Extra, *, without: Collection[str], command: str, about: str
) -> tuple[set[str], Any, dict[str, Any]]:
    """The names of settings that words say, all options, and among them the recipe's settings.

    Raises `ArgumentError` as `parse` does.
    """
    words = joined(recipe_options(recipe, {}, extra, without=without), words)
    config = configured(words, recipe)
    own = {name for name, _, _ in extra}
    options_type = _first(recipe_options(recipe, config, extra, without=without), own)
    options_type.__doc__ = about
    options = parse(options_type, words, command)
    names = [name for name in recipe.model_fields if name not in own and hasattr(options, name)]
    spoken = [word.partition("=")[0] for word in words if word.startswith("--")]
    said = {option.removeprefix("--").removeprefix("no-").replace("-", "_") for option in spoken}
    return {name for name in names if name in said or name in config}, options, {n: getattr(options, n) for n in names}


def _first(options: type[Any], names: Collection[str]) -> type[Any]:
    """The same options, of which some stand first: those that are asked for most, and then the many of a recipe."""
    ordered = sorted(fields(options), key=lambda column: (column.default is not MISSING, column.name not in names))
    columns: list[tuple[str, Any, Any]] = [
        (column.name, column.type, field() if column.default is MISSING else field(default=column.default))
        for column in ordered
    ]
    return make_dataclass(options.__name__, columns, kw_only=True)


def choices_of(kind: Any) -> list[Any]:
    """The values that a type of literals has.

    >>> from typing import Literal
    >>> choices_of(Literal["lstm", "gru"] | Literal["average"])
    ['lstm', 'gru', 'average']
    """
    if not get_origin(kind):
        return []
    found = []
    for part in get_args(kind):
        found += choices_of(part) if get_origin(part) else [part]
    return [part for part in found if isinstance(part, str)]
