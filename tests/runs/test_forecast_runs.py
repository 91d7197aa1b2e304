"""Runs of forecasters: judged, drawn, asked about a file and live; and folders that lie."""

import csv
import json
import shutil
from importlib import import_module

import numpy as np
import pytest

import throughtime
from throughtime import folder
from throughtime.cli.main import run as command
from throughtime.data.scale import Scale
from throughtime.errors import ArgumentError, DataError, RunError
from throughtime.recipes import Forecast
from throughtime.runs import Asked, application_of, recipe_of
from throughtime.runs import forecast as runs
from throughtime.runs.folders import facts_of
from throughtime.train import fit

SIZES = {"horizon": 2, "context": 4, "hidden": 3, "rows": 16, "epochs": 1, "dropout": 0.0, "seed": 3}


def written(path, rows=50, ids=("a", "b"), ahead=0, hours=1):
    lines = ["when,id,load,price,holiday"]
    for place, name in enumerate(ids):
        for row in range(rows + ahead):
            moment = np.datetime64("2024-01-01") + np.timedelta64(row * hours, "h")
            wave = np.sin(row / 3 + place)
            values = f"{10 * wave:.4f},{wave + row % 5:.4f}" if row < rows else ","
            lines.append(f"{moment},{name},{values},{int(row % 7 == 0)}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module", autouse=True)
def _plainly():
    """Cores run step by step in torch: at once, where a compiler takes a second."""
    scan = import_module("throughtime.layers.scan")
    before, scan.SMALL = scan.SMALL, 10**9
    yield
    scan.SMALL = before


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("forecasts")
    series = written(home / "series.csv")

    def run(name, **changes):
        out = home / name
        if not out.exists():
            for _ in fit(Forecast(**({"data": series, "id_column": "id"} | SIZES | changes)), out):
                pass
        return out

    return run


@pytest.fixture(scope="module")
def plain(made):
    return made("plain", target=("load", "price"))


@pytest.fixture(scope="module")
def sure(made):
    return made("sure", target=("load",), future=("holiday",), calendar=True, quantiles=(0.1, 0.5, 0.9))


def opened(home):
    recipe = recipe_of(home)
    return throughtime.load(home), recipe


def test_a_run_is_judged_by_the_part_that_nothing_was_chosen_by(plain):
    judged = runs.evaluate(plain, recipe_of(plain), Asked())
    data = recipe_of(plain).data()
    assert judged.facts["windows"] == len(data.test) == facts_of(plain, runs.Facts).test_windows
    assert set(judged.facts["references"]) == {"naive", "linear", "linear, normalised"}
    wanted = recipe_of(plain).judged(throughtime.load(plain), data, data.test).to_json()
    assert judged.facts == wanted
    assert judged.rows["MAE"] == f"{wanted['mean_absolute_error']:.4f}"
    assert {"  MAE 1 ahead", "  MAE 2 ahead", "MAE, MSE of linear"} <= set(judged.rows)
    json.dumps(judged.facts, allow_nan=False)


def test_another_file_is_judged_whole_without_what_is_fitted(plain, sure, tmp_path):
    other = written(tmp_path / "other.csv", rows=20, ids=("c",))
    judged = runs.evaluate(plain, recipe_of(plain), Asked(other))
    assert judged.facts["windows"] == 20 - 4 - 2 + 1
    assert set(judged.facts["references"]) == {"naive"}
    assert "linear references are left out" in judged.notes[1]
    data = recipe_of(plain).data()
    seasonal = [
        abs(track.values[first + 24 : last] - track.values[first : last - 24]).mean(0) / data.scale.deviation
        for track, (first, last) in zip(data.tracks.tracks, data.stretches[0], strict=True)
    ]
    assert runs.scales_of(plain).seasonal == pytest.approx(np.mean(seasonal, 0).tolist(), rel=1e-5)
    rows = runs.evaluate(sure, recipe_of(sure), Asked(other)).rows
    assert rows["between the outermost quantiles"].endswith(" %")
    assert float(rows["quantile loss"]) > 0


def test_a_file_gets_a_row_a_step_at_its_own_times(plain, tmp_path):
    forecaster, recipe = opened(plain)
    other = written(tmp_path / "other.csv", rows=9, ids=("c", "d"), hours=3)
    answers = runs.predict(forecaster, recipe, Asked(other))
    blocks = list(answers)
    lines = list(csv.DictReader([answers.head, *"\n".join(map(answers.plain, blocks[0])).split("\n")]))
    assert [(line["series"], line["time"]) for line in lines] == [
        (name, f"2024-01-02 0{hour}:00:00") for name in "cd" for hour in (3, 6)
    ]
    track = recipe.read(other).tracks[1]
    said = forecaster.forecast(track.values[:, :2]).values
    np.testing.assert_allclose([[float(line["load"]), float(line["price"])] for line in lines[2:]], said, rtol=1e-5)
    assert answers.facts(blocks[0][1])["forecast"]["price"] == pytest.approx(said[:, 1].tolist(), rel=1e-5)
    assert answers.notes[1] == "a step is 10800 seconds here, and was 3600 seconds in what was learnt from"
    assert answers.told() == "2 series, 18 rows; 0 values filled"


