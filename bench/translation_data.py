"""The pairs of lines that `docs/results.md` speaks of, made from the data sets that others keep.

    python bench/translation_data.py --data DATA --out PAIRS

DATA is a folder with cmudict/cmudict.dict, scan/tasks_*.txt.gz and ud_ewt/en_ewt-ud-*.conllu.gz. In PAIRS come, of each
part, train.tsv, valid.tsv and test.tsv with the columns source and target:

spelling      a word to its phones without stress, split by the SHA-1 of the word: a hex digest that ends in 0 is of the
              test, in 1 of the validation. Every pronunciation is a line; lines of one word stand together
scan, length  commands to actions, the simple split and the one by length. The validation is one pair in sixteen of the
              training part, by the SHA-1 of its command
parses        sentences of up to 20 words to their dependency trees, in words of brackets: see `bracketed`

What is left out is counted and told.
"""

import argparse
import csv
import gzip
import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

PARTS = ("train", "valid", "test")
VARIANT = re.compile(r"\(\d+\)$")
STRESS = re.compile(r"\d$")
LONGEST = 20  # words of a sentence
HEAD = "*"  # the word itself, among its dependents
Pair = tuple[str, str]


def write(folder: Path, name: str, pairs: Iterable[Pair]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(pairs)
    with (folder / f"{name}.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["source", "target"])
        writer.writerows(rows)
    items = len({source for source, _ in rows})
    longest = max(len(target.split()) for _, target in rows)
    print(f"{folder.name}/{name}.tsv: {len(rows):,} pairs, {items:,} different sources, targets of up to {longest}")


def last_digit(text: str) -> str:
    """Of the SHA-1 in hex."""
    return hashlib.sha1(text.encode()).hexdigest()[-1]


def spelling(path: Path) -> dict[str, list[Pair]]:
    """The pronunciations of every word, by part; what is the same but for stress is one."""
    known: dict[str, dict[str, None]] = {}
    lines = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        word, *phones = line.split("#", 1)[0].split()
        known.setdefault(VARIANT.sub("", word), {})[" ".join(STRESS.sub("", phone) for phone in phones)] = None
        lines += 1
    kept = sum(map(len, known.values()))
    print(f"spelling: {lines:,} pronunciations of {len(known):,} words; {lines - kept:,} differ by stress alone")
    found: dict[str, list[Pair]] = {part: [] for part in PARTS}
    for word, ways in known.items():
        part = {"0": "test", "1": "valid"}.get(last_digit(word), "train")
        found[part] += [(word, phones) for phones in ways]
    return found


def commands(folder: Path, split: str) -> dict[str, list[Pair]]:
    """The pairs of a split of SCAN, by part."""
    found: dict[str, list[Pair]] = {part: [] for part in PARTS}
    for part in ("train", "test"):
        with gzip.open(folder / f"tasks_{part}_{split}.txt.gz", "rt", encoding="utf-8") as file:
            for line in file:
                command, actions = line.removeprefix("IN:").split("OUT:")
                pair = command.strip(), actions.strip()
                found["valid" if part == "train" and last_digit(pair[0]) == "0" else part].append(pair)
    return found


class Word(NamedTuple):
    """A row of CoNLL-U."""

    form: str
    head: int  # from 1; 0 is the root
    relation: str  # of the universal ones, without its subtype


def sentences(path: Path) -> Iterator[list[Word]]:
    """Without ranges of words and empty nodes, which no tree has."""
    words: list[Word] = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            if not line.strip():
                yield words
                words = []
            elif not line.startswith("#"):
                cells = line.rstrip("\n").split("\t")
                if cells[0].isdecimal():
                    words.append(Word(cells[1].replace(" ", ""), int(cells[6]), cells[7].split(":")[0]))
    if words:
        yield words


def bracketed(words: list[Word]) -> list[str]:
    """A dependency tree in brackets, words left out, as Vinyals et al. (2015) write trees of phrases.

    A word that others depend on is a bracket with its relation, in which it is `*` among them, in the order of the
    sentence; a word that none depends on is its relation alone. So `She reads old books` is
    `(root nsubj * (obj amod * ) )`: as many relations and stars that are no brackets as there are words.
    """
    below: list[list[int]] = [[] for _ in range(len(words) + 1)]
    for number, word in enumerate(words, 1):
        below[word.head].append(number)

    def tree(number: int) -> list[str]:
        relation = words[number - 1].relation
        if not below[number] and relation != "root":
            return [relation]
        inside = ([HEAD] if one == number else tree(one) for one in sorted([*below[number], number]))
        return [f"({relation}", *chain.from_iterable(inside), ")"]

    (root,) = below[0]
    return tree(root)


def crossing(words: list[Word]) -> bool:
    """Whether an arc crosses another: then the words in brackets are not in the order of the sentence."""
    arcs = [tuple(sorted((number, word.head))) for number, word in enumerate(words, 1)]
    return any(a < c < b < d for a, b in arcs for c, d in arcs)


def parses(path: Path) -> list[Pair]:
    found, long, crossed = [], 0, 0
    for words in sentences(path):
        if len(words) > LONGEST:
            long += 1
        else:
            crossed += crossing(words)
            found.append((" ".join(word.form for word in words), " ".join(bracketed(words))))
    print(f"{path.name}: {long:,} sentences of over {LONGEST} words are left out; arcs cross in {crossed:,} others")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    made = {
        "spelling": spelling(options.data / "cmudict/cmudict.dict"),
        "scan": commands(options.data / "scan", "simple"),
        "length": commands(options.data / "scan", "length"),
        "parses": {
            part: parses(options.data / f"ud_ewt/en_ewt-ud-{name}.conllu.gz")
            for part, name in zip(PARTS, ("train", "dev", "test"), strict=True)
        },
    }
    for name, parts in made.items():
        for part, pairs in parts.items():
            write(options.out / name, part, pairs)


if __name__ == "__main__":
    main()
