"""Where the training of word2vec stands, in a folder beside the table to come, until the table is there.

    TABLE.partial/
        table/             the vectors as they stand, a table like any other
        000000000384/      the state after so many chunks: training.json, training.safetensors

A state is whole or absent, and the one before is removed only when the next is whole.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat

from throughtime import folder
from throughtime.errors import ArgumentError, RunError, StorageError
from throughtime.vectors.store import map_tensors, tensor_parts
from throughtime.vectors.table import Table
from throughtime.vectors.word2vec import State

NUMBERS, FACTS, TABLE = "training.safetensors", "training.json", "table"


class Facts(BaseModel):
    """What training.json holds."""

    model_config = folder.STRICT

    identity: dict[str, Any]  # of the recipe
    text_sha256: str
    chunk: Annotated[int, Field(ge=0, lt=2**62)]
    seconds: Annotated[FiniteFloat, Field(ge=0)]


def home_of(out: Path) -> Path:
    """The folder of a table's unfinished state."""
    return out.with_name(f"{out.name}.partial")


def write(out: Path, state: State, table: Table, identity: dict[str, Any], sha256: str) -> None:
    """Keeps a state, and the vectors as they stand, so that they can be looked at."""
    home, name = home_of(out), f"{state.chunk:012}"
    facts = Facts(identity=identity, text_sha256=sha256, chunk=state.chunk, seconds=state.seconds)
    numbers = tensor_parts({"inputs": state.inputs, "outputs": state.outputs})
    if not folder.is_whole(home / name):
        shutil.rmtree(home / name, ignore_errors=True)
        try:
            folder.write_new(
                home / name, {FACTS: folder.to_bytes(facts.model_dump()), NUMBERS: numbers}, status="unfinished"
            )
        except StorageError:
            with suppress(OSError):  # unless there is an earlier state in it
                home.rmdir()
            raise
    for old in _states(home):
        if old.name != name:
            folder.unmark(old)
            shutil.rmtree(old, ignore_errors=True)
    if not folder.is_whole(home / TABLE):  # what a process left that was killed as it wrote
        shutil.rmtree(home / TABLE, ignore_errors=True)
    table.save(home / TABLE)


def read(out: Path, start: State, identity: dict[str, Any], sha256: str) -> State:
    """The state that was kept, or `start` where none was.

    Raises `ArgumentError` when it is that of another recipe or text, `RunError` when it is damaged.
    """
    whole = [path for path in _states(home_of(out)) if folder.is_whole(path)]
    if not whole:
        return start
    home = max(whole)
    folder.check_files(home)
    facts = folder.check_form(Facts, folder.read_json(home, FACTS), home / FACTS)
    changed = [name for name in identity if facts.identity.get(name) != identity[name]]
    if changed or facts.text_sha256 != sha256:
        what = f"--{changed[0].replace('_', '-')}" if changed else "the text"
        raise ArgumentError(
            f"{home_of(out)} is the unfinished training of another table: {what} differs; "
            f"remove that folder or choose another --out"
        )
    tensors = map_tensors(home / NUMBERS)
    state = State(start.inputs, start.outputs, facts.chunk, facts.seconds)
    for name, rows in (("inputs", state.inputs), ("outputs", state.outputs)):
        kept = tensors.get(name)
        if kept is None or kept.shape != rows.shape or kept.dtype != rows.dtype or not np.isfinite(kept).all():
            raise RunError(f"{home / NUMBERS} does not fit its recipe: {name}; remove {home_of(out)} and start again")
        rows[:] = kept
    return state


def clear(out: Path) -> None:
    """Forgets the state of a table that is finished."""
    home = home_of(out)
    for path in [*_states(home), home / TABLE, home / f".{TABLE}.partial"]:
        if path.is_dir():
            folder.unmark(path)
            shutil.rmtree(path, ignore_errors=True)
    if home.is_dir() and not any(home.iterdir()):
        home.rmdir()


def _states(home: Path) -> list[Path]:
    return [*home.glob("[0-9]" * 12), *home.glob("." + "[0-9]" * 12 + ".partial")]
