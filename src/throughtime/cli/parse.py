"""From words on the command line to options: tyro over dataclasses, every error one line."""

import contextlib
import io
import re
import sys
from collections.abc import Collection
from dataclasses import MISSING, Field, field, fields, make_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import tyro
from pydantic import BaseModel

from throughtime.errors import ArgumentError, nearest
from throughtime.recipes.training import Training

T = TypeVar("T")
Phrase = Annotated[str, "a phrase"]  # of options that take several: it may have commas in it
POSITIONAL = get_args(tyro.conf.Positional[str])[1]
OPEN = bool | None  # of what is found out unless it is said: --header, --no-header
RULE = re.compile(r"[─-]{4}")
# An option, and its values as Python writes them.
MISREAD = re.compile(r"""error parsing (--[\w-]+): .*?(?:from|\w:) ([\["'].*?[\]"'])(?:\. Got errors: .*)?$""")

CHOICE = re.compile(r"invalid choice '(.*?)' for argument '(--[\w-]+)'")


def parse(options: type[T], words: list[str], command: str) -> T:
    """The options that the words on the command line say.

    Raises `ArgumentError` of one line for an option that is unknown, missing or does not fit. `--help` prints the
    help and ends the program.
    """
    program = f"throughtime {command}"
    words = joined(options, words)
    if "--help" in words or "-h" in words:
        try:
            return tyro.cli(options, args=["--help"], prog=program)
        finally:
            sys.stdout.flush()
    _refuse(options, words, program)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return tyro.cli(options, args=words, prog=program)
    except SystemExit:
        told = _one_line(said.getvalue())
        raise ArgumentError(f"{_misread(told, dict(_kinds(options))) or told}; see {program} --help") from None


def recipe_options(
    recipe: type[BaseModel],
    defaults: dict[str, Any],
    extra: list[tuple[str, Any, Any]],
    *,
    without: Collection[str] = ("application",),
) -> type[Any]:
    """A dataclass of a recipe's settings, with the recipe's own defaults or those given, and some options besides.

    What is a recipe's own stands first, for its user asks for it first; last is what all recipes have.
    Values are checked by the recipe when it is made, not here.
    """
    columns: list[tuple[str, Any, Field[Any]]] = []
    names = sorted(recipe.model_fields, key=lambda name: name not in recipe.__annotations__)
    for name in sorted(names, key=lambda name: name in Training.model_fields):
        info = recipe.model_fields[name]
        if name in without:
            continue
        kind: Any = Annotated[_plain(info.annotation), tyro.conf.arg(name=info.alias, help=info.description)]
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


def joined(options: type[Any], words: list[str]) -> list[str]:
    """The words, where a value that looks like an option stands in one word with its own: --prompt=-h.

    Several numbers or names may stand in one word, with commas between; files and phrases may not, which have some.
    What takes several may also be given again and again: --target x --target=y.

    >>> options = make_dataclass("Options", [("prompt", str), ("json", bool), ("sizes", tuple[int, ...])])
    >>> joined(options, ["--prompt", "-h", "--sizes", "8,4", "--json", "-h", "--sizes=2"])
    ['--prompt=-h', '--sizes', '8', '4', '2', '--json', '-h']
    """
    kinds = dict(_kinds(options))
    several = {name for name, kind in kinds.items() if get_origin(kind) is tuple}
    words = [part for word in words for part in _parted(word, several)]
    taking = {name for name, kind in kinds.items() if kind not in (bool, OPEN) and get_origin(kind) is not tuple}
    said: list[str] = []
    rest, listing = iter(words), False
    for word in rest:
        if listing and not word.startswith("--"):
            said += filter(None, word.split(","))
            continue
        name = word.replace("_", "-")
        kind = kinds.get(name)
        listing = get_origin(kind) is tuple and not {Path, Phrase} & {*get_args(kind)}
        positive = name.replace("--no-", "--", 1)
        said.append(f"{positive}={name in kinds}" if kinds.get(positive) == OPEN else word)
        if word.replace("_", "-") in taking:
            value = next(rest, None)
            if value is not None and value.startswith("-"):
                said[-1] = f"{word}={value}"
            elif value is not None:
                said.append(value)
    return _gathered(said, several)


def _parted(word: str, several: Collection[str]) -> list[str]:
    """An option that takes several, and a value that stands in one word with it."""
    name, equals, value = word.partition("=")
    return [name, value] if equals and name.replace("_", "-") in several else [word]


