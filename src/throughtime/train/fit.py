"""fit: a recipe and a folder to a trained run that cannot be lost."""

import fcntl
import json
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from throughtime import folder as folders
from throughtime.errors import DivergedError, RunError
from throughtime.tally import Tally
from throughtime.train import course as courses
from throughtime.train.course import Course
from throughtime.train.descend import Batches, Update, descend
from throughtime.train.recipe import Recipe, Score
from throughtime.train.schedule import multiplier

LINE_STEPS = 50  # between lines of training loss in progress.jsonl
CHECKPOINT_SECONDS = 60.0
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found."""

    score: Score
    best: bool  # so far
    final: bool  # of the whole held-out part, with the best weights
    sample: str


@dataclass(frozen=True)
class Progress:
    """One update of the weights, and what was found after it."""

    step: int  # updates made
    epoch: int  # of the next batch
    units: int  # targets read
    loss: Tally  # nats, of this update
    gradient_norm: float  # before clipping
    learning_rate: float
    seconds: float  # spent, over all sessions
    units_per_second: float  # of this session's training, evaluations left out
    done: float  # share of the training that is over, 0 to 1
    evaluation: Evaluation | None = None
    notes: tuple[str, ...] = ()  # what a person should know, with the first update of a session

    @property
    def final(self) -> bool:
        """Whether this is the last one of a run that came to its end."""
        return self.evaluation is not None and self.evaluation.final


def fit(recipe: Recipe[Any, Any], out: str | Path) -> Iterator[Progress]:
    """Trains what a recipe says into the run folder `out`, telling of every update.

    Where `out` holds an unfinished run of the same recipe, training goes on from its last checkpoint; bounded by
    epochs, on the same CPU and number of threads, it ends with the same bits as if it had never stopped. Where the
    run is finished there is nothing to do. Leaving the loop early (by break, an exception in its body, Ctrl-C, or by
    closing the generator) keeps all that was done; Ctrl-C takes effect when the update under way is whole.

    Raises `RunError` when `out` holds something else, `DivergedError` when a loss is not finite (the last checkpoint
    stays), and whatever the recipe's data raises, before anything is written.

    Example: `for progress in fit(recipe, "runs/first"): print(progress.loss.mean)`
    """
    run = Path(out)
    known = _known(run)
    data = recipe.begin(recipe.data(), known)
    files = recipe.files(data)
    _check_same(run, recipe, files)
    if finished(run):
        return
    batches = recipe.batches(data)
    torch.manual_seed(recipe.seed)
    model = recipe.model(data)
    course = Course(model, recipe.optimiser_for(model))
    with _locked(run):
        _check_same(run, recipe, files)  # again: another training may have been here until now
        if finished(run):
            return
        notes = (*recipe.notes(data), *_resume(run, course, recipe, batches, known))
        folders.unmark(run)
        session = _Session(recipe, data, run, course, files, batches)
        try:
            yield from session.updates(notes)
        except (GeneratorExit, KeyboardInterrupt):
            session.keep()
            raise


def finished(run: Path) -> bool:
    """Whether a run folder is whole and its training is over."""
    return folders.is_whole(run) and folders.read_manifest(run).status == "finished"


class _Session:
    """One sitting of a course of training."""

    def __init__(
        self,
        recipe: Recipe[Any, Any],
        data: Any,
        run: Path,
        course: Course,
        files: dict[str, bytes],
        batches: Batches,
    ) -> None:
        self.recipe, self.data, self.run, self.course = recipe, data, run, course
        self.files, self.batches = files, batches
        self.began = self.saved = time.monotonic()
        self.before = course.seconds
        self.finished = False
        self.busy, self.read = 0.0, 0  # seconds in updates and units read, in this sitting

    def updates(self, notes: tuple[str, ...]) -> Iterator[Progress]:
        """Updates until the recipe's bound, then the end."""
        recipe, course = self.recipe, self.course
        stream = descend(
            course.model,
            course.optimiser,
            self.batches,
            learning_rate=self._learning_rate,
            start=course.place,
            clip=recipe.clip,
            accumulate=recipe.accumulate,
            precision=PRECISIONS[recipe.precision],
            frozen=lambda step: recipe.frozen(course.model, step),
        )
        update: Update | None = None
        while not course.place.step or not self._over():
            with _uninterrupted():
                update = self._update(stream)
                evaluation = None
                if course.place.step % recipe.evaluate_every == 0:
                    evaluation = self._evaluate()
                if evaluation or time.monotonic() - self.saved > CHECKPOINT_SECONDS:
                    self._checkpoint()
            yield self._progress(update, evaluation, notes)
            notes = ()
        with _uninterrupted():
            if course.place.step % recipe.evaluate_every or not course.best:
                self._evaluate()
            final = self._finish()
        yield self._progress(update, final, notes)

    def _update(self, stream: Iterator[Update]) -> Update:
        start = time.monotonic()
        try:
            update = next(stream)
        except DivergedError as error:
            raise self._diverged(str(error)) from None
        course, before = self.course, self.course.place
        course.place, course.since = update.place, course.since + update.loss
        self.busy += time.monotonic() - start
        self.read += update.place.units - before.units
        course.seconds = self._seconds()
        if course.place.step % LINE_STEPS == 0:
            line = {
                "step": course.place.step,
                "epoch": course.place.epoch,
                "units": course.place.units,
                "loss": course.since.mean,
                "gradient_norm": update.gradient_norm,
                "learning_rate": update.learning_rate,
                "seconds": round(course.seconds, 3),
            }
            courses.append_progress(self.run, course, line)
            course.since = Tally(0.0, 0)
        return update

    def _diverged(self, what: str) -> DivergedError:
        kept = courses.last_checkpoint(self.run)
        where = f"the checkpoint of step {int(kept.name)} is kept" if kept else "there was no checkpoint yet"
        return DivergedError(
            f"{what}; {where}; try a lower --learning-rate than {self.recipe.learning_rate} or a lower --clip, "
            "and another --out"
        )

    def _evaluate(self) -> Evaluation:
        """Scores the held-out part quickly, and remembers the weights if they are the best."""
        course = self.course
        score = self.recipe.score(course.model, self.data, quick=True)
        if not math.isfinite(score.loss):
            raise self._diverged(f"the validation loss is {score.loss} at step {course.place.step}")
        try:
            sample = self.recipe.sample(course.model, self.data, final=False)
        except DivergedError as error:
            raise self._diverged(f"{error} at step {course.place.step}") from None
        best = score.loss < course.waiting.best
        course.waiting = course.waiting.after(score.loss)
        if best:
            course.best = course.weights()
        return self._noted(Evaluation(score, best, False, sample))

    def _finish(self) -> Evaluation:
        """Goes back to the best weights, scores the whole held-out part, and completes the run folder."""
        courses.restore_weights(self.course.model, self.course.best, self.run)
        score = self.recipe.score(self.course.model, self.data, quick=False)
        sample = self.recipe.sample(self.course.model, self.data, final=True)
        final = self._noted(Evaluation(score, True, True, sample))
        self._publish("finished", score)
        courses.sweep_checkpoints(self.run)
        self.finished = True
        return final

    def _noted(self, evaluation: Evaluation) -> Evaluation:
        course = self.course
        course.seconds = self._seconds()
        line = {
            "step": course.place.step,
            "epoch": course.place.epoch,
            "units": course.place.units,
            "final" if evaluation.final else "validation": {
                "loss": evaluation.score.loss,
                **evaluation.score.to_json(),
            },
            "best": evaluation.best,
            "seconds": round(course.seconds, 3),
        }
        courses.append_progress(self.run, course, line)
        return evaluation

    def keep(self) -> None:
        """Keeps all that was done: a checkpoint to go on from, and a run folder that can be used as it is."""
        if self.finished or not self.course.place.step:
            return
        self.course.seconds = self._seconds()
        self._checkpoint()
        self._publish("stopped", None)

    def _checkpoint(self) -> None:
        course = self.course
        if not all(bool(torch.isfinite(parameter).all()) for parameter in course.model.parameters()):
            raise self._diverged(f"a weight is not finite after step {course.place.step}")
        courses.save_checkpoint(self.run, course, self.files)
        self.saved = time.monotonic()

    def _publish(self, status: str, score: Score | None) -> None:
        weights = folders.tensor_bytes(self.course.best or self.course.weights())
        progress = (self.run / courses.PROGRESS).read_bytes()
        card = self.recipe.card(self.course.model, self.data, score).encode()
        files = {**self.files, courses.WEIGHTS: weights, courses.PROGRESS: progress, "card.md": card}
        folders.write_files(self.run, files, status=status)

    def _seconds(self) -> float:
        return self.before + time.monotonic() - self.began

    def _learning_rate(self, step: int) -> float:
        factor = multiplier(
            self.recipe.schedule,
            step=step,
            warmup_steps=self.recipe.warmup_steps,
            done=self._done(),
            cuts=self.course.waiting.cuts,
        )
        return self.recipe.learning_rate * factor

    def _done(self) -> float:
        """The share of the training that is over, by the nearer of its bounds."""
        recipe, place, shares = self.recipe, self.course.place, [0.0]
        if recipe.epochs is not None:
            within = place.position / self.batches.chunks(place.epoch)
            shares.append((place.epoch + within) / recipe.epochs)
        if recipe.minutes is not None:
            shares.append(self._seconds() / (60 * recipe.minutes))
        return min(1.0, max(shares))

    def _over(self) -> bool:
        return self._done() >= 1 or 0 < self.recipe.patience <= self.course.waiting.stale

    def _progress(self, update: Update | None, evaluation: Evaluation | None, notes: tuple[str, ...]) -> Progress:
        """What to tell after an update; of none, when a run that was over only had to be finished."""
        place = self.course.place
        return Progress(
            step=place.step,
            epoch=place.epoch,
            units=place.units,
            loss=update.loss if update else Tally(0.0, 0),
            gradient_norm=update.gradient_norm if update else 0.0,
            learning_rate=update.learning_rate if update else self._learning_rate(place.step),
            seconds=self.course.seconds,
            units_per_second=self.read / self.busy if self.busy else 0.0,
            done=1.0 if self.finished else self._done(),
            evaluation=evaluation,
            notes=notes,
        )


