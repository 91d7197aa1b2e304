import pytest

from throughtime import errors
from throughtime.errors import MissingExtraError, ThroughtimeError, nearest

BUILTIN = {
    errors.ArgumentError: ValueError,
    errors.DataError: ValueError,
    errors.StorageError: OSError,
    errors.LawError: AssertionError,
    errors.MissingExtraError: ImportError,
}
CLASSES = [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, Exception)]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_stands_in_the_tree_under_its_root(kind):
    assert issubclass(kind, ThroughtimeError)
    assert issubclass(kind, BUILTIN.get(kind, Exception))
    assert kind.__name__ in (errors.__doc__ or "")


def test_a_missing_extra_says_how_to_install_it():
    error = MissingExtraError("tokenizers", "subword")
    assert str(error) == "this needs the package 'tokenizers': pip install 'throughtime[subword]'"


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("lsmt", ["gru", "lstm"], "did you mean 'lstm'?"),
        ("xyz", ["gru", "lstm"], "known: gru, lstm"),
        ("xyz", (str(i) for i in range(13)), "known: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ..."),
        ("xyz", [str(i) for i in range(12)], "known: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"),
    ],
)
def test_nearest_names_one_thing_or_lists_a_few(name, known, hint):
    assert nearest(name, known) == hint
