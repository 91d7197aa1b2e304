import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

import throughtime
from throughtime.errors import ArgumentError
from throughtime.estimators import SequenceForecaster
from throughtime.estimators.histories import divide


def wave(rows=120, channels=1):
    steps = np.arange(rows) * 2 * np.pi / 6
    return np.stack([np.sin(steps + channel) * (channel + 1) for channel in range(channels)], 1)


def forecaster(**changes):
    # So few units that they run in the plain loop: nothing is compiled.
    settings = {"horizon": 3, "context": 6, "segment": 3, "core": "elman", "hidden": 8, "rows": 16, "epochs": 2}
    return SequenceForecaster(**{**settings, "learning_rate": 0.02, "dropout": 0.0, "random_state": 0, **changes})


@pytest.fixture(scope="module")
def fitted():
    return forecaster(epochs=20).fit(wave(channels=2))


def test_what_comes_next_is_forecast(fitted):
    ahead = fitted.predict()
    assert ahead.shape == (3, 2)
    np.testing.assert_allclose(ahead, wave(123, 2)[120:], atol=0.4)
    np.testing.assert_allclose(fitted.predict(wave(50, 2)), wave(53, 2)[50:], atol=0.4)
    assert fitted.score(wave(24, 2)) > 0.95


def test_after_what_it_was_fitted_to_is_after_its_last_context(fitted):
    assert (fitted.predict() == fitted.predict(wave(120, 2))).all()
    assert (fitted.predict() == fitted.predict(wave(120, 2)[-6:])).all()


def test_further_ahead_forecasts_are_fed_back(fitted):
    far = fitted.predict(wave(50, 2), horizon=8)
    assert far.shape == (8, 2)
    first = fitted.predict(wave(50, 2))
    second = fitted.predict(np.concatenate([wave(50, 2), first]))
    third = fitted.predict(np.concatenate([wave(50, 2), first, second]))
    assert (far == np.concatenate([first, second, third])[:8]).all()
    assert (fitted.predict(wave(50, 2), 2) == first[:2]).all()


def test_the_score_is_r2_over_all_windows_a_block_at_a_time(fitted, monkeypatch):
    series = wave(14, 2) + np.random.default_rng(0).normal(size=(14, 2))
    said = [fitted.predict(series[first : first + 6]) for first in range(6)]
    truth = [series[first + 6 : first + 9] for first in range(6)]
    assert fitted.score(series) == pytest.approx(r2_score(np.concatenate(truth), np.concatenate(said)), abs=1e-5)
    asked, forecasts = [], fitted.run_.trained.forecasts
    monkeypatch.setattr("throughtime.models.forecaster.WINDOWS", 4)
    monkeypatch.setattr(fitted.run_.trained, "forecasts", lambda tracks: asked.append(len(tracks)) or forecasts(tracks))
    assert fitted.score(series, None) == pytest.approx(fitted.score([series]), rel=1e-9)
    assert asked == [4, 2, 4, 2]


@pytest.mark.parametrize(
    ("form", "shape"),
    [
        (lambda series: series[:, 0], (3,)),
        (lambda series: series[:, 0].tolist(), (3,)),
        (lambda series: series, (3, 1)),
        (lambda series: series.tolist(), (3, 1)),
        (lambda series: [series, series[:30, 0]], [(3, 1), (3, 1)]),
        (lambda series: np.stack([series, series]), [(3, 1), (3, 1)]),
    ],
)
def test_answers_have_the_form_of_the_series(form, shape):
    one = forecaster(epochs=1).fit(form(wave(60)))
    for found in (one.predict(), one.predict(form(wave(60)))):
        assert ([each.shape for each in found] if isinstance(shape, list) else found.shape) == shape
    assert one.n_features_in_ == 1 if shape == (3, 1) else not hasattr(one, "n_features_in_")