def test_what_is_known_ahead_comes_from_the_rows_that_have_nothing_else(sure, tmp_path):
    forecaster, recipe = opened(sure)
    answers = runs.predict(forecaster, recipe, Asked(written(tmp_path / "ahead.csv", rows=9, ids=("c",), ahead=2)))
    assert answers.head == "series,time,load,load 0.1,load 0.5,load 0.9"
    ((said,),) = list(answers)
    cells = [line.split(",") for line in answers.plain(said).split("\n")]
    assert [row[1] for row in cells] == ["2024-01-01 09:00:00", "2024-01-01 10:00:00"]
    assert all(float(row[3]) < float(row[4]) == float(row[2]) < float(row[5]) for row in cells)
    assert set(answers.facts(said)["quantiles"]["load"]) == {"0.1", "0.5", "0.9"}
    short = runs.predict(forecaster, recipe, Asked(written(tmp_path / "short.csv", rows=9, ids=("c",), ahead=1)))
    with pytest.raises(ArgumentError, match=r"'c' ends with 1 rows of what is known ahead \(holiday\)"):
        list(short)
    with pytest.raises(ArgumentError, match="do not come in a stream; forecast from a file"):
        runs.stream(forecaster, recipe)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("when,id,load\n2024-01-01,a,1\n", DataError, "no column 'price'; known: when, id, load"),
        ("when,id,load,price\n2024-01-01,a,1,\n", DataError, "the value is missing"),
        ("when,id,load,price\n2024-01-01,a,1,2\n", ArgumentError, "series 'a' has 1 rows; this forecaster looks at 4"),
        (
            "when,id,load,price\n" + "".join(f"9999-12-31T2{hour},a,1,2\n" for hour in range(4)),
            ArgumentError,
            "2 steps after 9999-12-31T23:00:00.000000 the year is beyond 9999",
        ),
    ],
)
def test_files_that_do_not_fit_are_told(plain, tmp_path, text, error, message):
    (tmp_path / "other.csv").write_text(text)
    with pytest.raises(error, match=message):
        list(runs.predict(*opened(plain), Asked(tmp_path / "other.csv")))


def test_predict_needs_a_file(plain, tmp_path):
    for file, message in ((None, "there is no file; give one of series"), (tmp_path, "is no file; give one of series")):
        with pytest.raises(ArgumentError, match=message):
            runs.predict(*opened(plain), Asked(file))


def test_a_stream_answers_as_soon_as_it_can_and_begins_anew(plain):
    forecaster, recipe = opened(plain)
    live, rows = runs.stream(forecaster, recipe), np.random.default_rng(0).normal(size=(5, 2)).round(3)
    assert live.wants == "a row (load, price; 4 of them before the first answer)"
    said = [live.take(",".join(map(str, row)) if i % 2 else json.dumps(row.tolist())) for i, row in enumerate(rows)]
    assert said[:3] == [None] * 3
    wanted = forecaster.forecast(rows).values
    np.testing.assert_allclose(list(said[4]["forecast"].values()), wanted.T, rtol=1e-5)
    plainly = live.plain(said[4])
    np.testing.assert_allclose([[float(x) for x in step.split(",")] for step in plainly.split(";")], wanted, rtol=1e-5)
    for line in ("1", "1,x", "[1", '{"a": 1}', "[[1], 2]", "1,nan", ",", "[1,2,3]", "1,1_0", "1,1e300"):
        with pytest.raises(DataError):
            live.take(line)
    np.testing.assert_allclose(
        live.take("0,0")["forecast"]["load"], forecaster.forecast([*rows, [0, 0]]).values[:, 0], rtol=1e-5
    )
    assert live.take("") is None
    assert live.take("1,2") is None


