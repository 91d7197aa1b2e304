"""What a run is asked, and the forms its answers have, whatever it learned."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from throughtime.errors import ArgumentError
from throughtime.recipes.training import Training

MOST_SHARES = 2**20  # probabilities that a block of answers holds

A = TypeVar("A")
T = TypeVar("T")
R_contra = TypeVar("R_contra", bound=Training, contravariant=True)


@dataclass(frozen=True)
class Asked:
    """What is to be predicted or judged, and how the file is read."""

    file: Path | None = None  # None: what the run held out
    column: str | None = None  # of texts or tokens, by name or number; None: as in training
    label_column: str | None = None
    missing: Literal["refuse", "skip"] | None = None  # rows that lack something; None: as in training
    probabilities: bool = False  # of every class
    episodes: int | None = None  # that a policy plays
    pairs: Path | None = None  # a table of them; or two files, that of the sources and that of the targets
    source: Path | None = None
    target: Path | None = None
    source_column: str | None = None  # of `pairs`, by name or number; None: as in training
    target_column: str | None = None
    header: bool | None = None  # whether the first line of `pairs` is names; None: as in training
    invalid_bytes: Literal["refuse", "skip"] | None = None  # of pairs, those that are not UTF-8; None: as in training
    brackets: bool = False  # what is written are trees, and judged as such
    beam: int | None = None  # hypotheses of a search; None: as the run has it
    alpha: float | None = None  # of lengths in a search
    pictures: tuple[str, ...] = ()  # of a judgement, by the names of their options: confusion, reliability

    def only(self, whose: str, *takes: str) -> None:
        """Raises `ArgumentError` for what is asked of a run that has no use for it.

        `takes` names what it has a use for; `whose` the run, such as "a policy, which reads numbers".
        """
        given = {
            "text-column": ("column", self.column),
            "label-column": ("label_column", self.label_column),
            "missing": ("missing", self.missing),
            "probabilities": ("probabilities", self.probabilities),
            "episodes": ("episodes", self.episodes),
            "pairs": ("pairs", self.pairs),
            "source": ("source", self.source),
            "target": ("target", self.target),
            "source-column": ("source_column", self.source_column),
            "target-column": ("target_column", self.target_column),
            "header": ("header", self.header or None),
            "no-header": ("header", self.header is False),
            "invalid-bytes": ("invalid_bytes", self.invalid_bytes),
            "brackets": ("brackets", self.brackets),
            "beam": ("beam", self.beam),
            "alpha": ("alpha", self.alpha),
            **dict.fromkeys(self.pictures, ("pictures", True)),
        }
        for option, (name, value) in given.items():
            if name not in takes and value is not None and value is not False:
                shown = "" if value is True else f" {value!s:.80}"
                raise ArgumentError(f"--{option}{shown} means nothing to {whose}: leave it out")

    def check_pairs(self, target: str = "target") -> None:
        """Raises `ArgumentError` unless pairs stand in one file or in two, or none are given.

        `target` is what the option is called that names the file of the targets.
        """
        files = {"source": self.source, target: self.target}
        given = [name for name, path in files.items() if path is not None]
        if self.pairs is not None and given:
            raise ArgumentError(f"--pairs is given, and --{given[0]} too: pairs stand in one file, or in two")
        if len(given) == 1:
            (other,) = files.keys() - given
            raise ArgumentError(f"--{given[0]} needs --{other}: sources and {target}s are the lines of two files")
        named = {"source-column": self.source_column, "target-column": self.target_column, "header": self.header}
        for name, value in named.items():
            if value is not None and self.pairs is None:
                raise ArgumentError(f"--{name} {value!s:.80} is of --pairs, which is not given")
        for name, said in (("missing", self.missing), ("invalid-bytes", self.invalid_bytes)):
            if said is not None and self.pairs is None and not given:
                raise ArgumentError(f"--{name} {said} is of --pairs, or --source and --{target}: none is given")

    def path(self, wanted: str) -> Path:
        """The file. Raises `ArgumentError` for what is none; `wanted` says which to give."""
        if self.file is None or self.file.is_dir() or str(self.file) == "-":
            what = "there" if self.file is None else str(self.file)
            raise ArgumentError(f"{what} is no file; give {wanted}")
        return self.file


@dataclass(frozen=True)
class Judged:
    """How well a run did."""

    facts: dict[str, Any]  # by name, for machines
    rows: dict[str, str]  # for people, in their order
    notes: tuple[str, ...] = ()  # what else a person should know: how the file was read
    pictures: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)  # by option: each into an image file


@runtime_checkable
class Answers(Protocol[A]):
    """What a trained model says of a file, in blocks, so that no more than a block is ever held."""

    item: str  # what an answer is of, such as a text
    head: str | None  # the line above plain answers

    @property
    def notes(self) -> tuple[str, ...]:
        """How the file is read, once reading began."""
        ...

    def __iter__(self) -> Iterator[list[A]]:
        """The answers in the order of the file."""
        ...

    def plain(self, answer: A) -> str:
        """An answer as a line, or several, without the last end of line."""
        ...

    def facts(self, answer: A) -> dict[str, Any]:
        """An answer as JSON."""
        ...

    def told(self) -> str:
        """What was counted, when all is read."""
        ...


def most_held(most: int, classes: int) -> int:
    """How many answers a block has: so many that the probabilities of all classes are no burden, and `most` at most.

    >>> most_held(4096, 3), most_held(4096, 10_000)
    (4096, 104)
    """
    return max(1, min(most, MOST_SHARES // max(classes, 1)))


@runtime_checkable
class Live(Protocol):
    """A trained model that reads as it comes: a line in, an answer out; its state is carried from line to line."""

    wants: str  # what a line is, for people

    def take(self, line: str) -> dict[str, Any] | None:
        """The answer to a line; None where there is nothing to say, as after the empty line that begins anew.

        Raises `DataError` for a line that does not fit; the state is then what it was before.
        """
        ...

    def plain(self, facts: dict[str, Any]) -> str:
        """An answer as a line, or several."""
        ...


@runtime_checkable
class Application(Protocol[T, R_contra]):
    """What a module of this package gives: all that can be done with the runs of one recipe."""

    Facts: type[BaseModel]  # the form of data.json
    PICTURES: Mapping[str, Callable[[Path, Any, Path], None]]  # by name: a folder and its recipe into an image file

    def load(self, home: Path, recipe: R_contra) -> T:
        """The trained model of a whole folder. Raises `RunError` as `runs.load` does."""
        ...

    def rows(self, facts: Any, recipe: R_contra, weights: int) -> dict[str, str]:
        """What `show` tells of the model and its data."""
        ...

    def evaluate(self, home: Path, recipe: R_contra, asked: Asked) -> Judged:
        """How well it does on a file, or on what the run held out."""
        ...

    def predict(self, trained: T, recipe: R_contra, asked: Asked) -> Answers[Any]:
        """What it says of a file. Raises `ArgumentError` where there is no such thing."""
        ...

    def stream(self, trained: T, recipe: R_contra) -> Live:
        """The model, reading line by line. Raises `ArgumentError` where there is no such thing."""
        ...
