"""Runs of forecasters: what comes next in a file's series, how well what came was forecast, and live."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from throughtime.data.scale import Deviations, Means
from throughtime.errors import RunError
from throughtime.folder import STRICT, Count, Sha256
from throughtime.recipes.forecast import Forecast as Recipe
from throughtime.recipes.timed import ForecastData, listed
from throughtime.runs.asked import Asked, Judged
from throughtime.runs.folders import Source, facts_of, filled, read_again
from throughtime.runs.forecast_live import ForecastLive, forecast_facts, moments
from throughtime.runs.shown import csv_row, figure

if TYPE_CHECKING:
    from throughtime.data.clock import Pace
    from throughtime.data.tracks import Tracks
    from throughtime.models.forecaster import Forecast, Forecaster, ForecastScore

BLOCK = 128  # series held at a time
READS = "a forecaster, which reads the columns that it was trained on"
MOST = 100_000  # columns that a series may have
Columns = Annotated[list[str], Field(max_length=MOST)]


class Facts(BaseModel):
    """What data.json tells of the series that a forecaster was made from."""

    model_config = STRICT

    series: str
    series_sha256: Sha256
    series_bytes: Count | None = None
    targets: Annotated[Columns, Field(min_length=1)]
    inputs: Columns
    future: Columns
    series_count: Count
    rows: Count
    unused_rows: Count
    filled_values: Count
    short_series: Count
    gaps: Count
    missing_steps: Count
    uneven: Count
    step: Annotated[FiniteFloat, Field(gt=0)] | None
    step_unit: Literal["seconds", "months", "numbers"] | None
    season: Annotated[int, Field(ge=1, lt=2**31)]
    train_windows: Count
    valid_windows: Count
    test_windows: Count

    @property
    def pace(self) -> Pace | None:
        """How the times of the longest series follow on one another."""
        from throughtime.data.clock import Pace

        return None if self.step is None or self.step_unit is None else Pace(self.step, self.step_unit, 0, 0, 0)


class ScaleForm(BaseModel):
    """What scales.json holds."""

    model_config = STRICT | ConfigDict(extra="forbid")

    mean: Annotated[Means, Field(max_length=MOST)]
    deviation: Annotated[Deviations, Field(max_length=MOST)]
    seasonal: Annotated[list[Annotated[FiniteFloat, Field(ge=0)]], Field(max_length=MOST)]  # of targets, for MASE


def scales_of(home: Path) -> ScaleForm:
    """The scales of a whole folder. Raises `RunError` when they are no scales."""
    from throughtime import folder

    return folder.check_form(ScaleForm, folder.read_json(home, "scales.json", folder.TEXT_LIMIT), home / "scales.json")


def load(home: Path, recipe: Recipe) -> Forecaster:
    """The forecaster of a whole folder. Raises `RunError` as `runs.load` does."""
    import numpy as np

    from throughtime.data.scale import Scale
    from throughtime.models.forecaster import Forecaster

    facts = facts_of(home, Facts)
    names = recipe.names_of(facts.model_dump())
    found = scales_of(home)
    sizes, wanted = [len(found.mean), len(found.deviation), len(found.seasonal)], len(names.every)
    if sizes != [wanted, wanted, len(names.targets)]:
        raise RunError(f"the scales in {home} are of {len(found.mean)} columns, and its data of {len(names.every)}")
    model = filled(lambda: recipe.model_of(names), home)
    return Forecaster(model, Scale(np.array(found.mean), np.array(found.deviation)), names, facts.pace)


def data_of(home: Path, recipe: Recipe) -> ForecastData:
    """The series that a run was made from, read again.

    Raises `RunError` when they are not what they were, and `DataError` when they cannot be read.
    """
    facts = facts_of(home, Facts)
    source = Source(recipe.series, facts.series_bytes, facts.series_sha256)
    return read_again(home, recipe.data, [source], lambda data: [data.facts["series_sha256"]])


def read_like(asked: Asked, recipe: Recipe, forecaster: Forecaster) -> Tracks:
    """Series of another file, whose columns have the names that the run's have.

    Raises `ArgumentError` for what is no file, and `DataError` as `read_tracks` does, for a column that is not there
    with those there are.
    """
    path, names = asked.path("one of series (.csv .tsv .jsonl .parquet .npy .ts)"), forecaster.names
    changes = {"target": names.targets, "inputs": names.inputs, "future": names.future}
    return recipe.model_copy(update=changes).read(path)


def rows(facts: Facts, recipe: Recipe, weights: int) -> dict[str, str]:
    """What there is to tell of the model and its series."""
    parts = {"train": "to learn from", "valid": "to choose by", "test": "to judge by"}
    windows = ", ".join(f"{getattr(facts, f'{part}_windows'):,} {what}" for part, what in parts.items())
    ahead = {"known ahead": listed(tuple(facts.future))} if facts.future else {}
    clock = "no times" if facts.pace is None else f"a step is {_step(facts.pace)}"
    return {
        "model": f"{recipe.made_of}, {weights:,} weights",
        "forecasts": listed(tuple(facts.targets)),
        **({"seen besides": listed(tuple(facts.inputs))} if facts.inputs else {}),
        **ahead,
        "series": f"{facts.series}: {facts.series_count:,} series, {facts.rows:,} rows, {facts.unused_rows:,} not used",
        "sha256": facts.series_sha256,
        "windows": windows,
        "clock": f"{clock}, a season {facts.season} steps; {facts.gaps:,} gaps, {facts.uneven:,} uneven distances",
        "filled": f"{facts.filled_values:,} values, {facts.short_series:,} series without a window",
    }


def _step(pace: Pace) -> str:
    return f"{pace.step:g}" + ("" if pace.unit == "numbers" else f" {pace.unit}")


def evaluate(home: Path, recipe: Recipe, asked: Asked) -> Judged:
    """How well the run's part to judge by is forecast, or all windows of a file."""
    import numpy as np

    from throughtime.data.tracks import Stretch
    from throughtime.data.windows import Windows
    from throughtime.models.reference_forecasts import simple_references

    asked.only(READS)
    forecaster, notes = load(home, recipe), tuple[str, ...]()
    if asked.file is None:
        data = data_of(home, recipe)
        score = recipe.judged(forecaster, data, data.test)
    else:
        read = read_like(asked, recipe, forecaster)
        stretches, form = [Stretch(0, len(track)) for track in read.tracks], forecaster.form
        sizes = {"targets": form.targets, "context": form.context, "horizon": form.horizon}
        windows, season = Windows(read.tracks, stretches, forecaster.scale, **sizes), facts_of(home, Facts).season
        notes = (
            read.chosen,
            f"{len(windows):,} windows; {windows.without:,} series without one; {read.filled:,} values filled; "
            "linear references are left out: they are fitted to what a run learns from, by whose seasons MASE divides",
        )
        simple = simple_references(windows, season) if recipe.baselines else {}
        scales = np.tile(scales_of(home).seasonal, (len(read.tracks), 1))
        score = forecaster.score(windows, recipe.criterion, scales, references=simple)
    return Judged(score.to_json(), _told(score), notes)