@pytest.mark.parametrize("way", ["in-step", "direct"])
def test_a_row_that_is_too_far_off_is_refused_and_forgotten(made, way):
    forecaster, recipe = opened(made(way, target=("load", "price"), way=way, normalise="none"))
    forecaster.scale = Scale(np.zeros(2), np.full(2, 1e-3))
    live, other = runs.stream(forecaster, recipe), runs.stream(forecaster, recipe)
    for row in ("1e-3,2e-3", "0,1e-3", "2e-3,1e-3"):
        live.take(row)
        other.take(row)
    if way == "direct":  # which waits for as many rows as it sees
        live.take("1e-3,1e-3")
        other.take("1e-3,1e-3")
    with pytest.raises(DataError, match="too far from what was learned"):
        live.take("3e38,-3e38")
    biases = [one for name, one in forecaster.model.named_parameters() if name.startswith("head") and one.dim() == 1]
    kept = [one.detach().clone() for one in biases]
    for one in biases:
        one.data.fill_(float("nan"))
    with pytest.raises(DataError, match="the forecast is no number: the row is too far from what was learned"):
        live.take("1e-3,0")
    for one, before in zip(biases, kept, strict=True):
        one.data.copy_(before)
    said = live.take("1e-3,0")
    assert said == other.take("1e-3,0")
    assert np.isfinite(said["forecast"]["load"]).all()


def test_a_stream_with_a_calendar_reads_times(made):
    live = runs.stream(*opened(made("calendar", target=("load",), calendar=True, way="in-step", normalise="none")))
    assert live.wants.startswith("a row (time, load; 0 of them")
    assert live.take("2024-01-01 05:00,1.5")["times"] == ["2024-01-01 06:00:00", "2024-01-01 07:00:00"]
    for line, message in (
        ("2024-01-01 05:00,1", "not after"),
        ("5,1", "no date"),
        ("x,1", "neither a number nor a date"),
        ("9999-12-31 23:00,1", "the year is beyond 9999; give earlier times"),
    ):
        with pytest.raises(DataError, match=message):
            live.take(line)


def test_the_commands_of_a_run(plain, tmp_path, capsys):
    other = str(written(tmp_path / "other.csv", rows=9, ids=("c",)))
    assert command(["predict", str(plain), other, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["series"] == "c"
    assert command(["show", str(plain), "--forecast", str(tmp_path / "f.svg")]) == 0
    told = capsys.readouterr().out
    assert "gru, 1 × 3, direct, channels shared, 4 steps back" in told
    assert "a step is 3600 seconds, a season 24 steps" in told
    assert "load, a, from " in (tmp_path / "f.svg").read_text()
    assert command(["evaluate", str(plain), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean_absolute_error"] > 0
    assert application_of(recipe_of(plain)) is runs
    other_run = ["train", "forecast", "--data", other, "--target", "load,price", "--quantiles", "0.1,0.9", "--out", "x"]
    assert command(other_run) == 2
    assert "quantiles rise within 0..1, with 0.5 among them; got [0.1, 0.9]" in capsys.readouterr().err


def changed(home, tmp_path, name, content):
    """A copy of a run with another file in it, and a manifest that fits."""
    other = tmp_path / "changed"
    shutil.copytree(home, other)
    folder.unmark(other)
    files = {path.name: path.read_bytes() for path in other.iterdir() if path.is_file()} | {name: content}
    shutil.rmtree(other)
    folder.write_new(other, {key: body for key, body in files.items() if key != folder.MANIFEST}, status="finished")
    return other


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("scales.json", {"mean": [0.0]}, "the scales in .* are of 1 columns, and its data of 2|deviation"),
        ("scales.json", {"deviation": [0.0, 1.0]}, "scales.json"),
        ("scales.json", {"mean": [1.0, "x"]}, "scales.json"),
        ("scales.json", {"seasonal": [1.0]}, "the scales in .* are of 2 columns, and its data of 2"),
        ("data.json", {"targets": []}, "data.json"),
        ("data.json", {"targets": ["load"]}, "the scales in .* are of 2 columns, and its data of 1"),
        ("data.json", {"step": -1.0}, "data.json"),
        ("data.json", {"season": 0}, "data.json"),
        ("recipe.json", {"horizon": 4}, "not those of its recipe"),
    ],
)
def test_folders_that_lie_are_told(plain, tmp_path, name, change, message):
    values = {**json.loads((plain / name).read_text()), **change}
    home = changed(plain, tmp_path, name, folder.to_bytes(values))
    with pytest.raises(RunError, match=message):
        throughtime.load(home)


def test_series_that_were_changed_are_told(made, tmp_path):
    path = written(tmp_path / "own.csv")
    home = made("own", data=path, target=("load",))
    body = path.read_text()
    for other in (body.replace("T10,a,", "T10,a,9", 1), body.replace("T10,a,-1", "T10,a,-2", 1)):  # longer; as long
        assert other != body
        path.write_text(other)
        with pytest.raises(RunError, match=r"was changed since .* give evaluate --data FILE"):
            runs.evaluate(home, recipe_of(home), Asked())
