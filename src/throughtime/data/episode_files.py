"""Demonstrations from files: episodes in JSON lines, in a table with a row a step, in arrays of NumPy (`.npz`)."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from throughtime.data.environments import MOST_NUMBERS
from throughtime.data.episodes import Episode, digest_of
from throughtime.data.lines import Lines, kind_of
from throughtime.data.precision import numbers, whole
from throughtime.data.read import opened
from throughtime.data.rows import Cell, Table, open_table
from throughtime.data.series_files import read_header
from throughtime.data.tables import json_kind, json_objects
from throughtime.errors import DataError, nearest, printable

EPISODE, ACTION = "episode", "action"
ARRAYS = {"observations": 8, "actions": 8, "lengths": 512}  # bytes that a number of each takes; a length is an episode
BYTES = 2**31  # that the arrays of a file may take in memory, all together
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # as NumPy writes arrays


@dataclass(frozen=True)
class Demonstrations:
    """Episodes of one kind: all have D numbers a step, and actions that are one of several, or A numbers.

    names     of the D numbers
    chosen    how the file was read, for people
    """

    episodes: list[Episode]
    names: tuple[str, ...]
    chosen: str

    @property
    def discrete(self) -> bool:
        """Whether actions are one of several."""
        return self.episodes[0].actions.ndim == 1

    @property
    def actions(self) -> int:
        """How many actions there are to choose from, by the highest one; or of how many numbers one is."""
        if self.discrete:
            return 1 + max(int(episode.actions.max()) for episode in self.episodes)
        return int(self.episodes[0].actions.shape[1])

    @property
    def steps(self) -> int:
        """Of all episodes."""
        return sum(map(len, self.episodes))

    @property
    def sha256(self) -> str:
        """Of all that is learnt from."""
        return hashlib.sha256((digest_of(self.episodes) + "\0".join(self.names)).encode()).hexdigest()


def read_episodes(path: Path) -> Demonstrations:
    """The episodes in a file, by the end of its name.

    `.jsonl`: an episode a line, {"observations": [[...], ...], "actions": [...]}. `.npz`: `observations` N D and
    `actions` N or N A of all episodes, one after the other, and `lengths`. Anything else is a table with a row a step:
    a column `episode`, columns of actions (`action`, or such as `action_0`), and observations, which is all others.
    Actions are one of several where they are whole numbers from 0 on, written without a point; else they are numbers.

    Raises `DataError` for what is unreadable or malformed, not finite, or differs from episode to episode, with its
    place.
    """
    kind = kind_of(path)
    if kind in (".jsonl", ".ndjson"):
        return _checked(_lines(path), path, f"{path}: an episode a line")
    if kind == ".npz":
        return _checked(_arrays(path), path, f"{path}: arrays of all steps, cut by lengths")
    table = open_table(path)
    layout = _layout(table)
    shown = ", ".join(printable(name)[:40] for name in layout.names[:12]) + (", ..." if len(layout.names) > 12 else "")
    return _checked(_rows(table, layout), path, f"{path}: observations {shown}", layout.names)


def _checked(found: Iterator[Episode], path: Path, chosen: str, names: tuple[str, ...] = ()) -> Demonstrations:
    """The episodes, which are all of one kind."""
    episodes = list(found)
    if not episodes:
        raise DataError(f"{path} has no episodes; give one at least")
    shapes = {(one.observations.shape[1], one.actions.dtype.kind, one.actions.shape[1:]): one for one in episodes}
    if len(shapes) > 1:
        first, other = ((one.observations.shape[1], one.actions) for one in list(shapes.values())[:2])
        raise DataError(
            f"{path}: episodes differ: {_described(*first)} in one and {_described(*other)} in another; all are of one "
            "kind (whole numbers without a point are actions that are one of several)"
        )
    names = names or tuple(map(str, range(episodes[0].observations.shape[1])))
    return Demonstrations(episodes, names, f"{chosen}; actions are {_described(0, episodes[0].actions, short=True)}")


def _described(features: int, actions: NDArray[Any], *, short: bool = False) -> str:
    what = "one of several" if actions.ndim == 1 else f"{actions.shape[1]} numbers"
    return what if short else f"{features} observations, actions {what}"


def _lines(path: Path) -> Iterator[Episode]:
    lines = Lines(path)
    for number, row in json_objects(lines.whole(), str(path)):
        where = f"{lines.origin} {number}"
        for key in ("observations", "actions"):
            if not isinstance(row.get(key), list) or not row[key]:
                raise DataError(
                    f"{where}: '{key}' is {json_kind(row.get(key))}, or empty; "
                    'give {"observations": [[...], ...], "actions": [...]}, as many of one as of the other'
                )
        observations = [part if isinstance(part, list) else [part] for part in row["observations"]]
        yield _episode(observations, row["actions"], where)


def _episode(observations: list[list[Cell]], actions: list[Any], where: str) -> Episode:
    if len(observations) != len(actions):
        raise DataError(f"{where}: {len(observations):,} observations and {len(actions):,} actions; give one for each")
    if all(type(action) is int for action in actions):
        said: NDArray[Any] = _choices(np.array(actions), where)
    else:
        listed = [part if isinstance(part, list) else [part] for part in actions]
        said = _matrix(listed, f"{where}, action ")
    return Episode(_matrix(observations, f"{where}, observation "), said)


def _choices(actions: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Actions that are one of several."""
    wrong = (actions < 0) | (actions >= MOST_NUMBERS)
    if wrong.any():
        step = int(wrong.argmax())
        raise DataError(
            f"{where}: action {actions[step]!s:.40} at step {step} (from 0) is none of 0 to {MOST_NUMBERS - 1:,}; "
            "number actions from 0 on, or write numbers with a point"
        )
    return actions.astype(np.int64)