def _resume(
    run: Path, course: Course, recipe: Recipe[Any, Any], batches: Batches, known: Path | None
) -> tuple[str, ...]:
    """Puts the course where the run's last checkpoint stands, if it has one; sweeps what was half-written.

    Raises `RunError` when it has none, but was `known` before, or is whole.
    """
    checkpoint = courses.last_checkpoint(run)
    notes: tuple[str, ...] = ()
    if checkpoint is not None:
        threads = courses.restore_checkpoint(checkpoint, course, recipe.states(course.model), batches)
        notes = (f"going on from step {course.place.step}",)
        if threads != torch.get_num_threads():
            notes += (f"made with {threads} threads, going on with {torch.get_num_threads()}: last bits may differ",)
    elif known or folders.is_whole(run):
        raise RunError(f"{run} cannot go on: its checkpoints are gone; it can be used as it is, or give another --out")
    courses.sweep_checkpoints(run, keep=checkpoint)
    for partial in run.glob(".*.partial"):
        partial.unlink()
    lost = courses.cut_progress(run, course)
    return (*notes, f"{lost} bytes of {courses.PROGRESS} are missing") if lost else notes


def _known(run: Path) -> Path | None:
    """The run as it was left: the folder itself if it is whole, else its last checkpoint; None where nothing is."""
    return run if folders.is_whole(run) else courses.last_checkpoint(run)


