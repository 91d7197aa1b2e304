"""What X may be: texts, a table whose columns are steps, or series of any lengths."""

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from throughtime.data.precision import Values
from throughtime.data.splits import Indices
from throughtime.errors import ArgumentError

SEPARATOR = ";"  # of several labels


@dataclass(frozen=True)
class Given:
    """X as it is understood: texts, or series T D."""

    texts: list[str]
    series: list[Values]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def channels(self) -> int:
        """How many numbers a step has; none in texts."""
        return self.series[0].shape[1] if self.series else 0

    def check_channels(self, known: int) -> None:
        """Raises `ArgumentError` where something else was learned from than this."""
        if self.channels != known:
            learned, came = (f"series of {n} channels" if n else "texts" for n in (known, self.channels))
            raise ArgumentError(f"this estimator was fitted to {learned}, and X has {came}; give it what it knows")

    @property
    def items(self) -> Sequence[Any]:
        """The texts, or the series."""
        return self.texts or self.series

    @property
    def contents(self) -> list[Hashable]:
        """What is equal where items are, and differs where they do."""
        return [*self.texts] if self.texts else [(one.shape, one.tobytes()) for one in self.series]

    def write(self, stem: Path, rows: Indices, labels: list[list[str]]) -> Path:
        """Some rows with their labels as a file that recipes read."""
        if self.series:
            joined = [SEPARATOR.join(labels[row]) for row in rows]
            return write_ts(stem.with_suffix(".ts"), [self.series[row] for row in rows], joined)
        path = stem.with_suffix(".jsonl")
        with path.open("w", encoding="utf-8") as file:
            for row in rows:
                if not self.texts[row]:
                    raise ArgumentError(f"X[{row}] is empty: there is nothing to learn from; leave it out")
                file.write(json.dumps({"text": self.texts[row], "label": labels[row]}) + "\n")
        return path


def read(estimator: Any, X: Any, *, reset: bool) -> Given:
    """X as texts or series; `reset` where it is learned from, and decides what X may be later.

    Strings are texts. What has two dimensions is a table, which scikit-learn checks: a row is a series of one channel,
    and later tables have as many columns. Of three dimensions are series N T D; a list of arrays T or T D is of series
    of any lengths.

    Raises `ArgumentError` for what is none of these, and where there is nothing or something that is not finite.
    """
    rows = _rows(X)
    if rows is None:
        table = validate_data(estimator, X, reset=reset, dtype=np.float32)
        return Given([], list(table[:, :, None]))
    if reset:
        forget_table(estimator)
    return Given(_texts(rows), []) if isinstance(rows[0], str) else Given([], to_series(rows))


def forget_table(estimator: Any) -> None:
    """Takes away what a table left behind that an estimator was fitted to before."""
    for name in ("n_features_in_", "feature_names_in_"):
        vars(estimator).pop(name, None)


def write_ts(path: Path, series: Sequence[Values], labels: Sequence[str] | None = None) -> Path:
    """Series, each with a label if there are some, as a `.ts` file."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"@classLabel {str(labels is not None).lower()}\n@data\n")
        for row, single in enumerate(series):
            channels = [",".join(map(repr, channel)) for channel in single.T.tolist()]
            file.write(":".join(channels if labels is None else [*channels, labels[row]]) + "\n")
    return path


def _rows(X: Any) -> list[Any] | None:
    """Texts or series, one by one; None for what scikit-learn should look at: a table, or nothing that fits."""
    dimensions = getattr(X, "ndim", None)
    if dimensions == 3:
        return list(check_array(X, allow_nd=True, dtype=np.float32, input_name="X"))
    if dimensions != 1 and not isinstance(X, list | tuple):
        return None
    rows = list(X)
    if not rows or not isinstance(rows[0], str | Sequence | np.ndarray):
        return None
    if isinstance(rows[0], str) or any(isinstance(row, np.ndarray) for row in rows):
        return rows
    lengths = {len(row) if isinstance(row, Sequence) else -1 for row in rows}
    flat = all(np.ndim(value) == 0 for value in rows[0])
    return None if flat and len(lengths) == 1 else rows


def _texts(rows: list[Any]) -> list[str]:
    """Texts without white space around them, which is what the files of a run have."""
    texts = []
    for place, text in enumerate(rows):
        if not isinstance(text, str):
            raise ArgumentError(f"X[{place}] is {type(text).__name__} among texts; give strings only")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ArgumentError(f"X[{place}] has half a character, {text!a:.40}; decode it with errors='replace'")
        texts.append(str(text).strip())
    return texts


def to_series(rows: Sequence[Any]) -> list[Values]:
    """Series T D of numbers, which all have as many channels."""
    series = []
    for place, row in enumerate(rows):
        try:
            values = np.asarray(row)
        except ValueError:
            values = np.array(None)
        if values.dtype.kind not in "fiub" or not 1 <= values.ndim <= 2 or not values.size:
            what = f"{values.dtype} of shape {values.shape}" if values.ndim else "ragged"
            raise ArgumentError(f"X[{place}] is {what}; a series is an array of numbers, T or T D, at least one")
        with np.errstate(over="ignore"):
            single = values.astype(np.float32).reshape(len(values), -1)
        if not np.isfinite(single).all():
            step, channel = np.argwhere(~np.isfinite(single))[0]
            raise ArgumentError(
                f"X[{place}] has {values.reshape(single.shape)[step, channel]} at step {step}, channel {channel}: NaN, "
                "inf and what float32 cannot hold teach nothing; fill it in"
            )
        series.append(single)
    channels = sorted({single.shape[1] for single in series})
    if len(channels) > 1:
        raise ArgumentError(f"series have as many channels as each other; got some of {channels[0]} and {channels[1]}")
    return series
