"""Co-occurrences: how often words stand beside words, as a sparse matrix."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, field_validator

from throughtime.errors import ArgumentError, DataError, MissingExtraError, RunError, nearest
from throughtime.folder import (
    MANIFEST,
    STRICT,
    TEXT_LIMIT,
    Body,
    cannot_write,
    check_files,
    check_form,
    read_json,
    read_manifest,
    to_bytes,
    write_files,
    write_new,
)
from throughtime.kernels import cooccur as kernels
from throughtime.kernels.cooccur import Integers
from throughtime.vectors.counting import Blocks, Entries, Plan, Team, bounds_of, ceilings, plan, whole_weights
from throughtime.vectors.runs import Disk, Runs, Storage
from throughtime.vectors.spelling import nearest_spellings

if TYPE_CHECKING:
    from throughtime.vectors.corpus import Corpus

Side = Literal["both", "left", "right"]
Weighting = Literal["distance", "none"]
Tell = Callable[[int, int], None]

SETTINGS = "counts.json"
ARRAYS = {"frequencies": "<i8", "pointers": "<i8", "columns": "<i4", "values": "<f8"}
FILES = {name: f"{name}.{np.dtype(kind).name}" for name, kind in ARRAYS.items()}
PIECE = 2**18  # ids looked through at a time


@dataclass(frozen=True)
class Counts:
    """How often each word (a row) had each word (a column) in its window: a matrix in compressed rows.

    The arrays may lie in files that are mapped into memory; those are read only.

    Shapes: frequencies V, pointers V + 1, columns N, values N. Row r has the entries from pointers[r] to
    pointers[r + 1]; its columns rise, and its values are above zero.
    """

    words: list[str]
    frequencies: NDArray[np.int64]  # of the words, in the text that was counted
    pointers: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float64]
    window: int
    side: Side
    weighting: Weighting

    def row(self, word: str) -> list[tuple[str, float]]:
        """The words that stood beside a word and their counts, the highest first, ties in the vocabulary's order."""
        if word not in self.words:
            close = nearest_spellings(word, self.words)
            hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "look at counts.words"
            raise ArgumentError(f"{word!r} is not among the {len(self.words):,} words that were counted; {hint}")
        number = self.words.index(word)
        part = slice(int(self.pointers[number]), int(self.pointers[number + 1]))
        columns, values = self.columns[part], self.values[part]
        return [(self.words[columns[i]], float(values[i])) for i in np.argsort(-values, kind="stable")]

    def matrix(self) -> Any:
        """The matrix as a `scipy.sparse.csr_array` (V V), over the same memory."""
        try:
            from scipy.sparse import csr_array
        except ImportError:
            raise MissingExtraError("scipy", "vectors") from None
        arrays = np.asarray(self.values), np.asarray(self.columns), np.asarray(self.pointers)
        return csr_array(arrays, shape=(len(self.words), len(self.words)), copy=False)

    def save(self, folder: Path) -> None:
        """Writes a folder, whole or not at all; over other counts, but over nothing else.

        Raises `ArgumentError` when something else is there, `StorageError` when the disk refuses.
        """
        settings = {"kind": "counts", "window": self.window, "side": self.side, "weighting": self.weighting}
        files: dict[str, Body] = {SETTINGS: to_bytes(settings | {"words": self.words})}
        for name, kind in ARRAYS.items():
            array = np.ascontiguousarray(getattr(self, name), dtype=kind)
            files[FILES[name]] = [array.data] if len(array) else b""
        if may_write_over(folder):
            write_files(folder, files, status="finished")
        else:
            write_new(folder, files, status="finished")

    @classmethod
    def load(cls, folder: Path) -> "Counts":
        """The counts in a folder, mapped into memory after they were compared with their checksums.

        Raises `RunError` when the folder is not whole, was changed, or holds something else.
        """
        missing = {SETTINGS, *FILES.values()} - set(read_manifest(folder).files)
        if missing:
            raise RunError(f"{folder} has no {min(missing)}: it does not hold co-occurrence counts")
        check_files(folder)
        settings = check_form(_Settings, read_json(folder, SETTINGS, TEXT_LIMIT), folder / SETTINGS)
        frequencies, pointers, columns, values = (_mapped(folder / FILES[name], kind) for name, kind in ARRAYS.items())
        _check(folder, len(settings.words), frequencies, pointers, columns, values)
        about = settings.window, settings.side, settings.weighting
        return cls(settings.words, frequencies, pointers, columns, values, *about)


