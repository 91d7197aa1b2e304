"""Estimators of scikit-learn's kind over recipes: arrays and lists in, a trained run inside, arrays and lists out.

classifier   SequenceClassifier: a sequence, and the class it has; targets tells what y may be
tagger       SequenceTagger: a sentence, and the tag of each token
forecaster   SequenceForecaster: series, and what comes next; histories tells what X may be
contract     what all of them share
given        what X may be: texts, a table, series
trained      a recipe trained into a run that is held as bytes

Names are fetched when they are first used, so that importing this imports neither torch nor scikit-learn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from throughtime.errors import MissingExtraError

if TYPE_CHECKING:
    from throughtime.estimators.classifier import SequenceClassifier as SequenceClassifier
    from throughtime.estimators.forecaster import SequenceForecaster as SequenceForecaster
    from throughtime.estimators.tagger import SequenceTagger as SequenceTagger

_HOMES = {
    "SequenceClassifier": "classifier",
    "SequenceForecaster": "forecaster",
    "SequenceTagger": "tagger",
}

__all__ = [*_HOMES]  # noqa: PLE0604  (names, all of them)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        try:
            return getattr(import_module(f"throughtime.estimators.{_HOMES[name]}"), name)
        except ImportError as error:
            if (error.name or "").partition(".")[0] == "sklearn":  # it is missing, or too old
                raise MissingExtraError("scikit-learn>=1.6", "estimators") from error
            raise
    raise AttributeError(f"module 'throughtime.estimators' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
