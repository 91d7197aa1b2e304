"""What estimators share: scikit-learn's base class, a run that is trained by `fit`, and settings for a recipe."""

from numbers import Integral
from pathlib import Path
from typing import Any, TypeVar, cast

from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from throughtime.errors import ArgumentError
from throughtime.recipes.read import make_recipe
from throughtime.recipes.training import Training

R = TypeVar("R", bound=Training)
FEWEST_UPDATES = 400  # of a fit, unless it is told how long it is
MOST_WARMUP = 50  # updates
SEEDS = 2**31  # that are drawn


class RunEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator whose `fit` trains a run."""

    def save(self, folder: str | Path) -> None:
        """Writes the run folder, which `throughtime predict`, `evaluate`, `show` and `throughtime.load` take.

        Raises `RunError` where there is something already.
        """
        check_is_fitted(self)
        self.run_.save(folder)

    def _recipe(self, application: type[R], values: dict[str, Any], count: int) -> R:
        """A recipe of these values, and of all the settings that the recipe has under the same name.

        Where the passes over so many sequences are not told they are those of the recipe, or as many as make 400
        updates; and the learning rate rises over a tenth of the updates, over 50 at most.
        """
        own = {name: value for name, value in self.get_params(deep=False).items() if name in application.model_fields}
        updates = -(-count // self.rows) if _whole(self.rows) and self.rows > 0 else 1
        if self.epochs is None and self.minutes is None:
            own["epochs"] = max(application.bound["epochs"], -(-FEWEST_UPDATES // updates))
        if self.warmup_steps is None:
            every = updates * own["epochs"] if _whole(own["epochs"]) else 10 * MOST_WARMUP
            own["warmup_steps"] = min(MOST_WARMUP, every // 10)
        if own.get("held_out") == 0:  # which is here a matter of the files
            del own["held_out"]
        return make_recipe(application, {**own, **values})

    def _held_out_of(self, count: int) -> int:
        """How many of so many are held out. Raises `ArgumentError` unless the share is from 0 to below 1."""
        if not 0 <= self.held_out < 1:
            raise ArgumentError(f"held_out is a share, from 0 to below 1; got {self.held_out}")
        return cast(int, round(self.held_out * count))

    def _seed(self) -> int:
        """The seed of a fit: `random_state` itself if that is a number, else drawn from it, or from numpy's own."""
        state: Any = self.random_state
        if _whole(state):
            return int(state)
        try:
            return int(check_random_state(state).randint(SEEDS))
        except ValueError as error:
            raise ArgumentError(f"random_state is a whole number, a RandomState or None; got {state!r:.60}") from error


def _whole(value: Any) -> bool:
    """Whether a setting is a whole number, numpy's or Python's."""
    return isinstance(value, Integral)
