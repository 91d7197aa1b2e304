"""A forecasting model together with its scales and the names of its columns: series in, what comes next out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from throughtime.data.calendar import calendar_features
from throughtime.data.clock import Pace, Times, first_out_of_order, following, pace_of
from throughtime.data.scale import Scale
from throughtime.data.tracks import Track
from throughtime.data.windows import Windows, standardised
from throughtime.errors import ArgumentError, printable
from throughtime.layers.rest import at_rest
from throughtime.metrics.ahead import ErrorSums, ForecastScores
from throughtime.models.multistep import Multistep
from throughtime.models.reference_forecasts import Numbers, Reference

Criterion = Literal["absolute", "squared", "huber", "quantiles"]
WINDOWS = 128  # of a batch


@dataclass(frozen=True)
class Forecast:
    """What comes next, in the units of the series.

    values     H K      the forecast itself: the median where the model has quantiles
    quantiles  H K Q    at the levels; None of a model without
    times      H        None where none are known
    """

    values: Numbers
    quantiles: Numbers | None = None
    levels: tuple[float, ...] = ()
    times: Times | None = None


@dataclass(frozen=True)
class Names:
    """The columns of a series, in the order in which a forecaster takes them."""

    targets: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    calendar: bool = False

    @property
    def every(self) -> tuple[str, ...]:
        """All of them: targets, inputs, known ahead."""
        return (*self.targets, *self.inputs, *self.future)


@dataclass(frozen=True)
class ForecastScore:
    """How well windows were forecast, in standard deviations of what was learnt from, and how well others do."""

    windows: int
    criterion: Criterion
    scores: ForecastScores
    references: dict[str, ForecastScores] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """What weights are chosen by: the mean loss of the quantiles, MSE or, of Huber's loss too, MAE."""
        if self.criterion == "squared":
            return self.scores.mean_squared_error
        quantile_loss = self.scores.quantile_loss if self.criterion == "quantiles" else None
        return self.scores.mean_absolute_error if quantile_loss is None else quantile_loss

    def sentence(self) -> str:
        """What there is to say of it, for people."""
        scaled, own = self.scores.mean_absolute_scaled_error, self.scores
        told = f"MAE {own.mean_absolute_error:.4f}, MSE {own.mean_squared_error:.4f}"
        told += "" if scaled is None else f", MASE {scaled:.4f}"
        if own.quantile_loss is not None:
            told += f", quantile loss {own.quantile_loss:.4f}"
            told += "" if own.coverage is None else f", {100 * own.coverage:.1f} % between the outermost quantiles"
        others = (f"{name} {one.mean_absolute_error:.4f}" for name, one in self.references.items())
        return told + (f" (MAE of {', '.join(others)})" if self.references else "")

    def to_json(self) -> dict[str, Any]:
        """The numbers by name, those of others under theirs."""
        others = {name: one.to_json() for name, one in self.references.items()}
        return {"loss": self.loss, "windows": self.windows, **self.scores.to_json(), "references": others}


