"""Comparing and tuning classifiers."""

import json
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from throughtime.errors import DataError, RunError
from throughtime.inspect.comparison import Measure
from throughtime.metrics.scores import f1s, ratio
from throughtime.recipes.classify import Classify
from throughtime.trials.kinds import Counts, Items, answered

READING = {  # a text and its label a line, or series whose label is last: nothing else is to be told
    "text_column": "text",
    "label_column": "label",
    "group_column": None,
    "header": None,
    "separator": None,
    "label_file": None,
    "header_separator": None,
    "id_column": None,
    "time_column": None,
    "value_columns": (),
    "windows": None,
    "order": "time",
}
MEASURES = {
    "single": [Measure("accuracy"), Measure("macro_f1")],
    "ordinal": [Measure("accuracy"), Measure("mean_absolute_error", share=False, rising=False)],
    "multiple": [Measure("micro_f1"), Measure("macro_f1")],
}


def items(recipe: Classify, path: Path) -> Items:
    """The texts or series of a file with their labels."""
    from throughtime.recipes.labelled import pairs_of

    read = recipe.read(path)
    pairs: list[tuple[Any, tuple[str, ...]]] = [*pairs_of(read, recipe.labels)]
    several, groups = recipe.labels == "multiple", [record.group for record in read.records]
    each = [labels for _, labels in pairs]
    equal = [item if isinstance(item, str) else (item.shape, item.tobytes()) for item, _ in pairs]
    keys: list[Hashable] = [*equal]
    if any(groups):
        keys = [group or place for place, group in enumerate(groups)]
    if isinstance(pairs[0][0], str):
        bodies = [_line(text, labels, several=several) for text, labels in pairs]
        return Items(bodies, b"", ".jsonl", READING, each, keys, any(groups), read.chosen)
    bodies = [_series(values, labels, path) for values, labels in pairs]
    reading = {**READING, "text_column": None, "label_column": None}
    head = b"@classLabel true\n@data\n"
    return Items(bodies, head, ".ts", reading, each, keys, any(groups), read.chosen)


def _line(text: str, labels: tuple[str, ...], *, several: bool) -> bytes:
    content = {"text": text, "label": list(labels) if several else labels[0]}
    return (json.dumps(content) + "\n").encode()


def _series(values: NDArray[Any], labels: tuple[str, ...], path: Path) -> bytes:
    """A series (T D) as a line: a colon parts its channels, a comma values; its label is last."""
    if len(labels) != 1 or ":" in labels[0] or labels[0] == "?":
        raise DataError(
            f"{path}: series whose labels are {', '.join(labels)!a:.60} are not split here: a label is one, without a "
            "colon; name them otherwise"
        )
    channels = [",".join(map(repr, channel)) for channel in values.T.tolist()]
    return (":".join([*channels, labels[0]]) + "\n").encode()


def measures(recipe: Classify, facts: Mapping[str, Any]) -> list[Measure]:
    """Accuracy first; of any number of labels a text, micro F1."""
    return MEASURES[recipe.labels]


def counts(trained: Any, recipe: Classify, path: Path) -> Counts:
    """Whether each item is right; of several labels how many of them are right, predicted and true."""
    from throughtime.recipes.labelled import pairs_of

    truth = [set(labels) for _, labels in pairs_of(recipe.read(path), recipe.labels)]
    said = [set(facts["labels"]) for facts in answered(trained, recipe, path)]
    if len(said) != len(truth):
        raise RunError(f"{path} has {len(truth):,} labels and {len(said):,} answers; give --missing refuse")
    both = zip(said, truth, strict=True)
    if recipe.labels == "multiple":
        rows = [[len(taken & true), len(taken), len(true)] for taken, true in both]
        return Counts(np.array(rows, float), lambda sums: f1s(*sums.T))
    return Counts(np.array([[taken == true, 1] for taken, true in both], float), lambda sums: ratio(*sums.T))
