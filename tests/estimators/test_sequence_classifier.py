import pickle
import random

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import throughtime
from throughtime.cli.main import run
from throughtime.errors import ArgumentError, RunError
from throughtime.estimators import SequenceClassifier
from throughtime.estimators.targets import read_targets

GOOD, BAD, BOTH = ["good", "fine", "nice"], ["bad", "poor", "sad"], ["the", "a", "film"]


def texts(count=24, seed=0):
    """Texts that are good, or bad, turn by turn; no two are equal."""
    chance = random.Random(seed)
    return [" ".join(chance.choices((BAD if i % 2 else GOOD) + BOTH, k=5)) + f" of {i}" for i in range(count)]


def classifier(**changes):
    settings = {"core": "convolution", "hidden": 8, "widths": (1,), "embedding": 8, "epochs": 12, "rows": 4}
    return SequenceClassifier(
        **{**settings, "learning_rate": 0.03, "dropout": 0.0, "word_dropout": 0.0, "random_state": 0, **changes}
    )


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(texts(), ["pos", "neg"] * 12)


def test_texts_are_classified(fitted):
    assert fitted.classes_.tolist() == ["neg", "pos"]
    assert fitted.predict(texts(8, seed=1)).tolist() == ["pos", "neg"] * 4
    assert fitted.score(texts(8, seed=1), ["pos", "neg"] * 4) == 1.0
    shares = fitted.predict_proba(texts(8, seed=1))
    assert shares.shape == (8, 2)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-12)
    assert (shares.argmax(1) == [1, 0] * 4).all()


@pytest.mark.parametrize(
    ("pair", "names"),
    [
        ((9, 10), ["9", "10"]),
        ((True, False), ["False", "True"]),
        ((2.0, -1.0), ["-1.0", "2.0"]),
        (("b", "a"), ["a", "b"]),
        ((" a", "a "), ["0", "1"]),
        (("", "x"), ["0", "1"]),
        (("a\nb", "x"), ["0", "1"]),
    ],
)
def test_labels_of_any_kind_come_back_as_they_were_given_and_have_names_in_the_run(pair, names):
    one = classifier(epochs=1).fit(texts(6), [*pair] * 3)
    assert one.classes_.tolist() == sorted(pair)
    assert {*one.predict(texts()).tolist()} <= {*pair}
    assert sorted(one.run_.trained.classes) == sorted(names)


def test_probabilities_are_in_the_order_of_the_classes_not_of_their_names():
    one = classifier().fit(texts(), [9, 10] * 12)  # "10" comes before "9"
    assert one.classes_.tolist() == [9, 10]
    assert one.predict(["good fine nice", "bad sad poor"]).tolist() == [9, 10]
    assert one.score(texts(), [9, 10] * 12) == 1.0


def test_several_classes_a_row_are_an_indicator_matrix_whose_rows_may_be_empty():
    words = ["red", "round", "sweet"]
    y = np.array([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)] * 4)
    X = [" ".join(["thing", *(w for w, has in zip(words, row, strict=True) if has)]) for row in y]
    X = [f"{text} number{row}" for row, text in enumerate(X)]
    one = classifier(epochs=10, held_out=0.25, rows=8, hidden=16, learning_rate=0.1, schedule="constant").fit(X, y)
    assert one.held_out_ == 8
    assert one.classes_.tolist() == [0, 1, 2]
    found = one.predict(X)
    assert found.shape == y.shape
    assert found.dtype.kind == "i"
    assert (found == y).mean() > 0.95
    assert ((one.predict_proba(X) > 0.5) == found).all()


def test_a_class_that_no_row_has_is_never_said():
    y = np.array([[1, 0, 0], [0, 0, 1]] * 6)
    one = classifier(epochs=1).fit(texts(12), y)
    assert (one.predict_proba(texts())[:, 1] == 0).all()
    assert (one.predict(texts())[:, 1] == 0).all()


def test_stars_stand_in_an_order():
    X = [" ".join(["thing", *["good"] * stars]) for stars in (1, 2, 3)] * 6
    one = classifier(ordinal=True, epochs=4).fit(X, [1.0, 2.0, 10.0] * 6)
    assert one.run_.trained.classes == ["1", "2", "10"]
    assert {*one.predict(X)} <= {1.0, 2.0, 10.0}
    assert type(one.run_.trained.model.head).__name__ == "Ordinal"