class Forecaster:
    """A model, the scale of its columns, and their names.

    `pace` is how the times follow on one another in what was learnt from.
    """

    def __init__(self, model: Multistep, scale: Scale, names: Names, pace: Pace | None = None) -> None:
        self.model, self.scale, self.names, self.pace = model, scale, names, pace
        self.form = model.form

    def forecast(self, history: ArrayLike, future: ArrayLike | None = None, *, times: Times | None = None) -> Forecast:
        """What comes after a history, whose last L rows are looked at.

        Shapes: history T D, its columns in the order of `names.every`; future H F, what is known of the steps ahead;
        times T, which a calendar needs.

        Raises `ArgumentError` for other shapes, for a history that is too short, and for values that are not finite.
        """
        past = self._numbers(history, "history", self.names.every)
        steps = self.form.horizon
        known = np.zeros((steps, len(self.names.future)), np.float32)
        if future is not None or self.names.future:
            known = self._numbers(np.zeros(0) if future is None else future, "future", self.names.future)
        if len(known) != steps:
            raise ArgumentError(f"future has {len(known)} rows; give one for each of the {steps} steps ahead")
        width = len(self.names.targets) + len(self.names.inputs)
        if times is not None and (len(times) != len(past) or first_out_of_order(times) is not None):
            raise ArgumentError(f"times are {len(times)} for {len(past)} rows; each row has one, and they go up")
        calendar = np.zeros((len(past), 0), np.float32)
        if self.names.calendar and times is not None:
            calendar = calendar_features(times)
        whole = np.concatenate([past[:, width:], known])
        return self.forecasts([Track("", past[:, :width], whole, calendar, times)])[0]

    def _numbers(self, values: ArrayLike, what: str, names: Sequence[str]) -> NDArray[np.float32]:
        found = np.asarray(values, np.float32)
        if found.ndim != 2 or found.shape[1] != len(names):
            told = ", ".join(map(printable, names[:12])) or "nothing"
            raise ArgumentError(f"{what} has the shape {found.shape}; give T × {len(names)}: {told}")
        if not np.isfinite(found).all():
            row, column = np.argwhere(~np.isfinite(found))[0].tolist()
            raise ArgumentError(f"{what} is not finite at row {row}, {names[column]!a:.40}; give a number")
        return found

    def forecasts(self, tracks: Sequence[Track]) -> list[Forecast]:
        """What comes after the end of each series. Raises `ArgumentError` for one that is too short."""
        found = list[Forecast]()
        for first in range(0, len(tracks), WINDOWS):
            some = tracks[first : first + WINDOWS]
            times = [self.times_after(track) for track in some]
            parts = [self._inputs(track, ahead) for track, ahead in zip(some, times, strict=True)]
            history, known = (torch.stack(part) for part in zip(*parts, strict=True))
            for outputs, ahead in zip(self._outputs(history, known), times, strict=True):
                found.append(self.in_units(outputs, ahead))
        return found

    def times_after(self, track: Track) -> Times | None:
        """The times of the steps ahead: those the series has already, or those that its pace leads to."""
        if track.times is None or not len(track):
            return None
        given = track.times[len(track) : len(track) + self.form.horizon]
        pace = pace_of(track.times) or self.pace
        if len(given) == self.form.horizon or pace is None:
            return given if len(given) == self.form.horizon else None
        more = following(track.times[-1], pace, self.form.horizon - len(given))
        return np.concatenate([given, more.astype(track.times.dtype)])

    def _inputs(self, track: Track, times: Times | None) -> tuple[Tensor, Tensor]:
        """What the model sees of the end of a series: L D and L+H F."""
        form, rows = self.form, len(track)
        name = f" {printable(track.name)[:40]!r}" if track.name else ""
        if rows < form.context:
            raise ArgumentError(f"series{name} has {rows:,} rows; this forecaster looks at {form.context:,}")
        if track.values.shape[1] + track.known.shape[1] != len(self.names.every):
            raise ArgumentError(f"series{name} has other columns than {', '.join(self.names.every):.200}")
        first = rows - form.context
        known = track.known[first : rows + form.horizon]
        if self.names.future and len(known) < form.context + form.horizon:
            raise ArgumentError(
                f"series{name} ends with {len(known) - form.context} rows of what is known ahead "
                f"({', '.join(self.names.future):.200}); a forecast needs {form.horizon}"
            )
        history = standardised(track.values[first:], self.scale, 0)
        ahead = history.new_zeros(form.context + form.horizon, 0)
        if self.names.future:
            ahead = standardised(known, self.scale, track.values.shape[1])
        if self.names.calendar:
            if track.times is None or times is None:
                raise ArgumentError(f"series{name} has no times, from which this forecaster takes the calendar")
            told = calendar_features(np.concatenate([track.times[first:rows], times]))
            ahead = torch.cat([ahead, torch.from_numpy(told)], -1)
        return history, ahead

    def in_units(self, outputs: Tensor, times: Times | None) -> Forecast:
        """The forecast of a window from what the model gave (H K, or H K Q), in the units of the series."""
        count = len(self.names.targets)
        mean, deviation = self.scale.mean[:count], self.scale.deviation[:count]
        values = self.model.head.points(outputs).double().numpy() * deviation + mean
        levels = self.model.head.levels
        if len(levels) < 2:
            return Forecast(values, times=times)
        quantiles = outputs.double().numpy() * deviation[:, None] + mean[:, None]
        return Forecast(values, quantiles, levels, times)

    def _outputs(self, history: Tensor, known: Tensor) -> Tensor:
        with at_rest(self.model):
            device = next(self.model.parameters()).device
            outputs: Tensor = self.model(history.to(device), known.to(device)).cpu()
        return outputs

    def score(
        self,
        windows: Windows,
        criterion: Criterion,
        scales: Numbers,
        *,
        references: Mapping[str, Reference] | None = None,
        most: int | None = None,
    ) -> ForecastScore:
        """How well windows are forecast (`most` of them, in even distances), and how well the references do there.

        Shapes: scales series K, by which MASE divides.
        """
        levels = self.model.head.levels if len(self.model.head.levels) > 1 else ()
        own = ErrorSums(self.form.horizon, levels)
        others = {name: ErrorSums(self.form.horizon) for name in references or {}}
        count = 0
        for indices in windows.in_order(WINDOWS, most):
            batch = windows.batch(indices)
            outputs = self._outputs(batch.history, batch.known)
            truth = batch.targets.double().numpy()
            scale = scales[[windows.place(index)[0] for index in indices.tolist()]]
            points = self.model.head.points(outputs).double().numpy()
            own.add(truth, points, scale=scale, quantiles=outputs.double().numpy() if levels else None)
            past = batch.history[..., : windows.targets].double().numpy()
            for name, forecast in (references or {}).items():
                others[name].add(truth, forecast(past), scale=scale)
            count += len(indices)
        return ForecastScore(count, criterion, own.scores(), {name: sums.scores() for name, sums in others.items()})

    def window(self, windows: Windows, index: int) -> tuple[Numbers, Numbers, Forecast]:
        """The history (L K) and the truth (H K) of a window in the units of the series, and the forecast there."""
        batch = windows.batch(np.array([index]))
        raw = windows.raw(index).astype(np.float64)
        track, begin = windows.place(index)
        times = windows.tracks[track].times
        ahead = None if times is None else times[begin : begin + self.form.horizon]
        said = self.in_units(self._outputs(batch.history, batch.known)[0], ahead)
        return raw[: windows.context], raw[windows.context :], said
