import pickle
import random

import numpy as np
import pytest
import sklearn.utils.estimator_checks as checks
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

import throughtime
from throughtime.cli.main import run
from throughtime.errors import ArgumentError, DataError
from throughtime.estimators import SequenceTagger
from throughtime.estimators.tagger import _divided

NAMES, WORDS = ["Anna", "Bob", "Cleo"], ["sees", "and", "runs", "home"]


def sentences(count=30, seed=0):
    """Sentences and their tags: a name is a person, and another beside it goes on with it."""
    chance = random.Random(seed)
    X = [[chance.choice(NAMES), *chance.choices(NAMES + WORDS, k=chance.randint(1, 4))] for _ in range(count)]
    y = []
    for words in X:
        named = [False, *(word in NAMES for word in words)]
        y.append([("I-PER" if named[i] else "B-PER") if named[i + 1] else "O" for i in range(len(words))])
    return X, y


def tagger(**changes):
    # So few units that they run in the plain loop: nothing is compiled.
    settings = {"core": "elman", "hidden": 4, "embedding": 8, "characters": "none", "affixes": 0, "rows": 10}
    plain = {"epochs": 10, "learning_rate": 0.05, "dropout": 0.0, "word_dropout": 0.0, "random_state": 0}
    return SequenceTagger(**{**settings, **plain, **changes})


@pytest.fixture(scope="module")
def fitted():
    return tagger(rows=5, epochs=14).fit(*sentences())


def test_sentences_are_tagged(fitted):
    X, y = sentences(6, seed=1)
    assert fitted.classes_.tolist() == ["B-PER", "I-PER", "O"]
    assert fitted.predict(X) == y
    assert fitted.score(X, y) == 1.0
    assert fitted.held_out_ == 3


def test_probabilities_are_of_each_tag_at_each_token(fitted):
    X, _ = sentences(6, seed=1)
    shares = fitted.predict_proba(X)
    assert [one.shape for one in shares] == [(len(words), 3) for words in X]
    for one in shares:
        np.testing.assert_allclose(one.sum(1), 1, rtol=1e-5)
    assert [fitted.classes_[one.argmax(1)].tolist() for one in shares] == fitted.predict(X)


def test_a_sentence_without_tokens_has_no_tags(fitted):
    assert fitted.predict([[], ["Bob"]]) == [[], ["B-PER"]]
    assert fitted.predict_proba([[]])[0].shape == (0, 3)


def test_the_score_is_of_tokens_or_of_entities(fitted):
    X, y = [["Bob", "runs", "home"]], [["B-LOC", "O", "O"]]
    assert fitted.score(X, y) == pytest.approx(2 / 3)
    assert clone(fitted).set_params(scoring="entity_f1").scoring == "entity_f1"
    judge = pickle.loads(pickle.dumps(fitted)).set_params(scoring="entity_f1")  # noqa: S301
    assert judge.score(X, y) == 0.0
    assert judge.score(*sentences(6, seed=1)) == 1.0
    with pytest.raises(ArgumentError, match="scoring is 'accuracy' or 'entity_f1'; got 'f1'"):
        judge.set_params(scoring="f1").score(X, y)


def test_equal_sentences_are_not_on_both_sides():
    X = [["Bob", "runs"], ["Anna", "sees"], ["Cleo", "runs", "home"], ["home"]] * 10
    for seed in range(5):
        learned, held = _divided(X, 12, seed)
        assert sorted(learned + held) == list(range(40))
        assert len(held) in (10, 20)
        assert {tuple(X[row]) for row in learned}.isdisjoint(tuple(X[row]) for row in held)
    assert _divided(X[::4], 2, 0) == (list(range(10)), [])  # all are equal


def test_parts_of_speech_have_no_entities():
    X, y = sentences(8)
    y = [["NAME" if tag != "O" else "WORD" for tag in tags] for tags in y]
    one = tagger(epochs=1, scoring="entity_f1").fit(X, y)
    with pytest.raises(ArgumentError, match="'entity_f1' needs tags of entities, such as B-PER; these are of none"):
        one.score(X, y)


def test_tags_that_break_their_scheme_are_refused_or_mended():
    X, y = sentences(8)
    y[2][0] = "I-PER"
    with pytest.raises(DataError, match=r"'I-PER' \(I after O\) at token 1"):
        tagger(held_out=0.0, scheme="bio").fit(X, y)
    assert "B-PER" in tagger(held_out=0.0, epochs=1, repair=True).fit(X, y).classes_


def test_it_goes_on_with_what_was_pickled_and_saved(fitted, tmp_path, capsys):
    X, _ = sentences(6, seed=1)
    assert pickle.loads(pickle.dumps(fitted)).predict(X) == fitted.predict(X)  # noqa: S301
    fitted.save(tmp_path / "run")
    (tmp_path / "new.conll").write_text("Bob\nruns\n\n")
    assert run(["predict", str(tmp_path / "run"), str(tmp_path / "new.conll")]) == 0
    assert "B-PER" in capsys.readouterr().out