def cooccur(
    corpus: "Corpus",
    *,
    window: int = 5,
    side: Side = "both",
    weighting: Weighting = "distance",
    memory_bytes: int = 2**31,
    threads: int = 1,
    folder: Path | None = None,
    tell: Tell | None = None,
) -> Counts:
    """How often each word of a corpus has each other within `window` words to its left, its right or both.

    A context at distance d counts 1/d with the weighting "distance", else 1. Windows end with their text; words that
    are not in the vocabulary are not in the corpus and take no place. `tell` is told how much is done, and of what.

    Memory: all that the counting itself takes stays under `memory_bytes`: the part of the corpus at hand with its
    index, tables over the vocabulary, a row of sums for each thread, the buffer of entries, and the result. A result
    that does not fit is made in files without a name in `folder` (by default the folder for temporary files), mapped
    into memory, and gone with the last reference to it. Pages of mapped files, which the system may take back at any
    time, are not counted; neither is what the interpreter holds.

    Exactness: weights are whole numbers of 1/lcm(1, ..., window), so the same counts come out to the last bit with any
    memory and any number of threads. Where sums of these could pass 2^62 (windows over about 20 words), 1/d is rounded
    to a multiple of the finest power of 1/2 of which they cannot; it is 2^-20 or finer in all but the largest texts.

    Raises `ArgumentError` for settings that do not fit, `StorageError` when the disk refuses.

    Source: Pennington et al. (2014), GloVe, section 4.2, for the weights 1/d.

    Example:
        >>> from throughtime.vectors.corpus import corpus_of
        >>> cooccur(corpus_of([["the", "cat", "saw", "the", "dog"]]), window=2).row("the")
        [('cat', 1.5), ('saw', 1.5), ('dog', 1.0)]
    """
    check_settings(window, side, weighting, threads)
    frequencies = _frequencies(corpus)
    margin = min(window, len(corpus.ids))
    unit, weights = whole_weights(margin, weighting == "distance", int(frequencies.max(initial=1)))
    sides = weights[: margin * (side != "right")], weights[: margin * (side != "left")]
    chosen = plan(len(frequencies), len(corpus.ids), ceilings(frequencies, sides), margin, threads, memory_bytes)
    disk = Disk(folder)
    try:
        with disk, Team(len(frequencies), threads, chosen) as team:
            make = _in_one_block if chosen.block == len(corpus.ids) else _in_runs
            sheets = make(corpus.ids, sides, chosen, team, disk, tell or (lambda done, whole: None))
            columns, values = _collected(sheets, unit, team, None if chosen.in_memory else Storage(disk))
            pointers = bounds_of(team.sizes)
    except OSError as error:
        raise cannot_write(disk.folder, error) from error
    return Counts(corpus.vocabulary.words, frequencies, pointers, columns, values, window, side, weighting)


class _Settings(BaseModel):
    model_config = STRICT

    kind: Literal["counts"]
    window: Annotated[int, Field(ge=1)]
    side: Side
    weighting: Weighting
    words: list[str]

    @field_validator("words")
    @classmethod
    def _distinct(cls, words: list[str]) -> list[str]:
        if len(set(words)) < len(words):
            raise ValueError("a word comes twice")
        return words


def check_settings(window: int, side: str, weighting: str, threads: int) -> None:
    """Raises `ArgumentError` for settings of `cooccur` that do not fit."""
    if window < 1:
        raise ArgumentError(f"window must be at least 1 word; got {window}")
    if threads < 1:
        raise ArgumentError(f"threads must be at least 1; got {threads}")
    for name, given, known in (("side", side, get_args(Side)), ("weighting", weighting, get_args(Weighting))):
        if given not in known:
            raise ArgumentError(f"unknown {name} {given!r}; {nearest(given, known)}")


