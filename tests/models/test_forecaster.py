"""A forecaster: in the units of the file, alone as in a crowd, live as at once, and told what does not fit."""

import numpy as np
import pytest
import torch

from throughtime.data.calendar import calendar_features
from throughtime.data.clock import Pace, pace_of
from throughtime.data.scale import Scale
from throughtime.data.tracks import Stretch, Track
from throughtime.data.windows import Windows, learned_scale
from throughtime.errors import ArgumentError
from throughtime.metrics.ahead import ForecastScores
from throughtime.metrics.baselines import fit_linear, seasonal_naive
from throughtime.models.forecast_stream import ForecastStream
from throughtime.models.forecaster import Forecaster, ForecastScore, Names
from throughtime.models.frames import Form
from throughtime.models.multistep import AtOnce, Head, InStep
from throughtime.models.reference_forecasts import linear_references, seasonal_scales, simple_references
from throughtime.recipes.parts import one_way

HOURS = np.datetime64("2024-01-05T20", "us") + np.arange(40) * np.timedelta64(1, "h")
SCALES = Scale(np.array([10.0, -3.0, 0.5]), np.array([2.0, 0.25, 1.5]))


def made(way=AtOnce, names=("load", "price"), future=(), calendar=False, levels=(), pace=None, **form):
    known = len(future) + 6 * calendar
    sizes = {"context": 6, "horizon": 4, "targets": len(names), "known": known} | form
    model = way(Form(**sizes), one_way("gru", 4, 5, 1), Head(Form(**sizes), 5, levels=levels)).eval()
    return Forecaster(model, SCALES, Names(tuple(names), (), tuple(future), calendar), pace)


def series(rows=9, columns=2, seed=0):
    return 10 * np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def test_a_forecast_is_what_the_model_says_put_back_into_units():
    forecaster = made(levels=(0.1, 0.5, 0.9))
    history = series()
    said = forecaster.forecast(history)
    inside = torch.from_numpy(((history[-6:] - SCALES.mean[:2]) / SCALES.deviation[:2]).astype(np.float32))
    with torch.no_grad():
        outputs = forecaster.model(inside[None], torch.zeros(1, 10, 0))[0].double().numpy()
    np.testing.assert_allclose(said.quantiles, outputs * SCALES.deviation[:2, None] + SCALES.mean[:2, None], rtol=1e-6)
    np.testing.assert_array_equal(said.values, said.quantiles[..., 1])
    assert said.levels == (0.1, 0.5, 0.9)
    assert said.times is None
    np.testing.assert_allclose(forecaster.forecast(history[2:]).values, said.values, rtol=1e-6)


def test_many_series_are_forecast_as_each_alone(monkeypatch):
    monkeypatch.setattr("throughtime.models.forecaster.WINDOWS", 2)
    forecaster, empty = made(), np.zeros((9, 0), np.float32)
    tracks = [Track(str(i), series(seed=i), empty, empty, None) for i in range(5)]
    for track, said in zip(tracks, forecaster.forecasts(tracks), strict=True):
        np.testing.assert_allclose(said.values, forecaster.forecast(track.values).values, rtol=1e-5, atol=1e-5)


def test_what_is_known_ahead_and_the_calendar_are_seen_where_they_stand():
    forecaster = made(future=("holiday",), calendar=True)
    history, future = series(columns=3), np.zeros((4, 1), np.float32)
    said = forecaster.forecast(history, future, times=HOURS[:9])
    assert (said.times == HOURS[9:13]).all()
    inside = torch.from_numpy(((history[-6:, :2] - SCALES.mean[:2]) / SCALES.deviation[:2]).astype(np.float32))
    holidays = (np.concatenate([history[-6:, 2:], future]) - 0.5) / 1.5
    known = torch.from_numpy(np.concatenate([holidays, calendar_features(HOURS[3:13])], 1).astype(np.float32))
    with torch.no_grad():
        outputs = forecaster.model(inside[None], known[None])[0].double().numpy()
    np.testing.assert_allclose(said.values, outputs * SCALES.deviation[:2] + SCALES.mean[:2], rtol=1e-5)
    with pytest.raises(ArgumentError, match=r"future has the shape \(0,\); give T × 1: holiday"):
        forecaster.forecast(history, times=HOURS[:9])
    for rows in (3, 5):
        with pytest.raises(ArgumentError, match=f"future has {rows} rows; give one for each of the 4 steps ahead"):
            forecaster.forecast(history, np.zeros((rows, 1)), times=HOURS[:9])
    with pytest.raises(ArgumentError, match="no times, from which this forecaster takes the calendar"):
        forecaster.forecast(history, future)
    with pytest.raises(ArgumentError, match="times are 8 for 9 rows; each row has one, and they go up"):
        forecaster.forecast(history, future, times=HOURS[:8])
    with pytest.raises(ArgumentError, match="they go up"):
        forecaster.forecast(history, future, times=HOURS[8::-1])