def test_a_fit_that_fails_leaves_the_one_before_it(fitted):
    again = pickle.loads(pickle.dumps(fitted)).set_params(core="none of them")  # noqa: S301
    with pytest.raises(ArgumentError, match="none of them"):
        again.fit(texts(12), [7, 8, 9] * 4)
    assert (again.predict_proba(texts()) == fitted.predict_proba(texts())).all()
    assert again.predict(texts()).tolist() == fitted.predict(texts()).tolist()


@pytest.mark.parametrize("kind", [np.array, tuple, lambda X: np.array(X, object)])
def test_texts_may_be_in_an_array_or_a_tuple(fitted, kind):
    assert (fitted.predict_proba(kind(texts())) == fitted.predict_proba(texts())).all()


def test_the_same_number_gives_the_same_bits_and_leaves_the_randomness_of_others_alone():
    before, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()
    one, two, three = (classifier(epochs=1, random_state=seed).fit(texts(), [0, 1] * 12) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numbers).all()
    assert one.run_.files["weights.safetensors"] == two.run_.files["weights.safetensors"]
    assert one.run_.files["weights.safetensors"] != three.run_.files["weights.safetensors"]


def test_randomness_may_be_drawn_from_a_state():
    def weights():
        one = classifier(epochs=1, random_state=np.random.RandomState(5)).fit(texts(), [0, 1] * 12)
        return one.run_.files["weights.safetensors"]

    assert weights() == weights()


@pytest.mark.parametrize(
    ("rows", "share", "held"), [(24, 0.1, 2), (24, 0.5, 12), (24, 0.0, 0), (5, 0.1, 0), (19, 0.1, 2), (14, 0.1, 0)]
)
def test_none_are_held_out_where_that_is_less_than_one_of_each_class(rows, share, held):
    one = classifier(epochs=1, held_out=share).fit(texts(rows), [i % 2 for i in range(rows)])
    assert one.held_out_ == held


def test_equal_rows_are_held_out_together():
    X, y = [f"{text} {row}" for row, text in enumerate(texts(20))] * 2, [0, 1] * 20
    targets = read_targets(y, 40)
    learned, held = targets.divided(8, X, 0)
    assert len(held) == 8
    assert {X[row] for row in learned}.isdisjoint(X[row] for row in held)


def test_a_class_of_one_row_is_learned():
    one = classifier(epochs=1, held_out=0.3).fit(texts(20), [0] * 10 + [1] * 9 + [2])
    assert one.classes_.tolist() == [0, 1, 2]
    assert one.held_out_ == 6


def test_it_goes_on_with_what_was_pickled(fitted, tmp_path):
    for copy in (pickle.loads(pickle.dumps(fitted)), _through_joblib(fitted, tmp_path / "file")):  # noqa: S301
        assert (copy.predict_proba(texts()) == fitted.predict_proba(texts())).all()
        assert copy.get_params() == fitted.get_params()


def _through_joblib(estimator, path):
    joblib.dump(estimator, path)
    return joblib.load(path)


def test_what_is_saved_is_a_run_that_commands_take(fitted, tmp_path, capsys):
    fitted.save(tmp_path / "run")
    (tmp_path / "new.txt").write_text("good nice film\nsad bad film\n")
    assert run(["predict", str(tmp_path / "run"), str(tmp_path / "new.txt")]) == 0
    assert [line.split(",")[1] for line in capsys.readouterr().out.splitlines()] == ["label", "pos", "neg"]
    assert throughtime.load(tmp_path / "run").classes == ["neg", "pos"]


def test_what_is_there_is_not_written_over(fitted, tmp_path):
    (tmp_path / "run").mkdir()
    fitted.save(tmp_path / "run")
    with pytest.raises(RunError, match="run is there already; give save a folder that is new or empty"):
        fitted.save(tmp_path / "run")


def test_it_is_scored_searched_and_piped():
    X, y = texts(40), ["pos", "neg"] * 20
    assert cross_val_score(classifier(), X, y, cv=2).mean() > 0.8
    search = GridSearchCV(classifier(epochs=4), {"learning_rate": [1e-6, 0.05]}, cv=2, refit=False).fit(X, y)
    assert search.best_params_ == {"learning_rate": 0.05}
    shout = make_pipeline(FunctionTransformer(lambda X: [text.upper() for text in X]), classifier(epochs=6))
    assert shout.fit(X, y).score(X, y) > 0.8
    assert b"GOOD" in shout[-1].run_.files["vocabulary.json"]


