import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import throughtime
from throughtime.recipes import APPLICATIONS

HEAVY = ["torch", "numpy", "numba", "pydantic", "tyro", "rich"]
ABSENT = "[name for name in ('torch', 'sklearn', 'polars', 'matplotlib') if name in sys.modules]"


@pytest.mark.parametrize("name", throughtime.__all__)
def test_every_public_name_resolves_to_a_thing_of_that_name(name):
    thing = getattr(throughtime, name)
    if name == "__version__":
        assert thing
    elif name in ("cells", "drop_in", "estimators", "vectors"):
        assert inspect.ismodule(thing)
    else:
        assert not inspect.ismodule(thing)
        assert thing.__name__ == name
        assert inspect.getdoc(thing)


def test_the_public_names_are_listed_once_and_in_order():
    assert dir(throughtime) == sorted(set(throughtime.__all__))
    assert len(set(throughtime.__all__)) == len(throughtime.__all__)


def test_every_application_is_public():
    assert {application.__name__ for application in APPLICATIONS} <= set(throughtime.__all__)


def test_what_type_checkers_see_is_what_is_public():
    source = inspect.getsource(throughtime)
    seen = [line.split(" as ")[1] for line in source.splitlines() if " as " in line and line.startswith("    from ")]
    assert sorted([*seen, "__version__"]) == sorted(throughtime.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'throughtime' has no attribute 'lstm'"):
        throughtime.lstm  # noqa: B018


@pytest.mark.parametrize("package", ["throughtime", "throughtime.estimators", "throughtime.vectors"])
def test_importing_the_package_imports_nothing_heavy(package):
    script = f"import {package}, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_is_typed():
    assert (Path(throughtime.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize(
    "package", ["cells", "data", "drop_in", "estimators", "heads", "layers", "metrics", "models", "search", "vectors"]
)
def test_each_floor_has_the_names_that_it_lists(package):
    module = import_module(f"throughtime.{package}")
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names)
    assert all(hasattr(module, name) for name in names)


@pytest.mark.parametrize("name", throughtime.vectors.__all__)
def test_every_name_of_word_vectors_is_a_thing_with_a_docstring_of_its_own(name):
    thing = getattr(throughtime.vectors, name)
    assert not inspect.ismodule(thing)
    assert thing.__name__ == name
    assert inspect.getdoc(thing)


def test_what_type_checkers_see_of_word_vectors_is_what_is_listed_in_order():
    source = inspect.getsource(throughtime.vectors)
    lines = [
        line.split(" import ")[1] for line in source.splitlines() if line.startswith("    from throughtime.vectors")
    ]
    assert sorted(lines) == [f"{name} as {name}" for name in sorted(throughtime.vectors.__all__)]
    assert dir(throughtime.vectors) == sorted(set(throughtime.vectors.__all__))
    assert list(throughtime.vectors.__all__) == sorted(throughtime.vectors.__all__)


def test_word_vectors_need_no_torch():
    script = f"from throughtime import vectors as v; [getattr(v, n) for n in v.__all__]; import sys; print({ABSENT})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_of_word_vectors_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'throughtime\.vectors' has no attribute 'word3vec'"):
        throughtime.vectors.word3vec  # noqa: B018
