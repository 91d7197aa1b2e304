"""From words on the command line to options: tyro over dataclasses, every error one line."""

import contextlib
import io
import re
from dataclasses import MISSING, Field, field, fields, make_dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin

import tyro
from pydantic import BaseModel

from throughtime.errors import ArgumentError, nearest

T = TypeVar("T")
RULE = re.compile(r"[─-]{4}")


def parse(options: type[T], words: list[str], command: str) -> T:
    """The options that the words on the command line say.

    Raises `ArgumentError` of one line for an option that is unknown, missing or does not fit. `--help` prints the
    help and ends the program.
    """
    program = f"throughtime {command}"
    if "--help" in words or "-h" in words:
        return tyro.cli(options, args=["--help"], prog=program)
    _refuse_unknown(options, words, program)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return tyro.cli(options, args=words, prog=program)
    except SystemExit:
        raise ArgumentError(f"{_one_line(said.getvalue())}; see {program} --help") from None


def recipe_options(recipe: type[BaseModel], defaults: dict[str, Any], extra: list[tuple[str, Any, Any]]) -> type[Any]:
    """A dataclass of a recipe's settings, with the recipe's own defaults or those given, and some options besides.

    Values are checked by the recipe when it is made, not here.
    """
    columns: list[tuple[str, Any, Field[Any]]] = []
    for name, info in recipe.model_fields.items():
        if name == "application":
            continue
        kind: Any = Annotated[_plain(info.annotation), tyro.conf.arg(help=info.description)]
        if name in defaults:
            columns.append((name, kind, field(default=defaults[name])))
        elif info.is_required():
            columns.append((name, kind, field()))
        else:
            columns.append((name, kind, field(default=info.default)))
    columns += extra
    columns.sort(key=lambda column: column[2].default is not MISSING)
    return make_dataclass(recipe.__name__, columns, kw_only=True)


def _plain(annotation: Any) -> Any:
    """The type without pydantic's constraints."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    return annotation


def _refuse_unknown(options: type[Any], words: list[str], program: str) -> None:
    known = ["--help", "-h"]
    for column in fields(options):
        option = "--" + column.name.replace("_", "-")
        known += (
            [option, option.replace("--", "--no-", 1)]
            if column.type is bool or "bool" in str(column.type)
            else [option]
        )
    for word in words:
        name = word.split("=", 1)[0]
        if name.startswith("--") and name.replace("_", "-") not in known:
            raise ArgumentError(f"unknown option {name}; {nearest(name, known[2:])}; see {program} --help")


def _one_line(box: str) -> str:
    """What tyro says in a box, as a sentence: the text between the first rule and the next."""
    lines = box.splitlines()
    rules = [i for i, line in enumerate(lines) if RULE.search(line)]
    first, last = [*rules, len(lines), len(lines)][:2]
    body = [line.strip(" │|").removeprefix("- ") for line in lines[first + 1 : last]]
    sentence = " ".join(" ".join(body).split()).strip(" .:")
    return sentence[:1].lower() + sentence[1:] if sentence else "the options do not fit"
