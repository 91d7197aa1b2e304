"""Shapes and types are checked while the tests run; in production they cost nothing. And a text to train on."""

import random
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

CHECKED = ["cells", "data", "drop_in", "heads", "layers", "models", "padded", "search", "tally", "train"]
# Not kernels: its formulas say float and are given whole numbers, which beartype takes for a mistake.
hook = install_import_hook([f"throughtime.{name}" for name in CHECKED], "beartype.beartype")

settings.register_profile("house", max_examples=40, deadline=None, derandomize=True)
settings.load_profile("house")
sys.path.insert(0, str(Path(__file__).parent / "kernels"))  # where `imitated` and `comparing` are imported from
torch.set_num_threads(1)  # for small tensors more threads are slower, and far slower on a busy machine

WORDS = ["the", "a", "cat", "dog", "bird", "sees", "hears", "follows", "red", "small", "old", "house", "river"]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def imitated(monkeypatch):
    """The kernels of cells that are new in this test run in Python: at once, where a compiler takes a second."""
    from imitated import imitate

    imitate(monkeypatch)


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    """A file of 120 lines that are made here."""
    chance = random.Random(0)
    path = tmp_path_factory.mktemp("text") / "made.txt"
    path.write_text("".join(" ".join(chance.choices(WORDS, k=chance.randint(3, 9))) + ".\n" for _ in range(120)))
    return path


@pytest.fixture(scope="session")
def tiny(text):
    """Recipes that are trained in a second."""
    from throughtime import Language

    def recipe(**changes):
        settings = {"hidden": 12, "layers": 2, "lanes": 4, "steps": 10, "epochs": 2, "evaluate_every": 30, "seed": 3}
        return Language(**({"text": text} | settings | changes))

    return recipe