def said(options: type[Any], words: list[str]) -> set[str]:
    """The names of the options that stand among the words.

    >>> options = make_dataclass("Options", [("held_out", float), ("tied", bool)])
    >>> sorted(said(options, ["--held-out=0.1", "--no-tied"]))
    ['held_out', 'tied']
    """
    given = {word.partition("=")[0].replace("_", "-") for word in words if word.startswith("--")}
    names = {column.name: "--" + _name(column).replace("_", "-") for column in fields(options)}
    return {name for name, option in names.items() if {option, option.replace("--", "--no-", 1)} & given}


def _gathered(words: list[str], several: Collection[str]) -> list[str]:
    """The words, where all values of an option that takes several stand behind its first mention.

    >>> _gathered(["--target", "x", "--seed", "1", "--target", "y"], {"--target"})
    ['--target', 'x', 'y', '--seed', '1']
    """
    groups: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--"):
            groups.append([])
        groups[-1].append(word)
    first = dict[str, list[str]]()
    for group in groups:
        name = group[0].replace("_", "-") if group else ""
        if name in several and first.setdefault(name, group) is not group:
            first[name] += group[1:]
            group.clear()
    return [word for group in groups for word in group]


def _kinds(options: type[Any]) -> list[tuple[str, Any]]:
    """The options by name, each with the type of its value; not what stands on the command line without a name."""
    return [
        ("--" + _name(column).replace("_", "-"), _plain(column.type))
        for column in fields(options)
        if POSITIONAL not in get_args(column.type)
    ]


def _name(column: Field[Any]) -> str:
    """What an option is called: as its column, unless it was given another name."""
    return next((part.name for part in get_args(column.type)[1:] if getattr(part, "name", None)), column.name)


def _refuse(options: type[Any], words: list[str], program: str) -> None:
    """Options that there are not, and those that take several and have none."""
    known = ["--help"]
    for option, kind in _kinds(options):
        known += [option, option.replace("--", "--no-", 1)] if kind in (bool, OPEN) else [option]
    for word in words:
        name = word.split("=", 1)[0]
        if name.startswith("--") and name.replace("_", "-") not in known:
            raise ArgumentError(f"unknown option {name}; {nearest(name, known[1:])}; see {program} --help")
    several = {name for name, kind in _kinds(options) if get_origin(kind) is tuple}
    for word, after in pairwise([*words, "--"]):
        if (name := word.replace("_", "-")) in several and after.startswith("--"):
            raise ArgumentError(f"{name} takes one or more; got none; see {program} --help")


def _misread(told: str, kinds: dict[str, Any]) -> str:
    """What tyro says of a value that does not fit the type, in words; nothing if it says something else.

    >>> _misread("error parsing --beam: no type ... from ['a]']. Got errors: ...", {"--beam": int | None})
    "--beam takes a whole number; got 'a]'"
    """
    if (found := MISREAD.match(told)) and found[1] in kinds:
        return f"{found[1]} takes {_wanted(kinds[found[1]])}; got {found[2].strip('[]')}"
    if (found := CHOICE.match(told)) and found[2] in kinds:
        return f"invalid choice {found[1]!r} for {found[2]}; {nearest(found[1], _choices(kinds[found[2]]))}"
    return ""


def _choices(kind: Any) -> list[str]:
    """The words that a type allows, in their order.

    >>> _choices(tuple[Literal["a", "b"], ...]), _choices(Literal["none"] | int)
    (['a', 'b'], ['none'])
    """
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    return [choice for part in get_args(kind) for choice in _choices(part)]


def _wanted(kind: Any) -> str:
    """A type in words.

    >>> _wanted(int | Literal["all"] | None), _wanted(tuple[float, ...])
    ("a whole number or 'all'", 'one or more, each a number')
    """
    kind = _plain(kind)
    if kind in (int, float):
        return "a whole number" if kind is int else "a number"
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if get_origin(kind) is tuple:
        return f"one or more, each {_wanted(get_args(kind)[0])}"
    parts = [part for part in get_args(kind) if part is not type(None)]
    return " or ".join(map(_wanted, parts)) or "another value"


def _one_line(box: str) -> str:
    """What tyro says in a box, as a sentence: the text between the first rule and the next."""
    lines = box.splitlines()
    rules = [i for i, line in enumerate(lines) if RULE.search(line)]
    first, last = [*rules, len(lines), len(lines)][:2]
    body = [line.strip(" │|").removeprefix("- ") for line in lines[first + 1 : last]]
    sentence = " ".join(" ".join(body).split()).strip(" .:")
    return sentence[:1].lower() + sentence[1:] if sentence else "the options do not fit"
