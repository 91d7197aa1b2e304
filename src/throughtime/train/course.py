"""A course of training as a value on the disk: all that it takes to go on to the bit."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from throughtime import folder as folders
from throughtime import tree
from throughtime.errors import RunError
from throughtime.folder import Count
from throughtime.layers.blank import blank
from throughtime.tally import Tally
from throughtime.train.descend import Batches, Place
from throughtime.train.optimise import optimiser_tensors, restore_optimiser
from throughtime.train.schedule import Waiting

WEIGHTS, RECIPE, DATA, PROGRESS = "weights.safetensors", "recipe.json", "data.json", "progress.jsonl"
HEADER_BYTES = 2**20  # that a safetensors file may have besides its tensors


class WaitingCounters(BaseModel):
    """A `Waiting` in training.json."""

    model_config = folders.STRICT

    best: float
    stale: Count
    cuts: Count


class TallyCounters(BaseModel):
    """A `Tally` in training.json."""

    model_config = folders.STRICT

    total: float
    count: Count


class Counters(BaseModel):
    """What training.json holds."""

    model_config = folders.STRICT

    step: Count
    epoch: Count
    position: Count
    units: Count
    groups: Count
    waiting: WaitingCounters | None
    since: TallyCounters
    seconds: Annotated[float, Field(ge=0)]
    progress_bytes: Count
    threads: Annotated[int, Field(ge=1)]


@dataclass
class Course:
    """Training under way: the model, the optimiser, and where they stand."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    place: Place = field(default_factory=Place)
    waiting: Waiting = field(default_factory=Waiting)
    best: dict[str, Tensor] = field(default_factory=dict)  # the weights of the best evaluation, if there was one
    since: Tally = field(default_factory=lambda: Tally(0.0, 0))  # training loss since the last line of progress
    seconds: float = 0.0  # spent, over all sessions
    progress_bytes: int = 0  # of progress.jsonl

    def weights(self) -> dict[str, Tensor]:
        """Copies of the model's weights; a shared one is there once."""
        return {name: p.detach().clone() for name, p in self.model.named_parameters()}


