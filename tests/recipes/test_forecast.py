"""The recipe of a forecaster: every option, data that do not fit, exact resume, and balls that it sees coming."""

import json
import re
from importlib import import_module

import numpy as np
import pytest
import torch

import throughtime
from throughtime.data.balls import bouncing_balls
from throughtime.data.clock import Pace
from throughtime.errors import ArgumentError, DataError
from throughtime.recipes import Forecast
from throughtime.recipes.read import make_recipe, read_settings
from throughtime.recipes.timed import season_of
from throughtime.train import fit

SIZES = {
    "horizon": 2,
    "context": 4,
    "hidden": 3,
    "rows": 8,
    "epochs": 1,
    "evaluate_every": 4,
    "dropout": 0.0,
    "seed": 3,
}


def written(path, rows=60, ids=("",), broken=()):
    """A table of two waves an hour apart and a holiday, for each of several series."""
    lines = ["when,id,load,price,holiday"]
    for place, name in enumerate(ids):
        for row in range(rows):
            moment = np.datetime64("2024-01-01") + np.timedelta64(row, "h")
            wave = np.sin(row / 3 + place)
            load = "" if (place, row) in broken else f"{10 * wave:.4f}"
            lines.append(f"{moment},{name},{load},{wave + row % 5:.4f},{int(row % 7 == 0)}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def plainly(monkeypatch):
    """Cores run step by step in torch: at once, where a compiler takes a second."""
    monkeypatch.setattr(import_module("throughtime.layers.scan"), "SMALL", 10**9)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return written(tmp_path_factory.mktemp("series") / "series.csv", ids=("a", "b"))


@pytest.fixture(scope="module")
def forecast(table):
    def recipe(**changes):
        return Forecast(**({"data": table, "id_column": "id"} | SIZES | changes))

    return recipe


def trained(recipe, out, steps=None):
    """A run until it has made so many updates, or to its end; gives what it told."""
    stream, told = fit(recipe, out), []
    for progress in stream:
        told.append(progress)
        if progress.step == steps:
            stream.close()
    return told


@pytest.mark.parametrize(
    "options",
    [
        {"way": "in-step", "channels": "together", "normalise": "none"},
        {"way": "encoder-decoder", "segment": 2, "future": ("holiday",), "calendar": True, "split": "30,10,8"},
        {"target": ("load",), "inputs": ("price",), "channels": "together", "quantiles": (0.1, 0.5, 0.9)},
        {"loss": "squared", "normalise": "mean", "stride": 3, "accumulate": 2, "split": (0.5, 0.25, 0.25)},
        {"loss": "huber", "layers": 2, "dropout": 0.2, "core": "lstm", "split": "2:1:1", "precision": "bfloat16"},
        {"season": 6, "context": 6, "optimiser": "sgd", "baselines": False, "missing": "fill"},
    ],
    ids=str,
)
def test_every_option_trains_forecasts_and_scores(forecast, tmp_path, options, plainly):
    recipe = forecast(**options)
    *_, last = trained(recipe, tmp_path / "run")
    score = last.evaluation.score
    assert np.isfinite(score.loss)
    assert set(score.references) == ({"naive", "linear", "linear, normalised"} if recipe.baselines else set())
    forecaster = throughtime.load(tmp_path / "run")
    rows = np.random.default_rng(0).normal(size=(8, len(forecaster.names.every)))
    times = np.datetime64("2024-02-01", "us") + np.arange(8) * np.timedelta64(1, "h")
    future = np.ones((2, 1)) if options.get("future") else None
    said = forecaster.forecast(rows, future, times=times)
    assert said.values.shape == (2, len(forecaster.names.targets))
    assert (said.quantiles is not None) == ("quantiles" in options)
    assert (said.times == times[-1] + np.array([1, 2]) * np.timedelta64(1, "h")).all()


@pytest.mark.parametrize("options", [{}, {"way": "in-step", "accumulate": 3, "dropout": 0.3}], ids=str)
def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(forecast, tmp_path, options, plainly):
    recipe = forecast(epochs=2, **options)
    trained(recipe, tmp_path / "straight")
    for steps in (3, 8, None):
        trained(recipe, tmp_path / "stopped", steps)
    runs = [tmp_path / name for name in ("straight", "stopped")]
    assert len({(run / "weights.safetensors").read_bytes() for run in runs}) == 1
    lines = [[json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()] for run in runs]
    assert [{**line, "seconds": 0} for line in lines[0]] == [{**line, "seconds": 0} for line in lines[1]]
    assert trained(recipe, tmp_path / "stopped") == []


def test_what_is_read_is_told_and_kept(forecast, tmp_path, plainly):
    recipe = forecast(future=("holiday",))
    told = trained(recipe, tmp_path / "run")
    notes = "\n".join(told[0].notes)
    assert "times are column 'when'; 3 of values, 2 series; forecast: load, price; known ahead: holiday" in notes
    assert "120 rows in 2 series; windows: 74 to learn from, 10 held out to choose by, 22 held out to judge by" in notes
    assert "a season of 24 steps" in notes
    card = (tmp_path / "run" / "card.md").read_text()
    assert "gru, 1 × 3, direct, channels shared, 4 steps back in segments of 1, 2 ahead" in card
    assert "0.7,0.1,0.2 by time; 74 windows to learn from" in card
    facts = json.loads((tmp_path / "run" / "data.json").read_text())
    assert (facts["targets"], facts["step"], facts["step_unit"]) == (["load", "price"], 3600.0, "seconds")
    assert "came" in told[-1].evaluation.sample
    scales = json.loads((tmp_path / "run" / "scales.json").read_text())
    seasonal = scales.pop("seasonal")
    assert scales == recipe.data().scale.to_json()
    assert len(seasonal) == 2


def test_what_is_learnt_from_does_not_depend_on_what_comes_after(forecast, tmp_path):
    one, lines = forecast().data(), forecast().series.read_text().splitlines()
    later = {moment for track in one.tracks.tracks for moment in track.times[42:].astype("datetime64[h]").astype(str)}
    changed = [re.sub(r"-?[0-9.]+,([01])$", r"77,\1", line) if line[:13] in later else line for line in lines]
    assert sum(old != new for old, new in zip(lines, changed, strict=True)) == 36
    (tmp_path / "other.csv").write_text("\n".join(changed) + "\n")
    other = forecast(data=tmp_path / "other.csv").data()
    assert (one.scale.mean == other.scale.mean).all()
    every = np.arange(len(one.train))
    mine, theirs = vars(one.train.batch(every)), vars(other.train.batch(every))
    assert all(torch.equal(mine[name], theirs[name]) for name in ("history", "known", "targets"))
    assert not torch.equal(one.valid.batch(every[:5]).targets, other.valid.batch(every[:5]).targets)


def test_a_clock_that_is_irregular_and_values_that_were_filled_are_told(tmp_path):
    path = written(tmp_path / "s.csv", broken={(0, 5), (0, 6)})
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:20] + lines[23:]) + "\n")
    notes = "\n".join(Forecast(**({"data": path, "missing": "fill", "target": ("load",)} | SIZES)).data().notes())
    assert "the clock is irregular: 1 gaps with 3 times missing, 0 distances" in notes
    assert "2 values filled" in notes
    with pytest.raises(DataError, match=r"line 7, column 'load': the value is missing, as are 1 more"):
        Forecast(**({"data": path, "target": ("load",)} | SIZES)).data()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "1,2"}, "split is three shares"),
        ({"quantiles": (0.1, 0.9)}, "quantiles rise within 0..1, with 0.5 among them; got"),
        ({"quantiles": (0.5, 0.1)}, "quantiles rise within 0..1"),
        (
            {"quantiles": (0.5, 0.9), "loss": "huber"},
            "loss is that of the quantiles where there are some; got --loss huber",
        ),
        ({"quantiles": (0.1, 0.5), "way": "in-step"}, "quantiles need --way direct or encoder-decoder"),
        ({"inputs": ("price",)}, "inputs need --channels together"),
        (
            {"inputs": ("price",), "channels": "together", "way": "in-step"},
            "inputs need --channels together, and --way",
        ),
        ({"segment": 3}, "horizon is whole segments of 3; got 2"),
        ({"segment": 2, "context": 5}, "context is whole segments of 2; got 5"),
        ({"horizon": 0}, "horizon does not fit"),
        ({"data": None}, "data does not fit"),
        ({"chanels": "shared"}, "unknown setting 'chanels'; did you mean 'channels'"),
    ],
)
def test_settings_that_do_not_fit_are_told(table, options, message):
    with pytest.raises(ArgumentError, match=message):
        make_recipe(Forecast, {"data": table} | SIZES | options)