def _check_same(run: Path, recipe: Recipe[Any, Any], files: dict[str, bytes]) -> None:
    """Refuses a folder that holds something else than a run of this recipe and these data."""
    if run.exists() and not run.is_dir():
        raise RunError(f"{run} is a file; give --out a folder that is new, empty, or a run to go on with")
    known = _known(run)
    if known is None:
        ours = {courses.PROGRESS, "checkpoints", folders.MANIFEST, courses.WEIGHTS, "card.md", *files}
        ours |= {f".{name}.partial" for name in ours}
        others = sorted(e.name for e in run.iterdir() if e.name not in ours) if run.is_dir() else []
        if others:
            raise RunError(f"{run} is not empty and not a run (it holds {others[0]}); give --out another folder")
        return
    wanted = {courses.RECIPE: recipe.identity, courses.DATA: json.loads(files[courses.DATA])}
    for name, settings in wanted.items():
        old = folders.read_json(known, name)
        for key, value in settings.items():
            if key in old and old[key] != value and (name == courses.RECIPE or key.endswith("sha256")):
                raise RunError(
                    f"{run} holds another run: {key} is {str(old[key])[:60]} there and {str(value)[:60]} now; "
                    "rerun with the same options and data, or give --out another folder"
                )


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Makes the folder and holds it, so that no two trainings write into it."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(run, os.O_RDONLY)
    except OSError as error:
        raise folders.cannot_write(run, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise RunError(f"another training is writing into {run}: wait for it, or give --out another folder") from None
    finally:
        os.close(descriptor)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C, where it would raise KeyboardInterrupt, waits until the block is over: its work is whole or not begun."""
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if heard:
        raise KeyboardInterrupt
