"""A forecaster that reads a series row by row: after each row, what comes next from there."""

from collections import deque
from typing import Any

import numpy as np
import torch
from torch import Tensor

from throughtime.data.calendar import calendar_features
from throughtime.data.clock import following
from throughtime.data.tracks import Track
from throughtime.data.windows import standardised
from throughtime.errors import ArgumentError
from throughtime.layers.rest import at_rest
from throughtime.models.forecaster import Forecast, Forecaster
from throughtime.models.frames import framed, unframed
from throughtime.models.multistep import InStep, Walk


class ForecastStream:
    """A forecaster at work on a series that never ends, in bounded memory.

    A model in step that reads values as they are (segments of one row, nothing to be relative to) carries its state
    from row to row: it has seen all that came, and answers from the first row on. Any other keeps the last L rows and
    reads them again.

    Raises `ArgumentError` for a forecaster with columns that are known ahead: no row tells them.
    """

    def __init__(self, forecaster: Forecaster) -> None:
        names = forecaster.names
        if names.future:
            raise ArgumentError(
                f"columns known ahead ({', '.join(names.future):.200}) do not come in a stream; forecast from a file"
            )
        if names.calendar and forecaster.pace is None:
            raise ArgumentError("a calendar needs to know the pace of the series, which was not kept")
        self.forecaster, form = forecaster, forecaster.form
        whole = form.normalise == "none" and form.segment == 1
        self.walker = forecaster.model if isinstance(forecaster.model, InStep) and whole else None
        self.reset()

    def reset(self) -> None:
        """Forgets everything: a new series begins."""
        self.recent = deque[Any](maxlen=self.forecaster.form.context)
        self.walk: Walk | None = None

    @property
    def wanting(self) -> int:
        """How many rows are to come before there is a forecast."""
        return 0 if self.walker else self.forecaster.form.context - len(self.recent)

    def take(self, values: Any, time: Any = None) -> Forecast | None:
        """The forecast after one more row (D), at a time where there is a calendar; None as long as rows are wanting.

        Raises `ArgumentError` for a row that does not fit; nothing is forgotten or learnt by it.
        """
        names = self.forecaster.names
        row = np.asarray(values, np.float32)
        if row.shape != (len(names.every),) or not np.isfinite(row).all():
            told = ", ".join(names.every)
            raise ArgumentError(f"a row is {len(names.every)} finite numbers ({told:.200}); got {row.tolist()!s:.80}")
        if names.calendar and time is None:
            raise ArgumentError("a row needs its time, from which this forecaster takes the calendar")
        before = self.recent[-1][1] if self.recent else time
        if (time is None) != (before is None):
            raise ArgumentError(f"all rows of a series have times, or none has; got {time} after {before}")
        if self.recent and time is not None and time <= before:
            raise ArgumentError(f"time {time} is not after the one before it, {before}")
        said, walk = self._walked(self.walker, row, time) if self.walker else (self._read_again(row, time), None)
        if said is not None and not np.isfinite(said.values).all():
            raise ArgumentError("the forecast is no number: the row is too far from what was learned; leave it out")
        self.recent.append((row, time))  # only now that nothing can be refused
        self.walk = walk
        return said

    def _read_again(self, row: Any, time: Any) -> Forecast | None:
        """The forecast from the last rows, this one among them, if there are enough."""
        last = [*self.recent, (row, time)][-self.forecaster.form.context :]
        if len(last) < self.forecaster.form.context:
            return None
        every = np.stack([one for one, _ in last])
        times = None if time is None else np.array([moment for _, moment in last])
        empty = np.zeros((len(every), 0), np.float32)
        return self.forecaster.forecasts([Track("", every, empty, empty, times)])[0]

    def _walked(self, model: InStep, row: Any, time: Any) -> tuple[Forecast, Walk]:
        """The forecast of a model that goes on from where it stands, and where it stands then."""
        form, pace = model.form, self.forecaster.pace
        ahead = None if time is None or pace is None else following(time, pace, form.horizon)
        known = torch.zeros(1, form.horizon, 0)
        if self.forecaster.names.calendar and ahead is not None:
            known = torch.from_numpy(calendar_features(ahead))[None]
        history = standardised(row[None, None], self.forecaster.scale, 0)
        with at_rest(model):
            rows = framed(form, history, known)
            walk = model.read(rows.values, rows.known[:, :1], self.walk)
            outputs: Tensor = unframed(form, rows, model.run(walk, rows.known[:, 1:]))
        return self.forecaster.in_units(outputs[0], ahead), walk