def test_a_field_goes_by_its_other_name_too(tmp_path, table):
    path = tmp_path / "some.toml"
    path.write_text(f'data = "{table}"\nhorizon = 5\n')
    assert read_settings(path, Forecast) == {"series": table, "horizon": 5}
    assert Forecast(series=table) == Forecast(data=table)
    assert make_recipe(Forecast, json.loads(Forecast(data=table).model_dump_json())) == Forecast(data=table)
    with pytest.raises(ArgumentError, match="the setting 'data' is missing: series"):
        make_recipe(Forecast, {"horizon": 5})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": 60}, r"\('a'\) has 60 rows, 42 of them in this part: too few for a context of 60"),
        ({"split": "50,20,20"}, "split 50 \\+ 20 \\+ 20 is more than the 60 times"),
        ({"split_by": "series"}, "2 series leave a part of the split empty"),
        ({"target": ("lod",)}, "no column 'lod'; did you mean 'load'"),
        ({"id_column": "ids"}, "no column 'ids'; did you mean 'id'"),
        (
            {"id_column": None, "target": ("load",)},
            "time '2024-01-01T00' is not after the one before it.* tell series apart",
        ),
    ],
)
def test_data_that_do_not_fit_are_told(forecast, options, message):
    with pytest.raises(DataError, match=message):
        forecast(**options).data()


