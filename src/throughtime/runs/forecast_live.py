"""A forecaster that reads its series as it comes; and forecasts as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughtime.errors import ArgumentError, DataError, printable
from throughtime.runs.numbers import numbers_in

if TYPE_CHECKING:
    from throughtime.models.forecaster import Forecast, Forecaster


def moments(said: Forecast) -> list[str]:
    """The times of a forecast as words; where none are known, how many steps ahead."""
    if said.times is None:
        return [str(step) for step in range(1, len(said.values) + 1)]
    if said.times.dtype.kind != "M":
        return [f"{time:.15g}" for time in said.times.tolist()]
    return [time.isoformat(sep=" ") for time in said.times.tolist()]


def forecast_facts(said: Forecast, targets: tuple[str, ...]) -> dict[str, Any]:
    """A forecast as JSON."""
    found: dict[str, Any] = {"times": moments(said), "forecast": {}}
    for place, name in enumerate(targets):
        found["forecast"][name] = said.values[:, place].tolist()
    if said.quantiles is not None:
        found["quantiles"] = {
            name: {f"{level:g}": said.quantiles[:, place, q].tolist() for q, level in enumerate(said.levels)}
            for place, name in enumerate(targets)
        }
    return found


class ForecastLive:
    """A forecaster that is given a row of its series a line: numbers with commas between, or a JSON list of them."""

    def __init__(self, forecaster: Forecaster) -> None:
        from throughtime.models.forecast_stream import ForecastStream

        self.stream, self.names = ForecastStream(forecaster), forecaster.names
        every = ", ".join(map(printable, (*(("time",) if self.names.calendar else ()), *self.names.every)))
        self.wants = f"a row ({every:.200}; {self.stream.wanting} of them before the first answer)"

    def take(self, line: str) -> dict[str, Any] | None:
        """The forecast from this row on; None while rows are wanting, and after an empty line, which begins anew."""
        if not line.strip():
            self.stream.reset()
            return None
        time, numbers = self._parted(line)
        try:
            said = self.stream.take(numbers_in(numbers), time)
        except ArgumentError as error:
            raise DataError(str(error)) from None
        return None if said is None else forecast_facts(said, self.names.targets)

    def _parted(self, line: str) -> tuple[Any, str]:
        """The time, where a calendar needs it, and the numbers after it. Raises `DataError` for what is no date."""
        if not self.names.calendar:
            return None, line
        from throughtime.data.clock import parse_times

        bare = line.strip()
        bare = bare[1:-1] if bare.startswith("[") and bare.endswith("]") else bare
        word, _, numbers = bare.partition(",")
        word = word.strip().strip("\"'")
        moment = parse_times([word], lambda row: "the first cell")
        if moment.dtype.kind != "M":
            raise DataError(f"the first cell, {word!s:.40}, is no date, which the calendar needs")
        return moment[0], numbers

    def plain(self, facts: dict[str, Any]) -> str:
        """The steps ahead with semicolons between, the targets of each with commas."""
        steps = zip(*facts["forecast"].values(), strict=True)
        return ";".join(",".join(f"{value:.7g}" for value in step) for step in steps)
