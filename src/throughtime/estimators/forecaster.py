"""SequenceForecaster: series of numbers, and what comes next."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from throughtime.data.tracks import Stretch, Track
from throughtime.errors import ArgumentError
from throughtime.estimators.contract import RunEstimator
from throughtime.estimators.given import write_ts
from throughtime.estimators.histories import Numbers, divide, read_histories
from throughtime.estimators.trained import temporary_folder, train
from throughtime.metrics.ahead import ExplainedSums
from throughtime.recipes.cells import CellName
from throughtime.recipes.forecast import Forecast
from throughtime.recipes.read import make_recipe

SIZES = ("horizon", "context", "stride", "segment")  # that decide how long series have to be

RECIPE = Forecast.model_construct()  # whose defaults are ours


class SequenceForecaster(RunEstimator):
    """A forecaster of series of numbers, as scikit-learn's estimators are used.

    X is a series T or T D, or a list (or an array N T D) of several; there is no y. `predict` gives the `horizon`
    steps after the end of a series, or after those it was fitted to; further ahead, forecasts are fed back. `score`
    is R² over all windows of X. The last rows are held out, in time: a share `held_out` of each series and at least a
    horizon, by which weights are chosen.

    The settings are those of the recipe `Forecast`, where they are told; they are flat and many, for that is how
    `GridSearchCV` and `clone` want them. `verbose` prints what evaluations find. With a number as `random_state` a fit
    is the same each time.

    After `fit`: `run_`, the run inside, which `save` writes as a folder; `held_out_`, how many rows were held out;
    `n_features_in_` of a series T D, which later ones must have as well.

    >>> from throughtime.estimators import SequenceForecaster
    >>> SequenceForecaster(horizon=12, context=36)
    SequenceForecaster(context=36, horizon=12)
    """

    # More than eight arguments: scikit-learn's contract is that every setting is one, stored as it is.
    def __init__(
        self,
        *,
        horizon: int = RECIPE.horizon,
        context: int | None = RECIPE.context,
        stride: int = RECIPE.stride,
        way: Literal["direct", "in-step", "encoder-decoder"] = RECIPE.way,
        core: CellName = RECIPE.core,
        hidden: int = RECIPE.hidden,
        layers: int = RECIPE.layers,
        segment: int = RECIPE.segment,
        channels: Literal["shared", "together"] = RECIPE.channels,
        normalise: Literal["last", "mean", "none"] = RECIPE.normalise,
        loss: Literal["absolute", "squared", "huber"] = RECIPE.loss,
        dropout: float = RECIPE.dropout,
        rows: int = RECIPE.rows,
        epochs: int | None = RECIPE.epochs,
        minutes: float | None = RECIPE.minutes,
        optimiser: Literal["adamw", "sgd"] = RECIPE.optimiser,
        learning_rate: float = RECIPE.learning_rate,
        weight_decay: float = RECIPE.weight_decay,
        schedule: Literal["cosine", "plateau", "constant"] = RECIPE.schedule,
        warmup_steps: int | None = None,
        clip: float = RECIPE.clip,
        patience: int = RECIPE.patience,
        evaluate_every: int = RECIPE.evaluate_every,
        held_out: float = 0.1,
        device: Literal["auto", "cpu", "cuda"] = RECIPE.device,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.horizon, self.context, self.stride, self.way = horizon, context, stride, way
        self.core, self.hidden, self.layers, self.segment = core, hidden, layers, segment
        self.channels, self.normalise, self.loss, self.dropout = channels, normalise, loss, dropout
        self.rows, self.epochs, self.minutes, self.optimiser = rows, epochs, minutes, optimiser
        self.learning_rate, self.weight_decay, self.schedule = learning_rate, weight_decay, schedule
        self.warmup_steps, self.clip, self.patience = warmup_steps, clip, patience
        self.evaluate_every, self.held_out = evaluate_every, held_out
        self.device, self.random_state, self.verbose = device, random_state, verbose

    def fit(self, X: Any, y: Any = None) -> SequenceForecaster:
        """Trains a run; y is not looked at.

        Raises `ArgumentError` for X or settings that do not fit, and what `throughtime.fit` does.
        """
        histories, seed = read_histories(self, X, reset=True), self._seed()
        self._held_out_of(0)
        sizes = make_recipe(Forecast, {"series": "none"} | {name: getattr(self, name) for name in SIZES})
        parts = divide(histories.series, sizes.seen, sizes.horizon, self.held_out)
        windows = sum((len(one) - sizes.seen - sizes.horizon) // sizes.stride + 1 for one in parts.learned)
        with temporary_folder() as home:
            path = write_ts(home / "series.ts", parts.in_places(seed))
            values = {"series": path, "split_by": "series", "split": parts.sizes, "baselines": False, "seed": seed}
            self.run_ = train(self._recipe(Forecast, values, windows), home, verbose=self.verbose)
        self.held_out_, self._ends = parts.rows, histories.ends(sizes.seen)
        return self

    def predict(self, X: Any = None, horizon: int | None = None) -> Any:
        """What comes next, H D (H for a series T; for several a list): after X, or after what it was fitted to.

        Raises `ArgumentError` for series that are shorter than the context, or have other channels.
        """
        check_is_fitted(self)
        histories = self._ends if X is None else read_histories(self, X, reset=False)
        steps = self.run_.trained.form.horizon if horizon is None else horizon
        if not isinstance(steps, Integral) or steps < 1:
            raise ArgumentError(f"horizon is a number of steps, at least 1; got {horizon!r:.60}")
        return histories.answer(self._ahead(histories.series, int(steps)))

    def score(self, X: Any, y: Any = None) -> float:
        """R² of what is forecast from every context in X, against the steps after it; the mean over channels.

        Raises `ArgumentError` where no series has a context and a horizon.
        """
        from throughtime.data.windows import Windows
        from throughtime.models.forecaster import WINDOWS

        check_is_fitted(self)
        series, trained = read_histories(self, X, reset=False).series, self.run_.trained
        sizes = {"context": trained.form.context, "horizon": trained.form.horizon}
        if (longest := max(map(len, series))) < sum(sizes.values()):
            raise ArgumentError(
                f"the longest series has {longest:,} rows: too few to be scored by, with a context of "
                f"{sizes['context']:,} and a horizon of {sizes['horizon']:,}; give longer ones"
            )
        tracks, stretches = [_track(one) for one in series], [Stretch(0, len(one)) for one in series]
        windows, sums = Windows(tracks, stretches, trained.scale, targets=series[0].shape[1], **sizes), ExplainedSums()
        for indices in windows.in_order(WINDOWS):
            every = [windows.raw(index) for index in indices.tolist()]
            said = trained.forecasts([_track(one[: sizes["context"]]) for one in every])
            truth = np.concatenate([one[sizes["context"] :] for one in every])
            sums.add(truth, np.concatenate([one.values for one in said]))
        return sums.share()

    def _ahead(self, series: list[Numbers], steps: int) -> list[Numbers]:
        """So many steps after each series."""
        trained, done = self.run_.trained, 0
        while done < steps:
            said = trained.forecasts([_track(one) for one in series])
            series = [np.concatenate([one, ahead.values]) for one, ahead in zip(series, said, strict=True)]
            done += trained.form.horizon
        return [one[len(one) - done : len(one) - done + steps] for one in series]


def _track(series: Numbers) -> Track:
    """A series of which nothing else is known."""
    nothing = np.zeros((len(series), 0), np.float32)
    return Track("", series.astype(np.float32), nothing, nothing, None)
