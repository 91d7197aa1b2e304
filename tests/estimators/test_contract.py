"""The contract of scikit-learn, by its own checks; what does not apply is named with its reason."""

import subprocess
import sys

import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

import throughtime.estimators
from throughtime.estimators import SequenceClassifier, SequenceForecaster

# So few units that they run in the plain loop: nothing is compiled.
CHEAP = {"core": "elman", "dropout": 0.0, "random_state": 0}
CLASSIFIER = SequenceClassifier(**CHEAP, hidden=3, both=False, rows=64, epochs=3, learning_rate=0.2)
FORECASTER = SequenceForecaster(**CHEAP, hidden=2, horizon=1, context=2, rows=32, epochs=1)
ROWS_ARE_TIMES = "a row of X is a time, and what is predicted comes after the last one: no row has an answer of its own"
EXPECTED = {
    "check_methods_sample_order_invariance": ROWS_ARE_TIMES,
    "check_methods_subset_invariance": ROWS_ARE_TIMES,
    "check_fit1d": "an array T is a series of one channel",
}


@parametrize_with_checks([CLASSIFIER])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.system
@parametrize_with_checks([FORECASTER], expected_failed_checks=lambda estimator: EXPECTED, xfail_strict=True)
def test_checks_of_scikit_learn_for_what_forecasts(estimator, check):
    check(estimator)


@parametrize_with_checks([FORECASTER], legacy=False)
def test_first_checks_of_scikit_learn_for_what_forecasts(estimator, check):
    check(estimator)


def python(script):
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("lacking", ["sklearn", "sklearn.utils.validation"])
def test_scikit_learn_is_an_extra(lacking):
    script = f"""
import sys
sys.modules[{lacking!r}] = None
from throughtime import estimators
from throughtime.errors import MissingExtraError
for name in estimators.__all__:
    try:
        getattr(estimators, name)
    except MissingExtraError as error:
        print(error)
"""
    told = "this needs the package 'scikit-learn>=1.6': pip install 'throughtime[estimators]'"
    assert python(script).splitlines() == [told] * 3


def test_names_are_listed_and_others_are_attribute_errors():
    assert dir(throughtime.estimators) == list(throughtime.estimators.__all__) == sorted(throughtime.estimators.__all__)
    for name in throughtime.estimators.__all__:
        assert getattr(throughtime.estimators, name).__name__ == name
    with pytest.raises(AttributeError, match=r"module 'throughtime\.estimators' has no attribute 'SequenceRegressor'"):
        throughtime.estimators.SequenceRegressor  # noqa: B018


@pytest.mark.system
def test_two_processes_find_what_one_does():
    X, y = [[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]] * 20, [0, 1] * 20
    one, two = (GridSearchCV(CLASSIFIER, {"epochs": [1, 20]}, cv=2, n_jobs=jobs).fit(X, y) for jobs in (1, 2))
    for fold in ("split0_test_score", "split1_test_score"):
        assert two.cv_results_[fold].tolist() == one.cv_results_[fold].tolist()
    assert two.best_params_ == one.best_params_
    assert two.predict(X).tolist() == one.predict(X).tolist()