@pytest.mark.parametrize(
    ("history", "future", "message"),
    [
        (series(5), None, "series has 5 rows; this forecaster looks at 6"),
        (series(9, 3), None, r"history has the shape \(9, 3\); give T × 2: load, price"),
        (series(9, 1)[:, 0], None, r"history has the shape \(9,\); give T × 2"),
        (np.where(np.arange(9)[:, None] == 4, np.nan, series()), None, "history is not finite at row 4, 'load'"),
        (series(), np.zeros((4, 1)), r"future has the shape \(4, 1\); give T × 0: nothing"),
    ],
)
def test_histories_that_do_not_fit_are_told(history, future, message):
    with pytest.raises(ArgumentError, match=message):
        made().forecast(history, future)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("calendar", [True, False])
def test_a_stream_in_step_carries_its_state_and_says_what_is_said_at_once(shared, calendar):
    forecaster = made(InStep, calendar=calendar, pace=pace_of(HOURS), normalise="none", shared=shared, context=9)
    stream, rows = ForecastStream(forecaster), series(12)
    assert stream.wanting == 0
    said = [stream.take(row, HOURS[i] if calendar else None) for i, row in enumerate(rows)]
    whole = forecaster.forecast(rows[:9], times=HOURS[:9] if calendar else None)
    np.testing.assert_allclose(said[8].values, whole.values, rtol=1e-4, atol=1e-4)
    assert (whole.times is None) == (not calendar)
    longer = made(InStep, calendar=calendar, pace=pace_of(HOURS), normalise="none", shared=shared, context=12)
    longer.model.load_state_dict(forecaster.model.state_dict())
    last = longer.forecast(rows, times=HOURS[:12] if calendar else None)  # it has seen all that came, not the last 9
    np.testing.assert_allclose(said[11].values, last.values, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"calendar": True}, {"way": InStep}, {"way": InStep, "segment": 2}], ids=str)
def test_any_other_stream_keeps_the_last_rows_and_no_more(options):
    forecaster = made(**options, pace=Pace(3600.0, "seconds", 0, 0, 0))
    times = HOURS if options.get("calendar") else [None] * 40
    stream, rows = ForecastStream(forecaster), series(20)
    said = [stream.take(row.tolist(), time) for row, time in zip(rows, times[:20], strict=True)]
    assert said[:5] == [None] * 5
    for place in (5, 12, 19):
        told = times[: place + 1] if options.get("calendar") else None
        np.testing.assert_allclose(
            said[place].values, forecaster.forecast(rows[: place + 1], times=told).values, rtol=1e-5
        )
    assert len(stream.recent) == 6
    stream.reset()
    assert stream.wanting == 6


def test_rows_of_a_stream_that_do_not_fit_leave_it_as_it_was():
    forecaster = made(calendar=True, pace=pace_of(HOURS))
    stream = ForecastStream(forecaster)
    for row, time in zip(series(6), HOURS, strict=False):
        stream.take(row, time)
    for values, time, message in (
        ([1.0], HOURS[6], r"a row is 2 finite numbers \(load, price\); got \[1.0\]"),
        ([1.0, np.inf], HOURS[6], "a row is 2 finite numbers"),
        ([1.0, 2.0], None, "a row needs its time"),
        ([1.0, 2.0], HOURS[5], "is not after the one before it"),
    ):
        with pytest.raises(ArgumentError, match=message):
            stream.take(values, time)
    assert len(stream.recent) == 6
    assert stream.recent[-1][1] == HOURS[5]
    for first, second in ((None, HOURS[0]), (HOURS[0], None)):
        stream = ForecastStream(made(pace=pace_of(HOURS)))
        stream.take([1.0, 2.0], first)
        with pytest.raises(ArgumentError, match=f"all rows of a series have times, or none has; got {second} after"):
            stream.take([1.0, 2.0], second)
    with pytest.raises(ArgumentError, match=r"columns known ahead \(holiday\) do not come in a stream"):
        ForecastStream(made(future=("holiday",)))
    with pytest.raises(ArgumentError, match="needs to know the pace"):
        ForecastStream(made(calendar=True))


