"""How sure a classifier may be: intervals, calibration, and the pictures of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime.errors import ArgumentError
from throughtime.runs.shown import figure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from throughtime.metrics import Reliability

Picture = Callable[[Path], None]


@dataclass(frozen=True)
class Sureness:
    """What there is to say of answers besides how many are right.

    facts      accuracy_interval, expected_calibration_error and temperature; None where there is no such number
    rows       the same for people
    pictures   by the name of their option: each draws itself into a .png, .svg or .pdf file
    """

    facts: dict[str, Any]
    rows: dict[str, str]
    pictures: dict[str, Picture]


def sureness(
    logs: NDArray[np.float64], truth: NDArray[np.int64], classes: Sequence[str], *, title: str = ""
) -> Sureness:
    """How sure one may be of a classifier, by log p of every class (N K) of items and their true classes (N).

    The interval is of the accuracy, were other items drawn; the temperature is the one at which the probabilities would
    be likeliest: above 1 they are too sure, and at 1 they are what they say.

    Raises `ArgumentError` when there are no items.
    """
    import numpy as np

    from throughtime.metrics import accuracy_interval, reliability, temperature

    if not len(truth):
        raise ArgumentError("there are no items to judge a classifier by; give one at least")
    best = logs.argmax(1)
    right = best == truth
    interval = accuracy_interval(int(right.sum()), len(truth), np.random.default_rng(0))
    table = reliability(np.exp(logs[np.arange(len(truth)), best]).clip(0, 1), right)
    mended = temperature(logs, truth) if np.isfinite(logs[np.arange(len(truth)), truth]).all() else None
    assert interval is not None
    low, high = interval
    error = table.expected_error
    facts = {"accuracy_interval": [low, high], "expected_calibration_error": error, "temperature": mended}
    rows = {
        "accuracy, 95 %": f"{low:.4f} to {high:.4f}",
        "calibration error": figure(error),
        "temperature": _told(mended),
    }
    return Sureness(facts, rows, _pictures(truth, best, classes, table, title))


def _pictures(
    truth: NDArray[np.int64], best: NDArray[np.int64], classes: Sequence[str], table: Reliability, title: str
) -> dict[str, Picture]:
    """What is taken for what, and how right answers are that are so sure."""

    def confusion(path: Path) -> None:
        from throughtime.inspect.confusion import draw_confusion
        from throughtime.metrics import confusion_matrix

        draw_confusion(confusion_matrix(truth, best, len(classes)), classes, path, title=title)

    def calibration(path: Path) -> None:
        from throughtime.inspect.reliability import draw_reliability

        draw_reliability(table, path, title=title)

    return {"confusion": confusion, "reliability": calibration}


def _told(mended: float | None) -> str:
    """What a temperature says, for people."""
    if mended is None:
        return "—"
    if abs(mended - 1) < 0.05:
        return f"{mended:.3f} (probabilities are as sure as they are right)"
    return f"{mended:.3f} (probabilities are too {'sure' if mended > 1 else 'unsure'})"