@pytest.mark.parametrize(
    ("pace", "season"),
    [
        ((60.0, "seconds"), 1440),
        ((86400.0, "seconds"), 7),
        ((1.0, "months"), 12),
        ((3.0, "months"), 4),
        ((7.0, "seconds"), 1),
    ],
)
def test_seasons_are_those_of_the_clock(pace, season):
    assert season_of(Pace(*pace, 0, 0, 0)) == season
    assert season_of(None) == 1


def test_where_a_ball_goes_next_is_seen_better_than_by_lines(tmp_path, plainly):
    np.save(tmp_path / "balls.npy", bouncing_balls(40, 40))
    sizes = {"horizon": 10, "context": 10, "channels": "together", "split_by": "series", "hidden": 24}
    settings = {"way": "in-step", "normalise": "none", "epochs": 14, "learning_rate": 0.03, "rows": 64, "dropout": 0.0}
    recipe = Forecast(data=tmp_path / "balls.npy", evaluate_every=1000, **sizes, **settings)
    *_, last = trained(recipe, tmp_path / "run")
    score, windows = last.evaluation.score, recipe.data().valid
    assert score.scores.mean_absolute_error < 0.75 * score.references["linear"].mean_absolute_error
    assert score.scores.mean_absolute_error < 0.6 * score.references["naive"].mean_absolute_error
    batch = windows.batch(np.arange(len(windows)))
    pace = (batch.history[:, -1] - batch.history[:, -2])[:, None]
    line = batch.history[:, -1:] + pace * torch.arange(1, 11)[:, None]
    assert score.scores.mean_absolute_error < 0.7 * float((line - batch.targets).abs().mean())
