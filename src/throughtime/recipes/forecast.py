"""The recipe of a forecaster: every setting, and how the parts are made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from throughtime.recipes import fields
from throughtime.recipes.cards import card
from throughtime.recipes.cells import CellName
from throughtime.recipes.parts import device_of
from throughtime.recipes.read import Place
from throughtime.recipes.training import Training

if TYPE_CHECKING:
    from throughtime.data.tracks import Tracks
    from throughtime.data.windows import WindowBatches, Windows
    from throughtime.models.forecaster import Criterion, Forecaster, ForecastScore, Names
    from throughtime.models.frames import Form
    from throughtime.models.multistep import Head, Multistep
    from throughtime.models.reference_forecasts import Reference
    from throughtime.recipes.timed import ForecastData

LOSS_UNITS = {"absolute": "deviations", "squared": "squared deviations", "huber": "Huber's loss"}
QUICK_WINDOWS = 1024  # of the part to choose by, at most, that are judged while training
LONGEST = 65536  # rows of a context or a horizon
DRAWN = 48  # steps of a series that a sample shows


def _joined(value: Any) -> Any:
    """Numbers given one by one, as one word: 0.7,0.1,0.2."""
    return ",".join(f"{part:g}" for part in value) if isinstance(value, tuple | list) else value


Words = Annotated[str, BeforeValidator(_joined)]


class Forecast(Training):
    """A forecaster: it learns what comes next in series of numbers, from what came before."""

    model_config = ConfigDict(populate_by_name=True)

    makes: ClassVar[str] = "a forecaster"
    shows: ClassVar[str] = "what came, and its forecasts"
    item: ClassVar[str] = "value"
    places: ClassVar[frozenset[str]] = frozenset({"series"})

    application: Literal["forecast"] = Field("forecast", description="which recipe this is")
    series: Place = Field(alias="data", description="series: .csv .tsv .jsonl .parquet (.gz too), .npy or .ts")
    time_column: str | None = Field(None, description="the column of times, by name or number (found if there is one)")
    id_column: str | None = Field(None, description="the column that tells several series apart")
    target: tuple[str, ...] = Field((), description="columns to forecast (all that are nothing else)")
    inputs: tuple[str, ...] = Field((), description="columns that are seen of the past besides")
    future: tuple[str, ...] = Field((), description="columns that are known ahead, such as holidays")
    calendar: bool = Field(False, description="hour, day of the week and month are known ahead, from the times")
    missing: Literal["refuse", "fill"] = Field("refuse", description="missing values: refuse, or take the one before")
    split: Words = Field(
        "0.7,0.1,0.2",
        description="parts to learn from, to choose by and to judge by: shares, counts of times (8640,2880,2880) or "
        "proportions (12:4:4)",
    )
    split_by: Literal["time", "series"] = Field("time", description="parts follow in time, or are of whole series")

    horizon: int = Field(24, ge=1, le=LONGEST, description="steps ahead that are forecast")
    context: int | None = Field(None, ge=1, le=LONGEST, description="steps back that are seen (4 times --horizon)")
    stride: int = Field(1, ge=1, description="rows from one window to learn from to the next")
    season: int | None = Field(None, ge=1, description="steps after which the series repeats (found from the times)")

    way: Literal["direct", "in-step", "encoder-decoder"] = Field(
        "direct", description="to many steps: all at once; its own forecast fed back; a decoder that walks ahead"
    )
    core: CellName = Field("gru", description="the recurrent cell")
    hidden: fields.Hidden = 128
    layers: fields.Layers = 1
    segment: int = Field(1, ge=1, description="rows that are one step of the core")
    channels: Literal["shared", "together"] = Field(
        "shared", description="each target by itself with the same weights, or all of them as one vector"
    )
    normalise: Literal["last", "mean", "none"] = Field(
        "last",
        description="what a window is relative to: its last values, its means and deviations, nothing (levels matter)",
    )
    loss: Literal["absolute", "squared", "huber"] = Field("absolute", description="of a standardised value")
    quantiles: tuple[float, ...] = Field((), description="levels that are forecast, such as 0.1,0.5,0.9")
    dropout: fields.Rate = Field(0.1, description="of what the forecast is read from, and between layers")
    baselines: bool = Field(True, description="measure what is simpler, on the same windows")

    rows: int = Field(64, ge=1, le=65536, description="windows of a batch")

    @field_validator("split")
    @classmethod
    def _split_fits(cls, split: str) -> str:
        from throughtime.data.periods import parse_split  # floors below that a recipe may read, without torch

        parse_split(split)
        return split

    @model_validator(mode="after")
    def _consistent(self) -> Forecast:
        levels = self.quantiles
        if levels and (0.5 not in levels or list(levels) != sorted(set(levels)) or not 0 < levels[0] <= levels[-1] < 1):
            raise ValueError(f"quantiles rise within 0..1, with 0.5 among them; got {list(levels)}")
        if levels and self.loss != "absolute":
            raise ValueError(f"loss is that of the quantiles where there are some; got --loss {self.loss}")
        if len(levels) > 1 and self.way == "in-step":
            raise ValueError("quantiles need --way direct or encoder-decoder: in step one forecast is fed back")
        if self.inputs and (self.channels == "shared" or self.way == "in-step"):
            told = f"got --channels {self.channels} --way {self.way}"
            raise ValueError(f"inputs need --channels together, and --way direct or encoder-decoder; {told}")
        for name, steps in (("horizon", self.horizon), ("context", self.seen)):
            if steps % self.segment:
                raise ValueError(f"{name} is whole segments of {self.segment}; got {steps}")
        return self

    @property
    def seen(self) -> int:
        """The steps back that are seen."""
        return self.context or 4 * self.horizon

    @property
    def reads(self) -> Path:
        """What is read."""
        return self.series

    @property
    def loss_unit(self) -> str:  # type: ignore[override]  # it depends on the loss that was chosen
        """Of the loss that is lowered; values are in standard deviations."""
        return LOSS_UNITS[self.loss]

    @property
    def score_unit(self) -> str:
        """Of that by which the best weights are chosen."""
        return f"{LOSS_UNITS['absolute' if self.loss == 'huber' else self.loss]} per {self.item}"

    def advice(self, out: Path) -> tuple[str, ...]:
        """What may be done with a run."""
        words = (f"evaluate {out}", f"predict {out} {self.series}", f"show {out} --forecast forecast.png")
        return tuple(f"throughtime {word}" for word in words)

    @property
    def made_of(self) -> str:
        """The model, for people."""
        steps = f"{self.seen} steps back in segments of {self.segment}, {self.horizon} ahead"
        return f"{self.core}, {self.layers} × {self.hidden}, {self.way}, channels {self.channels}, {steps}"

    def data(self) -> ForecastData:
        """Reads the series, cuts them in parts and learns their scales from the first.

        Raises `DataError` when the file is missing or malformed, or a part is too short for a window.
        """
        from throughtime.data.periods import by_series, by_time, parse_split
        from throughtime.data.windows import Windows, learned_scale
        from throughtime.recipes.timed import ForecastData, facts_of, pace_facts, season_of, size_of

        read, sizes = self.read(self.series), parse_split(self.split)
        tracks = read.tracks
        stretches = by_time(tracks, sizes) if self.split_by == "time" else by_series(tracks, sizes, self.seed)
        scale, sizes_of = learned_scale(tracks, stretches[0]), {"context": self.seen, "horizon": self.horizon}
        count = len(read.targets)
        train = Windows(tracks, stretches[0], scale, targets=count, stride=self.stride, **sizes_of)
        valid, test = (Windows(tracks, some, scale, targets=count, **sizes_of) for some in stretches[1:])
        pace, counts = pace_facts(tracks)
        season = self.season or season_of(pace)
        facts = {
            "series": str(self.series),
            "series_bytes": size_of(self.series),
            **facts_of(read, pace),
            **counts,
            "season": season,
            "unused_rows": read.rows - sum(last - first for part in stretches for first, last in part),
            "short_series": sum(a < b and not many for (a, b), many in zip(stretches[0], train.counts, strict=True)),
            **{f"{name}_windows": len(some) for name, some in (("train", train), ("valid", valid), ("test", test))},
        }
        return ForecastData(read, stretches, scale, train, valid, test, season, pace, facts)

    def read(self, path: Path) -> Tracks:
        """Series, read as this recipe reads them."""
        from throughtime.data.tracks import Roles, read_tracks

        roles = Roles(self.time_column, self.id_column, self.target, self.inputs, self.future, self.calendar)
        return read_tracks(path, roles, self.missing)

    def batches(self, data: ForecastData) -> WindowBatches:
        """The windows to learn from."""
        from throughtime.data.windows import WindowBatches

        return WindowBatches(data.train, rows=self.rows, seed=self.seed)

    def model(self, data: ForecastData) -> Multistep:
        """A new model, on the device."""
        return self.model_of(self.names_of(data.facts)).to(device_of(self.device))

    def names_of(self, facts: dict[str, Any]) -> Names:
        """The columns, as data.json tells them."""
        from throughtime.models.forecaster import Names

        targets, inputs, future = (tuple(facts[name]) for name in ("targets", "inputs", "future"))
        return Names(targets, inputs, future, self.calendar)

    def model_of(self, names: Names) -> Multistep:
        """A new model of these columns."""
        from throughtime.models.multistep import AtOnce, EncoderDecoder, Head, InStep
        from throughtime.recipes.parts import one_way

        form = self._form(names)
        levels = self.quantiles or ((0.5,) if self.loss == "absolute" else ())
        head: Head = Head(form, self.hidden, levels=levels, delta=1.0 if self.loss == "huber" else None)
        cores = [
            one_way(self.core, self.hidden, self.hidden, self.layers, dropout=self.dropout)
            for _ in range(2 if self.way == "encoder-decoder" else 1)
        ]
        if self.way == "encoder-decoder":
            return EncoderDecoder(form, cores[0], cores[1], head, dropout=self.dropout)
        return (AtOnce if self.way == "direct" else InStep)(form, cores[0], head, dropout=self.dropout)

    def _form(self, names: Names) -> Form:
        from throughtime.data.calendar import FEATURES
        from throughtime.models.frames import Form

        return Form(
            context=self.seen,
            horizon=self.horizon,
            segment=self.segment,
            targets=len(names.targets),
            inputs=len(names.inputs),
            known=len(names.future) + (len(FEATURES) if self.calendar else 0),
            shared=self.channels == "shared",
            normalise=self.normalise,
        )

    @property
    def criterion(self) -> Criterion:
        """What is lowered."""
        return "quantiles" if len(self.quantiles) > 1 else self.loss

    def score(self, model: Multistep, data: ForecastData, *, quick: bool) -> ForecastScore:
        """How well the windows to choose by are forecast; `quick` looks at 1,024 of them at most, and at no other."""
        return self.judged(self._forecaster(model, data), data, data.valid, most=QUICK_WINDOWS if quick else None)

    def judged(
        self, forecaster: Forecaster, data: ForecastData, windows: Windows, *, most: int | None = None
    ) -> ForecastScore:
        """How well windows are forecast; if all of them are, what is simpler is measured beside it."""
        from throughtime.models.reference_forecasts import linear_references, seasonal_scales, simple_references

        references: dict[str, Reference] = {}
        if self.baselines and most is None:
            references = {**simple_references(windows, data.season), **linear_references(data.train)}
        scales = seasonal_scales(windows, data.stretches[0], data.season)
        return forecaster.score(windows, self.criterion, scales, references=references, most=most)

    def _forecaster(self, model: Multistep, data: ForecastData) -> Forecaster:
        from throughtime.models.forecaster import Forecaster

        return Forecaster(model, data.scale, self.names_of(data.facts), data.pace)

    def sample(self, model: Multistep, data: ForecastData, *, final: bool) -> str:
        """A few windows to choose by, in blocks: what was seen last, then what came, then what was said."""
        from throughtime.inspect.draw import sparkline

        forecaster, lines = self._forecaster(model, data), []
        steps, windows = min(self.horizon, DRAWN), data.valid
        for number in range(6 if final else 2):
            index = (2 * number + 1) * len(windows) // (12 if final else 4)
            past, truth, said = forecaster.window(windows, index)
            target = number % len(data.tracks.targets)
            shown = [past[-steps:, target], truth[:steps, target], said.values[:steps, target]]
            blocks = sparkline([float(value) for part in shown for value in part], 3 * DRAWN)
            cuts = [len(part) for part in shown]
            parts = blocks[: cuts[0]], blocks[cuts[0] : cuts[0] + cuts[1]], blocks[cuts[0] + cuts[1] :]
            lines.append(f"{data.tracks.targets[target]:.12}: {parts[0]} | came {parts[1]} said {parts[2]}")
        return "\n".join(lines)

    def tell(self, score: ForecastScore) -> tuple[str, str]:
        """What was judged, and how well it did."""
        return f"{score.windows:,} held-out windows", score.sentence()

    def notes(self, data: ForecastData) -> tuple[str, ...]:
        """What was read and counted."""
        return data.notes()

    def files(self, data: ForecastData) -> dict[str, bytes]:
        """recipe.json, data.json and scales.json."""
        from throughtime.folder import to_bytes
        from throughtime.models.reference_forecasts import seasonal_scales

        seasonal = seasonal_scales(data.train, data.stretches[0], data.season).mean(0).tolist()
        return {
            "recipe.json": to_bytes(json.loads(self.model_dump_json())),
            "data.json": to_bytes(data.facts),
            "scales.json": to_bytes({**data.scale.to_json(), "seasonal": seasonal}),
        }

    def card(self, model: Multistep, data: ForecastData, score: ForecastScore | None) -> str:
        """What the model is, what it was made from, and how good it is."""
        from throughtime.recipes.timed import listed

        size, facts = sum(parameter.numel() for parameter in model.parameters()), data.facts
        rows = {
            "model": f"{self.made_of}, {size:,} weights",
            "forecasts": listed(data.tracks.targets),
            "made from": f"{facts['series']}: {facts['rows']:,} rows (sha256 {facts['series_sha256'][:12]}…)",
            "split": f"{self.split} by {self.split_by}; {facts['train_windows']:,} windows to learn from, "
            f"{facts['valid_windows']:,} to choose by, {facts['test_windows']:,} to judge by",
            "values filled": f"{facts['filled_values']:,}",
        }
        return card("A forecaster", rows, None if score is None else score.sentence())
