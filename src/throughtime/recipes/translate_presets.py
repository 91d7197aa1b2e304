"""Settings of the recipe `translate` that suit a task, by its name."""

from typing import Any, Literal

PresetName = Literal["date", "spelling", "translation", "summary"]

PRESETS: dict[str, dict[str, Any]] = {
    "date": {
        "unit": "character",
        "hidden": 128,
        "embedding": 64,
        "dropout": 0.1,
        "tokens": 2048,
        "best": "exact",
        "epochs": 2,
        "beam": 1,
        "learning_rate": 0.004,
    },
    "spelling": {
        "source_unit": "character",
        "target_unit": "word",
        "encoder": "lstm",
        "decoder": "lstm",
        "embedding": 128,
        "tokens": 2048,
        "best": "exact",
        "epochs": 6,
        "learning_rate": 0.003,
        "evaluate_every": 1000,
    },
    "translation": {
        "maximum_vocab": 4000,
        "hidden": 320,
        "dropout": 0.4,
        "word_dropout": 0.1,
        "tokens": 2048,
        "best": "bleu",
        "epochs": 20,
        "evaluate_every": 1000,
    },
    "summary": {
        "shared": True,
        "longest": 4000,
        "dropout": 0.3,
        "epochs": 20,
        "alpha": 1.0,
    },
}


def with_preset(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """What is given, and the settings of a preset where nothing is that takes their place.

    A unit for both sides takes the place of those of each, and those of each of the one; a time that of the passes.

    >>> with_preset("spelling", {"unit": "subword", "minutes": 60})["unit"]
    'subword'
    """
    told = {setting for setting, value in given.items() if value is not None}
    replaced = {"source_unit", "target_unit"} if "unit" in told else set[str]()
    replaced |= {"unit"} if {"source_unit", "target_unit"} <= told else set()
    replaced |= {"epochs"} if "minutes" in told else set()
    return {setting: value for setting, value in PRESETS[name].items() if setting not in replaced} | given
