"""throughtime data list | get NAME | make NAME: public corpora, fetched with their checksums, and data made here."""

import json
import sys
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

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(help="a name that `throughtime data list` tells")]
    out: Annotated[Path, tyro.conf.arg(help="the folder to put the files into")] = Path("data")
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


@dataclass
class MakeOptions:
    """Makes a small set of data, the same on any machine, and prints where its file lies."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(help="a name that `throughtime data list` tells")]
    out: Annotated[Path, tyro.conf.arg(help="the folder to put the file into")] = Path("data")
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Lists, fetches or makes."""
    if words[:1] == ["list"]:
        _list(parse(ListOptions, words[1:], "data list"))
        return 0
    if words[:1] == ["get"]:
        wanted = parse(GetOptions, words[1:], "data get")
        paths = [str(path) for path in get_corpus(find_corpus(wanted.name), wanted.out)]
        content = json.dumps({"name": wanted.name, "files": paths}) if wanted.json else "\n".join(paths)
        sys.stdout.write(content + "\n")
        return 0
    if words[:1] == ["make"]:
        asked = parse(MakeOptions, words[1:], "data make")
        path = make_toy(asked.name, asked.out)
        sys.stdout.write((json.dumps({"name": asked.name, "files": [str(path)]}) if asked.json else str(path)) + "\n")
        return 0
    if set(words) & {"--help", "-h"}:
        sys.stdout.write(
            "usage: throughtime data list [--json]\n       throughtime data get NAME [--out FOLDER] [--json]\n"
            "       throughtime data make NAME [--out FOLDER] [--json]\n"
        )
        return 0
    raise ArgumentError("data what? throughtime data list, or throughtime data get|make NAME [--out FOLDER]")


def _list(options: ListOptions) -> None:
    known = [(corpus.name, corpus.about, corpus.licence) for corpus in CORPORA]
    for name, about, licence in [*known, *((toy.name, toy.about, "made by `data make`") for toy in TOYS)]:
        if options.json:
            sys.stdout.write(json.dumps({"name": name, "about": about, "licence": licence}) + "\n")
        else:
            sys.stdout.write(f"{name:<18}{about} [{licence}]\n")