def _told(score: ForecastScore) -> dict[str, str]:
    """A score for people: all in standard deviations of what was learnt from, then steps ahead."""
    own = score.scores
    told = {
        "windows": f"{score.windows:,}",
        "MAE": f"{own.mean_absolute_error:.4f}",
        "MSE": f"{own.mean_squared_error:.4f}",
        "MASE": figure(own.mean_absolute_scaled_error),
    }
    if own.quantile_loss is not None:
        told["quantile loss"] = f"{own.quantile_loss:.4f}"
    if own.coverage is not None:
        told["between the outermost quantiles"] = f"{100 * own.coverage:.2f} %"
    for name, one in score.references.items():
        told[f"MAE, MSE of {name}"] = f"{one.mean_absolute_error:.4f}, {one.mean_squared_error:.4f}"
    steps = len(own.by_step)
    for ahead in sorted({1, *(round(steps * share / 4) for share in (1, 2, 3, 4))} - {0}):
        others = ", ".join(f"{name} {one.by_step[ahead - 1]:.4f}" for name, one in score.references.items())
        told[f"  MAE {ahead} ahead"] = f"{own.by_step[ahead - 1]:.4f}" + (f" ({others})" if others else "")
    return told


class Said(NamedTuple):
    """A series and what comes after it."""

    name: str
    forecast: Forecast


