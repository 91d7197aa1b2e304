"""A course of training as a value on the disk: all that it takes to go on to the bit."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from throughtime import tree
from throughtime.errors import RunError
from throughtime.tally import Tally
from throughtime.train import folder as folders
from throughtime.train.descend import Place
from throughtime.train.optimise import optimiser_tensors, restore_optimiser
from throughtime.train.schedule import Waiting

WEIGHTS, RECIPE, PROGRESS = "weights.safetensors", "recipe.json", "progress.jsonl"


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
    whole = [entry for entry in (run / "checkpoints").glob("[0-9]*") if folders.is_whole(entry)]
    return max(whole, default=None)


def sweep_checkpoints(run: Path, keep: Path | None = None) -> None:
    """Removes all checkpoints, whole or not, but the one to keep."""
    for entry in (run / "checkpoints").glob("*"):
        if entry != keep:
            folders.unmark(entry)
            shutil.rmtree(entry, ignore_errors=True)
    if keep is None:
        shutil.rmtree(run / "checkpoints", ignore_errors=True)


def restore_checkpoint(checkpoint: Path, course: Course, template: Any) -> int:
    """Puts a course where the checkpoint stands; gives the number of threads it was made with.

    `template` is a list of states like those carried, one for each group of rows.

    Raises `RunError` when the checkpoint does not fit the model.
    """
    counters = folders.read_json(checkpoint, "training.json")
    tensors = folders.read_tensors(checkpoint, "training.safetensors")
    restore_weights(course.model, _under("weights", tensors), checkpoint)
    restore_optimiser(course.optimiser, _under("optimiser", tensors))
    try:
        carried = tree.restore(tuple(template[: counters["groups"]]), tensors, "carried")
        place = {name: counters[name] for name in ("step", "epoch", "position", "units")}
        course.place = Place(**place, state=carried)
        course.since = Tally(**counters["since"])
        course.seconds, course.progress_bytes = counters["seconds"], counters["progress_bytes"]
        if counters["waiting"] is not None:
            course.waiting = Waiting(**counters["waiting"])
            course.best = folders.read_tensors(checkpoint, WEIGHTS)
        threads = int(counters["threads"])
    except (KeyError, TypeError) as error:
        raise RunError(f"{checkpoint} is not a checkpoint of this recipe: {error!r} does not fit") from None
    torch.set_rng_state(tensors["generator.cpu"])
    if "generator.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["generator.cuda"])
    return threads


def check_weights(model: nn.Module, weights: dict[str, Tensor], origin: Path) -> None:
    """Raises `RunError` unless the weights have exactly the model's names and shapes."""
    wanted = {name: tuple(p.shape) for name, p in model.named_parameters()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if wanted != given:
        name, shape = min(set(wanted.items()) ^ set(given.items()))
        raise RunError(f"the weights in {origin} are not those of its recipe: {name} {shape} has no match")


def restore_weights(model: nn.Module, weights: dict[str, Tensor], origin: Path) -> None:
    """Fills a model with weights. Raises `RunError` as `check_weights` does."""
    check_weights(model, weights, origin)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def append_progress(run: Path, course: Course, line: dict[str, Any]) -> None:
    """Adds a line to progress.jsonl."""
    body = (json.dumps(line) + "\n").encode()
    try:
        with (run / PROGRESS).open("ab") as file:
            file.write(body)
    except OSError as error:
        raise folders.cannot_write(run / PROGRESS, error) from error
    course.progress_bytes += len(body)


def cut_progress(run: Path, course: Course) -> None:
    """Forgets the lines of progress.jsonl that were written after the checkpoint from which training goes on."""
    try:
        with (run / PROGRESS).open("ab") as file:
            file.truncate(course.progress_bytes)
    except OSError as error:
        raise folders.cannot_write(run / PROGRESS, error) from error


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix + "."): t for name, t in tensors.items() if name.startswith(prefix + ".")}