def test_series_of_unequal_lengths_are_learned_and_held_out_at_their_ends():
    parts = divide([np.arange(n)[:, None] * 1.0 for n in (40, 12, 9)], 6, 3, 0.1)
    assert [len(one) for one in parts.learned] == [36, 9, 9]
    assert [one[:, 0].tolist() for one in parts.held] == [[*range(30, 40)], [*range(3, 12)]]
    assert parts.rows == 7
    one = forecaster(epochs=1).fit([wave(n) for n in (40, 12, 9)])
    assert one.held_out_ == 7
    assert one.run_.files.keys() >= {"weights.safetensors", "scales.json"}
    facts = throughtime.folder.from_json(one.run_.files["data.json"])
    assert (facts["train_windows"], facts["valid_windows"], facts["test_windows"]) == (28 + 1 + 1, 2 + 1, 2)


@pytest.mark.parametrize(("rows", "share"), [(11, 0.1), (60, 0.0)])
def test_of_series_that_are_too_short_nothing_is_held_out(rows, share):
    one = forecaster(epochs=1, held_out=share).fit(wave(rows))
    assert one.held_out_ == 0
    facts = throughtime.folder.from_json(one.run_.files["data.json"])
    assert facts["train_windows"] == facts["valid_windows"] == rows - 8


def test_it_goes_on_with_what_was_pickled_and_saved(fitted, tmp_path):
    copy = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    assert (copy.predict() == fitted.predict()).all()
    fitted.save(tmp_path / "run")
    trained = throughtime.load(tmp_path / "run")
    np.testing.assert_allclose(trained.forecast(wave(50, 2)).values, fitted.predict(wave(50, 2)), rtol=1e-12)


def test_it_is_scored_and_searched_by_folds_in_time():
    folds = TimeSeriesSplit(2)
    assert cross_val_score(forecaster(), wave(50)[:, 0], cv=folds).shape == (2,)
    search = GridSearchCV(forecaster(), {"learning_rate": [1e-7, 0.05]}, cv=folds, refit=False).fit(wave(50))
    assert search.best_params_ == {"learning_rate": 0.05}


OPTIONS = [
    {"way": "in-step", "core": "gru", "normalise": "mean", "layers": 2},
    {"way": "encoder-decoder", "channels": "together", "loss": "huber", "stride": 2},
    {"loss": "squared", "normalise": "none", "optimiser": "sgd", "clip": 0.5, "device": "cpu"},
    {"minutes": 1.0, "schedule": "plateau", "evaluate_every": 1, "patience": 1, "weight_decay": 0.0, "warmup_steps": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
def test_every_setting_reaches_the_run(options):
    one = clone(forecaster(epochs=1)).set_params(**options).fit(wave(40, 2))
    assert one.predict().shape == (3, 2)
    recipe = throughtime.folder.from_json(one.run_.files["recipe.json"])
    assert {name: recipe[name] for name in options} == options


@pytest.mark.parametrize(
    ("X", "changes", "message"),
    [
        (wave(8), {}, r"the series has 8 rows \(n_samples=8\): a context of 6 and a horizon of 3 need 9"),
        ([wave(20), wave(8)], {}, "series 1 has 8 rows"),
        ([wave(20), wave(20, 2)], {}, "series have as many channels as each other; got some of 1 and 2"),
        (np.array(["a"] * 20), {}, r"X\[0\] is <U1 of shape \(20,\); a series is an array of numbers"),
        (np.full(20, np.nan), {}, r"X\[0\] has nan at step 0, channel 0"),
        (wave(20), {"held_out": 1.0}, "held_out is a share, from 0 to below 1; got 1.0"),
        (wave(20), {"horizon": 0}, "horizon does not fit"),
        (wave(20), {"way": "sideways"}, "way does not fit"),
    ],
)
def test_what_does_not_fit_is_refused(X, changes, message):
    with pytest.raises(ArgumentError, match=message):
        forecaster(**changes).fit(X)


def test_what_it_was_not_fitted_to_is_refused(fitted):
    with pytest.raises(ArgumentError, match="series has 5 rows; this forecaster looks at 6"):
        fitted.predict(wave(5, 2))
    with pytest.raises(ArgumentError, match="series has other columns than channel 0, channel 1"):
        fitted.predict([wave(20)])
    with pytest.raises(ArgumentError, match="the longest series has 8 rows: too few to be scored by"):
        fitted.score(wave(8, 2))
    with pytest.raises(ArgumentError, match="horizon is a number of steps, at least 1; got 0"):
        fitted.predict(horizon=0)
    with pytest.raises(NotFittedError):
        forecaster().predict()
