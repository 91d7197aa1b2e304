"""SequenceClassifier of numbers in time: what X may be, and what is said of it."""

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import throughtime
from throughtime.cli.main import run
from throughtime.errors import ArgumentError
from throughtime.estimators import SequenceClassifier


def waves(count=24, channels=1, seed=0):
    """Series that go up, or down, of unequal lengths."""
    chance = np.random.default_rng(seed)
    series = []
    for i in range(count):
        steps = np.linspace(-1, 1, chance.integers(4, 8)) * (-1) ** i
        series.append(steps[:, None] + chance.normal(0, 0.1, (len(steps), channels)))
    return series, ["up", "down"] * (count // 2)


def table(count=24):
    """The same, each of five steps, a row each."""
    return np.stack([np.linspace(-1, 1, 5) * (-1) ** i + 0.01 * i for i in range(count)]), ["up", "down"] * (count // 2)


def classifier(**changes):
    # So few units that they run in the plain loop: nothing is compiled.
    settings = {"core": "elman", "both": False, "pool": "last", "hidden": 4, "rows": 8, "epochs": 8}
    return SequenceClassifier(**{**settings, "learning_rate": 0.05, "dropout": 0.0, "random_state": 0, **changes})


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(*waves())


@pytest.mark.parametrize("channels", [1, 3])
def test_series_of_unequal_lengths_are_classified(channels):
    one = classifier().fit(*waves(channels=channels))
    X, y = waves(8, channels, seed=1)
    assert one.predict(X).tolist() == y
    assert not hasattr(one, "n_features_in_")
    assert one.run_.files.keys() >= {"scales.json", "weights.safetensors"}


def test_forms_of_the_same_series_say_the_same(fitted):
    X, _ = table()
    wanted = fitted.predict_proba(X)
    forms = [X.astype(np.float32), X[:, :, None], list(X), [row[:, None] for row in X], X.tolist(), tuple(X.tolist())]
    for form in (*forms, np.asfortranarray(X), [row[:, None].tolist() for row in X]):
        np.testing.assert_allclose(fitted.predict_proba(form), wanted, rtol=1e-6)


def test_a_series_is_said_the_same_beside_others(fitted):
    X, _ = waves()
    together = fitted.predict_proba(X)
    np.testing.assert_allclose([fitted.predict_proba([one])[0] for one in X], together, rtol=1e-5)
    np.testing.assert_allclose(fitted.predict_proba(X[::-1])[::-1], together, rtol=1e-5)


def test_ragged_lists_of_numbers_are_series(fitted):
    assert fitted.predict([[1.0, 0.5, 0.1, -0.5, -1], [-1, -0.5, 0.5, 1]]).tolist() == ["down", "up"]


def test_a_table_has_as_many_columns_later(fitted):
    one = classifier().fit(*table())
    assert one.n_features_in_ == 5
    with pytest.raises(ValueError, match="X has 4 features, but SequenceClassifier is expecting 5 features as input"):
        one.predict(np.zeros((2, 4)))
    assert one.predict([np.linspace(-1, 1, 9)]).tolist() == ["up"]  # a list is of series of any lengths
    one.fit(*waves())
    assert not hasattr(one, "n_features_in_")


def test_several_classes_a_row():
    X, _ = waves(16)
    y = np.array([[i % 2, 1 - i % 2, 1] for i in range(15)] + [[0, 0, 0]])
    one = classifier(epochs=2, held_out=0.3).fit(X, y)
    assert one.predict(X).shape == y.shape
    assert one.run_.trained.kind == "multiple"


@pytest.mark.parametrize(
    ("pair", "names"), [(("a:b", "c"), ["0", "1"]), (("?", "c"), ["0", "1"]), (("a b", "c,d;e"), ["a b", "c,d;e"])]
)
def test_labels_that_a_file_of_series_cannot_hold_are_numbered_in_it(pair, names):
    one = classifier(epochs=1).fit(waves(6)[0], [*pair] * 3)
    assert one.classes_.tolist() == sorted(pair)
    assert one.run_.trained.classes == names
    assert {*one.predict(waves(6)[0])} <= {*pair}


def test_what_is_saved_is_a_run_that_commands_take(fitted, tmp_path, capsys):
    X, _ = table()
    fitted.save(tmp_path / "run")
    np.save(tmp_path / "new.npy", X[:2, :, None].astype(np.float32))
    assert run(["predict", str(tmp_path / "run"), str(tmp_path / "new.npy")]) == 0
    said = [line.split(",")[1] for line in capsys.readouterr().out.splitlines()]
    assert said == ["label", *fitted.predict(X[:2])]
    assert throughtime.load(tmp_path / "run").classes == ["down", "up"]


def test_it_is_scored_and_piped():
    assert cross_val_score(classifier(epochs=12), *waves(36), cv=2).mean() > 0.8
    X, y = table()
    assert make_pipeline(StandardScaler(), classifier(epochs=12)).fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([np.zeros(3), np.zeros((3, 2))], "series have as many channels as each other; got some of 1 and 2"),
        ([np.zeros(3), np.zeros(0)], r"X\[1\] is float64 of shape \(0,\); a series is an array of numbers, T or T D"),
        ([np.zeros(3), np.zeros((2, 2, 2))], r"X\[1\] is float64 of shape \(2, 2, 2\)"),
        ([np.zeros(3), np.array(["a"])], r"X\[1\] is <U1 of shape \(1,\)"),
        ([[1.0, 2.0], [[1.0], 2.0, 3.0]], r"X\[1\] is ragged; a series is an array of numbers"),
        ([np.zeros(3), np.array([1.0, np.nan])], r"X\[1\] has nan at step 1, channel 0: NaN, inf and what float32"),
        ([np.zeros(3), np.array([1.0, 1e300])], r"X\[1\] has 1e\+300 at step 1, channel 0"),
        (np.full((2, 3, 1), np.inf), "Input X contains infinity"),
        (np.zeros((2, 0, 1)), r"X\[0\] is float32 of shape \(0, 1\)"),
        (np.zeros((2, 0)), r"0 feature\(s\)"),
        ([], "Expected 2D array, got 1D array"),
    ],
)
def test_what_is_no_series_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, ["a", "b"][: len(X)])


def test_settings_of_texts_are_refused():
    with pytest.raises(ArgumentError, match=r"unit is of texts, not of \.ts files: leave it out; got word"):
        classifier(unit="word").fit(*waves(6))


def test_what_it_was_not_fitted_to_is_refused(fitted):
    with pytest.raises(ArgumentError, match="fitted to series of 1 channels, and X has texts; give it what it knows"):
        fitted.predict(["a text"])
    with pytest.raises(ArgumentError, match="fitted to series of 1 channels, and X has series of 2 channels"):
        fitted.predict(np.zeros((1, 5, 2)))
