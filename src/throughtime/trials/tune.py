"""A search for settings: many short trainings, of which optuna chooses the next and gives up the poor ones early."""

import stat
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, Literal

from throughtime import folder
from throughtime.errors import ArgumentError, DivergedError, MissingExtraError, RunError, StorageError
from throughtime.recipes.training import Training
from throughtime.recipes.transfer import identity_of
from throughtime.train import Progress, fit
from throughtime.trials.judge import final_of
from throughtime.trials.parts import seed_of, settings_of
from throughtime.trials.spaces import Dimension

if TYPE_CHECKING:
    from optuna.study import Study

TRIALS, DATABASE, RECIPE, IMPORTANCE = "trials", "study.db", "recipe.json", "importance.png"
CONTENTS = ("data", TRIALS, DATABASE, f"{DATABASE}-journal", RECIPE, IMPORTANCE)
DATABASE_BYTES = 2**30  # at most
RUNGS = 10  # places of a training, in even distances, at which it may be given up
PATIENCE, FREE = 2, 5  # rungs, and finished trials, before which none is
RISING = ("accuracy", "f1", "precision", "recall", "kappa")  # names that end so are better when higher

Ending = Literal["", "finished", "given up", "failed"]


@dataclass(frozen=True)
class Search:
    """What is searched, and how long."""

    recipe: Training  # what all trials have, and the bound of each
    dimensions: Sequence[Dimension]
    trials: int
    by: str = "loss"  # a number of the recipe's score

    @property
    def rising(self) -> bool:
        """Whether more is better."""
        return self.by.endswith(RISING)

    def seed(self, number: int) -> int:
        """That of a trial: its own, but for series that are held out by the seed, which are the same for all trials."""
        own: int = self.recipe.seed
        return own if getattr(self.recipe, "split_by", "time") == "series" else seed_of(own, number)

    @property
    def files(self) -> dict[str, str]:
        """The sha256 of what each setting that is a place has in it. Raises `DataError` where it cannot be read."""
        return {name: identity_of(value) for name, value in self.recipe if isinstance(value, Path)}


@dataclass(frozen=True)
class Step:
    """An update of a trial, or how it ended."""

    number: int
    of: int
    settings: Mapping[str, Any]
    progress: Progress | None = None
    ending: Ending = ""
    value: float | None = None  # of a finished one
    why: str = ""  # of a failed one

    @property
    def done(self) -> float:
        """The share of all the work that is over."""
        share = self.progress.done if self.progress and not self.ending else 1.0
        return (self.number + share) / self.of


def tune(search: Search, out: Path) -> Iterator[Step]:
    """Trials until there are as many as wanted, telling of every update; those of a study in the folder count.

    What chooses the settings of a trial has a seed from (seed, number), and so has the trial itself (`Search.seed`), so
    that a study which was stopped goes on as if it had not been. Leaving the loop early keeps the trial that was under
    way; the same search goes on with it. A trial that diverges is counted as failed.

    Raises `RunError` when the folder holds another study, `ArgumentError` when the score has no such number, and as
    `fit` does, but for `DivergedError`.
    """
    study = open_study(search, out)
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield from _trials(search, study, out)
    except (OptunaError, SQLAlchemyError) as error:
        why = str(error.__cause__ or error).splitlines()[0]
        raise StorageError(
            f"cannot write {out / DATABASE}: {why:.160}; free some space, or wait for another tune"
        ) from None


def _trials(search: Search, study: "Study", out: Path) -> Iterator[Step]:
    """Goes on with a trial that was begun, or begins the next, as long as there are to be more."""
    from optuna.trial import Trial, TrialState

    while True:
        trials = study.get_trials(deepcopy=False)
        begun = [trial for trial in trials if trial.state == TrialState.RUNNING]
        number = begun[0].number if begun else len(trials)
        if number >= search.trials:
            return
        study.sampler = _sampler(seed_of(search.recipe.seed, number))
        trial = Trial(study, begun[0]._trial_id) if begun else study.ask()
        yield from _trial(search, study, trial, home_of(out, number))


def home_of(out: Path, number: int) -> Path:
    """The run folder of a trial, which people count from 1.

    >>> home_of(Path("study"), 0).as_posix()
    'study/trials/0001'
    """
    return out / TRIALS / f"{number + 1:04}"


def _trial(search: Search, study: "Study", trial: Any, home: Path) -> Iterator[Step]:
    """One trial, to its end."""
    from optuna.trial import TrialState

    settings = _suggested(search, trial, home.parent.parent)
    recipe: Any = settings_of(search.recipe, {**settings, "seed": search.seed(trial.number)})
    told = (trial.number, search.trials, settings)
    reports = _Reports(search, trial)
    try:
        with closing(fit(recipe, home)) as stream:  # type: ignore[type-var]
            for progress in stream:
                poor = reports.take(progress)
                yield Step(*told, progress)
                if poor:
                    break
    except DivergedError as error:
        trial.set_user_attr("why", str(error))
        study.tell(trial, state=TrialState.FAIL)
        rmtree(home, ignore_errors=True)
        yield Step(*told, ending="failed", why=str(error))
        return
    if reports.poor:
        study.tell(trial, state=TrialState.PRUNED)
        rmtree(home, ignore_errors=True)
        yield Step(*told, ending="given up")
        return
    line = final_of(home)
    final = {**(line.final or {}), "updates": line.step, "seconds": line.seconds}
    value = _value(search, final)
    trial.set_user_attr("final", {name: one for name, one in final.items() if isinstance(one, int | float)})
    study.tell(trial, value)
    if study.best_trial.number == trial.number:
        _sweep(home)
    else:
        rmtree(home, ignore_errors=True)
    yield Step(*told, ending="finished", value=value)