class ForecastAnswers:
    """What comes after the end of each series of a file."""

    item = "forecast"

    def __init__(self, forecaster: Forecaster, recipe: Recipe, asked: Asked) -> None:
        asked.only(READS)
        self.forecaster, self.tracks = forecaster, read_like(asked, recipe, forecaster)
        names, levels = forecaster.names.targets, forecaster.model.head.levels
        every = [f"{name} {level:g}" for name in names for level in levels] if len(levels) > 1 else []
        self.head: str | None = csv_row(["series", "time", *names, *every])

    @property
    def notes(self) -> tuple[str, ...]:
        """How the file was read, and what its clock is like."""
        from throughtime.recipes.timed import pace_facts

        told, (pace, counts) = [self.tracks.chosen], pace_facts(self.tracks.tracks)
        if counts["gaps"] or counts["uneven"]:
            told.append(f"the clock is irregular: {counts['gaps']:,} gaps, {counts['uneven']:,} uneven distances")
        known = self.forecaster.pace
        if pace is not None and known is not None and (pace.step, pace.unit) != (known.step, known.unit):
            told.append(f"a step is {_step(pace)} here, and was {_step(known)} in what was learnt from")
        return tuple(told)

    def __iter__(self) -> Iterator[list[Said]]:
        """The forecasts, a block of series at a time."""
        every = self.tracks.tracks
        for first in range(0, len(every), BLOCK):
            some = every[first : first + BLOCK]
            said = self.forecaster.forecasts(some)
            yield [Said(track.name, one) for track, one in zip(some, said, strict=True)]

    def plain(self, answer: Said) -> str:
        """A row of CSV for each step ahead."""
        said, lines = answer.forecast, []
        times = moments(said)
        for step, time in enumerate(times):
            cells = [f"{value:.7g}" for value in said.values[step]]
            if said.quantiles is not None:
                cells += [f"{value:.7g}" for value in said.quantiles[step].ravel()]
            lines.append(csv_row([answer.name, time, *cells]))
        return "\n".join(lines)

    def facts(self, answer: Said) -> dict[str, Any]:
        """The series, the times ahead and each target's values, with its quantiles if there are some."""
        return {"series": answer.name, **forecast_facts(answer.forecast, self.forecaster.names.targets)}

    def told(self) -> str:
        """How many series there were."""
        return f"{len(self.tracks.tracks):,} series, {self.tracks.rows:,} rows; {self.tracks.filled:,} values filled"


def predict(trained: Forecaster, recipe: Recipe, asked: Asked) -> ForecastAnswers:
    """What comes after the end of each series of a file. Raises `ArgumentError` for what is no file."""
    return ForecastAnswers(trained, recipe, asked)


def stream(trained: Forecaster, recipe: Recipe) -> ForecastLive:
    """The forecaster, a row a line. Raises `ArgumentError` where columns are known ahead, which no row tells."""
    return ForecastLive(trained)


def draw_forecasts_of(home: Path, recipe: Recipe, path: Path) -> None:
    """A few windows of the part to judge by: what was seen, what came, what was forecast."""
    from throughtime.inspect.forecasts import Drawn, draw_forecasts

    forecaster, data = load(home, recipe), data_of(home, recipe)
    windows, targets, drawn = data.test, data.tracks.targets, []
    for number in range(4):
        index = (2 * number + 1) * len(windows) // 8
        past, truth, said = forecaster.window(windows, index)
        target = number * len(targets) // 4
        series = data.tracks.tracks[windows.place(index)[0]]
        at = "" if series.times is None else f", from {moments(said)[0]}"
        title = f"{targets[target]}{f', {series.name}' if series.name else ''}{at}"
        band = None if said.quantiles is None else said.quantiles[:, target]
        drawn.append(Drawn(title, past[-3 * len(truth) :, target], truth[:, target], said.values[:, target], band))
    draw_forecasts(drawn, path, title=home.absolute().name, levels=forecaster.model.head.levels)


PICTURES: Mapping[str, Callable[[Path, Any, Path], None]] = {"forecast": draw_forecasts_of}