def test_it_is_scored_and_searched():
    X, y = sentences()
    assert cross_val_score(tagger(epochs=6), X, y, cv=2).mean() > 0.7
    search = GridSearchCV(
        tagger(scoring="entity_f1", epochs=4), {"learning_rate": [1e-7, 0.05]}, cv=2, refit=False
    ).fit(X, y)
    assert search.best_params_ == {"learning_rate": 0.05}


def test_the_same_number_gives_the_same_bits_and_few_sentences_are_all_learned():
    X, y = sentences(4)
    one, two, three = (tagger(epochs=1, random_state=seed).fit(X, y) for seed in (3, 3, 4))
    assert one.held_out_ == 0
    assert one.run_.files["weights.safetensors"] == two.run_.files["weights.safetensors"]
    assert one.run_.files["weights.safetensors"] != three.run_.files["weights.safetensors"]


OPTIONS = [
    {"head": "crf", "core": "gru", "layers": 2, "characters": "convolution", "filters": 4},
    {"characters": "recurrent", "filters": 3, "casing": False, "affixes": 2, "lower": False, "scheme": "none"},
    {"both": False, "minimum_count": 1, "maximum_vocab": 5, "word_dropout": 0.2, "optimiser": "sgd", "clip": 0.5},
    {"minutes": 1.0, "schedule": "plateau", "evaluate_every": 1, "patience": 1, "device": "cpu", "warmup_steps": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
def test_every_setting_reaches_the_run(options):
    X, y = sentences(8)
    one = clone(tagger(epochs=1)).set_params(**options).fit(X, y)
    assert [len(tags) for tags in one.predict(X)] == [len(words) for words in X]
    recipe = throughtime.folder.from_json(one.run_.files["recipe.json"])
    assert {name: recipe[name] for name in options} == options


@pytest.mark.parametrize("token", ["New York", "#", "-DOCSTART-", "a\u00a0b", "_", "1-2", "naïve"])
def test_any_word_may_be_a_token(token):
    X, y = sentences(6)
    X[0][0] = token
    one = tagger(epochs=1, minimum_count=1, lower=False, held_out=0.0).fit(X, y)
    assert one.run_.trained.unknown([[token, "nobody"]]) == 1


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ("text", [], "X is a list of sentences, which are lists of tokens; got str"),
        ([], [], "X has no sentences; give one at least"),
        (["the dog"], [["O", "O"]], r"X\[0\] is 'the dog'; a sentence is a list of tokens"),
        ([["a"], []], [["O"], []], r"X\[1\] has no tokens: there is nothing to learn from; leave it out"),
        ([["a", 3]], [["O", "O"]], r"X\[0\] has 3, which is no string; tokens are"),
        ([["a"]], None, "a tagger requires y to be passed, but the target y is None; give each token a tag"),
        ([["a"]], [["O"], ["O"]], "X has 1 sentences and y 2; give each its tags"),
        ([["a", "b"]], [["O"]], r"X\[0\] has 2 tokens and y\[0\] 1 tags, not one each"),
        ([["a\tb"]], [["O"]], r"X\[0\] has 'a\\tb': give it without tabs"),
        ([[" a"]], [["O"]], r"X\[0\] has ' a': give it without tabs"),
        ([[""]], [["O"]], r"X\[0\] has '': give it without tabs, .* and not empty"),
        ([["\ud800"]], [["O"]], r"X\[0\] has '\\ud800'"),
        ([["a"]], [["O\n"]], r"y\[0\] has 'O\\n'"),
        ([["a"], ["b"]], [["O"], ["O"]], "one tag only, 'O'"),
    ],
)
def test_what_does_not_fit_is_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        tagger().fit(X, y)


def test_it_does_not_predict_before_it_is_fitted():
    with pytest.raises(NotFittedError):
        tagger().predict([["a"]])


NEED_NO_TABLE = [
    checks.check_estimator_cloneable,
    checks.check_estimator_tags_renamed,
    checks.check_valid_tag_types,
    checks.check_estimator_repr,
    checks.check_no_attributes_set_in_init,
    checks.check_do_not_raise_errors_in_init_or_set_params,
    checks.check_mixin_order,
    checks.check_parameters_default_constructible,
    checks.check_get_params_invariance,
    checks.check_set_params,
]


@pytest.mark.parametrize("check", NEED_NO_TABLE, ids=lambda check: check.__name__)
def test_checks_of_scikit_learn_that_need_no_table_of_numbers(check):
    check("SequenceTagger", tagger())
