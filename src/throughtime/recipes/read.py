"""Recipes from files and from values, with errors of one line."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, TypeAdapter, ValidationError

from throughtime.errors import ArgumentError, nearest

R = TypeVar("R", bound=BaseModel)
SIZE_LIMIT = 2**20  # bytes of a recipe file


def absolute(path: Path | None) -> Path | None:
    """A path from the root on. Raises `ValueError` when there is no such place, or its name is not text."""
    if path is None:
        return None
    try:
        whole = path.expanduser().absolute()
    except (RuntimeError, OSError) as error:  # no such user; no current folder
        raise ValueError(f"no such place ({error})") from None
    if any("\ud800" <= letter <= "\udfff" for letter in str(whole)):
        raise ValueError("the name has bytes that are not UTF-8; rename the file")
    return whole


Place = Annotated[Path, AfterValidator(absolute)]  # of a file, in a recipe
OptionalPlace = Annotated[Path | None, AfterValidator(absolute)]


def make_recipe(application: type[R], values: dict[str, Any]) -> R:
    """A recipe with these values.

    Raises `ArgumentError` that names the first setting that is unknown or does not fit, what came, and what fits.
    """
    try:
        return application.model_validate(values)
    except ValidationError as error:
        raise ArgumentError(_explain(error.errors()[0], application)) from None


def read_recipe(path: Path, application: type[R]) -> R:
    """The recipe in a .json or .toml file. Raises `ArgumentError` as `make_recipe` does."""
    return make_recipe(application, read_values(path))


def read_settings(path: Path, application: type[BaseModel]) -> dict[str, Any]:
    """Some of a recipe's settings from a .json or .toml file, as the types that the recipe has for them.

    Raises `ArgumentError` as `make_recipe` does, but not for settings that are missing.
    """
    settings = {}
    names = {info.alias: name for name, info in application.model_fields.items() if info.alias}
    for said, value in read_values(path).items():
        name = names.get(said, said)
        if name not in application.model_fields:
            raise ArgumentError(f"unknown setting '{name}' in {path}; {nearest(name, application.model_fields)}")
        try:
            kind: Any = application.model_fields[name].annotation
            settings[name] = TypeAdapter(kind).validate_python(value)
        except ValidationError as error:
            raise ArgumentError(_explain({**error.errors()[0], "loc": (name,)}, application)) from None
    return settings


def read_values(path: Path) -> dict[str, Any]:
    """What a .json or .toml file says, by name. Raises `ArgumentError` for what does not read."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise ArgumentError(f"{path} is over {SIZE_LIMIT:,} bytes: it is not a recipe")
        body = path.read_text(encoding="utf-8")
        values = tomllib.loads(body) if path.suffix == ".toml" else json.loads(body)
    except OSError as error:
        raise ArgumentError(f"cannot read the recipe {path}: {error.strerror}") from None
    except RecursionError:
        raise ArgumentError(f"{path} is nested too deeply: it is not a recipe") from None
    except ValueError as error:
        raise ArgumentError(
            f"{path} does not read as {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}"
        ) from None
    if not isinstance(values, dict):
        raise ArgumentError(f'{path} should hold an object of settings, such as {{"hidden": 256}}')
    return values


def _explain(problem: Any, application: type[BaseModel]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        return f"unknown setting '{name}'; {nearest(name, application.model_fields)}"
    if problem["type"] == "missing":
        lacking = next(info for known, info in application.model_fields.items() if name in (known, info.alias))
        return f"the setting '{name}' is missing: {lacking.description}"
    message = problem["msg"].removeprefix("Value error, ")
    if not name:
        return str(message)
    given = problem.get("input")
    shown = str(given) if isinstance(given, Path) else given
    return f"{name} does not fit: {message[0].lower()}{message[1:]}; got {shown!r}"