@pytest.mark.parametrize(("way", "normalise"), [(AtOnce, "last"), (InStep, "none")])
def test_a_row_after_which_there_is_no_time_leaves_a_stream_as_it_was(way, normalise):
    forecaster, rows = made(way, calendar=True, pace=pace_of(HOURS), normalise=normalise), series(8)
    times = np.datetime64("9999-12-31T12", "us") + np.arange(8) * np.timedelta64(1, "h")  # four are to come after 19:00
    stream, other = ForecastStream(forecaster), ForecastStream(forecaster)
    for row, time in zip(rows, times, strict=True):
        stream.take(row, time)
        other.take(row, time)
    before = stream.take(rows[0], times[-1] + 1)
    assert before is not None
    other.take(rows[0], times[-1] + 1)
    for _ in range(2):
        with pytest.raises(ArgumentError, match="the year is beyond 9999"):
            stream.take([50.0, -50.0], np.datetime64("9999-12-31T23:30", "us"))
    assert len(stream.recent) == len(other.recent)
    assert stream.recent[-1][1] == times[-1] + 1
    said, wanted = (one.take(rows[1], times[-1] + 2).values for one in (stream, other))
    assert (said == wanted).all()


def windows_of(rows=40, context=6, horizon=4, channels=2):
    empty = np.zeros((rows, 0), np.float32)
    tracks = [
        Track("a", series(rows, channels, 0), empty, empty, None),
        Track("b", series(rows, channels, 1), empty, empty, None),
    ]
    stretches = [Stretch(0, rows), Stretch(0, rows // 2)]
    scales = learned_scale(tracks, stretches)
    return Windows(tracks, stretches, scales, targets=channels, context=context, horizon=horizon), stretches


def test_a_score_is_that_of_all_windows_whatever_the_batches(monkeypatch):
    windows, stretches = windows_of()
    forecaster = made()
    forecaster.scale = windows.scale
    scales = seasonal_scales(windows, stretches, 3)
    references = simple_references(windows, 3)
    one = forecaster.score(windows, "absolute", scales, references=references)
    monkeypatch.setattr("throughtime.models.forecaster.WINDOWS", 3)
    other = forecaster.score(windows, "absolute", scales, references=references)
    assert one.windows == other.windows == len(windows)
    assert other.scores.by_step == pytest.approx(one.scores.by_step, rel=1e-5)
    assert other.references["naive"].by_step == pytest.approx(one.references["naive"].by_step)
    errors, squares, scaled = [], [], []
    for index in range(len(windows)):
        past, truth, said = forecaster.window(windows, index)
        away = (truth - said.values) / windows.scale.deviation
        errors.append(abs(away))
        squares.append(away**2)
        values = windows.tracks[windows.place(index)[0]].values[slice(*stretches[windows.place(index)[0]])]
        scaled.append(abs(truth - said.values) / abs(values[3:] - values[:-3]).mean(0))
        naive = seasonal_naive(past.T, 4, 3).T
        assert naive[3].tolist() == past[3].tolist()
    assert one.loss == one.scores.mean_absolute_error == pytest.approx(np.mean(errors), rel=1e-5)
    assert one.scores.mean_squared_error == pytest.approx(np.mean(squares), rel=1e-5)
    assert one.scores.mean_absolute_scaled_error == pytest.approx(np.mean(scaled), rel=1e-5)
    assert forecaster.score(windows, "squared", scales, most=5).windows == 5
    assert "MAE of naive" in one.sentence()
    assert set(one.to_json()["references"]) == {"naive", "seasonal naive"}


def test_linear_references_are_fitted_to_the_windows_of_each_target():
    windows, _ = windows_of(rows=60)
    batch = windows.batch(np.arange(len(windows)))
    past, truth = batch.history.double().numpy(), batch.targets.double().numpy()
    found = linear_references(windows)
    whole = np.concatenate([past, truth], 1)
    for channel in range(2):
        cut = whole[..., channel]
        line = fit_linear(cut, lags=6, horizon=4)
        np.testing.assert_allclose(found["linear"](past)[..., channel], line.forecast(cut[:, :6]), atol=1e-5)
        cut, last = cut - cut[:, 5:6], cut[:, 5:6]
        line = fit_linear(cut, lags=6, horizon=4)
        wanted = line.forecast(cut[:, :6]) + last
        np.testing.assert_allclose(found["linear, normalised"](past)[..., channel], wanted, atol=1e-5)


def test_a_season_that_no_context_has_is_no_reference_and_short_series_have_the_scale_of_others():
    windows, stretches = windows_of()
    assert set(simple_references(windows, 7)) == {"naive"}
    assert set(simple_references(windows, 1)) == {"naive"}
    short = seasonal_scales(windows, [stretches[0], Stretch(0, 2)], 3)
    assert (short[1] == short[0]).all()


def test_the_loss_is_what_weights_are_chosen_by():
    scores = ForecastScores(4, 1.0, 2.0, None, (1.0,), (0.2, 0.4), 0.8)
    wanted = {"absolute": 1.0, "huber": 1.0, "squared": 2.0, "quantiles": pytest.approx(0.3)}
    assert {name: ForecastScore(1, name, scores).loss for name in wanted} == wanted
    assert "80.0 % between the outermost quantiles" in ForecastScore(1, "quantiles", scores).sentence()
