"""What translations looked at, while lines go by: links in a file, pairs on a page, a picture of one line."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from throughtime.cli.mistakes import check_page
from throughtime.cli.sources import Line
from throughtime.errors import ArgumentError, DataError, StorageError

if TYPE_CHECKING:
    from throughtime.data.alignments import Alignment
    from throughtime.data.line_units import LineUnits
    from throughtime.models.sought import Translation
    from throughtime.models.translator import Translator


def check_files(options: Any) -> None:
    """Refuses before any work what cannot be written."""
    from throughtime.inspect.draw import blank_figure

    if options.page is not None:
        check_page(options.page)
    if options.picture is not None:
        blank_figure(options.picture, (1, 1))
    for name in ("alignments", "picture"):
        path = getattr(options, name)
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            problem = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
            raise StorageError(f"cannot write {path}: {problem}; choose another --{name}")


class Seen:
    """Takes what was translated, and at the end of all has written what the options ask for.

    The files have their names only when they are whole.
    """

    def __init__(self, options: Any, translator: "Translator", partners: "Sequence[Translator]" = ()) -> None:
        self.options, self.translator, self.partners = options, translator, partners
        self.name = options.run.absolute().name  # of what searched
        self.told: list[str] = []  # what could not be shown, in sentences
        self.large = 0  # pairs with more weights than are held
        self.last, self.drawn = 0, options.picture is None
        self.undrawn: str | None = None  # why the line could not be
        if partners:
            self.name += f" and {len(partners):,} more: the mean"
            if options.alignments or options.page or options.picture:
                self.told.append(f"what is seen is the mean of what {len(partners) + 1:,} runs looked at")
        if options.page is not None:
            from throughtime.inspect.alignments_page import Pairs

            self.pairs = Pairs()

    def __enter__(self) -> "Seen":
        self.links: IO[str] | None = None
        if self.options.alignments is not None:
            self.temporary = _temporary(self.options.alignments)
            try:
                self.links = self.temporary.open("w", encoding="utf-8")
            except OSError as error:
                raise _cannot_write(self.options.alignments, error) from None
        return self

    def take(self, line: Line, translation: "Translation") -> None:
        """A line and its translation."""
        self.last = line.number
        at = self.options.line in (None, line.number) and not self.drawn
        if not (self.links or self.options.page or at):
            return
        try:
            alignment = self._aligned(line.text, translation.ids)
        except DataError:
            self.large += 1
            self.skip(line)
            return
        self._link(alignment)
        if self.options.page is not None:
            from throughtime.inspect.alignments_page import Pair

            self.pairs.add(Pair(alignment, f"line {line.number:,}", f"log p {translation.log_probability:.2f}"))
        if at:
            self._draw(alignment, line.number)

    def skip(self, line: Line) -> None:
        """A line with nothing to see."""
        self.last = line.number
        self._link(None)
        if self.options.line == line.number:
            self.undrawn = f"line {line.number} has no translation, or one too long to be drawn; choose another --line"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.links is not None:
            try:
                self.links.close()
                if kind is None:
                    self.temporary.replace(self.options.alignments)
            except OSError as failure:
                raise _cannot_write(self.options.alignments, failure) from None
            finally:
                self.temporary.unlink(missing_ok=True)
        if kind is None:
            self._finish()

    def _finish(self) -> None:
        if self.large:
            self.told.append(f"{self.large:,} lines are too long for their weights to be held; nothing is seen of them")
        if self.options.page is not None:
            from throughtime.folder import write_file
            from throughtime.inspect.alignments_page import Heading, page

            kinds = self.translator.source_units.kind, self.translator.target_units.kind
            body = page(self.pairs, Heading(self.name, *kinds))
            write_file(self.options.page, body.encode("utf-8", "replace"))
            if self.pairs.left_out:
                self.told.append(f"the page has room for {len(self.pairs.shown):,} pairs; {self.pairs.left_out:,} more")

    def check_drawn(self) -> None:
        """Raises `DataError` where there was to be a picture and is none; all else is written by then."""
        if not self.drawn:
            wanted = f"no line {self.options.line}" if self.options.line else "no line with a translation"
            raise DataError(self.undrawn or f"there is {wanted} to draw in {self.last:,} lines; choose another --line")

    def _aligned(self, source: str, target: "Sequence[int]") -> "Alignment":
        """Where the model looked, with the words of the source as they are, also those that it does not know."""
        found = self.translator.align(source, target, partners=self.partners)
        names = _spelt(source, self.translator.source_units)
        if names is not None and len(names) == len(found.source) - found.ends:
            found = replace(found, source=(*names, *found.source[len(names) :]))
        return found

    def _link(self, alignment: "Alignment | None") -> None:
        """Writes the links of a line, at once; none of a line without a translation."""
        if self.links is None:
            return
        from throughtime.data.alignments import pharaoh

        text = ""
        if alignment is not None:
            kinds = self.translator.source_units.kind, self.translator.target_units.kind
            source, target = (kind == "subword" for kind in kinds)
            text = pharaoh(alignment.words(source=source, target=target).links(self.options.threshold))
        try:
            self.links.write(text + "\n")
            self.links.flush()
        except OSError as error:
            raise _cannot_write(self.options.alignments, error) from None

    def _draw(self, alignment: "Alignment", number: int) -> None:
        from throughtime.inspect.alignments import draw_alignment

        title = f"{self.name}, line {number:,}"
        try:
            self.told += draw_alignment(alignment, self.options.picture, title=title)
        except ArgumentError as error:  # another line may be drawn, and all else is still to be written
            self.undrawn = f"line {number}: {error}"
        else:
            self.drawn = True


def _spelt(line: str, units: "LineUnits") -> list[str] | None:
    """The units of a line as they stand there, where that is plain to see."""
    from throughtime.data.line_units import SPACE

    if units.kind == "word":
        return line.split()
    return list(line.replace(" ", SPACE)) if units.kind == "character" else None


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def _cannot_write(path: Path, error: OSError) -> StorageError:
    return StorageError(f"cannot write {path}: {error.strerror or error}; choose another --alignments")
