"""Sequences of letters in FASTA files: a header after ">", and lines of letters up to the next one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from throughtime.data.lines import Lines
from throughtime.data.records import Counts, Missing, Record, labels_of, taken
from throughtime.data.rows import Writing, open_table
from throughtime.errors import ArgumentError, DataError, nearest, printable

ALPHABETS = {
    "dna": "ACGTURYSWKMBDHVN-",  # bases, the codes that stand for several of them, and gaps
    "protein": "ACDEFGHIKLMNPQRSTVWYBZXJUO*-",  # amino acids, codes for several, end of a chain, and gaps
}
LETTERS = 2**31  # of one sequence that we are willing to hold


@dataclass(frozen=True)
class HeaderLabel:
    """The part of a header that is the label: what stands between two separators, by number from 0.

    Without a separator, parts are what stands between white space.

    >>> HeaderLabel("|", 1).of("P69905|human|alpha"), HeaderLabel(None, 2).of("P69905 human")
    ('human', None)
    """

    separator: str | None = None
    part: int = 1

    def __post_init__(self) -> None:
        if self.separator == "" or self.part < 0:
            raise ArgumentError(
                f"a label in a header is a part, numbered from 0, after a separator that is not empty; "
                f"got part {self.part} and separator {self.separator!r}"
            )

    def of(self, header: str) -> str | None:
        """The label in a header, None if it has too few parts."""
        parts = header.split(self.separator)
        return parts[self.part].strip() or None if self.part < len(parts) else None


@dataclass
class FastaCounts(Counts):
    """What was met while reading, so far."""

    letters: int = 0
    lower_case: int = 0  # letters that were made capitals
    comments: int = 0  # lines that begin with ";"
    repeated_names: int = 0  # sequences whose name an earlier one has


class Fasta:
    """The sequences of a FASTA file, plain or `.gz`, as records: `text` is the letters, `name` the header's first word.

    `alphabet` is "dna" (with codes for several bases), "protein", the letters themselves, or None for any; all but
    the last make letters capitals. Labels come from the header, or by name from a table, or there are none; with
    `empty_set` a sequence without any has none of them, and lacks nothing.

    Raises `DataError`, when read, for letters that are not of the alphabet, for letters before any header, and
    (missing="refuse") for a sequence without letters or without a label, with its line.
    """

    def __init__(
        self,
        path: Path,
        *,
        alphabet: str | None = "dna",
        labels: HeaderLabel | Mapping[str, tuple[str, ...]] | None = None,
        missing: Missing = "refuse",
        empty_set: bool = False,
    ) -> None:
        if alphabet == "":
            raise ArgumentError("alphabet is 'dna', 'protein' or the letters themselves; got none")
        self.path, self.labels, self.missing, self.empty_set = path, labels, missing, empty_set
        self.alphabet = ALPHABETS.get(alphabet, alphabet.upper()) if alphabet is not None else None
        self.counts: Counts = FastaCounts()
        self.origin = str(path)
        self.chosen = "a sequence is a text" + (
            f", and its label part {labels.part} (from 0) of its header" if isinstance(labels, HeaderLabel) else ""
        )

    def __iter__(self) -> Iterator[Record]:
        self.counts = counts = FastaCounts()
        names = set[str]()
        for record in self._records(counts):
            counts.letters += len(record.text)
            counts.repeated_names += record.name in names
            names.add(record.name)
            if taken(record, counts, self.missing, labelled=self.labels is not None and not self.empty_set):
                yield record

    def _records(self, counts: FastaCounts) -> Iterator[Record]:
        lines = Lines(self.path)
        header, start, parts, size = "", 0, list[str](), 0
        for number, line in enumerate(lines, 1):
            if line.startswith(">"):
                if start:
                    yield self._record(lines.origin, start, header, parts)
                header, start, parts, size = line[1:].strip(), number, [], 0
            elif line.startswith(";"):
                counts.comments += 1
            elif letters := "".join(line.split()):
                if not start:
                    raise DataError(f"{lines.origin} {number}: letters before any header; a header begins with '>'")
                parts.append(self._checked(letters, f"{lines.origin} {number}", counts))
                size += len(letters)
                if size > LETTERS:
                    raise DataError(
                        f"{lines.origin} {number}: the sequence of line {start} has over {LETTERS:,} letters"
                    )
        if start:
            yield self._record(lines.origin, start, header, parts)
        counts.bytes = lines.bytes
        if not start:
            raise DataError(f"{self.path} has no sequences; one begins with a header such as '>name'")

    def _checked(self, letters: str, where: str, counts: FastaCounts) -> str:
        """A line of letters, as capitals if there is an alphabet."""
        if self.alphabet is None:
            return letters
        capitals = letters_in(letters, self.alphabet, where)
        if capitals != letters:
            counts.lower_case += sum(map(str.islower, letters))
        return capitals

    def _record(self, origin: str, line: int, header: str, parts: list[str]) -> Record:
        name = header.split(None, 1)[0] if header else ""
        if self.labels is None:
            found: tuple[str, ...] = ()
        elif isinstance(self.labels, HeaderLabel):
            found = labels_of(self.labels.of(header), None, origin, line)
        elif name in self.labels:
            found = self.labels[name]
        elif self.missing == "refuse" and not self.empty_set:
            known = nearest(name, map(printable, list(self.labels)[:1000]))
            raise DataError(f"{origin} {line}: the table of labels has none for {name!a:.80}; {known}")
        else:
            found = ()
        return Record(origin, line, "".join(parts), found, name)


def letters_in(letters: str, alphabet: str, where: str) -> str:
    """Letters as capitals, all of which are of an alphabet, a name of `ALPHABETS` or the letters themselves.

    >>> letters_in("acgn", "dna", "genes.csv, line 2")
    'ACGN'

    Raises `DataError` with the first letter that is not.
    """
    known = ALPHABETS.get(alphabet, alphabet.upper())
    capitals = letters.upper() if letters.isascii() else "".join(map(_capital, letters))
    if strange := set(capitals) - set(known):
        place = min(capitals.index(letter) for letter in strange)
        raise DataError(
            f"{where}, letter {place + 1}: {capitals[place]!a} is not of the alphabet {known}; "
            "choose another alphabet, or correct it"
        )
    return capitals


def _capital(letter: str) -> str:
    """The capital of a letter, if that is one letter: not of a sharp s."""
    return letter.upper() if len(letter.upper()) == 1 else letter


def labels_by_name(
    path: Path,
    *,
    name: str | int = 0,
    label: str | int = 1,
    separator: str | None = None,
    writing: Writing | None = None,
) -> dict[str, tuple[str, ...]]:
    """The labels of a table, by the name in another column of it.

    Raises `DataError` when a column is not there, a name is missing or comes twice with different labels.
    """
    table = open_table(path, writing)
    places = [table.place(name), table.place(label)]
    found = dict[str, tuple[str, ...]]()
    for number, cells in table.rows(places):
        key, where = str("" if cells[0] is None else cells[0]).strip(), f"{table.origin} {number}"
        if not key:
            raise DataError(f"{where}: no name to go by in column {table.names[places[0]]!a:.80}")
        labels = labels_of(cells[1], separator, table.origin, number)
        if found.setdefault(key, labels) != labels:
            raise DataError(f"{where}: {key!a:.80} is {labels}, and {found[key]} further up; a name has one label")
    return found