def save_checkpoint(run: Path, course: Course, files: dict[str, bytes]) -> None:
    """Writes a new checkpoint next to the last one, then sweeps the last one away.

    A checkpoint is itself a run folder, with the best weights so far and `files`, and holds besides: the weights as
    they are, the optimiser's memory, the carried state, the generators' states (training.safetensors), and the
    counters (training.json).
    """
    tensors = {f"weights.{name}": p.detach() for name, p in course.model.named_parameters()}
    tensors |= {f"optimiser.{name}": tensor for name, tensor in optimiser_tensors(course.optimiser).items()}
    tensors |= dict(tree.leaves(course.place.state, "carried"))
    tensors["generator.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["generator.cuda"] = torch.cuda.get_rng_state()
    counters = {
        **course.place._replace(state=())._asdict(),
        "groups": len(course.place.state),
        "waiting": course.waiting._asdict() if course.best else None,
        "since": asdict(course.since),
        "seconds": course.seconds,
        "progress_bytes": course.progress_bytes,
        "threads": torch.get_num_threads(),
    }
    content = {
        **files,
        WEIGHTS: folders.tensor_bytes(course.best or course.weights()),
        "training.safetensors": folders.tensor_bytes(tensors),
        "training.json": folders.to_bytes(counters),
    }
    name = f"{course.place.step:010d}"
    target = run / "checkpoints" / name
    if not folders.is_whole(target):
        shutil.rmtree(target, ignore_errors=True)
        folders.write_new(target, content, status="unfinished")
    sweep_checkpoints(run, keep=target)


def last_checkpoint(run: Path) -> Path | None:
    """The newest whole checkpoint of a run."""
    whole = [path for path in (run / "checkpoints").glob("[0-9]" * 10) if folders.is_whole(path)]
    return max(whole, default=None)


def sweep_checkpoints(run: Path, keep: Path | None = None) -> None:
    """Removes all checkpoints, whole or not, but the one to keep; what is not ours stays."""
    home = run / "checkpoints"
    for path in [*home.glob("[0-9]" * 10), *home.glob(".*.partial")]:
        if path != keep and path.is_dir():
            folders.unmark(path)
            shutil.rmtree(path, ignore_errors=True)
    if home.is_dir() and not any(home.iterdir()):
        home.rmdir()


def restore_checkpoint(checkpoint: Path, course: Course, template: list[Any], batches: Batches) -> int:
    """Puts a course where the checkpoint stands; gives the number of threads it was made with.

    `template` is a list of states like those carried, one for each group of rows.

    Raises `RunError` when the checkpoint does not fit the model, the optimiser or the batches.
    """
    counters = folders.check_form(
        Counters, folders.read_json(checkpoint, "training.json"), checkpoint / "training.json"
    )
    weights = sum(p.nbytes for p in course.model.parameters())
    limit = 4 * weights + sum(t.nbytes for _, t in tree.leaves(template)) + HEADER_BYTES
    tensors = folders.read_tensors(checkpoint, "training.safetensors", limit)
    if counters.position >= batches.chunks(counters.epoch):
        raise RunError(f"{checkpoint} stands at batch {counters.position}, which epoch {counters.epoch} does not have")
    if counters.groups != (len(template) if counters.position else 0):
        raise RunError(
            f"{checkpoint} carries {counters.groups} states at batch {counters.position}: not of this recipe"
        )
    restore_weights(course.model, _under("weights", tensors), checkpoint)
    restore_optimiser(course.optimiser, _under("optimiser", tensors), steps=counters.step)
    carried = _carried(tuple(template[: counters.groups]), tensors, checkpoint)
    course.place = Place(counters.step, counters.epoch, counters.position, counters.units, carried)
    course.since = Tally(counters.since.total, counters.since.count)
    course.seconds, course.progress_bytes = counters.seconds, counters.progress_bytes
    if counters.waiting is not None:
        course.waiting = Waiting(**counters.waiting.model_dump())
        best = folders.read_tensors(checkpoint, WEIGHTS, weights + HEADER_BYTES)
        check_weights(course.model, best, checkpoint)
        course.best = best
    _restore_generators(tensors, checkpoint)
    return counters.threads


def _carried(template: Any, tensors: dict[str, Tensor], checkpoint: Path) -> Any:
    """The carried state in a checkpoint. Raises `RunError` unless it is like the template."""
    for name, wanted in tree.leaves(template, "carried"):
        given = tensors.get(name)
        if given is None or given.shape != wanted.shape or given.is_floating_point() != wanted.is_floating_point():
            raise RunError(f"{checkpoint} does not carry the state of this recipe: {name} is missing or does not fit")
        if not bool(torch.isfinite(given).all()):
            raise RunError(f"{checkpoint} carries a state that is not finite: {name}")
    return tree.restore(template, tensors, "carried")


def _restore_generators(tensors: dict[str, Tensor], checkpoint: Path) -> None:
    """Sets torch's generators to the states in a checkpoint. Raises `RunError` where one is missing or none."""
    try:
        torch.set_rng_state(tensors["generator.cpu"])
        if "generator.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["generator.cuda"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise RunError(f"{checkpoint} has no state of a random generator: {str(error).splitlines()[0]}") from None


def check_weights(model: nn.Module, weights: dict[str, Tensor], origin: Path) -> None:
    """Raises `RunError` unless the weights have exactly the model's names, shapes and types, and are finite."""
    wanted = {name: (tuple(p.shape), str(p.dtype)) for name, p in model.named_parameters()}
    given = {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in weights.items()}
    if wanted != given:
        name, (shape, dtype) = min(set(wanted.items()) ^ set(given.items()))
        raise RunError(
            f"the weights in {origin} are not those of its recipe: {name!a:.120} {shape} {dtype} has no match"
        )
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            raise RunError(f"the weights in {origin} are not finite: {name}")


def read_weights(make: Callable[[], nn.Module], home: Path) -> dict[str, Tensor]:
    """The weights in a folder, of a model that is made so; shapes are looked at before memory is taken for them.

    Raises `RunError` as reading and `check_weights` do.
    """
    with blank():
        empty = make()
    limit = sum(parameter.nbytes for parameter in empty.parameters()) + HEADER_BYTES
    weights = folders.read_tensors(home, WEIGHTS, limit)
    check_weights(empty, weights, home)
    return weights


def restore_weights(model: nn.Module, weights: dict[str, Tensor], origin: Path) -> None:
    """Fills a model with weights. Raises `RunError` as `check_weights` does."""
    check_weights(model, weights, origin)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def append_progress(run: Path, course: Course, line: dict[str, Any]) -> None:
    """Adds a line to progress.jsonl, down to the disk."""
    body = (json.dumps(line) + "\n").encode()
    try:
        with (run / PROGRESS).open("ab") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise folders.cannot_write(run / PROGRESS, error) from error
    course.progress_bytes += len(body)


def cut_progress(run: Path, course: Course) -> int:
    """Forgets the lines of progress.jsonl that were written after the checkpoint from which training goes on.

    Gives how many bytes are missing of those that were written before it.
    """
    try:
        with (run / PROGRESS).open("ab") as file:
            size = file.seek(0, os.SEEK_END)
            missing = max(0, course.progress_bytes - size)
            course.progress_bytes -= missing
            file.truncate(course.progress_bytes)
    except OSError as error:
        raise folders.cannot_write(run / PROGRESS, error) from error
    return missing


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix + "."): t for name, t in tensors.items() if name.startswith(prefix + ".")}
