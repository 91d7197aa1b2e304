"""What a search found: its trials, the best settings as a recipe, and how much each setting mattered."""

import math
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from throughtime.recipes.training import Training
from throughtime.trials.tune import Search

if TYPE_CHECKING:
    from optuna.study import Study

FEW = 20  # finished trials, below which importances are a hint at most
LEAST = 4  # below which there are none
NOT_OURS = ("minutes", "epochs", "seed", "device")  # settings of a trial that are not of what was found


@dataclass(frozen=True)
class Tried:
    """A trial that is over."""

    number: int  # from 1
    value: float | None  # None where it was given up or failed
    settings: dict[str, Any]
    final: dict[str, float]  # its score at the end, its updates and seconds

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return {"number": self.number, "value": self.value, "settings": self.settings, "final": self.final}


@dataclass(frozen=True)
class Found:
    """What a study came to."""

    search: Search
    best: list[Tried]  # all that finished, the best first
    counts: dict[str, int]  # finished, given_up and failed trials
    importances: dict[str, float]  # by setting, the largest first; none where there are too few trials
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return {
            "by": self.search.by,
            "rising": self.search.rising,
            **self.counts,
            "best": [one.to_json() for one in self.best],
            "importances": self.importances,
            "notes": list(self.notes),
        }


def found_in(study: "Study", search: Search) -> Found:
    """What a study came to so far."""
    from optuna.trial import TrialState

    states = Counter(trial.state for trial in study.trials)
    counts = {
        "finished": states[TrialState.COMPLETE],
        "given_up": states[TrialState.PRUNED],
        "failed": states[TrialState.FAIL],
    }
    done = [trial for trial in study.trials if trial.state == TrialState.COMPLETE and trial.value is not None]
    done.sort(key=lambda trial: (-(trial.value or 0.0) if search.rising else trial.value or 0.0, trial.number))
    best = [Tried(one.number + 1, one.value, dict(one.params), _numbers(one.user_attrs.get("final"))) for one in done]
    importances = _importances(study) if len(done) >= LEAST else {}
    notes = []
    if not importances:
        notes.append(
            f"{len(done)} finished trials of different results are too few to tell which settings matter: "
            f"{LEAST} at least, better {FEW}; there is no picture of it"
        )
    elif len(done) < FEW:
        notes.append(f"of {len(done)} finished trials, below {FEW}, the importance of settings is a hint at most")
    if done and not any(trial.intermediate_values for trial in study.trials):
        notes.append(
            "no trial was evaluated before its end, so that none could be given up early; "
            "give more --minutes or a lower --evaluate-every"
        )
    return Found(search, best, counts, importances, tuple(notes))


def _numbers(content: Any) -> dict[str, float]:
    """The numbers in what a study keeps of a trial; it may come from anyone."""
    known = content.items() if isinstance(content, dict) else ()
    return {name: one for name, one in known if isinstance(one, int | float) and math.isfinite(one)}


def _importances(study: "Study") -> dict[str, float]:
    """How much of what makes trials good goes by each setting (Watanabe, Bansal and Hutter, 2023, PED-ANOVA)."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few trials are told of by us
            found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    except (ValueError, RuntimeError):  # all trials came to the same, or a setting never changed
        return {}
    return {name: float(share) for name, share in found.items() if share == share}


def recipe_of(recipe: Training, best: Tried) -> dict[str, Any]:
    """The settings of a trial as `train --config` takes them: those that were found, and all that it had besides.

    Where data lie, bounds and seeds are left to whoever trains.
    """
    given = recipe.model_dump(mode="json", exclude={*type(recipe).places, *NOT_OURS})
    return {"application": type(recipe).model_fields["application"].default, **given, **best.settings}
