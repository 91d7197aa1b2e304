"""Shapes and types are checked while the tests run; in production they cost nothing."""

import pytest
import torch
from jaxtyping import install_import_hook

CHECKED = ["cells", "data", "heads", "layers", "models", "padded", "search", "tally", "train"]
hook = install_import_hook([f"throughtime.{name}" for name in CHECKED], "beartype.beartype")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