def _frequencies(corpus: "Corpus") -> Integers:
    """How often each word stands in the corpus; every id is looked at, for the loops after this trust them."""
    frequencies = np.zeros(len(corpus.vocabulary.words), dtype=np.int64)
    for first in range(0, len(corpus.ids), PIECE):
        wrong = kernels.tally(np.array(corpus.ids[first : first + PIECE], dtype=np.int32), frequencies)
        if wrong >= 0:
            raise DataError(
                f"the corpus has id {corpus.ids[first + wrong]} at place {first + wrong:,}, and its vocabulary ends at "
                f"{len(frequencies) - 1}; read the corpus again"
            )
    return frequencies


def _in_one_block(
    ids: NDArray[np.int32],
    weights: tuple[Integers, Integers],
    chosen: Plan,
    team: Team,
    disk: Disk,
    tell: Tell,
) -> Iterator[Entries]:
    """The rows of the matrix, from the whole corpus at once."""
    blocks = Blocks(ids, len(team.sizes), weights, chosen.block)
    return blocks.sheets(0, len(ids), team, lambda done: tell(done, len(ids)))


def _in_runs(
    ids: NDArray[np.int32],
    weights: tuple[Integers, Integers],
    chosen: Plan,
    team: Team,
    disk: Disk,
    tell: Tell,
) -> Iterator[Entries]:
    """The rows of the matrix, added up from the runs of one block after another. Adding counts as half of the work."""
    blocks, runs = Blocks(ids, len(team.sizes), weights, chosen.block), Runs(disk, len(team.sizes))
    for first in range(0, len(ids), chosen.block):
        last = min(len(ids), first + chosen.block)
        runs.append(blocks.sheets(first, last, team, lambda done: tell(done, 2 * len(ids))), team.sizes)
    del blocks
    share = len(ids) / max(1, runs.storage.entries)
    yield from runs.sheets(team, 8 * chosen.block, lambda done: tell(len(ids) + round(share * done), 2 * len(ids)))


def _collected(
    sheets: Iterator[Entries], unit: int, team: Team, storage: Storage | None
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """All rows, their values divided by the unit: in the storage, or where they are."""
    if storage is None:
        for columns, _ in sheets:
            team.keep(len(columns))
        columns, units = team.give_up_buffer()
        values = units.view(np.float64)
        kernels.divide(units, unit, values)
        return columns, values
    for columns, units in sheets:
        values = units.view(np.float64)
        kernels.divide(units, unit, values)
        storage.append(columns, values)
    return storage.mapped()


def may_write_over(folder: Path) -> bool:
    """Whether counts are there already; not whether nothing is. Raises `ArgumentError` when something else is."""
    if not folder.exists() and not folder.is_symlink():
        return False
    if folder.is_dir() and not any(folder.iterdir()):
        return False
    if all((folder / name).is_file() for name in (SETTINGS, MANIFEST, *FILES.values())):
        return True
    raise ArgumentError(f"{folder} exists and does not hold co-occurrence counts; choose another --out")


def _mapped(path: Path, kind: str) -> NDArray[Any]:
    """The numbers in a file, read only."""
    size = path.stat().st_size
    if size % np.dtype(kind).itemsize:
        raise RunError(f"{path} has {size:,} bytes, which is no whole number of {np.dtype(kind).name}")
    return np.memmap(path, kind, "r") if size else np.zeros(0, kind)


def _check(
    folder: Path,
    vocab: int,
    frequencies: NDArray[np.int64],
    pointers: NDArray[np.int64],
    columns: NDArray[np.int32],
    values: NDArray[np.float64],
) -> None:
    """Raises `RunError` unless the arrays are such a matrix as `cooccur` makes: loops after this trust them."""
    entries = len(columns)
    if (len(frequencies), len(pointers), len(values)) != (vocab, vocab + 1, entries):
        problem = f"its arrays do not fit {vocab:,} words and {entries:,} entries"
    elif pointers[0] != 0 or pointers[-1] != entries or (np.diff(pointers) < 0).any():
        problem = f"its pointers do not rise from 0 to {entries:,}"
    elif (frequencies < 0).any():
        problem = "a word has a frequency below zero"
    elif (row := kernels.faulty_row(np.asarray(pointers), np.asarray(columns), np.asarray(values), vocab)) >= 0:
        problem = f"row {row:,} has columns that do not rise within the vocabulary, or values that are not above zero"
    else:
        return
    raise RunError(f"{folder} does not hold co-occurrence counts: {problem}")
