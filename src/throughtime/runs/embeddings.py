"""Vectors of texts: what runs give that have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from throughtime.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class Vectors(Protocol):
    """A trained model that has a vector for each text."""

    width: int  # how many numbers a vector has

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts (N W), in their order."""
        ...


@runtime_checkable
class Embedding(Protocol):
    """A module of this package whose runs have vectors of texts."""

    def embed(self, trained: Any, recipe: Any) -> Vectors:
        """What embeds texts. Raises `ArgumentError` where a run has no such vectors."""
        ...


def vectors_of(run: Path) -> Vectors:
    """What embeds texts by a run. Raises `RunError` as `runs.load` does, `ArgumentError` where it has no vectors."""
    from throughtime import folder
    from throughtime.runs import application_of, find_whole, recipe_of

    home = find_whole(run)
    folder.check_files(home)
    recipe = recipe_of(home)
    application = application_of(recipe)
    if not isinstance(application, Embedding):
        raise ArgumentError(
            f"embed is for runs that have a vector for a text, and {run} holds {recipe.makes}; "
            "make one with throughtime train sentences --text FILE --out RUN, or train classify or translate"
        )
    return application.embed(application.load(home, recipe), recipe)
