"""fit: a recipe and a folder to a trained run that cannot be lost."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from throughtime.errors import DivergedError, RunError
from throughtime.tally import Tally
from throughtime.train import course as courses
from throughtime.train import folder as folders
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


def fit(recipe: Recipe[Any, Any], out: str | Path) -> Iterator[Progress]:
    """Trains what a recipe says into the run folder `out`, telling of every update.

    Where `out` holds an unfinished run of the same recipe, training goes on from its last checkpoint; bounded by
    epochs, on the same CPU and number of threads, it ends with the same bits as if it had never stopped. Where the
    run is finished there is nothing to do. Leaving the loop early (or closing the generator) keeps all that was done.

    Raises `RunError` when `out` holds something else, `DivergedError` when a loss is not finite (the last checkpoint
    stays), and whatever the recipe's data raises, before anything is written.

    Example: `for progress in fit(recipe, "runs/first"): print(progress.loss.mean)`
    """
    run = Path(out)
    data = recipe.data()
    files = recipe.files(data)
    _check_same(run, files)
    if finished(run):
        return
    batches = recipe.batches(data)
    torch.manual_seed(recipe.seed)
    model = recipe.model(data)
    course = Course(model, recipe.optimiser_for(model))
    with _locked(run):
        notes = _resume(run, course, recipe)
        folders.unmark(run)
        session = _Session(recipe, data, run, course, files, batches)
        try:
            yield from session.updates(notes)
        except GeneratorExit:
            session.keep(status="stopped")
            raise


def finished(run: Path) -> bool:
    """Whether a run folder is whole and its training is over."""
    return folders.is_whole(run) and folders.read_manifest(run)["status"] == "finished"


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
        )
        update: Update | None = None
        while not self._over():
            update = self._update(stream)
            evaluation = None
            if course.place.step % recipe.evaluate_every == 0:
                evaluation = self._evaluate()
            if evaluation or time.monotonic() - self.saved > CHECKPOINT_SECONDS:
                self.checkpoint()
            yield self._progress(update, evaluation, notes)
            notes = ()
        if course.place.step % recipe.evaluate_every or not course.best:
            self._evaluate()
        final = self._finish()
        if update:
            yield self._progress(update, final, notes)

    def _update(self, stream: Iterator[Update]) -> Update:
        start = time.monotonic()
        try:
            update = next(stream)
        except DivergedError as error:
            kept = courses.last_checkpoint(self.run)
            where = f"the checkpoint of step {int(kept.name)} is kept" if kept else "there was no checkpoint yet"
            raise DivergedError(
                f"{error}; {where}; try a lower --learning-rate than {self.recipe.learning_rate} or a lower --clip"
            ) from None
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
                "loss_nats": course.since.mean,
                "gradient_norm": update.gradient_norm,
                "learning_rate": update.learning_rate,
                "seconds": round(course.seconds, 3),
            }
            courses.append_progress(self.run, course, line)
            course.since = Tally(0.0, 0)
        return update

    def _evaluate(self) -> Evaluation:
        """Scores the held-out part quickly, and remembers the weights if they are the best."""
        course = self.course
        score = self.recipe.score(course.model, self.data, quick=True)
        best = score.loss < course.waiting.best
        course.waiting = course.waiting.after(score.loss)
        if best:
            course.best = course.weights()
        sample = self.recipe.sample(course.model, self.data)
        return self._noted(Evaluation(score, best, False, sample))

    def _finish(self) -> Evaluation:
        """Goes back to the best weights, scores the whole held-out part, and completes the run folder."""
        courses.restore_weights(self.course.model, self.course.best, self.run)
        score = self.recipe.score(self.course.model, self.data, quick=False)
        sample = self.recipe.sample(self.course.model, self.data)
        final = self._noted(Evaluation(score, True, True, sample))
        self._publish("finished", score)
        courses.sweep_checkpoints(self.run)
        return final

    def _noted(self, evaluation: Evaluation) -> Evaluation:
        course = self.course
        course.seconds = self._seconds()
        line = {
            "step": course.place.step,
            "epoch": course.place.epoch,
            "units": course.place.units,
            "final" if evaluation.final else "validation": evaluation.score.to_json(),
            "best": evaluation.best,
            "seconds": round(course.seconds, 3),
        }
        courses.append_progress(self.run, course, line)
        return evaluation

    def keep(self, status: str) -> None:
        """Keeps all that was done: a checkpoint to go on from, and a run folder that can be used as it is."""
        self.course.seconds = self._seconds()
        self.checkpoint()
        self._publish(status, None)

    def checkpoint(self) -> None:
        """Writes a checkpoint."""
        courses.save_checkpoint(self.run, self.course, self.files)
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

    def _progress(self, update: Update, evaluation: Evaluation | None, notes: tuple[str, ...]) -> Progress:
        return Progress(
            step=update.place.step,
            epoch=update.place.epoch,
            units=update.place.units,
            loss=update.loss,
            gradient_norm=update.gradient_norm,
            learning_rate=update.learning_rate,
            seconds=self.course.seconds,
            units_per_second=self.read / self.busy if self.busy else 0.0,
            done=1.0 if evaluation and evaluation.final else self._done(),
            evaluation=evaluation,
            notes=notes,
        )


def _resume(run: Path, course: Course, recipe: Recipe[Any, Any]) -> tuple[str, ...]:
    """Puts the course where the run's last checkpoint stands, if it has one; sweeps what was half-written."""
    checkpoint = courses.last_checkpoint(run)
    notes: tuple[str, ...] = ()
    if checkpoint is not None:
        threads = courses.restore_checkpoint(checkpoint, course, recipe.states(course.model))
        notes = (f"going on from step {course.place.step}",)
        if threads != torch.get_num_threads():
            notes += (f"made with {threads} threads, going on with {torch.get_num_threads()}: last bits may differ",)
    courses.sweep_checkpoints(run, keep=checkpoint)
    courses.cut_progress(run, course)
    return notes


def _check_same(run: Path, files: dict[str, bytes]) -> None:
    """Refuses a folder that holds something else than a run of these files."""
    if run.exists() and not run.is_dir():
        raise RunError(f"{run} is a file; give --out a folder that is new, empty, or a run to go on with")
    known = run if folders.is_whole(run) else courses.last_checkpoint(run)
    if known is None:
        ours = {courses.PROGRESS, "checkpoints", ".lock", folders.MANIFEST, courses.WEIGHTS, "card.md", *files}
        others = sorted(e.name for e in run.iterdir() if e.name not in ours) if run.is_dir() else []
        if others:
            raise RunError(f"{run} is not empty and not a run (it holds {others[0]}); give --out another folder")
        return
    for name, wanted in files.items():
        if folders.read_file(known, name) != wanted:
            raise RunError(
                f"{run} holds a run with another {name}{_difference(folders.read_file(known, name), wanted)}; "
                "rerun with the same options and data, or give --out another folder"
            )


def _difference(old: bytes, new: bytes) -> str:
    """The first line in which two files differ, in brackets."""
    pairs = zip(old.decode().splitlines(), new.decode().splitlines(), strict=False)
    first = next(((a.strip(" ,"), b.strip(" ,")) for a, b in pairs if a != b), None)
    return f" ({first[0][:80]} there, {first[1][:80]} now)" if first else ""


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Makes the folder and holds it, so that no two trainings write into it."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        file = (run / ".lock").open("w")
    except OSError as error:
        raise folders.cannot_write(run, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"another training is writing into {run}: wait for it, or give --out another folder"
            ) from None
        try:
            yield
        finally:
            (run / ".lock").unlink(missing_ok=True)
