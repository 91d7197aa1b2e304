"""Labelled texts, record by record, where names of folders or files are the labels."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from throughtime.data.lines import Lines, files_in
from throughtime.data.read import opened, read_text
from throughtime.data.records import Counts, Missing, Record, taken
from throughtime.data.rows import Writing
from throughtime.errors import DataError


class ClassFolder:
    """The records of a folder per class: the name of a folder is the label of each file in it, a file is a text.

    Raises `DataError`, when read, for files beside the folders, and for what is unreadable, binary or not UTF-8.
    """

    def __init__(self, folder: Path, *, missing: Missing = "refuse", writing: Writing | None = None) -> None:
        self.folder, self.missing, self.writing = folder, missing, writing or Writing()
        self.counts: Counts = Counts()
        self.origin = str(folder)
        self.chosen = "a folder is a class, and each file in it a text"

    def __iter__(self) -> Iterator[Record]:
        self.counts = Counts()
        for path in files_in(self.folder)[0]:
            inside = path.relative_to(self.folder).parts
            if len(inside) < 2:
                raise DataError(
                    f"{path} stands beside the folders of classes; put it into the folder of its class, or away"
                )
            record = Record(f"{path}, line", 1, self._content(path), (inside[0],))
            if taken(record, self.counts, self.missing):
                yield record

    def _content(self, path: Path) -> str:
        with opened(path) as file:
            if not file.read(1):
                return ""
        if self.writing.encoding == "latin-1":
            return "\n".join(Lines(path, encoding="latin-1")).strip()
        text = read_text(path, self.writing.invalid_bytes)
        self.counts.bytes += text.bytes
        self.counts.skipped_bytes += text.skipped_bytes
        return text.text.strip()


class ClassFiles:
    """The records of a file per class, in which a line is a text: one class after the other.

    Raises `DataError`, when read, for what is unreadable, binary or not in its encoding, and (missing="refuse") for
    an empty line.
    """

    def __init__(
        self, files: Mapping[str, Path], *, missing: Missing = "refuse", writing: Writing | None = None
    ) -> None:
        self.files, self.missing, self.writing = dict(files), missing, writing or Writing()
        self.counts: Counts = Counts()
        self.origin = ", ".join(map(str, files.values()))
        self.chosen = "a file is a class, and each line in it a text"

    def __iter__(self) -> Iterator[Record]:
        self.counts = Counts()
        for label, path in self.files.items():
            lines = Lines(path, encoding=self.writing.encoding, invalid_bytes=self.writing.invalid_bytes)
            for number, line in enumerate(lines, 1):
                record = Record(lines.origin, number, line.strip(), (label,))
                if taken(record, self.counts, self.missing):
                    yield record
            self.counts.bytes += lines.bytes
            self.counts.skipped_bytes += lines.skipped_bytes
