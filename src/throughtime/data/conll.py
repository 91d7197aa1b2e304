"""Sentences whose tokens stand one a line, in columns: as CoNLL-2002 and 2003 have them, and CoNLL-U."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from throughtime.data.lines import Encoding, Lines, kind_of
from throughtime.errors import DataError, nearest, printable

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
NAMES = {  # of columns in files that do not name them
    2: ("form", "tag"),
    3: ("form", "pos", "tag"),
    4: ("form", "pos", "chunk", "ner"),
}
DOCUMENT = "-DOCSTART-"
COLUMNS = re.compile(r"#\s*global\.columns\s*=\s*(.*)")
WORD, RANGE, EMPTY = (
    re.compile(r"[1-9]\d{0,8}"),
    re.compile(r"(\d{1,9})-(\d{1,9})"),
    re.compile(r"(\d{1,9})\.(\d{1,9})"),
)


class Sentence(NamedTuple):
    """Tokens and their tags."""

    line: int  # of its first token, from 1
    tokens: list[str]
    tags: list[str]  # as many; none if no tags were asked for


@dataclass
class SentenceCounts:
    """What was met while reading, so far."""

    sentences: int = 0
    tokens: int = 0
    documents: int = 0  # lines that begin with -DOCSTART-
    comments: int = 0  # lines that begin with "#", of CoNLL-U
    ranges: int = 0  # multiword tokens, which are left out: the words they stand for are there
    empty_nodes: int = 0  # words that are not in the text, which are left out
    unspecified: int = 0  # tags that are "_"
    bytes: int = 0  # of the file as it lies on the disk


class Sentences:
    """The sentences of a file of columns, plain or `.gz`: CoNLL-U if its name ends in `.conllu`, or it is told so.

    Columns are parted by tabs if the first line of a token has one, else by white space; a line without anything but
    white space ends a sentence. `token` and `tag` are names of columns or their numbers from 0. CoNLL-U has names
    (id form lemma upos xpos feats head deprel deps misc, or those of `# global.columns`); files of 2, 3 and 4 columns
    are given some (form pos chunk ner). Unless they are given, the token is the form, or column 0, and the tag the
    last column, or upos. With tagged=False there are no tags.

    Raises `DataError`, when read, for rows that are not as long as the first or do not fit, with their line.
    """

    def __init__(
        self,
        path: Path,
        *,
        token: str | int | None = None,
        tag: str | int | None = None,
        tagged: bool = True,
        conllu: bool | None = None,
        encoding: Encoding = "utf-8",
    ) -> None:
        self.path, self.token, self.tag, self.tagged, self.encoding = path, token, tag, tagged, encoding
        self.conllu = kind_of(path) in (".conllu", ".conllup") if conllu is None else conllu
        self.counts = SentenceCounts()
        self.chosen = ""

    def __iter__(self) -> Iterator[Sentence]:
        self.counts = counts = SentenceCounts()
        lines = Lines(self.path, encoding=self.encoding)
        reader = _Reader(self, lines.origin)
        for number, line in enumerate(lines, 1):
            if sentence := reader.take(number, line):
                yield sentence
        if sentence := reader.finish():
            yield sentence
        counts.bytes = lines.bytes
        if not counts.sentences:
            raise DataError(f"{self.path} has no sentences: no line of it has a token in columns")


class _Reader:
    """A file that is being read: its columns, and the sentence that has begun."""

    def __init__(self, wanted: Sentences, origin: str) -> None:
        self.wanted, self.origin, self.counts = wanted, origin, wanted.counts
        self.names: tuple[str, ...] = ()  # of the columns; their numbers where they have none
        self.token = self.tag = self.id = 0
        self.width = 0
        self.separator: str | None = None
        self._begin()

    def _begin(self) -> None:
        self.sentence = Sentence(0, [], [])
        self.words = 0  # the id of the last word, of CoNLL-U

    def take(self, number: int, line: str) -> Sentence | None:
        """Reads a line; the sentence that it ends, if it ends one."""
        content = line.strip(" \t\r")
        if not content:
            return self.finish()
        if self.wanted.conllu and line.startswith("#"):
            self._comment(number, content)
        elif content.startswith(DOCUMENT) and not self.wanted.conllu:
            self.counts.documents += 1
            return self.finish()
        else:
            self._token(f"{self.origin} {number}", number, line)
        return None

    def finish(self) -> Sentence | None:
        """The sentence that was being read."""
        sentence = self.sentence
        self._begin()
        if not sentence.tokens:
            return None
        self.counts.sentences += 1
        self.counts.tokens += len(sentence.tokens)
        return sentence

    def _comment(self, number: int, content: str) -> None:
        self.counts.comments += 1
        if self.words:
            raise DataError(f"{self.origin} {number}: a comment inside a sentence; put it above, or end the sentence")
        if (found := COLUMNS.fullmatch(content)) and not self.width:
            self.names = tuple(found[1].lower().split())

    def _token(self, where: str, number: int, line: str) -> None:
        if not self.width:
            self._choose(line)
        cells = self._cells(line)
        if len(cells) != self.width:
            raise DataError(
                f"{where} has {len(cells)} columns where the first token has {self.width}, parted by "
                f"{'tabs' if self.separator else 'white space'}; complete it, or end the sentence by an empty line"
            )
        if self.wanted.conllu and not self._is_word(cells[self.id], where):
            return
        for place in (self.token, self.tag) if self.wanted.tagged else (self.token,):
            if not cells[place]:
                raise DataError(f"{where}: nothing in column {self._named(place)}; CoNLL-U and its like write '_'")
        if not self.sentence.tokens:
            self.sentence = Sentence(number, [], [])
        self.sentence.tokens.append(cells[self.token])
        if self.wanted.tagged:
            self.sentence.tags.append(cells[self.tag])
            self.counts.unspecified += cells[self.tag] == "_"

    def _cells(self, line: str) -> list[str]:
        if self.separator is None:
            return line.strip(" ").split(" ") if "  " not in line else [part for part in line.split(" ") if part]
        return [cell.strip(" ") for cell in line.split(self.separator)]

    def _is_word(self, id: str, where: str) -> bool:
        """Whether a row of CoNLL-U is a word, after those before it, rather than a range of words or an empty node."""
        if WORD.fullmatch(id):
            if int(id) != self.words + 1:
                raise DataError(f"{where}: word {id} comes after word {self.words}; words are numbered 1, 2, 3 ...")
            self.words += 1
            return True
        if found := RANGE.fullmatch(id):
            if not self.words < int(found[1]) < int(found[2]):
                raise DataError(f"{where}: the range {id} does not begin after word {self.words} and go up")
            self.counts.ranges += 1
        elif found := EMPTY.fullmatch(id):
            if int(found[1]) != self.words:
                raise DataError(f"{where}: the empty node {id} does not stand after word {found[1]}")
            self.counts.empty_nodes += 1
        else:
            raise DataError(f"{where}: {id!a:.40} is no id; a word has 1, 2 ..., a range 1-2, an empty node 1.1")
        return False

    def _choose(self, line: str) -> None:
        """Learns from the first row how columns are parted, and which ones are meant."""
        self.separator = "\t" if "\t" in line else None
        self.width = len(self._cells(line))
        if self.wanted.conllu:
            self.names = self.names or CONLLU
            if len(self.names) != self.width:
                raise DataError(
                    f"{self.wanted.path}: the first token has {self.width} columns where CoNLL-U has "
                    f"{len(self.names)}, parted by tabs"
                )
            self.id = self._place("id")
        else:
            self.names = NAMES.get(self.width, tuple(str(i) for i in range(self.width)))
        first = "form" if "form" in self.names else "0"
        last = "upos" if "upos" in self.names else str(self.width - 1)
        self.token = self._place(first if self.wanted.token is None else self.wanted.token)
        self.tag = self._place(last if self.wanted.tag is None else self.wanted.tag)
        if self.wanted.tagged and self.tag == self.token:
            raise DataError(
                f"{self.wanted.path}: tokens and tags are both column {self._named(self.tag)}; it has "
                f"{self.width} columns"
            )
        tags = f", tags are column {self._named(self.tag)}" if self.wanted.tagged else ""
        self.wanted.chosen = f"tokens are column {self._named(self.token)}{tags}"

    def _place(self, column: str | int) -> int:
        name = str(column).strip().lower()
        if name == "tag" and not self.wanted.conllu:
            return self.width - 1
        if name in self.names:
            return self.names.index(name)
        if name.isdecimal() and int(name) < self.width:
            return int(name)
        raise DataError(
            f"{self.wanted.path} has no column {printable(name)[:80]!r} among its {self.width}; "
            f"{nearest(name, self.names)}, or numbers from 0"
        )

    def _named(self, place: int) -> str:
        name = self.names[place]
        return str(place) if name == str(place) else f"{place} ({printable(name)})"