def _matrix(rows: list[list[Cell]], where: str) -> NDArray[np.float32]:
    """Rows of as many numbers each, all finite."""
    width, found = len(rows[0]), []
    for step, row in enumerate(rows):
        if len(row) != width or not 1 <= width <= MOST_NUMBERS:
            raise DataError(
                f"{where}{step}: {len(row)} numbers, and the first has {width}; 1 to {MOST_NUMBERS:,}, alike"
            )
        found.append(numbers(row, f"{where}{step}, number ", range(width)))
    return _single(np.array(found), lambda step, column: f"{where}{step}, number {column}")


def _single(values: NDArray[Any], where: Callable[[int, int], str]) -> NDArray[np.float32]:
    """The values in single precision, all finite."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    finite = np.isfinite(single)
    if not finite.all():
        row, column = divmod(int(finite.argmin()), finite.shape[1])
        raise DataError(
            f"{where(row, column)}: {values[row, column]} is missing, infinite or beyond 3.4e38; leave it out"
        )
    return single


class _Layout(NamedTuple):
    """Which columns are what."""

    episode: int
    actions: list[int]
    observations: list[int]
    names: tuple[str, ...]  # of the observations


def _layout(table: Table) -> _Layout:
    names = [name.lower() for name in table.names]
    if not table.header or EPISODE not in names:
        raise DataError(
            f"{table.file} has no column '{EPISODE}'; a row is a step, with columns episode, action (or action_0, "
            f"action_1, ...) and observations; it has {table.shown()}"
        )
    actions = action_columns(names)
    if not actions:
        raise DataError(f"{table.file} has no column '{ACTION}'; {nearest(ACTION, map(printable, table.names))}")
    place = names.index(EPISODE)
    others = [i for i in range(len(names)) if i != place and i not in actions]
    if not others:
        raise DataError(f"{table.file} has no observations: its columns are {table.shown()}")
    return _Layout(place, actions, others, tuple(table.names[i] for i in others))


def action_columns(names: Sequence[str]) -> list[int]:
    """Which columns are of actions: `action`, `actions`, or either with a number.

    >>> action_columns(["episode", "Action_0", "angle", "actions"])
    [1, 3]
    """
    return [i for i, name in enumerate(names) if name.lower().rstrip("0123456789").rstrip("_ ") in (ACTION, "actions")]


def _rows(table: Table, layout: _Layout) -> Iterator[Episode]:
    columns = [layout.episode, *layout.actions, *layout.observations]
    known = dict[str, int]()
    rows = ((row.number, str(row.cells[0]).strip(), row.cells[1:]) for row in table.rows(columns))
    for name, group in groupby(rows, lambda row: row[1]):
        steps = list(group)
        where = f"{table.origin} {steps[0][0]}"
        if name in known or name in ("", "None"):
            before = f"ended before it (at line or row {known[name]})" if name in known else "has no name"
            raise DataError(f"{where}: episode {name!a:.40} {before}; rows of an episode follow on one another")
        known[name] = steps[-1][0]
        count = len(layout.actions)
        cells = [_plain(list(cells[:count])) for _, _, cells in steps]
        actions = [row[0] for row in cells] if count == 1 else cells
        yield _episode([list(cells[count:]) for _, _, cells in steps], actions, f"the episode of {where}")


def _plain(cells: list[Cell]) -> list[Cell]:
    """Cells, where whole numbers that are written without a point are such."""
    counts = [whole(cell.strip()) if isinstance(cell, str) else None for cell in cells]
    return [cell if count is None else count for cell, count in zip(cells, counts, strict=True)]


def _arrays(path: Path) -> Iterator[Episode]:
    with opened(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                _check_sizes(archive, path)
                found = {name: _array(archive, name) for name in ARRAYS}
        except DataError:
            raise
        except (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, KeyError, EOFError, TypeError) as error:
            raise DataError(f"{path} does not read as a .npz file: {printable(str(error)):.200}") from None
    observations, actions, lengths = (found[name] for name in ARRAYS)
    _check_arrays(observations, actions, lengths, path)
    single = _single(observations, lambda row, column: f"{path}, observations[{row}, {column}]")
    if actions.dtype.kind in "iu" and actions.ndim == 1:
        said: NDArray[Any] = _choices(actions, str(path))
    else:
        rows = actions.reshape(len(actions), -1)
        said = _single(rows, lambda row, column: f"{path}, actions[{row}, {column}]")
    ends = np.cumsum(lengths, dtype=np.int64)[:-1]
    for some, done in zip(np.split(single, ends), np.split(said, ends), strict=True):
        yield Episode(some, done)


def _check_arrays(observations: NDArray[Any], actions: NDArray[Any], lengths: NDArray[Any], path: Path) -> None:
    steps = len(observations) if observations.ndim == 2 and 1 <= observations.shape[1] <= MOST_NUMBERS else -1
    fits = actions.ndim in (1, 2) and len(actions) == steps and 1 <= actions[:1].size <= MOST_NUMBERS
    cut = lengths.ndim == 1 and lengths.dtype.kind in "iu" and lengths.size
    cut = cut and 1 <= int(lengths.min()) <= int(lengths.max()) <= steps  # so that their sum is exact
    kinds = {array.dtype.kind for array in (observations, actions)} <= set("fiu")
    if not (fits and cut and kinds and int(lengths.sum(dtype=np.int64)) == steps):
        raise DataError(
            f"{path}: observations {observations.shape} of {observations.dtype}, actions {actions.shape} of "
            f"{actions.dtype} and lengths {lengths.shape} of {lengths.dtype} do not fit: they are N D, N or N A, and "
            "whole numbers from 1 on that add up to N"
        )


def _check_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuses arrays that are not there, packed as NumPy packs none, or too large, before memory is taken."""
    total = 0
    for name, each in ARRAYS.items():
        member = f"{name}.npy"
        if member not in archive.namelist():
            known = ", ".join(printable(other)[:40] for other in archive.namelist()[:6]) or "nothing"
            raise DataError(f"{path} has no array '{name}'; it has {known}, and needs {', '.join(ARRAYS)}")
        packed = archive.getinfo(member)
        if packed.compress_type not in PACKED:
            raise DataError(
                f"{path}: '{name}' is packed by method {packed.compress_type} of zip, which is not read; "
                "write it with numpy.savez or numpy.savez_compressed"
            )
        with archive.open(member) as file:
            count, size = read_header(file)
            needed = count * size + file.tell()
        if needed > packed.file_size:
            raise DataError(f"{path}: '{name}' takes {needed:,} bytes, over what it has, {packed.file_size:,}")
        total += count * max(each, size)
    if total > BYTES:
        raise DataError(f"{path}: its arrays take {total:,} bytes of memory, over {BYTES:,}; give fewer episodes")


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """An array of a packed file. Nothing is unpickled."""
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)
