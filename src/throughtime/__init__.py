"""Throughtime: sequence models, recurrent first.

    recipe = throughtime.Language(text="input.txt", minutes=5)
    for progress in throughtime.fit(recipe, "runs/first"): print(progress)
    print(throughtime.load("runs/first").generate("To be"))

Names are fetched when they are first used, so that importing the package does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from throughtime import cells as cells
    from throughtime import drop_in as drop_in
    from throughtime import estimators as estimators
    from throughtime import vectors as vectors
    from throughtime.errors import ThroughtimeError as ThroughtimeError
    from throughtime.kernels.run import PlainLoopWarning as PlainLoopWarning
    from throughtime.layers import Bidirectional as Bidirectional
    from throughtime.layers import Recurrent as Recurrent
    from throughtime.layers import Stack as Stack
    from throughtime.layers import Window as Window
    from throughtime.layers import check_cell as check_cell
    from throughtime.layers import check_core as check_core
    from throughtime.layers import from_torch as from_torch
    from throughtime.layers import to_torch as to_torch
    from throughtime.layers.scan import scan as scan
    from throughtime.models.sought import Search as Search
    from throughtime.padded import Padded as Padded
    from throughtime.recipes import Act as Act
    from throughtime.recipes import Classify as Classify
    from throughtime.recipes import Forecast as Forecast
    from throughtime.recipes import Language as Language
    from throughtime.recipes import Perceptron as Perceptron
    from throughtime.recipes import Sentences as Sentences
    from throughtime.recipes import Tag as Tag
    from throughtime.recipes import Translate as Translate
    from throughtime.runs import load as load
    from throughtime.tally import Tally as Tally
    from throughtime.train import Progress as Progress
    from throughtime.train.fit import fit as fit

__version__ = "0.1.0"

_HOMES = {
    "Act": "recipes",
    "Bidirectional": "layers",
    "Classify": "recipes",
    "Forecast": "recipes",
    "Language": "recipes",
    "Padded": "padded",
    "Perceptron": "recipes",
    "PlainLoopWarning": "kernels.run",
    "Progress": "train",
    "Recurrent": "layers",
    "Search": "models.sought",
    "Sentences": "recipes",
    "Stack": "layers",
    "Tag": "recipes",
    "Tally": "tally",
    "ThroughtimeError": "errors",
    "Translate": "recipes",
    "Window": "layers",
    "check_cell": "layers",
    "check_core": "layers",
    "fit": "train",
    "from_torch": "layers",
    "load": "runs",
    "scan": "layers",
    "to_torch": "layers",
}

_PACKAGES = ("cells", "drop_in", "estimators", "vectors")

__all__ = ["__version__", *_PACKAGES, *_HOMES]  # noqa: PLE0604  (names, all of them)


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"throughtime.{name}")
    if name in _HOMES:
        return getattr(import_module(f"throughtime.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'throughtime' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