def _suggested(search: Search, trial: Any, out: Path) -> dict[str, Any]:
    """The settings that a trial is to have. Raises `RunError` where it has begun with others."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # of other bounds than those of the trial
            return {one.name: one.suggested(trial) for one in search.dimensions}
    except (ValueError, TypeError, LookupError, RuntimeWarning) as error:
        raise RunError(f"{out / DATABASE} has trials of other settings: {error!s:.160}; give another --out") from None


def _sweep(best: Path) -> None:
    """Keeps the run folder of the best trial alone."""
    for other in best.parent.iterdir():
        if other != best and other.name.isdecimal():
            rmtree(other, ignore_errors=True)


class _Reports:
    """What evaluations of a trial found, told at rungs that all trials have in common."""

    def __init__(self, search: Search, trial: Any) -> None:
        self.search, self.trial = search, trial
        known = trial.study.trials[trial.number].intermediate_values
        self.rung = max(known, default=0)
        self.last: float | None = known.get(self.rung)
        self.poor = False

    def take(self, progress: Progress) -> bool:
        """Whether the trial is to be given up, after an update."""
        if progress.evaluation is None or progress.final:
            return False
        score = progress.evaluation.score
        value = _value(self.search, {"loss": score.loss, **score.to_json()})
        reached = min(RUNGS - 1, int(RUNGS * progress.done))
        while self.rung < reached:
            self.rung += 1  # of rungs that were passed without an evaluation, what was known by then
            told = value if self.rung == reached or self.last is None else self.last
            self.trial.report(told, self.rung)
            self.poor = self.poor or bool(self.trial.should_prune())
        self.last = value
        return self.poor


def _value(search: Search, score: Mapping[str, Any]) -> float:
    """The number that trials are judged by. Raises `ArgumentError` where the score has none of that name."""
    value = score.get(search.by)
    if not isinstance(value, int | float) or isinstance(value, bool):
        known = ", ".join(name for name, one in score.items() if isinstance(one, int | float))
        raise ArgumentError(f"the score has no number {search.by!a:.60} to judge trials by; known: {known}")
    return float(value)


def open_study(search: Search, out: Path) -> "Study":
    """The study in a folder, or a new one.

    Raises `RunError` for one of other settings or other data and for what is no study, `DataError` for data that cannot
    be read, `MissingExtraError` without optuna.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("optuna", "tune") from None
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path, wanted = out / DATABASE, _identity(search)
    _check_database(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is experimental
            storage = optuna.storages.RDBStorage(_url(path))
            study = optuna.create_study(
                storage=storage,
                study_name="tune",
                direction="maximize" if search.rising else "minimize",
                pruner=optuna.pruners.MedianPruner(n_startup_trials=FREE, n_warmup_steps=PATIENCE),
                load_if_exists=True,
            )
        study.get_trials(deepcopy=False)  # so that what does not read is met here
        _check_same(study, wanted, out)
    except (SQLAlchemyError, OptunaError, RuntimeError, ValueError, LookupError, TypeError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise RunError(f"{path} does not read as a study of trials: {str(error).splitlines()[0]:.160}") from None
    return study


def _sampler(seed: int) -> Any:
    """What chooses settings: by chance at first, then by what did well (the tree-structured Parzen estimator)."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed)


def _url(path: Path) -> str:
    from sqlalchemy.engine import URL

    return URL.create("sqlite", database=str(path.absolute())).render_as_string(hide_password=False)


def _check_database(path: Path) -> None:
    """Raises `RunError` for what is no regular file, or too large; makes the folder it lies in."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        about = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise folder.cannot_write(path, error) from error
    if not stat.S_ISREG(about.st_mode) or about.st_size > DATABASE_BYTES:
        raise RunError(f"{path} is no regular file of {DATABASE_BYTES:,} bytes at most; give another --out")


def _identity(search: Search) -> dict[str, Any]:
    """What makes a study the study it is."""
    settings, searched = getattr(search.recipe, "identity", {}), {one.name for one in search.dimensions}
    return {
        "searched": [repr(one) for one in search.dimensions],
        "by": search.by,
        "settings": {name: value for name, value in settings.items() if name not in searched},
        "sha256": search.files,
    }


def _check_same(study: "Study", wanted: Mapping[str, Any], out: Path) -> None:
    """Raises `RunError` unless a study is the one that is wanted; a new one learns what it is of."""
    if not study.trials and not study.user_attrs:
        for name, value in wanted.items():
            study.set_user_attr(name, value)
        return
    for name, value in wanted.items():
        there = study.user_attrs.get(name)
        if there != value:
            raise RunError(
                f"{out} holds another study: {_difference(name, there, value)}; rerun with the same options, or give "
                "another --out"
            )


def _difference(name: str, there: Any, now: Any) -> str:
    """What is not the same, in a few words."""
    if isinstance(there, dict) and isinstance(now, dict):
        key = next(key for key in {**now, **there} if there.get(key, "no such setting") != now.get(key))
        name, there, now = key if name == "settings" else f"{name} of {key}", there.get(key), now.get(key)
    if isinstance(there, list) and isinstance(now, list):
        there, now = (
            ", ".join(part for part in one if part not in other) for one, other in ((there, now), (now, there))
        )
    return f"{name} is {str(there)!a:.80} there and {str(now)!a:.80} now"
