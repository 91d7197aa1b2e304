"""throughtime data list | get NAME: public corpora, fetched with their checksums."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from throughtime.cli.parse import parse
from throughtime.data.corpora import CORPORA, find_corpus, get_corpus
from throughtime.errors import ArgumentError


@dataclass
class ListOptions:
    """Lists the corpora that `data get` knows."""

    json: Annotated[bool, tyro.conf.arg(help="print one JSON object a line")] = False


@dataclass
class GetOptions:
    """Fetches a corpus, checks it, and prints where its files lie."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(help="a name that `throughtime data list` tells")]
    out: Annotated[Path, tyro.conf.arg(help="the folder to put the files into")] = Path("data")
    json: Annotated[bool, tyro.conf.arg(help="print one JSON object")] = False


def command(words: list[str]) -> int:
    """Lists or fetches."""
    if words[:1] == ["list"]:
        options = parse(ListOptions, words[1:], "data list")
        for corpus in CORPORA:
            if options.json:
                sys.stdout.write(
                    json.dumps({"name": corpus.name, "about": corpus.about, "licence": corpus.licence}) + "\n"
                )
            else:
                sys.stdout.write(f"{corpus.name:<18}{corpus.about} [{corpus.licence}]\n")
        return 0
    if words[:1] == ["get"]:
        wanted = parse(GetOptions, words[1:], "data get")
        paths = [str(path) for path in get_corpus(find_corpus(wanted.name), wanted.out)]
        content = json.dumps({"name": wanted.name, "files": paths}) if wanted.json else "\n".join(paths)
        sys.stdout.write(content + "\n")
        return 0
    if set(words) & {"--help", "-h"}:
        sys.stdout.write(
            "usage: throughtime data list [--json]\n       throughtime data get NAME [--out FOLDER] [--json]\n"
        )
        return 0
    raise ArgumentError("data what? throughtime data list, or throughtime data get NAME [--out FOLDER]")