def test_what_evaluations_find_is_told(capsys):
    classifier(epochs=2, verbose=True).fit(texts(), ["pos", "neg"] * 12)
    lines = capsys.readouterr().out.splitlines()
    assert "22 texts to train on" in lines[1]
    assert lines[-1].startswith("step 12, epoch 2, ")
    assert "all 2 held-out texts, best weights: accuracy" in lines[-1] or "2 held-out texts, best weights" in lines[-1]


@pytest.mark.parametrize(
    ("changes", "epochs", "warmup"),
    [
        ({"epochs": None, "rows": 8}, 134, 40),
        ({"epochs": None, "rows": 8, "minutes": 1e-4}, None, 50),
        ({"epochs": 3, "rows": 8}, 3, 0),
        ({"epochs": 3, "rows": 8, "warmup_steps": 7}, 3, 7),
    ],
)
def test_a_fit_of_few_rows_has_updates_enough(changes, epochs, warmup):
    one = classifier(**changes)
    recipe = one._recipe(throughtime.Classify, {"train": "x", "seed": 1}, 24)
    assert (recipe.epochs, recipe.warmup_steps) == (epochs, warmup)


def test_most_settings_are_those_of_the_recipe_with_its_defaults():
    own = {"ordinal", "random_state", "verbose"}
    assert own < set(SequenceClassifier().get_params())
    assert set(SequenceClassifier().get_params()) - own < set(throughtime.Classify.model_fields)


OPTIONS = [
    {"core": "gru", "hidden": 2, "both": False, "layers": 2, "pool": "last", "widths": (3, 4, 5)},
    {"core": "lstm", "hidden": 2, "pool": "attention", "widths": (3, 4, 5)},
    {"unit": "character", "maximum_vocab": 9, "word_dropout": 0.2, "embedding": None},
    {"minimum_count": 1, "smoothing": 0.1, "balanced": True, "schedule": "plateau"},
    {"optimiser": "sgd", "weight_decay": 0.0, "clip": 0.5, "schedule": "constant", "device": "cpu"},
    {"patience": 1, "evaluate_every": 1, "minutes": 1.0, "held_out": 0.2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
def test_every_setting_reaches_the_run(options):
    one = clone(classifier(epochs=1)).set_params(**options).fit(texts(12), [0, 1] * 6)
    assert one.predict_proba(texts()).shape == (24, 2)
    recipe = throughtime.runs.folders.make_recipe(
        throughtime.Classify, throughtime.folder.from_json(one.run_.files["recipe.json"])
    )
    same = {name: value for name, value in options.items() if name != "held_out"}
    assert {name: getattr(recipe, name) for name in same} == same


@pytest.mark.parametrize(
    ("X", "y", "changes", "message"),
    [
        (["a", 3], [0, 1], {}, r"X\[1\] is int among texts; give strings only"),
        (["a", " "] * 9, [0, 1] * 9, {}, r"X\[1\] is empty: there is nothing to learn from; leave it out"),
        (["a", "\ud800"], [0, 1], {}, r"X\[1\] has half a character, '\\ud800'; decode it with errors='replace'"),
        (["a", "b"], ["x", "x"], {}, "y has one class only, 'x': nothing is to be told apart"),
        (["a", "b"], None, {}, "requires y to be passed, but the target y is None; give a class for each row"),
        (["a", "b"], [0, 1, 2], {}, "Found input variables with inconsistent numbers of samples"),
        (["a", "b"], [0.5, 1.5], {}, "Unknown label type"),
        (["a", "b"], [0, 1], {"held_out": 1.0}, "held_out is a share, from 0 to below 1; got 1.0"),
        (["a", "b"], [0, 1], {"random_state": "x"}, "random_state is a whole number, a RandomState or None; got 'x'"),
        (["a", "b"], [0, 1], {"core": "lsmt"}, "core"),
        (["a", "b"], ["x", "y"], {"ordinal": True}, r"ordinal is for one whole number a row.*got \['x', 'y'\]"),
        (["a", "b"], [[0, 1], [1, 0]], {"ordinal": True}, "ordinal is for one whole number a row"),
    ],
)
def test_what_does_not_fit_is_refused(X, y, changes, message):
    with pytest.raises(ValueError, match=message):
        classifier(**changes).fit(X, y)


def test_what_it_was_not_fitted_to_is_refused(fitted):
    with pytest.raises(ValueError, match="fitted to texts, and X has series of 1 channels; give it what it knows"):
        fitted.predict(np.zeros((2, 3)))
    with pytest.raises(NotFittedError):
        classifier().predict(["a"])
    with pytest.raises(NotFittedError):
        classifier().save("anywhere")
