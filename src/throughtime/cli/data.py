"""throughtime data list | get NAME | make NAME: public corpora, fetched with their checksums, and data made here."""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from throughtime.cli.parse import parse
from throughtime.data.corpora import CORPORA, find_corpus, get_corpus
from throughtime.data.toys import TOYS, make_toy
from throughtime.errors import ArgumentError


@dataclass
class ListOptions:
    """Lists the corpora that `data get` knows, and the data that `data make` makes."""

    json: Annotated[bool, tyro.conf.arg(help="print one JSON object a line")] = False


@dataclass
class GetOptions:
    """Fetches a corpus, checks it, and prints where its files lie."""

    name: Annotated[
        tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME", help="one that `throughtime data list` tells")
    ]
    out: Annotated[Path, tyro.conf.arg(help="the folder to put the files into")] = Path("data")
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


@dataclass
class MakeOptions:
    """Makes a small set of data, the same on any machine, and prints where its files lie."""

    name: Annotated[
        tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME", help="one that `throughtime data list` tells")
    ]
    out: Annotated[Path | None, tyro.conf.arg(help="the folder to put the files into (data, or data/NAME)")] = None
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Lists, fetches or makes."""
    if words[:1] == ["list"]:
        _list(parse(ListOptions, words[1:], "data list"))
        return 0
    if words[:1] == ["get"]:
        wanted = parse(GetOptions, words[1:], "data get")
        _tell(wanted.name, get_corpus(find_corpus(wanted.name), wanted.out), as_json=wanted.json)
        return 0
    if words[:1] == ["make"]:
        asked = parse(MakeOptions, words[1:], "data make")
        _tell(asked.name, make_toy(asked.name, asked.out), as_json=asked.json)
        return 0
    if set(words) & {"--help", "-h"}:
        sys.stdout.write(
            "usage: throughtime data list [--json]\n       throughtime data get NAME [--out FOLDER] [--json]\n"
            "       throughtime data make NAME [--out FOLDER] [--json]\n"
        )
        return 0
    raise ArgumentError("data what? throughtime data list, or throughtime data get|make NAME [--out FOLDER]")


def _tell(name: str, paths: Iterable[Path], *, as_json: bool) -> None:
    files = [str(path) for path in paths]
    sys.stdout.write((json.dumps({"name": name, "files": files}) if as_json else "\n".join(files)) + "\n")


def _list(options: ListOptions) -> None:
    known = [(corpus.name, corpus.about, corpus.licence) for corpus in CORPORA]
    for name, about, licence in [*known, *((toy.name, toy.about, "made by `data make`") for toy in TOYS)]:
        if options.json:
            sys.stdout.write(json.dumps({"name": name, "about": about, "licence": licence}) + "\n")
        else:
            sys.stdout.write(f"{name:<18}{about} [{licence}]\n")
